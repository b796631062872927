/* SPDX-License-Identifier: MIT */
/* Arguments of commands: numbers, sizes, CPUs. */
#ifndef SOCLE_ARGS_H
#define SOCLE_ARGS_H

#include "../libsocle/xc.h"

/** arg_number - decimal digits and nothing else, of at most @max. */
bool arg_number(const char *text, uint64_t max, uint64_t *n);

/** arg_size - a size in KiB: a number with b, k, m, g or t behind it, without one in MiB
 * More than 0 KiB, and no more than 2^40 of them. */
bool arg_size(const char *text, uint64_t *kib);

/** arg_cpus - "0-3,^1", "all"; those that no machine has are dropped
 * @nr  CPUs of the machine; false: one that is named is beyond them, or none is left. */
bool arg_cpus(const char *text, unsigned int nr, struct xc_cpus *cpus);

/** cpus_text - the same, the other way round: "all", "none", "0,2-3"; from malloc(). */
char *cpus_text(const struct xc_cpus *cpus, unsigned int nr);

/** cpus_has - whether @cpu is one of them. */
bool cpus_has(const struct xc_cpus *cpus, unsigned int cpu);

#endif

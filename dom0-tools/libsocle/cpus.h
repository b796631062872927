/* SPDX-License-Identifier: MIT */
/* Sets of CPUs, as people write them. */
#ifndef LIBSOCLE_CPUS_H
#define LIBSOCLE_CPUS_H

#include <stdbool.h>
#include <stdint.h>

#define CPUS_MAX 1024u /* of a machine that can be named */

/** cpus_parse - "0-3,^1", "all,^0": from left to right, ^ takes away
 * Returns false if it is something else, or names no CPU at all; @bits is then undefined. */
bool cpus_parse(const char *text, uint64_t bits[CPUS_MAX / 64]);

#endif

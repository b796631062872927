/* SPDX-License-Identifier: MIT */
/* The measuring frame of the bench guest: a row is a name and a function that takes one sample. */
#ifndef BENCH_H
#define BENCH_H

#include <pv/cpu.h>
#include <pv/types.h>

#define BENCH_SAMPLES 151

struct bench_row {
    const char *key;       /* the word in the output and in the tables */
    unsigned per;          /* operations in one sample */
    bool (*prepare)(void); /* may be NULL; false: the row cannot be measured here */
    uint64_t (*sample)(void);
    void (*finish)(void); /* may be NULL */
};

/** TIMED - TSC ticks that the statements take, the two rdtsc included. */
#define TIMED(...)                                                                                 \
    __extension__({                                                                                \
        uint64_t start_ = rdtsc();                                                                 \
        __VA_ARGS__;                                                                               \
        rdtsc() - start_;                                                                          \
    })

/* Rows by theme, each list ended by a row without key. */
extern const struct bench_row bench_calls[], bench_memory[], bench_traps[], bench_events[],
    bench_grants[];

/** bench_put - print a figure: `bench: key value`. */
void bench_put(const char *key, uint64_t value);

/** bench_memory_share - print `hypervisor_kib`: machine memory that dom0 did not get. It tells the
 * hypervisor's own need if dom0 was given all that is left (no dom0_mem). */
void bench_memory_share(void);

/** bench_median - of @n values; sorts them. */
uint64_t bench_median(uint64_t *values, unsigned n);

#endif

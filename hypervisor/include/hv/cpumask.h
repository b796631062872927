/* SPDX-License-Identifier: MIT */
/* A set of pcpus. */
#pragma once

#include <hv/config.h>
#include <hv/lib.h>

_Static_assert(NR_CPUS <= 64, "cpumask_t is one word");

typedef struct {
    uint64_t bits;
} cpumask_t;

#define CPUMASK_NONE ((cpumask_t){0})
#define CPUMASK_ALL  ((cpumask_t){~0UL})

static inline cpumask_t cpumask_of(unsigned int cpu)
{
    return (cpumask_t){1UL << cpu};
}

static inline bool cpumask_test(const cpumask_t *m, unsigned int cpu)
{
    return (READ_ONCE(m->bits) >> cpu) & 1;
}

/* For any number. */
static inline bool cpumask_has(const cpumask_t *m, unsigned int cpu)
{
    return cpu < NR_CPUS && cpumask_test(m, cpu);
}

/* Atomic. */
static inline void cpumask_set(cpumask_t *m, unsigned int cpu)
{
    __atomic_fetch_or(&m->bits, 1UL << cpu, __ATOMIC_SEQ_CST);
}

static inline void cpumask_clear(cpumask_t *m, unsigned int cpu)
{
    __atomic_fetch_and(&m->bits, ~(1UL << cpu), __ATOMIC_SEQ_CST);
}

static inline cpumask_t cpumask_and(cpumask_t a, cpumask_t b)
{
    return (cpumask_t){a.bits & b.bits};
}

static inline bool cpumask_empty(cpumask_t m)
{
    return m.bits == 0;
}

static inline unsigned int cpumask_first(cpumask_t m) /* 64 if empty */
{
    return ffs64(m.bits);
}

static inline unsigned int cpumask_weight(cpumask_t m)
{
    return popcount64(m.bits);
}

#define for_each_cpu(cpu, mask)                                                                    \
    for (uint64_t cpu_todo = (mask).bits, cpu; cpu_todo && (cpu = ffs64(cpu_todo), true);          \
         cpu_todo &= cpu_todo - 1)

extern cpumask_t cpu_online_map;  /* pcpus that schedule */
extern cpumask_t cpu_present_map; /* pcpus that firmware told of and that were started */

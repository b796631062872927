/* SPDX-License-Identifier: MIT */
/* What does each service of the hypervisor cost? Meant for QEMU with -icount shift=0, where the
 * TSC counts guest instructions, so that the figures are the same in every run. Output: a line
 * `bench: key figure` for each row, the median of BENCH_SAMPLES, less what an empty sample takes.
 * table.py makes a table of it. `only=a+b` measures some rows; `all` prints the extremes too. */
#include "bench.h"
#include <pv/console.h>
#include <pv/evtchn.h>
#include <pv/guest.h>
#include <pv/print.h>
#include <pv/string.h>

static uint64_t overhead;

uint64_t bench_median(uint64_t *v, unsigned n)
{
    for (unsigned i = 1; i < n; i++) {
        uint64_t x = v[i];
        unsigned at = i;

        for (; at > 0 && v[at - 1] > x; at--)
            v[at] = v[at - 1];
        v[at] = x;
    }
    return v[n / 2];
}

void bench_put(const char *key, uint64_t value)
{
    printk("bench: %s %lu\n", key, value);
}

static uint64_t sample_nothing(void)
{
    return TIMED(barrier());
}

/* Median of the samples of @take; ticks for one operation in *@min and *@max on request. */
static uint64_t measure(uint64_t (*take)(void), uint64_t *min, uint64_t *max)
{
    static uint64_t v[BENCH_SAMPLES];
    uint64_t median;

    take(); /* once to warm up: first use of tables and pages */
    for (unsigned i = 0; i < BENCH_SAMPLES; i++)
        v[i] = take();
    median = bench_median(v, BENCH_SAMPLES);
    *min = v[0];
    *max = v[BENCH_SAMPLES - 1];
    return median;
}

static void run_row(const struct bench_row *r)
{
    uint64_t median, min, max;

    if (!cmdline_selects("only", r->key))
        return;
    if (r->prepare && !r->prepare()) {
        printk("# %s: not possible here\n", r->key);
        return;
    }
    median = measure(r->sample, &min, &max);
    bench_put(r->key, (median - overhead + r->per / 2) / r->per);
    if (cmdline_has("all"))
        printk("# %s: %lu .. %lu\n", r->key, (min - overhead) / r->per, (max - overhead) / r->per);
    if (r->finish)
        r->finish();
}

void guest_main(void)
{
    static const struct bench_row *const themes[] = {bench_calls, bench_memory, bench_traps,
                                                     bench_events, bench_grants};
    uint64_t min, max;

    overhead = measure(sample_nothing, &min, &max);
    printk("# bench: overhead %lu\n", overhead);
    for (unsigned t = 0; t < ARRAY_SIZE(themes); t++)
        for (const struct bench_row *r = themes[t]; r->key; r++)
            run_row(r);
    bench_memory_share();
    printk("# done\n");
}

/* SPDX-License-Identifier: MIT */
/* Arguments of commands: numbers, sizes, CPUs. */
#include "args.h"

#include "../libsocle/alloc.h"
#include "../libsocle/cpus.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool arg_number(const char *text, uint64_t max, uint64_t *n)
{
    if (!text[0] || text[strspn(text, "0123456789")] || strlen(text) > 18)
        return false;
    *n = strtoull(text, NULL, 10);
    return *n <= max;
}

bool arg_size(const char *text, uint64_t *kib)
{
    static const char units[] = "bkmgtBKMGT";
    size_t digits = strspn(text, "0123456789");
    const char *unit = text[digits] ? strchr(units, text[digits]) : &units[2];
    unsigned int power = unit ? (unit - units) % 5 : 0; /* of 1024 */
    uint64_t n;

    if (!unit || !digits || digits > 15 || (text[digits] && text[digits + 1]))
        return false;
    n = strtoull(text, NULL, 10);
    if (power == 0)
        n /= 1024;
    for (unsigned int i = 1; i < power && n <= 1ull << 40; i++)
        n *= 1024;
    *kib = n;
    return n > 0 && n <= 1ull << 40;
}

bool cpus_has(const struct xc_cpus *cpus, unsigned int cpu)
{
    return cpu < XC_MAX_CPUS && cpus->bits[cpu / 8] >> cpu % 8 & 1;
}

/* Whether they are those that "all" alone means, or what is left of them. */
static bool beyond(const uint64_t *bits, unsigned int nr)
{
    for (unsigned int cpu = nr; cpu < CPUS_MAX; cpu++) {
        if (bits[cpu / 64] >> cpu % 64 & 1)
            return true;
    }
    return false;
}

bool arg_cpus(const char *text, unsigned int nr, struct xc_cpus *cpus)
{
    uint64_t bits[CPUS_MAX / 64];
    bool all = strstr(text, "all"), any = false;

    if (!cpus_parse(text, bits) || (!all && beyond(bits, nr)))
        return false;
    memset(cpus, 0, sizeof(*cpus));
    for (unsigned int cpu = 0; cpu < nr && cpu < CPUS_MAX; cpu++) {
        if (bits[cpu / 64] >> cpu % 64 & 1) {
            cpus->bits[cpu / 8] |= 1 << cpu % 8;
            any = true;
        }
    }
    return any;
}

char *cpus_text(const struct xc_cpus *cpus, unsigned int nr)
{
    char *text = must_alloc(nr * 5 + 8), *at = text;
    unsigned int count = 0;

    for (unsigned int cpu = 0; cpu < nr; cpu++)
        count += cpus_has(cpus, cpu);
    if (count == nr || count == 0) {
        strcpy(text, count ? "all" : "none");
        return text;
    }
    for (unsigned int cpu = 0; cpu < nr; cpu++) {
        unsigned int first = cpu;

        if (!cpus_has(cpus, cpu))
            continue;
        while (cpu + 1 < nr && cpus_has(cpus, cpu + 1))
            cpu++;
        at += sprintf(at, at > text ? ",%u" : "%u", first);
        if (cpu > first)
            at += sprintf(at, "-%u", cpu);
    }
    return text;
}

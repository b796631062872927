/* SPDX-License-Identifier: MIT */
/* Sets of CPUs, as people write them. */
#include "cpus.h"

#include "number.h"

#include <string.h>

/* "all", "3" or "0-3" at *@s; steps behind it. */
static bool range_at(const char **s, unsigned long *first, unsigned long *last)
{
    *first = 0;
    *last = CPUS_MAX - 1;
    if (strncmp(*s, "all", 3) == 0) {
        *s += 3;
        return true;
    }
    if (!number_at(s, CPUS_MAX - 1, first))
        return false;
    *last = *first;
    if (**s == '-' && ((*s)++, !number_at(s, CPUS_MAX - 1, last)))
        return false;
    return *last >= *first;
}

bool cpus_parse(const char *text, uint64_t bits[CPUS_MAX / 64])
{
    uint64_t any = 0;

    memset(bits, 0, CPUS_MAX / 8);
    for (const char *s = text;; s++) {
        unsigned long first, last;
        bool away = *s == '^';

        s += away;
        if (!range_at(&s, &first, &last) || (*s && *s != ','))
            return false;
        for (; first <= last; first++) {
            uint64_t bit = 1ull << first % 64;

            bits[first / 64] = away ? bits[first / 64] & ~bit : bits[first / 64] | bit;
        }
        if (!*s)
            break;
    }
    for (unsigned int i = 0; i < CPUS_MAX / 64; i++)
        any |= bits[i];
    return any != 0;
}

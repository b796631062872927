/* SPDX-License-Identifier: MIT */
/* Sets of CPUs, as people write them. */
#include "cpus.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* A number at *@s; steps behind it. */
static bool number_at(const char **s, unsigned long *value)
{
    char *end;

    if (!isdigit((unsigned char)**s) || strspn(*s, "0123456789") > 9)
        return false;
    *value = strtoul(*s, &end, 10);
    *s = end;
    return *value < CPUS_MAX;
}

/* "all", "3" or "0-3" at *@s; steps behind it. */
static bool range_at(const char **s, unsigned long *first, unsigned long *last)
{
    *first = 0;
    *last = CPUS_MAX - 1;
    if (strncmp(*s, "all", 3) == 0) {
        *s += 3;
        return true;
    }
    if (!number_at(s, first))
        return false;
    *last = *first;
    if (**s == '-' && ((*s)++, !number_at(s, last)))
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

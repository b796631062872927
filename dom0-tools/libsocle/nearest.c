/* SPDX-License-Identifier: MIT */
/* The number of slips between two words. */
#include "nearest.h"

#include <string.h>

#define MAX 32 /* letters; longer words are near to nothing */

static size_t min(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* d[i][j]: slips between the first i letters of one and the first j of the other word. */
static size_t distance(const char *a, const char *b)
{
    size_t d[MAX + 1][MAX + 1], la = strlen(a), lb = strlen(b);

    for (size_t i = 0; i <= la; i++) {
        for (size_t j = 0; j <= lb; j++) {
            if (!i || !j) {
                d[i][j] = i + j;
                continue;
            }
            d[i][j] =
                min(d[i - 1][j - 1] + (a[i - 1] != b[j - 1]), min(d[i - 1][j], d[i][j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                d[i][j] = min(d[i][j], d[i - 2][j - 2] + 1);
        }
    }
    return d[la][lb];
}

void nearest_try(struct nearest *best, const char *typed, const char *name)
{
    size_t n;

    if (strlen(typed) > MAX || strlen(name) > MAX)
        return;
    n = distance(typed, name);
    if (n > (strlen(name) + 1) / 3 || (best->name && n >= best->distance))
        return;
    best->name = name;
    best->distance = n;
}

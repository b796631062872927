/* SPDX-License-Identifier: MIT */
/* What somebody may have meant. */
#ifndef LIBSOCLE_NEAREST_H
#define LIBSOCLE_NEAREST_H

#include <stddef.h>

struct nearest {      /* all zero: nothing seen */
    const char *name; /* the best so far, NULL: none is near */
    size_t distance;
};

/** nearest_try - take @name if it is nearer to what was @typed than all before
 * Near is what a slip or two (one letter in three) make of it: a letter too many, missing, wrong,
 * or two that changed places. */
void nearest_try(struct nearest *best, const char *typed, const char *name);

#endif

/* SPDX-License-Identifier: MIT */
/* Rows "key : value" of what there is to know about one thing; or an object, or one value alone. */
#ifndef SOCLE_ROWS_H
#define SOCLE_ROWS_H

#include "json.h"

struct rows {
    int width;        /* of the keys */
    const char *only; /* the key that is asked for, or NULL */
    bool found;
    yajl_gen g; /* NULL: lines */
};

void rows_begin(struct rows *r, int width, bool json, const char *only);

void row_text(struct rows *r, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void row_number(struct rows *r, const char *key, int64_t n);
void row_real(struct rows *r, const char *key, double n, int digits);

/** rows_end - EXIT_OK; EXIT_FAILED after a line if there is no row that was asked for. */
int rows_end(struct rows *r);

#endif

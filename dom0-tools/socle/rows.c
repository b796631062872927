/* SPDX-License-Identifier: MIT */
/* Rows "key : value". */
#include "rows.h"

#include "commands.h"
#include "domains.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

void rows_begin(struct rows *r, int width, bool json, const char *only)
{
    *r = (struct rows){.width = width, .only = only, .g = json ? json_begin() : NULL};
    if (json)
        json_object(r->g, NULL);
}

/* Whether this row is wanted; if it is a line, its beginning. */
static bool begin(struct rows *r, const char *key)
{
    if (r->only && strcmp(r->only, key) != 0)
        return false;
    r->found = true;
    if (!r->g && !r->only)
        printf("%-*s: ", r->width, key);
    return true;
}

void row_text(struct rows *r, const char *key, const char *format, ...)
{
    char text[2048];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (!begin(r, key))
        return;
    if (r->g)
        json_text(r->g, key, text);
    else
        puts(text);
}

void row_number(struct rows *r, const char *key, int64_t n)
{
    if (!begin(r, key))
        return;
    if (r->g)
        json_number(r->g, key, n);
    else
        printf("%" PRId64 "\n", n);
}

void row_real(struct rows *r, const char *key, double n, int digits)
{
    if (!begin(r, key))
        return;
    if (r->g)
        json_real(r->g, key, n, digits);
    else
        printf("%.*f\n", digits, n);
}

int rows_end(struct rows *r)
{
    if (r->g) {
        yajl_gen_map_close(r->g);
        json_end(r->g);
    }
    return r->only && !r->found ? refuse("there is no row %s", r->only) : EXIT_OK;
}

/* SPDX-License-Identifier: MIT */
/* One line that says what went wrong. */
#include "error.h"

#include <stdarg.h>
#include <stdio.h>

int error_set(struct error *err, int rc, const char *format, ...)
{
    va_list args;

    if (!err)
        return rc;
    va_start(args, format);
    vsnprintf(err->text, sizeof(err->text), format, args);
    va_end(args);
    for (char *c = err->text; *c; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    }
    return rc;
}

/* SPDX-License-Identifier: MIT */
#include "number.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

bool number_at(const char **s, unsigned long max, unsigned long *value)
{
    char *end;

    if (!isdigit((unsigned char)**s) || strspn(*s, "0123456789") > 9)
        return false;
    *value = strtoul(*s, &end, 10);
    *s = end;
    return *value <= max;
}

/* SPDX-License-Identifier: MIT */
/* Memory, or the end. */
#include "alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void must_have(int rc)
{
    if (rc == 0)
        return;
    fputs("out of memory\n", stderr);
    abort();
}

void *must_alloc(size_t size)
{
    void *p = calloc(1, size);

    must_have(p ? 0 : -1);
    return p;
}

char *must_copy(const void *src, size_t len)
{
    char *p = must_alloc(len + 1);

    if (len)
        memcpy(p, src, len);
    return p;
}

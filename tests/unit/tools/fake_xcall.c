/* SPDX-License-Identifier: MIT */
/* No hypervisor: commands that want one say so. */
#include "dom0-tools/libsocle/xcall.h"

#include <errno.h>
#include <stdlib.h>

int xcall_open(void)
{
    return -ENODEV;
}

long xcall(unsigned int number, unsigned long arg1, unsigned long arg2)
{
    (void)number;
    (void)arg1;
    (void)arg2;
    return -ENOSYS;
}

void *xcall_alloc(size_t size)
{
    return calloc(1, size);
}

void xcall_free(void *p)
{
    free(p);
}

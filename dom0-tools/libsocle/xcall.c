/* SPDX-License-Identifier: MIT */
/* Hypercalls by the packaged library. */
#include "xcall.h"

#include "alloc.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <xencall.h>

static xencall_handle *handle;

int xcall_open(void)
{
    /* The library writes lines of its own about what is missing. */
    if (access("/dev/xen/privcmd", R_OK | W_OK) && access("/proc/xen/privcmd", R_OK | W_OK))
        return -errno;
    if (!handle)
        handle = xencall_open(NULL, 0);
    return handle ? 0 : -errno;
}

long xcall(unsigned int number, unsigned long arg1, unsigned long arg2)
{
    long rc = xencall2L(handle, number, arg1, arg2);

    return rc < 0 ? -errno : rc;
}

void *xcall_alloc(size_t size)
{
    void *p = xencall_alloc_buffer(handle, size);

    must_have(p ? 0 : -ENOMEM);
    return memset(p, 0, size);
}

void xcall_free(void *p)
{
    xencall_free_buffer(handle, p);
}

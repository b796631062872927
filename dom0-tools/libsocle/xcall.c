/* SPDX-License-Identifier: MIT */
/* Hypercalls and mappings by the packaged libraries. */
#include "xcall.h"

#include "alloc.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xencall.h>
#include <xenforeignmemory.h>
#include <xen/memory.h>

static xencall_handle *handle;
static xenforeignmemory_handle *memory;
static xenforeignmemory_resource_handle *grants;

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

long xcall4(unsigned int number, unsigned long arg1, unsigned long arg2, unsigned long arg3,
            unsigned long arg4)
{
    int rc = xencall4(handle, number, arg1, arg2, arg3, arg4);

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

static bool memory_open(void)
{
    if (!memory)
        memory = xenforeignmemory_open(NULL, 0);
    return memory;
}

void *xcall_map(unsigned int id, const uint64_t *frames, size_t nr)
{
    return memory_open()
               ? xenforeignmemory_map(memory, id, PROT_READ | PROT_WRITE, nr, frames, NULL)
               : NULL;
}

void xcall_unmap(void *p, size_t nr)
{
    xenforeignmemory_unmap(memory, p, nr);
}

void *xcall_map_grants(unsigned int id)
{
    void *p = NULL;

    if (memory_open())
        grants = xenforeignmemory_map_resource(memory, id, XENMEM_resource_grant_table,
                                               XENMEM_resource_grant_table_id_shared, 0, 1, &p,
                                               PROT_READ | PROT_WRITE, 0);
    return grants ? p : NULL;
}

void xcall_unmap_grants(void *p)
{
    (void)p;
    xenforeignmemory_unmap_resource(memory, grants);
    grants = NULL;
}

/* SPDX-License-Identifier: MIT */
/* Mapping pages of domains by the packaged libraries. */
#include "ring_page.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <xenforeignmemory.h>
#include <xengnttab.h>

static xengnttab_handle *gnttab; /* NULL: there is none, all is mapped by frames */
static xenforeignmemory_handle *foreign;

/* How a page was mapped, for it has to be unmapped that way. */
static struct mapping {
    struct mapping *next;
    void *page;
    bool by_grant;
} * mappings;

int ring_page_open(void)
{
    foreign = xenforeignmemory_open(NULL, 0);
    if (!foreign)
        return -errno;
    gnttab = xengnttab_open(NULL, 0);
    return 0;
}

void *ring_page_map(domid_t id, uint32_t gref, uint64_t frame)
{
    struct mapping *m = calloc(1, sizeof(*m));
    const int prot = PROT_READ | PROT_WRITE;
    xen_pfn_t pfn = frame;
    int err = 0;

    if (!m)
        return NULL;
    if (gnttab)
        m->page = xengnttab_map_grant_ref(gnttab, id, gref, prot);
    m->by_grant = m->page;
    if (!m->page)
        m->page = xenforeignmemory_map(foreign, id, prot, 1, &pfn, &err);
    if (!m->page) {
        free(m);
        errno = err ? abs(err) : EFAULT;
        return NULL;
    }
    m->next = mappings;
    mappings = m;
    return m->page;
}

void ring_page_unmap(void *page)
{
    struct mapping **at = &mappings, *m;

    while ((*at)->page != page)
        at = &(*at)->next;
    m = *at;
    *at = m->next;
    if (m->by_grant)
        xengnttab_unmap(gnttab, page, 1);
    else
        xenforeignmemory_unmap(foreign, page, 1);
    free(m);
}

/* SPDX-License-Identifier: MIT */
/* Bench rows: grants of our own pages to ourselves. */
#include "bench.h"
#include <pv/gnttab.h>
#include <pv/guest.h>
#include <pv/hypercall.h>
#include <pv/mm.h>

static void *source, *target, *window;
static grant_ref_t ref;
static domid_t self;

static bool prepare(void)
{
    source = alloc_page();
    target = alloc_page();
    window = vm_reserve(1);
    if (!source || !target || !window || gnttab_init(1))
        return false;
    self = guest_domid();
    ref = gnttab_grant(self, virt_to_mfn(source), false);
    return ref != 0;
}

static void finish(void)
{
    gnttab_end(ref);
    free_page(source);
    free_page(target);
}

static uint64_t map_unmap(void)
{
    struct gnttab_map_grant_ref map = {
        .host_addr = (uint64_t)window, .ref = ref, .dom = self, .flags = GNTMAP_host_map};
    struct gnttab_unmap_grant_ref unmap = {.host_addr = (uint64_t)window};

    return TIMED(hypercall_grant_table_op(GNTTABOP_map_grant_ref, &map, 1);
                 unmap.handle = map.handle;
                 hypercall_grant_table_op(GNTTABOP_unmap_grant_ref, &unmap, 1));
}

static uint64_t copy_page(void)
{
    struct gnttab_copy op = {.flags = GNTCOPY_source_gref, .len = PAGE_SIZE};

    op.source.u.ref = ref;
    op.source.domid = self;
    op.dest.u.gmfn = virt_to_mfn(target);
    op.dest.domid = DOMID_SELF;
    return TIMED(hypercall_grant_table_op(GNTTABOP_copy, &op, 1));
}

const struct bench_row bench_grants[] = {
    {"grant_map_unmap", 1, prepare, map_unmap, finish},
    {"grant_copy_4096", 1, prepare, copy_page, finish},
    {NULL, 0, NULL, NULL, NULL},
};

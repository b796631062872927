/* SPDX-License-Identifier: MIT */
/* Can the control domain's kernel map another domain's grant table as its tools want it, and nobody
 * else, and nothing else? */
// domu: name=b mem=16M vcpus=1 -- peer
#include <pv/test.h>
#include <xen/memory.h>

#define PEER   1
#define NOBODY 99
#define ENTRY  3 /* of the reserved ones */
#define VALUE  0x1234567

static long acquire(domid_t dom, unsigned type, unsigned id, uint64_t first, unsigned nr,
                    xen_pfn_t *list)
{
    struct xen_mem_acquire_resource r = {
        .domid = dom, .type = type, .id = id, .frame = first, .nr_frames = nr};
    long rc;

    set_xen_guest_handle(r.frame_list, list);
    rc = hypercall_memory_op(XENMEM_acquire_resource, &r);
    return rc ? rc : list ? 0 : r.nr_frames;
}

static long write_entry(long frame, long b, long c, long d)
{
    (void)b, (void)c, (void)d;
    gnttab_entries()[ENTRY].frame = (uint32_t)frame;
    return 0;
}

static long read_entry(long a, long b, long c, long d)
{
    (void)a, (void)b, (void)c, (void)d;
    return gnttab_entries()[ENTRY].frame;
}

static long acquire_in_peer(long dom, long b, long c, long d)
{
    xen_pfn_t frame;

    (void)b, (void)c, (void)d;
    return acquire((domid_t)dom, XENMEM_resource_grant_table, 0, 0, 1, &frame);
}

TEST(grant_table_of_another_domain_is_mapped)
{
    xen_pfn_t frames[2];
    struct peer peer;
    struct grant_entry_v1 *table = vm_reserve(1);
    uint64_t va = (uint64_t)table;

    if (peer_connect(&peer, PEER))
        skip("no second domain");
    need(table);
    need_eq(map_frame(va, virt_to_mfn(start_info), PROT_RO), 0); /* for the tables */
    need_eq(peer_call(&peer, write_entry, VALUE, 0, 0, 0), 0);
    check_ge(acquire(PEER, XENMEM_resource_grant_table, 0, 0, 0, NULL), 4);
    need_eq(acquire(PEER, XENMEM_resource_grant_table, 0, 0, 2, frames), 0);
    check_ne(frames[0], frames[1]);
    need_eq(hypercall_update_va_mapping_otherdomain(va, frames[0] << PAGE_SHIFT | PROT_RW,
                                                    UVMF_INVLPG, PEER),
            0);
    check_eq(table[ENTRY].frame, VALUE);
    table[ENTRY].frame = VALUE + 1;
    check_eq(peer_call(&peer, read_entry, 0, 0, 0, 0), VALUE + 1);
    check_eq(unmap_frame(va), 0);
    check_eq(peer_call(&peer, acquire_in_peer, 0, 0, 0, 0), -EPERM);
    check_eq(peer_call(&peer, acquire_in_peer, PEER, 0, 0, 0), -EPERM);
    peer_end(&peer);
}

TEST(what_is_not_there_is_refused)
{
    long max = acquire(PEER, XENMEM_resource_grant_table, 0, 0, 0, NULL);
    xen_pfn_t frames[2];

    if (max < 0)
        skip("no second domain");
    check_eq(acquire(PEER, XENMEM_resource_grant_table, 0, (uint64_t)max, 1, frames), -EINVAL);
    check_eq(acquire(PEER, XENMEM_resource_grant_table, 0, 0xffffffff, 1, frames), -EINVAL);
    check_eq(acquire(PEER, XENMEM_resource_grant_table, 0, 1, 0xffffffff, frames), -EINVAL);
    check_eq(acquire(PEER, XENMEM_resource_grant_table, 0, 0, 1, NULL), -EINVAL);
    check_eq(acquire(PEER, XENMEM_resource_grant_table, 1, 0, 1, frames), -EINVAL);
    check_lt(acquire(PEER, XENMEM_resource_ioreq_server, 0, 0, 1, frames), 0);
    check_eq(acquire(PEER, 99, 0, 0, 1, frames), -EOPNOTSUPP);
    check_eq(acquire(PEER, XENMEM_resource_grant_table, 0, 0, 1, (void *)8), -EFAULT);
    check_eq(acquire(NOBODY, XENMEM_resource_grant_table, 0, 0, 1, frames), -ESRCH);
    check_eq(acquire(DOMID_SELF, XENMEM_resource_grant_table, 0, 0, 1, frames), -ESRCH);
}

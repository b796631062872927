/* SPDX-License-Identifier: MIT */
/* Grants, version 1.
 *
 * An entry is offered by writing frame and domain first and the flags last; it is taken back by
 * a compare-and-exchange that fails while the other side is reading or writing through it. */
#include <pv/gnttab.h>
#include <pv/cpu.h>
#include <pv/errno.h>
#include <pv/hypercall.h>
#include <pv/mm.h>
#include <pv/spinlock.h>

#define FIRST_REF  8 /* the ABI keeps the first entries for the toolstack */
#define MAX_FRAMES 64

static struct spinlock lock = SPINLOCK_INIT;
static struct grant_entry_v1 *entries;
static unsigned nr_frames;
static uint64_t taken[MAX_FRAMES * (PAGE_SIZE / sizeof(struct grant_entry_v1)) / 64];

struct grant_entry_v1 *gnttab_entries(void)
{
    return entries;
}

unsigned gnttab_nr_entries(void)
{
    return nr_frames * (PAGE_SIZE / sizeof(struct grant_entry_v1));
}

int gnttab_init(unsigned want)
{
    xen_pfn_t frames[MAX_FRAMES];
    struct gnttab_setup_table op = {.dom = DOMID_SELF, .nr_frames = want};
    int rc;

    if (want > MAX_FRAMES)
        return -EINVAL;
    if (want <= nr_frames)
        return 0;
    set_xen_guest_handle(op.frame_list, frames);
    rc = hypercall_grant_table_op(GNTTABOP_setup_table, &op, 1);
    if (rc || op.status != GNTST_okay)
        return rc ? rc : -EIO;
    if (!entries)
        entries = vm_reserve(MAX_FRAMES);
    for (unsigned f = nr_frames; f < want && rc == 0; f++)
        rc = map_frame((uint64_t)entries + f * PAGE_SIZE, frames[f], PROT_RW);
    if (rc == 0)
        nr_frames = want;
    return rc;
}

grant_ref_t gnttab_alloc_ref(void)
{
    bool events = spin_lock_events(&lock);
    grant_ref_t ref, found = 0;

    for (ref = FIRST_REF; ref < gnttab_nr_entries() && !found; ref++)
        if (!test_and_set_bit(ref, taken))
            found = ref;
    spin_unlock_events(&lock, events);
    return found;
}

void gnttab_free_ref(grant_ref_t ref)
{
    test_and_clear_bit(ref, taken);
}

void gnttab_grant_at(grant_ref_t ref, domid_t dom, mfn_t mfn, bool readonly)
{
    struct grant_entry_v1 *e = &entries[ref];

    e->frame = mfn;
    e->domid = dom;
    wmb();
    WRITE_ONCE(e->flags, GTF_permit_access | (readonly ? GTF_readonly : 0));
}

grant_ref_t gnttab_grant(domid_t dom, mfn_t mfn, bool readonly)
{
    grant_ref_t ref = gnttab_alloc_ref();

    if (ref)
        gnttab_grant_at(ref, dom, mfn, readonly);
    return ref;
}

bool gnttab_in_use(grant_ref_t ref)
{
    return READ_ONCE(entries[ref].flags) & (GTF_reading | GTF_writing);
}

bool gnttab_end(grant_ref_t ref)
{
    uint16_t flags = READ_ONCE(entries[ref].flags);

    do
        if (flags & (GTF_reading | GTF_writing))
            return false;
    while (!__atomic_compare_exchange_n(&entries[ref].flags, &flags, 0, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST));
    gnttab_free_ref(ref);
    return true;
}

int gnttab_map(domid_t dom, grant_ref_t ref, void *va, unsigned flags, grant_handle_t *handle)
{
    struct gnttab_map_grant_ref op = {
        .host_addr = (uint64_t)va, .ref = ref, .dom = dom, .flags = flags | GNTMAP_host_map};
    int rc = hypercall_grant_table_op(GNTTABOP_map_grant_ref, &op, 1);

    if (rc)
        return rc;
    if (op.status == GNTST_okay)
        *handle = op.handle;
    return op.status;
}

int gnttab_unmap(void *va, grant_handle_t handle)
{
    struct gnttab_unmap_grant_ref op = {.host_addr = (uint64_t)va, .handle = handle};
    int rc = hypercall_grant_table_op(GNTTABOP_unmap_grant_ref, &op, 1);

    return rc ? rc : op.status;
}

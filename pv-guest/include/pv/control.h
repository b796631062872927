/* SPDX-License-Identifier: MIT */
/* What a control domain does to others: control operations, foreign frames, and a small builder of
 * child domains for tests.
 *
 * A child is given CHILD_* below as its first frames, mapped one to one from CHILD_BASE on. Its
 * kernel counts in its data page, and makes the hypercalls that are put there: child_call(). */
#ifndef PV_CONTROL_H
#define PV_CONTROL_H

#include <pv/types.h>
#include <xen/xen.h>
#include <xen/domctl.h>
#include <xen/sysctl.h>

/** domctl, sysctl - fill in the head of @op and make the call. 0 or -errno. */
long domctl(unsigned cmd, unsigned domain, struct xen_domctl *op);
long sysctl(unsigned cmd, struct xen_sysctl *op);
/** domctl_plain - an operation without arguments. */
long domctl_plain(unsigned cmd, unsigned domain);
/** free_machine_pages - frames that belong to nobody. */
uint64_t free_machine_pages(void);

/** map_foreign - @mfn of domain @dom at @va, where level 1 tables must exist (vm_reserve()); undone
 * by unmap_frame(). 0 or -errno. */
int map_foreign(void *va, mfn_t mfn, domid_t dom, uint64_t flags);

#define CHILD_BASE      0x10000000ul
#define CHILD_MAX_PAGES 256

enum {
    CHILD_CODE,
    CHILD_DATA,
    CHILD_STACK,
    CHILD_L1,
    CHILD_L2,
    CHILD_L3,
    CHILD_L4,
    CHILD_SPARE,
    CHILD_MIN_PAGES
};

#define CHILD_VA(pfn) (CHILD_BASE + (unsigned long)(pfn)*PAGE_SIZE)

struct child_data {
    volatile uint64_t count;   /* goes up while it runs */
    volatile uint64_t request; /* 1: make the call below; back to 0 when it is done */
    uint64_t nr, arg[4];
    volatile int64_t result;
    char scratch[2048]; /* at child_scratch_va() for the child */
};

/* Zero before the first child_create(), and good for further ones. */
struct child {
    domid_t id;
    unsigned nr_pages;
    mfn_t mfn[CHILD_MAX_PAGES];
    struct child_data *data; /* its data page, mapped here; NULL: never yet */
};

/** child_config - what child_create() asks for with createdomain; tests change it before the call.
 */
void child_config(struct xen_domctl *op, unsigned vcpus);
/** child_create - make, fill and pin; its vcpu 0 has a context, and it is paused. 0 or -errno, and
 * then nothing is left of it. */
int child_create(struct child *c, unsigned vcpus, unsigned pages);
/** child_context - the context that vcpu 0 got. */
void child_context(const struct child *c, struct vcpu_guest_context *ctxt);
/** child_is_running - its count goes up: waits for that. child_is_still - it does not, for 20 ms.
 */
bool child_is_running(struct child *c);
bool child_is_still(struct child *c);
/** child_call - hypercall @nr made by the child, which runs: its result, -ETIMEDOUT if it does not
 * answer. */
long child_call(struct child *c, unsigned long nr, unsigned long a1, unsigned long a2,
                unsigned long a3);
static inline unsigned long child_scratch_va(void)
{
    return CHILD_VA(CHILD_DATA) + __builtin_offsetof(struct child_data, scratch);
}
/** child_forget - unmap what is mapped of it. child_destroy - the same, and destroydomain. */
void child_forget(struct child *c);
long child_destroy(struct child *c);

#endif

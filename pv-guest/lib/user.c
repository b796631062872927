/* SPDX-License-Identifier: MIT */
/* User mode as a subroutine: leave by the iret hypercall, come back by the next trap.
 *
 * The kernel's registers wait on the main stack while the user code runs; traps from user mode
 * arrive on the entry stack of the vcpu's block, so nothing below is overwritten. */
#include <pv/user.h>
#include <pv/errno.h>
#include <pv/evtchn.h>
#include <pv/hypercall.h>
#include <pv/mm.h>
#include <pv/print.h>
#include <pv/smp.h>
#include <pv/string.h>
#include "internal.h"

struct user_frame {
    uint64_t kernel_rsp;
    struct trap_regs *regs;
};

void user_enter(uint64_t *kernel_rsp, const struct trap_regs *to);
void user_leave(uint64_t kernel_rsp) __noreturn;

/* ---- address spaces ---- */

int user_space_create(struct user_space *us)
{
    void *l4 = alloc_page();
    int rc = l4 ? page_readonly(l4) : -ENOMEM;

    if (rc == 0)
        rc = pt_pin(l4, 4);
    if (rc) {
        if (l4)
            page_writable(l4);
        free_page(l4);
        return rc;
    }
    us->root = virt_to_pfn(l4);
    return 0;
}

/* Unpinning drops the types of all tables; only then can they become writable again. */
static void free_tables(uint64_t *table, unsigned level)
{
    if (level > 1)
        for (unsigned i = 0; i < (level == 4 ? 256 : 512); i++)
            if (table[i] & PTE_P)
                free_tables(mfn_to_virt(pte_mfn(table[i])), level - 1);
    if (page_writable(table) == 0)
        free_page(table);
    else
        printk("a user page table stays in use: page %#lx is lost\n", virt_to_pfn(table));
}

void user_space_destroy(struct user_space *us)
{
    void *l4 = pfn_to_virt(us->root);

    mmuext(MMUEXT_NEW_USER_BASEPTR, 0, 0);
    pt_unpin(l4);
    free_tables(l4, 4);
}

int user_map_frame(struct user_space *us, uint64_t va, mfn_t mfn, uint64_t flags)
{
    uint64_t *l1e = pt_ensure_in(us->root, va);

    if (!l1e)
        return -ENOMEM;
    return pt_write(l1e, pte_make(mfn, flags | PTE_P | PTE_US | PTE_A | PTE_D));
}

int user_map_page(struct user_space *us, uint64_t va, uint64_t flags, void **page)
{
    void *p = alloc_page();
    int rc = p ? user_map_frame(us, va, virt_to_mfn(p), flags) : -ENOMEM;

    if (rc)
        free_page(p);
    else if (page)
        *page = p;
    return rc;
}

int user_map_code(struct user_space *us, uint64_t va, const void *start, const void *end)
{
    size_t len = (const char *)end - (const char *)start;
    void *page;
    int rc = len <= PAGE_SIZE ? user_map_page(us, va, 0, &page) : -E2BIG;

    if (rc == 0)
        memcpy(page, start, len);
    return rc;
}

int user_activate(struct user_space *us)
{
    return mmuext(MMUEXT_NEW_USER_BASEPTR, pfn_to_mfn(us->root), 0);
}

/* ---- running ---- */

void user_exit(const struct trap_regs *r)
{
    struct vcpu_local *me = this_vcpu();
    struct user_frame *f = me->user;

    *f->regs = *r;
    me->user = NULL;
    user_leave(f->kernel_rsp);
}

unsigned user_run(struct user_space *us, struct trap_regs *r)
{
    struct vcpu_local *me = this_vcpu();
    struct user_frame frame = {.regs = r};
    bool events = events_save();

    if (user_activate(us))
        panic("user page tables refused");
    if (!r->cs)
        r->cs = FLAT_USER_CS64;
    if (!r->ss)
        r->ss = FLAT_USER_SS64;
    r->rflags |= X86_EFLAGS_IF; /* to the hypervisor: events are on in user mode */
    r->vector = 0;              /* to trap_resume: use the iret hypercall */
    me->user = &frame;
    user_enter(&frame.kernel_rsp, r);
    events_restore(events);
    return r->vector;
}

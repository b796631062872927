/* SPDX-License-Identifier: MIT */
/* Page tables that a guest writes to directly for a while; the rules are at the top of detach.c. */
#pragma once

#include <hv/types.h>
#include <asm/pte.h>

struct domain;
struct page;
struct vcpu;

/* A vcpu's detached L1 table. Written by that vcpu alone when it detaches, by any holder of the
 * domain's mmu_lock when the table is attached again. */
struct detached {
    struct page *table;    /* NULL: none */
    pte_t *window;         /* the entry through which the guest writes, made writable; direct map */
    uint64_t va;           /* what it maps */
    pte_t *old;            /* a page: the table's entries as they were, which own its references */
    pte_t *root;           /* a page: the vcpu's kernel root without ... */
    uint64_t root_cr3;     /* ... its machine address; 0: no pages yet */
    unsigned int slot;     /* ... this entry, through which alone the table can be reached */
    uint32_t last;         /* frame of the table that was written to last */
    unsigned int run;      /* how often in a row */
    unsigned int patience; /* trapped writes before the next one is detached */
    bool unsettled; /* one is detached, or has been attached and was bad: see detach_settle() */
    bool bad;       /* what had been written to it may not be */
};

/** detach_wanted - another trapped write to @table that reads what it changes: are there enough of
 * them in a row? */
bool detach_wanted(struct vcpu *v, const struct page *table);

/** detach_table - let the guest write to @table, a live L1 table, through @window, the entry that
 * maps it read-only at @va, until somebody takes the mmu_lock. @v is current, in kernel mode; it
 * uses nothing of the lower half of the address space just now. The mmu_lock is held. false: the
 * table can be reached in other ways than by @v, or there is no memory. */
bool detach_table(struct vcpu *v, struct page *table, pte_t *window, uint64_t va);

/** attach_domain - check and take over what has been written to the detached tables of @d; @table
 * NULL: all of them, else only that one. The mmu_lock is held. An entry that may not be is left as
 * it was; its domain is crashed by the next detach_settle(). */
void attach_domain(struct domain *d, const struct page *table);

/** detach_settle - attach what the current vcpu @v has detached, before it runs in user mode or
 * because of a fault. No locks held, interrupts on. */
void detach_settle(struct vcpu *v);

/** detach_hides - did an access to @va by the current vcpu fail only because a table is detached?
 * Interrupts are off since the fault. Then settle, and once more. */
bool detach_hides(const struct detached *t, uint64_t va);

/** detach_reload_root - a pcpu still on the root of a table that another one has attached leaves
 * it. Interrupts are off. */
void detach_reload_root(void);

/** detach_vcpu_free - the pages. */
void detach_vcpu_free(struct vcpu *v);

/* SPDX-License-Identifier: MIT */
/* Audit and other services of the memory subsystem. */
#pragma once

#include <hv/types.h>

/* ---- between memory.c, reservation.c and exchange.c: the parts of memory_op ---- */

#define MEMOP_EXTENT_SHIFT 6 /* cmd: operation below, extents done in an earlier round above */
#define MEMOP_MASK         ((1UL << MEMOP_EXTENT_SHIFT) - 1)

/** memory_max_order - largest extent the current domain may ask for (XSA-31, XSA-158). */
unsigned int memory_max_order(void);

/** memory_range_ok - elements [first, last] of a list of frame numbers at @list lie in guest space;
 * an empty list (first == last + 1) does. */
bool memory_range_ok(guest_ptr_t list, uint64_t first, uint64_t last);

/** memory_reservation - XENMEM_{increase,decrease}_reservation and populate_physmap: extents done.
 */
long memory_reservation(unsigned int op, unsigned long start, guest_ptr_t arg);
/** memory_exchange - XENMEM_exchange: 0 or -errno. */
long memory_exchange(guest_ptr_t arg);

/* Machine memory map of the firmware, for XENMEM_machine_memory_map. */
struct e820_entry {
    uint64_t addr, size;
    uint32_t type;
} __attribute__((packed));
extern struct e820_entry e820_map[];
extern unsigned int e820_nr;

/* ---- debug/: the auditor of debug builds ---- */
#ifdef SOCLE_DEBUG
/** audit_everything - recount every reference and type of every frame from the page tables and compare;
 * all domains paused by the caller. Returns the number of errors, each printed, and how many frames it has
 * seen. */
unsigned int audit_everything(uint64_t *frames);

/** audit_mark_free - remember how much memory is free: before the first domain is built.
 * audit_expect_free - so many pages more have been given to the allocator since. */
void audit_mark_free(void);
void audit_expect_free(uint64_t pages);
/** audit_at_shutdown - the last act: all pcpus to their idle vcpus, audit_everything(), then destroy every
 * domain, dom0 too, and see whether all memory has come back. On the idle vcpu. Prints one line,
 * "audit: ok (N frames, M pages free)" or "audit: FAILED, ...". */
void audit_at_shutdown(void);
#else
#define audit_mark_free()        ((void)0)
#define audit_expect_free(pages) ((void)(pages))
#define audit_at_shutdown()      ((void)0)
#endif

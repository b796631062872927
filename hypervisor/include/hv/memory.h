/* SPDX-License-Identifier: MIT */
/* Audit and other services of the memory subsystem. */
#ifndef HV_MEMORY_H
#define HV_MEMORY_H

#include <hv/types.h>

struct domain;

/* Machine memory map of the firmware, for XENMEM_machine_memory_map. */
struct e820_entry {
    uint64_t addr, size;
    uint32_t type;
} __attribute__((packed));
extern struct e820_entry e820_map[];
extern unsigned int e820_nr;

/** memory_domain_free - what memory_op has stored in a domain; last step, no references left. */
void memory_domain_free(struct domain *d);

/** audit_all - recount every reference and type of every frame from the page tables and compare;
 * all domains paused by the caller. Returns the number of errors, each printed. Debug builds. */
unsigned int audit_all(void);

#endif

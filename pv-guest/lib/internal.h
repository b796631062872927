/* SPDX-License-Identifier: MIT */
/* What the parts of the library know of each other and a guest need not. */
#ifndef PV_INTERNAL_H
#define PV_INTERNAL_H

#include <pv/types.h>
#include <pv/smp.h>
#include <pv/trap.h>

/** user_exit - leave user_run() of this vcpu with the user's registers @r. */
void user_exit(const struct trap_regs *r) __noreturn;

/** alloc_table_page - a zeroed page from the reserve that alloc_pages() keeps for page tables;
 * never builds tables itself. NULL if even the reserve is empty. */
void *alloc_table_page(void);

/** mm_replenish - refill that reserve. No lock may be held. */
void mm_replenish(void);

/** pt_ensure_level2 - the level 2 entry for @va in the kernel tree, tables above it included. */
uint64_t *pt_ensure_level2(uint64_t va);

/** pt_init - learn the kernel's root from the start information. */
void pt_init(void);

/** evtchn_fifo_* - the FIFO layout's part of evtchn.c's work. */
void evtchn_fifo_scan(struct vcpu_local *me, void (*deliver)(evtchn_port_t port));
uint32_t *evtchn_fifo_word(evtchn_port_t port);
int evtchn_fifo_expand(evtchn_port_t port);
int evtchn_fifo_init_vcpu(unsigned vcpu);
int evtchn_fifo_start(unsigned nr_vcpus);

#endif

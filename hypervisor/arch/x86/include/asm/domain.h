/* SPDX-License-Identifier: MIT */
/* The x86 part of struct vcpu and struct domain. */
#pragma once

#include <hv/cpumask.h>
#include <hv/rangeset.h>
#include <hv/types.h>
#include <asm/detach.h>
#include <asm/regs.h>
#include <xen/callback.h>
#include <xen/xen.h>

#define GDT_GUEST_FRAMES 14
#define LDT_FRAMES       16

/* Where a guest's kernel is entered: a callback, or its handler for one vector. */
struct guest_entry {
    uint64_t rip;  /* 0: not registered */
    uint8_t masks; /* upcalls are masked when it is entered */
    uint8_t dpl;   /* of a handler: lowest privilege that may raise it by a software interrupt */
    uint16_t cs;   /* of a handler: only kept */
};

struct pcpu;

struct arch_vcpu {
    /* A fault of the final iretq is delivered on the stack that ends in regs: room for its frame. */
    uint8_t fault_room[264];
    struct cpu_regs regs; /* TSS.rsp0 points at its end while the vcpu runs */

    /* -- read by entry.S -- */
    void *stack;         /* base of the pcpu's stack; set when switched in */
    uint64_t in_kernel;  /* 1: guest kernel mode, kernel tables and GS are loaded; 0: user */
    uint64_t cr3_kernel; /* values for CR3; cr3_user 0 if there is no user table */
    uint64_t cr3_user;
    uint64_t kernel_sp, kernel_ss;   /* for entries from user mode: stack_switch */
    uint8_t nmi_pending, nmi_masked; /* NMI for the guest; cleared by iret's own flag */

    struct guest_entry callback[CALLBACKTYPE_syscall32 + 1];
    struct guest_entry *traps; /* 256 */

    mfn_t table_kernel; /* L4 frames, each with a type reference; n 0: none */
    mfn_t table_user;

    uint16_t ds, es, fs, gs; /* while not running */
    uint64_t fs_base, gs_base_kernel, gs_base_user;

    uint64_t cr0_ts; /* the guest's CR0.TS: X86_CR0_TS or 0 */
    uint64_t cr4;    /* guest's view: bits that it may choose */
    uint64_t dr[4], dr6, dr7;

    mfn_t gdt_frames[GDT_GUEST_FRAMES];
    unsigned int gdt_entries;
    uint64_t ldt_base; /* linear */
    unsigned int ldt_entries;
    unsigned int ldt_mapped;      /* bit per page of the LDT that was looked up; under mmu_lock */
    mfn_t ldt_frames[LDT_FRAMES]; /* ... and these, each with a SEGDESC reference */
    mfn_t old_table; /* half-done table to be undone by the next page-table operation of
                                     * this vcpu, with a general reference; n 0: none */

    struct detached detached; /* L1 table that the guest writes to directly */

    uint8_t iopl;   /* virtual IOPL: 0..3 */
    uint64_t iobmp; /* guest address of its I/O bitmap, physdev set_iobitmap */
    unsigned int iobmp_limit;

    void *xsave;   /* FPU state, 64-byte aligned */
    uint64_t xcr0; /* as the guest set it */

    struct pcpu *last_pcpu; /* where it ran last; NULL nowhere yet */
    struct pcpu *fpu_pcpu;  /* where its FPU state was loaded last */
};

struct arch_domain {
    spinlock_t mmu_lock;      /* LOCK_MMU; taken by mmu_lock() */
    unsigned int nr_detached; /* vcpus with a detached table; under mmu_lock */
    cpumask_t tlb_cpus;       /* pcpus that may hold translations of this domain's tables; atomic */
    uint8_t relinquish_step;  /* arch_domain_relinquish: how far */
    uint32_t relinquish_pos;
    bool strict_m2p;
    struct rangeset iomem;  /* what it may have: frames that are not RAM, */
    struct rangeset ports;  /* I/O ports, */
    struct rangeset irqs;   /* pins, by their GSI */
    struct pirqs *pirqs;    /* irq.c; NULL: its pirqs are the pins that it may have */
    uint32_t pci_address;   /* what it wrote to port 0xcf8 last */
    bool cpuid_limited;     /* any bit of these is set: */
    uint32_t cpuid_off[14]; /* features that its CPUID policy has not: CPU_FEATURE_WORDS */
};

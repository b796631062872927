/* SPDX-License-Identifier: MIT */
/* What the CPUs of this machine can do. Read once on the boot CPU; the others must agree. */
#pragma once

#include <hv/types.h>

struct cpu_features {
    uint32_t max_basic, max_ext;
    char vendor[13];
    uint32_t family, model, stepping;
    uint32_t leaf1_ecx, leaf1_edx, leaf7_ebx, leaf7_ecx, ext1_edx;
    unsigned int paddr_bits;
    bool page1g, smep, smap, umip, fsgsbase, xsave, tsc_deadline, x2apic, invpcid;
    bool invariant_tsc, rdtscp, sysenter, amd;
    uint64_t xcr0_mask; /* state components that guests may use */
    size_t xsave_size;  /* bytes of an XSAVE area with all of them; 512 without XSAVE */
};

extern struct cpu_features cpu;
extern uint64_t cr4_hv; /* CR4 while the hypervisor runs, before the guest's own bits */

extern bool opt_smep;         /* use it if it is there */
extern unsigned int opt_smap; /* 0 off, 1 on */
#define SMAP_WHERE_IT_WORKS 2

/** cpu_detect - fill in `cpu`; panics with a clear line if something needed is missing. */
void cpu_detect(void);
/** cpu_init_this - CR0, CR4, EFER, PAT, SYSCALL MSRs, GDT, TSS, IDT, XCR0 of the pcpu that calls. */
void cpu_init_this(void);

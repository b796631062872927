/* SPDX-License-Identifier: MIT */
/* Guest ABI, x86-64: scalar types, selectors, address layout, trap table, vcpu state. */
#ifndef __XEN_PUBLIC_ARCH_X86_XEN_H__
#define __XEN_PUBLIC_ARCH_X86_XEN_H__

/*
 * Constants that assembly also uses are written through these, which add the C suffix only in C.
 */
#ifdef __ASSEMBLY__
#define xen_mk_uint(x)   x
#define xen_mk_ulong(x)  x
#define xen_mk_ullong(x) x
#else
#include <stdint.h>

#define xen_mk_suffix_(x, s) x##s
#define xen_mk_uint(x)       xen_mk_suffix_(x, U)
#define xen_mk_ulong(x)      xen_mk_suffix_(x, UL)
#define xen_mk_ullong(x)     xen_mk_suffix_(x, ULL)

/* A compile-time proof that an ABI type has the size every guest was compiled with. */
#define XEN_ABI_SIZE(type, bytes)                                                                  \
    _Static_assert(sizeof(type) == (bytes), "guest ABI: size of " #type)

/*
 * Guest handles: a pointer that lives in somebody else's address space. It is wrapped in a
 * structure of eight bytes so that nobody dereferences one by accident. DEFINE_XEN_GUEST_HANDLE(t)
 * declares the handles of t and const t, XEN_GUEST_HANDLE(t) names the type.
 * set_xen_guest_handle() is for the calling side.
 */
#define XEN_GUEST_HANDLE(name)       __guest_handle_##name
#define XEN_GUEST_HANDLE_64(name)    XEN_GUEST_HANDLE(name)
#define __XEN_GUEST_HANDLE(name)     XEN_GUEST_HANDLE(name)
#define XEN_GUEST_HANDLE_PARAM(name) XEN_GUEST_HANDLE(name)
#define XEN_ONE_GUEST_HANDLE_(name, t)                                                             \
    typedef struct {                                                                               \
        t *p;                                                                                      \
    } __guest_handle_##name
#define __DEFINE_XEN_GUEST_HANDLE(name, t)                                                         \
    XEN_ONE_GUEST_HANDLE_(name, t);                                                                \
    XEN_ONE_GUEST_HANDLE_(const_##name, const t)
#define DEFINE_XEN_GUEST_HANDLE(name) __DEFINE_XEN_GUEST_HANDLE(name, name)
#define set_xen_guest_handle_raw(hnd, val)                                                         \
    do {                                                                                           \
        (hnd).p = (val);                                                                           \
    } while (0)
#define set_xen_guest_handle(hnd, val) set_xen_guest_handle_raw(hnd, val)

typedef unsigned long xen_pfn_t;      /* a frame number: machine or pseudo-physical by context */
typedef unsigned long xen_ulong_t;    /* a machine word of the guest */
typedef unsigned long xen_callback_t; /* linear address of a guest entry point */

#define PRI_xen_pfn   "lx"
#define PRIu_xen_pfn  "lu"
#define PRI_xen_ulong "lx"
#endif /* !__ASSEMBLY__ */

/* What this architecture has: PV entry by start_info, and an upcall mask in vcpu_info. */
#define XEN_HAVE_PV_GUEST_ENTRY 1
#define XEN_HAVE_PV_UPCALL_MASK 1

/*
 * Global descriptor table. A guest supplies pages 0-13 by set_gdt; the rest belongs to the
 * hypervisor and holds the flat segments below, usable by guests that bring no table of their own.
 */
#define FIRST_RESERVED_GDT_PAGE  14
#define FIRST_RESERVED_GDT_BYTE  (FIRST_RESERVED_GDT_PAGE * 4096)
#define FIRST_RESERVED_GDT_ENTRY (FIRST_RESERVED_GDT_BYTE / 8)

/* Selectors of the flat ring 3 segments. A 64-bit guest's kernel and user mode are both ring 3. */
#define FLAT_RING3_CS32 0xe023
#define FLAT_RING3_CS64 0xe033
#define FLAT_RING3_DS32 0xe02b
#define FLAT_RING3_DS64 0x0000
#define FLAT_RING3_SS32 0xe02b
#define FLAT_RING3_SS64 0xe02b

#define FLAT_KERNEL_CS32 FLAT_RING3_CS32
#define FLAT_KERNEL_CS64 FLAT_RING3_CS64
#define FLAT_KERNEL_CS   FLAT_KERNEL_CS64
#define FLAT_KERNEL_DS32 FLAT_RING3_DS32
#define FLAT_KERNEL_DS64 FLAT_RING3_DS64
#define FLAT_KERNEL_DS   FLAT_KERNEL_DS64
#define FLAT_KERNEL_SS32 FLAT_RING3_SS32
#define FLAT_KERNEL_SS64 FLAT_RING3_SS64
#define FLAT_KERNEL_SS   FLAT_KERNEL_SS64

#define FLAT_USER_CS32 FLAT_RING3_CS32
#define FLAT_USER_CS64 FLAT_RING3_CS64
#define FLAT_USER_CS   FLAT_USER_CS64
#define FLAT_USER_DS32 FLAT_RING3_DS32
#define FLAT_USER_DS64 FLAT_RING3_DS64
#define FLAT_USER_DS   FLAT_USER_DS64
#define FLAT_USER_SS32 FLAT_RING3_SS32
#define FLAT_USER_SS64 FLAT_RING3_SS64
#define FLAT_USER_SS   FLAT_USER_SS64

/*
 * Address layout: a hole of 8 TiB at the bottom of the upper half (root slots 256-271) is the
 * hypervisor's in every address space. Its first 256 GiB are the machine-to-phys table: eight
 * bytes for each machine frame, readable and never writable by guests.
 */
#define __HYPERVISOR_VIRT_START 0xFFFF800000000000
#define __HYPERVISOR_VIRT_END   0xFFFF880000000000
#define __MACH2PHYS_VIRT_START  0xFFFF800000000000
#define __MACH2PHYS_VIRT_END    0xFFFF804000000000

#ifndef HYPERVISOR_VIRT_START
#define HYPERVISOR_VIRT_START xen_mk_ulong(__HYPERVISOR_VIRT_START)
#define HYPERVISOR_VIRT_END   xen_mk_ulong(__HYPERVISOR_VIRT_END)
#endif
#define MACH2PHYS_VIRT_START xen_mk_ulong(__MACH2PHYS_VIRT_START)
#define MACH2PHYS_VIRT_END   xen_mk_ulong(__MACH2PHYS_VIRT_END)
#define MACH2PHYS_NR_ENTRIES ((MACH2PHYS_VIRT_END - MACH2PHYS_VIRT_START) >> 3)

/* shared_info carries the vcpu_info of this many vcpus; later ones must register their own. */
#define XEN_LEGACY_MAX_VCPUS 32

/* HYPERVISOR_set_segment_base(which, base): the last takes a selector for the user's GS. */
#define SEGBASE_FS          0
#define SEGBASE_GS_USER     1
#define SEGBASE_GS_KERNEL   2
#define SEGBASE_GS_USER_SEL 3

/*
 * iret_context.flags: the guest leaves a system call, so rcx and r11 need not survive (the
 * hypervisor may return by SYSRET).
 */
#define _VGCF_in_syscall 8
#define VGCF_in_syscall  (1 << _VGCF_in_syscall)
#define VGCF_IN_SYSCALL  VGCF_in_syscall

/* vcpu_guest_context.flags */
#define _VGCF_i387_valid               0 /* fpu_ctxt holds state to load */
#define VGCF_i387_valid                (1 << _VGCF_i387_valid)
#define VGCF_I387_VALID                (1 << 0)
#define _VGCF_in_kernel                2 /* the vcpu is in guest kernel mode */
#define VGCF_in_kernel                 (1 << _VGCF_in_kernel)
#define VGCF_IN_KERNEL                 (1 << 2)
#define _VGCF_failsafe_disables_events 3 /* failsafe callback runs with upcalls masked */
#define VGCF_failsafe_disables_events  (1 << _VGCF_failsafe_disables_events)
#define _VGCF_syscall_disables_events  4 /* syscall callback runs with upcalls masked */
#define VGCF_syscall_disables_events   (1 << _VGCF_syscall_disables_events)
#define _VGCF_online                   5 /* start the vcpu at once (tools only) */
#define VGCF_online                    (1 << _VGCF_online)

/*
 * Forced emulation: these five bytes (ud2 and "xen") before an instruction make the hypervisor
 * emulate it even where the CPU would let it through. Used to see the guest's CPUID policy.
 */
#ifdef __ASSEMBLY__
#define XEN_EMULATE_PREFIX .byte 0x0f, 0x0b, 0x78, 0x65, 0x6e;
#define XEN_CPUID          XEN_EMULATE_PREFIX cpuid
#else
#define XEN_EMULATE_PREFIX ".byte 0x0f,0x0b,0x78,0x65,0x6e ; "
#define XEN_CPUID          XEN_EMULATE_PREFIX "cpuid"
#endif

/* Bytes written to this I/O port appear on the hypervisor's console (fully virtual guests). */
#define XEN_HVM_DEBUGCONS_IOPORT 0xe9

/* xen_arch_domainconfig.emulation_flags: devices emulated for a domain; a PV one: none or PIT. */
#define _XEN_X86_EMU_LAPIC    0
#define XEN_X86_EMU_LAPIC     (1U << _XEN_X86_EMU_LAPIC)
#define _XEN_X86_EMU_HPET     1
#define XEN_X86_EMU_HPET      (1U << _XEN_X86_EMU_HPET)
#define _XEN_X86_EMU_PM       2
#define XEN_X86_EMU_PM        (1U << _XEN_X86_EMU_PM)
#define _XEN_X86_EMU_RTC      3
#define XEN_X86_EMU_RTC       (1U << _XEN_X86_EMU_RTC)
#define _XEN_X86_EMU_IOAPIC   4
#define XEN_X86_EMU_IOAPIC    (1U << _XEN_X86_EMU_IOAPIC)
#define _XEN_X86_EMU_PIC      5
#define XEN_X86_EMU_PIC       (1U << _XEN_X86_EMU_PIC)
#define _XEN_X86_EMU_VGA      6
#define XEN_X86_EMU_VGA       (1U << _XEN_X86_EMU_VGA)
#define _XEN_X86_EMU_IOMMU    7
#define XEN_X86_EMU_IOMMU     (1U << _XEN_X86_EMU_IOMMU)
#define _XEN_X86_EMU_PIT      8
#define XEN_X86_EMU_PIT       (1U << _XEN_X86_EMU_PIT)
#define _XEN_X86_EMU_USE_PIRQ 9
#define XEN_X86_EMU_USE_PIRQ  (1U << _XEN_X86_EMU_USE_PIRQ)
#define _XEN_X86_EMU_VPCI     10
#define XEN_X86_EMU_VPCI      (1U << _XEN_X86_EMU_VPCI)
#define XEN_X86_EMU_ALL       0x7ffU

/* xen_arch_domainconfig.misc_flags: unknown MSRs read as zero and swallow writes. */
#define XEN_X86_MSR_RELAXED    (1u << 0)
#define XEN_X86_MISC_FLAGS_MAX XEN_X86_MSR_RELAXED

/* xen_cpuid_leaf.subleaf where the leaf has none */
#define XEN_CPUID_NO_SUBLEAF 0xffffffffu

#ifndef __ASSEMBLY__

/*
 * One entry of the virtual trap table given to set_trap_table; the list ends with address 0.
 * flags bits 0-1: least privileged ring that may raise the vector by software; bit 2: mask event
 * upcalls on entry.
 */
struct trap_info {
    uint8_t vector;
    uint8_t flags;
    uint16_t cs;
    unsigned long address;
};
typedef struct trap_info trap_info_t;
DEFINE_XEN_GUEST_HANDLE(trap_info_t);
XEN_ABI_SIZE(struct trap_info, 16);

#define TI_GET_DPL(ti)      ((ti)->flags & 3)
#define TI_GET_IF(ti)       ((ti)->flags & 4)
#define TI_SET_DPL(ti, dpl) ((ti)->flags |= (dpl))
#define TI_SET_IF(ti, on)   ((ti)->flags |= ((!!(on)) << 2))

typedef uint64_t tsc_timestamp_t;

/* What the iret hypercall pops from the guest kernel stack, lowest address first. */
struct iret_context {
    uint64_t rax, r11, rcx, flags, rip, cs, rflags, rsp, ss;
};
XEN_ABI_SIZE(struct iret_context, 72);

/*
 * Registers of a vcpu. Selectors are 16 bits in slots of 64. saved_upcall_mask is what event
 * masking was when the frame was made.
 */
struct cpu_user_regs {
    uint64_t r15, r14, r13, r12, rbp, rbx;
    uint64_t r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
    uint32_t error_code;   /* private to the hypervisor */
    uint32_t entry_vector; /* private to the hypervisor */
    uint64_t rip;
    uint16_t cs, _pad0[1];
    uint8_t saved_upcall_mask;
    uint8_t _pad1[3];
    uint64_t rflags; /* IF mirrors the upcall mask */
    uint64_t rsp;
    uint16_t ss, _pad2[3];
    uint16_t es, _pad3[3];
    uint16_t ds, _pad4[3];
    uint16_t fs, _pad5[3];
    uint16_t gs, _pad6[3];
};
typedef struct cpu_user_regs cpu_user_regs_t;
DEFINE_XEN_GUEST_HANDLE(cpu_user_regs_t);
XEN_ABI_SIZE(struct cpu_user_regs, 200);

/* Everything needed to start a vcpu: VCPUOP_initialise, and the tools' set and get context. */
struct vcpu_guest_context {
    struct {
        char x[512];
    } fpu_ctxt;          /* FXSAVE image */
    unsigned long flags; /* VGCF_* */
    struct cpu_user_regs user_regs;
    struct trap_info trap_ctxt[256];
    unsigned long ldt_base, ldt_ents;       /* linear address, entries */
    unsigned long gdt_frames[16], gdt_ents; /* machine frames, entries */
    unsigned long kernel_ss, kernel_sp;     /* stack of guest kernel mode */
    unsigned long ctrlreg[8];               /* cr3 in [3] kernel, [1] user, as frame << 12 */
    unsigned long debugreg[8];
    unsigned long event_callback_eip;
    unsigned long failsafe_callback_eip;
    unsigned long syscall_callback_eip;
    unsigned long vm_assist; /* bit VMASST_TYPE_* */
    uint64_t fs_base;
    uint64_t gs_base_kernel;
    uint64_t gs_base_user;
};
typedef struct vcpu_guest_context vcpu_guest_context_t;
DEFINE_XEN_GUEST_HANDLE(vcpu_guest_context_t);
XEN_ABI_SIZE(struct vcpu_guest_context, 5168);

/* How the root tables in vcpu_guest_context.ctrlreg are encoded on x86-64. */
#define xen_pfn_to_cr3(pfn) ((unsigned long)(pfn) << 12)
#define xen_cr3_to_pfn(cr3) ((unsigned long)(cr3) >> 12)

/* The per-vcpu words which only x86 has. */
struct arch_vcpu_info {
    unsigned long cr2; /* faulting address, valid until the guest's page fault handler reads it */
    unsigned long pad;
};
typedef struct arch_vcpu_info arch_vcpu_info_t;
XEN_ABI_SIZE(struct arch_vcpu_info, 16);

/*
 * The x86 end of shared_info, mostly written by the guest: how to find its phys-to-machine map
 * (save and restore), either as a tree of frames or as a linear range in its page tables.
 */
struct arch_shared_info {
    unsigned long max_pfn;                /* entries in the map */
    xen_pfn_t pfn_to_mfn_frame_list_list; /* root of the tree, or all ones: use p2m_* */
    unsigned long nmi_reason;             /* XEN_NMIREASON_*, written by the hypervisor */
    unsigned long p2m_cr3;                /* root table in cr3 form */
    unsigned long p2m_vaddr;              /* where the map starts */
    unsigned long p2m_generation;         /* odd while the guest rearranges the map */
};
typedef struct arch_shared_info arch_shared_info_t;
XEN_ABI_SIZE(struct arch_shared_info, 48);

/* The x86 part of XEN_DOMCTL_createdomain. */
struct xen_arch_domainconfig {
    uint32_t emulation_flags; /* XEN_X86_EMU_* */
    uint32_t misc_flags;      /* XEN_X86_MSR_RELAXED */
};
XEN_ABI_SIZE(struct xen_arch_domainconfig, 8);

/* One CPUID result of a policy. */
typedef struct xen_cpuid_leaf {
    uint32_t leaf, subleaf;
    uint32_t a, b, c, d;
} xen_cpuid_leaf_t;
DEFINE_XEN_GUEST_HANDLE(xen_cpuid_leaf_t);
XEN_ABI_SIZE(struct xen_cpuid_leaf, 24);

/* One MSR of a policy. */
typedef struct xen_msr_entry {
    uint32_t idx;
    uint32_t flags; /* must be zero */
    uint64_t val;
} xen_msr_entry_t;
DEFINE_XEN_GUEST_HANDLE(xen_msr_entry_t);
XEN_ABI_SIZE(struct xen_msr_entry, 16);

#endif /* !__ASSEMBLY__ */
#endif

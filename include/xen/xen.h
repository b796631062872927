/* SPDX-License-Identifier: MIT */
/*
 * Guest ABI, the core: hypercall numbers, page-table updates, shared pages, start of day.
 *
 * All headers here use the include guards of the Xen project's headers, so that the ones we have no
 * version of (device rings, library headers) can be mixed with ours, ours first.
 */
#ifndef __XEN_PUBLIC_XEN_H__
#define __XEN_PUBLIC_XEN_H__

#include "xen-compat.h"
#include "arch-x86/xen.h"

#ifndef __ASSEMBLY__
/* Handles of the plain types. The short names are those of the ABI. */
DEFINE_XEN_GUEST_HANDLE(char);
__DEFINE_XEN_GUEST_HANDLE(uchar, unsigned char);
DEFINE_XEN_GUEST_HANDLE(int);
__DEFINE_XEN_GUEST_HANDLE(uint, unsigned int);
DEFINE_XEN_GUEST_HANDLE(void);
DEFINE_XEN_GUEST_HANDLE(uint64_t);
DEFINE_XEN_GUEST_HANDLE(xen_pfn_t);
DEFINE_XEN_GUEST_HANDLE(xen_ulong_t);
__DEFINE_XEN_GUEST_HANDLE(uint8, uint8_t);
__DEFINE_XEN_GUEST_HANDLE(uint16, uint16_t);
__DEFINE_XEN_GUEST_HANDLE(uint32, uint32_t);
__DEFINE_XEN_GUEST_HANDLE(uint64, uint64_t);

/* Length of a trailing array whose size is known at run time. */
#define XEN_FLEX_ARRAY_DIM
#endif

/*
 * Hypercalls. The number goes in rax, arguments in rdi rsi rdx r10 r8 r9, the result comes back in
 * rax: 0 or more is success, -XEN_E* (errno.h) is failure. rcx and r11 are lost, as by SYSCALL.
 * Each has a stub of 32 bytes at number * 32 in the hypercall page.
 */
#define __HYPERVISOR_set_trap_table                0
#define __HYPERVISOR_mmu_update                    1
#define __HYPERVISOR_set_gdt                       2
#define __HYPERVISOR_stack_switch                  3
#define __HYPERVISOR_set_callbacks                 4
#define __HYPERVISOR_fpu_taskswitch                5
#define __HYPERVISOR_sched_op_compat               6
#define __HYPERVISOR_platform_op                   7
#define __HYPERVISOR_set_debugreg                  8
#define __HYPERVISOR_get_debugreg                  9
#define __HYPERVISOR_update_descriptor             10
#define __HYPERVISOR_memory_op                     12
#define __HYPERVISOR_multicall                     13
#define __HYPERVISOR_update_va_mapping             14
#define __HYPERVISOR_set_timer_op                  15
#define __HYPERVISOR_event_channel_op_compat       16
#define __HYPERVISOR_xen_version                   17
#define __HYPERVISOR_console_io                    18
#define __HYPERVISOR_physdev_op_compat             19
#define __HYPERVISOR_grant_table_op                20
#define __HYPERVISOR_vm_assist                     21
#define __HYPERVISOR_update_va_mapping_otherdomain 22
#define __HYPERVISOR_iret                          23
#define __HYPERVISOR_vcpu_op                       24
#define __HYPERVISOR_set_segment_base              25
#define __HYPERVISOR_mmuext_op                     26
#define __HYPERVISOR_xsm_op                        27
#define __HYPERVISOR_nmi_op                        28
#define __HYPERVISOR_sched_op                      29
#define __HYPERVISOR_callback_op                   30
#define __HYPERVISOR_xenoprof_op                   31
#define __HYPERVISOR_event_channel_op              32
#define __HYPERVISOR_physdev_op                    33
#define __HYPERVISOR_hvm_op                        34
#define __HYPERVISOR_sysctl                        35
#define __HYPERVISOR_domctl                        36
#define __HYPERVISOR_kexec_op                      37
#define __HYPERVISOR_tmem_op                       38
#define __HYPERVISOR_argo_op                       39
#define __HYPERVISOR_xenpmu_op                     40
#define __HYPERVISOR_dm_op                         41
#define __HYPERVISOR_hypfs_op                      42

/* Numbers left to the architecture; x86 uses 0 for machine checks and 1 for paging domctls. */
#define __HYPERVISOR_arch_0 48
#define __HYPERVISOR_arch_1 49
#define __HYPERVISOR_arch_2 50
#define __HYPERVISOR_arch_3 51
#define __HYPERVISOR_arch_4 52
#define __HYPERVISOR_arch_5 53
#define __HYPERVISOR_arch_6 54
#define __HYPERVISOR_arch_7 55

/*
 * Virtual interrupts, bound to an event channel by EVTCHNOP_bind_virq. (V): one per vcpu; (G): one
 * for the whole system, held by the control domain or the domain it was handed to.
 */
#define VIRQ_TIMER      0  /* (V) a timer of the vcpu expired */
#define VIRQ_DEBUG      1  /* (V) asks the guest to dump its state */
#define VIRQ_CONSOLE    2  /* (G) bytes came in on the emergency console */
#define VIRQ_DOM_EXC    3  /* (G) a domain died or shut down */
#define VIRQ_TBUF       4  /* (G) trace buffer has records */
#define VIRQ_DEBUGGER   6  /* (G) a domain paused for the debugger */
#define VIRQ_XENOPROF   7  /* (V) profiling samples are ready */
#define VIRQ_CON_RING   8  /* (G) the hypervisor's log grew */
#define VIRQ_PCPU_STATE 9  /* (G) a physical CPU went on or off line */
#define VIRQ_MEM_EVENT  10 /* (G) memory event */
#define VIRQ_ARGO       11 /* (G) argo message */
#define VIRQ_ENOMEM     12 /* (G) hypervisor is short of memory */
#define VIRQ_XENPMU     13 /* (V) performance counter interrupt */
#define VIRQ_ARCH_0     16 /* machine check on x86 */
#define VIRQ_ARCH_1     17
#define VIRQ_ARCH_2     18
#define VIRQ_ARCH_3     19
#define VIRQ_ARCH_4     20
#define VIRQ_ARCH_5     21
#define VIRQ_ARCH_6     22
#define VIRQ_ARCH_7     23
#define NR_VIRQS        24

/* mmu_update: the low two bits of mmu_update.ptr say what is updated. */
#define MMU_NORMAL_PT_UPDATE       0 /* ptr: machine address of an entry; val: the new entry */
#define MMU_MACHPHYS_UPDATE        1 /* ptr: machine address in the frame; val: its pfn */
#define MMU_PT_UPDATE_PRESERVE_AD  2 /* as 0, keeping accessed and dirty bits the CPU set */
#define MMU_PT_UPDATE_NO_TRANSLATE 3 /* as 0, val not translated (hypervisor private) */

/* mmuext_op.cmd, and what arg1 and arg2 are */
#define MMUEXT_PIN_L1_TABLE       0 /* arg1.mfn: validate as page table of this level and hold */
#define MMUEXT_PIN_L2_TABLE       1
#define MMUEXT_PIN_L3_TABLE       2
#define MMUEXT_PIN_L4_TABLE       3
#define MMUEXT_UNPIN_TABLE        4  /* arg1.mfn: drop that hold */
#define MMUEXT_NEW_BASEPTR        5  /* arg1.mfn: root table of kernel mode */
#define MMUEXT_TLB_FLUSH_LOCAL    6  /* this vcpu */
#define MMUEXT_INVLPG_LOCAL       7  /* arg1.linear_addr; this vcpu */
#define MMUEXT_TLB_FLUSH_MULTI    8  /* arg2.vcpumask */
#define MMUEXT_INVLPG_MULTI       9  /* arg1.linear_addr, arg2.vcpumask */
#define MMUEXT_TLB_FLUSH_ALL      10 /* every vcpu of the domain */
#define MMUEXT_INVLPG_ALL         11 /* arg1.linear_addr */
#define MMUEXT_FLUSH_CACHE        12 /* write back and invalidate this CPU's caches */
#define MMUEXT_SET_LDT            13 /* arg1.linear_addr, arg2.nr_ents (0: none) */
#define MMUEXT_NEW_USER_BASEPTR   15 /* arg1.mfn: root table of user mode, 0: none */
#define MMUEXT_CLEAR_PAGE         16 /* arg1.mfn */
#define MMUEXT_COPY_PAGE          17 /* arg1.mfn from arg2.src_mfn */
#define MMUEXT_FLUSH_CACHE_GLOBAL 18 /* as 12 on every CPU */
#define MMUEXT_MARK_SUPER         19 /* arg1.mfn: 2 MiB page; always refused */
#define MMUEXT_UNMARK_SUPER       20

/*
 * update_va_mapping flags: kind of flush in bits 0-1; where in bit 2. With bit 2 clear and other
 * bits set, the upper bits are the address of a vcpu mask.
 */
#define UVMF_NONE           (xen_mk_ulong(0) << 0)
#define UVMF_TLB_FLUSH      (xen_mk_ulong(1) << 0)
#define UVMF_INVLPG         (xen_mk_ulong(2) << 0)
#define UVMF_FLUSHTYPE_MASK (xen_mk_ulong(3) << 0)
#define UVMF_MULTI          (xen_mk_ulong(0) << 2)
#define UVMF_LOCAL          (xen_mk_ulong(0) << 2)
#define UVMF_ALL            (xen_mk_ulong(1) << 2)

/* console_io(cmd, count, buffer): the emergency console */
#define CONSOLEIO_write 0
#define CONSOLEIO_read  1

/* vm_assist(cmd, type) */
#define VMASST_CMD_enable                0
#define VMASST_CMD_disable               1
#define VMASST_TYPE_4gb_segments         0  /* 32-bit guests: emulate accesses beyond the limit */
#define VMASST_TYPE_4gb_segments_notify  1  /* ... and raise a trap each time */
#define VMASST_TYPE_writable_pagetables  2  /* writes to page tables are emulated; always on */
#define VMASST_TYPE_pae_extended_cr3     3  /* 32-bit guests: root table above 4 GiB */
#define VMASST_TYPE_architectural_iopl   4  /* IOPL as the CPU does it, in the guest's eflags */
#define VMASST_TYPE_runstate_update_flag 5  /* XEN_RUNSTATE_UPDATE marks the area being written */
#define VMASST_TYPE_m2p_strict           32 /* no machine-to-phys table in user-mode tables */

/*
 * Domain ids. Real domains are below DOMID_FIRST_RESERVED.
 */
#define DOMID_FIRST_RESERVED xen_mk_uint(0x7FF0)
#define DOMID_SELF           xen_mk_uint(0x7FF0) /* the caller */
#define DOMID_IO             xen_mk_uint(0x7FF1) /* owner of device memory */
#define DOMID_XEN            xen_mk_uint(0x7FF2) /* owner of pages the hypervisor shares */
#define DOMID_COW            xen_mk_uint(0x7FF3) /* owner of pages shared between domains */
#define DOMID_INVALID        xen_mk_uint(0x7FF4) /* nobody */
#define DOMID_IDLE           xen_mk_uint(0x7FFF) /* the idle domain */
#define DOMID_MASK           xen_mk_uint(0x7FFF)

/* start_info.flags */
#define SIF_PRIVILEGED      (1 << 0)    /* may use privileged hypercalls */
#define SIF_INITDOMAIN      (1 << 1)    /* first domain */
#define SIF_MULTIBOOT_MOD   (1 << 2)    /* mod_start is a list of xen_multiboot_mod_list */
#define SIF_MOD_START_PFN   (1 << 3)    /* mod_start is a pfn, the module is not mapped */
#define SIF_VIRT_P2M_4TOOLS (1 << 4)    /* tools understand arch_shared_info.p2m_vaddr */
#define SIF_PM_MASK         (0xFF << 8) /* bits 8-15: power management options */

#define MAX_GUEST_CMDLINE 1024 /* bytes, final zero included */

/* vcpu_time_info.flags */
#define XEN_PVCLOCK_TSC_STABLE_BIT (1 << 0) /* readings on different vcpus can be compared */
#define XEN_PVCLOCK_GUEST_STOPPED  (1 << 1) /* guest was held; do not blame it for lockups */

/* dom0_vga_console_info.video_type */
#define XEN_VGATYPE_TEXT_MODE_3 0x03
#define XEN_VGATYPE_VESA_LFB    0x23
#define XEN_VGATYPE_EFI_LFB     0x70

#ifndef __ASSEMBLY__

typedef uint16_t domid_t;

/* One element of mmu_update's list. */
struct mmu_update {
    uint64_t ptr; /* machine address, MMU_* in bits 0-1 */
    uint64_t val;
};
typedef struct mmu_update mmu_update_t;
DEFINE_XEN_GUEST_HANDLE(mmu_update_t);
XEN_ABI_SIZE(struct mmu_update, 16);

/* One element of mmuext_op's list. */
struct mmuext_op {
    unsigned int cmd; /* MMUEXT_* */
    union {
        xen_pfn_t mfn;
        unsigned long linear_addr;
    } arg1;
    union {
        unsigned int nr_ents;
        XEN_GUEST_HANDLE(const_void) vcpumask; /* bit per vcpu, whole bytes */
        xen_pfn_t src_mfn;
    } arg2;
};
typedef struct mmuext_op mmuext_op_t;
DEFINE_XEN_GUEST_HANDLE(mmuext_op_t);
XEN_ABI_SIZE(struct mmuext_op, 24);

/* One element of multicall's list: op is a hypercall number, result is written back. */
struct multicall_entry {
    xen_ulong_t op, result;
    xen_ulong_t args[6];
};
typedef struct multicall_entry multicall_entry_t;
DEFINE_XEN_GUEST_HANDLE(multicall_entry_t);
XEN_ABI_SIZE(struct multicall_entry, 64);

/*
 * The clock of a vcpu. version is odd while the hypervisor writes; read it before and after and
 * repeat if it was odd or changed. Now, in nanoseconds since boot, is
 *   system_time + (((tsc - tsc_timestamp) shifted left by tsc_shift) * tsc_to_system_mul >> 32)
 * where a negative tsc_shift shifts right.
 */
struct vcpu_time_info {
    uint32_t version;
    uint32_t pad0;
    uint64_t tsc_timestamp;
    uint64_t system_time;
    uint32_t tsc_to_system_mul;
    int8_t tsc_shift;
    uint8_t flags; /* XEN_PVCLOCK_* */
    uint8_t pad1[2];
};
typedef struct vcpu_time_info vcpu_time_info_t;
XEN_ABI_SIZE(struct vcpu_time_info, 32);

/*
 * What hypervisor and guest share about one vcpu. 2-level events: a port is pending in
 * shared_info.evtchn_pending, its word's number is set in evtchn_pending_sel, and
 * evtchn_upcall_pending asks for an upcall, held back while evtchn_upcall_mask is not zero.
 */
struct vcpu_info {
    uint8_t evtchn_upcall_pending;
    uint8_t evtchn_upcall_mask;
    xen_ulong_t evtchn_pending_sel;
    struct arch_vcpu_info arch;
    vcpu_time_info_t time;
};
#ifndef __XEN__
typedef struct vcpu_info vcpu_info_t;
#endif
XEN_ABI_SIZE(struct vcpu_info, 64);

/* The page shared between the hypervisor and a whole domain. */
struct shared_info {
    struct vcpu_info vcpu_info[XEN_LEGACY_MAX_VCPUS];
    xen_ulong_t evtchn_pending[sizeof(xen_ulong_t) * 8];
    xen_ulong_t evtchn_mask[sizeof(xen_ulong_t) * 8];
    uint32_t wc_version; /* odd while the wall clock is written */
    uint32_t wc_sec;     /* wall clock at system_time 0: seconds since 1970, low half */
    uint32_t wc_nsec;
    uint32_t wc_sec_hi; /* ... high half */
    struct arch_shared_info arch;
};
#ifndef __XEN__
typedef struct shared_info shared_info_t;
#endif
#define xen_wc_sec_hi wc_sec_hi
XEN_ABI_SIZE(struct shared_info, 3136);

/*
 * What a PV guest finds at rsi when it is started: a page in its initial mapping. Addresses are
 * linear unless a name says otherwise.
 */
struct start_info {
    char magic[32];            /* "xen-3.0-x86_64" */
    unsigned long nr_pages;    /* memory of the domain, in pages */
    unsigned long shared_info; /* machine address */
    uint32_t flags;            /* SIF_* */
    xen_pfn_t store_mfn;       /* xenstore ring and port; 0 where there is none */
    uint32_t store_evtchn;
    union {
        struct {
            xen_pfn_t mfn; /* console ring */
            uint32_t evtchn;
        } domU;
        struct {
            uint32_t info_off; /* dom0_vga_console_info: offset in this page, bytes */
            uint32_t info_size;
        } dom0;
    } console;
    unsigned long pt_base;      /* root page table */
    unsigned long nr_pt_frames; /* frames of the initial tables */
    unsigned long mfn_list;     /* phys-to-machine map */
    unsigned long mod_start;    /* module: address, pfn or list, see SIF_* */
    unsigned long mod_len;      /* bytes */
    int8_t cmd_line[MAX_GUEST_CMDLINE];
    unsigned long first_p2m_pfn; /* where the map's own frames are if it lies outside the */
    unsigned long nr_p2m_frames; /* initial mapping (elfnote.h, INIT_P2M) */
};
typedef struct start_info start_info_t;
XEN_ABI_SIZE(struct start_info, 1168);

/* One module, pseudo-physical addresses: start_info.mod_start under SIF_MULTIBOOT_MOD. */
struct xen_multiboot_mod_list {
    uint32_t mod_start;
    uint32_t mod_end; /* first byte after it */
    uint32_t cmdline;
    uint32_t pad;
};
XEN_ABI_SIZE(struct xen_multiboot_mod_list, 16);

/* The screen as the boot loader left it, for the first domain. */
typedef struct dom0_vga_console_info {
    uint8_t video_type; /* XEN_VGATYPE_* */
    union {
        struct {
            uint16_t font_height;
            uint16_t cursor_x, cursor_y;
            uint16_t rows, columns;
        } text_mode_3;
        struct {
            uint16_t width, height;
            uint16_t bytes_per_line;
            uint16_t bits_per_pixel;
            uint32_t lfb_base; /* low half of the frame buffer's address */
            uint32_t lfb_size; /* units of 64 KiB */
            uint8_t red_pos, red_size;
            uint8_t green_pos, green_size;
            uint8_t blue_pos, blue_size;
            uint8_t rsvd_pos, rsvd_size;
            uint32_t gbl_caps;
            uint16_t mode_attrs;
            uint16_t pad;
            uint32_t ext_lfb_base; /* high half */
        } vesa_lfb;
    } u;
} dom0_vga_console_info_t;
XEN_ABI_SIZE(struct dom0_vga_console_info, 40);
#define xen_vga_console_info   dom0_vga_console_info
#define xen_vga_console_info_t dom0_vga_console_info_t

/* An opaque name the tools give a domain (they store a UUID). */
typedef uint8_t xen_domain_handle_t[16];

typedef struct {
    uint8_t a[16];
} xen_uuid_t;

/* Types of the tool interfaces, whose fields are 8-byte aligned for every kind of caller. */
#define int64_aligned_t  int64_t
#define uint64_aligned_t uint64_t

/* A bit map in caller memory; the bits beyond nr_bits are ignored, missing ones are zero. */
struct xenctl_bitmap {
    XEN_GUEST_HANDLE_64(uint8) bitmap;
    uint32_t nr_bits;
};
typedef struct xenctl_bitmap xenctl_bitmap_t;
XEN_ABI_SIZE(struct xenctl_bitmap, 16);

#endif /* !__ASSEMBLY__ */
#endif

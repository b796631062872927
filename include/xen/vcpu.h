/* SPDX-License-Identifier: MIT */
/* Guest ABI: vcpu_op, by which a domain starts its vcpus, sets timers and shares areas. */
#ifndef __XEN_PUBLIC_VCPU_H__
#define __XEN_PUBLIC_VCPU_H__

#include "xen.h"

/* vcpu_op(cmd, vcpu, argument); "self" means that vcpu must be the caller. */
#define VCPUOP_initialise                     0 /* vcpu_guest_context; EEXIST the second time */
#define VCPUOP_up                             1
#define VCPUOP_down                           2
#define VCPUOP_is_up                          3 /* returns 0 or 1 */
#define VCPUOP_get_runstate_info              4 /* vcpu_runstate_info */
#define VCPUOP_register_runstate_memory_area  5 /* vcpu_register_runstate_memory_area */
#define VCPUOP_set_periodic_timer             6 /* vcpu_set_periodic_timer */
#define VCPUOP_stop_periodic_timer            7
#define VCPUOP_set_singleshot_timer           8  /* vcpu_set_singleshot_timer; self */
#define VCPUOP_stop_singleshot_timer          9  /* self */
#define VCPUOP_register_vcpu_info             10 /* vcpu_register_vcpu_info; once only */
#define VCPUOP_send_nmi                       11
#define VCPUOP_get_physid                     12 /* vcpu_get_physid; pinned control domain */
#define VCPUOP_register_vcpu_time_memory_area 13 /* vcpu_register_time_memory_area */

/* vcpu_runstate_info.state, and index of .time */
#define RUNSTATE_running  0 /* on a CPU */
#define RUNSTATE_runnable 1 /* waits for a CPU */
#define RUNSTATE_blocked  2 /* waits for an event */
#define RUNSTATE_offline  3 /* down or paused */

/* In state_entry_time while the area is written (VMASST_TYPE_runstate_update_flag). */
#define XEN_RUNSTATE_UPDATE (xen_mk_ullong(1) << 63)

/* vcpu_set_singleshot_timer.flags: a time in the past is -ETIME, not an event at once */
#define _VCPU_SSHOTTMR_future 0
#define VCPU_SSHOTTMR_future  (1U << _VCPU_SSHOTTMR_future)

#ifndef __ASSEMBLY__

struct vcpu_runstate_info {
    int state;                 /* RUNSTATE_* */
    uint64_t state_entry_time; /* system time in ns */
    uint64_t time[4];          /* ns spent in each state */
};
typedef struct vcpu_runstate_info vcpu_runstate_info_t;
DEFINE_XEN_GUEST_HANDLE(vcpu_runstate_info_t);
XEN_ABI_SIZE(struct vcpu_runstate_info, 48);

/* Linear address at which the hypervisor keeps a vcpu_runstate_info up to date. */
struct vcpu_register_runstate_memory_area {
    union {
        XEN_GUEST_HANDLE(vcpu_runstate_info_t) h;
        struct vcpu_runstate_info *v;
        uint64_t p;
    } addr;
};
typedef struct vcpu_register_runstate_memory_area vcpu_register_runstate_memory_area_t;
DEFINE_XEN_GUEST_HANDLE(vcpu_register_runstate_memory_area_t);
XEN_ABI_SIZE(struct vcpu_register_runstate_memory_area, 8);

struct vcpu_set_periodic_timer {
    uint64_t period_ns;
};
typedef struct vcpu_set_periodic_timer vcpu_set_periodic_timer_t;
DEFINE_XEN_GUEST_HANDLE(vcpu_set_periodic_timer_t);
XEN_ABI_SIZE(struct vcpu_set_periodic_timer, 8);

struct vcpu_set_singleshot_timer {
    uint64_t timeout_abs_ns; /* system time */
    uint32_t flags;          /* VCPU_SSHOTTMR_* */
};
typedef struct vcpu_set_singleshot_timer vcpu_set_singleshot_timer_t;
DEFINE_XEN_GUEST_HANDLE(vcpu_set_singleshot_timer_t);
XEN_ABI_SIZE(struct vcpu_set_singleshot_timer, 16);

/* Moves the vcpu's vcpu_info from shared_info to a page of the guest. */
struct vcpu_register_vcpu_info {
    uint64_t mfn;
    uint32_t offset; /* in that page, bytes; the structure must not cross its end */
    uint32_t rsvd;
};
typedef struct vcpu_register_vcpu_info vcpu_register_vcpu_info_t;
DEFINE_XEN_GUEST_HANDLE(vcpu_register_vcpu_info_t);
XEN_ABI_SIZE(struct vcpu_register_vcpu_info, 16);

struct vcpu_get_physid {
    uint64_t phys_id; /* out: APIC id in bits 0-31, ACPI id in bits 32-63 */
};
typedef struct vcpu_get_physid vcpu_get_physid_t;
DEFINE_XEN_GUEST_HANDLE(vcpu_get_physid_t);
XEN_ABI_SIZE(struct vcpu_get_physid, 8);

#define xen_vcpu_physid_to_x86_apicid(physid) ((uint32_t)(physid))
#define xen_vcpu_physid_to_x86_acpiid(physid) ((uint32_t)((physid) >> 32))

/* Linear address at which the hypervisor keeps a second copy of the vcpu's clock. */
DEFINE_XEN_GUEST_HANDLE(vcpu_time_info_t);
struct vcpu_register_time_memory_area {
    union {
        XEN_GUEST_HANDLE(vcpu_time_info_t) h;
        struct vcpu_time_info *v;
        uint64_t p;
    } addr;
};
typedef struct vcpu_register_time_memory_area vcpu_register_time_memory_area_t;
DEFINE_XEN_GUEST_HANDLE(vcpu_register_time_memory_area_t);
XEN_ABI_SIZE(struct vcpu_register_time_memory_area, 8);

#endif /* !__ASSEMBLY__ */
#endif

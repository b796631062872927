/* SPDX-License-Identifier: MIT */
/* Guest ABI: callback_op, by which a guest kernel names its entry points. */
#ifndef __XEN_PUBLIC_CALLBACK_H__
#define __XEN_PUBLIC_CALLBACK_H__

#include "xen.h"

/* callback_register.type */
#define CALLBACKTYPE_event               0 /* events are pending */
#define CALLBACKTYPE_failsafe            1 /* return to the guest failed on a segment load */
#define CALLBACKTYPE_syscall             2 /* SYSCALL from 64-bit user mode */
#define CALLBACKTYPE_sysenter_deprecated 3
#define CALLBACKTYPE_nmi                 4 /* non-maskable interrupt */
#define CALLBACKTYPE_sysenter            5 /* SYSENTER from user mode */
#define CALLBACKTYPE_syscall32           7 /* SYSCALL from 32-bit user mode */

/* callback_register.flags: enter with event upcalls masked */
#define _CALLBACKF_mask_events 0
#define CALLBACKF_mask_events  (1U << _CALLBACKF_mask_events)

/* callback_op(cmd, argument) */
#define CALLBACKOP_register   0
#define CALLBACKOP_unregister 1

#ifndef __ASSEMBLY__

struct callback_register {
    uint16_t type;
    uint16_t flags;
    xen_callback_t address;
};
typedef struct callback_register callback_register_t;
DEFINE_XEN_GUEST_HANDLE(callback_register_t);
XEN_ABI_SIZE(struct callback_register, 16);

/* event, failsafe and syscall can not be taken back */
struct callback_unregister {
    uint16_t type;
    uint16_t _unused;
};
typedef struct callback_unregister callback_unregister_t;
DEFINE_XEN_GUEST_HANDLE(callback_unregister_t);
XEN_ABI_SIZE(struct callback_unregister, 4);

#endif /* !__ASSEMBLY__ */
#endif

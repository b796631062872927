/* SPDX-License-Identifier: MIT */
/* Guest ABI: sched_op, by which a vcpu gives up its CPU or a domain ends. */
#ifndef __XEN_PUBLIC_SCHED_H__
#define __XEN_PUBLIC_SCHED_H__

#include "event_channel.h"

/* sched_op(cmd, argument) */
#define SCHEDOP_yield           0 /* no argument: let others run */
#define SCHEDOP_block           1 /* no argument: unmask events, sleep until one is pending */
#define SCHEDOP_shutdown        2 /* sched_shutdown: the whole domain stops */
#define SCHEDOP_poll            3 /* sched_poll: sleep until a port is pending, even if masked */
#define SCHEDOP_remote_shutdown 4 /* sched_remote_shutdown: privileged */
#define SCHEDOP_shutdown_code   5 /* sched_shutdown: only notes the reason for later */
#define SCHEDOP_watchdog        6 /* sched_watchdog */
#define SCHEDOP_pin_override    7 /* sched_pin_override: control domain only */

/* sched_shutdown.reason */
#define SHUTDOWN_poweroff   0
#define SHUTDOWN_reboot     1
#define SHUTDOWN_suspend    2 /* rdx is the machine frame of start_info; returns 1 if cancelled */
#define SHUTDOWN_crash      3
#define SHUTDOWN_watchdog   4
#define SHUTDOWN_soft_reset 5
#define SHUTDOWN_MAX        5

#ifndef __ASSEMBLY__

struct sched_shutdown {
    unsigned int reason; /* SHUTDOWN_* */
};
typedef struct sched_shutdown sched_shutdown_t;
DEFINE_XEN_GUEST_HANDLE(sched_shutdown_t);
XEN_ABI_SIZE(struct sched_shutdown, 4);

struct sched_poll {
    XEN_GUEST_HANDLE(evtchn_port_t) ports;
    unsigned int nr_ports;
    uint64_t timeout; /* system time in ns; 0: none */
};
typedef struct sched_poll sched_poll_t;
DEFINE_XEN_GUEST_HANDLE(sched_poll_t);
XEN_ABI_SIZE(struct sched_poll, 24);

struct sched_remote_shutdown {
    domid_t domain_id;
    unsigned int reason; /* SHUTDOWN_* */
};
typedef struct sched_remote_shutdown sched_remote_shutdown_t;
DEFINE_XEN_GUEST_HANDLE(sched_remote_shutdown_t);
XEN_ABI_SIZE(struct sched_remote_shutdown, 8);

/*
 * id 0 starts a watchdog and returns its id. A later call with that id restarts it, or with
 * timeout 0 ends it. When it runs out, the domain is shut down for SHUTDOWN_watchdog.
 */
struct sched_watchdog {
    uint32_t id;
    uint32_t timeout; /* seconds */
};
typedef struct sched_watchdog sched_watchdog_t;
DEFINE_XEN_GUEST_HANDLE(sched_watchdog_t);
XEN_ABI_SIZE(struct sched_watchdog, 8);

/* Ties the calling vcpu to one CPU for a while; a negative number ends that. */
struct sched_pin_override {
    int32_t pcpu;
};
typedef struct sched_pin_override sched_pin_override_t;
DEFINE_XEN_GUEST_HANDLE(sched_pin_override_t);
XEN_ABI_SIZE(struct sched_pin_override, 4);

#endif /* !__ASSEMBLY__ */
#endif

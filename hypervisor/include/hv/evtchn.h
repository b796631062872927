/* SPDX-License-Identifier: MIT */
/* Event channels: what other parts of the hypervisor use of them. ABI: xen/event_channel.h. */
#pragma once

#include <hv/types.h>

struct evtchn_table; /* evtchn.c: lock, ports, ABI in use */

/** evtchn_domain_init - @max_port: highest port the domain may ever use (clipped to what the FIFO
 * layout can name). 0 or -ENOMEM; evtchn_domain_free() in either case. */
int evtchn_domain_init(struct domain *d, unsigned int max_port);
/** evtchn_domain_destroy - close all ports of a dying domain; preemptible, -ERESTART. */
int evtchn_domain_destroy(struct domain *d);
void evtchn_domain_free(struct domain *d); /* last step, no references left */

/** vcpu_mark_events_pending - ask the vcpu for an upcall: sets its evtchn_upcall_pending and kicks
 * it unless it was set already. Takes LOCK_SCHED. */
void vcpu_mark_events_pending(struct vcpu *v);

/** evtchn_send_virq - raise a per-vcpu VIRQ; nothing happens if it is not bound. Takes
 * LOCK_EVTCHN_PORT and above: not from interrupt handlers. */
void evtchn_send_virq(struct vcpu *v, unsigned int virq);
/** evtchn_send_global_virq - raise a domain-wide VIRQ in the domain that handles it. */
void evtchn_send_global_virq(struct domain *d, unsigned int virq);

/** evtchn_send_pirq - the physical interrupt that is bound to @port has come. */
void evtchn_send_pirq(struct domain *d, uint32_t port);
/** evtchn_unmask - as EVTCHNOP_unmask by domain @d on its @port. */
int evtchn_unmask(struct domain *d, uint32_t port);

/** evtchn_send - as EVTCHNOP_send by domain @d on its @port. */
int evtchn_send(struct domain *d, uint32_t port);

/** evtchn_port_pending - for sched_op poll: 1, 0, or -EINVAL: no such port (XSA-221). */
int evtchn_port_pending(struct domain *d, uint32_t port);

/** evtchn_vcpu_info_moved - after the vcpu_info has moved: whatever was pending is made visible. */
void evtchn_vcpu_info_moved(struct vcpu *v);

void evtchn_dump(struct domain *d); /* debug key */

/** evtchn_audit - recount; number of errors found. */
unsigned int evtchn_audit(struct domain *d);
/** evtchn_audit_refs - report each frame that FIFO event channels of @d hold (general and
 * WRITABLE). */
void evtchn_audit_refs(struct domain *d, void (*add)(void *ctx, mfn_t m, bool writable), void *ctx);

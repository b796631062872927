/* SPDX-License-Identifier: MIT */
/* Event channels: ports, handlers, masks; and the vcpu's own "interrupts off" flag.
 *
 * A handler runs in the upcall with events masked, on the vcpu that the port is bound to.
 * Ports start masked; evtchn_set_handler() unmasks. evtchn_use_fifo() changes the domain from
 * the 2-level to the FIFO layout; everything else here works on both. */
#ifndef PV_EVTCHN_H
#define PV_EVTCHN_H

#include <pv/types.h>
#include <xen/xen.h>
#include <xen/event_channel.h>

/* ---- this vcpu's upcall mask, the guest's "cli" and "sti" ---- */

bool events_enabled(void);
void events_disable(void);
/** events_enable - let events in; those that wait are delivered before it returns. */
void events_enable(void);
/** events_save - disable; the result is what events_restore() wants. */
bool events_save(void);
void events_restore(bool were_enabled);

/* ---- ports ---- */

typedef void evtchn_handler_fn(evtchn_port_t port, void *arg);

/** evtchn_set_handler - call @fn(port, @arg) on every event, and unmask the port. NULL: mask
 * it and drop the handler. Handlers may be changed while events arrive. */
void evtchn_set_handler(evtchn_port_t port, evtchn_handler_fn *fn, void *arg);

/* Each returns 0 or -errno; *@port only on success. */
int evtchn_alloc_unbound(domid_t dom, domid_t remote, evtchn_port_t *port);
int evtchn_bind_interdomain(domid_t remote, evtchn_port_t remote_port, evtchn_port_t *port);
int evtchn_bind_virq(unsigned virq, unsigned vcpu, evtchn_port_t *port);
int evtchn_bind_ipi(unsigned vcpu, evtchn_port_t *port);
int evtchn_bind_vcpu(evtchn_port_t port, unsigned vcpu);
int evtchn_close(evtchn_port_t port);
int evtchn_send(evtchn_port_t port);
int evtchn_status(evtchn_port_t port, struct evtchn_status *out);

void evtchn_mask(evtchn_port_t port);
/** evtchn_unmask - also delivers an event that came while the port was masked. */
void evtchn_unmask(evtchn_port_t port);
bool evtchn_is_masked(evtchn_port_t port);
bool evtchn_is_pending(evtchn_port_t port);
/** evtchn_clear - take the pending bit away; returns what it was. */
bool evtchn_clear(evtchn_port_t port);

/** evtchn_wait - block until *@flag is not 0; events are on meanwhile. */
void evtchn_wait(const volatile unsigned *flag);

/** evtchn_wait_until - the same, but at most until system time @deadline (ns, time_now());
 * returns whether the flag came. EVTCHN_FOREVER: no limit. */
#define EVTCHN_FOREVER UINT64_MAX
bool evtchn_wait_until(const volatile unsigned *flag, uint64_t deadline);

/** evtchn_use_fifo - switch to FIFO event channels on all vcpus of @nr_vcpus; 0 or -errno. Only
 * once, and before vcpus above 0 use events. Existing ports keep handlers and masks. */
int evtchn_use_fifo(unsigned nr_vcpus);
bool evtchn_is_fifo(void);

/* for entry and start of day */
void evtchn_init(void);
void evtchn_upcall(void);

#endif

/* SPDX-License-Identifier: MIT */
/* Tests with two domains: one calls functions that run in the other.
 *
 * Boot the same ELF file twice: as the control domain with the tests, and as a further domain
 * with the argument `peer`, which then serves calls until it is told to end. The two meet in a
 * page that the peer grants under a fixed reference and an event channel whose port is in it.
 * As both run the same program at the same addresses, a function is named by its address.
 *
 *     static long try_it(long a, long b, long c, long d)     // runs in domain 1
 *     {
 *         return hypercall_sched_op(a, NULL);
 *     }
 *
 *     TEST(peer_may_not)
 *     {
 *         struct peer p;
 *
 *         if (peer_connect(&p, 1))
 *             skip("no second domain");
 *         check_eq(peer_call(&p, try_it, 99, 0, 0, 0), -ENOSYS);
 *         peer_disconnect(&p);
 *     }
 *
 * The rest of the page (peer_data) is for larger arguments and results. Both sides see only
 * their own addresses of it. */
#ifndef PV_PEER_H
#define PV_PEER_H

#include <pv/types.h>
#include <pv/evtchn.h>
#include <pv/gnttab.h>

#define PEER_REF       2 /* the grant under which a peer offers its page */
#define PEER_DATA_SIZE (PAGE_SIZE - 128)

typedef long peer_fn(long a, long b, long c, long d);

struct peer_page;

struct peer {
    domid_t dom;
    struct peer_page *page;
    evtchn_port_t port;
    grant_handle_t handle;
    unsigned answered; /* set by the event handler */
};

/** peer_connect - meet the peer in domain @dom; waits for it to be ready, and panics if it is
 * not within a minute. 0, -ESRCH (there is no such domain), or another -errno. */
int peer_connect(struct peer *p, domid_t dom);
/** peer_disconnect - unmap and close; the peer waits for the next connection. */
void peer_disconnect(struct peer *p);

/** peer_call - run @fn in the peer and wait for its result. A peer that takes longer than 60 s
 * is taken for dead: -ETIMEDOUT. */
long peer_call(struct peer *p, peer_fn *fn, long a, long b, long c, long d);
/** peer_start, peer_finish - the same in two steps, to do something meanwhile. */
void peer_start(struct peer *p, peer_fn *fn, long a, long b, long c, long d);
long peer_finish(struct peer *p);
/** peer_data - PEER_DATA_SIZE bytes shared with the peer, aligned to 16. */
void *peer_data(struct peer *p);

/** peer_end - the peer's domain shall power off. */
void peer_end(struct peer *p);

/** peer_serve - be the peer of domain @dom; returns after peer_end(). */
void peer_serve(domid_t dom);
/** peer_served - in a served function: the link to the caller, for peer_data(). */
struct peer *peer_served(void);

#endif

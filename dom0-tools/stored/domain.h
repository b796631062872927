/* SPDX-License-Identifier: MIT */
/* Domains that have been introduced, with their rings. */
#ifndef STORED_DOMAIN_H
#define STORED_DOMAIN_H

#include "conn.h"

struct domain {
    struct domain *next;
    domid_t id;
    uint64_t frame;
    uint32_t remote_port, port;             /* in the domain; here, 0 if there is none */
    struct xenstore_domain_interface *page; /* NULL: not reachable now */
    struct conn *conn;
    domid_t target;           /* DOMID_INVALID: none */
    uint32_t in_pos, out_pos; /* our indexes: req_cons and rsp_prod, which the domain can spoil */
    uint32_t in_kept;         /* in_pos as the journal has it */
    uint64_t held_until;      /* C3; by conn_clock */
    bool shut_down;           /* and watchers have been told */
    bool broken; /* it broke the protocol: there is no connection until it asks for one */
};

extern struct domain *domain_list;

/** domain_find - an introduced domain, or NULL. */
struct domain *domain_find(domid_t id);

/** domain_introduce - map the ring of a domain and bind its event channel
 * One that is introduced already gets the new channel. Returns 0 or a negative errno. */
int domain_introduce(domid_t id, uint64_t frame, uint32_t port);
/** domain_release - forget a domain; its nodes go as well. Returns 0 or -ENOENT. */
int domain_release(domid_t id);

/** domain_new - add one that is neither mapped nor bound yet. */
struct domain *domain_new(domid_t id, uint64_t frame, uint32_t port);
/** domain_map - map its ring and bind its event channel; returns 0 or a negative errno. */
int domain_map(struct domain *d);

/** domain_attach - it gets a connection, or the one it has is as new. */
void domain_attach(struct domain *d);
/** domain_detach - it loses its connection, if it has one; @why: errno. */
void domain_detach(struct domain *d, int why);
/** domain_set_target - it may do what the other one may. */
void domain_set_target(struct domain *d, domid_t target);
/** domain_forget - drop one, and nothing else: its nodes stay, nobody is told. */
void domain_forget(struct domain *d);
/** domain_restore - map all domains that the journal has brought back, and go on where it ended. */
void domain_restore(void);

/** domain_event - an event channel has fired. */
void domain_event(uint32_t port);
/** domain_check_all - has one ended? */
void domain_check_all(void);

#endif

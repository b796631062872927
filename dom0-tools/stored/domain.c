/* SPDX-License-Identifier: MIT */
/* Domains and their rings. A page is the domain's to write at any time, so each index in it is
 * checked (ring-protocol/byte_ring.h), and what this end knows of itself is kept here. */
#include "domain.h"
#include "journal.h"
#include "tree.h"
#include "watch.h"
#include "xenio.h"

#include "../../ring-protocol/byte_ring.h"
#include "../libsocle/alloc.h"

#include <errno.h>
#include <stdlib.h>

struct domain *domain_list;

static const struct conn_io ring_io;

struct domain *domain_find(domid_t id)
{
    struct domain *d = domain_list;

    while (d && d->id != id)
        d = d->next;
    return d;
}

/* ---- the ring as a connection ---- */

static struct byte_ring requests(struct domain *d)
{
    return (struct byte_ring){.data = (uint8_t *)d->page->req,
                              .size = XENSTORE_RING_SIZE,
                              .cons = &d->page->req_cons,
                              .prod = &d->page->req_prod,
                              .pos = d->in_pos};
}

static struct byte_ring responses(struct domain *d)
{
    return (struct byte_ring){.data = (uint8_t *)d->page->rsp,
                              .size = XENSTORE_RING_SIZE,
                              .cons = &d->page->rsp_cons,
                              .prod = &d->page->rsp_prod,
                              .pos = d->out_pos};
}

static ssize_t ring_read(struct conn *c, void *buf, size_t len)
{
    struct byte_ring r;
    long n;

    if (!c->domain->page)
        return 0;
    r = requests(c->domain);
    n = byte_ring_read(&r, buf, len);
    c->domain->in_pos = r.pos;
    return n == BYTE_RING_BROKEN ? -ERANGE : n;
}

/* Whoever writes while bytes before that have not been given free may think that we are about to
 * look again, and say nothing; Linux does. So we look, after the index is there for all to see. */
static void ring_settle(struct conn *c)
{
    struct domain *d = c->domain;
    struct byte_ring r;

    if (!d->page)
        return;
    r = requests(d);
    if (__atomic_load_n(r.cons, __ATOMIC_RELAXED) != r.pos) {
        byte_ring_consumed(&r);
        xenio_notify(d->port);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        if (__atomic_load_n(r.prod, __ATOMIC_RELAXED) != r.pos)
            c->more = true;
    }
}

static ssize_t ring_write(struct conn *c, const void *buf, size_t len)
{
    struct domain *d = c->domain;
    struct byte_ring r;
    long n;

    if (!d->page)
        return 0;
    r = responses(d);
    n = byte_ring_write(&r, buf, len);
    if (n == BYTE_RING_BROKEN)
        return -ERANGE;
    d->out_pos = r.pos;
    if (n) {
        byte_ring_produced(&r);
        xenio_notify(d->port);
    }
    return n;
}

void domain_attach(struct domain *d)
{
    if (d->conn) {
        conn_reset(d->conn);
    } else {
        d->conn = conn_new(&ring_io, d->id, d->id == 0);
        d->conn->domain = d;
        d->conn->who.target = d->target;
    }
    d->broken = false;
    d->conn->more = true;
}

void domain_detach(struct domain *d, int why)
{
    struct conn *c = d->conn;

    if (!c)
        return;
    conn_reset(c);
    c->domain = NULL;
    c->dead = why ? why : ENODEV;
    d->conn = NULL;
}

void domain_set_target(struct domain *d, domid_t target)
{
    d->target = target;
    if (d->conn)
        d->conn->who.target = target;
    journal_domain(d);
}

static void unmap(struct domain *d)
{
    if (d->port)
        xenio_unbind(d->port);
    if (d->page)
        xenio_unmap(d->id, d->page);
    d->port = 0;
    d->page = NULL;
}

/* The domain broke the protocol: it is told, and may begin anew by XENSTORE_RECONNECT. */
static void ring_close(struct conn *c, int why)
{
    struct domain *d = c->domain;

    if (!d)
        return;
    d->conn = NULL;
    d->broken = true;
    if (d->page) {
        d->page->error = why == ERANGE   ? XENSTORE_ERROR_RINGIDX
                         : why == EPROTO ? XENSTORE_ERROR_PROTO
                                         : XENSTORE_ERROR_COMM;
        xenio_notify(d->port);
    }
    journal_domain(d);
}

static const struct conn_io ring_io = {
    .read = ring_read, .write = ring_write, .settle = ring_settle, .close = ring_close};

static void reconnect(struct domain *d)
{
    domain_attach(d);
    d->in_pos = d->out_pos = 0;
    journal_domain(d);
    journal_ring(d);
    journal_commit();
    d->page->req_cons = d->page->req_prod = d->page->rsp_cons = d->page->rsp_prod = 0;
    d->page->error = XENSTORE_ERROR_NONE;
    __atomic_store_n(&d->page->connection, XENSTORE_CONNECTED, __ATOMIC_RELEASE);
    xenio_notify(d->port);
}

void domain_event(uint32_t port)
{
    for (struct domain *d = domain_list; d; d = d->next) {
        if (d->port != port)
            continue;
        if (__atomic_load_n(&d->page->connection, __ATOMIC_ACQUIRE) == XENSTORE_RECONNECT)
            reconnect(d);
        else if (d->conn)
            d->conn->more = true;
    }
}

/* ---- coming and going ---- */

/* Watchers of these two are told the name alone; they look for themselves what has changed. */
static void fire(const char *special)
{
    const struct node *seen = store_get(special);

    watch_fire(special, true, &seen, 1);
}

int domain_map(struct domain *d)
{
    int port = xenio_bind(d->id, d->remote_port);

    if (port < 0)
        return port;
    d->page = xenio_map(d->id, d->frame);
    if (!d->page) {
        xenio_unbind(port);
        return -EINVAL;
    }
    d->port = port;
    d->page->server_features = XENSTORE_SERVER_FEATURE_RECONNECTION | XENSTORE_SERVER_FEATURE_ERROR;
    return 0;
}

struct domain *domain_new(domid_t id, uint64_t frame, uint32_t port)
{
    struct domain *d = must_alloc(sizeof(*d));

    *d = (struct domain){.id = id, .frame = frame, .remote_port = port, .target = DOMID_INVALID};
    d->next = domain_list;
    domain_list = d;
    return d;
}

/* What was written before it was introduced waits; what it has fetched is gone. */
static void begin_ring(struct domain *d)
{
    d->in_pos = d->page->req_cons;
    d->out_pos = d->page->rsp_prod;
    domain_attach(d);
    journal_domain(d);
    journal_ring(d);
}

/* Introduced again, with another port as a rule. Another page is another ring. */
static int again(struct domain *d, uint64_t frame, uint32_t port)
{
    struct domain old = *d;
    int rc;

    unmap(d);
    d->frame = frame;
    d->remote_port = port;
    rc = domain_map(d);
    if (rc) {
        d->frame = old.frame;
        d->remote_port = old.remote_port;
    } else if (frame != old.frame) {
        begin_ring(d);
    } else {
        journal_domain(d);
    }
    return rc;
}

static int first_time(domid_t id, uint64_t frame, uint32_t port)
{
    struct domain probe = {.id = id, .frame = frame, .remote_port = port}, *d;
    int rc = domain_map(&probe);

    if (rc)
        return rc;
    d = domain_new(id, frame, port);
    d->page = probe.page;
    d->port = probe.port;
    begin_ring(d);
    return 0;
}

int domain_introduce(domid_t id, uint64_t frame, uint32_t port)
{
    struct domain *d = domain_find(id);
    int rc = d ? again(d, frame, port) : first_time(id, frame, port);

    if (rc == 0)
        fire("@introduceDomain");
    return rc;
}

void domain_forget(struct domain *d)
{
    struct domain **at = &domain_list;

    while (*at != d)
        at = &(*at)->next;
    *at = d->next;
    domain_detach(d, ENODEV);
    journal_release(d);
    unmap(d);
    free(d);
}

/* Its nodes go with it. */
static void remove_domain(struct domain *d)
{
    struct who all = {.privileged = true};
    domid_t id = d->id;
    struct txn t;

    domain_forget(d);
    txn_init(&t, 0);
    tree_forget_domain(&t, id);
    txn_commit(&t, &all);
    txn_fire(&t);
    txn_clear(&t);
}

int domain_release(domid_t id)
{
    struct domain *d = domain_find(id);

    if (!d)
        return -ENOENT;
    remove_domain(d);
    fire("@releaseDomain");
    return 0;
}

/* What has gone out is what the ring says (journal.c, J3). */
static bool resume(struct domain *d)
{
    struct conn *c = d->conn;
    uint32_t sent = d->page->rsp_prod - d->out_pos;

    if (sent > c->out_len)
        return false;
    d->out_pos += sent;
    conn_sent(c, sent);
    xenio_notify(d->port);
    return true;
}

void domain_restore(void)
{
    for (struct domain *d = domain_list; d; d = d->next) {
        int rc = domain_map(d);

        if (rc == 0 &&
            __atomic_load_n(&d->page->connection, __ATOMIC_ACQUIRE) == XENSTORE_RECONNECT)
            reconnect(d);
        else if (rc == 0 && d->conn && !resume(d))
            d->conn->dead = ERANGE;
    }
    domain_check_all();
}

void domain_check_all(void)
{
    struct domain *next;
    bool changed = false;

    if (xenio_look()) /* perhaps next time */
        return;
    for (struct domain *d = domain_list; d; d = next) {
        enum xenio_state state = d->id ? xenio_state(d->id) : XENIO_RUNNING;

        next = d->next;
        if (state == XENIO_GONE) {
            remove_domain(d);
            changed = true;
        } else if (state == XENIO_SHUT_DOWN && !d->shut_down) {
            d->shut_down = true;
            journal_domain(d);
            changed = true;
        }
    }
    if (changed)
        fire("@releaseDomain");
}

/* SPDX-License-Identifier: MIT */
/* Calls between two domains through one shared page and an event channel.
 *
 *  P1  `request` counts calls, `done` answers. The caller alone writes request, function and
 *      arguments, the server alone done and result; each writes its counter last.
 *  P2  The server sets `ready` after the grant and the port are in place. */
#include <pv/peer.h>
#include <pv/cpu.h>
#include <pv/errno.h>
#include <pv/hypercall.h>
#include <pv/mm.h>
#include <pv/print.h>
#include <pv/smp.h>
#include <pv/time.h>

#define READY 0x70656572u

struct peer_page {
    uint32_t ready;
    evtchn_port_t port; /* in the server, waiting for the caller to bind */
    uint32_t request, done;
    peer_fn *fn; /* NULL: end */
    long arg[4], result;
    char data[PEER_DATA_SIZE] __attribute__((aligned(16)));
};

_Static_assert(sizeof(struct peer_page) <= PAGE_SIZE, "peer_page");

static struct peer *serving;

static void wake(evtchn_port_t port, void *arg)
{
    (void)port;
    WRITE_ONCE(*(unsigned *)arg, 1);
}

/* Events go to the vcpu that will wait for them. */
static void listen(struct peer *p)
{
    evtchn_bind_vcpu(p->port, vcpu_id());
    evtchn_set_handler(p->port, wake, &p->answered);
}

void *peer_data(struct peer *p)
{
    return p->page->data;
}

struct peer *peer_served(void)
{
    return serving;
}

/* Wait until @word of the page differs from (or, with @equal, is) @value. */
static bool wait_word(struct peer *p, const uint32_t *word, uint32_t value, bool equal,
                      uint64_t deadline)
{
    while ((__atomic_load_n(word, __ATOMIC_ACQUIRE) == value) != equal) {
        if (time_now() > deadline)
            return false;
        evtchn_wait_until(&p->answered, deadline);
        p->answered = 0;
    }
    return true;
}

/* ---- the caller ---- */

static void wait_a_little(struct peer *p, uint64_t deadline)
{
    if (time_now() > deadline)
        panic("peer: domain %u is not ready", p->dom);
    time_sleep(2 * NS_PER_MS);
}

static int map_page(struct peer *p, uint64_t deadline)
{
    int rc;

    while ((rc = gnttab_map(p->dom, PEER_REF, p->page, 0, &p->handle)) != GNTST_okay) {
        if (rc == GNTST_bad_domain)
            return -ESRCH;
        wait_a_little(p, deadline);
    }
    return 0;
}

static int bind(struct peer *p, uint64_t deadline)
{
    int rc;

    while (__atomic_load_n(&p->page->ready, __ATOMIC_ACQUIRE) != READY) /* P2 */
        wait_a_little(p, deadline);
    rc = evtchn_bind_interdomain(p->dom, p->page->port, &p->port);
    if (rc == 0)
        listen(p);
    return rc;
}

int peer_connect(struct peer *p, domid_t dom)
{
    static void *windows[16]; /* address space is not given back: a domain always uses the same */
    void **window = &windows[dom % ARRAY_SIZE(windows)];
    uint64_t deadline = time_now() + 60 * NS_PER_SEC;
    int rc;

    if (!*window)
        *window = vm_reserve(1);
    *p = (struct peer){.dom = dom, .page = *window};
    rc = *window ? map_page(p, deadline) : -ENOMEM;
    if (rc)
        return rc;
    rc = bind(p, deadline);
    if (rc)
        gnttab_unmap(p->page, p->handle);
    return rc;
}

void peer_start(struct peer *p, peer_fn *fn, long a, long b, long c, long d)
{
    struct peer_page *page = p->page;

    page->fn = fn;
    page->arg[0] = a;
    page->arg[1] = b;
    page->arg[2] = c;
    page->arg[3] = d;
    p->answered = 0;
    __atomic_store_n(&page->request, page->request + 1, __ATOMIC_RELEASE); /* P1 */
    evtchn_send(p->port);
}

long peer_finish(struct peer *p)
{
    uint64_t deadline = time_now() + 60 * NS_PER_SEC;

    if (!wait_word(p, &p->page->done, p->page->request, true, deadline))
        return -ETIMEDOUT;
    return p->page->result;
}

long peer_call(struct peer *p, peer_fn *fn, long a, long b, long c, long d)
{
    peer_start(p, fn, a, b, c, d);
    return peer_finish(p);
}

/* Runs in the server: the caller will close its end, so offer a new port for the next one. */
static long say_goodbye(long a, long b, long c, long d)
{
    (void)a, (void)b, (void)c, (void)d;
    serving->page->ready = 0;
    return 0;
}

static void close_caller(struct peer *p)
{
    evtchn_close(p->port);
    gnttab_unmap(p->page, p->handle);
}

void peer_disconnect(struct peer *p)
{
    peer_call(p, say_goodbye, 0, 0, 0, 0);
    close_caller(p);
}

void peer_end(struct peer *p)
{
    peer_start(p, NULL, 0, 0, 0, 0);
    close_caller(p);
}

/* ---- the server ---- */

/* Offer a fresh port. The old one is closed only now, after the caller took its answer. */
static void offer(struct peer *p)
{
    if (p->port)
        evtchn_close(p->port);
    if (evtchn_alloc_unbound(DOMID_SELF, p->dom, &p->port))
        panic("peer: no event channel for domain %u", p->dom);
    listen(p);
    p->page->port = p->port;
    __atomic_store_n(&p->page->ready, READY, __ATOMIC_RELEASE); /* P2 */
}

/* One call; false if it was the last. */
static bool serve_one(struct peer *p)
{
    struct peer_page *page = p->page;
    uint32_t request;

    if (!wait_word(p, &page->request, page->done, false, EVTCHN_FOREVER))
        return true;
    request = page->request;
    if (!page->fn)
        return false;
    page->result = page->fn(page->arg[0], page->arg[1], page->arg[2], page->arg[3]);
    __atomic_store_n(&page->done, request, __ATOMIC_RELEASE); /* P1 */
    evtchn_send(p->port);
    return true;
}

void peer_serve(domid_t dom)
{
    struct peer p = {.dom = dom, .page = alloc_page()};

    if (!p.page || gnttab_init(1))
        panic("peer: no page or no grant table");
    serving = &p;
    gnttab_grant_at(PEER_REF, dom, virt_to_mfn(p.page), false);
    offer(&p);
    while (serve_one(&p)) {
        if (!p.page->ready)
            offer(&p);
    }
    evtchn_close(p.port);
    while (!gnttab_end(PEER_REF))
        time_sleep(NS_PER_MS);
    serving = NULL;
    free_page(p.page);
}

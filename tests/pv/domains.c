/* SPDX-License-Identifier: MIT */
/* Several domains at once: what each is told of itself, events and grants between them, how they
 * share the CPU, and what remains of one that ends while others hold pieces of it.
 *
 * Domains 1 to 3 serve calls for all tests; domains 4 to 7 are there to be ended, each by one test.
 * domu: name=b mem=32M vcpus=1 weight=256 cpus=0 -- peer colour=blue
 * domu: name=c mem=16M vcpus=2 weight=512 cpus=0 -- peer colour=red peer_number=17
 * domu: name=e mem=16M -- peer peer_of=1
 * domu: name=f mem=16M -- peer
 * domu: name=g mem=16M -- peer
 * domu: name=h mem=16M -- peer
 * domu: name=i mem=16M -- peer */
#include <pv/test.h>
#include <xen/domctl.h>
#include <xen/sysctl.h>

enum { B = 1, C, E, POWERED_OFF, CRASHED, DESTROYED, CRASHED_BY_US };

static struct peer peer;

static bool meet_at(struct peer *p, domid_t dom)
{
    static bool alone;

    /* Without boot-time domains there is nobody to wait for, in any of the tests. */
    alone = alone || !guest_is_initial() || peer_connect(p, dom);
    return !alone;
}

static bool meet(domid_t dom)
{
    return meet_at(&peer, dom);
}

#define need_peer(dom)                                                                             \
    do {                                                                                           \
        if (!meet(dom))                                                                            \
            skip("no second domain");                                                              \
    } while (0)

#define IN_PEER(...) IN_PEER_(__VA_ARGS__, 0, 0, 0, 0)
#define IN_PEER_(fn, a, b, c, d, ...)                                                              \
    peer_call(&peer, (fn), (long)(a), (long)(b), (long)(c), (long)(d))

/* ---- the control domain's view ---- */

static long domctl(unsigned cmd, unsigned domain, struct xen_domctl *op)
{
    op->cmd = cmd;
    op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    op->domain = domain;
    return hypercall_domctl(op);
}

/* False if there is no such domain. */
static bool info_of(unsigned domain, struct xen_domctl_getdomaininfo *info)
{
    struct xen_domctl op = {0};

    if (domctl(XEN_DOMCTL_getdomaininfo, domain, &op))
        return false;
    *info = op.u.getdomaininfo;
    return info->domain == domain;
}

static uint64_t free_bytes(void)
{
    struct xen_sysctl op = {.cmd = XEN_SYSCTL_availheap,
                            .interface_version = XEN_SYSCTL_INTERFACE_VERSION};

    op.u.availheap.node = ~0u;
    return hypercall_sysctl(&op) ? 0 : op.u.availheap.avail_bytes;
}

static uint64_t cpu_time(unsigned domain)
{
    struct xen_domctl_getdomaininfo info;

    return info_of(domain, &info) ? info.cpu_time : 0;
}

/* ---- what a domain knows of itself ---- */

static long own_id(long a, long b, long c, long d)
{
    (void)a, (void)b, (void)c, (void)d;
    return guest_domid();
}

static long own_pages(long a, long b, long c, long d)
{
    (void)a, (void)b, (void)c, (void)d;
    return mm_nr_pages();
}

static long own_vcpus(long a, long b, long c, long d)
{
    (void)a, (void)b, (void)c, (void)d;
    return vcpu_count();
}

static long own_cmdline(long a, long b, long c, long d)
{
    (void)a, (void)b, (void)c, (void)d;
    strscpy(peer_data(peer_served()), cmdline(), PEER_DATA_SIZE);
    return 0;
}

static long own_reservation(long op, long b, long c, long d)
{
    struct xen_memory_domain self = {DOMID_SELF};

    (void)b, (void)c, (void)d;
    return hypercall_memory_op(op, &self);
}

static void check_domain(domid_t dom, unsigned mib, unsigned vcpus, const char *args)
{
    struct xen_domctl_getdomaininfo info;

    need_peer(dom);
    check_eq(IN_PEER(own_id), dom);
    check_eq(IN_PEER(own_pages), mib << 8);
    check_eq(IN_PEER(own_vcpus), vcpus);
    check_eq(IN_PEER(own_cmdline), 0);
    check_str((char *)peer_data(&peer), args);
    check_eq(IN_PEER(own_reservation, XENMEM_current_reservation), mib << 8);
    check_eq(IN_PEER(own_reservation, XENMEM_maximum_reservation), mib << 8);
    need(info_of(dom, &info));
    check_eq(info.tot_pages, mib << 8);
    check_eq(info.max_pages, mib << 8);
    check_eq(info.max_vcpu_id, vcpus - 1);
    check_eq(info.nr_online_vcpus, 1);
    check_eq(info.flags & (XEN_DOMINF_dying | XEN_DOMINF_shutdown | XEN_DOMINF_paused), 0);
    peer_disconnect(&peer);
}

TEST(domains_know_themselves)
{
    check_domain(B, 32, 1, "peer colour=blue");
    check_domain(C, 16, 2, "peer colour=red peer_number=17");
}

/* ---- memory is one's own ---- */

/* Fill every free page with a pattern of this domain and look whether it stays; @round tells them
 * apart. Returns how many words were wrong. */
static long fill_memory(long pages, long round, long c, long d)
{
    static uint64_t *mine[4096];
    long wrong = 0, n = 0;

    (void)c, (void)d;
    while (n < pages && n < (long)ARRAY_SIZE(mine) && (mine[n] = alloc_page())) {
        for (unsigned i = 0; i < 512; i += 64) {
            wrong += mine[n][i] != 0;
            mine[n][i] = (uint64_t)guest_domid() << 48 | round << 32 | n;
        }
        n++;
    }
    hypercall_sched_op(SCHEDOP_yield, NULL);
    for (long k = 0; k < n; k++) {
        for (unsigned i = 0; i < 512; i += 64)
            wrong += mine[k][i] != ((uint64_t)guest_domid() << 48 | round << 32 | k);
        free_page(mine[k]);
    }
    return n ? wrong : -1;
}

TEST(memory_is_not_shared)
{
    need_peer(B);
    for (long round = 0; round < 3; round++) {
        peer_start(&peer, fill_memory, 1500, round, 0, 0);
        check_eq(fill_memory(1500, round, 0, 0), 0);
        check_eq(peer_finish(&peer), 0);
    }
    peer_disconnect(&peer);
}

/* ---- events ---- */

#define PORTS 8

static evtchn_port_t here[PORTS];
static volatile unsigned got[PORTS];

static void count(evtchn_port_t port, void *arg)
{
    (void)port;
    __atomic_add_fetch((unsigned *)arg, 1, __ATOMIC_SEQ_CST);
}

/* In the peer: bind one port for each that the caller lists, and count what arrives. */
static long bind_all(long dom, long b, long c, long d)
{
    const evtchn_port_t *list = peer_data(peer_served());

    (void)b, (void)c, (void)d;
    for (unsigned i = 0; i < PORTS; i++) {
        int rc = evtchn_bind_interdomain(dom, list[i], &here[i]);

        if (rc)
            return rc;
        got[i] = 0;
        evtchn_set_handler(here[i], count, (void *)&got[i]);
    }
    return 0;
}

static long close_all(long a, long b, long c, long d)
{
    long rc = 0;

    (void)a, (void)b, (void)c, (void)d;
    for (unsigned i = 0; i < PORTS; i++)
        rc |= evtchn_close(here[i]);
    return rc;
}

/* Served calls run with events masked: take what has come. */
static long received(long i, long b, long c, long d)
{
    (void)b, (void)c, (void)d;
    events_enable();
    events_disable();
    return got[i];
}

static long send_from(long i, long times, long c, long d)
{
    (void)c, (void)d;
    for (; times; times--) {
        long rc = evtchn_send(here[i]);

        if (rc)
            return rc;
    }
    return 0;
}

static bool connect_ports(void)
{
    evtchn_port_t *list = peer_data(&peer);

    for (unsigned i = 0; i < PORTS; i++) {
        if (!check_eq(evtchn_alloc_unbound(DOMID_SELF, peer.dom, &here[i]), 0))
            return false;
        got[i] = 0;
        list[i] = here[i];
        evtchn_set_handler(here[i], count, (void *)&got[i]);
    }
    return check_eq(IN_PEER(bind_all, guest_domid()), 0);
}

static void disconnect_ports(void)
{
    check_eq(IN_PEER(close_all), 0);
    for (unsigned i = 0; i < PORTS; i++)
        check_eq(evtchn_close(here[i]), 0);
}

/* Each event is taken before the next is sent, so none may be lost or doubled. */
static void ping_pong(void)
{
    static const unsigned times[PORTS] = {1, 2, 3, 4, 5, 6, 7, 8};
    unsigned at_bind[PORTS], mine[PORTS];

    for (unsigned i = 0; i < PORTS; i++) {
        at_bind[i] = IN_PEER(received, i); /* binding makes the new port pending once */
        mine[i] = got[i];
        check_le(at_bind[i], 1);
    }
    for (unsigned i = 0; i < PORTS; i++)
        for (unsigned n = 0; n < times[i]; n++) {
            check_eq(evtchn_send(here[i]), 0);
            check_eq(IN_PEER(received, i), at_bind[i] + n + 1);
            check_eq(IN_PEER(send_from, i, 1), 0);
            check_eq(got[i], mine[i] + n + 1);
        }
    for (unsigned i = 0; i < PORTS; i++) {
        check_eq(IN_PEER(received, i), at_bind[i] + times[i]);
        check_eq(got[i], mine[i] + times[i]);
    }
}

TEST(events_both_ways)
{
    need_peer(B);
    events_enable();
    if (connect_ports()) {
        ping_pong();
        disconnect_ports();
    }
    peer_disconnect(&peer);
    events_disable();
}

/* Both send as fast as they can. Events merge, but the last one is always seen. */
TEST(event_storms)
{
    const unsigned n = 5000;

    need_peer(B);
    events_enable();
    if (connect_ports()) {
        for (unsigned i = 0; i < PORTS; i++) {
            unsigned before = got[i], there = IN_PEER(received, i);

            peer_start(&peer, send_from, i, n, 0, 0);
            check_eq(send_from(i, n, 0, 0), 0);
            check_eq(peer_finish(&peer), 0);
            check_ge(got[i], before + 1);
            check_le(got[i], before + n);
            check_ge(IN_PEER(received, i), there + 1);
            check_le(IN_PEER(received, i), there + n);
        }
        disconnect_ports();
    }
    peer_disconnect(&peer);
    events_disable();
}

static long bind_and_close(long dom, long port, long c, long d)
{
    evtchn_port_t p;
    long rc = evtchn_bind_interdomain(dom, port, &p);

    (void)c, (void)d;
    return rc ? rc : evtchn_close(p) ? -1 : (long)p;
}

TEST(ports_are_made_and_closed_many_times)
{
    evtchn_port_t port, first = 0;
    long there = 0;

    need_peer(B);
    for (unsigned i = 0; i < 300; i++) {
        need_eq(evtchn_alloc_unbound(DOMID_SELF, B, &port), 0);
        first = first ? first : port;
        check_eq(port, first); /* the lowest that is free, each time */
        for (unsigned k = 0; k < 3; k++) {
            long got_port = IN_PEER(bind_and_close, guest_domid(), port);

            there = there ? there : got_port;
            check_ge(got_port, 1);
            check_eq(got_port, there);
        }
        check_eq(evtchn_close(port), 0);
    }
    peer_disconnect(&peer);
}

/* ---- grants ---- */

static uint64_t *page;
static grant_handle_t handle;

static uint64_t *window(void)
{
    static uint64_t *va;

    if (!va)
        va = vm_reserve(1);
    return va;
}

/* Offers a page that begins with @value; returns the reference. */
static long offer(long dom, long value, long flags, long d)
{
    (void)d;
    if (!page)
        page = alloc_page();
    gnttab_init(1);
    page[0] = value;
    return gnttab_grant(dom, virt_to_mfn(page), flags);
}

static long first_word(long a, long b, long c, long d)
{
    (void)a, (void)b, (void)c, (void)d;
    return page[0];
}

static long end_offer(long ref, long b, long c, long d)
{
    (void)b, (void)c, (void)d;
    return gnttab_end(ref);
}

/* Maps @ref of @dom, returns its first word and puts @value there. */
static long map_and_change(long dom, long ref, long value, long d)
{
    long rc = gnttab_map(dom, ref, window(), 0, &handle), old;

    (void)d;
    if (rc)
        return rc;
    old = window()[0];
    window()[0] = value;
    return old;
}

static long unmap_window(long a, long b, long c, long d)
{
    (void)a, (void)b, (void)c, (void)d;
    return gnttab_unmap(window(), handle);
}

TEST(grants_to_us)
{
    long ref;

    need_peer(B);
    ref = IN_PEER(offer, guest_domid(), 0xb0b, 0);
    check_ge(ref, 8);
    check_eq(map_and_change(B, ref, 0xd0d, 0), 0xb0b);
    check_eq(IN_PEER(first_word), 0xd0d);
    check_eq(IN_PEER(end_offer, ref), 0); /* in use */
    check_eq(unmap_window(0, 0, 0, 0), GNTST_okay);
    check_eq(IN_PEER(end_offer, ref), 1);
    check_ne(map_and_change(B, ref, 0, 0), 0xd0d);
    peer_disconnect(&peer);
}

TEST(grants_from_us)
{
    long ref;

    need_peer(B);
    ref = offer(B, 0xa, 0, 0);
    check_ge(ref, 8);
    check_eq(IN_PEER(map_and_change, guest_domid(), ref, 0xbb), 0xa);
    check_eq(page[0], 0xbb);
    check(gnttab_in_use(ref));
    check(!gnttab_end(ref));
    check_eq(IN_PEER(unmap_window), GNTST_okay);
    check(!gnttab_in_use(ref));
    check(gnttab_end(ref));
    peer_disconnect(&peer);
}

/* Neither of them is privileged. */
TEST(grants_between_two_others)
{
    long ref, rc;

    need_peer(B);
    ref = IN_PEER(offer, C, 0xb, 0);
    peer_disconnect(&peer);
    need_peer(C);
    check_eq(IN_PEER(map_and_change, B, ref, 0xc), 0xb);
    check_ne(map_and_change(B, ref, 0, 0), 0xc); /* it is not for us, privileged or not */
    peer_disconnect(&peer);
    need_peer(B);
    check_eq(IN_PEER(first_word), 0xc);
    check_eq(IN_PEER(end_offer, ref), 0);
    peer_disconnect(&peer);
    need_peer(C);
    rc = IN_PEER(unmap_window);
    check_eq(rc, GNTST_okay);
    peer_disconnect(&peer);
    need_peer(B);
    check_eq(IN_PEER(end_offer, ref), 1);
    peer_disconnect(&peer);
}

/* Withdrawn while mapped: the mapping lives on. Whether the same domain may map once more what it
 * has pinned already is left open; when all is unmapped, the entry is void. */
static long withdraw_by_force(long ref, long b, long c, long d)
{
    (void)b, (void)c, (void)d;
    WRITE_ONCE(gnttab_entries()[ref].flags, 0);
    return 0;
}

TEST(grant_is_revoked_while_mapped)
{
    long ref;

    need_peer(B);
    ref = IN_PEER(offer, guest_domid(), 1, 0);
    need_eq(map_and_change(B, ref, 2, 0), 1);
    check_eq(IN_PEER(withdraw_by_force, ref), 0);
    check_no_fault(window()[0] = 3);
    check_eq(IN_PEER(first_word), 3);
    check_eq(unmap_window(0, 0, 0, 0), GNTST_okay);
    check_ne(gnttab_map(B, ref, window(), 0, &handle), GNTST_okay);
    check_fault(TRAP_PF, window()[0] = 4);
    check_eq(IN_PEER(first_word), 3);
    check_eq(unmap_window(0, 0, 0, 0), GNTST_bad_handle);
    peer_disconnect(&peer);
}

static long copy_page(domid_t from, long ref, mfn_t to)
{
    struct gnttab_copy c = {.len = 16, .flags = GNTCOPY_source_gref};

    c.source.domid = from;
    c.source.u.ref = ref;
    c.dest.domid = DOMID_SELF;
    c.dest.u.gmfn = to;
    return hypercall_grant_table_op(GNTTABOP_copy, &c, 1) ? -100 : c.status;
}

TEST(grants_are_copied)
{
    uint64_t *into = alloc_page();
    long ref;

    need_peer(B);
    ref = IN_PEER(offer, guest_domid(), 77, GTF_readonly);
    check_eq(copy_page(B, ref, virt_to_mfn(into)), GNTST_okay);
    check_eq(into[0], 77);
    check_eq(IN_PEER(end_offer, ref), 1);
    check_ne(copy_page(B, ref, virt_to_mfn(into)), GNTST_okay);
    free_page(into);
    peer_disconnect(&peer);
}

/* Prepares an entry that takes a page from @dom; it first gives one back to stay within its limit.
 */
static long accept_page(long dom, long b, long c, long d)
{
    uint64_t *out = alloc_page();
    xen_pfn_t list[1] = {virt_to_mfn(out)};
    struct xen_memory_reservation r = {.nr_extents = 1, .domid = DOMID_SELF};
    grant_ref_t ref;

    (void)b, (void)c, (void)d;
    gnttab_init(1);
    r.extent_start.p = list;
    if (hypercall_update_va_mapping((uint64_t)out, 0, UVMF_INVLPG | UVMF_ALL) ||
        hypercall_memory_op(XENMEM_decrease_reservation, &r) != 1)
        return -1;
    ref = gnttab_alloc_ref();
    gnttab_entries()[ref].domid = dom;
    gnttab_entries()[ref].frame = virt_to_pfn(out);
    WRITE_ONCE(gnttab_entries()[ref].flags, GTF_accept_transfer);
    return ref;
}

static long look_at_gift(long ref, long b, long c, long d)
{
    volatile struct grant_entry_v1 *e = &gnttab_entries()[ref];
    long seen;

    (void)b, (void)c, (void)d;
    if (!(e->flags & GTF_transfer_completed))
        return -1;
    if (map_frame((uint64_t)window(), e->frame, PROT_RW))
        return -2;
    seen = window()[0];
    unmap_frame((uint64_t)window());
    return seen;
}

TEST(page_is_transferred)
{
    uint64_t *gift = alloc_page();
    struct gnttab_transfer t = {.mfn = virt_to_mfn(gift), .domid = B};
    int rc;

    need_peer(B);
    gift[0] = 0x61f7;
    rc = IN_PEER(accept_page, guest_domid());
    check_ge(rc, 8);
    t.ref = rc;
    need_eq(hypercall_grant_table_op(GNTTABOP_transfer, &t, 1), 0);
    check_ne(t.status, GNTST_okay); /* still mapped here */
    need_eq(hypercall_update_va_mapping((uint64_t)gift, 0, UVMF_INVLPG | UVMF_ALL), 0);
    need_eq(hypercall_grant_table_op(GNTTABOP_transfer, &t, 1), 0);
    if (check_eq(t.status, GNTST_okay)) {
        check_eq(IN_PEER(look_at_gift, rc), 0x61f7);
        check_ne(map_frame((uint64_t)window(), t.mfn, PROT_RW), 0);
        p2m_set(virt_to_pfn(gift),
                INVALID_MFN); /* and the page stays allocated: it is a hole now */
    }
    peer_disconnect(&peer);
}

/* ---- sharing the CPU ---- */

/* Work until system time @end; returns how much was done. */
static long work_until(long end, long b, long c, long d)
{
    long done = 0;

    (void)b, (void)c, (void)d;
    while (time_now() < (uint64_t)end) {
        for (unsigned i = 0; i < 1000; i++)
            barrier();
        done++;
    }
    return done;
}

/* A host that stops a CPU for a while gives that while to whoever ran there. So what is measured is
 * summed up, and more of it is measured until it is right, up to this often: what is wrong stays so. */
#define ROUNDS_MAX 12

/* Domains b (weight 256) and c (weight 512) may run on CPU 0 only, where both work for the same
 * stretch of time. The limits are generous: there is a domain 0, too. */
TEST(weights_share_the_cpu)
{
    struct peer other;
    uint64_t b0, c0, b = 0, c = 0;
    long done_b = 0, done_c = 0;

    need_peer(B);
    need(meet_at(&other, C));
    b0 = cpu_time(B);
    c0 = cpu_time(C);
    for (unsigned i = 0;
         i < ROUNDS_MAX && (b + c < 300 * NS_PER_MS || c * 10 < b * 13 || c > b * 3); i++) {
        uint64_t end = time_now() + 600 * NS_PER_MS;

        peer_start(&peer, work_until, end, 0, 0, 0);
        peer_start(&other, work_until, end, 0, 0, 0);
        done_b += peer_finish(&peer);
        done_c += peer_finish(&other);
        b = cpu_time(B) - b0;
        c = cpu_time(C) - c0;
        note("b: %lu us, %ld rounds; c: %lu us, %ld rounds", b / 1000, done_b, c / 1000, done_c);
    }
    check_ge(b + c, 300 * NS_PER_MS); /* nobody else wanted it */
    check_ge(c * 10, b * 13);
    check_le(c, b * 3);
    check_ge(done_b, 1);
    check_ge(done_c, 1);
    peer_disconnect(&other);
    peer_disconnect(&peer);
}

static long set_cap(unsigned dom, unsigned cap)
{
    struct xen_domctl op = {0};

    op.u.scheduler_op.sched_id = XEN_SCHEDULER_CREDIT2;
    op.u.scheduler_op.cmd = XEN_DOMCTL_SCHEDOP_putinfo;
    op.u.scheduler_op.u.credit2.cap = cap; /* weight 0: as it was */
    return domctl(XEN_DOMCTL_scheduler_op, dom, &op);
}

TEST(cap_limits_an_idle_cpu)
{
    uint64_t begin, used = 0, of = 0;

    need_peer(B);
    need_eq(set_cap(B, 25), 0);
    begin = cpu_time(B);
    for (unsigned i = 0; i < ROUNDS_MAX && (!of || used > of / 2 || used < of / 10); i++) {
        check_ge(IN_PEER(work_until, time_now() + 800 * NS_PER_MS), 1);
        used = cpu_time(B) - begin;
        of += 800 * NS_PER_MS;
        note("%lu us of %lu ms", used / 1000, of / NS_PER_MS);
    }
    check_le(used, of / 2);
    check_ge(used, of / 10);
    check_eq(set_cap(B, 0), 0);
    peer_disconnect(&peer);
}

/* ---- pauses ---- */

static long leave_a_mark(long a, long b, long c, long d)
{
    (void)a, (void)b, (void)c, (void)d;
    WRITE_ONCE(*(long *)peer_data(peer_served()), 1);
    return 5;
}

TEST(paused_domain_stands_still)
{
    const volatile long *mark;
    struct xen_domctl op = {0};
    struct xen_domctl_getdomaininfo info;

    need_peer(B);
    check_eq(domctl(XEN_DOMCTL_unpausedomain, B, &op), -EINVAL);
    need_eq(domctl(XEN_DOMCTL_pausedomain, B, &op), 0);
    need_eq(domctl(XEN_DOMCTL_pausedomain, B, &op), 0);
    mark = peer_data(&peer);
    *(long *)peer_data(&peer) = 0;
    peer_start(&peer, leave_a_mark, 0, 0, 0, 0);
    time_sleep(20 * NS_PER_MS);
    check_eq(*mark, 0);
    check(info_of(B, &info) && info.flags & XEN_DOMINF_paused);
    check_eq(domctl(XEN_DOMCTL_unpausedomain, B, &op), 0);
    time_sleep(20 * NS_PER_MS);
    check_eq(*mark, 0); /* pauses are counted */
    check_eq(domctl(XEN_DOMCTL_unpausedomain, B, &op), 0);
    check_eq(peer_finish(&peer), 5);
    check_eq(*mark, 1);
    check(info_of(B, &info) && !(info.flags & XEN_DOMINF_paused));
    peer_disconnect(&peer);
}

/* ---- three in a row ---- */

static long ask_further(long dom, long b, long c, long d)
{
    struct peer next;
    long rc = peer_connect(&next, dom);

    (void)b, (void)c, (void)d;
    if (rc)
        return rc;
    rc = peer_call(&next, own_id, 0, 0, 0, 0);
    peer_disconnect(&next);
    return rc;
}

TEST(unprivileged_domains_call_each_other)
{
    need_peer(B);
    for (unsigned i = 0; i < 3; i++)
        check_eq(IN_PEER(ask_further, E), E);
    peer_disconnect(&peer);
}

/* ---- ends ---- */

static evtchn_port_t exc_port;
static volatile unsigned ended;

/* Hear of the ends of domains from now on. */
static void listen(void)
{
    if (!exc_port && check_eq(evtchn_bind_virq(VIRQ_DOM_EXC, 0, &exc_port), 0))
        evtchn_set_handler(exc_port, count, (void *)&ended);
    ended = 0;
}

static bool wait_gone(domid_t dom)
{
    struct xen_domctl_getdomaininfo info;

    return eventually(!info_of(dom, &info));
}

/* Meet @dom, map a page of it that holds @value, and say how much memory is free now. */
static bool hold_a_page_of(domid_t dom, long value, uint64_t *memory)
{
    long ref;

    if (!meet(dom))
        return false;
    ref = IN_PEER(offer, guest_domid(), value, 0);
    listen();
    *memory = free_bytes();
    return check_ge(ref, 8) && check_eq(map_and_change(dom, ref, value, 0), value);
}

/* The page that we hold outlives its domain, and goes with our mapping. */
static void check_page_stays(domid_t dom, long value, uint64_t memory)
{
    struct evtchn_status st;

    check(eventually(ended));
    time_sleep(20 * NS_PER_MS);
    check_no_fault(check_eq(window()[0], value); window()[1] = ~value);
    check_eq(window()[1], ~value);
    if (check_eq(evtchn_status(peer.port, &st), 0))
        check_eq(st.status, EVTCHNSTAT_unbound);
    check_eq(evtchn_send(peer.port), 0); /* nobody hears it */
    check_eq(evtchn_close(peer.port), 0);
    check_eq(gnttab_unmap(peer.page, peer.handle), GNTST_okay);
    check_eq(unmap_window(0, 0, 0, 0), GNTST_okay);
    check_fault(TRAP_PF, window()[0] = 1);
    check(wait_gone(dom));
    check_ge(free_bytes() - memory, 16ul << 20);
    check_eq(evtchn_bind_interdomain(dom, 1, &here[0]), -ESRCH);
    check_eq(gnttab_map(dom, PEER_REF, window(), 0, &handle), GNTST_bad_domain);
}

static long power_off(long a, long b, long c, long d)
{
    (void)a, (void)b, (void)c, (void)d;
    guest_shutdown(SHUTDOWN_poweroff);
}

TEST(domain_powers_off)
{
    uint64_t memory;

    if (!hold_a_page_of(POWERED_OFF, 0x0ff, &memory))
        skip("no second domain");
    peer_start(&peer, power_off, 0, 0, 0, 0);
    check_page_stays(POWERED_OFF, 0x0ff, memory);
}

/* A trap without a handler ends a domain. */
static long crash(long a, long b, long c, long d)
{
    (void)a, (void)b, (void)c, (void)d;
    hypercall_set_trap_table(NULL);
    __asm__ volatile("ud2");
    return 0;
}

TEST(domain_crashes)
{
    uint64_t memory;

    if (!hold_a_page_of(CRASHED, 0xc4a54, &memory))
        skip("no second domain");
    peer_start(&peer, crash, 0, 0, 0, 0);
    check_page_stays(CRASHED, 0xc4a54, memory);
}

/* Events and maps of our pages go on in the victim until it is gone. */
static long make_trouble(long dom, long ref, long c, long d)
{
    (void)c, (void)d;
    for (;;) {
        map_and_change(dom, ref, 1, 0);
        evtchn_send(peer_served()->port);
        unmap_window(0, 0, 0, 0);
    }
    return 0;
}

TEST(domain_is_destroyed_while_it_runs)
{
    struct xen_domctl op = {0};
    uint64_t memory;
    grant_ref_t ref;
    long rc;

    if (!hold_a_page_of(DESTROYED, 0xde5, &memory))
        skip("no second domain");
    ref = offer(DESTROYED, 0, 0, 0);
    peer_start(&peer, make_trouble, guest_domid(), ref, 0, 0);
    time_sleep(10 * NS_PER_MS);
    rc = domctl(XEN_DOMCTL_destroydomain, DESTROYED, &op);
    check_eq(rc, 0);
    ended = 1; /* destroying does not say so itself */
    check_page_stays(DESTROYED, 0xde5, memory);
    check(eventually(!gnttab_in_use(ref)));
    check(gnttab_end(ref)); /* what it had mapped of us is free again */
}

TEST(domain_is_shut_down_from_outside)
{
    struct sched_remote_shutdown s = {.domain_id = CRASHED_BY_US, .reason = SHUTDOWN_crash};
    struct xen_domctl op = {0};
    uint64_t memory;

    if (!hold_a_page_of(CRASHED_BY_US, 0x0u, &memory))
        skip("no second domain");
    need_eq(domctl(XEN_DOMCTL_pausedomain, CRASHED_BY_US, &op), 0);
    check_eq(hypercall_sched_op(SCHEDOP_remote_shutdown, &s), 0);
    check_page_stays(CRASHED_BY_US, 0x0u, memory);
    check_eq(hypercall_sched_op(SCHEDOP_remote_shutdown, &s), -ESRCH);
}

/* The others have not noticed. */
TEST(survivors_go_on)
{
    need_peer(B);
    check_eq(IN_PEER(own_id), B);
    check_eq(IN_PEER(ask_further, E), E);
    peer_disconnect(&peer);
    need_peer(C);
    check_eq(IN_PEER(own_id), C);
    peer_disconnect(&peer);
}

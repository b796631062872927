/* SPDX-License-Identifier: MIT */
/* Event channels in the FIFO layout. Most tests are their own consumer: they set up pages
 * themselves, look at every word, and leave by EVTCHNOP_reset, which brings the 2-level layout
 * back. The last ones use the library's. Upcalls stay off but for those. */
#include <pv/test.h>

#define PENDING (1u << EVTCHN_FIFO_PENDING)
#define MASKED  (1u << EVTCHN_FIFO_MASKED)
#define LINKED  (1u << EVTCHN_FIFO_LINKED)
#define QUEUE   EVTCHN_FIFO_PRIORITY_DEFAULT

#define OP(cmd, type, ...)                                                                         \
    hypercall_event_channel_op(EVTCHNOP_##cmd, &(struct evtchn_##type){__VA_ARGS__})

static event_word_t *words; /* of the first 1024 ports */
static struct evtchn_fifo_control_block *control[2];
static uint32_t heads[2][EVTCHN_FIFO_MAX_QUEUES];

static long send_raw(evtchn_port_t port)
{
    return OP(send, send, port);
}

static long reset(void)
{
    return OP(reset, reset, DOMID_SELF);
}

static long init_control(unsigned vcpu, void *block)
{
    struct evtchn_init_control op = {
        .vcpu = vcpu, .offset = (uint64_t)block % PAGE_SIZE, .control_gfn = virt_to_mfn(block)};
    long rc = hypercall_event_channel_op(EVTCHNOP_init_control, &op);

    if (rc == 0)
        check_eq(op.link_bits, EVTCHN_FIFO_LINK_BITS);
    return rc;
}

static long expand(void *page)
{
    return OP(expand_array, expand_array, virt_to_mfn(page));
}

/* Close all ports, and clear what they left in the 2-level bit maps: FIFO would take it over. */
static void start_afresh(void)
{
    check_eq(reset(), 0);
    for (unsigned i = 0; i < 64; i++)
        WRITE_ONCE(shared_info->evtchn_pending[i], 0);
}

static bool fifo_start(void)
{
    start_afresh();
    if (!words)
        words = alloc_page();
    memset(words, 0, PAGE_SIZE);
    for (unsigned v = 0; v < 2; v++) {
        if (!control[v])
            control[v] = alloc_page();
        memset(control[v], 0, PAGE_SIZE);
        WRITE_ONCE(shared_info->vcpu_info[v].evtchn_upcall_pending, 0);
    }
    memset(heads, 0, sizeof(heads));
    return check_eq(init_control(0, control[0]), 0) &&
           (vcpu_count() < 2 || check_eq(init_control(1, control[1]), 0)) &&
           check_eq(expand(words), 0);
}

static evtchn_port_t ipi_port(unsigned vcpu)
{
    struct evtchn_bind_ipi op = {.vcpu = vcpu};

    check_eq(hypercall_event_channel_op(EVTCHNOP_bind_ipi, &op), 0);
    return op.port;
}

/* Take one port off a queue, as the ABI says; 0: it is empty. */
static evtchn_port_t take(unsigned vcpu, unsigned q)
{
    evtchn_port_t port = heads[vcpu][q] ? heads[vcpu][q] : READ_ONCE(control[vcpu]->head[q]);
    event_word_t old;

    if (!port || port >= 1024)
        return 0;
    old = READ_ONCE(words[port]);
    while (!__atomic_compare_exchange_n(&words[port], &old, old & ~(LINKED | EVTCHN_FIFO_LINK_MASK),
                                        false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        ;
    heads[vcpu][q] = old & EVTCHN_FIFO_LINK_MASK;
    return port;
}

/* The next event of a vcpu that is pending and not masked; 0: none. */
static evtchn_port_t next_event(unsigned vcpu)
{
    static uint32_t ready[2];

    for (;;) {
        unsigned q;
        evtchn_port_t port;

        ready[vcpu] |= __atomic_exchange_n(&control[vcpu]->ready, 0, __ATOMIC_SEQ_CST);
        if (!ready[vcpu])
            return 0;
        q = __builtin_ctz(ready[vcpu]);
        port = take(vcpu, q);
        if (!heads[vcpu][q])
            ready[vcpu] &= ~(1u << q);
        if (port && !(READ_ONCE(words[port]) & MASKED) &&
            (__atomic_fetch_and(&words[port], ~PENDING, __ATOMIC_SEQ_CST) & PENDING))
            return port;
    }
}

TEST(arguments_are_checked)
{
    uint8_t *page = alloc_page();
    evtchn_port_t port;

    start_afresh();
    check_eq(expand(page), -EOPNOTSUPP);
    check_eq(init_control(5000, page), -ENOENT);
    check_eq(init_control(0, page + 4), -EINVAL);
    check_eq(init_control(0, page + 4096 - 64), -EINVAL);
    check_eq(OP(init_control, init_control, .control_gfn = ~0ul), -EINVAL);
    check_eq(OP(init_control, init_control, .control_gfn = pte_mfn(*pt_entry((uint64_t)page, 2))),
             -EINVAL);                   /* a page table */
    check_eq(expand(page), -EOPNOTSUPP); /* 188: failures have left nothing */
    check_eq(init_control(0, page + 4096 - 72), 0);
    check_eq(init_control(0, page), -EINVAL); /* it has one */
    check_eq(OP(expand_array, expand_array, ~0ul), -EINVAL);
    check_eq(OP(expand_array, expand_array, pte_mfn(*pt_entry((uint64_t)page, 2))), -EINVAL);
    check_eq(expand(alloc_page()), 0);
    port = ipi_port(0);
    check_eq(OP(set_priority, set_priority, port, 16), -EINVAL);
    check_eq(OP(set_priority, set_priority, port, ~0u), -EINVAL);
    check_eq(OP(set_priority, set_priority, 0x7fffffff, 0), -EINVAL);
    check_eq(OP(set_priority, set_priority, port, 0), 0);
    check_eq(reset(), 0);
    free_page(page);
}

TEST(first_event)
{
    evtchn_port_t port;

    need(fifo_start());
    port = ipi_port(0);
    check_eq(send_raw(port), 0);
    check_eq(words[port], PENDING | LINKED);
    check_eq(control[0]->head[QUEUE], port);
    check_eq(control[0]->ready, 1u << QUEUE);
    check(shared_info->vcpu_info[0].evtchn_upcall_pending);
    check(!test_bit(port, shared_info->evtchn_pending));
    check_eq(send_raw(port), 0); /* no change */
    check_eq(words[port], PENDING | LINKED);
    check_eq(next_event(0), port);
    check_eq(words[port], 0);
    check_eq(next_event(0), 0);
    check_eq(reset(), 0);
}

TEST(order_and_priority)
{
    evtchn_port_t p[6];

    need(fifo_start());
    for (unsigned i = 0; i < 6; i++)
        p[i] = ipi_port(0);
    check_eq(OP(set_priority, set_priority, p[4], EVTCHN_FIFO_PRIORITY_MAX), 0);
    check_eq(OP(set_priority, set_priority, p[5], EVTCHN_FIFO_PRIORITY_MIN), 0);
    for (unsigned i = 6; i-- > 0;)
        check_eq(send_raw(p[i]), 0);
    check_eq(words[p[3]], PENDING | LINKED | p[2]); /* linked to the next in its queue */
    check_eq(next_event(0), p[4]);
    for (unsigned i = 4; i-- > 0;)
        check_eq(next_event(0), p[i]);
    check_eq(next_event(0), p[5]);
    check_eq(next_event(0), 0);
    /* The tail was eaten: the next event starts the queue afresh. */
    check_eq(send_raw(p[2]), 0);
    check_eq(send_raw(p[0]), 0);
    check_eq(next_event(0), p[2]);
    check_eq(next_event(0), p[0]);
    check_eq(reset(), 0);
}

TEST(masked)
{
    evtchn_port_t port;

    need(fifo_start());
    port = ipi_port(0);
    words[port] |= MASKED;
    check_eq(send_raw(port), 0);
    check_eq(words[port], PENDING | MASKED);
    check_eq(control[0]->ready, 0);
    check_eq(OP(unmask, unmask, port), 0);
    check_eq(words[port], PENDING | LINKED);
    check_eq(next_event(0), port);
    check_eq(OP(unmask, unmask, port), 0);
    check_eq(words[port], 0);
    check_eq(reset(), 0);
}

TEST(change_of_vcpu_and_priority)
{
    struct evtchn_alloc_unbound a = {.dom = DOMID_SELF, .remote_dom = DOMID_SELF};
    struct evtchn_bind_interdomain b = {.remote_dom = DOMID_SELF};
    evtchn_port_t other;

    if (vcpu_count() < 2)
        skip("one vcpu only");
    need(fifo_start());
    need_eq(hypercall_event_channel_op(EVTCHNOP_alloc_unbound, &a), 0);
    b.remote_port = a.port;
    need_eq(hypercall_event_channel_op(EVTCHNOP_bind_interdomain, &b), 0);
    check_eq(next_event(0), b.local_port);
    other = ipi_port(0);
    check_eq(send_raw(b.local_port), 0);
    check_eq(next_event(0), a.port); /* was the tail of vcpu 0 */
    check_eq(evtchn_bind_vcpu(a.port, 1), 0);
    check_eq(send_raw(b.local_port), 0);
    check_eq(send_raw(other), 0); /* must not hang behind it */
    check_eq(next_event(0), other);
    check_eq(next_event(1), a.port);
    check_eq(OP(set_priority, set_priority, a.port, 3), 0);
    check_eq(send_raw(b.local_port), 0);
    check_eq(control[1]->head[3], a.port);
    check_eq(OP(set_priority, set_priority, a.port, 9), 0); /* from its next event on */
    check_eq(send_raw(b.local_port), 0);
    check_eq(control[1]->ready, 1u << 3);
    check_eq(next_event(1), a.port);
    check_eq(reset(), 0);
}

TEST(linked_port_is_not_reused)
{
    evtchn_port_t port;

    need(fifo_start());
    port = ipi_port(0);
    check_eq(send_raw(port), 0);
    check_eq(evtchn_close(port), 0);
    check_eq(words[port] & (PENDING | LINKED), LINKED);
    check_ne(ipi_port(0), port);
    check_eq(next_event(0), 0);
    check_eq(ipi_port(0), port);
    check_eq(reset(), 0);
}

TEST(pages_are_held)
{
    struct mmuext_op pin = {.cmd = MMUEXT_PIN_L1_TABLE};
    uint64_t va;

    need(fifo_start());
    va = (uint64_t)words;
    /* With no writable mapping left, only the hypervisor's use keeps it from becoming a table. */
    pin.arg1.mfn = virt_to_mfn(words);
    memset(words, 0, PAGE_SIZE);
    need_eq(map_frame(va, pin.arg1.mfn, PROT_RO), 0);
    check_lt(hypercall_mmuext_op(&pin, 1, NULL, DOMID_SELF), 0);
    check_eq(reset(), 0);
    check_eq(hypercall_mmuext_op(&pin, 1, NULL, DOMID_SELF), 0);
    pin.cmd = MMUEXT_UNPIN_TABLE;
    check_eq(hypercall_mmuext_op(&pin, 1, NULL, DOMID_SELF), 0);
    check_eq(map_frame(va, pin.arg1.mfn, PROT_RW), 0);
}

/* More ports than the 2-level layout has, and back. 342. */
TEST(many_ports)
{
    evtchn_port_t port = 0;
    struct evtchn_bind_ipi op = {0};
    unsigned n = 0;
    long rc = 0;

    need(fifo_start());
    for (unsigned i = 1; i < 6; i++)
        need_eq(expand(alloc_page()), 0);
    while (n < 5000 && (rc = hypercall_event_channel_op(EVTCHNOP_bind_ipi, &op)) == 0) {
        port = op.port;
        n++;
    }
    check(rc == 0 || rc == -ENOSPC);
    note("%u ports, the highest is %u", n, port);
    check_eq(send_raw(port), 0);
    check_eq(control[0]->head[QUEUE], port);
    check_eq(reset(), 0);
    check_eq(send_raw(port), -EINVAL);
    check_eq(OP(unmask, unmask, port), 0);
}

TEST(array_has_an_end)
{
    unsigned n = 1;

    need(fifo_start());
    while (n < 200 && expand(words) == 0)
        n++;
    check_eq(n, EVTCHN_FIFO_NR_CHANNELS / 1024);
    check_eq(expand(words), -ENOSPC);
    check_eq(reset(), 0);
}

/* 107: a vcpu that never gave a control block. */
TEST(no_control_block)
{
    evtchn_port_t port;

    if (vcpu_count() < 2)
        skip("one vcpu only");
    start_afresh();
    memset(control[0], 0, PAGE_SIZE);
    memset(words, 0, PAGE_SIZE);
    need_eq(init_control(0, control[0]), 0);
    need_eq(expand(words), 0);
    port = ipi_port(1);
    check_eq(send_raw(port), 0);
    port = ipi_port(0);
    check_eq(send_raw(port), 0);
    check_eq(control[0]->head[QUEUE], port);
    check_eq(reset(), 0);
}

/* What was pending in the 2-level layout, or has no word yet, comes with its page. On Xen it comes
 * again with every new array, so ports are taken that no other test minds. */
TEST(events_before_their_words)
{
    evtchn_port_t p, q;

    start_afresh();
    for (unsigned i = 0; i < 500; i++)
        ipi_port(0);
    p = ipi_port(0);
    q = ipi_port(0);
    check_eq(send_raw(p), 0);
    check(test_bit(p, shared_info->evtchn_pending));
    memset(control[0], 0, PAGE_SIZE);
    memset(words, 0, PAGE_SIZE);
    memset(heads, 0, sizeof(heads));
    need_eq(init_control(0, control[0]), 0);
    check_eq(send_raw(q), 0);
    check_eq(control[0]->ready, 0);
    need_eq(expand(words), 0);
    check_eq(next_event(0), p);
    check_eq(next_event(0), q);
    check_eq(next_event(0), 0);
    check_eq(reset(), 0);
}

/* 295: words and heads are scribbled over while events are sent; 505: and the layout comes and
 * goes. */
static volatile bool stop_racing;

static void scribbler(void *arg)
{
    uint64_t x = 88172645463325252ul;

    (void)arg;
    while (!stop_racing) {
        for (unsigned i = 0; i < 64; i++) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            WRITE_ONCE(words[i], (uint32_t)x);
            WRITE_ONCE(control[0]->head[i % 16], (uint32_t)(x >> 32));
            WRITE_ONCE(control[0]->ready, (uint32_t)(x >> 16));
        }
    }
}

static void sender(void *arg)
{
    (void)arg;
    while (!stop_racing)
        for (evtchn_port_t p = 0; p < 64; p++) {
            send_raw(p);
            OP(unmask, unmask, p);
            OP(set_priority, set_priority, p, p % 16);
            expand(words);
        }
}

TEST(scribbled_words)
{
    if (vcpu_count() < 2)
        skip("one vcpu only");
    need(fifo_start());
    for (unsigned i = 0; i < 60; i++)
        ipi_port(0);
    stop_racing = false;
    need_eq(vcpu_start(1, scribbler, NULL), 0);
    for (unsigned round = 0; round < 5000; round++) {
        evtchn_port_t p = round * 7 % 61;

        send_raw(p);
        OP(unmask, unmask, p);
        OP(set_priority, set_priority, p, round % 16);
    }
    stop_racing = true;
    vcpu_wait_down(1);
    check_eq(reset(), 0);
}

TEST(layout_comes_and_goes)
{
    if (vcpu_count() < 2)
        skip("one vcpu only");
    start_afresh();
    stop_racing = false;
    need_eq(vcpu_start(1, sender, NULL), 0);
    for (unsigned round = 0; round < 300; round++) {
        init_control(0, control[0]);
        expand(words);
        for (unsigned i = 0; i < 4; i++)
            OP(bind_ipi, bind_ipi, .vcpu = 0);
        check_eq(reset(), 0);
    }
    stop_racing = true;
    vcpu_wait_down(1);
    check_eq(reset(), 0);
    memset(words, 0, PAGE_SIZE);
}

/* ---- with the library's consumer ---- */

static volatile unsigned count[4];

static void counts(evtchn_port_t port, void *arg)
{
    (void)port;
    (*(volatile unsigned *)arg)++;
}

TEST(upcalls)
{
    evtchn_port_t p[4];

    start_afresh();
    need_eq(evtchn_use_fifo(vcpu_count()), 0);
    for (unsigned i = 0; i < 4; i++) {
        need_eq(evtchn_bind_ipi(0, &p[i]), 0);
        evtchn_set_handler(p[i], counts, (void *)&count[i]);
    }
    events_enable();
    for (unsigned round = 0; round < 50; round++)
        for (unsigned i = 0; i < 4; i++)
            check_eq(send_raw(p[i]), 0);
    for (unsigned i = 0; i < 4; i++)
        check_eq(count[i], 50);
    evtchn_mask(p[1]);
    for (unsigned i = 0; i < 4; i++)
        check_eq(send_raw(p[i]), 0);
    check_eq(count[1], 50);
    check_eq(count[2], 51);
    evtchn_unmask(p[1]);
    check_eq(count[1], 51);
    events_disable();
    for (unsigned i = 0; i < 4; i++)
        check_eq(evtchn_close(p[i]), 0);
}

static evtchn_port_t here, there;
static volatile unsigned pings, pongs;

static void pong(evtchn_port_t port, void *arg)
{
    (void)port, (void)arg;
    pongs++;
    evtchn_send(here);
}

static void ping(evtchn_port_t port, void *arg)
{
    (void)port, (void)arg;
    pings++;
}

static void waits(void *arg)
{
    (void)arg;
    events_enable();
    while (!stop_racing)
        cpu_relax();
    events_disable();
}

TEST(ping_pong_between_vcpus)
{
    if (vcpu_count() < 2)
        skip("one vcpu only");
    stop_racing = false;
    pings = pongs = 0;
    need_eq(evtchn_bind_ipi(0, &here), 0);
    need_eq(evtchn_bind_ipi(1, &there), 0);
    evtchn_set_handler(here, ping, NULL);
    evtchn_set_handler(there, pong, NULL);
    need_eq(vcpu_start(1, waits, NULL), 0);
    events_enable();
    for (unsigned i = 0; i < 200; i++) {
        check_eq(evtchn_send(there), 0);
        while (pings <= i)
            cpu_relax();
    }
    events_disable();
    stop_racing = true;
    vcpu_wait_down(1);
    check_eq(pings, 200);
    check_eq(pongs, 200);
}

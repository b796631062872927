/* SPDX-License-Identifier: MIT */
/* FIFO event channels, with a guest that eats from the queues as the ABI says: every event arrives,
 * once, in order of priority and age, whatever is masked, moved or closed meanwhile; and with
 * guests that do not keep to the rules, who may harm themselves only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "fake.h"
#include <hv/errno.h>
#include <hv/evtchn_table.h>
#include <hv/heap.h>
#include <hv/hypercall.h>
#include <pthread.h>
#include <stdlib.h>

#define VCPUS   3
#define PENDING (1u << EVTCHN_FIFO_PENDING)
#define MASKED  (1u << EVTCHN_FIFO_MASKED)
#define LINKED  (1u << EVTCHN_FIFO_LINKED)
#define BUSY    (1u << EVTCHN_FIFO_BUSY)

static struct domain *d, *other;
static size_t heap_before;
static uint64_t free_before;

/* ---- the guest's side ---- */

static struct page *array_page[4], *control_page[VCPUS];
static struct evtchn_fifo_control_block *control[VCPUS];
static uint32_t heads[VCPUS][EVTCHN_FIFO_MAX_QUEUES];

static long op(int cmd, void *arg)
{
    fake_run(d->vcpu[0]);
    return do_event_channel_op(cmd, guest_ptr((uintptr_t)arg));
}

static uint32_t *word(uint32_t port)
{
    return (uint32_t *)page_virt(array_page[port / 1024]) + port % 1024;
}

static long init_control(unsigned int vcpu, uint64_t gfn_n, uint32_t offset)
{
    struct evtchn_init_control a = {.control_gfn = gfn_n, .offset = offset, .vcpu = vcpu};
    long rc = op(EVTCHNOP_init_control, &a);

    if (rc == 0)
        assert_int_equal(a.link_bits, EVTCHN_FIFO_LINK_BITS);
    return rc;
}

static long expand(uint64_t gfn_n)
{
    return op(EVTCHNOP_expand_array, &(struct evtchn_expand_array){.array_gfn = gfn_n});
}

static long bind_ipi(unsigned int vcpu)
{
    struct evtchn_bind_ipi a = {.vcpu = vcpu};
    long rc = op(EVTCHNOP_bind_ipi, &a);

    return rc ? rc : (long)a.port;
}

static long send(uint32_t port)
{
    return op(EVTCHNOP_send, &(struct evtchn_send){port});
}

static long close_port(uint32_t port)
{
    return op(EVTCHNOP_close, &(struct evtchn_close){port});
}

static long unmask(uint32_t port)
{
    return op(EVTCHNOP_unmask, &(struct evtchn_unmask){port});
}

static long set_priority(uint32_t port, uint32_t priority)
{
    return op(EVTCHNOP_set_priority, &(struct evtchn_set_priority){port, priority});
}

static long reset(void)
{
    return op(EVTCHNOP_reset, &(struct evtchn_reset){DOMID_SELF});
}

static uint32_t atomic_clear(uint32_t *w, uint32_t bits)
{
    return __atomic_fetch_and(w, ~bits, __ATOMIC_SEQ_CST);
}

/* Take one port off queue @q of @vcpu; 0: empty. It may turn out not to be pending. */
static uint32_t take(unsigned int vcpu, unsigned int q)
{
    uint32_t port = heads[vcpu][q], old, *w;

    if (!port)
        port = READ_ONCE(control[vcpu]->head[q]);
    if (!port)
        return 0;
    w = word(port);
    old = READ_ONCE(*w);
    while (!__atomic_compare_exchange_n(w, &old, old & ~(LINKED | EVTCHN_FIFO_LINK_MASK), false,
                                        __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        ;
    heads[vcpu][q] = old & EVTCHN_FIFO_LINK_MASK;
    return port;
}

/* Eat everything on @vcpu; calls @event for each port that was pending and not masked. */
static void eat(unsigned int vcpu, void (*event)(unsigned int vcpu, unsigned int q, uint32_t port))
{
    uint32_t ready = 0;

    __atomic_store_n(&d->vcpu[vcpu]->info->evtchn_upcall_pending, 0, __ATOMIC_SEQ_CST);
    while ((ready |= __atomic_exchange_n(&control[vcpu]->ready, 0, __ATOMIC_SEQ_CST))) {
        unsigned int q = (unsigned int)__builtin_ctz(ready);
        uint32_t port = take(vcpu, q);

        if (port && !(READ_ONCE(*word(port)) & MASKED) &&
            (atomic_clear(word(port), PENDING) & PENDING))
            event(vcpu, q, port);
        if (!heads[vcpu][q])
            ready &= ~(1u << q);
    }
}

static uint32_t got[64];
static unsigned int nr_got, last_vcpu;

static void note(unsigned int vcpu, unsigned int q, uint32_t port)
{
    (void)q;
    last_vcpu = vcpu;
    if (nr_got < ARRAY_SIZE(got))
        got[nr_got++] = port;
}

/* ---- life ---- */

static struct page *new_page(void)
{
    struct page *pg = page_alloc_domain(d, 0, 0, false);

    assert_non_null(pg);
    return pg;
}

static int setup(void **state)
{
    (void)state;
    fake_init_alloc(16384, 4);
    memset(heads, 0, sizeof(heads));
    nr_got = 0;
    d = fake_domain(1, false, VCPUS);
    other = fake_domain(2, false, 1);
    fake_run(d->vcpu[0]);
    free(malloc(1));
    heap_before = heap_used();
    assert_int_equal(evtchn_domain_init(d, ~0u), 0);
    assert_int_equal(evtchn_domain_init(other, 63), 0);
    free_before = page_free_count();
    for (unsigned int i = 0; i < ARRAY_SIZE(array_page); i++)
        array_page[i] = new_page();
    for (unsigned int i = 0; i < VCPUS; i++) {
        control_page[i] = new_page();
        control[i] = page_virt(control_page[i]);
    }
    return 0;
}

static int setup_fifo(void **state)
{
    setup(state);
    for (unsigned int i = 0; i < VCPUS; i++)
        assert_int_equal(init_control(i, page_mfn(control_page[i]).n, 0), 0);
    assert_int_equal(expand(page_mfn(array_page[0]).n), 0);
    return 0;
}

static void give_up(struct page *pg)
{
    assert_int_equal(pg->count & PGC_COUNT_MASK, 1);
    assert_int_equal(pgt_count(pg->type), 0);
    assert_true(page_get(pg, d));
    assert_true(page_release(pg));
    page_put(pg);
}

static int teardown(void **state)
{
    (void)state;
    assert_int_equal(evtchn_audit(d), 0);
    d->is_dying = other->is_dying = DOMDYING_DYING;
    fake_preempt_every = 0;
    assert_int_equal(evtchn_domain_destroy(other), 0);
    assert_int_equal(evtchn_domain_destroy(d), 0);
    for (unsigned int i = 0; i < ARRAY_SIZE(array_page); i++)
        give_up(array_page[i]);
    for (unsigned int i = 0; i < VCPUS; i++)
        give_up(control_page[i]);
    evtchn_domain_free(d);
    evtchn_domain_free(other);
    assert_int_equal(heap_used(), heap_before);
    assert_int_equal(d->refcnt, 1);
    return 0;
}

/* ---- operations ---- */

static void arguments_are_checked(void **state)
{
    uint64_t good = page_mfn(control_page[0]).n;
    struct page *theirs = page_alloc_domain(other, 0, 0, false);

    (void)state;
    assert_int_equal(expand(good), -EOPNOTSUPP);
    assert_int_equal(init_control(VCPUS, good, 0), -ENOENT);
    assert_int_equal(init_control(~0u, good, 0), -ENOENT);
    assert_int_equal(init_control(0, good, 4), -EINVAL);
    assert_int_equal(init_control(0, good, 4096 - 64), -EINVAL);
    assert_int_equal(init_control(0, good, ~7u), -EINVAL);
    assert_int_equal(init_control(0, ~0UL, 0), -EINVAL);
    assert_int_equal(init_control(0, page_mfn(theirs).n, 0), -EINVAL);
    assert_int_equal(d->evtchn->fifo_mode, FIFO_OFF); /* 188: nothing is left of failures */
    fake_to_table(control_page[0]);
    assert_int_equal(init_control(0, good, 0), -EINVAL); /* a page table */
    fake_from_table(control_page[0]);
    assert_int_equal(init_control(0, good, 4096 - 72), 0);
    assert_int_equal(init_control(0, page_mfn(control_page[1]).n, 0), -EINVAL); /* has one */
    assert_int_equal(init_control(1, good, 0), 0); /* two in one page: fine */
    assert_int_equal(expand(page_mfn(theirs).n), -EINVAL);
    assert_int_equal(expand(max_page), -EINVAL);
    assert_int_equal(expand(page_mfn(array_page[0]).n), 0);
    assert_int_equal(set_priority(1, 3), -EACCES);
    assert_int_equal(set_priority(1u << 20, 3), -EINVAL);
    assert_int_equal(bind_ipi(0), 1);
    assert_int_equal(set_priority(1, 16), -EINVAL);
    assert_int_equal(set_priority(1, ~0u), -EINVAL);
    assert_int_equal(set_priority(1, 15), 0);
    assert_true(page_get(theirs, other) && page_release(theirs));
    page_put(theirs);
}

static void the_array_has_an_end(void **state)
{
    (void)state;
    assert_int_equal(init_control(0, page_mfn(control_page[0]).n, 0), 0);
    for (unsigned int i = 0; i < 128; i++)
        assert_int_equal(expand(page_mfn(array_page[0]).n), 0);
    assert_int_equal(expand(page_mfn(array_page[0]).n), -ENOSPC);
    assert_int_equal(reset(), 0);
    assert_int_equal(pgt_count(array_page[0]->type), 0);
}

static void events_arrive_in_order(void **state)
{
    long p[6];

    (void)state;
    for (unsigned int i = 0; i < 6; i++)
        p[i] = bind_ipi(1);
    assert_int_equal(set_priority(p[4], 2), 0);
    assert_int_equal(set_priority(p[5], 12), 0);
    assert_int_equal(send(p[5]), 0);
    for (unsigned int i = 0; i < 5; i++)
        assert_int_equal(send(p[i]), 0);
    assert_int_equal(send(p[2]), 0); /* again: still once */
    assert_int_equal(d->vcpu[1]->info->evtchn_upcall_pending, 1);
    eat(0, note);
    assert_int_equal(nr_got, 0);
    eat(1, note);
    assert_int_equal(nr_got, 6);
    assert_int_equal(got[0], p[4]);
    for (unsigned int i = 0; i < 4; i++)
        assert_int_equal(got[i + 1], p[i]);
    assert_int_equal(got[5], p[5]);
    assert_int_equal(send(p[3]), 0); /* the former tail, eaten: starts a new queue */
    assert_int_equal(send(p[0]), 0);
    nr_got = 0;
    eat(1, note);
    assert_int_equal(nr_got, 2);
    assert_int_equal(got[0], p[3]);
}

static void masked_events_wait(void **state)
{
    long p = bind_ipi(0);

    (void)state;
    *word(p) |= MASKED;
    assert_int_equal(send(p), 0);
    assert_int_equal(*word(p), PENDING | MASKED);
    assert_int_equal(control[0]->ready, 0);
    assert_true(1 == evtchn_port_pending(d, p));
    assert_int_equal(unmask(p), 0);
    assert_int_equal(*word(p), PENDING | LINKED);
    eat(0, note);
    assert_int_equal(nr_got, 1);
    assert_int_equal(unmask(p), 0);
    assert_int_equal(*word(p), 0);
}

/* F3: a tail that moved to another vcpu or priority must not be appended to in its old queue. */
static void moved_tails(void **state)
{
    struct evtchn_alloc_unbound a = {.dom = DOMID_SELF, .remote_dom = DOMID_SELF};
    struct evtchn_bind_interdomain b = {.remote_dom = DOMID_SELF};
    struct evtchn_bind_vcpu v = {.vcpu = 2};
    long p1, p2;

    (void)state;
    assert_int_equal(op(EVTCHNOP_alloc_unbound, &a), 0);
    b.remote_port = a.port;
    *word(2) |= MASKED; /* what bind_interdomain sends is of no interest */
    assert_int_equal(op(EVTCHNOP_bind_interdomain, &b), 0);
    assert_int_equal(b.local_port, 2);
    p1 = a.port;
    p2 = bind_ipi(0);
    assert_int_equal(send(b.local_port), 0); /* p1 is the tail on vcpu 0 */
    eat(0, note);
    v.port = p1;
    assert_int_equal(op(EVTCHNOP_bind_vcpu, &v), 0);
    assert_int_equal(send(b.local_port), 0); /* now on vcpu 2 */
    assert_int_equal(send(p2), 0);           /* must not hang behind it */
    nr_got = 0;
    eat(0, note);
    assert_int_equal(nr_got, 1);
    assert_int_equal(got[0], p2);
    eat(2, note);
    assert_int_equal(nr_got, 2);
    assert_int_equal(got[1], p1);
    /* While linked on vcpu 2 a change of vcpu does not take it out of there. */
    assert_int_equal(send(b.local_port), 0);
    v.vcpu = 1;
    assert_int_equal(op(EVTCHNOP_bind_vcpu, &v), 0);
    assert_int_equal(send(b.local_port), 0);
    eat(1, note);
    assert_int_equal(nr_got, 2);
    eat(2, note);
    assert_int_equal(nr_got, 3);
    assert_int_equal(last_vcpu, 2);
}

/* Events of ports whose word does not exist yet, and of the 2-level time, arrive with the page. */
static void events_before_the_array(void **state)
{
    long p = bind_ipi(0), q = bind_ipi(1);

    (void)state;
    assert_int_equal(send(p), 0);
    assert_true(test_bit(p, d->shared_info->evtchn_pending));
    for (unsigned int i = 0; i < VCPUS; i++)
        assert_int_equal(init_control(i, page_mfn(control_page[i]).n, 64), 0);
    for (unsigned int i = 0; i < VCPUS; i++)
        control[i] = (void *)((char *)page_virt(control_page[i]) + 64);
    assert_int_equal(send(q), 0);
    assert_true(1 == evtchn_port_pending(d, q));
    assert_int_equal(unmask(q), 0);
    assert_int_equal(expand(page_mfn(array_page[0]).n), 0);
    eat(0, note);
    assert_int_equal(nr_got, 1);
    assert_int_equal(got[0], p);
    eat(1, note);
    assert_int_equal(nr_got, 2);
    assert_int_equal(got[1], q);
}

/* A closed port is not handed out again while its word is in a queue. */
static void linked_ports_are_busy(void **state)
{
    long p = bind_ipi(0);

    (void)state;
    assert_int_equal(send(p), 0);
    assert_int_equal(close_port(p), 0);
    assert_int_equal(*word(p) & PENDING, 0);
    assert_int_equal(bind_ipi(0), p + 1);
    eat(0, note);
    assert_int_equal(nr_got, 0);
    assert_int_equal(bind_ipi(0), p);
}

/* 505 and the way back: after a reset the 2-level layout works, and FIFO can be started again. */
static void reset_and_start_again(void **state)
{
    (void)state;
    for (unsigned int round = 0; round < 3; round++) {
        long p = bind_ipi(0);

        assert_int_equal(send(p), 0);
        assert_int_equal(control[0]->head[EVTCHN_FIFO_PRIORITY_DEFAULT], p);
        assert_int_equal(reset(), 0);
        assert_int_equal(pgt_count(control_page[0]->type), 0);
        assert_int_equal(expand(page_mfn(array_page[0]).n), -EOPNOTSUPP);
        p = bind_ipi(0);
        assert_int_equal(send(p), 0);
        assert_true(test_bit(p, d->shared_info->evtchn_pending));
        assert_int_equal(close_port(p), 0);
        memset(page_virt(array_page[0]), 0, PAGE_SIZE);
        for (unsigned int i = 0; i < VCPUS; i++) {
            memset(control[i], 0, sizeof(*control[i]));
            assert_int_equal(init_control(i, page_mfn(control_page[i]).n, 0), 0);
        }
        assert_int_equal(expand(page_mfn(array_page[0]).n), 0);
    }
}

/* 342: beyond the bit maps, and back to 2-level with such ports valid. */
static void many_ports(void **state)
{
    long p = 0, n = 0;

    (void)state;
    for (unsigned int i = 1; i < ARRAY_SIZE(array_page); i++)
        assert_int_equal(expand(page_mfn(array_page[i]).n), 0);
    while (n < 9000 && (p = bind_ipi(0)) > 0)
        n++;
    assert_int_equal(n, 9000);
    assert_int_equal(send(4095), 0);
    assert_int_equal(send(p), 0); /* has no word */
    eat(0, note);
    assert_int_equal(nr_got, 1);
    assert_int_equal(got[0], 4095);
    assert_int_equal(reset(), 0);
    assert_true(evtchn_port_pending(d, p) >= 0);
    assert_int_equal(unmask(p), 0);
    assert_false(evtchn_port_pending(d, p));
    assert_int_equal(send(p), -EINVAL);
}

/* 107: no control block on the target vcpu. */
static void no_control_block(void **state)
{
    long p;

    (void)state;
    assert_int_equal(init_control(0, page_mfn(control_page[0]).n, 0), 0);
    assert_int_equal(expand(page_mfn(array_page[0]).n), 0);
    p = bind_ipi(1);
    assert_int_equal(send(p), 0);
    assert_true(1 == evtchn_port_pending(d, p));
    p = bind_ipi(0);
    assert_int_equal(send(p), 0);
    assert_int_equal(control[0]->ready, 1u << EVTCHN_FIFO_PRIORITY_DEFAULT);
}

static void counted_refs(void *ctx, mfn_t m, bool writable)
{
    assert_true(writable);
    assert_true(mfn_valid(m));
    ++*(unsigned int *)ctx;
}

static void references_are_reported(void **state)
{
    unsigned int n = 0;

    (void)state;
    evtchn_audit_refs(d, counted_refs, &n);
    assert_int_equal(n, VCPUS + 1);
}

/* ---- random, against what must arrive ---- */

#define PORTS 40
static bool due[PORTS + 1];
static unsigned int prio[PORTS + 1], where[PORTS + 1];
static unsigned int nr_events;

static unsigned long rnd(unsigned long n)
{
    return (unsigned long)random() % n;
}

static void due_now(unsigned int vcpu, unsigned int q, uint32_t port)
{
    (void)vcpu, (void)q;
    assert_true(port <= PORTS && due[port]);
    due[port] = false;
    nr_events++;
}

static void all_eaten(void)
{
    for (unsigned int v = 0; v < VCPUS; v++)
        eat(v, due_now);
    for (unsigned int p = 1; p <= PORTS; p++)
        assert_true(!due[p] || (*word(p) & MASKED));
}

static void random_events(void **state)
{
    (void)state;
    srandom(99);
    nr_events = 0;
    memset(due, 0, sizeof(due));
    for (unsigned int p = 1; p <= PORTS; p++) {
        where[p] = p % VCPUS;
        assert_int_equal(bind_ipi(where[p]), p);
    }
    for (unsigned int i = 0; i < 500000; i++) {
        unsigned int p = 1 + rnd(PORTS);

        switch (rnd(12)) {
        case 0:
            prio[p] = rnd(4) * 5;
            assert_int_equal(set_priority(p, prio[p]), 0);
            break;
        case 1:
            if (!(__atomic_fetch_or(word(p), MASKED, __ATOMIC_SEQ_CST) & MASKED) && rnd(2)) {
                assert_int_equal(unmask(p), 0);
            }
            break;
        case 2:
            assert_int_equal(unmask(p), 0);
            break;
        case 3:
            all_eaten();
            break;
        case 4: /* one bite only */
            if (control[p % VCPUS]->ready) {
                unsigned int q = (unsigned int)__builtin_ctz(control[p % VCPUS]->ready);
                uint32_t port = take(p % VCPUS, q);

                if (port && !(*word(port) & MASKED) &&
                    (atomic_clear(word(port), PENDING) & PENDING))
                    due_now(p % VCPUS, q, port);
                if (!heads[p % VCPUS][q])
                    atomic_clear(&control[p % VCPUS]->ready, 1u << q);
            }
            break;
        case 5:
            assert_int_equal(close_port(p), 0);
            due[p] = false;
            all_eaten(); /* now it can be had again, as the only free one */
            assert_int_equal(bind_ipi(rnd(VCPUS)), p);
            break;
        default:
            assert_int_equal(send(p), 0);
            due[p] = true;
        }
    }
    for (unsigned int p = 1; p <= PORTS; p++)
        assert_int_equal(unmask(p), 0);
    all_eaten();
    for (unsigned int p = 1; p <= PORTS; p++)
        assert_false(due[p]);
    assert_true(nr_events > 10000);
}

/* ---- two senders and an eater at once: nothing is lost ---- */

static volatile bool stop;
static unsigned int seen[PORTS + 1];
static unsigned int sent[PORTS + 1];

static void count(unsigned int vcpu, unsigned int q, uint32_t port)
{
    (void)vcpu, (void)q;
    __atomic_store_n(&seen[port], __atomic_load_n(&sent[port], __ATOMIC_SEQ_CST), __ATOMIC_SEQ_CST);
}

static void *sender(void *arg)
{
    unsigned int me = (unsigned int)(uintptr_t)arg, seed = me;

    fake_cpu(me);
    fake_run(d->vcpu[0]);
    for (unsigned int i = 0; i < 150000; i++) {
        unsigned int p = 1 + rand_r(&seed) % PORTS;

        __atomic_add_fetch(&sent[p], 1, __ATOMIC_SEQ_CST);
        send(p);
        if (rand_r(&seed) % 16 == 0)
            set_priority(p, rand_r(&seed) % 16);
        if (rand_r(&seed) % 16 == 0) {
            __atomic_fetch_or(word(p), MASKED, __ATOMIC_SEQ_CST);
            unmask(p);
        }
    }
    return NULL;
}

static void *eater(void *arg)
{
    (void)arg;
    fake_cpu(3);
    while (!stop)
        for (unsigned int v = 0; v < VCPUS; v++)
            eat(v, count);
    return NULL;
}

static void nothing_is_lost(void **state)
{
    pthread_t t[2], e;

    (void)state;
    stop = false;
    memset(seen, 0, sizeof(seen));
    memset(sent, 0, sizeof(sent));
    for (unsigned int p = 1; p <= PORTS; p++)
        assert_int_equal(bind_ipi(p % VCPUS), p);
    assert_int_equal(pthread_create(&e, NULL, eater, NULL), 0);
    for (uintptr_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&t[i], NULL, sender, (void *)(i + 1)), 0);
    for (unsigned int i = 0; i < 2; i++)
        pthread_join(t[i], NULL);
    stop = true;
    pthread_join(e, NULL);
    for (unsigned int v = 0; v < VCPUS; v++)
        eat(v, count);
    for (unsigned int p = 1; p <= PORTS; p++) {
        assert_int_equal(seen[p], sent[p]);
        assert_int_equal(*word(p) & (PENDING | LINKED), 0);
    }
}

/* ---- 295 and kin: a guest that scribbles over its words while we work with them ---- */

static void *scribbler(void *arg)
{
    unsigned int seed = 5;

    (void)arg;
    while (!stop) {
        unsigned int p = rand_r(&seed) % 64, v = rand_r(&seed) % VCPUS;

        WRITE_ONCE(*word(p), ((uint32_t)rand_r(&seed) << 16) ^ (uint32_t)rand_r(&seed));
        WRITE_ONCE(control[v]->ready, (uint32_t)rand_r(&seed));
        WRITE_ONCE(control[v]->head[rand_r(&seed) % 16], (uint32_t)rand_r(&seed) << 8);
    }
    return NULL;
}

static void *fickle_sender(void *arg)
{
    unsigned int me = (unsigned int)(uintptr_t)arg, seed = me;

    fake_cpu(me);
    fake_run(d->vcpu[0]);
    for (unsigned int i = 0; i < 100000; i++) {
        unsigned int p = 1 + rand_r(&seed) % PORTS;

        switch (rand_r(&seed) % 8) {
        case 0:
            set_priority(p, rand_r(&seed) % 16);
            break;
        case 1:
            close_port(p);
            bind_ipi(rand_r(&seed) % VCPUS);
            break;
        case 2:
            if (i % 512 == 0) {
                reset();
                init_control(rand_r(&seed) % VCPUS, page_mfn(control_page[me]).n, 0);
                expand(page_mfn(array_page[me]).n);
            }
            break;
        case 3:
            unmask(p);
            evtchn_port_pending(d, p);
            break;
        default:
            send(p);
        }
    }
    return NULL;
}

static void scribbled_words(void **state)
{
    pthread_t t[2], e;

    (void)state;
    stop = false;
    for (unsigned int p = 1; p <= PORTS; p++)
        assert_int_equal(bind_ipi(p % VCPUS), p);
    assert_int_equal(pthread_create(&e, NULL, scribbler, NULL), 0);
    for (uintptr_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&t[i], NULL, fickle_sender, (void *)(i + 1)), 0);
    for (unsigned int i = 0; i < 2; i++)
        pthread_join(t[i], NULL);
    stop = true;
    pthread_join(e, NULL);
}

#define P(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define T(f) cmocka_unit_test_setup_teardown(f, setup_fifo, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        P(arguments_are_checked),
        P(the_array_has_an_end),
        T(events_arrive_in_order),
        T(masked_events_wait),
        T(moved_tails),
        P(events_before_the_array),
        T(linked_ports_are_busy),
        T(reset_and_start_again),
        T(many_ports),
        P(no_control_block),
        T(references_are_reported),
        T(random_events),
        T(nothing_is_lost),
        T(scribbled_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

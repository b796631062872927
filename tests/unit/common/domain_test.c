/* SPDX-License-Identifier: MIT */
/* The life of domains: creation and its failures, lookup, references, shutdown, crash, destruction
 * in the middle of whatever, and that all memory is back afterwards. The real modules are behind
 * it, but for the architecture's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "fake.h"
#include <hv/errno.h>
#include <hv/evtchn.h>
#include <hv/gnttab.h>
#include <hv/heap.h>
#include <hv/hypercall.h>
#include <hv/runqueue.h>
#include <hv/softirq.h>
#include <hv/timer.h>
#include <pthread.h>
#include <stdlib.h>
#include <xen/domctl.h>
#include <xen/event_channel.h>
#include <xen/sched.h>
#include <xen/sysctl.h>

#define CPUS 2

static __thread jmp_buf base;
static uint64_t free_before;
static size_t heap_before;

void context_switch(struct vcpu *prev, struct vcpu *next)
{
    pcpu_self()->curr = next;
    sched_switched_out(prev);
    longjmp(base, 1);
}

static void one_pass(void)
{
    if (!setjmp(base))
        softirq_run();
}

/* Softirqs on all pcpus until there are none, or a bound is reached. */
static void settle(void)
{
    for (unsigned int i = 0; i < 1000; i++) {
        bool any = false;

        for (unsigned int cpu = 0; cpu < CPUS; cpu++) {
            fake_cpu(cpu);
            if (fake_timer_deadline[cpu] <= fake_now) {
                fake_timer_deadline[cpu] = STIME_MAX;
                softirq_raise(SOFTIRQ_TIMER);
            }
            if (softirq_pending()) {
                any = true;
                one_pass();
            }
        }
        if (!any)
            break;
    }
    fake_cpu(0);
}

/* The real domain.c has a table of its own, which outlives a test: everybody is put to an end. */
static int setup(void **state)
{
    (void)state;
    fake_init_alloc(16384, CPUS);
    cpu_online_map.bits = (1UL << CPUS) - 1;
    fake_now = 1000;
    sched_init(NULL);
    for (unsigned int i = 0; i < CPUS; i++) {
        timer_init_cpu(i);
        sched_init_cpu(i);
    }
    page_alloc_drain();
    free_before = page_free_count();
    heap_before = heap_used();
    return 0;
}

static int teardown(void **state)
{
    struct domain *d = NULL;

    (void)state;
    fake_cpu(0);
    fake_run(pcpu_self()->idle);
    dom0 = NULL;
    while ((d = domain_next(d))) {
        while (domain_kill(d) == -ERESTART)
            settle();
    }
    settle();
    return 0;
}

static void check_all_back(void)
{
    page_alloc_drain();
    assert_int_equal(page_free_count(), free_before);
    assert_int_equal(heap_used(), heap_before);
}

static struct domain_params params(domid_t id)
{
    return (struct domain_params){
        .id = id,
        .privileged = id == 0,
        .max_vcpus = 2,
        .max_pages = 1000,
        .max_evtchn_port = 1023,
        .max_grant_frames = 4,
        .max_maptrack_frames = 4,
        .weight = 256,
        .name = "test",
    };
}

/* A domain as the builder leaves it. */
static struct domain *build(domid_t id)
{
    struct domain_params p = params(id);
    int rc;
    struct domain *d = domain_create(&p, &rc);

    if (!d)
        fail_msg("domain_create: %d", rc);
    d->vcpu[0]->is_initialised = true;
    if (id == 0)
        dom0 = d;
    domain_publish(d);
    return d;
}

static void destroy(struct domain *d)
{
    unsigned int n = 0;
    int rc;

    while ((rc = domain_kill(d)) == -ERESTART) {
        settle();
        assert_true(++n < 1000);
    }
    assert_int_equal(rc, 0);
    settle();
}

/* ---- creation ---- */

static void test_create_and_destroy(void **state)
{
    struct domain *d;

    (void)state;
    for (unsigned int round = 0; round < 3; round++) {
        d = build(5);
        assert_int_equal(d->id, 5);
        assert_ptr_equal(domain_by_id(5), d);
        domain_put(d);
        for (unsigned int i = 0; i < 32; i++)
            assert_int_equal(d->shared_info->vcpu_info[i].evtchn_upcall_mask, 1);
        assert_true(d->vcpu[0]->pause_count == 1 && !d->vcpu[0]->pause_flags);
        assert_true(d->vcpu[1]->pause_flags == 1u << VPF_DOWN);
        for (unsigned int i = 0; i < 20; i++)
            assert_non_null(page_alloc_domain(d, 0, 0, false));
        destroy(d);
        assert_null(domain_by_id(5));
        check_all_back();
    }
}

static void test_create_refuses(void **state)
{
    struct domain_params p = params(1);
    struct domain *d = build(1);
    int rc;

    (void)state;
    assert_null(domain_create(&p, &rc));
    assert_int_equal(rc, -EEXIST);
    p.id = MAX_DOMAINS;
    assert_null(domain_create(&p, &rc));
    assert_int_equal(rc, -EINVAL);
    p.id = DOMID_SELF;
    assert_null(domain_create(&p, &rc));
    p = params(2);
    p.max_vcpus = 0;
    assert_null(domain_create(&p, &rc));
    p.max_vcpus = MAX_VCPUS + 1;
    assert_null(domain_create(&p, &rc));
    assert_int_equal(rc, -EINVAL);
    destroy(d);
    check_all_back();
}

/* Memory runs out at each point of creation in turn; nothing is lost. */
static void test_create_without_memory(void **state)
{
    struct domain *d = NULL;
    unsigned int failed = 0;

    (void)state;
    for (unsigned int leave = 0; leave < 40; leave++) {
        struct domain_params p = params(3);
        static struct page *all[16384];
        unsigned int n = 0;
        int rc;

        while ((all[n] = page_alloc(0, 0)))
            n++;
        for (unsigned int i = 0; i < leave && n; i++)
            page_free(all[--n], 0);
        d = domain_create(&p, &rc);
        failed += !d;
        if (d)
            destroy(d);
        while (n)
            page_free(all[--n], 0);
        check_all_back();
    }
    assert_true(failed > 3);
    assert_non_null(d);
}

static void test_many_vcpus(void **state)
{
    struct domain_params p = params(4);
    struct domain *d;
    int rc;

    (void)state;
    p.max_vcpus = MAX_VCPUS;
    d = domain_create(&p, &rc);
    assert_non_null(d);
    assert_ptr_equal(domain_vcpu(d, 127), d->vcpu[127]);
    assert_null(domain_vcpu(d, 128));
    assert_null(domain_vcpu(d, ~0u));
    assert_ptr_equal(d->vcpu[31]->info, &d->shared_info->vcpu_info[31]);
    assert_int_equal(d->vcpu[32]->info->evtchn_upcall_mask, 1);
    assert_ptr_not_equal(d->vcpu[32]->info, d->vcpu[33]->info);
    destroy(d);
    check_all_back();
}

/* ---- lookup and references ---- */

static void test_lookup(void **state)
{
    struct domain_params p = params(7);
    struct domain *d, *hidden, *it = NULL;
    unsigned int n = 0;
    int rc;

    (void)state;
    d = build(0);
    build(9);
    hidden = domain_create(&p, &rc);
    assert_null(domain_by_id(7)); /* not published yet */
    assert_null(domain_by_id(8));
    assert_null(domain_by_id(MAX_DOMAINS));
    assert_null(domain_by_id(DOMID_IDLE));
    assert_null(domain_by_id(0xffff));
    fake_run(d->vcpu[0]);
    assert_ptr_equal(domain_peer(DOMID_SELF), d);
    assert_ptr_equal(domain_peer(d->id), d);
    domain_peer_put(d);
    fake_run(pcpu_self()->idle);
    while ((it = domain_next(it)))
        n += it->id + 100;
    assert_int_equal(n, 209);
    destroy(hidden);
}

/* While somebody has a reference the memory stays and the id is not given to another. */
static void test_reference_keeps_it(void **state)
{
    struct domain_params p = params(6);
    struct domain *d = build(6);
    int rc;

    (void)state;
    assert_true(domain_get(d));
    destroy(d);
    assert_int_equal(d->is_dying, DOMDYING_DEAD);
    assert_null(domain_by_id(6));
    assert_null(domain_create(&p, &rc));
    assert_int_equal(rc, -EEXIST);
    domain_put(d);
    settle();
    check_all_back();
    build(6);
}

/* A frame that another domain still refers to keeps its domain. */
static void test_page_keeps_it(void **state)
{
    struct domain *d = build(6);
    struct page *pg = page_alloc_domain(d, 0, 0, false);

    (void)state;
    assert_true(page_get(pg, d));
    destroy(d);
    assert_ptr_equal(page_owner(pg), d);
    page_put(pg);
    settle();
    check_all_back();
}

/* Nor is it freed while somebody maps what it shares with the hypervisor. */
static void test_shared_page_keeps_it(void **state)
{
    struct domain *d = build(6);
    struct page *pg = mfn_page(virt_to_mfn(d->shared_info));
    mfn_t grant;

    (void)state;
    assert_int_equal(gnttab_get_shared_frame(d, 0, &grant), 0);
    assert_true(page_get(pg, d));
    assert_true(page_get(mfn_page(grant), d));
    destroy(d);
    page_put(pg);
    fake_now += SECONDS(1);
    settle();
    assert_ptr_equal(page_owner(mfn_page(grant)), d);
    page_put(mfn_page(grant));
    fake_now += SECONDS(1);
    settle();
    /* The timer that looks again and the tasklet's pcpu keep nothing. */
    check_all_back();
}

/* The machine ends while a domain's destruction waits for its turn on a pcpu that has stopped. */
static void test_reaped_at_the_end(void **state)
{
    struct domain *d = build(7);

    (void)state;
    fake_cpu(1);
    domain_destroy_async(d);
    fake_cpu(0);
    while (domain_kill(d) == -ERESTART)
        ;
    pcpus[1].tasklets = NULL;
    domain_reap();
    check_all_back();
}

static volatile bool stop;

static void *look_up(void *arg)
{
    unsigned long *found = arg;

    fake_cpu(1);
    while (!stop) {
        struct domain *d = domain_by_id(11);

        if (softirq_pending()) /* ours was the last reference to one: its end is this pcpu's work */
            one_pass();
        if (!d)
            continue;
        if (d->id != 11 || !d->shared_info)
            abort();
        ++*found;
        domain_put(d);
    }
    return NULL;
}

static void test_lookup_races_with_destruction(void **state)
{
    unsigned long found = 0;
    pthread_t thread;

    (void)state;
    stop = false;
    pthread_create(&thread, NULL, look_up, &found);
    for (unsigned int i = 0; i < 300; i++) {
        struct domain_params p = params(11);
        struct domain *d;
        int rc;

        while (!(d = domain_create(&p, &rc)))
            one_pass();
        domain_publish(d);
        while (domain_kill(d) == -ERESTART)
            ;
        one_pass();
    }
    stop = true;
    pthread_join(thread, NULL);
    settle();
    assert_null(domain_by_id(11));
}

/* ---- a pcpu that is slow in switching away ---- */

static void *switch_out(void *vcpu)
{
    fake_cpu(1);
    sched_switched_out(vcpu);
    return NULL;
}

/* From on_cpu 0 on nobody waits for the pcpu that the vcpu has left, and which still looks at it. */
static void test_not_freed_while_a_pcpu_leaves_it(void **state)
{
    struct domain_params p = params(11);
    struct domain *d = build(11);
    struct vcpu *v = d->vcpu[0];
    struct runqueue *rq;
    pthread_t thread;
    int rc;

    (void)state;
    v->pause_count = v->pause_flags = 0; /* as if it had run, and could go on */
    v->sched.on_cpu = 1;
    rq = vcpu_queue_lock(v);
    pthread_create(&thread, NULL, switch_out, v); /* waits for the lock */
    while (__atomic_load_n(&v->sched.on_cpu, __ATOMIC_ACQUIRE))
        sched_yield();
    assert_true(sched_domain_is_leaving(d));
    spin_unlock(&rq->lock);
    pthread_join(thread, NULL);
    assert_false(sched_domain_is_leaving(d));

    sched_of(1)->leaving = d;
    while (domain_kill(d) == -ERESTART)
        ;
    settle();
    assert_null(domain_create(&p, &rc)); /* it is still there */
    sched_of(1)->leaving = NULL;
    fake_now += SECONDS(1);
    settle();
    check_all_back();
}

/* ---- running, shutting down ---- */

static uint32_t virq_port(struct domain *d, unsigned int virq)
{
    struct evtchn_bind_virq op = {.virq = virq};

    fake_run(d->vcpu[0]);
    assert_int_equal(do_event_channel_op(EVTCHNOP_bind_virq, guest_ptr((uintptr_t)&op)), 0);
    fake_run(pcpu_self()->idle);
    return op.port;
}

static bool take_pending(struct domain *d, uint32_t port)
{
    return test_and_clear_bit(port, d->shared_info->evtchn_pending);
}

static void test_shutdown_and_resume(void **state)
{
    struct domain *d, *d1;
    uint32_t port;

    (void)state;
    d = build(0);
    port = virq_port(d, VIRQ_DOM_EXC);
    d1 = build(1);
    domain_unpause(d1);
    settle();
    assert_ptr_equal(pcpus[d1->vcpu[0]->sched.cpu].curr, d1->vcpu[0]);
    domain_shutdown(d1, SHUTDOWN_suspend);
    settle();
    assert_true(d1->is_shut_down);
    assert_int_equal(d1->shutdown_code, SHUTDOWN_suspend);
    assert_true(take_pending(d, port));
    assert_false(vcpu_runnable(d1->vcpu[0]));
    domain_shutdown(d1, SHUTDOWN_crash); /* too late */
    assert_int_equal(d1->shutdown_code, SHUTDOWN_suspend);
    assert_false(take_pending(d, port));
    domain_resume(d1);
    settle();
    assert_false(d1->is_shut_down);
    assert_ptr_equal(pcpus[d1->vcpu[0]->sched.cpu].curr, d1->vcpu[0]);
    domain_resume(d1);
    assert_true(vcpu_runnable(d1->vcpu[0]));
}

/* A static domain that ends is taken away, even by itself in the middle of running. */
static void test_static_domain_goes_away(void **state)
{
    struct domain *d, *d1;
    uint32_t port;

    (void)state;
    d = build(0);
    port = virq_port(d, VIRQ_DOM_EXC);
    d1 = build(1);
    domain_unpause(d1);
    settle();
    fake_cpu(d1->vcpu[0]->sched.cpu);
    assert_ptr_equal(current, d1->vcpu[0]);
    domain_crash(d1, "for the test: %d", 42);
    domain_crash(d1, "again");
    assert_non_null(strstr(fake_log, "for the test: 42"));
    assert_null(strstr(fake_log, "again"));
    settle();
    assert_null(domain_by_id(1));
    assert_true(take_pending(d, port));
    fake_cpu(0);
}

static void test_preserved_domain_stays(void **state)
{
    struct domain *d;

    (void)state;
    build(0);
    d = build(1);
    d->on_shutdown = BOOT_PRESERVE;
    domain_unpause(d);
    settle();
    domain_shutdown(d, SHUTDOWN_poweroff);
    settle();
    assert_ptr_equal(domain_by_id(1), d);
    domain_put(d);
}

static uint32_t ended;

void machine_shutdown(uint32_t reason)
{
    assert_true(current->domain->is_idle);
    for_each_vcpu (dom0, v)
        assert_false(v->sched.on_cpu && v->sched.cpu == smp_processor_id());
    ended = reason + 1;
    longjmp(base, 1);
}

static void test_end_of_dom0_ends_the_machine(void **state)
{
    struct domain *d, *d1;

    (void)state;
    d = build(0);
    d1 = build(1);
    domain_unpause(d);
    domain_unpause(d1);
    settle();
    ended = 0;
    fake_cpu(d->vcpu[0]->sched.cpu);
    domain_shutdown(d, SHUTDOWN_reboot);
    settle();
    assert_int_equal(ended, SHUTDOWN_reboot + 1);
}

/* ---- destruction of a domain that is doing something ---- */

static void test_destroy_a_running_domain(void **state)
{
    struct vcpu_set_singleshot_timer t = {.timeout_abs_ns = (uint64_t)fake_now + 100};
    struct sched_watchdog w = {.timeout = 1};
    struct domain *d;

    (void)state;
    d = build(2);
    domain_unpause(d);
    settle();
    fake_cpu(d->vcpu[0]->sched.cpu);
    assert_ptr_equal(current, d->vcpu[0]);
    assert_int_equal(do_vcpu_op(VCPUOP_set_singleshot_timer, 0, guest_ptr((uintptr_t)&t)), 0);
    assert_int_equal(do_sched_op(SCHEDOP_watchdog, guest_ptr((uintptr_t)&w)), 1);
    assert_int_equal(domain_kill(d), -ERESTART); /* it runs */
    domain_destroy_async(d);
    settle();
    assert_null(domain_by_id(2));
    fake_now += SECONDS(10);
    settle();
    check_all_back();
}

static void test_destruction_is_preemptible(void **state)
{
    struct domain *d = build(2);
    unsigned int n = 0;

    (void)state;
    for (unsigned int i = 0; i < 300; i++)
        assert_non_null(page_alloc_domain(d, 0, 0, false));
    fake_preempt_every = 3;
    while (domain_kill(d) == -ERESTART) {
        assert_ptr_equal(domain_by_id(2), d);
        domain_put(d);
        n++;
    }
    fake_preempt_every = 0;
    assert_true(n > 50);
    settle();
    check_all_back();
}

/* ---- watchdog ---- */

static void test_watchdog_expires(void **state)
{
    struct sched_watchdog w = {.timeout = 2};
    struct domain *d;

    (void)state;
    build(0);
    d = build(1);
    d->on_shutdown = BOOT_PRESERVE;
    fake_run(d->vcpu[0]);
    assert_int_equal(do_sched_op(SCHEDOP_watchdog, guest_ptr((uintptr_t)&w)), 1);
    fake_now += SECONDS(1);
    w.id = 1;
    assert_int_equal(do_sched_op(SCHEDOP_watchdog, guest_ptr((uintptr_t)&w)), 0);
    fake_run(pcpu_self()->idle);
    fake_now += MS(1500);
    settle();
    assert_false(d->is_shut_down);
    fake_now += MS(600);
    settle();
    assert_true(d->is_shut_down);
    assert_int_equal(d->shutdown_code, SHUTDOWN_watchdog);
}

/* ---- control operations ---- */

static long domctl(struct xen_domctl *op)
{
    op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    return do_domctl(guest_ptr((uintptr_t)op));
}

static void test_domctl(void **state)
{
    struct xen_domctl op = {.cmd = XEN_DOMCTL_getdomaininfo, .domain = 1};
    struct domain *d0, *d;
    uint64_t bits = 2;

    (void)state;
    d0 = build(0);
    d = build(1);
    fake_run(d->vcpu[0]);
    assert_int_equal(domctl(&op), -EPERM);
    fake_run(d0->vcpu[0]);
    op.interface_version = 1;
    assert_int_equal(do_domctl(guest_ptr((uintptr_t)&op)), -EACCES);
    assert_int_equal(do_domctl(guest_ptr(0)), -EFAULT);
    assert_int_equal(domctl(&op), 0);
    assert_int_equal(op.u.getdomaininfo.max_pages, 1000);
    assert_int_equal(op.u.getdomaininfo.nr_online_vcpus, 1);
    assert_int_equal(op.u.getdomaininfo.max_vcpu_id, 1);
    op.domain = 77;
    assert_int_equal(domctl(&op), -ESRCH);
    op = (struct xen_domctl){.cmd = 999, .domain = 1};
    assert_int_equal(domctl(&op), -ENOSYS);

    op = (struct xen_domctl){.cmd = XEN_DOMCTL_unpausedomain, .domain = 1};
    assert_int_equal(domctl(&op), -EINVAL); /* the builder's pause is not the tools' */
    op.cmd = XEN_DOMCTL_pausedomain;
    assert_int_equal(domctl(&op), 0);
    op.domain = 0;
    assert_int_equal(domctl(&op), -EINVAL);
    op = (struct xen_domctl){.cmd = XEN_DOMCTL_unpausedomain, .domain = 1};
    assert_int_equal(domctl(&op), 0);
    assert_int_equal(d->pause_count, 1);

    op = (struct xen_domctl){.cmd = XEN_DOMCTL_setvcpuaffinity, .domain = 1};
    assert_int_equal(domctl(&op), -EINVAL);
    op.u.vcpuaffinity.flags = XEN_VCPUAFFINITY_HARD;
    op.u.vcpuaffinity.cpumap_hard.nr_bits = 8;
    op.u.vcpuaffinity.cpumap_hard.bitmap.p = (uint8_t *)&bits;
    assert_int_equal(domctl(&op), 0);
    assert_int_equal(d->vcpu[0]->sched.hard.bits, 2);
    bits = 0;
    assert_int_equal(domctl(&op), -EINVAL);
    op.u.vcpuaffinity.vcpu = 2;
    assert_int_equal(domctl(&op), -ESRCH);
    op.cmd = XEN_DOMCTL_getvcpuaffinity;
    op.u.vcpuaffinity.vcpu = 0;
    op.u.vcpuaffinity.cpumap_hard.nr_bits = 100; /* more than there are pcpus */
    {
        uint8_t map[16];

        memset(map, 0xff, sizeof(map));
        op.u.vcpuaffinity.cpumap_hard.bitmap.p = map;
        assert_int_equal(domctl(&op), 0);
        assert_int_equal(map[0], 2);
        assert_int_equal(map[12], 0);
        assert_int_equal(map[13], 0xff);
    }

    op = (struct xen_domctl){.cmd = XEN_DOMCTL_scheduler_op, .domain = 1};
    assert_int_equal(domctl(&op), -EINVAL);
    op.u.scheduler_op.sched_id = XEN_SCHEDULER_CREDIT2;
    op.u.scheduler_op.cmd = XEN_DOMCTL_SCHEDOP_putinfo;
    op.u.scheduler_op.u.credit2.weight = 512;
    op.u.scheduler_op.u.credit2.cap = 0xffff;
    assert_int_equal(domctl(&op), 0);
    assert_int_equal(d->sched.weight, 512);
    assert_int_equal(d->sched.cap, 0);

    op = (struct xen_domctl){.cmd = XEN_DOMCTL_max_mem, .domain = 1};
    op.u.max_mem.max_memkb = 4096;
    assert_int_equal(domctl(&op), 0);
    assert_int_equal(d->max_pages, 1024);

    op = (struct xen_domctl){.cmd = XEN_DOMCTL_destroydomain, .domain = 0};
    assert_int_equal(domctl(&op), -EINVAL);
    op.domain = 1;
    assert_int_equal(domctl(&op), 0);
    assert_null(domain_by_id(1));
}

/* createdomain with only @leave free pages; what the tool finds in its argument must be an answer
 * then. */
static long create_with_memory(unsigned int leave)
{
    static struct page *all[16384];
    struct xen_domctl op = {
        .cmd = XEN_DOMCTL_createdomain,
        .u.createdomain = {.max_vcpus = 5,
                           .max_evtchn_port = 1023,
                           .max_grant_frames = -1,
                           .max_maptrack_frames = -1,
                           .grant_opts = 1},
    };
    unsigned int n = 0;
    long rc;

    while ((all[n] = page_alloc(0, 0)))
        n++;
    for (unsigned int i = 0; i < leave && n; i++)
        page_free(all[--n], 0);
    rc = domctl(&op);
    settle();
    while (n)
        page_free(all[--n], 0);
    return rc ? rc : op.domain;
}

/* The memory ends at each point of createdomain in turn: no domain, nothing lost, no id used up. */
static void test_domctl_create_without_memory(void **state)
{
    struct domain *d0 = build(0), *d;
    unsigned int failed = 0;
    uint64_t pages;
    size_t heap;
    long id = -1;

    (void)state;
    page_alloc_drain();
    pages = page_free_count();
    heap = heap_used();
    for (unsigned int leave = 0; id < 0 && leave < 100; leave++) {
        fake_run(d0->vcpu[0]);
        id = create_with_memory(leave);
        if (id >= 0)
            break;
        assert_int_equal(id, -ENOMEM);
        failed++;
        for (unsigned int i = 1; i < MAX_DOMAINS; i++)
            assert_true(domain_id_is_free((domid_t)i));
        page_alloc_drain();
        assert_int_equal(page_free_count(), pages);
        assert_int_equal(heap_used(), heap);
    }
    assert_true(failed > 5);
    d = domain_by_id((domid_t)id);
    assert_non_null(d);
    assert_int_equal(d->max_vcpus, 5);
    assert_non_null(d->vcpu[4]);
    assert_int_equal(d->pause_count, 1);
    assert_int_equal(d->tool_pauses, 1);
    domain_put(d);
    destroy(d);
    page_alloc_drain();
    assert_int_equal(page_free_count(), pages);
    assert_int_equal(heap_used(), heap);
}

static void test_sysctl(void **state)
{
    struct xen_domctl_getdomaininfo info[4];
    struct xen_sysctl op = {.cmd = XEN_SYSCTL_getdomaininfolist};
    struct domain *d0;

    (void)state;
    d0 = build(0);
    build(1);
    build(3);
    fake_run(d0->vcpu[0]);
    op.interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    op.u.getdomaininfolist.first_domain = 1;
    op.u.getdomaininfolist.max_domains = 4;
    op.u.getdomaininfolist.buffer.p = info;
    assert_int_equal(do_sysctl(guest_ptr((uintptr_t)&op)), 0);
    assert_int_equal(op.u.getdomaininfolist.num_domains, 2);
    assert_int_equal(info[1].domain, 3);
    op.u.getdomaininfolist.first_domain = 0;
    op.u.getdomaininfolist.max_domains = 1;
    assert_int_equal(do_sysctl(guest_ptr((uintptr_t)&op)), 0);
    assert_int_equal(op.u.getdomaininfolist.num_domains, 1);
    op.cmd = XEN_SYSCTL_physinfo;
    assert_int_equal(do_sysctl(guest_ptr((uintptr_t)&op)), 0);
    assert_int_equal(op.u.physinfo.nr_cpus, CPUS);
    op.cmd = 12345;
    assert_int_equal(do_sysctl(guest_ptr((uintptr_t)&op)), -ENOSYS);
    op.interface_version = 1;
    assert_int_equal(do_sysctl(guest_ptr((uintptr_t)&op)), -EACCES);
    fake_run(domain_by_id(1)->vcpu[0]);
    assert_int_equal(do_sysctl(guest_ptr((uintptr_t)&op)), -EPERM);
    domain_put(current_domain());
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_create_and_destroy),
        T(test_create_refuses),
        T(test_create_without_memory),
        T(test_many_vcpus),
        T(test_lookup),
        T(test_reference_keeps_it),
        T(test_page_keeps_it),
        T(test_shared_page_keeps_it),
        T(test_reaped_at_the_end),
        T(test_lookup_races_with_destruction),
        T(test_not_freed_while_a_pcpu_leaves_it),
        T(test_shutdown_and_resume),
        T(test_static_domain_goes_away),
        T(test_preserved_domain_stays),
        T(test_destroy_a_running_domain),
        T(test_destruction_is_preemptible),
        T(test_watchdog_expires),
        T(test_domctl),
        T(test_domctl_create_without_memory),
        T(test_sysctl),
        T(test_end_of_dom0_ends_the_machine), /* the last: there is no way back */
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

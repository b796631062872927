/* SPDX-License-Identifier: MIT */
/* vcpu_op, set_timer_op and the parts of sched_op that need no scheduling: each operation good and
 * refused, with the real event channels behind them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "fake.h"
#include <hv/errno.h>
#include <hv/evtchn.h>
#include <hv/heap.h>
#include <hv/hypercall.h>
#include <hv/runqueue.h>
#include <hv/softirq.h>
#include <hv/timer.h>
#include <stdlib.h>
#include <xen/event_channel.h>
#include <xen/sched.h>
#include <xen/vcpu.h>

#define VCPUS 40

static struct domain *d;
static struct vcpu *v0, *v1;
static uint32_t timer_port;

static long vcpu_op(int cmd, unsigned int id, void *arg)
{
    return do_vcpu_op(cmd, id, guest_ptr((uintptr_t)arg));
}

static uint32_t bind_virq(uint32_t virq, uint32_t vcpu)
{
    struct evtchn_bind_virq op = {.virq = virq, .vcpu = vcpu};

    assert_int_equal(do_event_channel_op(EVTCHNOP_bind_virq, guest_ptr((uintptr_t)&op)), 0);
    return op.port;
}

static int setup(void **state)
{
    struct domain_params params = {
        .privileged = true,
        .max_vcpus = VCPUS,
        .max_pages = 100,
        .max_evtchn_port = 1023,
        .max_grant_frames = 1,
        .max_maptrack_frames = 1,
    };
    int rc;

    (void)state;
    fake_init_alloc(8192, 2);
    cpu_online_map.bits = 3;
    fake_now = SECONDS(1);
    sched_init(NULL);
    for (unsigned int i = 0; i < 2; i++) {
        timer_init_cpu(i);
        sched_init_cpu(i);
    }
    d = domain_create(&params, &rc);
    assert_non_null(d);
    for (unsigned int i = 0; i < VCPUS; i++) {
        struct vcpu *v = d->vcpu[i];

        v->periodic_period = 0;
        v->is_initialised = i == 0;
    }
    domain_publish(d); /* it stays paused: nobody is to be scheduled here */
    v0 = d->vcpu[0];
    v1 = d->vcpu[1];
    fake_run(v0);
    timer_port = bind_virq(VIRQ_TIMER, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_run(pcpu_self()->idle);
    dom0 = NULL;
    assert_int_equal(domain_kill(d), 0);
    softirq_run();
    return 0;
}

/* Let time go on by @ns; true if VIRQ_TIMER came. */
static bool ticked(s_time_t ns)
{
    fake_now += ns;
    for (unsigned int i = 0; i < 2; i++) {
        fake_cpu(i);
        if (fake_timer_deadline[i] <= fake_now) {
            fake_timer_deadline[i] = STIME_MAX;
            timer_softirq();
        }
        pcpu_self()->softirq_pending = 0;
    }
    fake_cpu(0);
    return test_and_clear_bit(timer_port, d->shared_info->evtchn_pending);
}

/* ---- timers ---- */

static void test_set_timer_op(void **state)
{
    (void)state;
    assert_int_equal(do_set_timer_op(fake_now + MS(5)), 0);
    assert_false(ticked(MS(5) - 1));
    assert_true(ticked(1));
    assert_false(ticked(SECONDS(1)));
    do_set_timer_op(fake_now + MS(5));
    do_set_timer_op(0);
    assert_false(ticked(SECONDS(1)));
    do_set_timer_op(5);
    assert_true(ticked(0));
    assert_false(ticked(0));
}

static void test_absurd_timeouts(void **state)
{
    int64_t absurd[] = {-1, INT64_MIN, INT64_MAX, 1L << 51, 1L << 62};

    (void)state;
    for (unsigned int i = 0; i < ARRAY_SIZE(absurd); i++) {
        assert_int_equal(do_set_timer_op(absurd[i]), 0);
        assert_false(ticked(MS(99)));
        assert_true(ticked(MS(1)));
    }
    do_set_timer_op(fake_now + (1L << 50) - 1);
    assert_false(ticked(MS(500)));
    fake_now = 1L << 60; /* after 36 years: a near time with high bits */
    do_set_timer_op(fake_now + MS(1));
    assert_true(ticked(MS(1)));
    do_set_timer_op(fake_now - SECONDS(5));
    assert_true(ticked(0));
}

static void test_singleshot(void **state)
{
    struct vcpu_set_singleshot_timer t = {.timeout_abs_ns = (uint64_t)fake_now + 100};

    (void)state;
    assert_int_equal(vcpu_op(VCPUOP_set_singleshot_timer, 0, &t), 0);
    assert_false(ticked(99));
    assert_true(ticked(1));
    fake_now++;
    t.flags = VCPU_SSHOTTMR_future;
    assert_int_equal(vcpu_op(VCPUOP_set_singleshot_timer, 0, &t), -ETIME);
    assert_false(ticked(100));
    t.flags = 0;
    assert_int_equal(vcpu_op(VCPUOP_set_singleshot_timer, 0, &t), 0);
    assert_true(ticked(0));
    t.timeout_abs_ns = ~0UL;
    assert_int_equal(vcpu_op(VCPUOP_set_singleshot_timer, 0, &t), 0);
    assert_false(ticked(SECONDS(1000)));
    assert_int_equal(vcpu_op(VCPUOP_stop_singleshot_timer, 0, NULL), 0);
    assert_int_equal(vcpu_op(VCPUOP_set_singleshot_timer, 1, &t), -EINVAL);
    assert_int_equal(vcpu_op(VCPUOP_stop_singleshot_timer, 1, NULL), -EINVAL);
}

static void test_periodic(void **state)
{
    struct vcpu_set_periodic_timer p = {.period_ns = 999999};

    (void)state;
    v0->sched.on_cpu = 1;
    assert_int_equal(vcpu_op(VCPUOP_set_periodic_timer, 0, &p), -EINVAL);
    p.period_ns = ~0UL;
    assert_int_equal(vcpu_op(VCPUOP_set_periodic_timer, 0, &p), -EINVAL);
    p.period_ns = (uint64_t)MS(2);
    assert_int_equal(vcpu_op(VCPUOP_set_periodic_timer, 0, &p), 0);
    for (unsigned int i = 0; i < 10; i++) {
        assert_false(ticked(MS(1)));
        assert_true(ticked(MS(1)));
    }
    /* Late: once, and no catching up. */
    assert_true(ticked(MS(100)));
    assert_false(ticked(MS(1)));
    assert_true(ticked(MS(1)));
    /* Not while it does not run; then once for all. */
    v0->sched.on_cpu = 0;
    assert_false(ticked(MS(50)));
    v0->sched.on_cpu = 1;
    vcpu_resume_periodic_timer(v0);
    assert_true(ticked(0));
    assert_false(ticked(MS(1)));
    assert_true(ticked(MS(1)));
    assert_int_equal(vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL), 0);
    assert_false(ticked(MS(50)));
    v0->sched.on_cpu = 0;
}

/* ---- up and down ---- */

static void test_which_vcpu(void **state)
{
    (void)state;
    for (int cmd = 0; cmd < 20; cmd++) {
        assert_int_equal(vcpu_op(cmd, VCPUS, NULL), -ENOENT);
        assert_int_equal(vcpu_op(cmd, ~0u, NULL), -ENOENT);
    }
    assert_int_equal(vcpu_op(14, 0, NULL), -ENOSYS);
    assert_int_equal(vcpu_op(-1, 0, NULL), -ENOSYS);
}

static void test_initialise(void **state)
{
    static struct vcpu_guest_context c;

    (void)state;
    assert_int_equal(vcpu_op(VCPUOP_up, 1, NULL), -EINVAL);
    assert_int_equal(vcpu_op(VCPUOP_initialise, 1, NULL), -EFAULT);
    c.flags = ~0UL; /* what the fake architecture refuses */
    assert_int_equal(vcpu_op(VCPUOP_initialise, 1, &c), -EINVAL);
    assert_int_equal(vcpu_op(VCPUOP_up, 1, NULL), -EINVAL);
    c.flags = 0;
    assert_int_equal(vcpu_op(VCPUOP_initialise, 1, &c), 0);
    assert_int_equal(vcpu_op(VCPUOP_initialise, 1, &c), -EEXIST);
    assert_int_equal(vcpu_op(VCPUOP_initialise, 0, &c), -EEXIST);
    assert_int_equal(vcpu_op(VCPUOP_is_up, 1, NULL), 0);
    assert_int_equal(vcpu_op(VCPUOP_up, 1, NULL), 0);
    assert_int_equal(vcpu_op(VCPUOP_is_up, 1, NULL), 1);
    assert_int_equal(vcpu_op(VCPUOP_up, 1, NULL), 0);
    assert_int_equal(vcpu_op(VCPUOP_down, 1, NULL), 0);
    assert_int_equal(vcpu_op(VCPUOP_is_up, 1, NULL), 0);
    assert_false(d->is_shut_down);
}

int arch_vcpu_set_context(struct vcpu *v, const struct vcpu_guest_context *c)
{
    static int asked;

    (void)v;
    if (c->flags == 0x77 && asked++ < 3)
        return -ERESTART;
    return c->flags == ~0UL ? -EINVAL : 0;
}

/* XSA-296 */
static void test_initialise_is_continued(void **state)
{
    static struct vcpu_guest_context c = {.flags = 0x77};

    (void)state;
    for (unsigned int i = 0; i < 3; i++) {
        assert_int_equal(vcpu_op(VCPUOP_initialise, 1, &c), FAKE_CONTINUED);
        assert_int_equal(fake_continuation.nr, __HYPERVISOR_vcpu_op);
        assert_int_equal(fake_continuation.args[1], 1);
        assert_int_equal(fake_continuation.args[2], (uintptr_t)&c);
        assert_false(v1->is_initialised);
    }
    assert_int_equal(vcpu_op(VCPUOP_initialise, 1, &c), 0);
}

static void test_last_one_down_ends_the_domain(void **state)
{
    (void)state;
    d->is_privileged = false;
    d->on_shutdown = BOOT_PRESERVE;
    assert_int_equal(vcpu_op(VCPUOP_down, 0, NULL), 0);
    assert_true(d->is_shut_down);
    assert_int_equal(d->shutdown_code, SHUTDOWN_poweroff);
}

/* ---- areas ---- */

static void test_runstate_area(void **state)
{
    struct vcpu_runstate_info area = {0}, direct;
    struct vcpu_register_runstate_memory_area reg = {.addr = {.v = &area}};

    (void)state;
    assert_int_equal(vcpu_op(VCPUOP_register_runstate_memory_area, 0, &reg), 0);
    assert_int_equal(area.state, RUNSTATE_offline);
    assert_int_equal(v0->runstate_guest.va, (uintptr_t)&area);
    fake_now += MS(7);
    assert_int_equal(vcpu_op(VCPUOP_get_runstate_info, 0, &direct), 0);
    assert_int_equal(direct.time[RUNSTATE_offline], area.time[RUNSTATE_offline] + (uint64_t)MS(7));
    reg.addr.p = HV_VIRT_START;
    assert_int_equal(vcpu_op(VCPUOP_register_runstate_memory_area, 0, &reg), -EFAULT);
    reg.addr.p = HV_VIRT_START - 1;
    assert_int_equal(vcpu_op(VCPUOP_register_runstate_memory_area, 0, &reg), -EFAULT);
    reg.addr.p = ~0UL;
    assert_int_equal(vcpu_op(VCPUOP_register_runstate_memory_area, 0, &reg), -EFAULT);
    reg.addr.p = 8;
    assert_int_equal(vcpu_op(VCPUOP_register_runstate_memory_area, 0, &reg), 0);
    assert_int_equal(vcpu_op(VCPUOP_get_runstate_info, 0, NULL), -EFAULT);
}

static long register_info(unsigned int vcpu, uint64_t frame, uint32_t offset)
{
    struct vcpu_register_vcpu_info reg = {.mfn = frame, .offset = offset};

    return vcpu_op(VCPUOP_register_vcpu_info, vcpu, &reg);
}

static void test_vcpu_info(void **state)
{
    struct page *pg = page_alloc_domain(d, 0, 0, false);
    uint64_t frame = page_mfn(pg).n;
    struct vcpu_info *info = (struct vcpu_info *)((char *)page_virt(pg) + 64);

    (void)state;
    assert_int_equal(register_info(0, frame, PAGE_SIZE - 56), -ENXIO);
    assert_int_equal(register_info(0, frame, ~7u), -ENXIO);
    assert_int_equal(register_info(0, frame, 3), -ENXIO);
    assert_int_equal(register_info(0, max_page, 64), -EINVAL);
    assert_int_equal(register_info(0, ~0UL, 64), -EINVAL);
    assert_int_equal(register_info(0, 1, 64), -EINVAL); /* not ours */
    v1->pause_flags = 0;
    assert_int_equal(register_info(1, frame, 64), -EINVAL); /* up, and another */
    v1->pause_flags = 1u << VPF_DOWN;
    spin_lock(&d->arch.mmu_lock);
    assert_int_equal(page_get_type(pg, PGT_SEGDESC), 0);
    spin_unlock(&d->arch.mmu_lock);
    assert_int_equal(register_info(0, frame, 64), -EINVAL);
    spin_lock(&d->arch.mmu_lock);
    page_put_type(pg);
    spin_unlock(&d->arch.mmu_lock);
    assert_int_equal(pg->count & PGC_COUNT_MASK, 1);

    v0->info->evtchn_upcall_mask = 1;
    v0->info->arch.cr2 = 0x1234;
    assert_int_equal(register_info(0, frame, 64), 0);
    assert_ptr_equal(v0->info, info);
    assert_int_equal(info->evtchn_upcall_mask, 1);
    assert_int_equal(info->evtchn_upcall_pending, 1);
    assert_int_equal(info->evtchn_pending_sel, ~0UL);
    assert_int_equal(info->arch.cr2, 0x1234);
    assert_int_equal(pg->count & PGC_COUNT_MASK, 2);
    assert_int_equal(pgt_type(pg->type), PGT_WRITABLE);
    assert_int_equal(register_info(0, frame, 64), -EINVAL);

    vcpu_unmap_info(v0);
    assert_ptr_equal(v0->info, v0->own_info);
    assert_int_equal(pg->count & PGC_COUNT_MASK, 1);
    assert_int_equal(pgt_count(pg->type), 0);
    vcpu_unmap_info(v0);
}

/* Beyond the vcpus of shared_info nothing works before there is a vcpu_info. */
static void test_high_vcpus_need_an_info(void **state)
{
    static struct vcpu_guest_context c;
    struct page *pg = page_alloc_domain(d, 0, 0, false);

    (void)state;
    assert_int_equal(vcpu_op(VCPUOP_initialise, 35, &c), -EINVAL);
    assert_int_equal(vcpu_op(VCPUOP_up, 35, NULL), -EINVAL);
    assert_int_equal(register_info(35, page_mfn(pg).n, 128), 0);
    assert_int_equal(vcpu_op(VCPUOP_initialise, 35, &c), 0);
    assert_int_equal(vcpu_op(VCPUOP_up, 35, NULL), 0);
    vcpu_unmap_info(d->vcpu[35]);
}

static void test_time_area(void **state)
{
    struct vcpu_time_info area;
    struct vcpu_register_time_memory_area reg = {.addr = {.v = &area}};
    uint32_t version = v0->info->time.version;

    (void)state;
    assert_int_equal(vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, &reg), 0);
    assert_int_equal(v0->time_guest.va, (uintptr_t)&area);
    assert_int_not_equal(v0->info->time.version, version);
    reg.addr.p = HV_VIRT_START;
    assert_int_equal(vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, &reg), -EFAULT);
    assert_int_equal(v0->time_guest.va, (uintptr_t)&area);
}

static void test_physid(void **state)
{
    struct vcpu_get_physid id;

    (void)state;
    assert_int_equal(vcpu_op(VCPUOP_get_physid, 0, &id), -EINVAL);
    assert_int_equal(sched_set_affinity(v0, &(cpumask_t){2}, NULL), 0);
    assert_int_equal(vcpu_op(VCPUOP_get_physid, 0, &id), 0);
    assert_int_equal(id.phys_id, 0x200000001);
    d->is_privileged = false;
    assert_int_equal(vcpu_op(VCPUOP_get_physid, 0, &id), -EINVAL);
}

static void test_nmi(void **state)
{
    (void)state;
    assert_int_equal(vcpu_op(VCPUOP_send_nmi, 1, &v0), -EINVAL);
    assert_int_equal(vcpu_op(VCPUOP_send_nmi, 1, NULL), 0);
    assert_int_equal(v1->arch.nmi_pending, 1);
}

/* ---- poll ---- */

static long poll(evtchn_port_t *ports, unsigned int n, uint64_t timeout)
{
    struct sched_poll p = {.nr_ports = n, .timeout = timeout};

    p.ports.p = ports;
    return do_sched_op(SCHEDOP_poll, guest_ptr((uintptr_t)&p));
}

static bool polls(void)
{
    bool blocked = test_bit(VPF_BLOCKED, &v0->pause_flags);

    assert_int_equal(blocked, test_bit(0, d->poll_mask));
    return blocked;
}

static void test_poll(void **state)
{
    evtchn_port_t p[3] = {timer_port, 0, 0}, bad;

    (void)state;
    p[1] = bind_virq(VIRQ_DEBUG, 0);
    p[2] = bind_virq(VIRQ_CONSOLE, 0);
    v0->info->evtchn_upcall_mask = 1;
    assert_int_equal(poll(p, 129, 0), -EINVAL);
    assert_int_equal(poll(NULL, 1, 0), -EFAULT);
    bad = ~0u;
    assert_int_equal(poll(&bad, 1, 0), -EINVAL);
    assert_false(polls());

    assert_int_equal(poll(p, 3, 0), 0);
    assert_true(polls());
    evtchn_send_virq(v0, VIRQ_DEBUG);
    assert_false(polls());
    assert_int_equal(poll(p, 3, 0), 0); /* still pending */
    assert_false(polls());
    assert_int_equal(poll(&p[0], 1, 0), 0);
    assert_true(polls());
    evtchn_send_virq(v0, VIRQ_CONSOLE); /* not the one */
    assert_true(polls());
    evtchn_send_virq(v0, VIRQ_TIMER);
    assert_false(polls());

    memset(d->shared_info->evtchn_pending, 0, sizeof(d->shared_info->evtchn_pending));
    assert_int_equal(poll(p, 2, (uint64_t)fake_now + 100), 0);
    assert_true(polls());
    ticked(100);
    assert_false(polls());
    /* A time limit that is not needed any more does not end the next poll. */
    assert_int_equal(poll(p, 1, (uint64_t)fake_now + 100), 0);
    evtchn_send_virq(v0, VIRQ_TIMER);
    assert_false(polls());
    d->shared_info->evtchn_pending[0] = 0;
    assert_int_equal(poll(p, 1, 0), 0);
    ticked(100);
    assert_true(polls());
    vcpu_unblock(v0);
    assert_int_equal(poll(NULL, 0, ~0UL), 0);
    assert_true(polls());
    vcpu_unblock(v0);
    /* An upcall that can be delivered counts as well. */
    v0->info->evtchn_upcall_mask = 0;
    v0->info->evtchn_upcall_pending = 1;
    assert_int_equal(poll(NULL, 0, 0), 0);
    assert_false(polls());
}

static void test_sched_op_refuses(void **state)
{
    struct sched_remote_shutdown r = {.domain_id = 99};

    (void)state;
    assert_int_equal(do_sched_op(99, guest_ptr(0)), -ENOSYS);
    assert_int_equal(do_sched_op_compat(SCHEDOP_poll, 0), -ENOSYS);
    assert_int_equal(do_sched_op(SCHEDOP_remote_shutdown, guest_ptr((uintptr_t)&r)), -ESRCH);
    for (int cmd = SCHEDOP_shutdown; cmd <= SCHEDOP_pin_override; cmd++)
        assert_int_equal(do_sched_op(cmd, guest_ptr(0)), -EFAULT);
    d->is_privileged = false;
    assert_int_equal(do_sched_op(SCHEDOP_pin_override, guest_ptr(0)), -EPERM);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_set_timer_op),
        T(test_absurd_timeouts),
        T(test_singleshot),
        T(test_periodic),
        T(test_which_vcpu),
        T(test_initialise),
        T(test_initialise_is_continued),
        T(test_last_one_down_ends_the_domain),
        T(test_runstate_area),
        T(test_vcpu_info),
        T(test_high_vcpus_need_an_info),
        T(test_time_area),
        T(test_physid),
        T(test_nmi),
        T(test_poll),
        T(test_sched_op_refuses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

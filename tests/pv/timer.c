/* SPDX-License-Identifier: MIT */
/* Timers of a vcpu: set_timer_op, single-shot and periodic. Each fires once, not early, and what can not
 * be met is refused or made harmless. How late is not asked: the machine below us may stand still at any moment.
 */
// smp: 1,3
#include <pv/test.h>
#include <xen/vcpu.h>

#define LONG (60 * NS_PER_SEC) /* until then, all that comes has come */

static long set_singleshot(uint64_t at, uint32_t flags)
{
    struct vcpu_set_singleshot_timer t = {.timeout_abs_ns = at, .flags = flags};

    return hypercall_vcpu_op(VCPUOP_set_singleshot_timer, vcpu_id(), &t);
}

static long set_periodic(unsigned vcpu, uint64_t period)
{
    struct vcpu_set_periodic_timer t = {.period_ns = period};

    return hypercall_vcpu_op(VCPUOP_set_periodic_timer, vcpu, &t);
}

static long stop_singleshot(void)
{
    return hypercall_vcpu_op(VCPUOP_stop_singleshot_timer, vcpu_id(), NULL);
}

static long stop_periodic(unsigned vcpu)
{
    return hypercall_vcpu_op(VCPUOP_stop_periodic_timer, vcpu, NULL);
}

/* How often it fires in the next @ns, spinning. */
static unsigned fires_in(uint64_t ns)
{
    unsigned before = time_timer_fired();

    events_enable();
    time_delay(ns);
    events_disable();
    return time_timer_fired() - before;
}

/* Spin until it has fired @times: when was that? 0: never. */
static uint64_t fires_at(unsigned times)
{
    unsigned before = time_timer_fired();
    uint64_t end = time_now() + LONG, at = 0;

    events_enable();
    while (time_timer_fired() - before < times && time_now() < end)
        cpu_relax();
    if (time_timer_fired() - before >= times)
        at = time_now();
    events_disable();
    return at;
}

/* It fires, and not again. */
static bool fires_once(void)
{
    return fires_at(1) && fires_in(2 * NS_PER_MS) == 0;
}

/* A deadline that is not past yet when @statement (which stops or moves it) has been executed. */
#define BEFORE(deadline, ns, ...)                                                                  \
    do {                                                                                           \
        deadline = time_now() + (ns);                                                              \
        __VA_ARGS__;                                                                               \
        if (time_now() >= deadline) /* too slow: clear up, and again */                            \
            (void)fires_in(NS_PER_MS);                                                             \
    } while (time_now() >= deadline)

TEST(fires_once_and_not_early)
{
    for (unsigned i = 0; i < 10; i++) {
        uint64_t deadline = time_now() + (i + 1) * 300 * NS_PER_US;

        need_eq(time_set_timer(deadline), 0);
        check_ge(fires_at(1), deadline);
        check_eq(fires_in(NS_PER_MS), 0);
    }
}

TEST(wakes_from_block)
{
    for (unsigned i = 0; i < 5; i++) {
        uint64_t start = time_now();

        time_sleep(2 * NS_PER_MS);
        check_ge(time_now(), start + 2 * NS_PER_MS);
    }
}

TEST(zero_stops)
{
    uint64_t deadline;

    BEFORE(deadline, 20 * NS_PER_MS, {
        check_eq(time_set_timer(deadline), 0);
        check_eq(time_set_timer(0), 0);
    });
    check_eq(fires_in(30 * NS_PER_MS), 0);
    check_eq(time_set_timer(0), 0);
}

TEST(last_one_counts)
{
    uint64_t now, deadline;

    BEFORE(deadline, 20 * NS_PER_MS, {
        check_eq(time_set_timer(deadline), 0);
        check_eq(time_set_timer(deadline + 30 * NS_PER_MS), 0);
    });
    check_ge(fires_at(1), deadline + 30 * NS_PER_MS);
    now = time_now();
    need_eq(time_set_timer(now + 2 * LONG), 0);
    need_eq(time_set_timer(now + 2 * NS_PER_MS), 0);
    check_ge(fires_at(1), now + 2 * NS_PER_MS);
    check_eq(fires_in(2 * NS_PER_MS), 0);
}

TEST(past_fires_at_once)
{
    need_eq(time_set_timer(1), 0);
    check(fires_once());
    need_eq(time_set_timer(time_now() - 1), 0);
    check(fires_once());
}

/* Times that only an overflow can explain: not now, not never. */
TEST(absurd_times_fire_after_a_while)
{
    static const uint64_t absurd[] = {~0ul, 1ul << 63, (1ul << 63) - 1, 1ul << 62, (1ul << 50) + (1ul << 49) + (1ul << 51)};

    for (unsigned i = 0; i < sizeof(absurd) / sizeof(absurd[0]); i++) {
        uint64_t now = time_now(), at;

        need_eq(time_set_timer(absurd[i]), 0);
        at = fires_at(1);
        check_ge(at, now + 90 * NS_PER_MS);
        check_eq(fires_in(NS_PER_MS), 0);
    }
    /* Far, but believable. */
    need_eq(time_set_timer(time_now() + (1ul << 49)), 0);
    check_eq(fires_in(150 * NS_PER_MS), 0);
    check_eq(time_set_timer(0), 0);
}

TEST(singleshot)
{
    uint64_t deadline = time_now() + 2 * NS_PER_MS;

    need_eq(set_singleshot(deadline, 0), 0);
    check_ge(fires_at(1), deadline);
    check_eq(fires_in(NS_PER_MS), 0);
    BEFORE(deadline, 20 * NS_PER_MS, {
        check_eq(set_singleshot(deadline, 0), 0);
        check_eq(stop_singleshot(), 0);
    });
    check_eq(fires_in(30 * NS_PER_MS), 0);
    check_eq(stop_singleshot(), 0);
    /* It is the same timer as that of set_timer_op. */
    BEFORE(deadline, 20 * NS_PER_MS, {
        check_eq(set_singleshot(deadline, 0), 0);
        check_eq(time_set_timer(0), 0);
    });
    check_eq(fires_in(30 * NS_PER_MS), 0);
}

TEST(singleshot_in_the_past)
{
    uint64_t deadline;
    long rc;

    need_eq(set_singleshot(1, 0), 0);
    check(fires_once());
    need_eq(set_singleshot(0, 0), 0);
    check(fires_once());
    /* The ABI leaves it open whether the flag is heeded. */
    if (set_singleshot(1, VCPU_SSHOTTMR_future) == -ETIME)
        check_eq(fires_in(2 * NS_PER_MS), 0);
    else
        check(fires_once());
    do {
        deadline = time_now() + 50 * NS_PER_MS;
        rc = set_singleshot(deadline, VCPU_SSHOTTMR_future);
    } while (rc == -ETIME && time_now() >= deadline);
    check_eq(rc, 0);
    check_ge(fires_at(1), deadline);
    check_eq(set_singleshot((1ul << 63) - 1, VCPU_SSHOTTMR_future), 0);
    check_eq(fires_in(3 * NS_PER_MS), 0);
    check_eq(stop_singleshot(), 0);
}

TEST(periodic)
{
    uint64_t start = time_now();

    need_eq(set_periodic(0, 2 * NS_PER_MS), 0);
    check_ge(fires_at(30), start + 58 * NS_PER_MS); /* after a stop, one may be close to the next */
    check_eq(stop_periodic(0), 0);
    (void)fires_in(3 * NS_PER_MS);
    check_eq(fires_in(10 * NS_PER_MS), 0);
    check_eq(stop_periodic(0), 0);
}

/* XSA-20: a period so short, or so long that the next time wraps. */
TEST(periods_have_bounds)
{
    check_eq(set_periodic(0, 0), -EINVAL);
    check_eq(set_periodic(0, 1), -EINVAL);
    check_eq(set_periodic(0, NS_PER_MS - 1), -EINVAL);
    check_eq(set_periodic(0, ~0ul), -EINVAL);
    check_eq(set_periodic(0, 1ul << 63), -EINVAL);
    check_eq(set_periodic(0, NS_PER_MS), 0);
    check_eq(set_periodic(0, 1ul << 61), 0);
    (void)fires_in(2 * NS_PER_MS);
    check_eq(fires_in(5 * NS_PER_MS), 0);
    check_eq(stop_periodic(0), 0);
}

TEST(both_at_once)
{
    unsigned n;

    need_eq(set_periodic(0, 2 * LONG), 0);
    for (unsigned i = 0; i < 3; i++) {
        need_eq(time_set_timer(time_now() + 5 * NS_PER_MS), 0);
        check(fires_once());
    }
    need_eq(set_periodic(0, 5 * NS_PER_MS), 0);
    need_eq(time_set_timer(time_now() + 2 * LONG), 0);
    check(fires_at(3));
    need_eq(time_set_timer(0), 0);
    check(fires_at(3));
    check_eq(stop_periodic(0), 0);
    n = fires_in(30 * NS_PER_MS);
    check_le(n, 1);
}

/* ---- on another vcpu ---- */

static volatile unsigned stop;

static void sleeper(void *arg)
{
    volatile unsigned *rounds = arg;

    while (!stop) {
        uint64_t start = time_now();

        time_sleep(NS_PER_MS);
        check_ge(time_now(), start + NS_PER_MS);
        ++*rounds;
    }
}

TEST(every_vcpu_has_its_own)
{
    volatile unsigned other = 0, mine = 0;

    if (vcpu_count() < 2)
        skip("one vcpu only");
    stop = 0;
    need_eq(vcpu_start(1, sleeper, (void *)&other), 0);
    while (other < 20 || mine < 20) {
        time_sleep(NS_PER_MS);
        mine++;
    }
    stop = 1;
    vcpu_wait_down(1);
    note("rounds: %u and %u", mine, other);
}

static volatile unsigned ticks;

static void count_ticks(void *arg)
{
    unsigned before = time_timer_fired();

    (void)arg;
    events_enable();
    while (!stop)
        ticks = time_timer_fired() - before;
    events_disable();
}

TEST(periodic_of_another)
{
    if (vcpu_count() < 2)
        skip("one vcpu only");
    stop = ticks = 0;
    need_eq(vcpu_start(1, count_ticks, NULL), 0);
    time_sleep(5 * NS_PER_MS);
    need_eq(set_periodic(1, NS_PER_MS), 0);
    for (uint64_t end = time_now() + LONG; ticks < 10 && time_now() < end;)
        time_sleep(NS_PER_MS);
    check_ge(ticks, 10);
    check_eq(stop_periodic(1), 0);
    stop = 1;
    vcpu_wait_down(1);
}

/* ---- while blocked, and without being asked for ---- */

TEST(periodic_while_blocked)
{
    static const volatile unsigned never;
    unsigned before = time_timer_fired();

    need_eq(set_periodic(0, 5 * NS_PER_MS), 0);
    (void)evtchn_wait_until(&never, time_now() + 100 * NS_PER_MS);
    check_le(time_timer_fired() - before, 4); /* that of the sleep, and one for all that passed */
    check_eq(stop_periodic(0), 0);
}

__asm__(".pushsection .text\nspin_for_ever: pause; jmp spin_for_ever\n.popsection\n");
extern const char spin_for_ever[];

/* A vcpu starts with a tick of its own accord: last test, the vcpu can not be used afterwards. */
TEST(tick_by_default)
{
    struct vcpu_guest_context *c = kmalloc(sizeof(*c));
    evtchn_port_t port;

    need(c);
    if (vcpu_count() < 3)
        skip("two vcpus only");
    need_eq(evtchn_bind_virq(VIRQ_TIMER, 2, &port), 0);
    need_eq(vcpu_context(2, NULL, NULL, c), 0);
    c->user_regs.rip = (unsigned long)spin_for_ever;
    check_eq(shared_info->vcpu_info[2].evtchn_upcall_mask, 1);
    need_eq(hypercall_vcpu_op(VCPUOP_initialise, 2, c), 0);
    check_eq(shared_info->vcpu_info[2].evtchn_upcall_mask, 1);
    need_eq(hypercall_vcpu_op(VCPUOP_up, 2, NULL), 0);
    for (unsigned i = 0; i < 3; i++) {
        evtchn_clear(port);
        for (uint64_t end = time_now() + LONG; !evtchn_is_pending(port) && time_now() < end;)
            time_sleep(NS_PER_MS);
        check(evtchn_is_pending(port));
    }
    check_eq(stop_periodic(2), 0);
    for (unsigned i = 0; i < 20 && evtchn_is_pending(port); i++) { /* the last one may be on its way */
        evtchn_clear(port);
        time_sleep(50 * NS_PER_MS);
    }
    check(!evtchn_is_pending(port));
    check_eq(hypercall_vcpu_op(VCPUOP_down, 2, NULL), 0);
    check_eq(evtchn_close(port), 0);
    kfree(c);
}

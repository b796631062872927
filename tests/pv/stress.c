/* SPDX-License-Identifier: MIT */
/* Does everything still work when it happens at once? Two vcpus, on one CPU and on two: timers,
 * events between them, page-table updates, grants, yields and sleeps in random order, each checked
 * by itself; wake-ups and TLB flushes in the tightest loops that there are; vcpus that come and go.
 * cmdline: dom0_max_vcpus=2 */
#include <pv/test.h>

#define NR 2

struct side {
    uint64_t random;
    evtchn_port_t ipi; /* the other one sends to it */
    volatile unsigned received;
    volatile uint64_t deadline, fired_at; /* of the timer; deadline 0: not armed */
    volatile unsigned armed, fired, early;
    uint64_t *window;   /* 4 pages of address space */
    uint64_t *pages[4]; /* each begins with its own address */
    unsigned actions;
};

static struct side sides[NR];
static struct vcpu_barrier meet = VCPU_BARRIER_INIT(NR);
static evtchn_port_t library_timer[NR];

#define need_two()                                                                                 \
    do {                                                                                           \
        if (vcpu_count() < NR)                                                                     \
            skip("one vcpu only");                                                                 \
    } while (0)

static uint64_t below(struct side *s, uint64_t n)
{
    s->random ^= s->random << 13;
    s->random ^= s->random >> 7;
    s->random ^= s->random << 17;
    return (s->random >> 20) % n;
}

/* Run @fn on both vcpus, with their own side as argument, and wait for both. */
static bool on_both(void (*fn)(void *))
{
    if (!check_eq(vcpu_start(1, fn, &sides[1]), 0))
        return false;
    fn(&sides[0]);
    vcpu_wait_down(1);
    return true;
}

/* Pending bits of ports of both vcpus share words, so either may find the other's. */
static void ipi_came(evtchn_port_t port, void *arg)
{
    (void)port;
    __atomic_add_fetch(&((struct side *)arg)->received, 1, __ATOMIC_SEQ_CST);
}

static bool set_up(void)
{
    static bool done;

    for (unsigned i = 0; i < NR && !done; i++) {
        struct side *s = &sides[i];

        s->random = 0x9e3779b97f4a7c15 + i;
        s->window = vm_reserve(4);
        for (unsigned n = 0; n < ARRAY_SIZE(s->pages); n++) {
            s->pages[n] = alloc_page();
            if (!s->pages[n])
                return false;
            s->pages[n][0] = (uint64_t)s->pages[n];
        }
        if (evtchn_bind_ipi(i, &s->ipi))
            return false;
        evtchn_set_handler(s->ipi, ipi_came, s);
    }
    done = true;
    return gnttab_init(1) == 0;
}

/* ---- wake-ups ---- */

#define ENOUGH (1500 * NS_PER_MS) /* of it, in each of these tests */

static volatile unsigned last_round;

/* Sleep until @me has received @want events in all; false if that takes absurdly long. */
static bool sleep_until(struct side *me, unsigned want)
{
    uint64_t limit = time_now() + 60 * NS_PER_SEC;

    while (me->received < want) {
        if (time_now() > limit)
            return false;
        time_set_timer(limit);
        hypercall_sched_op(SCHEDOP_block, NULL);
        events_disable();
    }
    return true;
}

/* Side 0 sends and sleeps until side 1, which sleeps till then, has sent back: one lost wake-up and
 * they stand still. Side 0 says which round is the last, before it sends for it. */
static void wake_each_other(void *arg)
{
    struct side *me = arg, *other = &sides[1 - (me - sides)];
    uint64_t end = time_now() + ENOUGH;

    me->received = 0;
    vcpu_barrier_wait(&meet);
    for (unsigned n = 1; n <= last_round; n++) {
        if (me == sides && n > 30 && time_now() > end)
            last_round = n;
        if (me != sides && !check(sleep_until(me, n)))
            break;
        check_eq(evtchn_send(other->ipi), 0);
        if (me == sides && !check(sleep_until(me, n)))
            break;
    }
    time_set_timer(0);
}

TEST(no_wake_up_is_lost)
{
    need_two();
    need(set_up());
    last_round = 10000;
    need(on_both(wake_each_other));
    note("%u rounds", last_round);
    check_eq(sides[0].received, last_round);
    check_eq(sides[1].received, last_round);
}

/* ---- one address, two vcpus ---- */

static uint64_t *shared_va;
static volatile uint64_t generation;
static volatile bool stop;

/* Every reading must be of the present page or a later one: the generation was read before. */
static void watch(void *arg)
{
    uint64_t stale = 0, reads = 0;

    (void)arg;
    vcpu_barrier_wait(&meet);
    while (!stop) {
        uint64_t least = generation;
        uint64_t seen = *(volatile uint64_t *)shared_va;

        stale += seen < least;
        if (++reads % 256 == 0)
            hypercall_sched_op(SCHEDOP_yield, NULL);
    }
    check_eq(stale, 0);
    check_ge(reads, 1);
}

/* The flush is asked for in each of the ways that there are. */
static int replace(uint64_t va, mfn_t mfn, unsigned way)
{
    uint64_t both = 3;
    struct mmuext_op op = {.cmd = way == 2   ? MMUEXT_INVLPG_ALL
                                  : way == 3 ? MMUEXT_TLB_FLUSH_ALL
                                  : way == 4 ? MMUEXT_INVLPG_MULTI
                                             : MMUEXT_TLB_FLUSH_MULTI,
                           .arg1.linear_addr = va};
    int rc;

    if (way == 0)
        return hypercall_update_va_mapping(va, pte_make(mfn, PROT_RO), UVMF_INVLPG | UVMF_ALL);
    if (way == 1)
        return hypercall_update_va_mapping(va, pte_make(mfn, PROT_RO),
                                           UVMF_TLB_FLUSH | (uint64_t)&both);
    rc = pt_write(pt_entry(va, 1), pte_make(mfn, PROT_RO));
    op.arg2.vcpumask.p = &both;
    return rc ? rc : hypercall_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

TEST(flushes_reach_the_other_vcpu)
{
    uint64_t *pages[8], end = time_now() + ENOUGH;

    need_two();
    shared_va = vm_reserve(1);
    for (unsigned i = 0; i < ARRAY_SIZE(pages); i++)
        need(pages[i] = alloc_page());
    stop = false;
    generation = 0;
    need_eq(map_frame((uint64_t)shared_va, virt_to_mfn(pages[0]), PROT_RO), 0);
    need_eq(vcpu_start(1, watch, NULL), 0);
    vcpu_barrier_wait(&meet);
    for (uint64_t g = 1; g <= 3000 && (g < 60 || time_now() < end); g++) {
        uint64_t *next = pages[g % ARRAY_SIZE(pages)];

        next[0] = g;
        if (!check_eq(replace((uint64_t)shared_va, virt_to_mfn(next), g % 6), 0))
            break;
        generation = g;
        if (g % 64 == 0)
            hypercall_sched_op(SCHEDOP_yield, NULL);
    }
    stop = true;
    vcpu_wait_down(1);
    note("%lu flushes", generation);
    check_eq(unmap_frame((uint64_t)shared_va), 0);
    for (unsigned i = 0; i < ARRAY_SIZE(pages); i++)
        free_page(pages[i]);
}

/* ---- one page table, two vcpus ---- */

static uint64_t *table, *target[NR];

/* Both write, pin and unpin the same table. */
static void fight_over_table(void *arg)
{
    struct side *me = arg;
    unsigned id = me - sides;
    uint64_t end = time_now() + ENOUGH;

    vcpu_barrier_wait(&meet);
    for (unsigned n = 0; n < 800 && (n < 32 || time_now() < end); n++) {
        uint64_t pte = pte_make(virt_to_mfn(target[id]), below(me, 2) ? PROT_RW : PROT_RO);

        check_eq(pt_write(&table[below(me, 4)], below(me, 4) ? pte : 0), 0);
        if (n % 16 == 0)
            pt_pin(table, 1);
        if (n % 16 == 8)
            pt_unpin(table);
        check_eq(pt_write(&table[8 + id], pte_make(virt_to_mfn(target[id]), PROT_RO | PTE_SW1)), 0);
        check_eq(table[8 + id] & PTE_SW1, PTE_SW1);
        check_eq(pt_write(&table[8 + id], 0), 0);
        check_eq(table[8 + id], 0);
    }
}

TEST(two_vcpus_write_one_table)
{
    uint64_t *va = vm_reserve(1);
    uint64_t *entry;

    need_two();
    need(table = alloc_page());
    need((target[0] = alloc_page()) && (target[1] = alloc_page()));
    /* Its own place in the tree, so that it stays a table whoever unpins it. */
    entry = pt_entry(ROUND_UP((uint64_t)va, 1ul << 21) + (64ul << 21), 2);
    need(entry);
    need_eq(page_readonly(table), 0);
    need_eq(pt_write(entry, pte_make(virt_to_mfn(table), PROT_TABLE)), 0);
    need(on_both(fight_over_table));
    pt_unpin(table);
    for (unsigned i = 0; i < 512; i++)
        if (table[i])
            check_eq(pt_write(&table[i], 0), 0);
    check_eq(pt_write(entry, 0), 0);
    tlb_flush_local();
    check_eq(page_writable(table), 0);
    free_page(table);
    for (unsigned i = 0; i < NR; i++) { /* no reference is left: they may be tables themselves */
        check_eq(page_readonly(target[i]), 0);
        check_eq(pt_pin(target[i], 1), 0);
        check_eq(pt_unpin(target[i]), 0);
        check_eq(page_writable(target[i]), 0);
        free_page(target[i]);
    }
}

/* ---- everything ---- */

static void timer_came(evtchn_port_t port, void *arg)
{
    struct side *s = arg;

    (void)port;
    s->fired_at = time_now();
    if (!s->deadline) /* a leftover of an earlier test */
        return;
    if (s->fired_at < s->deadline)
        s->early++;
    s->fired++;
    s->deadline = 0;
}

static void do_timer(struct side *s)
{
    uint64_t at = time_now() + below(s, 300) * NS_PER_US;

    if (s->deadline)
        return;
    s->armed++;
    s->deadline = at;
    check_eq(time_set_timer(at), 0);
}

static void do_ipi(struct side *s)
{
    check_eq(evtchn_send(sides[1 - (s - sides)].ipi), 0);
}

static void do_map(struct side *s)
{
    unsigned page = below(s, 4), slot = below(s, 4);
    uint64_t *va = s->window + slot * 512;

    check_eq(map_frame((uint64_t)va, virt_to_mfn(s->pages[page]), below(s, 2) ? PROT_RW : PROT_RO),
             0);
    check_eq(*(volatile uint64_t *)va, (uint64_t)s->pages[page]);
    if (below(s, 2))
        return;
    check_eq(unmap_frame((uint64_t)va), 0);
    check_fault(TRAP_PF, *(volatile uint64_t *)va);
}

static void do_grant(struct side *s)
{
    uint64_t *page = s->pages[below(s, 4)], *va = s->window + below(s, 4) * 512;
    bool readonly = below(s, 2);
    grant_ref_t ref = gnttab_grant(guest_domid(), virt_to_mfn(page), readonly);
    grant_handle_t h;

    check(ref != 0);
    check_eq(unmap_frame((uint64_t)va), 0);
    if (check_eq(gnttab_map(guest_domid(), ref, va, readonly ? GNTMAP_readonly : 0, &h),
                 GNTST_okay)) {
        check_eq(*(volatile uint64_t *)va, (uint64_t)page);
        check_eq(gnttab_unmap(va, h), GNTST_okay);
    }
    check(gnttab_end(ref));
}

static void do_table(struct side *s)
{
    uint64_t *page = alloc_page();

    if (!check(page != NULL))
        return;
    page[below(s, 511)] = pte_make(virt_to_mfn(s->pages[0]), PROT_RO);
    check_eq(page_readonly(page), 0);
    check_eq(pt_pin(page, 1), 0);
    if (probe_write((char *)page + 8 * 511, PTE_A)) /* then it was emulated */
        check_eq(page[511] & 0xff, PTE_A);
    check_eq(pt_unpin(page), 0);
    check_eq(page_writable(page), 0);
    free_page(page);
}

static void do_trap(struct side *s)
{
    (void)s;
    check_fault(TRAP_UD, __asm__ volatile("ud2"));
}

static void do_yield(struct side *s)
{
    (void)s;
    check_eq(hypercall_sched_op(SCHEDOP_yield, NULL), 0);
}

static void do_block(struct side *s)
{
    if (!s->deadline)
        do_timer(s);
    hypercall_sched_op(SCHEDOP_block, NULL); /* any event ends it: the timer at the latest */
    events_disable();
}

static void do_events(struct side *s)
{
    (void)s;
    events_enable();
    events_disable();
}

static void do_multicall(struct side *s)
{
    struct multicall_entry c[4] = {
        {.op = __HYPERVISOR_xen_version, .args = {XENVER_version}},
        {.op = __HYPERVISOR_sched_op, .args = {SCHEDOP_yield}},
        {.op = __HYPERVISOR_update_va_mapping,
         .args = {(uint64_t)s->window, pte_make(virt_to_mfn(s->pages[1]), PROT_RO), UVMF_INVLPG}},
        {.op = 63},
    };

    check_eq(hypercall_multicall(c, 4), 0);
    check_eq(c[0].result, 4 << 16 | 17);
    check_eq(c[1].result, 0);
    check_eq(c[2].result, 0);
    check_eq(c[3].result, -ENOSYS);
    check_eq(*(volatile uint64_t *)s->window, (uint64_t)s->pages[1]);
}

static void everything(void *arg)
{
    static void (*const what[])(struct side * s) = {do_timer, do_ipi,    do_map,   do_grant,
                                                    do_table, do_trap,   do_yield, do_block,
                                                    do_map,   do_events, do_ipi,   do_multicall};
    struct side *s = arg;
    uint64_t end, last = 0;

    evtchn_set_handler(library_timer[s - sides], timer_came, s);
    vcpu_barrier_wait(&meet);
    end = time_now() + ENOUGH;
    for (s->actions = 0; s->actions < 20000; s->actions++) {
        uint64_t now = time_now();

        check_ge(now, last);
        last = now;
        if (now > end && s->actions >= 100)
            break;
        what[below(s, ARRAY_SIZE(what))](s);
    }
    while (s->deadline) {
        hypercall_sched_op(SCHEDOP_block, NULL);
        events_disable();
    }
    vcpu_barrier_wait(&meet); /* now nobody sends any more */
    do_events(s);
}

/* The library's timer port of the calling vcpu. */
static void find_timer(void *arg)
{
    library_timer[(struct side *)arg - sides] = this_vcpu()->timer_port;
}

TEST(everything_at_once)
{
    size_t unused;
    unsigned before[NR];

    need_two();
    need(set_up());
    need(on_both(find_timer));
    unused = mm_unused_pages();
    for (unsigned i = 0; i < NR; i++)
        before[i] = sides[i].received;
    need(on_both(everything));
    for (unsigned i = 0; i < NR; i++) {
        struct side *s = &sides[i];

        note("vcpu %u: %u actions, %u timers, %u events", i, s->actions, s->fired,
             s->received - before[i]);
        check_ge(s->actions, 100);
        check_eq(s->fired, s->armed);
        check_eq(s->early, 0);
        check_ge(s->received, before[i] + 1);
        for (unsigned n = 0; n < 4; n++) {
            check_eq(unmap_frame((uint64_t)s->window + n * PAGE_SIZE), 0);
            check_eq(s->pages[n][0], (uint64_t)s->pages[n]);
        }
    }
    check_eq(mm_unused_pages(), unused);
}

/* ---- vcpus come and go ---- */

static volatile uint64_t steps;
static volatile bool wrong, leave;

/* Registers of a vcpu that is stopped anywhere must come back as they were. */
static void count_steps(void *arg)
{
    uint64_t a = 1, b = 2, c = 3, d = 4;

    (void)arg;
    while (!leave) {
        a += 1;
        b += 1;
        c += 1;
        d += 1;
        barrier();
        if (b != a + 1 || c != a + 2 || d != a + 3)
            wrong = true;
        steps = a;
        if (a % 1024 == 0)
            hypercall_sched_op(SCHEDOP_yield, NULL);
    }
}

static bool advances(void)
{
    uint64_t from = steps, limit = time_now() + 60 * NS_PER_SEC;

    while (steps == from && time_now() < limit)
        hypercall_sched_op(SCHEDOP_yield, NULL);
    return steps != from;
}

static bool is_stopped(void)
{
    struct vcpu_runstate_info r;

    return hypercall_vcpu_op(VCPUOP_get_runstate_info, 1, &r) == 0 && r.state == RUNSTATE_offline;
}

TEST(vcpu_is_stopped_and_goes_on)
{
    uint64_t end = time_now() + ENOUGH;

    need_two();
    steps = 0;
    wrong = leave = false;
    need_eq(vcpu_start(1, count_steps, NULL), 0);
    for (unsigned n = 0; n < 100 && (n < 10 || time_now() < end); n++) {
        uint64_t at;

        if (!check(advances()))
            break;
        check_eq(hypercall_vcpu_op(VCPUOP_down, 1, NULL), 0);
        check_eq(hypercall_vcpu_op(VCPUOP_is_up, 1, NULL), 0);
        check(eventually(is_stopped())); /* the call does not wait for it */
        at = steps;
        time_delay(100 * NS_PER_US);
        check_eq(steps, at);
        check_eq(hypercall_vcpu_op(VCPUOP_down, 1, NULL), 0);
        check_eq(hypercall_vcpu_op(VCPUOP_up, 1, NULL), 0);
        check_eq(hypercall_vcpu_op(VCPUOP_is_up, 1, NULL), 1);
    }
    check(advances());
    leave = true;
    vcpu_wait_down(1);
    check(!wrong);
}

static void come_and_go(void *arg)
{
    ++*(volatile unsigned *)arg;
}

TEST(vcpu_starts_many_times)
{
    uint64_t end = time_now() + ENOUGH;
    volatile unsigned starts = 0;

    need_two();
    for (unsigned n = 1; n <= 300 && (n < 20 || time_now() < end); n++) {
        if (!check_eq(vcpu_start(1, come_and_go, (void *)&starts), 0))
            break;
        vcpu_wait_down(1);
        check_eq(starts, n);
    }
}

/* It is stopped while it sleeps, and while it is on its way into or out of sleep. */
static void sleep_all_the_time(void *arg)
{
    (void)arg;
    while (!leave) {
        time_sleep(50 * NS_PER_US);
        steps++;
    }
}

TEST(sleeping_vcpu_is_stopped)
{
    struct side s = {.random = 4711};
    uint64_t end = time_now() + ENOUGH;

    need_two();
    steps = 0;
    leave = false;
    need_eq(vcpu_start(1, sleep_all_the_time, NULL), 0);
    for (unsigned n = 0; n < 200 && (n < 20 || time_now() < end); n++) {
        time_delay(below(&s, 120) * NS_PER_US);
        check_eq(hypercall_vcpu_op(VCPUOP_down, 1, NULL), 0);
        time_delay(below(&s, 120) * NS_PER_US);
        check_eq(hypercall_vcpu_op(VCPUOP_up, 1, NULL), 0);
    }
    check(advances());
    leave = true;
    vcpu_wait_down(1);
}

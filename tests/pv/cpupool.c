/* SPDX-License-Identifier: MIT */
/* Pools of CPUs: do domains run on those of their pool and nowhere else, whatever moves meanwhile, and what is
 * refused? The answers are those of Xen, on which this runs as well, but for the last two tests. */
// smp: 2,4
// cmdline: dom0_mem=64M
// timeout: 240
#include <pv/test.h>
#include <pv/control.h>
#include <xen/platform.h>
#include <xen/sched.h>

#define ANY  XEN_SYSCTL_CPUPOOL_PAR_ANY
#define KIDS 3

static struct child kid[KIDS];
static unsigned all; /* CPUs, a bit each */

static long pool_op(unsigned cmd, struct xen_sysctl_cpupool_op *p)
{
    struct xen_sysctl op = {.u.cpupool_op = *p};
    long rc;

    op.u.cpupool_op.op = cmd;
    rc = sysctl(XEN_SYSCTL_cpupool_op, &op);
    *p = op.u.cpupool_op;
    return rc;
}

/* Its id. */
static long create(unsigned id, unsigned sched)
{
    struct xen_sysctl_cpupool_op p = {.cpupool_id = id, .sched_id = sched};
    long rc = pool_op(XEN_SYSCTL_CPUPOOL_OP_CREATE, &p);

    return rc ? rc : (long)p.cpupool_id;
}

static long destroy(unsigned id)
{
    return pool_op(XEN_SYSCTL_CPUPOOL_OP_DESTROY,
                   &(struct xen_sysctl_cpupool_op){.cpupool_id = id});
}

static long add(unsigned id, unsigned cpu)
{
    return pool_op(XEN_SYSCTL_CPUPOOL_OP_ADDCPU,
                   &(struct xen_sysctl_cpupool_op){.cpupool_id = id, .cpu = cpu});
}

static long switch_cpu(unsigned cmd, unsigned cpu)
{
    struct xen_platform_op op = {
        .cmd = cmd, .interface_version = XENPF_INTERFACE_VERSION, .u.cpu_ol.cpuid = cpu};

    return hypercall_platform_op(&op);
}

/* Xen wants to be asked again while somebody runs there. */
static long take(unsigned id, unsigned cpu)
{
    long rc = -EAGAIN;

    for (unsigned i = 0; i < 1000 && rc == -EAGAIN; i++) {
        if (i)
            time_delay(NS_PER_MS);
        rc = pool_op(XEN_SYSCTL_CPUPOOL_OP_RMCPU,
                     &(struct xen_sysctl_cpupool_op){.cpupool_id = id, .cpu = cpu});
    }
    return rc;
}

static long move(unsigned dom, unsigned id)
{
    return pool_op(XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN,
                   &(struct xen_sysctl_cpupool_op){.cpupool_id = id, .domid = dom});
}

/* The CPUs of the pool, or -errno; how many domains there are. */
static long cpus_of(unsigned id, unsigned *n_dom)
{
    uint8_t map[8] = {0};
    struct xen_sysctl_cpupool_op p = {.cpupool_id = id, .cpumap = {{map}, 64}};
    long rc = pool_op(XEN_SYSCTL_CPUPOOL_OP_INFO, &p);

    if (n_dom)
        *n_dom = p.n_dom;
    return rc ? rc : p.cpupool_id == id ? map[0] : -EXDEV;
}

static long free_cpus(void)
{
    uint8_t map[8] = {0};
    struct xen_sysctl_cpupool_op p = {.cpumap = {{map}, 64}};
    long rc = pool_op(XEN_SYSCTL_CPUPOOL_OP_FREEINFO, &p);

    return rc ? rc : map[0];
}

static long set_affinity(unsigned dom, unsigned vcpu, unsigned hard, unsigned *result)
{
    uint8_t map[8] = {(uint8_t)hard};
    struct xen_domctl op = {.u.vcpuaffinity = {.vcpu = vcpu,
                                               .flags = XEN_VCPUAFFINITY_HARD,
                                               .cpumap_hard = {{map}, 64}}};
    long rc = domctl(XEN_DOMCTL_setvcpuaffinity, dom, &op);

    if (result)
        *result = map[0];
    return rc;
}

static unsigned affinity(unsigned dom)
{
    uint8_t map[8] = {0};
    struct xen_domctl op = {
        .u.vcpuaffinity = {.flags = XEN_VCPUAFFINITY_HARD, .cpumap_hard = {{map}, 64}}};

    check_eq(domctl(XEN_DOMCTL_getvcpuaffinity, dom, &op), 0);
    return map[0];
}

static unsigned pool_of(unsigned dom)
{
    struct xen_domctl op = {0};

    check_eq(domctl(XEN_DOMCTL_getdomaininfo, dom, &op), 0);
    return op.u.getdomaininfo.cpupool;
}

/* Where it runs, or ran last, a bit. */
static unsigned where(unsigned dom, unsigned vcpu)
{
    struct xen_domctl op = {.u.getvcpuinfo.vcpu = vcpu};

    check_eq(domctl(XEN_DOMCTL_getvcpuinfo, dom, &op), 0);
    return 1u << op.u.getvcpuinfo.cpu;
}

static bool runs_on(struct child *c, unsigned cpus)
{
    if (!check(child_is_running(c)))
        return false;
    for (unsigned i = 0; i < 20; i++) {
        uint64_t was = c->data->count;

        while (c->data->count == was)
            hypercall_sched_op(SCHEDOP_yield, NULL);
        if (where(c->id, 0) & ~cpus)
            return check_eq(where(c->id, 0) & ~cpus, 0);
    }
    return true;
}

static bool start(struct child *c)
{
    return check_eq(child_create(c, 1, CHILD_MIN_PAGES), 0) &&
           check_eq(domctl_plain(XEN_DOMCTL_unpausedomain, c->id), 0);
}

#define need_control()                                                                             \
    do {                                                                                           \
        struct xen_sysctl info_ = {0};                                                             \
                                                                                                   \
        if (!guest_is_initial())                                                                   \
            skip("not the control domain");                                                        \
        check_eq(sysctl(XEN_SYSCTL_physinfo, &info_), 0);                                          \
        all = (1u << info_.u.physinfo.nr_cpus) - 1;                                                \
        if (all == 1)                                                                              \
            skip("one CPU");                                                                       \
    } while (0)

TEST(everything_is_in_pool_0)
{
    unsigned n = 0;

    need_control();
    check_eq(cpus_of(0, &n), all);
    check_eq(n, 1);
    check_eq(free_cpus(), 0);
    check_eq(pool_of(0), 0);
    check_eq(cpus_of(1, NULL), -ENOENT);
}

TEST(pools_come_and_go)
{
    uint8_t map[8];
    struct xen_sysctl_cpupool_op p = {.cpupool_id = 1, .cpumap = {{map}, 64}};
    long a, b;

    need_control();
    a = create(ANY, 6);
    need(a > 0);
    b = create(ANY, 6);
    need(b > a);
    check_eq(create((unsigned)a, 6), -EEXIST);
    check_eq(create(0, 6), -EEXIST);
    check_eq(create(0, 99), -EEXIST);
    check_eq(create(ANY, 4), -ENOENT); /* no such scheduler */
    check_eq(create(ANY, 99), -ENOENT);
    check_eq(pool_op(XEN_SYSCTL_CPUPOOL_OP_INFO, &p), 0);
    check_eq(p.cpupool_id, a);
    check_eq(p.sched_id, 6);
    check_eq(p.n_dom, 0);
    check_eq(map[0], 0);
    p.cpupool_id = (unsigned)a + 1;
    check_eq(pool_op(XEN_SYSCTL_CPUPOOL_OP_INFO, &p), 0);
    check_eq(p.cpupool_id, b);
    p.cpupool_id = (unsigned)b + 1;
    check_eq(pool_op(XEN_SYSCTL_CPUPOOL_OP_INFO, &p), -ENOENT);
    check_eq(destroy((unsigned)a), 0);
    check_eq(destroy((unsigned)a), -ENOENT);
    check_eq(destroy((unsigned)b), 0);
    check_eq(destroy(0), -EBUSY);
    check_eq(create(5, 6), 5);
    check_eq(cpus_of(5, NULL), 0);
    check_eq(destroy(5), 0);
}

TEST(cpus_change_pools)
{
    long id;

    need_control();
    id = create(ANY, 6);
    need(id > 0);
    check_eq(add((unsigned)id, 1), -ENODEV); /* it is not free */
    check_eq(add((unsigned)id, ANY), -ENODEV);
    check_eq(add((unsigned)id, 200), -EINVAL);
    check_eq(add(77, 1), -ENOENT);
    check_eq(add(77, 200), -ENOENT);
    check_eq(take(77, 1), -ENOENT);
    check_eq(take(77, 200), -ENOENT);
    check_eq(take(0, 200), -EINVAL);
    check_eq(take((unsigned)id, 1), -EADDRNOTAVAIL);
    check_eq(take((unsigned)id, ANY), -EINVAL); /* it has none */
    check_eq(take(0, 1), 0);
    check_eq(free_cpus(), 2);
    check_eq(cpus_of(0, NULL), all & ~2u);
    check_eq(take(0, 1), -EADDRNOTAVAIL);
    check_eq(add((unsigned)id, ANY), 0);
    check_eq(cpus_of((unsigned)id, NULL), 2);
    check_eq(free_cpus(), 0);
    check_eq(add(0, 1), -ENODEV);
    check_eq(destroy((unsigned)id), -EBUSY);
    check_eq(take((unsigned)id, ANY), 0);
    check_eq(destroy((unsigned)id), 0);
    check_eq(add(0, 1), 0);
    check_eq(cpus_of(0, NULL), all);
    check_eq(take(0, 0), -EINVAL); /* the boot CPU stays */
}

/* Those without a pool do not, and the last CPU of one with domains stays. */
TEST(dom0_goes_on)
{
    unsigned left = all;

    need_control();
    for (unsigned cpu = 1; all >> cpu; cpu++) {
        check_eq(take(0, cpu), 0);
        left &= ~(1u << cpu);
        check_eq(cpus_of(0, NULL), left);
    }
    check_eq(take(0, 0), -EINVAL);
    check_eq(take(0, ANY), -EINVAL);
    check_eq(free_cpus(), all & ~1u);
    for (unsigned i = 0; i < vcpu_count(); i++) {
        time_delay(2 * NS_PER_MS);
        check_eq(where(0, i), 1);
    }
    for (unsigned cpu = 1; all >> cpu; cpu++)
        check_eq(add(0, ANY), 0);
    check_eq(cpus_of(0, NULL), all);
}

TEST(a_domain_runs_in_its_pool)
{
    unsigned n = 0, got = 0;
    long id;

    need_control();
    id = create(ANY, 6);
    need(id > 0 && start(&kid[0]));
    check_eq(pool_of(kid[0].id), 0);
    check_eq(move(kid[0].id, 0), 0);
    check_eq(move(kid[0].id, (unsigned)id), -ENOENT); /* no CPU there */
    check_eq(move(kid[0].id, 77), -ENOENT);
    check_eq(move(0, (unsigned)id), -EPERM);
    check_eq(move(0, 77), -EPERM);
    check_eq(move(99, 0), -ESRCH);
    check_eq(set_affinity(kid[0].id, 0, 1, NULL), 0);
    check_eq(take(0, 1), 0);
    check_eq(add((unsigned)id, 1), 0);
    check_eq(move(kid[0].id, (unsigned)id), 0);
    check_eq(pool_of(kid[0].id), id);
    check_eq(cpus_of((unsigned)id, &n), 2);
    check_eq(n, 1);
    check_eq(affinity(kid[0].id) & all, all); /* the former one is forgotten */
    check(runs_on(&kid[0], 2));
    check_eq(set_affinity(kid[0].id, 0, 1, NULL), -EINVAL); /* not in its pool */
    check_eq(set_affinity(kid[0].id, 0, 3, &got), 0);
    check_eq(got, 2);
    check(runs_on(&kid[0], 2));
    check_eq(take((unsigned)id, 1), -EBUSY);
    check_eq(destroy((unsigned)id), -EBUSY);
    check_eq(set_affinity(0, 0, 2, NULL), -EINVAL);
    check_eq(child_destroy(&kid[0]), 0);
    check_eq(cpus_of((unsigned)id, &n), 2);
    check_eq(n, 0);
    check_eq(take((unsigned)id, 1), 0);
    check_eq(destroy((unsigned)id), 0);
    check_eq(add(0, 1), 0);
}

/* Where it has to be is no more: then it may be anywhere. */
TEST(a_pinned_vcpu_loses_its_cpu)
{
    need_control();
    need(start(&kid[0]));
    check_eq(set_affinity(kid[0].id, 0, 2, NULL), 0);
    check(runs_on(&kid[0], 2));
    check_eq(take(0, 1), 0);
    check(runs_on(&kid[0], all & ~2u));
    check_eq(affinity(kid[0].id) & all, all);
    check_eq(add(0, 1), 0);
    check(runs_on(&kid[0], all));
    check_eq(child_destroy(&kid[0]), 0);
}

static long create_in(unsigned id, unsigned *dom)
{
    struct xen_domctl op;
    long rc;

    child_config(&op, 2);
    op.u.createdomain.cpupool_id = id;
    rc = domctl(XEN_DOMCTL_createdomain, 0, &op);
    *dom = op.domain;
    return rc;
}

TEST(a_domain_is_made_in_a_pool)
{
    unsigned dom, got = 0;
    long id;

    need_control();
    check_eq(create_in(77, &dom), -ESRCH);
    id = create(ANY, 6);
    need(id > 0);
    check_eq(create_in((unsigned)id, &dom), -ENODEV);
    check_eq(take(0, 1), 0);
    check_eq(add((unsigned)id, 1), 0);
    need_eq(create_in((unsigned)id, &dom), 0);
    check_eq(domctl(XEN_DOMCTL_max_vcpus, dom, &(struct xen_domctl){.u.max_vcpus.max = 2}), 0);
    check_eq(pool_of(dom), id);
    check_eq(set_affinity(dom, 1, 1, NULL), -EINVAL);
    check_eq(set_affinity(dom, 1, 0xff, &got), 0);
    check_eq(got, 2);
    check_eq(where(dom, 0) | where(dom, 1), 2);
    check_eq(take((unsigned)id, 1), -EBUSY);
    check_eq(domctl_plain(XEN_DOMCTL_destroydomain, dom), 0);
    check_eq(take((unsigned)id, 1), 0);
    check_eq(destroy((unsigned)id), 0);
    check_eq(add(0, 1), 0);
}

static long scheduler(unsigned id, unsigned sched)
{
    struct xen_sysctl op = {
        .u.scheduler_op = {.cpupool_id = id, .sched_id = sched, .cmd = XEN_SYSCTL_SCHEDOP_getinfo}};

    return sysctl(XEN_SYSCTL_scheduler_op, &op);
}

TEST(each_pool_has_its_scheduler)
{
    long id;

    need_control();
    id = create(ANY, 6);
    need(id > 0);
    check_eq(scheduler(0, 6), 0);
    check_eq(scheduler((unsigned)id, 6), 0);
    check_eq(scheduler((unsigned)id, 5), -EINVAL);
    check_eq(scheduler(77, 6), -ESRCH);
    check_eq(destroy((unsigned)id), 0);
    check_eq(scheduler((unsigned)id, 6), -ESRCH);
}

TEST(words_without_meaning)
{
    static const unsigned cmds[] = {0, 8, 99, ~0u};

    need_control();
    for (unsigned i = 0; i < ARRAY_SIZE(cmds); i++)
        check_eq(pool_op(cmds[i], &(struct xen_sysctl_cpupool_op){0}), -ENOSYS);
    for (unsigned i = 0; i < ARRAY_SIZE(cmds); i++)
        check_eq(pool_op(cmds[i], &(struct xen_sysctl_cpupool_op){.cpupool_id = 77}), -ENOSYS);
}

/* Only those of pool 0 go off line. (Xen loses one of another pool when it refuses that.) */
TEST(those_off_line_are_in_no_pool)
{
    unsigned n = 0;
    long id;

    need_control();
    id = create(ANY, 6);
    need(id > 0);
    check_eq(take(0, 1), 0);
    check_eq(switch_cpu(XENPF_cpu_offline, 1), -EBUSY);
    check_eq(add((unsigned)id, 1), 0);
    check_eq(switch_cpu(XENPF_cpu_offline, 1), -EBUSY);
    check_eq(take((unsigned)id, 1), 0);
    check_eq(add(0, 1), 0);
    check_eq(switch_cpu(XENPF_cpu_offline, 1), 0);
    check_eq(cpus_of(0, &n), all & ~2u);
    check_eq(add((unsigned)id, 1), -ENODEV);
    check_eq(take(0, 1), -EADDRNOTAVAIL);
    check_eq(switch_cpu(XENPF_cpu_online, 1), 0);
    check_eq(cpus_of(0, &n), all);
    check_eq(destroy((unsigned)id), 0);
}

/* ---- CPUs and domains change places while all of them run ---- */

static unsigned seed = 11;

static unsigned below(unsigned n)
{
    seed = seed * 1103515245 + 12345;
    return (seed >> 16) % n;
}

TEST(everything_moves)
{
    unsigned n = 0, done = 0, nr_cpus = 0;
    long a, b;

    need_control();
    a = create(ANY, 6);
    b = create(ANY, 6);
    need(a > 0 && b > 0);
    for (unsigned i = 0; i < KIDS; i++)
        need(start(&kid[i]));
    while (all >> nr_cpus)
        nr_cpus++;
    for (unsigned i = 0; i < 400; i++) {
        unsigned pool[] = {0, (unsigned)a, (unsigned)b}, id = pool[below(3)];
        unsigned what = below(4);
        long rc = what == 0   ? take(id, below(nr_cpus))
                  : what == 1 ? add(id, below(nr_cpus))
                  : what == 2 ? move(kid[below(KIDS)].id, id)
                              : set_affinity(kid[below(KIDS)].id, 0, 1 + below(all), NULL);

        done += rc == 0;
        if (i % 10 == 0) {
            unsigned k = below(KIDS);

            need(runs_on(&kid[k], (unsigned)cpus_of(pool_of(kid[k].id), NULL)));
        }
    }
    check_ge(done, 100);
    check_eq(
        (cpus_of(0, NULL) | cpus_of((unsigned)a, NULL) | cpus_of((unsigned)b, NULL) | free_cpus()),
        all);
    for (unsigned i = 0; i < KIDS; i++)
        check(runs_on(&kid[i], all));
    for (unsigned i = 0; i < KIDS; i++)
        check_eq(child_destroy(&kid[i]), 0);
    for (long id = a; id <= b; id++) {
        check_ge(cpus_of((unsigned)id, &n), 0);
        check_eq(n, 0);
        while (take((unsigned)id, ANY) == 0)
            ;
        check_eq(destroy((unsigned)id), 0);
    }
    while (add(0, ANY) == 0)
        ;
    check_eq(cpus_of(0, NULL), all);
    check_eq(create(a, 99), -ENOENT);
}

/* SPDX-License-Identifier: MIT */
/* Does sysctl tell the control domain's tools of the machine what they ask for? */
// smp: 1,2
// cmdline: dom0_mem=64M
#include <pv/test.h>
#include <pv/control.h>

TEST(arguments_are_checked_first)
{
    struct xen_sysctl op = {.cmd = XEN_SYSCTL_physinfo, .interface_version = 0x14};

    check_eq(hypercall_sysctl(&op), -EACCES);
    check_eq(hypercall_sysctl((void *)8), -EFAULT);
    check_eq(hypercall_sysctl((void *)0xffff830000000000), -EFAULT);
    check_eq(sysctl(0, &op), -ENOSYS);
    check_eq(sysctl(XEN_SYSCTL_perfc_op, &op), -ENOSYS);
    check_eq(sysctl(XEN_SYSCTL_lockprof_op, &op), -ENOSYS);
    check_eq(sysctl(~0u, &op), -ENOSYS);
}

static unsigned nr_cpus;

TEST(the_machine)
{
    struct xen_sysctl op = {0};
    const struct xen_sysctl_physinfo *p = &op.u.physinfo;

    need_eq(sysctl(XEN_SYSCTL_physinfo, &op), 0);
    nr_cpus = p->nr_cpus;
    check(nr_cpus == 1 || nr_cpus == 2);
    check_eq(p->max_cpu_id, nr_cpus - 1);
    check_eq(p->threads_per_core * p->cores_per_socket, nr_cpus);
    check_eq(p->nr_nodes, 1);
    check_eq(p->max_node_id, 0);
    check_ge(p->cpu_khz, 1000);
    check_eq(p->capabilities, XEN_SYSCTL_PHYSCAP_pv | XEN_SYSCTL_PHYSCAP_gnttab_v1);
    check_lt(p->free_pages, p->total_pages);
    check_ge(p->max_mfn, p->total_pages - 1);
    check_eq(p->hw_cap[0] & 1, 1); /* an FPU */
}

TEST(topology)
{
    struct xen_sysctl_cputopo topo[4];
    struct xen_sysctl op = {0};

    check_eq(sysctl(XEN_SYSCTL_cputopoinfo, &op), 0); /* how many? */
    check_eq(op.u.cputopoinfo.num_cpus, nr_cpus);
    op.u.cputopoinfo.num_cpus = 4;
    op.u.cputopoinfo.cputopo.p = topo;
    need_eq(sysctl(XEN_SYSCTL_cputopoinfo, &op), 0);
    check_eq(op.u.cputopoinfo.num_cpus, nr_cpus);
    for (unsigned i = 0; i < nr_cpus; i++) {
        check_eq(topo[i].core, i);
        check_eq(topo[i].socket, 0);
        check_eq(topo[i].node, 0);
    }
    op.u.cputopoinfo.num_cpus = 0;
    check_eq(sysctl(XEN_SYSCTL_cputopoinfo, &op), -ENOBUFS);
    check_eq(op.u.cputopoinfo.num_cpus, nr_cpus);
    op.u.cputopoinfo.cputopo.p = (void *)8;
    check_eq(sysctl(XEN_SYSCTL_cputopoinfo, &op), -EFAULT);
}

TEST(nodes)
{
    struct xen_sysctl_meminfo mem[1];
    uint32_t distance[1];
    struct xen_sysctl op = {0};

    check_eq(sysctl(XEN_SYSCTL_numainfo, &op), 0);
    check_eq(op.u.numainfo.num_nodes, 1);
    op.u.numainfo.meminfo.p = mem;
    op.u.numainfo.distance.p = distance;
    check_eq(sysctl(XEN_SYSCTL_numainfo, &op), 0);
    check_lt(mem[0].memfree, mem[0].memsize);
    check_eq(distance[0], 10);
    op.u.numainfo.num_nodes = 0;
    check_eq(sysctl(XEN_SYSCTL_numainfo, &op), -ENOBUFS);
    op.u.numainfo.num_nodes = 1;
    op.u.numainfo.distance.p = (void *)8;
    check_eq(sysctl(XEN_SYSCTL_numainfo, &op), -EFAULT);
}

TEST(pci_devices_are_on_no_node)
{
    physdev_pci_device_t dev[3] = {{0, 0, 8}};
    uint32_t node[3] = {0};
    struct xen_sysctl op = {.u.pcitopoinfo = {.num_devs = 3, .devs.p = dev, .nodes.p = node}};
    unsigned done = 0;

    while (done < 3 && check_eq(sysctl(XEN_SYSCTL_pcitopoinfo, &op), 0)) {
        need(op.u.pcitopoinfo.num_devs > 0);
        done += op.u.pcitopoinfo.num_devs;
        op.u.pcitopoinfo = (struct xen_sysctl_pcitopoinfo){3 - done, {dev + done}, {node + done}};
    }
    check_eq(node[2], XEN_INVALID_NODE_ID);
    check_eq(sysctl(XEN_SYSCTL_pcitopoinfo, &op), 0);
    op.u.pcitopoinfo.nodes.p = NULL;
    check_eq(sysctl(XEN_SYSCTL_pcitopoinfo, &op), -EINVAL);
    op.u.pcitopoinfo = (struct xen_sysctl_pcitopoinfo){~0u, {(void *)8}, {node}};
    check_eq(sysctl(XEN_SYSCTL_pcitopoinfo, &op), -EFAULT);
}

static long pool(unsigned cmd, unsigned id, struct xen_sysctl *op, uint8_t *map)
{
    *op = (struct xen_sysctl){.u.cpupool_op = {.op = cmd, .cpupool_id = id, .cpumap = {{map}, 8}}};
    return sysctl(XEN_SYSCTL_cpupool_op, op);
}

TEST(one_pool) /* more of them: cpupool.c */
{
    struct xen_sysctl op;
    uint8_t map[1];

    check_eq(pool(XEN_SYSCTL_CPUPOOL_OP_INFO, 0, &op, map), 0);
    check_eq(op.u.cpupool_op.cpupool_id, 0);
    check_eq(op.u.cpupool_op.sched_id, XEN_SCHEDULER_CREDIT2);
    check_eq(op.u.cpupool_op.n_dom, 1);
    check_eq(map[0], (1 << nr_cpus) - 1);
    check_eq(pool(XEN_SYSCTL_CPUPOOL_OP_INFO, 1, &op, map), -ENOENT);
    check_eq(pool(XEN_SYSCTL_CPUPOOL_OP_FREEINFO, 0, &op, map), 0);
    check_eq(map[0], 0);
    check_eq(pool(XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN, 0, &op, map), -EPERM); /* domain 0 */
    check_eq(pool(XEN_SYSCTL_CPUPOOL_OP_CREATE, 0, &op, map), -EEXIST);
    check_eq(pool(XEN_SYSCTL_CPUPOOL_OP_DESTROY, 0, &op, map), -EBUSY);
    check_eq(pool(XEN_SYSCTL_CPUPOOL_OP_DESTROY, 7, &op, map), -ENOENT);
    check_eq(pool(XEN_SYSCTL_CPUPOOL_OP_ADDCPU, 0, &op, map), -ENODEV);
    check_eq(pool(XEN_SYSCTL_CPUPOOL_OP_RMCPU, 0, &op, map), -EINVAL); /* CPU 0 */
    check_eq(pool(0, 0, &op, map), -ENOSYS);
    check_eq(pool(99, 0, &op, map), -ENOSYS);
}

TEST(domains_are_in_it)
{
    static struct child kid;
    struct xen_sysctl op = {.u.cpupool_op = {.op = XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN, .domid = 77}};

    check_eq(sysctl(XEN_SYSCTL_cpupool_op, &op), -ESRCH);
    need_eq(child_create(&kid, 1, CHILD_MIN_PAGES), 0);
    op.u.cpupool_op.domid = kid.id;
    check_eq(sysctl(XEN_SYSCTL_cpupool_op, &op), 0);
    op.u.cpupool_op.cpupool_id = 1;
    check_eq(sysctl(XEN_SYSCTL_cpupool_op, &op), -ENOENT);
    check_eq(child_destroy(&kid), 0);
}

static long trace(unsigned cmd, struct xen_sysctl *op)
{
    *op = (struct xen_sysctl){.u.tbuf_op = {.cmd = cmd, .size = 7}};
    return sysctl(XEN_SYSCTL_tbuf_op, op);
}

TEST(no_traces)
{
    struct xen_sysctl op;

    check_eq(trace(XEN_SYSCTL_TBUFOP_get_info, &op), 0);
    check_eq(op.u.tbuf_op.size, 0);
    check_eq(trace(XEN_SYSCTL_TBUFOP_set_cpu_mask, &op), -EINVAL);
    check_eq(trace(XEN_SYSCTL_TBUFOP_set_evt_mask, &op), -EINVAL);
    check_eq(trace(XEN_SYSCTL_TBUFOP_set_size, &op), -EINVAL);
    check_eq(trace(XEN_SYSCTL_TBUFOP_enable, &op), -EINVAL);
    check_eq(trace(XEN_SYSCTL_TBUFOP_disable, &op), 0);
    check_eq(trace(6, &op), -EINVAL);
}

static long scheduler(unsigned pool_id, unsigned sched, unsigned cmd, struct xen_sysctl *op)
{
    op->u.scheduler_op.cpupool_id = pool_id;
    op->u.scheduler_op.sched_id = sched;
    op->u.scheduler_op.cmd = cmd;
    return sysctl(XEN_SYSCTL_scheduler_op, op);
}

TEST(the_scheduler)
{
    struct xen_sysctl op = {0};

    check_eq(sysctl(XEN_SYSCTL_sched_id, &op), 0);
    check_eq(op.u.sched_id.sched_id, XEN_SCHEDULER_CREDIT2);
    check_eq(scheduler(0, XEN_SCHEDULER_CREDIT2, XEN_SYSCTL_SCHEDOP_getinfo, &op), 0);
    check_eq(op.u.scheduler_op.u.sched_credit2.ratelimit_us, 0);
    check_eq(scheduler(0, XEN_SCHEDULER_CREDIT2, XEN_SYSCTL_SCHEDOP_putinfo, &op), 0);
    op.u.scheduler_op.u.sched_credit2.ratelimit_us = 1000;
    check_eq(scheduler(0, XEN_SCHEDULER_CREDIT2, XEN_SYSCTL_SCHEDOP_putinfo, &op), -EOPNOTSUPP);
    check_eq(scheduler(1, XEN_SCHEDULER_CREDIT2, XEN_SYSCTL_SCHEDOP_getinfo, &op), -ESRCH);
    check_eq(scheduler(0, XEN_SCHEDULER_CREDIT, XEN_SYSCTL_SCHEDOP_getinfo, &op), -EINVAL);
    check_eq(scheduler(0, XEN_SCHEDULER_CREDIT2, 7, &op), -EINVAL);
}

static long featureset(unsigned index, unsigned room, uint32_t *words, struct xen_sysctl *op)
{
    op->u.cpu_featureset = (struct xen_sysctl_cpu_featureset){
        .index = index, .nr_features = room, .features.p = words};
    return sysctl(XEN_SYSCTL_get_cpu_featureset, op);
}

TEST(features)
{
    uint32_t pv[32], host[32];
    struct xen_sysctl op = {.u.cpu_levelling_caps.caps = 77};
    unsigned n;

    check_eq(sysctl(XEN_SYSCTL_get_cpu_levelling_caps, &op), 0);
    check_eq(op.u.cpu_levelling_caps.caps, 0);
    check_eq(featureset(XEN_SYSCTL_cpu_featureset_pv, 0, NULL, &op), 0);
    n = op.u.cpu_featureset.nr_features;
    need(n >= 13 && n <= 32);
    check_eq(featureset(XEN_SYSCTL_cpu_featureset_pv, 32, pv, &op), 0);
    check_eq(op.u.cpu_featureset.nr_features, n);
    check_eq(featureset(XEN_SYSCTL_cpu_featureset_host, n, host, &op), 0);
    check_eq(pv[0] & ~host[0], 0);
    check_eq(pv[0] & 1, 1);
    check_eq(pv[1] & ~host[1] & ~(1u << 31),
             0); /* that there is a hypervisor the host may not know */
    check_eq(featureset(XEN_SYSCTL_cpu_featureset_raw, n - 1, host, &op), -ENOBUFS);
    check_eq(op.u.cpu_featureset.nr_features, n - 1);
    check_eq(featureset(XEN_SYSCTL_cpu_featureset_hvm, n, host, &op), -EOPNOTSUPP);
    check_eq(featureset(6, n, host, &op), -EINVAL);
    check_eq(featureset(XEN_SYSCTL_cpu_featureset_pv, n, (void *)8, &op), -EFAULT);
}

TEST(policies)
{
    xen_cpuid_leaf_t *leaf = alloc_page();
    xen_msr_entry_t msr[4];
    struct xen_sysctl op = {.u.cpu_policy.index = XEN_SYSCTL_cpu_policy_pv_default};
    unsigned n, m;

    check_eq(sysctl(XEN_SYSCTL_get_cpu_policy, &op), 0);
    n = op.u.cpu_policy.nr_leaves;
    m = op.u.cpu_policy.nr_msrs;
    check_eq(m, 2);
    need(n > 2 && n <= PAGE_SIZE / sizeof(*leaf) && m <= ARRAY_SIZE(msr));
    op.u.cpu_policy.leaves.p = leaf;
    op.u.cpu_policy.msrs.p = msr;
    check_eq(sysctl(XEN_SYSCTL_get_cpu_policy, &op), 0);
    check_eq(leaf[0].leaf, 0);
    check_eq(leaf[0].subleaf, XEN_CPUID_NO_SUBLEAF);
    check_eq(leaf[1].leaf, 1);
    check_eq(leaf[n - 1].leaf >> 31, 1);
    op.u.cpu_policy.nr_leaves = 1;
    check_eq(sysctl(XEN_SYSCTL_get_cpu_policy, &op), -ENOBUFS);
    check_eq(op.u.cpu_policy.nr_leaves, n);
    op.u.cpu_policy.nr_msrs = 0;
    check_eq(sysctl(XEN_SYSCTL_get_cpu_policy, &op), -ENOBUFS);
    op.u.cpu_policy.index = XEN_SYSCTL_cpu_policy_hvm_max;
    check_eq(sysctl(XEN_SYSCTL_get_cpu_policy, &op), -EOPNOTSUPP);
    op.u.cpu_policy.index = 6;
    check_eq(sysctl(XEN_SYSCTL_get_cpu_policy, &op), -EINVAL);
    free_page(leaf);
}

TEST(the_log_is_read)
{
    char *buf = alloc_pages(5);
    struct xen_sysctl op = {.u.readconsole = {.count = 5 * PAGE_SIZE - 1, .buffer.p = buf}};
    uint32_t index;

    need_eq(sysctl(XEN_SYSCTL_readconsole, &op), 0);
    need(op.u.readconsole.count < 5 * PAGE_SIZE);
    buf[op.u.readconsole.count] = 0;
    check(strstr(buf, "Socle"));
    index = op.u.readconsole.index;
    op.u.readconsole = (struct xen_sysctl_readconsole){
        .incremental = 1, .index = index, .count = PAGE_SIZE, .buffer.p = buf};
    check_eq(sysctl(XEN_SYSCTL_readconsole, &op), 0);
    check_eq(op.u.readconsole.count, 0);
    op.u.readconsole = (struct xen_sysctl_readconsole){.count = PAGE_SIZE, .buffer.p = (void *)8};
    check_eq(sysctl(XEN_SYSCTL_readconsole, &op), -EFAULT);
    free_pages(buf, 5);
}

TEST(debug_keys_print)
{
    struct xen_sysctl op = {.u.debug_keys = {.keys.p = "r", .nr_keys = 1}};

    check_eq(sysctl(XEN_SYSCTL_debug_keys, &op), 0);
    op.u.debug_keys.keys.p = (void *)8;
    check_eq(sysctl(XEN_SYSCTL_debug_keys, &op), -EFAULT);
}

TEST(domains_are_listed)
{
    struct xen_domctl_getdomaininfo info[4];
    struct xen_sysctl op = {.u.getdomaininfolist = {.max_domains = 4, .buffer.p = info}};
    static struct child kid;

    check_eq(sysctl(XEN_SYSCTL_getdomaininfolist, &op), 0);
    check_eq(op.u.getdomaininfolist.num_domains, 1);
    need_eq(child_create(&kid, 1, CHILD_MIN_PAGES), 0);
    check_eq(sysctl(XEN_SYSCTL_getdomaininfolist, &op), 0);
    check_eq(op.u.getdomaininfolist.num_domains, 2);
    check_eq(info[0].domain, 0);
    check_eq(info[1].domain, kid.id);
    op.u.getdomaininfolist.first_domain = 1;
    check_eq(sysctl(XEN_SYSCTL_getdomaininfolist, &op), 0);
    check_eq(op.u.getdomaininfolist.num_domains, 1);
    op.u.getdomaininfolist.first_domain = 0;
    op.u.getdomaininfolist.max_domains = 1;
    check_eq(sysctl(XEN_SYSCTL_getdomaininfolist, &op), 0);
    check_eq(op.u.getdomaininfolist.num_domains, 1);
    op.u.getdomaininfolist.buffer.p = (void *)8;
    check_eq(sysctl(XEN_SYSCTL_getdomaininfolist, &op), -EFAULT);
    check_eq(child_destroy(&kid), 0);
}

TEST(cpus_and_heap)
{
    struct xen_sysctl_cpuinfo info[4];
    struct xen_sysctl op = {.u.getcpuinfo = {.max_cpus = 4, .info.p = info}};

    check_eq(sysctl(XEN_SYSCTL_getcpuinfo, &op), 0);
    check_eq(op.u.getcpuinfo.nr_cpus, nr_cpus);
    op.u.getcpuinfo.info.p = (void *)8;
    check_eq(sysctl(XEN_SYSCTL_getcpuinfo, &op), -EFAULT);
    check_ge(free_machine_pages(), 1000);
}

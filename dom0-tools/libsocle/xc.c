/* SPDX-License-Identifier: MIT */
/* domctl and sysctl, as structures in memory that the hypervisor sees. */
#include "xc.h"

#include "alloc.h"
#include "stop.h"
#include "xcall.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Fills in what all have in common, and copies what came back. */
static int domctl(uint32_t cmd, domid_t id, struct xen_domctl *op)
{
    struct xen_domctl *shared = xcall_alloc(sizeof(*shared));
    int rc;

    op->cmd = cmd;
    op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    op->domain = id;
    *shared = *op;
    rc = xcall(__HYPERVISOR_domctl, (unsigned long)shared, 0);
    *op = *shared;
    xcall_free(shared);
    return rc;
}

static int sysctl(uint32_t cmd, struct xen_sysctl *op)
{
    struct xen_sysctl *shared = xcall_alloc(sizeof(*shared));
    int rc;

    op->cmd = cmd;
    op->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    *shared = *op;
    rc = xcall(__HYPERVISOR_sysctl, (unsigned long)shared, 0);
    *op = *shared;
    xcall_free(shared);
    return rc;
}

int xc_pause(domid_t id)
{
    struct xen_domctl op = {0};

    return domctl(XEN_DOMCTL_pausedomain, id, &op);
}

int xc_unpause(domid_t id)
{
    struct xen_domctl op = {0};

    return domctl(XEN_DOMCTL_unpausedomain, id, &op);
}

int xc_destroy(domid_t id)
{
    struct xen_domctl op = {0};
    int rc;

    do {
        rc = domctl(XEN_DOMCTL_destroydomain, id, &op);
    } while (rc == -EAGAIN || rc == -EINTR);
    return rc;
}

int xc_domains(struct xen_domctl_getdomaininfo **list, unsigned int *nr)
{
    const unsigned int room = 128;
    struct xen_domctl_getdomaininfo *buf = xcall_alloc(room * sizeof(*buf)), *all = NULL;
    unsigned int found = 0;
    domid_t first = 0;
    int rc;

    for (;;) {
        struct xen_sysctl op = {0};
        unsigned int n;

        op.u.getdomaininfolist.first_domain = first;
        op.u.getdomaininfolist.max_domains = room;
        set_xen_guest_handle(op.u.getdomaininfolist.buffer, buf);
        rc = sysctl(XEN_SYSCTL_getdomaininfolist, &op);
        n = rc == 0 && op.u.getdomaininfolist.num_domains <= room
                ? op.u.getdomaininfolist.num_domains
                : 0;
        if (!n)
            break;
        all = realloc(all, (found + n) * sizeof(*all));
        must_have(all ? 0 : -ENOMEM);
        memcpy(all + found, buf, n * sizeof(*all));
        found += n;
        if (n < room || all[found - 1].domain < first || all[found - 1].domain == UINT16_MAX)
            break;
        first = all[found - 1].domain + 1;
    }
    xcall_free(buf);
    if (rc) {
        free(all);
        return rc;
    }
    *list = all;
    *nr = found;
    return 0;
}

int xc_vcpu_info(domid_t id, unsigned int vcpu, struct xen_domctl_getvcpuinfo *info)
{
    struct xen_domctl op = {0};
    int rc;

    op.u.getvcpuinfo.vcpu = vcpu;
    rc = domctl(XEN_DOMCTL_getvcpuinfo, id, &op);
    if (rc == 0)
        *info = op.u.getvcpuinfo;
    return rc;
}

int xc_vcpu_affinity(domid_t id, unsigned int vcpu, struct xc_cpus *hard, struct xc_cpus *soft)
{
    struct xc_cpus *maps = xcall_alloc(2 * sizeof(*maps));
    struct xen_domctl op = {0};
    int rc;

    op.u.vcpuaffinity.vcpu = vcpu;
    op.u.vcpuaffinity.flags = XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT;
    set_xen_guest_handle(op.u.vcpuaffinity.cpumap_hard.bitmap, maps[0].bits);
    set_xen_guest_handle(op.u.vcpuaffinity.cpumap_soft.bitmap, maps[1].bits);
    op.u.vcpuaffinity.cpumap_hard.nr_bits = op.u.vcpuaffinity.cpumap_soft.nr_bits = XC_MAX_CPUS;
    rc = domctl(XEN_DOMCTL_getvcpuaffinity, id, &op);
    if (rc == 0) {
        *hard = maps[0];
        *soft = maps[1];
    }
    xcall_free(maps);
    return rc;
}

int xc_set_vcpu_affinity(domid_t id, unsigned int vcpu, const struct xc_cpus *hard,
                         const struct xc_cpus *soft, bool force)
{
    struct xc_cpus *maps = xcall_alloc(2 * sizeof(*maps));
    struct xen_domctl op = {0};
    struct xen_domctl_vcpuaffinity *a = &op.u.vcpuaffinity;
    int rc;

    a->vcpu = vcpu;
    a->flags = (hard ? XEN_VCPUAFFINITY_HARD : 0) | (soft ? XEN_VCPUAFFINITY_SOFT : 0) |
               (force ? XEN_VCPUAFFINITY_FORCE : 0);
    if (hard)
        maps[0] = *hard;
    if (soft)
        maps[1] = *soft;
    set_xen_guest_handle(a->cpumap_hard.bitmap, maps[0].bits);
    set_xen_guest_handle(a->cpumap_soft.bitmap, maps[1].bits);
    a->cpumap_hard.nr_bits = a->cpumap_soft.nr_bits = XC_MAX_CPUS;
    rc = domctl(XEN_DOMCTL_setvcpuaffinity, id, &op);
    xcall_free(maps);
    return rc;
}

/* ---- making domains ---- */

#define PORT_MAX 1023 /* what the 2-level layout of 32-bit guests has room for is enough */

int xc_create(domid_t id, const uint8_t uuid[16], unsigned int max_vcpus, uint32_t pool)
{
    struct xen_domctl op = {0};
    struct xen_domctl_createdomain *c = &op.u.createdomain;

    memcpy(c->handle, uuid, sizeof(c->handle));
    c->max_vcpus = max_vcpus;
    c->cpupool_id = pool;
    c->max_evtchn_port = PORT_MAX;
    c->max_grant_frames = c->max_maptrack_frames = -1;
    c->grant_opts = XEN_DOMCTL_GRANT_version(1);
    return domctl(XEN_DOMCTL_createdomain, id, &op);
}

int xc_max_vcpus(domid_t id, unsigned int max)
{
    struct xen_domctl op = {0};

    op.u.max_vcpus.max = max;
    return domctl(XEN_DOMCTL_max_vcpus, id, &op);
}

int xc_set_handle(domid_t id, const uint8_t uuid[16])
{
    struct xen_domctl op = {0};

    memcpy(op.u.setdomainhandle.handle, uuid, sizeof(op.u.setdomainhandle.handle));
    return domctl(XEN_DOMCTL_setdomainhandle, id, &op);
}

int xc_info(domid_t id, struct xen_domctl_getdomaininfo *info)
{
    struct xen_domctl op = {0};
    int rc = domctl(XEN_DOMCTL_getdomaininfo, id, &op);

    if (rc == 0 && op.u.getdomaininfo.domain != id) /* the next one there is */
        rc = -ESRCH;
    if (rc == 0)
        *info = op.u.getdomaininfo;
    return rc;
}

int xc_max_mem(domid_t id, uint64_t kib)
{
    struct xen_domctl op = {0};

    op.u.max_mem.max_memkb = kib;
    return domctl(XEN_DOMCTL_max_mem, id, &op);
}

int xc_trigger(domid_t id, uint32_t trigger, uint32_t vcpu)
{
    struct xen_domctl op = {0};

    op.u.sendtrigger.trigger = trigger;
    op.u.sendtrigger.vcpu = vcpu;
    return domctl(XEN_DOMCTL_sendtrigger, id, &op);
}

/* Each scheduler has a structure of its own for the same. */
int xc_domain_shares(domid_t id, uint32_t scheduler, uint32_t *weight, uint32_t *cap)
{
    struct xen_domctl op = {0};
    struct xen_domctl_scheduler_op *s = &op.u.scheduler_op;
    int rc;

    if (scheduler != XEN_SCHEDULER_CREDIT && scheduler != XEN_SCHEDULER_CREDIT2)
        return -EOPNOTSUPP;
    s->sched_id = scheduler;
    s->cmd = XEN_DOMCTL_SCHEDOP_getinfo;
    rc = domctl(XEN_DOMCTL_scheduler_op, id, &op);
    if (rc == 0) {
        bool two = scheduler == XEN_SCHEDULER_CREDIT2;

        *weight = two ? s->u.credit2.weight : s->u.credit.weight;
        *cap = two ? s->u.credit2.cap : s->u.credit.cap;
    }
    return rc;
}

int xc_set_domain_shares(domid_t id, uint32_t scheduler, uint32_t weight, uint32_t cap)
{
    struct xen_domctl op = {0};
    struct xen_domctl_scheduler_op *s = &op.u.scheduler_op;

    if (scheduler != XEN_SCHEDULER_CREDIT && scheduler != XEN_SCHEDULER_CREDIT2)
        return -EOPNOTSUPP;
    s->sched_id = scheduler;
    s->cmd = XEN_DOMCTL_SCHEDOP_putinfo;
    weight = weight == XC_SAME ? 0 : weight;
    if (scheduler == XEN_SCHEDULER_CREDIT2) {
        s->u.credit2.weight = weight;
        s->u.credit2.cap = cap; /* all ones remain so in 16 bits */
    } else {
        s->u.credit.weight = weight;
        s->u.credit.cap = cap;
    }
    return domctl(XEN_DOMCTL_scheduler_op, id, &op);
}

static int pool_sched(uint32_t scheduler, uint32_t cmd, struct xen_sysctl_scheduler_op *s)
{
    struct xen_sysctl op = {0};
    int rc;

    s->cpupool_id = 0;
    s->sched_id = scheduler;
    s->cmd = cmd;
    op.u.scheduler_op = *s;
    rc = sysctl(XEN_SYSCTL_scheduler_op, &op);
    if (rc == 0)
        *s = op.u.scheduler_op;
    return rc;
}

int xc_pool_sched(uint32_t scheduler, struct xen_sysctl_scheduler_op *s)
{
    return pool_sched(scheduler, XEN_SYSCTL_SCHEDOP_getinfo, s);
}

int xc_set_pool_sched(uint32_t scheduler, struct xen_sysctl_scheduler_op *s)
{
    return pool_sched(scheduler, XEN_SYSCTL_SCHEDOP_putinfo, s);
}

/* With CPUs that come back, or NULL. */
static int pool_op(uint32_t what, struct xen_sysctl_cpupool_op *p, struct xc_cpus *cpus)
{
    struct xc_cpus *map = xcall_alloc(sizeof(*map));
    struct xen_sysctl op = {.u.cpupool_op = *p};
    int rc;

    op.u.cpupool_op.op = what;
    op.u.cpupool_op.cpumap.nr_bits = XC_MAX_CPUS;
    set_xen_guest_handle(op.u.cpupool_op.cpumap.bitmap, map->bits);
    rc = sysctl(XEN_SYSCTL_cpupool_op, &op);
    if (rc == 0)
        *p = op.u.cpupool_op;
    if (rc == 0 && cpus)
        *cpus = *map;
    xcall_free(map);
    return rc;
}

int xc_free_cpus(unsigned int *nr)
{
    struct xen_sysctl_cpupool_op p = {0};
    struct xc_cpus cpus;
    int rc = pool_op(XEN_SYSCTL_CPUPOOL_OP_FREEINFO, &p, &cpus);

    if (rc)
        return rc;
    *nr = 0;
    for (unsigned int i = 0; i < sizeof(cpus.bits); i++)
        *nr += __builtin_popcount(cpus.bits[i]);
    return 0;
}

int xc_pools(struct xc_pool **list, unsigned int *nr)
{
    struct xen_sysctl_cpupool_op p = {0};
    struct xc_pool *all = NULL;
    struct xc_cpus cpus;
    int rc;

    for (*nr = 0;; p.cpupool_id++) {
        uint32_t from = p.cpupool_id;

        rc = pool_op(XEN_SYSCTL_CPUPOOL_OP_INFO, &p, &cpus);
        if (rc || p.cpupool_id < from)
            break;
        all = realloc(all, (*nr + 1) * sizeof(*all));
        must_have(all ? 0 : -ENOMEM);
        all[(*nr)++] = (struct xc_pool){p.cpupool_id, p.sched_id, p.n_dom, cpus};
    }
    if (rc && rc != -ENOENT) { /* the last one was that before */
        free(all);
        return rc;
    }
    *list = all;
    return 0;
}

int xc_pool_create(uint32_t scheduler, uint32_t *id)
{
    struct xen_sysctl_cpupool_op p = {.cpupool_id = XEN_SYSCTL_CPUPOOL_PAR_ANY,
                                      .sched_id = scheduler};
    int rc = pool_op(XEN_SYSCTL_CPUPOOL_OP_CREATE, &p, NULL);

    if (rc == 0)
        *id = p.cpupool_id;
    return rc;
}

int xc_pool_destroy(uint32_t id)
{
    struct xen_sysctl_cpupool_op p = {.cpupool_id = id};

    return pool_op(XEN_SYSCTL_CPUPOOL_OP_DESTROY, &p, NULL);
}

int xc_pool_add_cpu(uint32_t id, uint32_t cpu)
{
    struct xen_sysctl_cpupool_op p = {.cpupool_id = id, .cpu = cpu};

    return pool_op(XEN_SYSCTL_CPUPOOL_OP_ADDCPU, &p, NULL);
}

/* Who runs there may need a moment to go. */
int xc_pool_remove_cpu(uint32_t id, uint32_t cpu)
{
    struct xen_sysctl_cpupool_op p = {.cpupool_id = id, .cpu = cpu};
    int rc = -EAGAIN;

    for (unsigned int i = 0; i < 1000 && rc == -EAGAIN; i++) {
        if (i)
            usleep(1000);
        rc = pool_op(XEN_SYSCTL_CPUPOOL_OP_RMCPU, &p, NULL);
    }
    return rc;
}

int xc_pool_move(domid_t domain, uint32_t id)
{
    struct xen_sysctl_cpupool_op p = {.cpupool_id = id, .domid = domain};

    return pool_op(XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN, &p, NULL);
}

int xc_cpu_topology(struct xen_sysctl_cputopo **topo, unsigned int *nr)
{
    struct xen_sysctl_cputopo *shared = xcall_alloc(XC_MAX_CPUS * sizeof(*shared));
    struct xen_sysctl op = {0};
    int rc;

    op.u.cputopoinfo.num_cpus = XC_MAX_CPUS;
    set_xen_guest_handle(op.u.cputopoinfo.cputopo, shared);
    rc = sysctl(XEN_SYSCTL_cputopoinfo, &op);
    if (rc == 0) {
        *nr = op.u.cputopoinfo.num_cpus < XC_MAX_CPUS ? op.u.cputopoinfo.num_cpus : XC_MAX_CPUS;
        *topo = (void *)must_copy(shared, *nr * sizeof(*shared));
    }
    xcall_free(shared);
    return rc;
}

int xc_node_memory(struct xen_sysctl_meminfo **mem, unsigned int *nr)
{
    const unsigned int room = 64;
    struct xen_sysctl_meminfo *shared = xcall_alloc(room * sizeof(*shared));
    struct xen_sysctl op = {0};
    int rc;

    op.u.numainfo.num_nodes = room;
    set_xen_guest_handle(op.u.numainfo.meminfo, shared);
    rc = sysctl(XEN_SYSCTL_numainfo, &op);
    if (rc == 0) {
        *nr = op.u.numainfo.num_nodes < room ? op.u.numainfo.num_nodes : room;
        *mem = (void *)must_copy(shared, *nr * sizeof(*shared));
    }
    xcall_free(shared);
    return rc;
}

static long memory_op(unsigned int cmd, void *arg)
{
    return xcall(__HYPERVISOR_memory_op, cmd, (unsigned long)arg);
}

int xc_memory_map(domid_t id, uint64_t size)
{
    struct shared {
        struct xen_foreign_memory_map map;
        struct {
            uint64_t addr, size;
            uint32_t type;
        } __attribute__((packed)) entry;
    } *shared = xcall_alloc(sizeof(*shared));
    int rc;

    shared->entry.size = size;
    shared->entry.type = 1; /* RAM */
    shared->map.domid = id;
    shared->map.map.nr_entries = 1;
    set_xen_guest_handle(shared->map.map.buffer, &shared->entry);
    rc = memory_op(XENMEM_set_memory_map, shared);
    xcall_free(shared);
    return rc;
}

/* Extents of 2^@order pages from page @done on, as many as there are; returns how many pages. */
static long populate(domid_t id, uint64_t *p2m, uint64_t done, uint64_t nr, unsigned int order,
                     struct xen_memory_reservation *op, xen_pfn_t *list, unsigned int room)
{
    uint64_t want = (nr - done) >> order;
    long got;

    if (want > room)
        want = room;
    for (uint64_t i = 0; i < want; i++)
        list[i] = done + (i << order);
    *op = (struct xen_memory_reservation){
        .nr_extents = want, .extent_order = order, .domid = id, .mem_flags = 0};
    set_xen_guest_handle(op->extent_start, list);
    got = want ? memory_op(XENMEM_populate_physmap, op) : 0;
    for (long i = 0; i < got && i < (long)want; i++) {
        for (uint64_t k = 0; k < 1ul << order; k++)
            p2m[done + ((uint64_t)i << order) + k] = list[i] + k;
    }
    return got < 0 ? got : got > (long)want ? -EIO : got << order;
}

int xc_populate(domid_t id, uint64_t *p2m, uint64_t nr)
{
    const unsigned int room = 1024;
    struct xen_memory_reservation *op = xcall_alloc(sizeof(*op));
    xen_pfn_t *list = xcall_alloc(room * sizeof(*list));
    unsigned int order = 9; /* 2 MiB */
    uint64_t done = 0;
    long got = 0;

    while (done < nr && got >= 0) {
        got = stop_check(NULL);
        if (got)
            break;
        got = populate(id, p2m, done, nr, order, op, list, room);
        if (got > 0)
            done += got;
        else if (got == 0 && order == 0)
            got = -ENOMEM;
        else if (got == 0)
            order -= order > 4 ? 5 : 4; /* 2 MiB, 64 KiB, 4 KiB */
    }
    xcall_free(list);
    xcall_free(op);
    return got < 0 ? got : 0;
}

int xc_new_port(domid_t id, evtchn_port_t *port)
{
    struct evtchn_alloc_unbound *op = xcall_alloc(sizeof(*op));
    int rc;

    op->dom = id;
    op->remote_dom = DOMID_SELF;
    rc = xcall(__HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, (unsigned long)op);
    if (rc == 0)
        *port = op->port;
    xcall_free(op);
    return rc;
}

int xc_hypercall_page(domid_t id, uint64_t frame)
{
    struct xen_domctl op = {0};

    op.u.hypercall_init.gmfn = frame;
    return domctl(XEN_DOMCTL_hypercall_init, id, &op);
}

int xc_pin_root(domid_t id, uint64_t frame)
{
    struct mmuext_op *op = xcall_alloc(sizeof(*op));
    int rc;

    op->cmd = MMUEXT_PIN_L4_TABLE;
    op->arg1.mfn = frame;
    rc = xcall4(__HYPERVISOR_mmuext_op, (unsigned long)op, 1, 0, id);
    xcall_free(op);
    return rc;
}

int xc_set_context(domid_t id, unsigned int vcpu, const struct vcpu_guest_context *context)
{
    struct vcpu_guest_context *shared = xcall_alloc(sizeof(*shared));
    struct xen_domctl op = {0};
    int rc;

    *shared = *context;
    op.u.vcpucontext.vcpu = vcpu;
    set_xen_guest_handle(op.u.vcpucontext.ctxt, shared);
    rc = domctl(XEN_DOMCTL_setvcpucontext, id, &op);
    xcall_free(shared);
    return rc;
}

/* ---- the machine ---- */

int xc_physinfo(struct xen_sysctl_physinfo *info)
{
    struct xen_sysctl op = {0};
    int rc = sysctl(XEN_SYSCTL_physinfo, &op);

    if (rc == 0)
        *info = op.u.physinfo;
    return rc;
}

int xc_scheduler(uint32_t *id)
{
    struct xen_sysctl op = {0};
    int rc = sysctl(XEN_SYSCTL_sched_id, &op);

    if (rc == 0)
        *id = op.u.sched_id.sched_id;
    return rc;
}

int xc_debug_keys(const char *keys)
{
    size_t len = strlen(keys);
    char *shared = xcall_alloc(len + 1);
    struct xen_sysctl op = {0};
    int rc;

    memcpy(shared, keys, len);
    set_xen_guest_handle(op.u.debug_keys.keys, shared);
    op.u.debug_keys.nr_keys = len;
    rc = sysctl(XEN_SYSCTL_debug_keys, &op);
    xcall_free(shared);
    return rc;
}

int xc_read_log(uint32_t *index, char *buf, uint32_t *len, bool clear)
{
    char *shared = xcall_alloc(*len);
    struct xen_sysctl op = {0};
    int rc;

    op.u.readconsole.clear = clear;
    op.u.readconsole.incremental = 1;
    op.u.readconsole.index = *index;
    op.u.readconsole.count = *len;
    set_xen_guest_handle(op.u.readconsole.buffer, shared);
    rc = sysctl(XEN_SYSCTL_readconsole, &op);
    if (rc == 0 && op.u.readconsole.count > *len)
        rc = -EIO;
    if (rc == 0) {
        *len = op.u.readconsole.count;
        *index = op.u.readconsole.index;
        memcpy(buf, shared, *len);
    }
    xcall_free(shared);
    return rc;
}

long xc_version(unsigned int what, void *buf, size_t size)
{
    char *shared = xcall_alloc(4096);
    long rc = xcall(__HYPERVISOR_xen_version, what, size ? (unsigned long)shared : 0);

    if (rc >= 0 && size) {
        shared[4095] = 0;
        memcpy(buf, shared, size);
    }
    xcall_free(shared);
    return rc;
}

void xc_build_id(char *text, size_t room)
{
    struct xen_build_id *id = xcall_alloc(4096);
    long len;

    id->len = 1024;
    len = xcall(__HYPERVISOR_xen_version, XENVER_build_id, (unsigned long)id);
    text[0] = 0;
    for (long i = 0; i < len && i < 1024 && (size_t)i * 2 + 2 < room; i++)
        sprintf(text + i * 2, "%02x", id->buf[i]);
    xcall_free(id);
}

long xc_memory_count(unsigned int what)
{
    return xcall(__HYPERVISOR_memory_op, what, 0);
}

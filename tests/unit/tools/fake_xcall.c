/* SPDX-License-Identifier: MIT */
/* A hypervisor for tests of commands. Buffers are counted by the leak checker. */
#include "fake_machine.h"
#include "fake_xcall.h"

#include "dom0-tools/libsocle/xcall.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xen/sysctl.h>
#include <xen/version.h>

bool fake_hypervisor;
struct xen_domctl_getdomaininfo *fake_domains_list;
unsigned int fake_nr_domains, fake_again;
const char *fake_log = "";
char fake_keys[32];
uint32_t fake_scheduler, fake_weight, fake_cap, fake_ratelimit, fake_trigger, fake_trigger_vcpu;
uint8_t fake_hard, fake_soft;
bool fake_force;
uint8_t fake_pool_of[4];
static bool pool_is[4] = {true};
unsigned int fake_end_after, fake_gone_after;
uint32_t fake_end_reason;

static struct xen_domctl_getdomaininfo *find(domid_t id)
{
    for (unsigned int i = 0; i < fake_nr_domains; i++) {
        if (fake_domains_list[i].domain == id)
            return &fake_domains_list[i];
    }
    return NULL;
}

static long set_affinity(const struct xen_domctl_vcpuaffinity *a)
{
    if (a->vcpu >= FAKE_VCPUS)
        return -ESRCH;
    if (a->flags & XEN_VCPUAFFINITY_HARD && !(a->cpumap_hard.bitmap.p[0] & 7))
        return -EINVAL; /* CPU 3 is off line */
    if (a->flags & XEN_VCPUAFFINITY_HARD)
        fake_hard = a->cpumap_hard.bitmap.p[0];
    if (a->flags & XEN_VCPUAFFINITY_SOFT)
        fake_soft = a->cpumap_soft.bitmap.p[0];
    fake_force = a->flags & XEN_VCPUAFFINITY_FORCE;
    return 0;
}

static long shares(struct xen_domctl_scheduler_op *s)
{
    if (s->sched_id != fake_scheduler)
        return -EINVAL;
    if (s->cmd == XEN_DOMCTL_SCHEDOP_getinfo) {
        if (fake_scheduler == XEN_SCHEDULER_CREDIT2) {
            s->u.credit2.weight = fake_weight;
            s->u.credit2.cap = fake_cap;
        } else {
            s->u.credit.weight = fake_weight;
            s->u.credit.cap = fake_cap;
        }
    } else if (fake_scheduler == XEN_SCHEDULER_CREDIT2) {
        fake_weight = s->u.credit2.weight ? s->u.credit2.weight : fake_weight;
        fake_cap = s->u.credit2.cap == 0xffff ? fake_cap : s->u.credit2.cap;
    } else {
        fake_weight = s->u.credit.weight ? s->u.credit.weight : fake_weight;
        fake_cap = s->u.credit.cap == 0xffff ? fake_cap : s->u.credit.cap;
    }
    return 0;
}

static long domctl(struct xen_domctl *op)
{
    struct xen_domctl_getdomaininfo *d = find(op->domain);
    struct xen_domctl_vcpuaffinity *a = &op->u.vcpuaffinity;
    struct xen_domctl_getvcpuinfo *v = &op->u.getvcpuinfo;

    if (op->interface_version != XEN_DOMCTL_INTERFACE_VERSION)
        return -EACCES;
    if (!d)
        return -ESRCH;
    switch (op->cmd) {
    case XEN_DOMCTL_pausedomain:
        d->flags |= XEN_DOMINF_paused;
        return 0;
    case XEN_DOMCTL_unpausedomain:
        d->flags &= ~XEN_DOMINF_paused;
        return 0;
    case XEN_DOMCTL_destroydomain:
        if (fake_again && fake_again--)
            return -EAGAIN;
        d->flags |= XEN_DOMINF_dying;
        return 0;
    case XEN_DOMCTL_getvcpuinfo:
        if (v->vcpu >= FAKE_VCPUS)
            return -ESRCH;
        v->online = v->vcpu != 2;
        v->running = v->vcpu == 1;
        v->blocked = v->vcpu == 0;
        v->cpu = v->vcpu;
        v->cpu_time = 1250000000ull * v->vcpu;
        return 0;
    case XEN_DOMCTL_setvcpuaffinity:
        return set_affinity(a);
    case XEN_DOMCTL_scheduler_op:
        return shares(&op->u.scheduler_op);
    case XEN_DOMCTL_max_mem:
        d->max_pages = op->u.max_mem.max_memkb / 4;
        return 0;
    case XEN_DOMCTL_sendtrigger:
        fake_trigger = op->u.sendtrigger.trigger;
        fake_trigger_vcpu = op->u.sendtrigger.vcpu;
        return fake_trigger == XEN_DOMCTL_SENDTRIGGER_NMI ? 0 : -ENOSYS;
    case XEN_DOMCTL_getvcpuaffinity:
        memset(a->cpumap_hard.bitmap.p, 0xff, a->cpumap_hard.nr_bits / 8);
        a->cpumap_soft.bitmap.p[0] = a->vcpu == 1 ? 0x0d : a->vcpu ? 0 : 0xff;
        return 0;
    default:
        return -ENOSYS;
    }
}

static long list(struct xen_sysctl_getdomaininfolist *l)
{
    if (fake_end_after && !--fake_end_after)
        fake_domains_list[1].flags |= XEN_DOMINF_shutdown | fake_end_reason
                                                                << XEN_DOMINF_shutdownshift;
    if (fake_gone_after && !--fake_gone_after)
        fake_nr_domains = 1;
    l->num_domains = 0;
    for (unsigned int i = 0; i < fake_nr_domains && l->num_domains < l->max_domains; i++) {
        if (fake_domains_list[i].domain >= l->first_domain)
            l->buffer.p[l->num_domains++] = fake_domains_list[i];
    }
    return 0;
}

static long read_log(struct xen_sysctl_readconsole *r)
{
    uint32_t len = strlen(fake_log), index = r->index < len ? r->index : len;

    r->count = r->count < len - index ? r->count : len - index;
    memcpy(r->buffer.p, fake_log + index, r->count);
    r->index = index + r->count;
    if (r->clear)
        fake_log = "";
    return 0;
}

static long pool(struct xen_sysctl_scheduler_op *s)
{
    bool two = fake_scheduler == XEN_SCHEDULER_CREDIT2;

    if (s->sched_id != fake_scheduler)
        return -EINVAL;
    if (s->cmd == XEN_SYSCTL_SCHEDOP_putinfo) {
        fake_ratelimit = two ? s->u.sched_credit2.ratelimit_us : s->u.sched_credit.ratelimit_us;
        return 0;
    }
    if (two) {
        s->u.sched_credit2.ratelimit_us = fake_ratelimit;
    } else {
        s->u.sched_credit.tslice_ms = 30;
        s->u.sched_credit.ratelimit_us = fake_ratelimit;
    }
    return 0;
}

static uint8_t cpus_of(uint32_t id)
{
    uint8_t cpus = 0;

    for (unsigned int cpu = 0; cpu < 4; cpu++)
        cpus |= (fake_pool_of[cpu] == id) << cpu;
    return cpus;
}

static unsigned int domains_in(uint32_t id)
{
    unsigned int n = 0;

    for (unsigned int i = 0; i < fake_nr_domains; i++)
        n += fake_domains_list[i].cpupool == id;
    return n;
}

static long pool_op(struct xen_sysctl_cpupool_op *p)
{
    struct xen_domctl_getdomaininfo *d = find(p->domid);
    uint32_t id = p->cpupool_id;

    if (p->op == XEN_SYSCTL_CPUPOOL_OP_CREATE || p->op == XEN_SYSCTL_CPUPOOL_OP_INFO) {
        for (id = p->op == XEN_SYSCTL_CPUPOOL_OP_INFO ? id : 0;
             id < 4 && pool_is[id] == (p->op == XEN_SYSCTL_CPUPOOL_OP_CREATE);)
            id++;
        if (id >= 4)
            return -ENOENT;
        p->cpupool_id = id;
        p->sched_id = fake_scheduler;
        p->n_dom = domains_in(id);
        p->cpumap.bitmap.p[0] = cpus_of(id);
        return !(pool_is[id] = true);
    }
    if (p->op == XEN_SYSCTL_CPUPOOL_OP_FREEINFO) {
        p->cpumap.bitmap.p[0] = cpus_of(FAKE_NO_POOL);
        return 0;
    }
    if (id >= 4 || !pool_is[id])
        return -ENOENT;
    switch (p->op) {
    case XEN_SYSCTL_CPUPOOL_OP_DESTROY:
        return domains_in(id) || cpus_of(id) ? -EBUSY : (pool_is[id] = false);
    case XEN_SYSCTL_CPUPOOL_OP_ADDCPU:
        if (fake_pool_of[p->cpu] != FAKE_NO_POOL)
            return -ENODEV;
        fake_pool_of[p->cpu] = id;
        return 0;
    case XEN_SYSCTL_CPUPOOL_OP_RMCPU:
        if (fake_again && fake_again--)
            return -EAGAIN;
        if (p->cpu == 0)
            return -EINVAL;
        if (cpus_of(id) == 1 << p->cpu && domains_in(id))
            return -EBUSY;
        fake_pool_of[p->cpu] = FAKE_NO_POOL;
        return 0;
    case XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN:
        if (!cpus_of(id))
            return -ENOENT;
        d->cpupool = id;
        return 0;
    default:
        return -ENOSYS;
    }
}

static long sysctl(struct xen_sysctl *op)
{
    if (op->interface_version != XEN_SYSCTL_INTERFACE_VERSION)
        return -EACCES;
    switch (op->cmd) {
    case XEN_SYSCTL_getdomaininfolist:
        return list(&op->u.getdomaininfolist);
    case XEN_SYSCTL_readconsole:
        return read_log(&op->u.readconsole);
    case XEN_SYSCTL_physinfo:
        op->u.physinfo = (struct xen_sysctl_physinfo){
            .nr_cpus = 4, .max_cpu_id = 3, .total_pages = 256 * 1024, .cpu_khz = 2500500};
        return 0;
    case XEN_SYSCTL_sched_id:
        op->u.sched_id.sched_id = fake_scheduler;
        return 0;
    case XEN_SYSCTL_scheduler_op:
        return pool(&op->u.scheduler_op);
    case XEN_SYSCTL_cpupool_op:
        return pool_op(&op->u.cpupool_op);
    case XEN_SYSCTL_debug_keys:
        memset(fake_keys, 0, sizeof(fake_keys));
        memcpy(fake_keys, op->u.debug_keys.keys.p, op->u.debug_keys.nr_keys);
        return 0;
    default:
        return -ENOSYS;
    }
}

int xcall_open(void)
{
    return fake_hypervisor ? 0 : -ENODEV;
}

static long version(unsigned int what, char *buf)
{
    if (what == XENVER_version)
        return 4 << 16 | 17;
    if (what == XENVER_capabilities)
        strcpy(buf, "xen-3.0-x86_64 ");
    return what == XENVER_pagesize ? 4096 : what == XENVER_capabilities ? 0 : -ENODATA;
}

long xcall(unsigned int number, unsigned long arg1, unsigned long arg2)
{
    if (fake_machine)
        return fake_machine_call(number, arg1, arg2, 0);
    if (number == __HYPERVISOR_xen_version)
        return version(arg1, (char *)arg2);
    if (number == __HYPERVISOR_domctl)
        return domctl((struct xen_domctl *)arg1);
    return number == __HYPERVISOR_sysctl ? sysctl((struct xen_sysctl *)arg1) : -ENOSYS;
}

void *xcall_alloc(size_t size)
{
    return calloc(1, size);
}

void xcall_free(void *p)
{
    free(p);
}

long xcall4(unsigned int number, unsigned long arg1, unsigned long arg2, unsigned long arg3,
            unsigned long arg4)
{
    (void)arg3;
    return fake_machine ? fake_machine_call(number, arg1, arg2, arg4) : -ENOSYS;
}

void *xcall_map(unsigned int id, const uint64_t *frames, size_t nr)
{
    return fake_machine_map(id, frames, nr);
}

void xcall_unmap(void *p, size_t nr)
{
    fake_machine_unmap(p, nr);
}

void *xcall_map_grants(unsigned int id)
{
    return fake_machine_grants(id);
}

void xcall_unmap_grants(void *p)
{
    fake_machine_unmap(p, 1);
}

/* SPDX-License-Identifier: MIT */
/* Memory is a file, so that any frames can be mapped in a row. Frames are given out from the end,
 * and are full of rubbish at first. */
#include "fake_machine.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xen/sysctl.h>

#define PAGE    4096ul
#define DOMAINS 8

bool fake_machine;
unsigned int fake_max_order = 9, fake_calls, fake_fail_at;
bool fake_fail_on;

static int file = -1;
static uint8_t *memory;
static domid_t owner[FAKE_FRAMES]; /* 0: nobody */
static struct fake_domain domain[DOMAINS];
static unsigned int mappings;

void fake_machine_reset(void)
{
    if (file < 0) {
        file = memfd_create("memory", MFD_CLOEXEC);
        if (ftruncate(file, FAKE_FRAMES * PAGE))
            __builtin_trap();
        memory = mmap(NULL, FAKE_FRAMES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    }
    memset(owner, 0, sizeof(owner));
    memset(domain, 0, sizeof(domain));
    fake_machine = true;
    fake_max_order = 9;
    fake_calls = fake_fail_at = mappings = 0;
    fake_fail_on = false;
}

bool fake_machine_fails(void)
{
    fake_calls++;
    errno = ENOMEM;
    return fake_fail_at &&
           (fake_calls == fake_fail_at || (fake_fail_on && fake_calls > fake_fail_at));
}

struct fake_domain *fake_machine_domain(domid_t id)
{
    for (struct fake_domain *d = domain; d < domain + DOMAINS; d++) {
        if (d->there && d->id == id)
            return d;
    }
    return NULL;
}

unsigned int fake_machine_domains(void)
{
    unsigned int nr = 0;

    for (unsigned int i = 0; i < DOMAINS; i++)
        nr += domain[i].there;
    return nr;
}

uint64_t fake_machine_free(void)
{
    uint64_t nr = 0;

    for (unsigned int i = 0; i < FAKE_FRAMES; i++)
        nr += !owner[i];
    return nr;
}

unsigned int fake_machine_mappings(void)
{
    return mappings;
}

void *fake_machine_page(domid_t id, uint64_t frame)
{
    uint64_t i = frame - FAKE_FIRST;

    return i < FAKE_FRAMES && owner[i] == id ? memory + i * PAGE : NULL;
}

/* ---- memory ---- */

/* The highest free piece of that size, aligned; 0: there is none. */
static uint64_t take(domid_t id, unsigned int order)
{
    unsigned int nr = 1u << order;

    for (int at = FAKE_FRAMES - nr; at >= 0; at -= nr) {
        bool good = true;

        for (unsigned int i = 0; i < nr && good; i++)
            good = !owner[at + i];
        if (!good)
            continue;
        for (unsigned int i = 0; i < nr; i++)
            owner[at + i] = id;
        memset(memory + at * PAGE, 0xa5, nr * PAGE);
        return FAKE_FIRST + at;
    }
    return 0;
}

static long populate(struct xen_memory_reservation *r)
{
    struct fake_domain *d = fake_machine_domain(r->domid);

    for (uint64_t i = 0; i < r->nr_extents; i++) {
        unsigned int order = r->extent_order;
        uint64_t frame = 0;

        if (d && order <= fake_max_order && d->pages + (1ul << order) <= d->max_pages)
            frame = take(r->domid, order);
        if (!frame)
            return i;
        d->pages += 1ul << order;
        r->extent_start.p[i] = frame;
    }
    return r->nr_extents;
}

static long memory_op(unsigned int cmd, void *arg)
{
    struct xen_foreign_memory_map *map = arg;

    if (cmd == XENMEM_populate_physmap)
        return populate(arg);
    if (cmd != XENMEM_set_memory_map || map->map.nr_entries != 1 ||
        !fake_machine_domain(map->domid))
        return -EINVAL;
    memcpy(&fake_machine_domain(map->domid)->map_size, (char *)map->map.buffer.p + 8, 8);
    return 0;
}

/* ---- domains ---- */

static long create(struct xen_domctl *op)
{
    struct fake_domain *d = domain;

    if (fake_machine_domain(op->domain))
        return -EEXIST;
    if (op->u.createdomain.cpupool_id > 1)
        return op->u.createdomain.cpupool_id == 2 ? -ENODEV : -ESRCH;
    while (d < domain + DOMAINS && d->there)
        d++;
    if (d == domain + DOMAINS)
        return -ENOMEM;
    *d = (struct fake_domain){.there = true, .id = op->domain, .pauses = 1};
    d->max_vcpus = op->u.createdomain.max_vcpus;
    d->pool = op->u.createdomain.cpupool_id;
    memcpy(d->handle, op->u.createdomain.handle, sizeof(d->handle));
    d->shared = take(d->id, 0);
    d->grants = take(d->id, 0);
    return 0;
}

static void destroy(struct fake_domain *d)
{
    for (unsigned int i = 0; i < FAKE_FRAMES; i++) {
        if (owner[i] == d->id)
            owner[i] = 0;
    }
    d->there = false;
}

static void info(const struct fake_domain *d, struct xen_domctl_getdomaininfo *i)
{
    *i = (struct xen_domctl_getdomaininfo){.domain = d->id, .tot_pages = d->pages};
    i->shared_info_frame = d->shared;
    i->max_vcpu_id = d->max_vcpus - 1;
    i->flags = d->pauses ? XEN_DOMINF_paused : 0;
    memcpy(i->handle, d->handle, sizeof(i->handle));
}

static long domctl(struct xen_domctl *op)
{
    struct fake_domain *d = fake_machine_domain(op->domain);

    if (op->cmd == XEN_DOMCTL_createdomain)
        return create(op);
    if (!d)
        return -ESRCH;
    switch (op->cmd) {
    case XEN_DOMCTL_destroydomain:
        destroy(d);
        return 0;
    case XEN_DOMCTL_pausedomain:
        d->pauses++;
        return 0;
    case XEN_DOMCTL_unpausedomain:
        d->pauses--;
        return 0;
    case XEN_DOMCTL_max_vcpus:
        return op->u.max_vcpus.max == d->max_vcpus ? 0 : -EINVAL;
    case XEN_DOMCTL_max_mem:
        d->max_pages = op->u.max_mem.max_memkb / 4;
        return 0;
    case XEN_DOMCTL_getdomaininfo:
        info(d, &op->u.getdomaininfo);
        return 0;
    case XEN_DOMCTL_hypercall_init:
        d->hypercall_page = op->u.hypercall_init.gmfn;
        return fake_machine_page(d->id, d->hypercall_page) ? 0 : -EACCES;
    case XEN_DOMCTL_setvcpucontext:
        d->context = *op->u.vcpucontext.ctxt.p;
        d->started = true;
        return 0;
    case XEN_DOMCTL_setvcpuaffinity:
        if (op->u.vcpuaffinity.vcpu < 8)
            memcpy(&d->cpus[op->u.vcpuaffinity.vcpu], op->u.vcpuaffinity.cpumap_hard.bitmap.p, 8);
        return 0;
    case XEN_DOMCTL_scheduler_op:
        return 0;
    default:
        return -ENOSYS;
    }
}

static long sysctl(struct xen_sysctl *op)
{
    struct xen_sysctl_getdomaininfolist *l = &op->u.getdomaininfolist;

    switch (op->cmd) {
    case XEN_SYSCTL_physinfo:
        op->u.physinfo = (struct xen_sysctl_physinfo){.free_pages = fake_machine_free()};
        return 0;
    case XEN_SYSCTL_cpupool_op:
        return op->u.cpupool_op.op == XEN_SYSCTL_CPUPOOL_OP_INFO && op->u.cpupool_op.cpupool_id <= 2
                   ? 0
                   : -ENOENT;
    case XEN_SYSCTL_sched_id:
        op->u.sched_id.sched_id = XEN_SCHEDULER_CREDIT2;
        return 0;
    case XEN_SYSCTL_getdomaininfolist:
        l->num_domains = 0;
        for (unsigned int i = 0; i < DOMAINS; i++) {
            if (domain[i].there && domain[i].id >= l->first_domain)
                info(&domain[i], &l->buffer.p[l->num_domains++]);
        }
        return 0;
    default:
        return -ENOSYS;
    }
}

static long event_op(unsigned int cmd, struct evtchn_alloc_unbound *op)
{
    struct fake_domain *d = fake_machine_domain(op->dom);

    if (cmd != EVTCHNOP_alloc_unbound || !d || op->remote_dom != DOMID_SELF)
        return -EINVAL;
    op->port = ++d->ports;
    return 0;
}

/* No table may be mapped by anybody who can write to it. */
static long pin(struct mmuext_op *op, domid_t id)
{
    struct fake_domain *d = fake_machine_domain(id);

    if (!d || op->cmd != MMUEXT_PIN_L4_TABLE || !fake_machine_page(id, op->arg1.mfn) || mappings)
        return -EINVAL;
    d->root = op->arg1.mfn;
    return 0;
}

long fake_machine_call(unsigned int number, unsigned long arg1, unsigned long arg2,
                       unsigned long arg4)
{
    if (fake_machine_fails())
        return -ENOMEM;
    switch (number) {
    case __HYPERVISOR_domctl:
        return domctl((void *)arg1);
    case __HYPERVISOR_sysctl:
        return sysctl((void *)arg1);
    case __HYPERVISOR_memory_op:
        return memory_op(arg1, (void *)arg2);
    case __HYPERVISOR_event_channel_op:
        return event_op(arg1, (void *)arg2);
    case __HYPERVISOR_mmuext_op:
        return pin((void *)arg1, arg4);
    default:
        return -ENOSYS;
    }
}

void *fake_machine_map(unsigned int id, const uint64_t *frames, size_t nr)
{
    char *at;

    if (fake_machine_fails())
        return NULL;
    at = mmap(NULL, nr * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0, run; i < nr; i += run) {
        for (run = 1; i + run < nr && frames[i + run] == frames[i] + run;)
            run++;
        errno = EFAULT;
        for (size_t k = 0; k < run; k++) {
            if (!fake_machine_page(id, frames[i + k])) {
                munmap(at, nr * PAGE);
                return NULL;
            }
        }
        mmap(at + i * PAGE, run * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file,
             (frames[i] - FAKE_FIRST) * PAGE);
    }
    mappings++;
    return at;
}

void fake_machine_unmap(void *p, size_t nr)
{
    munmap(p, nr * PAGE);
    mappings--;
}

void *fake_machine_grants(unsigned int id)
{
    struct fake_domain *d = fake_machine_domain(id);

    errno = ESRCH;
    return d ? fake_machine_map(id, &d->grants, 1) : NULL;
}

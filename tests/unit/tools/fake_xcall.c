/* SPDX-License-Identifier: MIT */
/* A hypervisor for tests of commands. Buffers are counted by the leak checker. */
#include "fake_xcall.h"

#include "dom0-tools/libsocle/xcall.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xen/sysctl.h>

bool fake_hypervisor;
struct xen_domctl_getdomaininfo *fake_domains_list;
unsigned int fake_nr_domains, fake_again;
const char *fake_log = "";
char fake_keys[32];

static struct xen_domctl_getdomaininfo *find(domid_t id)
{
    for (unsigned int i = 0; i < fake_nr_domains; i++) {
        if (fake_domains_list[i].domain == id)
            return &fake_domains_list[i];
    }
    return NULL;
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
        op->u.physinfo = (struct xen_sysctl_physinfo){.nr_cpus = 4, .max_cpu_id = 3};
        return 0;
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

long xcall(unsigned int number, unsigned long arg1, unsigned long arg2)
{
    (void)arg2;
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
    (void)number, (void)arg1, (void)arg2, (void)arg3, (void)arg4;
    return -ENOSYS;
}

void *xcall_map(unsigned int id, const uint64_t *frames, size_t nr)
{
    (void)id, (void)frames, (void)nr;
    errno = EFAULT;
    return NULL;
}

void xcall_unmap(void *p, size_t nr)
{
    (void)p, (void)nr;
}

void *xcall_map_grants(unsigned int id)
{
    return xcall_map(id, NULL, 1);
}

void xcall_unmap_grants(void *p)
{
    (void)p;
}

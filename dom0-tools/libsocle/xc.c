/* SPDX-License-Identifier: MIT */
/* domctl and sysctl, as structures in memory that the hypervisor sees. */
#include "xc.h"

#include "alloc.h"
#include "xcall.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

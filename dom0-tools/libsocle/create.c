/* SPDX-License-Identifier: MIT */
/* A domain from its configuration, and back to nothing.
 *
 * What can be known to fail fails before anything is made: the kernel is read and laid out, then
 * name and memory are looked after. From then on the domain has an id that is locked (state.h); each
 * failure ends it by the same domain_end() that ends any. */
#include "create.h"

#include "alloc.h"
#include "build.h"
#include "build_kernel.h"
#include "create_nodes.h"
#include "device.h"
#include "pools.h"
#include "state.h"
#include "stop.h"
#include "unpack.h"
#include "xc.h"
#include "xcall.h"
#include "xs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAXMEM_SLACK                                                                               \
    1024 /* KiB that a domain may have beyond maxmem: what other tools grant, too */

struct creation {
    struct domain_config config; /* of the caller, with a uuid */
    const struct create_options *o;
    struct error *err;
    struct build_kernel kernel;
    int initrd; /* -1: none */
    struct build_layout layout;
    uint64_t *p2m;
    domid_t id;
    uint32_t pool;
    int lock; /* -1: there is no domain yet */
};

static int failed(struct creation *n, int rc, const char *what)
{
    return rc ? error_set(n->err, rc, "%s: %s", what, strerror(-rc)) : 0;
}

/* ---- before there is anything ---- */

static void fill_uuid(struct domain_config *c)
{
    if (c->has_uuid)
        return;
    must_have(getrandom(c->uuid, sizeof(c->uuid), 0) == sizeof(c->uuid) ? 0 : -1);
    c->uuid[6] = (c->uuid[6] & 0x0f) | 0x40; /* random */
    c->uuid[8] = (c->uuid[8] & 0x3f) | 0x80;
    c->has_uuid = true;
}

static int prefix(struct error *err, const char *path, int rc)
{
    struct error why = *err;

    return error_set(err, rc, "%s: %s", path, why.text);
}

static int open_initrd(struct creation *n, uint64_t *size)
{
    const char *path = n->config.ramdisk;
    struct stat st;

    *size = 0;
    if (!path)
        return 0;
    n->initrd = open(path, O_RDONLY | O_CLOEXEC);
    if (n->initrd < 0 || fstat(n->initrd, &st))
        return failed(n, -errno, path);
    if (!S_ISREG(st.st_mode))
        return error_set(n->err, -EINVAL, "%s: not a file", path);
    *size = st.st_size;
    return 0;
}

static void unpacking(void *ctx, unsigned int percent)
{
    const struct create_options *o = ctx;

    o->progress(o->ctx, "kernel", percent);
}

static int read_kernel(struct creation *n)
{
    uint64_t initrd, pages = (uint64_t)n->config.memory << 8;
    int rc = open_initrd(n, &initrd);

    if (rc)
        return rc;
    if (n->o->progress)
        unpack_watch(unpacking, (void *)n->o);
    rc = build_kernel_open(&n->kernel, n->config.kernel, n->err);
    unpack_watch(NULL, NULL);
    if (rc == 0)
        rc = build_layout(&n->layout, n->kernel.data, n->kernel.size, initrd, pages, n->err);
    if (rc)
        return prefix(n->err, n->config.kernel, rc);
    n->p2m = malloc(pages * sizeof(*n->p2m));
    return n->p2m ? 0 : failed(n, -ENOMEM, "list of frames");
}

#define OVERHEAD 256 /* pages that the hypervisor may need for a domain, generously */

static int check_memory(struct creation *n)
{
    struct xen_sysctl_physinfo info;
    int rc = failed(n, xc_physinfo(&info), "free memory");
    uint64_t need = n->layout.nr_pages + OVERHEAD, free;

    if (rc)
        return rc;
    free = info.free_pages > info.outstanding_pages ? info.free_pages - info.outstanding_pages : 0;
    if (need <= free)
        return 0;
    return error_set(n->err, -ENOMEM,
                     "not enough memory: %u MiB are wanted, %lu MiB are free, %lu MiB are missing "
                     "(socle mem-set 0 makes dom0 smaller)",
                     n->config.memory, free >> 8, (need - free + 255) >> 8);
}

/* ---- the domain ---- */

static int find_pool(struct creation *n)
{
    const char *name = n->config.pool;
    struct xc_pool pool = {0};
    int rc = name ? pool_find(name, &pool) : 0;

    n->pool = pool.id;
    return rc == -ENOENT ? error_set(n->err, rc, "pool: there is none called %s", name)
                         : failed(n, rc, "pool");
}

/* An id that is locked before there is a domain of that id. */
static int take_id(struct creation *n)
{
    struct xen_domctl_getdomaininfo info;

    for (unsigned int tries = 0; tries < 2048; tries++) {
        domid_t id = state_next_id();
        int lock = state_lock(id, false, n->err), rc;

        if (lock == -EBUSY)
            continue;
        if (lock < 0)
            return lock;
        rc = xc_info(id, &info) ?: -EEXIST;
        if (rc == -ESRCH) {
            state_forget(id); /* of a domain that is gone: it must not pass for that of this one */
            rc = xc_create(id, n->config.uuid, n->config.maxvcpus, n->pool);
        }
        if (rc == 0) {
            n->id = id;
            n->lock = lock;
            return 0;
        }
        state_unlock(id, lock);
        if (n->pool && (rc == -ESRCH || rc == -ENODEV))
            return error_set(n->err, rc, "pool: %s has no CPUs", n->config.pool);
        if (rc != -EEXIST)
            return failed(n, rc, "a new domain");
    }
    return error_set(n->err, -EBUSY, "no id is free");
}

static int place_vcpus(struct creation *n)
{
    const struct domain_config *c = &n->config;
    size_t placed = c->has_cpus ? c->maxvcpus : c->nr_vcpu_cpus;
    struct xc_cpus cpus;
    int rc = 0;

    for (size_t i = 0; i < placed && rc == 0; i++) {
        const struct config_cpus *of = c->has_cpus ? &c->cpus : &c->vcpu_cpus[i];

        memcpy(cpus.bits, of->bits, sizeof(cpus.bits)); /* little-endian in both */
        rc = xc_set_vcpu_affinity(n->id, i, &cpus, NULL, false);
    }
    return rc == -EINVAL ? error_set(n->err, rc, "cpus: none of them is there")
                         : failed(n, rc, "cpus");
}

static int set_shares(struct creation *n)
{
    uint32_t scheduler;
    int rc = xc_scheduler(&scheduler);

    if (rc == 0)
        rc = xc_set_domain_shares(n->id, scheduler, n->config.weight, n->config.cap);
    return failed(n, rc, "weight and cap");
}

static int set_limits(struct creation *n)
{
    const struct domain_config *c = &n->config;
    int rc = failed(n, xc_max_vcpus(n->id, c->maxvcpus), "vcpus");

    rc = rc ?: failed(n, xc_max_mem(n->id, c->maxmem * 1024ul + MAXMEM_SLACK), "maxmem");
    rc = rc ?: failed(n, xc_memory_map(n->id, (uint64_t)c->maxmem << 20), "memory map");
    rc = rc ?: place_vcpus(n);
    if (rc == 0 && (c->weight != 256 || c->cap))
        rc = set_shares(n);
    return rc;
}

/* Grants by which the daemons of console and store may map the rings. */
static int grant_rings(struct creation *n)
{
    grant_entry_v1_t *table = xcall_map_grants(n->id);

    if (!table)
        return failed(n, -errno, "grant table");
    table[GNTTAB_RESERVED_CONSOLE].frame = n->p2m[n->layout.console];
    table[GNTTAB_RESERVED_XENSTORE].frame = n->p2m[n->layout.store];
    __atomic_thread_fence(__ATOMIC_RELEASE);
    table[GNTTAB_RESERVED_CONSOLE].flags = GTF_permit_access;
    table[GNTTAB_RESERVED_XENSTORE].flags = GTF_permit_access;
    xcall_unmap_grants(table);
    return 0;
}

static int build(struct creation *n, struct create_rings *rings)
{
    struct build b = {
        .id = n->id,
        .layout = &n->layout,
        .kernel_fd = n->kernel.fd,
        .initrd_fd = n->initrd,
        .cmdline = n->config.cmdline,
        .p2m = n->p2m,
        .progress = n->o->progress,
        .ctx = n->o->ctx,
    };
    int rc = failed(n, xc_new_port(n->id, &b.store_port), "event channel of the store");

    if (rc == 0)
        rc = failed(n, xc_new_port(n->id, &b.console_port), "event channel of the console");
    if (rc == 0)
        rc = build_domain(&b, n->err);
    if (rc == 0)
        rc = grant_rings(n);
    *rings = (struct create_rings){b.store_port, b.console_port, 0, 0};
    if (rc == 0) {
        rings->store_frame = n->p2m[n->layout.store];
        rings->console_frame = n->p2m[n->layout.console];
    }
    return rc;
}

/* With the machine locked: what two tools at once must not both find free. */
static int take_place(struct creation *n)
{
    int machine = state_lock_machine(n->err), rc;

    if (machine < 0)
        return machine;
    rc = nodes_check_name(&n->config, n->err);
    if (rc == 0)
        rc = check_memory(n);
    if (rc == 0)
        rc = find_pool(n);
    if (rc == 0)
        rc = take_id(n);
    if (rc == 0)
        rc = set_limits(n);
    if (rc == 0)
        rc = nodes_take_name(n->id, &n->config, n->err);
    state_unlock_machine(machine);
    return rc;
}

static int add_devices(struct creation *n)
{
    struct xs_handle *xs;
    int rc;

    if (!n->config.nr_disks && !n->config.nr_nics)
        return 0;
    xs = xs_open(XS_OPEN_SOCKETONLY);
    rc = xs ? 0 : error_set(n->err, errno ? -errno : -EIO, "devices: no way to the store");
    rc = rc ?: devices_add(xs, n->id, &n->config, n->err);
    rc = rc ?: devices_wait(xs, n->id, DEVICE_SECONDS, n->err);
    xs_close(xs);
    return rc;
}

static int make(struct creation *n)
{
    struct create_rings rings;
    int rc = take_place(n);

    rc = rc ?: stop_check(n->err);
    rc = rc ?: build(n, &rings);
    rc = rc ?: stop_check(n->err);
    rc = rc ?: nodes_write(n->id, &n->config, &rings, n->err);
    rc = rc ?: stop_check(n->err);
    rc = rc ?: add_devices(n);
    rc = rc ?: stop_check(n->err);
    rc = rc ?: state_write(n->id, &n->config, n->err);
    if (rc == 0 && !n->o->paused)
        rc = failed(n, xc_unpause(n->id), "start");
    return rc;
}

static int end_locked(domid_t id, struct error *err);

/* What could not be ended is left to whoever comes next. */
static void finish(domid_t id, int lock, int rc)
{
    if (rc == 0)
        state_unlock(id, lock);
    else
        state_abandon(lock);
}

int domain_create(const struct domain_config *c, const struct create_options *o, domid_t *id,
                  struct error *err)
{
    static const struct create_options usual;
    struct creation n = {.config = *c, .o = o ? o : &usual, .err = err, .initrd = -1, .lock = -1};
    int rc;

    n.kernel.fd = -1;
    fill_uuid(&n.config);
    domain_sweep();
    stop_on(n.o->stop);
    rc = nodes_reach(err);
    rc = rc ?: read_kernel(&n);
    rc = rc ?: stop_check(err);
    rc = rc ?: make(&n);
    if (rc && stop_check(err))
        rc = -EINTR; /* whatever else it looked like */
    stop_on(NULL);
    if (n.lock >= 0)
        finish(n.id, n.lock, rc ? end_locked(n.id, NULL) : 0);
    if (rc == 0)
        *id = n.id;
    if (n.initrd >= 0)
        close(n.initrd);
    xs_leave();
    build_kernel_close(&n.kernel);
    free(n.p2m);
    return rc;
}

/* ---- the end ---- */

static int remove_devices(domid_t id, struct error *err)
{
    struct xs_handle *xs;
    int rc;

    if (!devices_any(id))
        return 0;
    xs = xs_open(XS_OPEN_SOCKETONLY);
    if (!xs)
        return error_set(err, errno ? -errno : -EIO, "devices: no way to the store");
    rc = devices_remove(xs, id, err);
    xs_close(xs);
    return rc;
}

static int end_locked(domid_t id, struct error *err)
{
    struct error why = {0}, device = {0};
    int rc, nodes, devices = 0;

    xc_pause(id); /* so that it does not see its devices go */
    state_forget(id);
    nodes = nodes_reach(&why);
    if (nodes == 0)
        devices = remove_devices(id, &device);
    rc = xc_destroy(id);
    if (rc == -ESRCH)
        rc = 0;
    if (nodes == 0)
        nodes = nodes_remove(id, &why);
    xs_leave();
    if (rc)
        return error_set(err, rc, "%s", strerror(-rc));
    if (nodes)
        return error_set(err, nodes, "its nodes in the store remain: %s", why.text);
    return devices ? error_set(err, devices, "%s", device.text) : 0;
}

int domain_end(domid_t id, struct error *err)
{
    int lock, rc;

    if (id == 0)
        return error_set(err, -EPERM, "%s", strerror(EPERM));
    lock = state_lock(id, true, err);
    if (lock < 0)
        return lock;
    rc = end_locked(id, err);
    finish(id, lock, rc);
    return rc;
}

void domain_sweep(void)
{
    for (int id = state_abandoned(1); id > 0; id = state_abandoned(id + 1)) {
        int lock = state_lock(id, false, NULL);

        if (lock >= 0)
            finish(id, lock, end_locked(id, NULL));
    }
}

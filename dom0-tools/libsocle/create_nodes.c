/* SPDX-License-Identifier: MIT */
/* Nodes of a domain in the store: what its kernel looks for, and what tools do. */
#include "create_nodes.h"

#include "alloc.h"
#include "xc.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PATH_ROOM     256
#define CONSOLE_LIMIT "1048576" /* bytes that a daemon of the console keeps for who is not there */

int nodes_open(struct xs_handle **xs, struct error *err)
{
    /* Not by the kernel's file: it waits for ever where there is no daemon. */
    *xs = xs_open(XS_OPEN_SOCKETONLY);
    return *xs ? 0
               : error_set(err, errno ? -errno : -ENOENT, "no way to the store: %s",
                           strerror(errno));
}

/* ---- writing ---- */

enum owner { OURS, ITS }; /* dom0's, and the domain may read; the domain's */

struct writer {
    struct xs_handle *xs;
    xs_transaction_t t;
    domid_t id;
    char uuid[40];
    int rc; /* of the first write that failed; none is tried after it */
};

static void perms_of(const struct writer *w, enum owner owner, struct xs_permissions p[2])
{
    p[0] = (struct xs_permissions){.id = owner == ITS ? w->id : 0, .perms = XS_PERM_NONE};
    p[1] = (struct xs_permissions){.id = w->id, .perms = XS_PERM_READ};
}

static void note(struct writer *w, bool done)
{
    if (!done && w->rc == 0)
        w->rc = errno ? -errno : -EIO;
}

/* A folder's permissions are those of what is made in it. */
static void permit(struct writer *w, enum owner owner, const char *path)
{
    struct xs_permissions p[2];

    perms_of(w, owner, p);
    if (w->rc == 0)
        note(w, xs_set_permissions(w->xs, w->t, path, p, owner == ITS ? 1 : 2));
}

static void put_at(struct writer *w, const char *path, const char *value)
{
    if (w->rc == 0)
        note(w, xs_write(w->xs, w->t, path, value, strlen(value)));
}

/* Below the domain's folder. */
static void path_in(const struct writer *w, char path[PATH_ROOM], const char *name)
{
    snprintf(path, PATH_ROOM, "/local/domain/%u%s%s", w->id, name[0] ? "/" : "", name);
}

static void put(struct writer *w, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void put(struct writer *w, const char *name, const char *format, ...)
{
    char path[PATH_ROOM], value[PATH_ROOM];
    va_list args;

    va_start(args, format);
    vsnprintf(value, sizeof(value), format, args);
    va_end(args);
    path_in(w, path, name);
    put_at(w, path, value);
}

static void make(struct writer *w, const char *name, enum owner owner)
{
    char path[PATH_ROOM];

    path_in(w, path, name);
    if (w->rc == 0)
        note(w, xs_mkdir(w->xs, w->t, path));
    permit(w, owner, path);
}

static void drop(struct writer *w, const char *path)
{
    errno = 0;
    if (w->rc == 0 && !xs_rm(w->xs, w->t, path) && errno != ENOENT)
        note(w, false);
}

static void put_vm(struct writer *w, const struct domain_config *c)
{
    char path[PATH_ROOM], now[24];

    snprintf(path, sizeof(path), "/vm/%s", w->uuid);
    if (w->rc == 0)
        note(w, xs_mkdir(w->xs, w->t, path));
    permit(w, OURS, path);
    snprintf(path, sizeof(path), "/vm/%s/uuid", w->uuid);
    put_at(w, path, w->uuid);
    snprintf(path, sizeof(path), "/vm/%s/name", w->uuid);
    put_at(w, path, c->name);
    snprintf(path, sizeof(path), "/vm/%s/start_time", w->uuid);
    snprintf(now, sizeof(now), "%lld.00", (long long)time(NULL));
    put_at(w, path, now);
}

/* For the daemon of the console, which reads this when it hears of the domain. */
static void put_own(struct writer *w, const struct domain_config *c)
{
    char path[PATH_ROOM], size[16];

    snprintf(path, sizeof(path), "/socle/%u/type", w->id);
    put_at(w, path, "pv");
    snprintf(path, sizeof(path), "/socle/%u/console-log", w->id);
    if (c->console_log)
        put_at(w, path, c->console_log);
    snprintf(path, sizeof(path), "/socle/%u/console-log-size", w->id);
    snprintf(size, sizeof(size), "%u", c->console_log_size);
    if (c->console_log_size)
        put_at(w, path, size);
}

static void put_vcpus(struct writer *w, const struct domain_config *c)
{
    char name[40];

    for (unsigned int i = 0; i < c->maxvcpus; i++) {
        snprintf(name, sizeof(name), "cpu/%u/availability", i);
        put(w, name, i < c->vcpus ? "online" : "offline");
    }
}

/* What the domain may write: these and no others. */
static void make_its_own(struct writer *w)
{
    static const char *const names[] = {
        "control/shutdown",
        "control/sysrq",
        "control/feature-poweroff",
        "control/feature-reboot",
        "control/feature-suspend",
        "device/suspend/event-channel",
        "data",
        "drivers",
        "feature",
        "attr",
        "error",
    };

    for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        make(w, names[i], ITS);
}

static void put_all(struct writer *w, const struct domain_config *c, const struct create_rings *r)
{
    char path[PATH_ROOM];

    path_in(w, path, "");
    drop(w, path); /* the name alone, which the domain may not read */
    make(w, "", OURS);
    put_vm(w, c);
    put_own(w, c);
    put(w, "vm", "/vm/%s", w->uuid);
    put(w, "name", "%s", c->name);
    put(w, "domid", "%u", w->id);
    put_vcpus(w, c);
    put(w, "memory/static-max", "%lu", c->maxmem * 1024ul);
    put(w, "memory/target", "%lu", c->memory * 1024ul);
    put(w, "memory/videoram", "0");
    make(w, "device", OURS);
    put(w, "control/platform-feature-multiprocessor-suspend", "1");
    put(w, "control/platform-feature-xs_reset_watches", "1");
    make_its_own(w);
    put(w, "store/port", "%u", r->store_port);
    put(w, "store/ring-ref", "%lu", r->store_frame);
    put(w, "console/port", "%u", r->console_port);
    put(w, "console/ring-ref", "%lu", r->console_frame);
    put(w, "console/limit", CONSOLE_LIMIT);
    put(w, "console/type", "xenconsoled");
    put(w, "console/output", "pty");
    put(w, "console/tty", "%s", "");
}

/* ---- transactions ---- */

static void uuid_text(char text[40], const uint8_t uuid[16])
{
    size_t len = 0;

    for (unsigned int i = 0; i < 16; i++)
        len +=
            sprintf(text + len, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", uuid[i]);
}

/* Again, as long as others come between. */
static int transact(struct writer *w, void (*what)(struct writer *w, const void *ctx),
                    const void *ctx)
{
    for (;;) {
        w->rc = 0;
        w->t = xs_transaction_start(w->xs);
        if (!w->t)
            return errno ? -errno : -EIO;
        what(w, ctx);
        if (xs_transaction_end(w->xs, w->t, w->rc != 0))
            return w->rc;
        if (w->rc || errno != EAGAIN)
            return w->rc ? w->rc : errno ? -errno : -EIO;
    }
}

static int store_failed(struct error *err, int rc)
{
    return rc ? error_set(err, rc, "store: %s", strerror(-rc)) : 0;
}

/* ---- names ---- */

static char *name_of(struct xs_handle *xs, domid_t id)
{
    char path[PATH_ROOM];
    unsigned int len;

    snprintf(path, sizeof(path), "/local/domain/%u/name", id);
    return xs_read(xs, XBT_NULL, path, &len);
}

static int check_one(struct xs_handle *xs, const struct xen_domctl_getdomaininfo *d,
                     const struct domain_config *c, struct error *err)
{
    char *name = name_of(xs, d->domain);
    int rc = 0;

    if (!name && errno != ENOENT)
        rc = error_set(err, -errno, "store: %s", strerror(errno));
    else if (name && strcmp(name, c->name) == 0)
        rc = error_set(err, -EEXIST, "there is a domain %s already: its id is %u", c->name,
                       d->domain);
    else if (memcmp(d->handle, c->uuid, sizeof(c->uuid)) == 0)
        rc = error_set(err, -EEXIST, "domain %u has this uuid already", d->domain);
    free(name);
    return rc;
}

int nodes_check_name(struct xs_handle *xs, const struct domain_config *c, struct error *err)
{
    struct xen_domctl_getdomaininfo *list;
    unsigned int nr;
    int rc = xc_domains(&list, &nr);

    if (rc)
        return error_set(err, rc, "list of domains: %s", strerror(-rc));
    for (unsigned int i = 0; i < nr && rc == 0; i++) {
        if (!(list[i].flags & XEN_DOMINF_dying))
            rc = check_one(xs, &list[i], c, err);
    }
    free(list);
    return rc;
}

int nodes_take_name(struct xs_handle *xs, domid_t id, const struct domain_config *c,
                    struct error *err)
{
    struct writer w = {.xs = xs, .id = id};

    put(&w, "name", "%s", c->name);
    return store_failed(err, w.rc);
}

/* ---- all of it ---- */

struct contents {
    const struct domain_config *c;
    const struct create_rings *rings;
};

static void put_contents(struct writer *w, const void *ctx)
{
    const struct contents *all = ctx;

    put_all(w, all->c, all->rings);
}

int nodes_write(struct xs_handle *xs, domid_t id, const struct domain_config *c,
                const struct create_rings *rings, struct error *err)
{
    struct contents all = {c, rings};
    struct writer w = {.xs = xs, .id = id};
    int rc;

    uuid_text(w.uuid, c->uuid);
    rc = transact(&w, put_contents, &all);
    if (rc == 0 && !xs_introduce_domain(xs, id, rings->store_frame, rings->store_port))
        rc = errno ? -errno : -EIO;
    return store_failed(err, rc);
}

/* ---- removing ---- */

static void drop_all(struct writer *w, const void *ctx)
{
    char path[PATH_ROOM], *vm;
    unsigned int len;

    (void)ctx;
    path_in(w, path, "vm");
    vm = xs_read(w->xs, w->t, path, &len);
    note(w, vm || errno == ENOENT);
    if (vm && strncmp(vm, "/vm/", 4) == 0 && vm[4] && !strchr(vm + 4, '/'))
        drop(w, vm);
    free(vm);
    path_in(w, path, "");
    drop(w, path);
    snprintf(path, sizeof(path), "/libxl/%u", w->id);
    drop(w, path);
    snprintf(path, sizeof(path), "/socle/%u", w->id);
    drop(w, path);
}

int nodes_remove(struct xs_handle *xs, domid_t id, struct error *err)
{
    struct writer w = {.xs = xs, .id = id};

    xs_release_domain(xs, id); /* which the store may not know, or have dropped by itself */
    return store_failed(err, transact(&w, drop_all, NULL));
}

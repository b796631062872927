/* SPDX-License-Identifier: MIT */
/* Nodes of a domain in the store: what its kernel looks for, and what tools do. */
#include "create_nodes.h"

#include "alloc.h"
#include "xc.h"
#include "xs.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PATH_ROOM     256
#define CONSOLE_LIMIT "1048576" /* bytes that a daemon of the console keeps for who is not there */

int nodes_reach(struct error *err)
{
    int rc = xs_reach();

    return rc ? error_set(err, rc, "no way to the store: %s", strerror(-rc)) : 0;
}

/* ---- writing ---- */

enum owner { OURS, ITS }; /* dom0's, and the domain may read; the domain's */

struct writer {
    struct xs_changes changes;
    domid_t id;
    char uuid[40];
};

/* A folder's permissions are those of what is made in it. */
static void permit(struct writer *w, enum owner owner, const char *path)
{
    char perms[32];
    int len = sprintf(perms, "n%u", owner == ITS ? w->id : 0) + 1;

    if (owner == OURS)
        len += sprintf(perms + len, "r%u", w->id) + 1;
    xs_permit(&w->changes, path, perms, len);
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
    xs_put(&w->changes, path, value);
}

static void make(struct writer *w, const char *name, enum owner owner)
{
    char path[PATH_ROOM];

    path_in(w, path, name);
    xs_make(&w->changes, path);
    permit(w, owner, path);
}

static void put_vm(struct writer *w, const struct domain_config *c)
{
    char path[PATH_ROOM], now[24];

    snprintf(path, sizeof(path), "/vm/%s", w->uuid);
    xs_make(&w->changes, path);
    permit(w, OURS, path);
    snprintf(path, sizeof(path), "/vm/%s/uuid", w->uuid);
    xs_put(&w->changes, path, w->uuid);
    snprintf(path, sizeof(path), "/vm/%s/name", w->uuid);
    xs_put(&w->changes, path, c->name);
    snprintf(path, sizeof(path), "/vm/%s/start_time", w->uuid);
    snprintf(now, sizeof(now), "%lld.00", (long long)time(NULL));
    xs_put(&w->changes, path, now);
}

/* For the daemon of the console, which reads this when it hears of the domain. */
static void put_own(struct writer *w, const struct domain_config *c)
{
    char path[PATH_ROOM], size[16];

    snprintf(path, sizeof(path), "/socle/%u/type", w->id);
    xs_put(&w->changes, path, "pv");
    snprintf(path, sizeof(path), "/socle/%u/console-log", w->id);
    if (c->console_log)
        xs_put(&w->changes, path, c->console_log);
    snprintf(path, sizeof(path), "/socle/%u/console-log-size", w->id);
    snprintf(size, sizeof(size), "%u", c->console_log_size);
    if (c->console_log_size)
        xs_put(&w->changes, path, size);
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
    xs_drop(&w->changes, path); /* the name alone, which the domain may not read */
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

static void uuid_text(char text[40], const uint8_t uuid[16])
{
    size_t len = 0;

    for (unsigned int i = 0; i < 16; i++)
        len +=
            sprintf(text + len, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", uuid[i]);
}

static int store_failed(struct error *err, int rc)
{
    return rc ? error_set(err, rc, "store: %s", strerror(-rc)) : 0;
}

/* ---- names ---- */

static int check_one(const struct xen_domctl_getdomaininfo *d, const char *name,
                     const struct domain_config *c, struct error *err)
{
    if (d->flags & XEN_DOMINF_dying)
        return 0;
    if (name && strcmp(name, c->name) == 0)
        return error_set(err, -EEXIST, "there is a domain %s already: its id is %u", c->name,
                         d->domain);
    if (memcmp(d->handle, c->uuid, sizeof(c->uuid)) == 0)
        return error_set(err, -EEXIST, "domain %u has this uuid already", d->domain);
    return 0;
}

static int read_names(const struct xen_domctl_getdomaininfo *list, unsigned int nr, char **name)
{
    char(*path)[32] = must_alloc((nr + 1) * sizeof(*path));
    const char **at = must_alloc((nr + 1) * sizeof(*at));
    int rc;

    for (unsigned int i = 0; i < nr; i++) {
        snprintf(path[i], sizeof(path[i]), "/local/domain/%u/name", list[i].domain);
        at[i] = path[i];
    }
    rc = xs_get_all(at, nr, name);
    free(path);
    free(at);
    return rc;
}

int nodes_check_name(const struct domain_config *c, struct error *err)
{
    struct xen_domctl_getdomaininfo *list;
    unsigned int nr;
    char **name;
    int rc = xc_domains(&list, &nr);

    if (rc)
        return error_set(err, rc, "list of domains: %s", strerror(-rc));
    name = must_alloc((nr + 1) * sizeof(*name));
    rc = store_failed(err, read_names(list, nr, name));
    for (unsigned int i = 0; i < nr; i++) {
        rc = rc ?: check_one(&list[i], name[i], c, err);
        free(name[i]);
    }
    free(name);
    free(list);
    return rc;
}

int nodes_take_name(domid_t id, const struct domain_config *c, struct error *err)
{
    struct writer w = {.id = id};

    put(&w, "name", "%s", c->name);
    return store_failed(err, xs_change(&w.changes));
}

/* ---- all of it ---- */

int nodes_write(domid_t id, const struct domain_config *c, const struct create_rings *rings,
                struct error *err)
{
    struct writer w = {.id = id};
    int rc;

    uuid_text(w.uuid, c->uuid);
    put_all(&w, c, rings);
    rc = xs_change(&w.changes);
    if (rc == 0)
        rc = xs_introduce(id, rings->store_frame, rings->store_port);
    return store_failed(err, rc);
}

/* ---- removing ---- */

/* The node below /vm, which only dom0 can name. */
static int drop_vm(struct writer *w)
{
    char path[PATH_ROOM], *vm;
    const char *at = path;
    int rc;

    path_in(w, path, "vm");
    rc = xs_get_all(&at, 1, &vm);
    if (vm && strncmp(vm, "/vm/", 4) == 0 && vm[4] && !strchr(vm + 4, '/'))
        xs_drop(&w->changes, vm);
    free(vm);
    return rc;
}

int nodes_remove(domid_t id, struct error *err)
{
    struct writer w = {.id = id};
    char path[PATH_ROOM];
    int rc;

    xs_release(id); /* which the store may not know, or have dropped by itself */
    rc = drop_vm(&w);
    if (rc)
        return store_failed(err, rc);
    path_in(&w, path, "");
    xs_drop(&w.changes, path);
    snprintf(path, sizeof(path), "/libxl/%u", id);
    xs_drop(&w.changes, path);
    snprintf(path, sizeof(path), "/socle/%u", id);
    xs_drop(&w.changes, path);
    return store_failed(err, xs_change(&w.changes));
}

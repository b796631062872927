// SPDX-License-Identifier: MIT
/* Making devices: block devices for images, then the store's nodes of all in one transaction, which
 * also sees to it that no two domains write to one disk or have one address.
 *
 * A disk's back end finds its device in the nodes from the start. A card's interface is there only
 * when the back end has made it; devices_wait() connects it. */
#include "device.h"
#include "device_nodes.h"

#include "alloc.h"
#include "loop.h"
#include "net.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

struct disk { /* what stands behind a disk of the configuration */
    char path[64];
    dev_t device; /* 0: a script will find out */
    int fd;       /* of a loop device; -1 */
};

struct adding {
    struct xs_handle *xs;
    xs_transaction_t t;
    domid_t id;
    const struct domain_config *c;
    struct disk *disks;
    struct error *err;
    bool failed; /* a write */
};

/* ---- block devices ---- */

static struct held {
    struct held *next;
    domid_t id;
    int fd;
} * held_devices;

static void hold(domid_t id, int fd)
{
    struct held *h = must_alloc(sizeof(*h));

    *h = (struct held){.next = held_devices, .id = id, .fd = fd};
    held_devices = h;
}

void device_let_go(domid_t id)
{
    for (struct held **p = &held_devices, *h; (h = *p);) {
        if (h->id != id) {
            p = &h->next;
            continue;
        }
        *p = h->next;
        close(h->fd);
        free(h);
    }
}

static int open_block(const struct config_disk *d, struct disk *to, struct error *err)
{
    /* With O_EXCL not even dom0 may have it mounted. A reader does no harm, but may be surprised. */
    int fd = open(d->path, d->readonly ? O_RDONLY | O_CLOEXEC : O_RDWR | O_EXCL | O_CLOEXEC);
    struct stat st;

    if (fd < 0 && errno == EBUSY)
        return error_set(err, -EBUSY, "disk %s: %s is in use in the control domain", d->vdev,
                         d->path);
    if (fd < 0 || fstat(fd, &st))
        return error_set(err, -errno, "disk %s: %s: %s", d->vdev, d->path, strerror(errno));
    close(fd);
    to->device = st.st_rdev;
    snprintf(to->path, sizeof(to->path), "/dev/block/%u:%u", major(st.st_rdev), minor(st.st_rdev));
    return 0;
}

static int open_disk(const struct config_disk *d, struct disk *to, struct error *err)
{
    struct error why = {0};
    struct loop loop;
    int rc;

    *to = (struct disk){.fd = -1};
    if (d->script)
        return 0;
    if (d->block)
        return open_block(d, to, err);
    rc = loop_attach(d->path, d->readonly, &loop, &why);
    if (rc)
        return error_set(err, rc, "disk %s: %s", d->vdev, why.text);
    to->device = loop.device;
    to->fd = loop.fd;
    snprintf(to->path, sizeof(to->path), "%s", loop.path);
    return 0;
}

/* ---- what other domains have ---- */

/* Calls @see for each device of a kind that any domain has, until it returns something. */
static int each_device(struct adding *a, const char *kind,
                       int (*see)(struct adding *a, const struct device *d, const void *arg),
                       const void *arg)
{
    char path[64];
    unsigned int count = 0, domid;
    struct device *list;
    char **ids;
    int rc = 0;
    size_t nr;

    snprintf(path, sizeof(path), BACK_ENDS "/%s", kind);
    ids = xs_directory(a->xs, a->t, path, &count);
    for (unsigned int i = 0; ids && i < count && rc == 0; i++) {
        if (!is_number(ids[i], &domid) || devices_list(a->xs, a->t, domid, kind, &list, &nr))
            continue;
        for (size_t j = 0; j < nr && rc == 0; j++)
            rc = see(a, &list[j], arg);
        free(list);
    }
    free(ids);
    return rc;
}

/* "domain 3 (debian)" */
static void domain_title(struct adding *a, domid_t id, char *text, size_t size)
{
    char path[64], *name;

    snprintf(path, sizeof(path), "/local/domain/%u", id);
    name = device_read(a->xs, a->t, path, "name");
    snprintf(text, size, name ? "domain %u (%s)" : "domain %u", id, name);
    free(name);
}

static bool node_is(struct adding *a, const struct device *d, const char *name, const char *value)
{
    char *has = device_read(a->xs, a->t, d->back, name);
    bool is = has && strcmp(has, value) == 0;

    free(has);
    return is;
}

struct wish {
    const struct config_disk *disk;
    char number[32];
};

static int refuse_disk(struct adding *a, const struct device *d, const void *arg)
{
    const struct wish *w = arg;
    char title[128];

    if (!node_is(a, d, "physical-device", w->number) && !node_is(a, d, "params", w->disk->path))
        return 0;
    if (w->disk->readonly && node_is(a, d, "mode", "r"))
        return 0;
    domain_title(a, d->domid, title, sizeof(title));
    return error_set(a->err, -EBUSY, "disk %s: %s is in use by %s", w->disk->vdev, w->disk->path,
                     title);
}

static int check_disk(struct adding *a, size_t i)
{
    struct wish w = {.disk = &a->c->disks[i]};
    dev_t dev = a->disks[i].device;

    if (a->c->disks[i].script)
        return 0;
    snprintf(w.number, sizeof(w.number), "%x:%x", major(dev), minor(dev));
    return each_device(a, "vbd", refuse_disk, &w);
}

static int open_disks(struct adding *a)
{
    a->disks = must_alloc((a->c->nr_disks + 1) * sizeof(*a->disks));
    for (size_t i = 0; i < a->c->nr_disks; i++) {
        int rc = open_disk(&a->c->disks[i], &a->disks[i], a->err);

        if (rc == -EBUSY) /* perhaps there is more to say: who has it */
            each_device(a, "vbd", refuse_disk, &(struct wish){.disk = &a->c->disks[i]});
        if (rc)
            return rc;
        if (a->disks[i].fd >= 0)
            hold(a->id, a->disks[i].fd);
    }
    return 0;
}

static void mac_text(const uint8_t mac[6], char text[18])
{
    snprintf(text, 18, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
             mac[5]);
}

static int refuse_mac(struct adding *a, const struct device *d, const void *arg)
{
    return node_is(a, d, "mac", arg) ? d->domid + 1 : 0;
}

/* Two cards of one configuration do not have the same; but one may be made up like another. */
static bool taken_by_own(struct adding *a, size_t nr, const uint8_t mac[6])
{
    for (size_t i = 0; i < a->c->nr_nics; i++) {
        if (i != nr && a->c->nics[i].has_mac && memcmp(a->c->nics[i].mac, mac, 6) == 0)
            return true;
    }
    return false;
}

static int choose_mac(struct adding *a, size_t nr, char text[18])
{
    char title[128];
    uint8_t mac[6];
    int user = 0;

    for (unsigned int salt = 0; salt < 100; salt++) {
        device_mac(a->c, nr, salt, mac);
        mac_text(mac, text);
        user = each_device(a, "vif", refuse_mac, text);
        if (a->c->nics[nr].has_mac && user)
            break;
        if (!user && !taken_by_own(a, nr, mac))
            return 0;
    }
    domain_title(a, user - 1, title, sizeof(title));
    return error_set(a->err, -EEXIST, "nic %zu: the address %s is that of %s", nr, text, title);
}

void device_mac(const struct domain_config *c, size_t nr, unsigned int salt, uint8_t mac[6])
{
    uint64_t hash = 0xcbf29ce484222325; /* FNV-1a */
    uint8_t more[2] = {nr, salt};

    if (c->nics[nr].has_mac) {
        memcpy(mac, c->nics[nr].mac, 6);
        return;
    }
    for (unsigned int i = 0; i < 18; i++)
        hash = (hash ^ (i < 16 ? c->uuid[i] : more[i - 16])) * 0x100000001b3;
    hash ^= hash >> 32;
    memcpy(mac, (uint8_t[6]){0x00, 0x16, 0x3e, hash >> 16 & 0x7f, hash >> 8, hash}, 6);
}

/* ---- nodes ---- */

__attribute__((format(printf, 4, 5))) static void put(struct adding *a, const char *dir,
                                                      const char *name, const char *format, ...)
{
    char path[256], value[2304];
    va_list args;

    va_start(args, format);
    vsnprintf(value, sizeof(value), format, args);
    va_end(args);
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    a->failed |= !xs_write(a->xs, a->t, path, value, strlen(value));
}

/* A directory that is @owner's, for @reader to read, as will be what is written into it. */
static void make_dir(struct adding *a, const char *path, domid_t owner, domid_t reader)
{
    struct xs_permissions p[] = {{.id = owner, .perms = XS_PERM_NONE},
                                 {.id = reader, .perms = XS_PERM_READ}};

    a->failed |= !xs_mkdir(a->xs, a->t, path) || !xs_set_permissions(a->xs, a->t, path, p, 2);
}

/* What the kernel has noted of another domain, which had this id before. */
static void forget_error(struct adding *a, const struct device *d)
{
    char dir[128], *old;

    snprintf(dir, sizeof(dir), ERRORS "/%s/%u/%u", d->kind, a->id, d->id);
    old = device_read(a->xs, a->t, dir, "error");
    a->failed |= old && !xs_rm(a->xs, a->t, dir);
    free(old);
}

/* What all devices have. The entry below /libxl is for Xen's tools: to find and end them. */
static void put_device(struct adding *a, const struct device *d)
{
    char dir[96];

    forget_error(a, d);
    make_dir(a, d->back, 0, a->id);
    put(a, d->back, "frontend", "%s", d->front);
    put(a, d->back, "frontend-id", "%u", a->id);
    put(a, d->back, "online", "1");
    put(a, d->back, "state", "%u", INITIALISING);
    make_dir(a, d->front, a->id, 0);
    put(a, d->front, "backend", "%s", d->back);
    put(a, d->front, "backend-id", "0");
    put(a, d->front, "state", "%u", INITIALISING);
    snprintf(dir, sizeof(dir), "/libxl/%u/device/%s/%u", a->id, d->kind, d->id);
    put(a, dir, "backend", "%s", d->back);
    put(a, dir, "frontend", "%s", d->front);
}

static void put_disk(struct adding *a, size_t i)
{
    const struct config_disk *c = &a->c->disks[i];
    const struct disk *disk = &a->disks[i];
    struct device d;

    device_init(&d, "vbd", a->id, c->devid);
    put_device(a, &d);
    put(a, d.back, "dev", "%s", c->vdev);
    put(a, d.back, "type", "%s", c->script || c->block ? "phy" : "file");
    put(a, d.back, "params", "%s", c->path);
    put(a, d.back, "mode", "%s", c->readonly ? "r" : "w");
    put(a, d.back, "device-type", "disk");
    put(a, d.back, "removable", "0");
    put(a, d.back, "bootable", "1");
    put(a, d.back, "discard-enable", "1");
    if (c->script) {
        put(a, d.back, "script", "%s", c->script);
    } else {
        put(a, d.back, "node", "%s", disk->path);
        put(a, d.back, "physical-device", "%x:%x", major(disk->device), minor(disk->device));
        put(a, d.back, "physical-device-path", "%s", disk->path);
        put(a, d.back, "hotplug-status", "connected");
    }
    put(a, d.front, "virtual-device", "%u", c->devid);
    put(a, d.front, "device-type", "disk");
}

static void put_nic(struct adding *a, size_t i, const char *mac)
{
    const struct config_nic *c = &a->c->nics[i];
    struct device d;

    device_init(&d, "vif", a->id, i);
    put_device(a, &d);
    put(a, d.back, "handle", "%zu", i);
    put(a, d.back, "mac", "%s", mac);
    put(a, d.back, "type", "vif");
    put(a, d.back, "script", "%s", c->script ? c->script : ""); /* netback wants one */
    put(a, d.back, "bridge", "%s", c->bridge ? c->bridge : DEVICE_BRIDGE);
    put(a, d.back, "hotplug-status", "%s", "");
    if (c->ip)
        put(a, d.back, "ip", "%s", c->ip);
    if (c->any_mac)
        put(a, d.back, "mac-filter", "0");
    if (c->ifname)
        put(a, d.back, "vifname", "%s", c->ifname);
    if (c->rate)
        put(a, d.back, "rate", "%u,%u", c->rate_bytes, c->rate_usecs);
    put(a, d.front, "handle", "%zu", i);
    put(a, d.front, "mac", "%s", mac);
}

/* All of it, in a transaction that the caller ends. */
static int put_all(struct adding *a)
{
    char mac[18];
    int rc = 0;

    for (size_t i = 0; i < a->c->nr_disks && rc == 0; i++) {
        rc = check_disk(a, i);
        if (rc == 0)
            put_disk(a, i);
    }
    for (size_t i = 0; i < a->c->nr_nics && rc == 0; i++) {
        rc = choose_mac(a, i, mac);
        if (rc == 0)
            put_nic(a, i, mac);
    }
    if (rc == 0 && a->failed)
        rc = error_set(a->err, -EIO, "devices: the store takes no nodes: %s", strerror(errno));
    return rc;
}

static int put_nodes(struct adding *a)
{
    for (unsigned int tries = 0; tries < 1000; tries++) {
        int rc;

        a->t = xs_transaction_start(a->xs);
        if (a->t == XBT_NULL)
            break;
        rc = put_all(a);
        if (rc) {
            xs_transaction_end(a->xs, a->t, true);
            return rc;
        }
        if (xs_transaction_end(a->xs, a->t, false))
            return 0;
        if (errno != EAGAIN) /* somebody else has changed what was read */
            break;
    }
    return error_set(a->err, -EIO, "devices: the store takes no nodes: %s", strerror(errno));
}

/* ---- all devices of a domain ---- */

static int check_kernel(const struct domain_config *c, struct error *err)
{
    if (c->nr_disks && !kernel_has_back_end("vbd"))
        return error_set(err, -ENODEV,
                         "disk %s: the kernel has no back end for disks (module xen-blkback)",
                         c->disks[0].vdev);
    if (c->nr_nics && !kernel_has_back_end("vif"))
        return error_set(
            err, -ENODEV,
            "nic 0: the kernel has no back end for network cards (module xen-netback)");
    for (size_t i = 0; i < c->nr_nics; i++) {
        if (c->nics[i].ifname && net_exists(c->nics[i].ifname))
            return error_set(err, -EEXIST, "nic %zu: there is an interface %s already", i,
                             c->nics[i].ifname);
    }
    return 0;
}

int devices_add(struct xs_handle *xs, domid_t id, const struct domain_config *c, struct error *err)
{
    struct adding a = {.xs = xs, .id = id, .c = c, .err = err};
    int rc;

    if (!c->nr_disks && !c->nr_nics)
        return 0;
    rc = check_kernel(c, err);
    if (rc)
        return rc;
    rc = open_disks(&a);
    if (rc == 0)
        rc = put_nodes(&a);
    if (rc)
        device_let_go(id);
    free(a.disks);
    return rc;
}

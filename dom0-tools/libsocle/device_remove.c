// SPDX-License-Identifier: MIT
/* Taking devices away. A back end whose front end's directory vanishes lets go of the guest's memory
 * and of the disk, and its device with it; nobody asks the guest. Then the nodes go. */
#include "device.h"
#include "device_nodes.h"

#include "net.h"

#include <errno.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct removing {
    struct xs_handle *xs;
    const struct device *d;
    time_t end; /* of patience */
    int rc;     /* the first thing that went wrong, */
    struct error *err;
};

static void note(struct removing *r, int rc, const char *what)
{
    char name[64];

    if (!rc || r->rc)
        return;
    device_name(r->xs, r->d, name, sizeof(name));
    r->rc = error_set(r->err, rc, "%s: %s", name, what);
}

static void run(struct removing *r, const char *action, const char *netdev)
{
    char *script = device_read(r->xs, XBT_NULL, r->d->back, "script");
    struct error why = {0};

    if (script &&
        access(script, X_OK) == 0) /* of another tool's, or gone meanwhile: not our matter */
        note(r, hotplug_run(r->xs, r->d, script, action, netdev, DEVICE_SECONDS, &why), why.text);
    free(script);
}

/* What the card's interface is called, if it is there. */
static bool find_netdev(struct removing *r, char *netdev, size_t size)
{
    char *wanted = device_read(r->xs, XBT_NULL, r->d->back, "vifname");

    snprintf(netdev, size, "vif%u.%u", r->d->domid, r->d->id);
    if (wanted && !net_exists(netdev))
        snprintf(netdev, size, "%s", wanted);
    free(wanted);
    return net_exists(netdev);
}

static void put(struct removing *r, const char *name, const char *value)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", r->d->back, name);
    xs_write(r->xs, XBT_NULL, path, value, strlen(value));
}

static void start(struct removing *r)
{
    char netdev[IFNAMSIZ];

    if (strcmp(r->d->kind, "vif") == 0 && find_netdev(r, netdev, sizeof(netdev)))
        run(r, "offline", netdev);
    put(r, "online", "0");
    xs_rm(r->xs, XBT_NULL, r->d->front);
}

/* Whether the disk's loop device still stands for its image. With a script it is the script's. */
static bool loop_stands(struct removing *r)
{
    char *number = device_read(r->xs, XBT_NULL, r->d->back, "physical-device");
    char *image = device_read(r->xs, XBT_NULL, r->d->back, "params");
    char *script = device_read(r->xs, XBT_NULL, r->d->back, "script");
    char *real = image ? realpath(image, NULL) : NULL; /* as the kernel has it */
    unsigned int major, minor;
    char file[4096] = "";
    bool stands = false;

    if (number && image && !script && sscanf(number, "%x:%x", &major, &minor) == 2 && major == 7) {
        kernel_loop_file(minor, file, sizeof(file));
        stands = strcmp(file, real ? real : image) == 0;
    }
    free(number);
    free(image);
    free(real);
    free(script);
    return stands;
}

static void finish(struct removing *r)
{
    bool disk = strcmp(r->d->kind, "vbd") == 0;
    char dir[128];

    while (kernel_has_device(r->d, false) || (disk && loop_stands(r))) {
        if (kernel_seconds() > r->end) {
            note(r, -ETIMEDOUT, "the back end does not let go of it");
            break;
        }
        kernel_pause();
    }
    if (disk)
        run(r, "remove", NULL);
    xs_rm(r->xs, XBT_NULL, r->d->back);
    snprintf(dir, sizeof(dir), ERRORS "/%s/%u/%u", r->d->kind, r->d->domid, r->d->id);
    xs_rm(r->xs, XBT_NULL, dir);
    snprintf(dir, sizeof(dir), "/libxl/%u/device/%s/%u", r->d->domid, r->d->kind, r->d->id);
    xs_rm(r->xs, XBT_NULL, dir);
}

/* Removes a directory that has nothing in it any more; whether it did. */
static bool tidy(struct xs_handle *xs, const char *path)
{
    for (;;) {
        xs_transaction_t t = xs_transaction_start(xs);
        unsigned int nr = 0;
        bool gone = false;
        char **names;

        if (t == XBT_NULL)
            return false;
        names = xs_directory(xs, t, path, &nr);
        if (names && nr == 0)
            gone = xs_rm(xs, t, path);
        free(names);
        if (xs_transaction_end(xs, t, !gone))
            return gone;
        if (errno != EAGAIN)
            return false;
    }
}

/* The same for those above it, up to @top. */
static void tidy_up(struct xs_handle *xs, const char *top, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void tidy_up(struct xs_handle *xs, const char *top, const char *format, ...)
{
    char path[128];
    va_list args;

    va_start(args, format);
    vsnprintf(path, sizeof(path), format, args);
    va_end(args);
    while (tidy(xs, path) && strcmp(path, top) != 0)
        *strrchr(path, '/') = 0;
}

int devices_remove(struct xs_handle *xs, domid_t id, struct error *err)
{
    struct removing r = {.xs = xs, .err = err};
    struct device *list;
    size_t nr;
    int rc;

    device_let_go(id);
    rc = devices_list(xs, XBT_NULL, id, NULL, &list, &nr);
    if (rc)
        return error_set(err, rc, "devices: no way to the store: %s", strerror(-rc));
    for (size_t i = 0; i < nr; i++) {
        r.d = &list[i];
        start(&r);
    }
    r.end = kernel_seconds() + DEVICE_SECONDS;
    for (size_t i = 0; i < nr; i++) {
        r.d = &list[i];
        finish(&r);
        tidy_up(xs, BACK_ENDS, BACK_ENDS "/%s/%u", r.d->kind, id);
        tidy_up(xs, "/local/domain/0/error", ERRORS "/%s/%u", r.d->kind, id);
        tidy_up(xs, "/libxl", "/libxl/%u/device/%s", id, r.d->kind);
    }
    free(list);
    return r.rc;
}

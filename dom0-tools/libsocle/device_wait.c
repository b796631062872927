// SPDX-License-Identifier: MIT
/* Waiting for back ends. The kernel finds the nodes by a watch, makes its end and says so by the state
 * (and a disk's end also opens the device, which only sysfs shows); then cards are connected.
 * What goes wrong it notes below error/ and begins to close. */
#include "device.h"
#include "device_nodes.h"

#include "net.h"
#include "network.h"
#include "stop.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct waiting {
    struct xs_handle *xs;
    const struct device *d;
    unsigned int seconds;
    struct error *err;
};

enum { NOT_YET, READY }; /* or a negative errno */

static void put(struct waiting *w, const char *name, const char *value)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", w->d->back, name);
    xs_write(w->xs, XBT_NULL, path, value, strlen(value));
}

static bool node_is(struct waiting *w, const char *name, const char *value)
{
    char *has = device_read(w->xs, XBT_NULL, w->d->back, name);
    bool is = has && strcmp(has, value) == 0;

    free(has);
    return is;
}

/* What the kernel has noted; its messages begin with a number and the message for a person. */
static int check_error(struct waiting *w)
{
    char dir[128], *text;
    long state = device_number(w->xs, w->d->back, "state", 0);

    snprintf(dir, sizeof(dir), ERRORS "/%s/%u/%u", w->d->kind, w->d->domid, w->d->id);
    text = device_read(w->xs, XBT_NULL, dir, "error");
    if (!text && state < CLOSING)
        return 0;
    error_set(w->err, -EIO, "the back end failed: %s", text ? text : "it closed");
    free(text);
    return -EIO;
}

static int check_disk(struct waiting *w)
{
    char *script;
    int rc = 0;

    if (kernel_has_device(w->d, true))
        return READY;
    if (device_number(w->xs, w->d->back, "state", 0) < INIT_WAIT ||
        node_is(w, "hotplug-status", "connected"))
        return NOT_YET;
    script = device_read(w->xs, XBT_NULL, w->d->back, "script");
    if (script && script[0])
        rc = hotplug_run(w->xs, w->d, script, "add", NULL, w->seconds, w->err);
    free(script);
    if (rc == 0)
        put(w, "hotplug-status", "connected");
    return rc;
}

/* ---- cards ---- */

static int say(struct waiting *w, int rc, const char *what, const char *name)
{
    return rc ? error_set(w->err, rc, "%s %s: %s", what, name, strerror(-rc)) : 0;
}

static int join_bridge(struct waiting *w, const char *netdev)
{
    char *bridge = device_read(w->xs, XBT_NULL, w->d->back, "bridge");
    const char *name = bridge ? bridge : DEVICE_BRIDGE;
    unsigned int mtu;
    int rc = network_bridge(name, w->err);

    if (rc == 0 && net_mtu(name, &mtu) == 0 && mtu != 1500)
        rc = say(w, net_set_mtu(netdev, mtu), "no room for the frames of bridge", name);
    if (rc == 0)
        rc = say(w, net_bridge_join(name, netdev), "cannot join bridge", name);
    free(bridge);
    return rc;
}

/* Before anybody listens to what comes out of it. */
static int filter_card(struct waiting *w, const char *netdev)
{
    char *mac = device_read(w->xs, XBT_NULL, w->d->back, "mac");
    char *ips = device_read(w->xs, XBT_NULL, w->d->back, "ip");
    int rc = network_filter(netdev, node_is(w, "mac-filter", "0") ? NULL : mac, ips, w->err);

    free(mac);
    free(ips);
    return rc;
}

static int connect_card(struct waiting *w, const char *netdev)
{
    char *script = device_read(w->xs, XBT_NULL, w->d->back, "script");
    int rc;

    net_no_ipv6(netdev);
    rc = filter_card(w, netdev);
    if (rc)
        ;
    else if (script && script[0])
        rc = hotplug_run(w->xs, w->d, script, "online", netdev, w->seconds, w->err);
    else
        rc = join_bridge(w, netdev);
    free(script);
    if (rc == 0)
        rc = say(w, net_set_up(netdev, true), "cannot start interface", netdev);
    put(w, "hotplug-status", rc ? "error" : "connected");
    return rc;
}

/* Its interface, under the name that it shall have. */
static int name_card(struct waiting *w, char *netdev, size_t size)
{
    char *wanted = device_read(w->xs, XBT_NULL, w->d->back, "vifname");
    int rc = 0;

    snprintf(netdev, size, "vif%u.%u", w->d->domid, w->d->id);
    if (wanted && !net_exists(netdev)) {
        snprintf(netdev, size, "%s", wanted);
    } else if (wanted) {
        rc = say(w, net_rename(netdev, wanted), "cannot make its interface", wanted);
        snprintf(netdev, size, "%s", wanted);
    }
    free(wanted);
    return rc;
}

static int check_card(struct waiting *w)
{
    char netdev[IFNAMSIZ];
    int rc;

    if (node_is(w, "hotplug-status", "connected"))
        return READY;
    if (device_number(w->xs, w->d->back, "state", 0) < INIT_WAIT || !kernel_has_device(w->d, true))
        return NOT_YET;
    rc = name_card(w, netdev, sizeof(netdev));
    if (rc == 0 && net_exists(netdev)) /* it comes after the state */
        rc = connect_card(w, netdev);
    return rc;
}

/* ---- all ---- */

static int check(struct waiting *w)
{
    int rc = check_error(w);

    if (rc)
        return rc;
    return strcmp(w->d->kind, "vbd") == 0 ? check_disk(w) : check_card(w);
}

static int wait_for(struct waiting *w)
{
    time_t end = kernel_seconds() + w->seconds;
    int rc;

    while ((rc = check(w)) == NOT_YET && (rc = stop_check(w->err)) == 0) {
        if (kernel_seconds() > end)
            return error_set(w->err, -ETIMEDOUT, "the back end is not ready after %u s (state %ld)",
                             w->seconds, device_number(w->xs, w->d->back, "state", 0));
        kernel_pause();
    }
    return rc < 0 ? rc : 0;
}

static int wait_kind(struct xs_handle *xs, domid_t id, const char *kind, unsigned int seconds,
                     struct error *err)
{
    struct device *list;
    char name[64];
    size_t nr;
    int rc = devices_list(xs, XBT_NULL, id, kind, &list, &nr);

    if (rc)
        return error_set(err, rc, "devices: no way to the store: %s", strerror(-rc));
    for (size_t i = 0; i < nr && rc == 0; i++) {
        struct error why = {0};
        struct waiting w = {.xs = xs, .d = &list[i], .seconds = seconds, .err = &why};

        rc = wait_for(&w);
        device_name(xs, w.d, name, sizeof(name));
        if (rc)
            error_set(err, rc, "%s: %s", name, why.text);
    }
    free(list);
    return rc;
}

int devices_wait(struct xs_handle *xs, domid_t id, unsigned int seconds, struct error *err)
{
    int rc = wait_kind(xs, id, "vbd", seconds, err);

    if (rc == 0)
        rc = wait_kind(xs, id, "vif", seconds, err);
    device_let_go(id);
    return rc;
}

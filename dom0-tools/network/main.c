// SPDX-License-Identifier: MIT
/* socle-network: bridges for guests. See socle-network(8). */
#include "network.h"

#include "../libsocle/alloc.h"
#include "../libsocle/net.h"
#include "../libsocle/options.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <unistd.h>

#define NAME "socle-network"

static const char usage[] = "usage: " NAME " [--config FILE] up|down|list [BRIDGE]\n"
                            "       " NAME " filter INTERFACE MAC|any [IP...]\n";

/* One without an uplink has an address of its own: guests remember who their router is. */
static int make(const struct bridge *b)
{
    uint32_t hash = 0x811c9dc5; /* FNV-1a */
    int rc = net_bridge_make(b->name);

    for (const char *c = b->name; *c; c++)
        hash = (hash ^ (uint8_t)*c) * 0x01000193;
    if (rc == 0 && b->kind != BRIDGE_UPLINK)
        rc =
            net_set_mac(b->name, (uint8_t[6]){0x02, 0x16, hash >> 24, hash >> 16, hash >> 8, hash});
    return rc;
}

static int up(const struct bridge *b, struct error *err)
{
    bool there = net_is_bridge(b->name);
    int rc = there ? 0 : make(b);

    if (rc)
        return error_set(err, rc, "%s",
                         rc == -EEXIST ? "there is an interface of that name" : strerror(-rc));
    rc = net_set_up(b->name, true);
    if (rc)
        error_set(err, rc, "%s", strerror(-rc));
    if (rc == 0 && b->kind == BRIDGE_UPLINK)
        rc = uplink_join(b->name, b->uplink, err);
    if (rc == 0 && b->kind == BRIDGE_NAT)
        rc = nat_up(b, err);
    if (rc == -ENOENT) { /* addresses by hand will do */
        fprintf(stderr, NAME ": %s: %s\n", b->name, err->text);
        rc = 0;
    }
    if (rc && !there) { /* half of it is of no use */
        net_set_up(b->name, false);
        net_bridge_remove(b->name);
    }
    return rc;
}

static int down(const struct bridge *b, struct error *err)
{
    int rc = 0;

    if (!net_is_bridge(b->name))
        return 0;
    if (b->kind == BRIDGE_UPLINK)
        rc = uplink_leave(b->name, b->uplink, err);
    if (b->kind == BRIDGE_NAT)
        rc = nat_down(b, err);
    if (rc)
        return rc;
    net_set_up(b->name, false);
    rc = net_bridge_remove(b->name);
    return rc ? error_set(err, rc, "%s", strerror(-rc)) : 0;
}

static int list(const struct bridge *b, struct error *err)
{
    char text[16];

    (void)err;
    printf("%-15s %-5s ", b->name, net_is_bridge(b->name) ? "up" : "down");
    if (b->kind == BRIDGE_UPLINK)
        printf("uplink %s\n", b->uplink);
    else if (b->kind == BRIDGE_NAT)
        printf("nat %s/%u%s\n", address_text(b->address, text), b->prefix,
               b->dhcp ? ", gives addresses" : "");
    else
        printf("alone\n");
    return 0;
}

/* One at a time: tools that make domains call us as well. */
static void lock(void)
{
    char path[NETWORK_PATH];
    int fd;

    network_path(path, "lock");
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0)
        flock(fd, LOCK_EX);
}

static int run(const struct network *n, const char *which,
               int (*what)(const struct bridge *b, struct error *err))
{
    struct error err;
    size_t done = 0;
    int status = 0;

    for (size_t i = 0; i < n->nr; i++) {
        if (which && strcmp(which, n->bridges[i].name) != 0)
            continue;
        done++;
        err.text[0] = 0;
        if (what(&n->bridges[i], &err)) {
            fprintf(stderr, NAME ": %s: %s\n", n->bridges[i].name, err.text);
            status = 1;
        }
    }
    if (which && !done) {
        fprintf(stderr, NAME ": %s is not in the configuration\n", which);
        status = 1;
    }
    return status;
}

/* The servers of addresses that run. What goes wrong is told; the filter stands nevertheless. */
static void tell_servers(const char *settings)
{
    struct config_notes notes = {0};
    struct error err;
    struct network n;
    int rc = settings_load(settings, &n, &notes);

    for (size_t i = 0; rc == 0 && i < n.nr; i++) {
        const struct bridge *b = &n.bridges[i];

        if (b->kind == BRIDGE_NAT && b->dhcp && net_is_bridge(b->name) && dhcp_up(b, &err))
            fprintf(stderr, NAME ": %s: %s\n", b->name, err.text);
    }
    if (rc == 0)
        settings_free(&n);
    config_notes_free(&notes);
}

static int run_filter(const char *settings, char **args)
{
    bool known = strcmp(args[1], "any") != 0;
    struct bytes ips = {0};
    struct error err = {0};
    int rc;

    lock();
    for (char **ip = args + 2; *ip; ip++) {
        must_have(bytes_append(&ips, *ip, strlen(*ip), SIZE_MAX / 2));
        must_have(bytes_append(&ips, ip[1] ? " " : "", 1, SIZE_MAX / 2));
    }
    rc = filter(args[0], args[1], (const char *)ips.data, &err);
    if (rc)
        fprintf(stderr, NAME ": %s: %s\n", args[0], err.text);
    else
        hosts_keep(args[0], args[1], known ? (const char *)ips.data : NULL);
    if (rc == 0 && known && ips.data)
        tell_servers(settings);
    bytes_free(&ips);
    return rc ? 1 : 0;
}

static int run_all(const char *settings, const char *which,
                   int (*what)(const struct bridge *b, struct error *err))
{
    struct config_notes notes = {0};
    struct network n;
    int status = settings_load(settings, &n, &notes) ? 1 : 0;

    if (notes.text.len)
        fwrite(notes.text.data, 1, notes.text.len, stderr);
    if (status == 0) {
        lock();
        status = run(&n, which, what);
        settings_free(&n);
    }
    config_notes_free(&notes);
    return status;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*what)(const struct bridge *b, struct error *err);
    } verbs[] = {{"up", up}, {"down", down}, {"list", list}};
    const char *settings = "/etc/socle/network.json";
    const struct option_row rows[] = {{"config", 'c', .text = &settings}, {0}};
    const struct option_table options = {NAME, usage, rows};
    int status, count = options_take(&options, argc, argv, 1, INT_MAX, &status);

    if (count < 0)
        return status;
    if (strcmp(argv[1], "filter") == 0 && count >= 3)
        return run_filter(settings, argv + 2);
    for (unsigned int i = 0; i < sizeof(verbs) / sizeof(verbs[0]) && count <= 2; i++) {
        if (strcmp(argv[1], verbs[i].name) == 0)
            return run_all(settings, argv[2], verbs[i].what);
    }
    fputs(usage, stderr);
    return 2;
}

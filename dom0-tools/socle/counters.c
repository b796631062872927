/* SPDX-License-Identifier: MIT */
/* What back ends count: /sys/bus/xen-backend/devices has a folder for each device, vbd-1-51712 or
 * vif-1-0. A card's counters are those of its interface here: what that receives, the guest sent. */
#include "counters.h"

#include "../libsocle/alloc.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_ROOM 512

static uint64_t number_in(const char *dir, const char *file)
{
    char path[PATH_ROOM];
    uint64_t n = 0;
    FILE *f;

    snprintf(path, sizeof(path), "%s/statistics/%s", dir, file);
    f = fopen(path, "re");
    if (f && fscanf(f, "%" SCNu64, &n) != 1)
        n = 0;
    if (f)
        fclose(f);
    return n;
}

static void read_disk(const char *dir, struct counters *c)
{
    c->waited = number_in(dir, "oo_req");
    c->reads = number_in(dir, "rd_req");
    c->writes = number_in(dir, "wr_req");
    c->sectors_read = number_in(dir, "rd_sect");
    c->sectors_written = number_in(dir, "wr_sect");
}

/* Its interface, whatever it is called, is the only folder in net/. */
static void read_card(const char *dir, struct counters *c)
{
    char path[PATH_ROOM];
    DIR *net;

    snprintf(path, sizeof(path), "%s/net", dir);
    net = opendir(path);
    for (struct dirent *e; net && (e = readdir(net));) {
        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/net/%.32s", dir, e->d_name);
        c->received = number_in(path, "tx_bytes");
        c->sent = number_in(path, "rx_bytes");
        c->packets_received = number_in(path, "tx_packets");
        c->packets_sent = number_in(path, "rx_packets");
    }
    if (net)
        closedir(net);
}

static bool parse_name(const char *name, struct counters *c)
{
    unsigned int id;
    int end = 0;

    *c = (struct counters){.disk = strncmp(name, "vbd-", 4) == 0};
    if (sscanf(name + 4 * c->disk, c->disk ? "%u-%u%n" : "vif-%u-%u%n", &id, &c->device, &end) != 2)
        return false;
    c->id = id;
    return name[4 * c->disk + end] == 0 && id < DOMID_FIRST_RESERVED;
}

static int compare(const void *left, const void *right)
{
    const struct counters *l = left, *r = right;

    if (l->id != r->id)
        return l->id < r->id ? -1 : 1;
    if (l->disk != r->disk)
        return l->disk ? 1 : -1;
    return l->device < r->device ? -1 : l->device > r->device;
}

struct counters *counters_read(const char *sys, unsigned int *nr)
{
    char path[PATH_ROOM];
    struct counters *all = NULL, c;
    DIR *dir;

    *nr = 0;
    snprintf(path, sizeof(path), "%s/bus/xen-backend/devices", sys);
    dir = opendir(path);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        if (!parse_name(e->d_name, &c))
            continue;
        snprintf(path, sizeof(path), "%s/bus/xen-backend/devices/%.32s", sys, e->d_name);
        (c.disk ? read_disk : read_card)(path, &c);
        all = realloc(all, (*nr + 1) * sizeof(*all));
        must_have(all ? 0 : -1);
        all[(*nr)++] = c;
    }
    if (dir)
        closedir(dir);
    if (all)
        qsort(all, *nr, sizeof(*all), compare);
    return all;
}

struct counters counters_sum(const struct counters *c, unsigned int nr, domid_t id, bool disk)
{
    struct counters sum = {.id = id, .disk = disk};

    for (unsigned int i = 0; i < nr; i++) {
        if (c[i].id != id || c[i].disk != disk)
            continue;
        sum.device++;
        sum.waited += c[i].waited;
        sum.reads += c[i].reads;
        sum.writes += c[i].writes;
        sum.sectors_read += c[i].sectors_read;
        sum.sectors_written += c[i].sectors_written;
        sum.received += c[i].received;
        sum.sent += c[i].sent;
        sum.packets_received += c[i].packets_received;
        sum.packets_sent += c[i].packets_sent;
    }
    return sum;
}

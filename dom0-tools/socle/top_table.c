/* SPDX-License-Identifier: MIT */
/* The table of socle top, as text and as JSON. */
#include "top.h"

#include "json.h"

#include "../libsocle/alloc.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xen/sched.h>

#define NAME_WIDTH  10
#define VCPUS_MAX   8192u
#define VCPUS_ALINE 4

static void __attribute__((format(printf, 2, 3))) add(struct bytes *text, const char *format, ...)
{
    char part[512];
    va_list args;

    va_start(args, format);
    vsnprintf(part, sizeof(part), format, args);
    va_end(args);
    must_have(bytes_append(text, part, strlen(part), SIZE_MAX / 2));
}

/* ---- in which order ---- */

struct sorting {
    const struct look *look, *before;
    enum top_order order;
};

static int compare(const void *left, const void *right, void *ctx)
{
    const struct sorting *s = ctx;
    unsigned int l = *(const unsigned int *)left, r = *(const unsigned int *)right;
    const struct xen_domctl_getdomaininfo *d = s->look->d;
    double by = 0;

    if (s->order == TOP_BY_LOAD)
        by = look_load(s->look, s->before, r) - look_load(s->look, s->before, l);
    else if (s->order == TOP_BY_MEMORY)
        by = (double)d[r].tot_pages - (double)d[l].tot_pages;
    else if (s->order == TOP_BY_NAME)
        by = strcmp(s->look->name[l], s->look->name[r]);
    return by < 0 ? -1 : by > 0 ? 1 : (int)l - (int)r;
}

/* ---- lines ---- */

/* dying, shut down, blocked, crashed, paused, running */
static void letters(const struct xen_domctl_getdomaininfo *d, char s[7])
{
    bool crashed = d->flags & XEN_DOMINF_shutdown && domain_reason(d) == SHUTDOWN_crash;

    s[0] = d->flags & XEN_DOMINF_dying ? 'd' : '-';
    s[1] = d->flags & XEN_DOMINF_shutdown && !crashed ? 's' : '-';
    s[2] = d->flags & XEN_DOMINF_blocked ? 'b' : '-';
    s[3] = crashed ? 'c' : '-';
    s[4] = d->flags & XEN_DOMINF_paused ? 'p' : '-';
    s[5] = d->flags & XEN_DOMINF_running ? 'r' : '-';
    s[6] = 0;
}

static double share(uint64_t pages, const struct look *l)
{
    return l->machine.total_pages ? 100.0 * pages / l->machine.total_pages : 0;
}

static void add_domain(struct bytes *text, const struct look *l, const struct look *before,
                       unsigned int i, bool full_name)
{
    const struct xen_domctl_getdomaininfo *d = &l->d[i];
    struct counters cards = counters_sum(l->devices, l->nr_devices, d->domain, false);
    struct counters disks = counters_sum(l->devices, l->nr_devices, d->domain, true);
    char state[7];

    letters(d, state);
    add(text, "%*.*s %s %10" PRIu64 " %6.1f %10" PRIu64 " %6.1f", NAME_WIDTH,
        full_name ? 256 : NAME_WIDTH, l->name[i], state, (uint64_t)(d->cpu_time / 1000000000),
        look_load(l, before, i), (uint64_t)d->tot_pages * 4, share(d->tot_pages, l));
    if (d->max_pages >= UINT32_MAX)
        add(text, " %10s %9s", "no limit", "n/a");
    else
        add(text, " %10" PRIu64 " %9.1f", (uint64_t)d->max_pages * 4, share(d->max_pages, l));
    add(text, " %5u %4u %8" PRIu64 " %8" PRIu64, d->max_vcpu_id + 1, cards.device,
        cards.sent / 1024, cards.received / 1024);
    add(text, " %4u %8" PRIu64 " %8" PRIu64 " %8" PRIu64 " %10" PRIu64 " %10" PRIu64 " %4u\n",
        disks.device, disks.waited, disks.reads, disks.writes, disks.sectors_read,
        disks.sectors_written, d->ssidref);
}

static void add_vcpus(struct bytes *text, const struct xen_domctl_getdomaininfo *d)
{
    unsigned int nr = 0;

    for (unsigned int v = 0; v <= d->max_vcpu_id && v < VCPUS_MAX; v++) {
        struct xen_domctl_getvcpuinfo info;

        if (xc_vcpu_info(d->domain, v, &info) || !info.online)
            continue;
        add(text, "%s %2u: %10" PRIu64 "s",
            nr % VCPUS_ALINE ? ""
            : nr             ? "\n           "
                             : "VCPUs(sec):",
            v, (uint64_t)(info.cpu_time / 1000000000));
        nr++;
    }
    if (nr)
        add(text, "\n");
}

static void add_device(struct bytes *text, const struct counters *c)
{
    if (c->disk)
        add(text,
            "VBD BlkBack %u  OO: %8" PRIu64 "   RD: %8" PRIu64 "   WR: %8" PRIu64
            "  RSECT: %10" PRIu64 "  WSECT: %10" PRIu64 "\n",
            c->device, c->waited, c->reads, c->writes, c->sectors_read, c->sectors_written);
    else
        add(text,
            "Net%u RX: %12" PRIu64 "bytes %10" PRIu64 "pkts  TX: %12" PRIu64 "bytes %10" PRIu64
            "pkts\n",
            c->device, c->received, c->packets_received, c->sent, c->packets_sent);
}

void top_table(struct bytes *text, const struct look *l, const struct look *before,
               const struct top_shape *shape)
{
    struct sorting sorting = {l, before, shape->order};
    unsigned int *index = must_alloc((l->nr + 1) * sizeof(*index));

    for (unsigned int i = 0; i < l->nr; i++)
        index[i] = i;
    qsort_r(index, l->nr, sizeof(*index), compare, &sorting);
    add(text,
        "%*s  STATE   CPU(sec) CPU(%%)     MEM(k) MEM(%%)  MAXMEM(k) MAXMEM(%%) VCPUS NETS"
        " NETTX(k) NETRX(k) VBDS   VBD_OO   VBD_RD   VBD_WR  VBD_RSECT  VBD_WSECT SSID\n",
        NAME_WIDTH, "NAME");
    for (unsigned int i = 0; i < l->nr; i++) {
        const struct xen_domctl_getdomaininfo *d = &l->d[index[i]];

        add_domain(text, l, before, index[i], shape->full_names);
        if (shape->vcpus)
            add_vcpus(text, d);
        for (unsigned int k = 0; k < l->nr_devices; k++) {
            if (l->devices[k].id == d->domain &&
                (l->devices[k].disk ? shape->disks : shape->networks))
                add_device(text, &l->devices[k]);
        }
    }
    free(index);
}

void top_summary(struct bytes *text, const struct look *l, const struct top_shape *shape)
{
    static const char *const orders[] = {"id", "name", "load", "memory"};
    unsigned int running = 0, blocked = 0, paused = 0, ended = 0;
    const struct xen_sysctl_physinfo *m = &l->machine;
    time_t now = time(NULL);
    char clock[16];

    for (unsigned int i = 0; i < l->nr; i++) {
        uint32_t flags = l->d[i].flags;

        running += !!(flags & XEN_DOMINF_running);
        blocked += !!(flags & XEN_DOMINF_blocked);
        paused += !!(flags & XEN_DOMINF_paused);
        ended += !!(flags & (XEN_DOMINF_shutdown | XEN_DOMINF_dying));
    }
    strftime(clock, sizeof(clock), "%H:%M:%S", localtime(&now));
    add(text, "%s  %u domains: %u running, %u blocked, %u paused, %u ended\n", clock, l->nr,
        running, blocked, paused, ended);
    add(text, "Mem: %" PRIu64 "k total, %" PRIu64 "k used, %" PRIu64 "k free    CPUs: %u @ %uMHz\n",
        (uint64_t)m->total_pages * 4, (uint64_t)(m->total_pages - m->free_pages) * 4,
        (uint64_t)m->free_pages * 4, m->nr_cpus, m->cpu_khz / 1000);
    add(text, "q quits, s sorts (now by %s), n networks, x disks, v vcpus, f full names\n",
        orders[shape->order]);
}

void top_json(const struct look *l, const struct look *before)
{
    yajl_gen g = json_begin();

    json_list(g, NULL);
    for (unsigned int i = 0; i < l->nr; i++) {
        const struct xen_domctl_getdomaininfo *d = &l->d[i];
        struct counters cards = counters_sum(l->devices, l->nr_devices, d->domain, false);
        struct counters disks = counters_sum(l->devices, l->nr_devices, d->domain, true);
        char state[STATE_ROOM];

        domain_state(d, state);
        json_object(g, NULL);
        json_text(g, "name", l->name[i]);
        json_number(g, "domid", d->domain);
        json_text(g, "state", state);
        json_number(g, "cpu_time_ns", d->cpu_time);
        json_real(g, "cpu_percent", look_load(l, before, i), 1);
        json_number(g, "memory_kib", (int64_t)d->tot_pages * 4);
        json_number(g, "vcpus", d->nr_online_vcpus);
        json_number(g, "nics", cards.device);
        json_number(g, "bytes_sent", cards.sent);
        json_number(g, "bytes_received", cards.received);
        json_number(g, "disks", disks.device);
        json_number(g, "waits", disks.waited);
        json_number(g, "reads", disks.reads);
        json_number(g, "writes", disks.writes);
        json_number(g, "sectors_read", disks.sectors_read);
        json_number(g, "sectors_written", disks.sectors_written);
        yajl_gen_map_close(g);
    }
    yajl_gen_array_close(g);
    json_end(g);
}

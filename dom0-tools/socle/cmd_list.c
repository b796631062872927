/* SPDX-License-Identifier: MIT */
/* socle list: a line for each domain, or an object. */
#include "commands.h"
#include "domains.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_gen.h>

static unsigned int reason_of(const struct xen_domctl_getdomaininfo *d)
{
    return d->flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask;
}

/* running, blocked, paused, shut down, why, dying */
static void letters(const struct xen_domctl_getdomaininfo *d, char *s)
{
    static const char why[] = "-rscwS";

    strcpy(s, "------");
    s[0] = d->flags & XEN_DOMINF_running ? 'r' : '-';
    s[1] = d->flags & XEN_DOMINF_blocked ? 'b' : '-';
    s[2] = d->flags & XEN_DOMINF_paused ? 'p' : '-';
    s[3] = d->flags & XEN_DOMINF_shutdown ? 's' : '-';
    if (d->flags & XEN_DOMINF_shutdown)
        s[4] = reason_of(d) < strlen(why) ? why[reason_of(d)] : '?';
    s[5] = d->flags & XEN_DOMINF_dying ? 'd' : '-';
}

static void uuid_of(const struct xen_domctl_getdomaininfo *d, char *s)
{
    for (unsigned int i = 0; i < 16; i++)
        s += sprintf(s, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", d->handle[i]);
}

static uint64_t mebibytes(const struct xen_domctl_getdomaininfo *d)
{
    return (d->tot_pages + d->outstanding_pages) / 256;
}

static void print_line(const struct xen_domctl_getdomaininfo *d, bool more)
{
    char *name = domain_name(d->domain), state[8], uuid[40];

    letters(d, state);
    printf("%-40s %5d %5" PRIu64 " %5d     %s  %8.1f", name, d->domain, mebibytes(d),
           d->nr_online_vcpus, state, d->cpu_time / 1e9);
    if (more) {
        uuid_of(d, uuid);
        printf(" %s ", uuid);
        if (d->flags & XEN_DOMINF_shutdown)
            printf("%8x", reason_of(d));
        else
            printf("%8s", "-");
        printf(" %16s", "-");
    }
    putchar('\n');
    free(name);
}

static void put_text(yajl_gen g, const char *key, const char *text)
{
    yajl_gen_string(g, (const unsigned char *)key, strlen(key));
    yajl_gen_string(g, (const unsigned char *)text, strlen(text));
}

static void put_number(yajl_gen g, const char *key, uint64_t n)
{
    yajl_gen_string(g, (const unsigned char *)key, strlen(key));
    yajl_gen_integer(g, n);
}

static void put_object(yajl_gen g, const struct xen_domctl_getdomaininfo *d)
{
    char *name = domain_name(d->domain), state[8], uuid[40];

    letters(d, state);
    uuid_of(d, uuid);
    yajl_gen_map_open(g);
    put_number(g, "domid", d->domain);
    put_text(g, "name", name);
    put_text(g, "uuid", uuid);
    put_number(g, "memory", mebibytes(d));
    put_number(g, "vcpus", d->nr_online_vcpus);
    put_text(g, "state", state);
    if (d->flags & XEN_DOMINF_shutdown)
        put_number(g, "reason", reason_of(d));
    put_number(g, "cpu_time_ns", d->cpu_time);
    yajl_gen_map_close(g);
    free(name);
}

static void print_json(const struct xen_domctl_getdomaininfo *d, unsigned int nr)
{
    yajl_gen g = yajl_gen_alloc(NULL);
    const unsigned char *text;
    size_t len;

    yajl_gen_config(g, yajl_gen_beautify, 1);
    yajl_gen_config(g, yajl_gen_indent_string, "  ");
    yajl_gen_array_open(g);
    for (unsigned int i = 0; i < nr; i++)
        put_object(g, &d[i]);
    yajl_gen_array_close(g);
    yajl_gen_get_buf(g, &text, &len);
    fwrite(text, 1, len, stdout);
    yajl_gen_free(g);
}

int cmd_list(const struct command *self, int argc, char **argv)
{
    static const struct option options[] = {
        {"long", no_argument, NULL, 'v'}, {"json", no_argument, NULL, 'j'}, {0}};
    struct xen_domctl_getdomaininfo *d;
    bool json = false, more = false;
    unsigned int nr;
    int c, rc;

    optind = 0; /* from the start, whoever called getopt before */
    while ((c = getopt_long(argc, argv, "vj", options, NULL)) != -1) {
        if (c != 'j' && c != 'v')
            return command_misuse(self);
        json |= c == 'j';
        more |= c == 'v';
    }
    if (argc > optind + 1)
        return command_misuse(self);
    rc = domains_find(argv[optind], &d, &nr);
    if (rc)
        return rc;
    if (json) {
        print_json(d, nr);
    } else {
        printf("%-40s    ID   Mem VCPUs\tState\tTime(s)%s\n", "Name",
               more ? "   UUID                            Reason-Code\tSecurity Label" : "");
        for (unsigned int i = 0; i < nr; i++)
            print_line(&d[i], more);
    }
    free(d);
    return EXIT_OK;
}

/* SPDX-License-Identifier: MIT */
/* socle uptime: how long domains have been running. */
#include "commands.h"
#include "domains.h"
#include "json.h"
#include "start_time.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <time.h>

/* "3 days,  4:05:06"; room for 64. */
static void span(int64_t seconds, char *text)
{
    int64_t days = seconds / 86400, rest = seconds % 86400;

    if (days)
        text += sprintf(text, "%" PRId64 " day%s, ", days, days == 1 ? "" : "s");
    sprintf(text, "%2d:%02d:%02d", (int)(rest / 3600), (int)(rest / 60 % 60), (int)(rest % 60));
}

static void print(const struct xen_domctl_getdomaininfo *d, const char *name, int64_t seconds,
                  bool brief)
{
    char text[64] = "unknown", clock[16];
    time_t now = time(NULL);

    if (seconds >= 0)
        span(seconds, text);
    strftime(clock, sizeof(clock), "%H:%M:%S", localtime(&now));
    if (brief)
        printf(" %s up %s, %s (%u)\n", clock, text, name, d->domain);
    else
        printf("%-33s %4u %s\n", name, d->domain, text);
}

static void put(yajl_gen g, const struct xen_domctl_getdomaininfo *d, const char *name,
                int64_t start, int64_t seconds)
{
    json_object(g, NULL);
    json_text(g, "name", name);
    json_number(g, "domid", d->domain);
    if (seconds >= 0) {
        json_number(g, "start_time", start);
        json_number(g, "uptime", seconds);
    }
    yajl_gen_map_close(g);
}

int cmd_uptime(const struct command *self, int argc, char **argv)
{
    bool json = false, brief = false;
    const struct command_option options[] = {{"json", 'j', &json}, {"short", 's', &brief}, {0}};
    int count = command_options(self, argc, argv, options, 0, INT_MAX);
    struct xen_domctl_getdomaininfo *d;
    unsigned int nr;
    yajl_gen g = NULL;
    int64_t *start;
    char **name;
    int rc;

    if (count < 0)
        return EXIT_USAGE;
    rc = domains_pick(argv + 1, count, &d, &nr);
    if (rc)
        return rc;
    name = domains_names(d, nr);
    start = start_times(d, nr);
    if (json)
        yajl_gen_array_open(g = json_begin());
    else if (!brief)
        printf("%-33s %4s %s\n", "Name", "ID", "Uptime");
    for (unsigned int i = 0; i < nr; i++) {
        int64_t seconds = start_time_age(start[i]);

        if (json)
            put(g, &d[i], name[i], start[i], seconds);
        else
            print(&d[i], name[i], seconds, brief);
    }
    if (json) {
        yajl_gen_array_close(g);
        json_end(g);
    }
    domains_names_free(name, nr);
    free(start);
    free(d);
    return EXIT_OK;
}

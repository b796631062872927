/* SPDX-License-Identifier: MIT */
/* Finding domains, and what all commands tell of them. */
#include "domains.h"

#include "commands.h"
#include "../libsocle/alloc.h"
#include "../libsocle/xcall.h"
#include "../libsocle/xs.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define PATH_ROOM 128

static void say(const char *format, va_list args)
{
    fputs("socle: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
}

int refuse(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(format, args);
    va_end(args);
    return EXIT_FAILED;
}

int wrong(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(format, args);
    va_end(args);
    return EXIT_USAGE;
}

int fail(const char *what, int rc)
{
    return refuse("%s: %s", what, strerror(-rc));
}

int hypervisor_open(void)
{
    int rc = xcall_open();

    return rc ? fail("no way to the hypervisor", rc) : 0;
}

/* ---- names ---- */

static char *name_of(domid_t id, char *name)
{
    const char *otherwise = id ? "(null)" : "Domain-0";

    if (name && name[0]) {
        for (char *c = name; *c; c++) /* a terminal is no place for what a store may have in it */
            *c = (unsigned char)*c < ' ' || *c == 0x7f ? '?' : *c;
        return name;
    }
    free(name);
    return must_copy(otherwise, strlen(otherwise));
}

char *domain_node(domid_t id, const char *node)
{
    char path[PATH_ROOM];

    snprintf(path, sizeof(path), "/local/domain/%u/%s", id, node);
    return xs_get(path);
}

int domain_must_have_nodes(domid_t id, const char *which)
{
    char *name = domain_node(id, "name");
    bool good = name || id == 0; /* whose kernel has them without anybody's doing */

    free(name);
    return good ? 0 : refuse("%s: the store has nothing of this domain", which);
}

char *domain_name(domid_t id)
{
    return name_of(id, domain_node(id, "name"));
}

char **domains_names(const struct xen_domctl_getdomaininfo *list, unsigned int nr)
{
    char(*path)[PATH_ROOM] = must_alloc((nr + 1) * sizeof(*path));
    const char **at = must_alloc((nr + 1) * sizeof(*at));
    char **name = must_alloc((nr + 1) * sizeof(*name));

    for (unsigned int i = 0; i < nr; i++) {
        snprintf(path[i], sizeof(path[i]), "/local/domain/%u/name", list[i].domain);
        at[i] = path[i];
    }
    xs_get_all(at, nr, name);
    for (unsigned int i = 0; i < nr; i++)
        name[i] = name_of(list[i].domain, name[i]);
    free(path);
    free(at);
    return name;
}

void domains_names_free(char **name, unsigned int nr)
{
    for (unsigned int i = 0; i < nr; i++)
        free(name[i]);
    free(name);
}

/* ---- finding ---- */

/* The index of the domain that @which names among @nr, or @nr. */
static unsigned int search(const char *which, const struct xen_domctl_getdomaininfo *list,
                           unsigned int nr)
{
    bool by_id = which[0] && !which[strspn(which, "0123456789")];
    char **name = by_id ? NULL : domains_names(list, nr);
    unsigned int i = 0;

    while (i < nr &&
           !(by_id ? strtoul(which, NULL, 10) == list[i].domain : strcmp(name[i], which) == 0))
        i++;
    if (name)
        domains_names_free(name, nr);
    return i;
}

int domains_pick(char *const *which, unsigned int count, struct xen_domctl_getdomaininfo **list,
                 unsigned int *nr)
{
    struct xen_domctl_getdomaininfo *all, *picked;
    unsigned int nr_all;
    int rc = hypervisor_open();

    if (rc)
        return rc;
    rc = xc_domains(&all, &nr_all);
    if (rc)
        return fail("list of domains", rc);
    if (count == 0) {
        *list = all;
        *nr = nr_all;
        return 0;
    }
    picked = must_alloc(count * sizeof(*picked));
    for (unsigned int i = 0; i < count; i++) {
        unsigned int at = search(which[i], all, nr_all);

        if (at == nr_all) {
            free(all);
            free(picked);
            return refuse("there is no domain %s", which[i]);
        }
        picked[i] = all[at];
    }
    free(all);
    *list = picked;
    *nr = count;
    return 0;
}

int domains_find(const char *which, struct xen_domctl_getdomaininfo **list, unsigned int *nr)
{
    char *one[] = {(char *)which};

    return domains_pick(one, which ? 1 : 0, list, nr);
}

int domain_named(const char *which, struct xen_domctl_getdomaininfo *d)
{
    struct xen_domctl_getdomaininfo *list;
    unsigned int nr;
    int rc = domains_find(which, &list, &nr);

    if (rc)
        return rc;
    *d = list[0];
    free(list);
    return 0;
}

int guest_named(const char *which, const char *why, struct xen_domctl_getdomaininfo *d)
{
    int rc = domain_named(which, d);

    if (rc == 0 && d->domain == 0)
        return refuse("%s: the control domain %s", which, why);
    return rc;
}

int domain_act(const char *which, int (*act)(domid_t id))
{
    struct xen_domctl_getdomaininfo d;
    int rc = domain_named(which, &d);

    if (rc)
        return rc;
    rc = act(d.domain);
    return rc ? fail(which, rc) : EXIT_OK;
}

/* ---- what there is to tell ---- */

void domain_uuid(const struct xen_domctl_getdomaininfo *d, char text[UUID_ROOM])
{
    for (unsigned int i = 0; i < 16; i++)
        text +=
            sprintf(text, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", d->handle[i]);
}

unsigned int domain_reason(const struct xen_domctl_getdomaininfo *d)
{
    return d->flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask;
}

void domain_state(const struct xen_domctl_getdomaininfo *d, char text[STATE_ROOM])
{
    static const char why[] = "-rscwS";

    strcpy(text, "------");
    text[0] = d->flags & XEN_DOMINF_running ? 'r' : '-';
    text[1] = d->flags & XEN_DOMINF_blocked ? 'b' : '-';
    text[2] = d->flags & XEN_DOMINF_paused ? 'p' : '-';
    text[3] = d->flags & XEN_DOMINF_shutdown ? 's' : '-';
    if (d->flags & XEN_DOMINF_shutdown)
        text[4] = domain_reason(d) < strlen(why) ? why[domain_reason(d)] : '?';
    text[5] = d->flags & XEN_DOMINF_dying ? 'd' : '-';
}

uint64_t domain_mebibytes(const struct xen_domctl_getdomaininfo *d)
{
    return (d->tot_pages + d->outstanding_pages) / 256;
}

int machine_cpus(unsigned int *nr)
{
    struct xen_sysctl_physinfo machine;
    int rc = hypervisor_open();

    if (rc)
        return rc;
    rc = xc_physinfo(&machine);
    if (rc)
        return fail("machine", rc);
    *nr = machine.max_cpu_id < XC_MAX_CPUS ? machine.max_cpu_id + 1 : XC_MAX_CPUS;
    return 0;
}

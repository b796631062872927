/* SPDX-License-Identifier: MIT */
/* Finding domains. */
#include "domains.h"

#include "commands.h"
#include "../libsocle/alloc.h"
#include "../libsocle/xcall.h"
#include "../libsocle/xs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int fail(const char *what, int rc)
{
    fprintf(stderr, "socle: %s: %s\n", what, strerror(-rc));
    return EXIT_FAILED;
}

int hypervisor_open(void)
{
    int rc = xcall_open();

    return rc ? fail("no way to the hypervisor", rc) : 0;
}

char *domain_name(domid_t id)
{
    char path[64], *name;
    const char *otherwise = id ? "(null)" : "Domain-0";

    snprintf(path, sizeof(path), "/local/domain/%u/name", id);
    name = xs_get(path);
    if (name && name[0]) {
        for (char *c = name; *c; c++) /* a terminal is no place for what a store may have in it */
            *c = (unsigned char)*c < ' ' || *c == 0x7f ? '?' : *c;
        return name;
    }
    free(name);
    return must_copy(otherwise, strlen(otherwise));
}

static bool is_it(domid_t id, const char *which)
{
    bool by_id = which[0] && !which[strspn(which, "0123456789")];
    char *name = by_id ? NULL : domain_name(id);
    bool yes = by_id ? strtoul(which, NULL, 10) == id : strcmp(name, which) == 0;

    free(name);
    return yes;
}

int domains_find(const char *which, struct xen_domctl_getdomaininfo **list, unsigned int *nr)
{
    int rc = hypervisor_open();

    if (rc)
        return rc;
    rc = xc_domains(list, nr);
    if (rc)
        return fail("list of domains", rc);
    if (!which)
        return 0;
    for (unsigned int i = 0; i < *nr; i++) {
        if (is_it((*list)[i].domain, which)) {
            (*list)[0] = (*list)[i];
            *nr = 1;
            return 0;
        }
    }
    free(*list);
    fprintf(stderr, "socle: there is no domain %s\n", which);
    return EXIT_FAILED;
}

int domain_act(const char *which, int (*act)(domid_t id))
{
    struct xen_domctl_getdomaininfo *d;
    unsigned int nr;
    int rc = domains_find(which, &d, &nr);

    if (rc)
        return rc;
    rc = act(d->domain);
    free(d);
    return rc ? fail(which, rc) : EXIT_OK;
}

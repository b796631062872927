/* SPDX-License-Identifier: MIT */
/* socle rename */
#include "commands.h"
#include "domains.h"
#include "remember.h"

#include "../libsocle/alloc.h"
#include "../libsocle/state.h"
#include "../libsocle/xs.h"

#include <stdlib.h>
#include <string.h>

static int check_free(const char *name)
{
    struct xen_domctl_getdomaininfo *d;
    unsigned int nr;
    char **names;
    int rc = domains_find(NULL, &d, &nr);

    if (rc)
        return rc;
    names = domains_names(d, nr);
    for (unsigned int i = 0; i < nr && rc == 0; i++) {
        if (strcmp(names[i], name) == 0)
            rc = refuse("%s: that is the name of domain %u", name, d[i].domain);
    }
    domains_names_free(names, nr);
    free(d);
    return rc;
}

static int write_name(const struct xen_domctl_getdomaininfo *d, const char *name)
{
    char own[64], vm[64 + UUID_ROOM], uuid[UUID_ROOM];
    const struct xs_pair pairs[] = {{own, name}, {vm, name}};

    domain_uuid(d, uuid);
    snprintf(own, sizeof(own), "/local/domain/%u/name", d->domain);
    snprintf(vm, sizeof(vm), "/vm/%s/name", uuid);
    return xs_put_all(pairs, 2);
}

static void change(struct domain_config *c, void *name)
{
    free(c->name);
    c->name = must_copy(name, strlen(name));
}

/* With the machine locked: nobody else takes the name meanwhile. The store decides: it has the new name in both places or
 * in none, and whoever starts the domain again goes by it, should this tool be killed before all is remembered. */
static int rename_to(const struct xen_domctl_getdomaininfo *d, char *name, const char *which)
{
    int rc = check_free(name);

    if (rc)
        return rc;
    rc = write_name(d, name);
    return rc ? fail(which, rc) : EXIT_OK;
}

int cmd_rename(const struct command *self, int argc, char **argv)
{
    const struct command_option options[] = {{0}};
    struct xen_domctl_getdomaininfo d;
    struct error err = {0};
    int rc, lock;

    if (command_options(self, argc, argv, options, 2, 2) < 0)
        return EXIT_USAGE;
    if (!config_name_ok(argv[2]))
        return wrong("%s: expected " CONFIG_NAME_FORM, argv[2]);
    rc = guest_named(argv[1], "keeps its name", &d);
    if (rc)
        return rc;
    lock = state_lock_machine(&err);
    if (lock < 0)
        return refuse("%s", err.text);
    rc = rename_to(&d, argv[2], argv[1]);
    state_unlock_machine(lock);
    if (rc == 0)
        domain_remember(&d, change, argv[2]);
    return rc;
}

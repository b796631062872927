/* SPDX-License-Identifier: MIT */
/* socle domid, socle domname: the id of a name, the name of an id. */
#include "commands.h"
#include "domains.h"

#include <stdlib.h>

static int tell(const struct command *self, int argc, char **argv, bool id)
{
    struct xen_domctl_getdomaininfo *d;
    unsigned int nr;
    char *name;
    int rc;

    if (argc != 2)
        return command_misuse(self);
    rc = domains_find(argv[1], &d, &nr);
    if (rc)
        return rc;
    name = domain_name(d->domain);
    if (id)
        printf("%u\n", d->domain);
    else
        puts(name);
    free(name);
    free(d);
    return EXIT_OK;
}

int cmd_domid(const struct command *self, int argc, char **argv)
{
    return tell(self, argc, argv, true);
}

int cmd_domname(const struct command *self, int argc, char **argv)
{
    return tell(self, argc, argv, false);
}

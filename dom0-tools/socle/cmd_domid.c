/* SPDX-License-Identifier: MIT */
/* socle domid, socle domname: the id of a name, the name of an id. */
#include "commands.h"
#include "domains.h"

#include <stdlib.h>

static int tell(const struct command *self, int argc, char **argv, bool id)
{
    const struct command_option options[] = {{0}};
    struct xen_domctl_getdomaininfo d;
    char *name;
    int rc;

    if (command_options(self, argc, argv, options, 1, 1) < 0)
        return EXIT_USAGE;
    rc = domain_named(argv[1], &d);
    if (rc)
        return rc;
    name = domain_name(d.domain);
    if (id)
        printf("%u\n", d.domain);
    else
        puts(name);
    free(name);
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

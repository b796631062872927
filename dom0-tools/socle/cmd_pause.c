/* SPDX-License-Identifier: MIT */
/* socle pause, socle unpause: one call each. */
#include "commands.h"
#include "domains.h"

#include <errno.h>

int cmd_pause(const struct command *self, int argc, char **argv)
{
    const struct command_option options[] = {{0}};
    struct xen_domctl_getdomaininfo d;
    int rc;

    if (command_options(self, argc, argv, options, 1, 1) < 0)
        return EXIT_USAGE;
    rc = guest_named(argv[1], "could not be unpaused by anybody", &d);
    if (rc)
        return rc;
    rc = xc_pause(d.domain);
    return rc ? fail(argv[1], rc) : EXIT_OK;
}

int cmd_unpause(const struct command *self, int argc, char **argv)
{
    const struct command_option options[] = {{0}};
    struct xen_domctl_getdomaininfo d;
    int rc;

    if (command_options(self, argc, argv, options, 1, 1) < 0)
        return EXIT_USAGE;
    rc = domain_named(argv[1], &d);
    if (rc)
        return rc;
    rc = xc_unpause(d.domain);
    if (rc == -EINVAL)
        return refuse("%s: is not paused", argv[1]);
    return rc ? fail(argv[1], rc) : EXIT_OK;
}

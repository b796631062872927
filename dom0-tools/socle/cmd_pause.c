/* SPDX-License-Identifier: MIT */
/* socle pause, socle unpause, socle destroy: one call each. */
#include "commands.h"
#include "domains.h"

#include <errno.h>

int cmd_pause(const struct command *self, int argc, char **argv)
{
    return argc == 2 ? domain_act(argv[1], xc_pause) : command_misuse(self);
}

int cmd_unpause(const struct command *self, int argc, char **argv)
{
    return argc == 2 ? domain_act(argv[1], xc_unpause) : command_misuse(self);
}

/* The domain that this runs in would take the machine along. */
static int destroy(domid_t id)
{
    return id ? xc_destroy(id) : -EPERM;
}

int cmd_destroy(const struct command *self, int argc, char **argv)
{
    return argc == 2 ? domain_act(argv[1], destroy) : command_misuse(self);
}

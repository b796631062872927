/* SPDX-License-Identifier: MIT */
/* socle pause, socle unpause: one call each. */
#include "commands.h"
#include "domains.h"

int cmd_pause(const struct command *self, int argc, char **argv)
{
    return argc == 2 ? domain_act(argv[1], xc_pause) : command_misuse(self);
}

int cmd_unpause(const struct command *self, int argc, char **argv)
{
    return argc == 2 ? domain_act(argv[1], xc_unpause) : command_misuse(self);
}

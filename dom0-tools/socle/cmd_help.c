/* SPDX-License-Identifier: MIT */
/* socle help: the table of commands, for people. */
#include "commands.h"

int cmd_help(const struct command *self, int argc, char **argv)
{
    const struct command *c = NULL;

    if (argc > 2)
        return command_misuse(self);
    if (argc == 2 && !(c = command_find(argv[1])))
        return EXIT_USAGE;
    command_usage(c, stdout);
    return EXIT_OK;
}

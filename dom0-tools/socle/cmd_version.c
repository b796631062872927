/* SPDX-License-Identifier: MIT */
/* socle version */
#include "commands.h"

int cmd_version(const struct command *self, int argc, char **argv)
{
    (void)argv;
    if (argc > 1)
        return command_misuse(self);
    puts("socle " SOCLE_VERSION);
    return EXIT_OK;
}

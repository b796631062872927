/* SPDX-License-Identifier: MIT */
/* socle: what an administrator does with domains. See socle(1). */
#include "commands.h"

int main(int argc, char **argv)
{
    return command_run(argc, argv);
}

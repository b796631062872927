/* SPDX-License-Identifier: MIT */
/* The table of commands, and how one is found and told about. */
#include "commands.h"

#include "../libsocle/nearest.h"

#include <stdlib.h>
#include <string.h>

const struct command commands[] = {
    {"config-check", cmd_config_check, "[--json] FILE [KEY=VALUE]...",
     "say whether a configuration is right, and if not, what is wrong",
     "  -j, --json    print it in its normal form, as JSON\n"
     "KEY=VALUE replaces what FILE says; see socle.json(5).\n"},
    {"create", cmd_create, "[--paused] [--console] [--dry-run] FILE [KEY=VALUE]...",
     "make a domain from a configuration and let it run",
     "  -p, --paused      do not let it run yet\n"
     "  -c, --console     attach to its console\n"
     "  -n, --dry-run     only print the configuration in its normal form, as JSON\n"
     "      --progress    tell what is being done; as usual on a terminal, if it takes long\n"
     "KEY=VALUE replaces what FILE says; see socle.json(5).\n"},
    {"debug-key", cmd_debug_key, "KEYS",
     "press debug keys of the hypervisor; h lists them in dmesg", ""},
    {"destroy", cmd_destroy, "DOMAIN", "end a domain at once, as if its power failed", ""},
    {"dmesg", cmd_dmesg, "[--clear]", "print the hypervisor's log",
     "  -c, --clear    and empty it\n"},
    {"domid", cmd_domid, "DOMAIN", "print the id of a domain", ""},
    {"domname", cmd_domname, "DOMAIN", "print the name of a domain", ""},
    {"help", cmd_help, "[COMMAND]", "list the commands, or tell about one", ""},
    {"info", cmd_info, "", "tell about the machine and its hypervisor", ""},
    {"list", cmd_list, "[--long|--json] [DOMAIN]", "list the domains",
     "  -v, --long    with UUIDs, and why they ended\n  -j, --json    as a list of objects\n"},
    {"pause", cmd_pause, "DOMAIN", "stop a domain until it is unpaused", ""},
    {"unpause", cmd_unpause, "DOMAIN", "let a domain go on", ""},
    {"vcpu-list", cmd_vcpu_list, "[DOMAIN]", "list the virtual CPUs", ""},
    {"version", cmd_version, "", "print the version of these tools", ""},
    {0},
};

const struct command *command_find(const char *name)
{
    const struct command *found = NULL;
    struct nearest near = {0};
    unsigned int count = 0;

    for (const struct command *c = commands; c->name; c++) {
        if (strcmp(c->name, name) == 0)
            return c;
        if (name[0] && strncmp(c->name, name, strlen(name)) == 0) {
            found = c;
            count++;
        }
        nearest_try(&near, name, c->name);
    }
    if (count == 1)
        return found;
    fprintf(stderr, "socle: ");
    if (count > 1) {
        fprintf(stderr, "%s could be", name);
        for (const struct command *c = commands; c->name; c++) {
            if (strncmp(c->name, name, strlen(name)) == 0)
                fprintf(stderr, " %s%s", c->name, --count ? "," : "\n");
        }
    } else if (near.name) {
        fprintf(stderr, "there is no command %s; did you mean %s?\n", name, near.name);
    } else {
        fprintf(stderr, "there is no command %s; `socle help` lists them\n", name);
    }
    return NULL;
}

void command_usage(const struct command *c, FILE *to)
{
    if (c) {
        fprintf(to, "usage: socle %s%s%s\n%s", c->name, c->args[0] ? " " : "", c->args, c->help);
        return;
    }
    fputs("usage: socle COMMAND [ARGUMENT]...\n", to);
    for (c = commands; c->name; c++)
        fprintf(to, "  %-14s %s\n", c->name, c->summary);
    fputs("`socle help COMMAND` tells more. A command may be cut short as long as it is clear.\n",
          to);
}

int command_misuse(const struct command *c)
{
    command_usage(c, stderr);
    return EXIT_USAGE;
}

static int flush(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    perror("socle: standard output");
    return EXIT_FAILED;
}

int command_run(int argc, char **argv)
{
    const struct command *c;
    char whole[64];

    if (argc < 2)
        return command_misuse(NULL);
    c = command_find(strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0      ? "help"
                     : strcmp(argv[1], "-V") == 0 || strcmp(argv[1], "--version") == 0 ? "version"
                                                                                       : argv[1]);
    if (!c)
        return EXIT_USAGE;
    if (argc == 3 && (strcmp(argv[2], "-h") == 0 || strcmp(argv[2], "--help") == 0)) {
        command_usage(c, stdout);
        return flush(EXIT_OK);
    }
    snprintf(whole, sizeof(whole), "socle %s", c->name);
    argv[1] = whole;
    return flush(c->run(c, argc - 1, argv + 1));
}

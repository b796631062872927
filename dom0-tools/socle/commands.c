/* SPDX-License-Identifier: MIT */
/* The table of commands, and how one is found and told about. */
#include "commands.h"

#include "../libsocle/nearest.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define ASK_HELP                                                                                   \
    "  -a, --all                all but the control domain\n"                                      \
    "  -w, --wait               until they have ended\n"                                           \
    "  -t, --timeout SECONDS    for their kernels to react; 10\n"

const struct command commands[] = {
    {"config-check", cmd_config_check, "[--json] FILE [KEY=VALUE]...",
     "say whether a configuration is right, and if not, what is wrong",
     "  -j, --json    print it in its normal form, as JSON\n"
     "KEY=VALUE replaces what FILE says; see socle.json(5).\n"},
    {"console", cmd_console, "[--escape CHAR] [--follow] [--unpause] DOMAIN",
     "connect to the console of a domain; Ctrl-] leaves",
     "  -e, --escape CHAR    this leaves instead: a character, or ^X for Ctrl-X\n"
     "  -f, --follow         when it ends, wait for the next one of that name\n"
     "  -u, --unpause        let it go on once connected, so that nothing is missed\n"},
    {"cpupool-cpu-add", cmd_cpupool_cpu_add, "POOL CPUS", "add free CPUs to a pool",
     "CPUS: such as 0-3,^1. They are in no pool: cpupool-cpu-remove frees them.\n"},
    {"cpupool-cpu-remove", cmd_cpupool_cpu_remove, "POOL CPUS", "take CPUs out of a pool",
     "CPUS: such as 0-3,^1. They idle until they are added to a pool. CPU 0 stays in Pool-0.\n"},
    {"cpupool-create", cmd_cpupool_create, "NAME CPUS", "make a pool of free CPUs",
     "CPUS: such as 0-3,^1. They are in no pool: cpupool-cpu-remove frees them.\n"},
    {"cpupool-destroy", cmd_cpupool_destroy, "POOL",
     "end a pool without domains; its CPUs are free", ""},
    {"cpupool-list", cmd_cpupool_list, "[--cpus|--json] [POOL]", "list the pools of CPUs",
     "  -c, --cpus    with their CPUs\n  -j, --json    as a list of objects\n"},
    {"cpupool-migrate", cmd_cpupool_migrate, "DOMAIN POOL",
     "have a domain run on the CPUs of another pool",
     "Where its vcpus were pinned to is forgotten.\n"},
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
    {"disk-list", cmd_disk_list, "[--json] DOMAIN", "list the disks of a domain",
     "  -j, --json    as a list of objects\n"},
    {"dmesg", cmd_dmesg, "[--clear]", "print the hypervisor's log",
     "  -c, --clear    and empty it\n"},
    {"domid", cmd_domid, "DOMAIN", "print the id of a domain", ""},
    {"dominfo", cmd_dominfo, "[--json] DOMAIN [ROW]", "tell about a domain",
     "  -j, --json    as an object\nROW: only the value of that row.\n"},
    {"domname", cmd_domname, "DOMAIN", "print the name of a domain", ""},
    {"help", cmd_help, "[COMMAND]", "list the commands, or tell about one", ""},
    {"info", cmd_info, "[--json|--numa] [ROW]", "tell about the machine and its hypervisor",
     "  -j, --json    as an object\n"
     "  -n, --numa    and where its CPUs and its memory are\n"
     "ROW: only the value of that row.\n"},
    {"list", cmd_list, "[--verbose|--long|--json] [DOMAIN]", "list the domains",
     "  -l, --long       as a list of objects with their configurations\n"
     "  -v, --verbose    with UUIDs, and why they ended\n"
     "  -Z, --context    with security labels, of which there are none\n"
     "  -c, --cpupool    with their pools of CPUs\n"
     "  -n, --numa       with the nodes where they may be\n"
     "  -j, --json       as a list of objects\n"},
    {"mem-max", cmd_mem_max, "DOMAIN SIZE", "limit what mem-set may give a domain",
     "SIZE is in MiB, or has b, k, m, g or t behind it.\n"},
    {"mem-set", cmd_mem_set, "DOMAIN SIZE", "tell a domain how much memory to have",
     "SIZE is in MiB, or has b, k, m, g or t behind it.\n"},
    {"nic-list", cmd_nic_list, "[--json] DOMAIN", "list the network cards of a domain",
     "  -j, --json    as a list of objects\n"},
    {"pause", cmd_pause, "DOMAIN", "stop a domain until it is unpaused", ""},
    {"reboot", cmd_reboot, "[--wait] DOMAIN...|--all", "ask domains to start again", ASK_HELP},
    {"rename", cmd_rename, "DOMAIN NAME", "give a domain another name", ""},
    {"sched", cmd_sched, "[--json] [--weight N] [--cap N] [DOMAIN]",
     "tell and set how domains share the CPUs",
     "  -w, --weight N        its share beside those of others; 256 is the norm\n"
     "  -c, --cap N           never more than N per cent of a CPU; 0: no limit\n"
     "  -r, --ratelimit US    let whoever runs go on for that long, in microseconds\n"
     "  -d, --domain DOMAIN   the same as DOMAIN alone\n"
     "  -j, --json            as an object\n"},
    {"shutdown", cmd_shutdown, "[--wait] DOMAIN...|--all", "ask domains to power off", ASK_HELP},
    {"sysrq", cmd_sysrq, "[--timeout S] DOMAIN LETTER", "press a magic key of a Linux domain",
     "  -t, --timeout SECONDS    for its kernel to react; 10\n"},
    {"top", cmd_top, "[--batch|--json] [--delay S] [--iterations N]",
     "show what domains do, again and again",
     "  -b, --batch           as text, one table after the other\n"
     "  -j, --json            as lists of objects\n"
     "  -d, --delay SECONDS   between one look and the next; 3\n"
     "  -i, --iterations N    look that often; 0: without end\n"
     "  -f, --full-name       names as long as they are\n"
     "  -n, --networks        lines for network cards\n"
     "  -x, --vbds            lines for disks\n"
     "  -v, --vcpus           lines for virtual CPUs\n"},
    {"trigger", cmd_trigger, "DOMAIN nmi|reset|init|power|sleep [VCPU]",
     "press a button of a domain", "Paravirtual domains have none but nmi.\n"},
    {"unpause", cmd_unpause, "DOMAIN", "let a domain go on", ""},
    {"uptime", cmd_uptime, "[--short|--json] [DOMAIN]...",
     "tell how long domains have been running",
     "  -s, --short    with the time of day\n  -j, --json     as a list of objects\n"},
    {"vcpu-list", cmd_vcpu_list, "[--json] [DOMAIN]...", "list the virtual CPUs",
     "  -j, --json    as a list of objects\n"},
    {"vcpu-pin", cmd_vcpu_pin, "[--force] DOMAIN VCPU|all CPUS [SOFT]",
     "set where virtual CPUs may run",
     "  -f, --force    even if they are pinned for the time being\n"
     "CPUS, and SOFT, where they had better run: such as 0-3,^1, or all; -: as it is.\n"},
    {"vcpu-set", cmd_vcpu_set, "[--ignore-host] DOMAIN COUNT", "set how many CPUs a domain uses",
     "  -i, --ignore-host    even if the machine has not as many\n"},
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
        fprintf(to, "  %-18s %s\n", c->name, c->summary);
    fputs("`socle help COMMAND` tells more. A command may be cut short as long as it is clear.\n",
          to);
}

int command_misuse(const struct command *c)
{
    command_usage(c, stderr);
    return EXIT_USAGE;
}

/* As getopt(3) wants them. */
static void convert(const struct command_option *from, struct option *to, char *letters)
{
    for (int i = 0; from[i].name; i++) {
        to[i].name = from[i].name;
        to[i].has_arg = from[i].value ? required_argument : no_argument;
        to[i].val = from[i].letter;
        *letters++ = from[i].letter;
        if (from[i].value)
            *letters++ = ':';
    }
    *letters = 0;
}

int command_options(const struct command *self, int argc, char **argv,
                    const struct command_option *options, int min, int max)
{
    struct option longs[16] = {0};
    char letters[32];
    int c, nr;

    convert(options, longs, letters);
    optind = 0; /* from the start, whoever called getopt before */
    while ((c = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
        const struct command_option *o = options;

        while (o->name && o->letter != c)
            o++;
        if (!o->name) {
            command_misuse(self);
            return -1;
        }
        if (o->flag)
            *o->flag = true;
        if (o->value)
            *o->value = optarg;
    }
    nr = argc - optind;
    if (nr < min || nr > max) {
        command_misuse(self);
        return -1;
    }
    memmove(argv + 1, argv + optind, (nr + 1) * sizeof(*argv)); /* with the NULL behind them */
    return nr;
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
    for (int i = 2; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0) {
            command_usage(c, stdout);
            return flush(EXIT_OK);
        }
    }
    snprintf(whole, sizeof(whole), "socle %s", c->name);
    argv[1] = whole;
    return flush(c->run(c, argc - 1, argv + 1));
}

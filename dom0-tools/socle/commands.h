/* SPDX-License-Identifier: MIT */
/* The commands of socle: each is a row of the table and a file, cmd_NAME.c. What is run and what is
 * told about it both come from the row. */
#ifndef SOCLE_COMMANDS_H
#define SOCLE_COMMANDS_H

#include <stdbool.h>
#include <stdio.h>

enum { EXIT_OK, EXIT_FAILED, EXIT_USAGE }; /* of all commands */

struct command {
    const char *name;
    /* argv[0] is "socle NAME", for getopt(3) to complain by. Returns an exit status. */
    int (*run)(const struct command *self, int argc, char **argv);
    const char *args;    /* in usage lines */
    const char *summary; /* a line in the list of commands */
    const char *help;    /* options and what else there is to say, lines; may be "" */
};

extern const struct command commands[]; /* the last one has no name */

int cmd_config_check(const struct command *self, int argc, char **argv);
int cmd_console(const struct command *self, int argc, char **argv);
int cmd_cpupool_cpu_add(const struct command *self, int argc, char **argv);
int cmd_cpupool_cpu_remove(const struct command *self, int argc, char **argv);
int cmd_cpupool_create(const struct command *self, int argc, char **argv);
int cmd_cpupool_destroy(const struct command *self, int argc, char **argv);
int cmd_cpupool_list(const struct command *self, int argc, char **argv);
int cmd_cpupool_migrate(const struct command *self, int argc, char **argv);
int cmd_create(const struct command *self, int argc, char **argv);
int cmd_debug_key(const struct command *self, int argc, char **argv);
int cmd_destroy(const struct command *self, int argc, char **argv);
int cmd_disk_list(const struct command *self, int argc, char **argv);
int cmd_dmesg(const struct command *self, int argc, char **argv);
int cmd_domid(const struct command *self, int argc, char **argv);
int cmd_dominfo(const struct command *self, int argc, char **argv);
int cmd_domname(const struct command *self, int argc, char **argv);
int cmd_help(const struct command *self, int argc, char **argv);
int cmd_info(const struct command *self, int argc, char **argv);
int cmd_list(const struct command *self, int argc, char **argv);
int cmd_mem_max(const struct command *self, int argc, char **argv);
int cmd_mem_set(const struct command *self, int argc, char **argv);
int cmd_nic_list(const struct command *self, int argc, char **argv);
int cmd_pause(const struct command *self, int argc, char **argv);
int cmd_reboot(const struct command *self, int argc, char **argv);
int cmd_rename(const struct command *self, int argc, char **argv);
int cmd_sched(const struct command *self, int argc, char **argv);
int cmd_shutdown(const struct command *self, int argc, char **argv);
int cmd_sysrq(const struct command *self, int argc, char **argv);
int cmd_top(const struct command *self, int argc, char **argv);
int cmd_trigger(const struct command *self, int argc, char **argv);
int cmd_unpause(const struct command *self, int argc, char **argv);
int cmd_uptime(const struct command *self, int argc, char **argv);
int cmd_vcpu_list(const struct command *self, int argc, char **argv);
int cmd_vcpu_pin(const struct command *self, int argc, char **argv);
int cmd_vcpu_set(const struct command *self, int argc, char **argv);
int cmd_version(const struct command *self, int argc, char **argv);

/** command_find - the command of that name, or the only one that begins so
 * NULL: there is none, and a line about it has been written to standard error. */
const struct command *command_find(const char *name);

/** command_usage - write how to call a command, or how to call any (NULL). */
void command_usage(const struct command *c, FILE *to);

/** command_misuse - write that to standard error; returns EXIT_USAGE. */
int command_misuse(const struct command *c);

struct command_option { /* the last one has no name */
    const char *name;   /* --NAME */
    char letter;        /* -L */
    bool *flag;         /* it was given; or: */
    const char **value; /* what was given with it */
};

/** command_options - take the options from a command line, wherever they stand
 * @min, @max  how many arguments must remain; those that do are moved to argv[1] ...
 * Returns how many there are; -1 when the line is wrong, after telling. */
int command_options(const struct command *self, int argc, char **argv,
                    const struct command_option *options, int min, int max);

/** command_run - what main() does with its arguments; returns an exit status. */
int command_run(int argc, char **argv);

#endif

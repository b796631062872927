/* SPDX-License-Identifier: MIT */
/* Options of programs that have no commands, as a table. */
#ifndef LIBSOCLE_OPTIONS_H
#define LIBSOCLE_OPTIONS_H

#include <stdbool.h>

enum { OPTIONS_MAX = 16 };

struct option_row {    /* the last one has no name */
    const char *name;  /* --NAME */
    char letter;       /* -L; 0: none */
    bool *flag;        /* it was given; or: */
    const char **text; /* what was given with it; or: */
    unsigned long *number, min, max;
};

struct option_table {
    const char *program, *usage; /* the second with newlines */
    const struct option_row *rows;
};

/** options_take - take the options from a command line; --help and --version are known besides
 * @min, @max  how many arguments must remain; those that do are moved to argv[1] ...
 * @status     of the program, if it has to end: 2 after telling what is wrong
 * Returns how many there are; -1: there is nothing more to be done. */
int options_take(const struct option_table *t, int argc, char **argv, int min, int max,
                 int *status);

#endif

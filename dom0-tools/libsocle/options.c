// SPDX-License-Identifier: MIT
/* Options by getopt_long(3). An option's value there is where its row is; two more are behind the table. */
#include "options.h"

#include "number.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum { ROW = 256, HELP = ROW + OPTIONS_MAX, VERSION };

static void convert(const struct option_row *rows, struct option *longs, char *letters)
{
    int nr = 0;

    for (; rows[nr].name; nr++) {
        int takes = rows[nr].flag ? no_argument : required_argument;

        longs[nr] = (struct option){rows[nr].name, takes, NULL, ROW + nr};
        if (rows[nr].letter) {
            *letters++ = rows[nr].letter;
            if (takes)
                *letters++ = ':';
        }
    }
    longs[nr++] = (struct option){"help", no_argument, NULL, HELP};
    longs[nr] = (struct option){"version", no_argument, NULL, VERSION};
    strcpy(letters, "hV");
}

static int misuse(const struct option_table *t, int *status)
{
    fputs(t->usage, stderr);
    *status = 2;
    return -1;
}

/* Returns 0, or -1 as options_take() does. */
static int take(const struct option_table *t, const struct option_row *row, int *status)
{
    const char *s = optarg;
    unsigned long n;

    if (row->flag)
        *row->flag = true;
    if (row->text)
        *row->text = optarg;
    if (!row->number)
        return 0;
    if (number_at(&s, row->max, &n) && !*s && n >= row->min) {
        *row->number = n;
        return 0;
    }
    fprintf(stderr, "%s: --%s: expected a number from %lu to %lu, not %s\n", t->program, row->name,
            row->min, row->max, optarg);
    *status = 2;
    return -1;
}

static const struct option_row *row_of(const struct option_table *t, int c)
{
    const struct option_row *row = t->rows;

    if (c >= ROW)
        return row + c - ROW;
    while (row->name && row->letter != c)
        row++;
    return row;
}

int options_take(const struct option_table *t, int argc, char **argv, int min, int max, int *status)
{
    struct option longs[OPTIONS_MAX + 3] = {0};
    char letters[2 * OPTIONS_MAX + 3];
    int c, nr;

    *status = 0;
    convert(t->rows, longs, letters);
    optind = 0; /* from the start, whoever called getopt before */
    while ((c = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
        if (c == '?')
            return misuse(t, status);
        if (c == 'h' || c == HELP) {
            fputs(t->usage, stdout);
            return -1;
        }
        if (c == 'V' || c == VERSION) {
            printf("%s " SOCLE_VERSION "\n", t->program);
            return -1;
        }
        if (take(t, row_of(t, c), status))
            return -1;
    }
    nr = argc - optind;
    if (nr < min || nr > max)
        return misuse(t, status);
    memmove(argv + 1, argv + optind, (nr + 1) * sizeof(*argv)); /* with the NULL behind them */
    return nr;
}

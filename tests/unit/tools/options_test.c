/* SPDX-License-Identifier: MIT */
/* Options of the daemons: what is taken from a command line, and what is told about the rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dom0-tools/libsocle/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool background;
static const char *file;
static unsigned long size;
static char *args[16], *told, *printed;
static int status;

static void forget(void)
{
    free(told);
    free(printed);
    told = printed = NULL;
}

static int teardown(void **state)
{
    (void)state;
    forget();
    return 0;
}

/* Words with spaces between them. */
static int take(const char *line, int min, int max)
{
    static const struct option_row rows[] = {{"background", 'b', .flag = &background},
                                             {"file", 'f', .text = &file},
                                             {"size", 0, .number = &size, 2, 40},
                                             {0}};
    static const struct option_table table = {"prog", "usage: prog\n", rows};
    static char copy[256];
    FILE *out = stdout, *err = stderr;
    size_t out_len, err_len;
    int count, argc = 0;

    background = false;
    file = NULL;
    size = 7;
    forget();
    snprintf(copy, sizeof(copy), "%s", line);
    for (char *s = strtok(copy, " "); s; s = strtok(NULL, " "))
        args[argc++] = s;
    args[argc] = NULL;
    stdout = open_memstream(&printed, &out_len);
    stderr = open_memstream(&told, &err_len);
    count = options_take(&table, argc, args, min, max, &status);
    fclose(stdout);
    fclose(stderr);
    stdout = out;
    stderr = err;
    return count;
}

static void all_kinds(void **state)
{
    (void)state;
    assert_int_equal(take("prog", 0, 0), 0);
    assert_false(background);
    assert_null(file);
    assert_int_equal(size, 7);
    assert_int_equal(take("prog --background --file a --size 40", 0, 0), 0);
    assert_true(background);
    assert_string_equal(file, "a");
    assert_int_equal(size, 40);
    assert_int_equal(take("prog -b -fb --size=2", 0, 0), 0);
    assert_string_equal(file, "b");
    assert_int_equal(size, 2);
    assert_string_equal(told, "");
}

static void arguments_remain(void **state)
{
    (void)state;
    assert_int_equal(take("prog one -b two", 1, 2), 2);
    assert_string_equal(args[1], "one");
    assert_string_equal(args[2], "two");
    assert_null(args[3]);
    assert_true(background);
    assert_int_equal(take("prog -- -b", 1, 1), 1);
    assert_string_equal(args[1], "-b");
}

static void help_and_version(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < 2; i++) {
        assert_int_equal(take(i ? "prog -h" : "prog --help", 0, 0), -1);
        assert_int_equal(status, 0);
        assert_string_equal(printed, "usage: prog\n");
        assert_int_equal(take(i ? "prog -V" : "prog --version", 0, 0), -1);
        assert_int_equal(status, 0);
        assert_string_equal(printed, "prog " SOCLE_VERSION "\n");
    }
}

static void wrong(const char *line, const char *text)
{
    assert_int_equal(take(line, 0, 0), -1);
    assert_int_equal(status, 2);
    assert_non_null(strstr(told, text));
    assert_string_equal(printed, "");
    assert_int_equal(size, 7);
}

static void what_is_wrong(void **state)
{
    static const char *const bad[] = {"1", "41", "-3", "3x", "0x3", "99999999999", "+3"};
    char line[64], text[96];

    (void)state;
    wrong("prog --back-ground", "usage: prog\n");
    wrong("prog -x", "usage: prog\n");
    wrong("prog --file", "usage: prog\n");
    wrong("prog one", "usage: prog\n");
    for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(line, sizeof(line), "prog --size %s", bad[i]);
        snprintf(text, sizeof(text), "prog: --size: expected a number from 2 to 40, not %s\n",
                 bad[i]);
        wrong(line, text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(all_kinds, teardown),
        cmocka_unit_test_teardown(arguments_remain, teardown),
        cmocka_unit_test_teardown(help_and_version, teardown),
        cmocka_unit_test_teardown(what_is_wrong, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

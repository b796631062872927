/* SPDX-License-Identifier: MIT */
/* Arbitrary text as a command line. Values must stay in their ranges, reports within the line. */
#include <hv/cmdline.h>
#include <hv/lib.h>

#include <stdlib.h>

static const char *line, *line_end;

static int reports;

void printk(enum log_level level, const char *fmt, ...)
{
    const char *text, *word;
    int len;
    va_list ap;

    va_start(ap, fmt);
    (void)va_arg(ap, const char *);
    text = va_arg(ap, const char *);
    len = va_arg(ap, int);
    word = va_arg(ap, const char *);
    va_end(ap);
    reports++;
    if (level != LOG_WARN || !*text || word < line || len <= 0 || word + len > line_end)
        abort();
}

static void check_table(void)
{
    bool flag = false;
    unsigned int number = 5;
    unsigned int big = 0;
    uint64_t size = 4096, set = 0;
    char text[8] = "";
    struct cmdline_mem mem = {0};
    const struct cmdline_option table[] = {
        {"b", CMDLINE_BOOL, &flag, 0, 0},
        {"n", CMDLINE_UINT, &number, 3, 7},
        {"u", CMDLINE_UINT, &big, 0, 0},
        {"s", CMDLINE_SIZE, &size, 4096, 1 << 30},
        {"t", CMDLINE_STRING, text, 0, sizeof(text)},
        {"m", CMDLINE_MEM, &mem, 0, 0},
        {"c", CMDLINE_SET, &set, 0, 60},
    };
    const char *rest;
    int rc;

    reports = 0;
    rc = cmdline_parse(line, table, ARRAY_SIZE(table), &rest, "fuzz");
    if (rc != reports || rest < line || rest > line_end)
        abort();
    if (number < 3 || number > 7 || size < 4096 || size > 1 << 30)
        abort();
    if (strnlen(text, sizeof(text)) == sizeof(text) || set >> 60)
        abort();
    if (mem.max && mem.min > mem.max)
        abort();
}

static void check_domu(void)
{
    struct cmdline_domu d;
    int rc;

    reports = 0;
    rc = cmdline_parse_domu(line, &d, "fuzz");
    if (rc != reports)
        abort();
    if (d.args < line || d.args > line_end || d.vcpus == 0 || d.weight == 0 || d.mem % 4096)
        abort();
    if (strnlen(d.name, sizeof(d.name)) == sizeof(d.name))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size + 1);

    memcpy(copy, data, size);
    copy[size] = 0;
    line = copy;
    line_end = copy + strlen(copy);
    check_table();
    check_domu();
    line = cmdline_skip_image(line, NULL);
    if (line > line_end)
        abort();
    free(copy);
    return 0;
}

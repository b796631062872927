/* SPDX-License-Identifier: MIT */
/* Command lines: what each type takes, what it refuses, and that a refused word changes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <hv/cmdline.h>
#include <hv/errno.h>
#include <hv/lib.h>

static unsigned int big;
static bool noreboot, watchdog;
static unsigned int maxcpus;
static uint64_t size, set;
static char com1[12];
static struct cmdline_mem dom0_mem;

static const struct cmdline_option table[] = {
    {"noreboot", CMDLINE_BOOL, &noreboot, 0, 0},
    {"watchdog", CMDLINE_BOOL, &watchdog, 0, 0},
    {"maxcpus", CMDLINE_UINT, &maxcpus, 1, 64},
    {"big", CMDLINE_UINT, &big, 0, 0},
    {"size", CMDLINE_SIZE, &size, 4096, 1ul << 40},
    {"com1", CMDLINE_STRING, com1, 0, sizeof(com1)},
    {"dom0_mem", CMDLINE_MEM, &dom0_mem, 1 << 20, 0},
    {"cpus", CMDLINE_SET, &set, 0, 60},
};

static char seen[256]; /* what was reported: letter and word, blank separated */

/* Of "test: malformed option: word" the letter and the word. */
void printk(enum log_level level, const char *fmt, ...)
{
    char line[256];
    size_t at = strlen(seen);
    va_list ap;

    assert_int_equal(level, LOG_WARN);
    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    assert_memory_equal(line, "test: ", 6);
    snprintf(seen + at, sizeof(seen) - at, "%c:%s ",
             line[6] == 'u'   ? 'U'
             : line[6] == 'm' ? 'M'
                              : 'R',
             strrchr(line, ' ') + 1);
}

static const char *rest;

static int parse(const char *line)
{
    seen[0] = 0;
    return cmdline_parse(line, table, ARRAY_SIZE(table), &rest, "test");
}

static int reset(void **state)
{
    (void)state;
    noreboot = watchdog = false;
    maxcpus = 7;
    big = 0;
    size = 0;
    set = 0;
    memset(com1, 0, sizeof(com1));
    memset(&dom0_mem, 0, sizeof(dom0_mem));
    return 0;
}

static void booleans(void **state)
{
    static const char *const yes[] = {"=on", "=yes", "=true", "=enable", "=1", ""};
    static const char *const no[] = {"=off", "=no", "=false", "=disable", "=0"};
    char line[32];

    (void)state;
    for (unsigned int i = 0; i < ARRAY_SIZE(yes); i++) {
        watchdog = false;
        snprintf(line, sizeof(line), " watchdog%s ", yes[i]);
        assert_int_equal(parse(line), 0);
        assert_true(watchdog);
    }
    for (unsigned int i = 0; i < ARRAY_SIZE(no); i++) {
        watchdog = true;
        snprintf(line, sizeof(line), "\twatchdog%s\n", no[i]);
        assert_int_equal(parse(line), 0);
        assert_false(watchdog);
    }
    assert_int_equal(parse("watchdog no-watchdog noreboot"), 0);
    assert_false(watchdog);
    assert_true(noreboot);
    assert_int_equal(parse("no-noreboot"), 0);
    assert_false(noreboot);

    assert_int_equal(parse("watchdog=maybe no-watchdog=1 watchdog= no-maxcpus no-thing nowatchdog"),
                     6);
    assert_string_equal(seen, "M:watchdog=maybe M:no-watchdog=1 M:watchdog= M:no-maxcpus "
                              "U:no-thing U:nowatchdog ");
    assert_false(watchdog);
}

static void numbers(void **state)
{
    (void)state;
    assert_int_equal(parse("maxcpus=64 big=0xffffffff"), 0);
    assert_int_equal(maxcpus, 64);
    assert_true(big == UINT32_MAX);
    assert_int_equal(parse("maxcpus=0x10 big=010"), 0);
    assert_int_equal(maxcpus, 16);
    assert_int_equal(big, 8);
    assert_int_equal(
        parse("maxcpus=0 maxcpus=65 maxcpus=4294967297 big=18446744073709551616 big=4294967296"),
        5);
    assert_string_equal(seen, "R:maxcpus=0 R:maxcpus=65 R:maxcpus=4294967297 "
                              "R:big=18446744073709551616 R:big=4294967296 ");
    assert_int_equal(parse("maxcpus maxcpus= maxcpus=-1 maxcpus=4x maxcpus=0x big=09 big=1=2"), 7);
    assert_string_equal(seen, "M:maxcpus M:maxcpus= M:maxcpus=-1 M:maxcpus=4x M:maxcpus=0x "
                              "M:big=09 M:big=1=2 ");
    assert_int_equal(maxcpus, 16);
    assert_int_equal(big, 8);
}

static void sizes(void **state)
{
    static const struct {
        const char *text;
        uint64_t val;
    } good[] = {
        {"size=4096B", 4096},       {"size=4096K", 4 << 20}, {"size=512M", 512 << 20},
        {"size=1G", 1ul << 30},     {"size=1t", 1ul << 40},  {"size=8", 8192},
        {"size=0x10m", 16ul << 20},
    };

    (void)state;
    for (unsigned int i = 0; i < ARRAY_SIZE(good); i++) {
        assert_int_equal(parse(good[i].text), 0);
        assert_int_equal(size, good[i].val);
    }
    assert_int_equal(parse("size=1MB size=M size=1Q size=1B size=2T size=16777216T"), 6);
    assert_string_equal(seen, "M:size=1MB M:size=M M:size=1Q R:size=1B R:size=2T "
                              "R:size=16777216T ");
    assert_int_equal(size, 16 << 20);
}

static void memory_of_dom0(void **state)
{
    (void)state;
    assert_int_equal(parse("dom0_mem=512M"), 0);
    assert_true(dom0_mem.size == 512ul << 20 && !dom0_mem.min && !dom0_mem.max);
    assert_int_equal(parse("dom0_mem=min:64M,512M,max:1G"), 0);
    assert_true(dom0_mem.size == 512ul << 20 && dom0_mem.min == 64 << 20);
    assert_true(dom0_mem.max == 1ul << 30);
    assert_int_equal(parse("dom0_mem=max:2G"), 0);
    assert_true(dom0_mem.size == 0 && dom0_mem.max == 2ul << 30);
    assert_int_equal(parse("dom0_mem=min:2M,max:1M dom0_mem=mid:1M dom0_mem=,1M dom0_mem=512K"), 4);
    assert_string_equal(seen, "R:dom0_mem=min:2M,max:1M M:dom0_mem=mid:1M M:dom0_mem=,1M "
                              "R:dom0_mem=512K ");
    assert_true(dom0_mem.max == 2ul << 30);
}

static void sets(void **state)
{
    (void)state;
    assert_int_equal(parse("cpus=0-2,5,59"), 0);
    assert_int_equal(set, 0x0800000000000027);
    assert_int_equal(parse("cpus=60 cpus=0-60 cpus=3-1 cpus=1- cpus=a cpus="), 6);
    assert_string_equal(seen, "R:cpus=60 R:cpus=0-60 M:cpus=3-1 M:cpus=1- M:cpus=a M:cpus= ");
    assert_int_equal(set, 0x0800000000000027);
    assert_int_equal(parse("cpus=all"), 0);
    assert_int_equal(set, (1ul << 60) - 1);
}

static void strings(void **state)
{
    (void)state;
    assert_int_equal(parse("com1=115200,8n1"), 0);
    assert_string_equal(com1, "115200,8n1");
    assert_int_equal(parse("com1=12345678901"), 0);
    assert_int_equal(parse("com1=123456789012"), 1);
    assert_string_equal(seen, "R:com1=123456789012 ");
    assert_string_equal(com1, "12345678901");
    assert_int_equal(parse("com1="), 0);
    assert_string_equal(com1, "");
}

static void unknown_words_and_the_rest(void **state)
{
    (void)state;
    assert_int_equal(parse("nonsense watchdog x=1 --  console=hvc0 -- more"), 2);
    assert_string_equal(seen, "U:nonsense U:x=1 ");
    assert_true(watchdog);
    assert_string_equal(rest, "console=hvc0 -- more");
    assert_int_equal(parse(""), 0);
    assert_string_equal(rest, "");
    assert_int_equal(cmdline_parse("a b", table, ARRAY_SIZE(table), NULL, NULL), 2);
}

static void image_name(void **state)
{
    (void)state;
    assert_string_equal(cmdline_skip_image(" build/socle  com1=x", "qemu"), "com1=x");
    assert_string_equal(cmdline_skip_image("build/socle", NULL), "");
    assert_string_equal(cmdline_skip_image(" com1=x", "GRUB 2.06-13"), "com1=x");
}

static void domu_lines(void **state)
{
    struct cmdline_domu d;

    (void)state;
    assert_true(cmdline_is_domu(" domu name=b"));
    assert_true(cmdline_is_domu("domu"));
    assert_false(cmdline_is_domu("domu2"));
    assert_false(cmdline_is_domu(""));

    assert_int_equal(cmdline_parse_domu("domu", &d, NULL), 0);
    assert_true(d.mem == 32 << 20 && d.vcpus == 1 && d.weight == 256 && d.cap == 0);
    assert_true(d.cpus == UINT64_MAX);
    assert_string_equal(d.name, "domu");
    assert_string_equal(d.args, "");

    assert_int_equal(cmdline_parse_domu("domu name=b mem=64M vcpus=2 weight=512 cap=50 cpus=1,3 "
                                        "-- root=/dev/xvda  domu",
                                        &d, NULL),
                     0);
    assert_string_equal(d.name, "b");
    assert_true(d.mem == 64 << 20 && d.vcpus == 2 && d.weight == 512 && d.cap == 50);
    assert_true(d.cpus == 10);
    assert_string_equal(d.args, "root=/dev/xvda  domu");

    seen[0] = 0;
    assert_int_equal(cmdline_parse_domu("domu vcpus=0 mem=5000000B colour=red", &d, "test"), 2);
    assert_string_equal(seen, "R:vcpus=0 U:colour=red ");
    assert_int_equal(d.mem, 5000000 / 4096 * 4096);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(booleans, reset),
        cmocka_unit_test_setup(numbers, reset),
        cmocka_unit_test_setup(sizes, reset),
        cmocka_unit_test_setup(memory_of_dom0, reset),
        cmocka_unit_test_setup(sets, reset),
        cmocka_unit_test_setup(strings, reset),
        cmocka_unit_test_setup(unknown_words_and_the_rest, reset),
        cmocka_unit_test(image_name),
        cmocka_unit_test(domu_lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

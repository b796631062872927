/* SPDX-License-Identifier: MIT */
/* Commands about domains, against a hypervisor that is none. There is no store, so names are
 * missing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "commands_kit.h"
#include "fake_xs.h"

#define HEADER        "Name                                        ID   Mem VCPUs\tState\tTime(s)"
#define NO_HYPERVISOR "socle: no way to the hypervisor: No such device\n"

static void lists(void **state)
{
    (void)state;
    domains[0].flags = XEN_DOMINF_running;
    domains[0].cpu_time = 12345678901;
    domains[1].flags = XEN_DOMINF_blocked | XEN_DOMINF_paused;
    domains[1].outstanding_pages = 256;
    domains[2].flags = XEN_DOMINF_shutdown | 3 << XEN_DOMINF_shutdownshift | XEN_DOMINF_dying;
    assert_int_equal(socle("list"), 0);
    assert_string_equal(
        said,
        HEADER "\n"
               "Domain-0                                     0     1     1     r-----      12.3\n"
               "(null)                                       2     3     1     -bp---       0.0\n"
               "(null)                                       4     3     1     ---scd       0.0\n");
    assert_int_equal(socle("list -v 4"), 0);
    assert_non_null(strstr(said, " 00000000-0000-0000-0000-000000000002        3 "));
    assert_int_equal(socle("list --json 4"), 0);
    assert_non_null(strstr(said, "\"state\": \"---scd\",\n    \"reason\": 3,"));
    assert_int_equal(socle("list -cnZ 0"), 0);
    assert_string_equal(
        said,
        HEADER "   Security Label         Cpupool NODE Affinity\n"
               "Domain-0                                     0     1     1     r-----      12.3"
               "                -           Pool-0 any node\n");
    fake_nr_domains = 0;
    assert_int_equal(socle("list"), 0);
    assert_string_equal(said, HEADER "\n");
}

/* Reasons that nobody knows yet. */
static void odd_reason(void **state)
{
    (void)state;
    domains[0].flags = XEN_DOMINF_shutdown | 200 << XEN_DOMINF_shutdownshift;
    assert_int_equal(socle("list 0"), 0);
    assert_non_null(strstr(said, "---s?-"));
}

/* More than one answer has room for. */
static void many(void **state)
{
    unsigned int lines = 0;

    (void)state;
    for (fake_nr_domains = 127; fake_nr_domains <= 300; fake_nr_domains++) {
        lines = 0;
        assert_int_equal(socle("list"), 0);
        for (const char *c = said; *c; c++)
            lines += *c == '\n';
        assert_int_equal(lines, fake_nr_domains + 1);
    }
    fake_nr_domains = 300;
    assert_int_equal(socle("domid 598"), 0);
    assert_string_equal(said, "598\n");
}

static void acts(void **state)
{
    (void)state;
    assert_int_equal(socle("pause 2"), 0);
    assert_int_equal(domains[1].flags, XEN_DOMINF_paused);
    assert_int_equal(socle("unpause 2"), 0);
    assert_int_equal(domains[1].flags, 0);
    fake_xs_reset();
    fake_again = 3;
    assert_int_equal(socle("destroy 2"), 0);
    assert_int_equal(fake_again, 0);
    assert_int_equal(domains[1].flags, XEN_DOMINF_dying | XEN_DOMINF_paused);
    assert_int_equal(socle("destroy Domain-0"), 1);
    assert_string_equal(said, "socle: Domain-0: Operation not permitted\n");
    assert_int_equal(domains[0].flags, 0);
    assert_int_equal(socle("pause 0"), 1);
    assert_string_equal(said, "socle: 0: the control domain could not be unpaused by anybody\n");
    assert_int_equal(socle("pause 3"), 1);
    assert_string_equal(said, "socle: there is no domain 3\n");
    assert_int_equal(socle("pause 18446744073709551616"), 1);
    assert_int_equal(socle("pause 65536"), 1);
    assert_int_equal(domains[0].flags, 0);
}

static void vcpus(void **state)
{
    (void)state;
    assert_int_equal(socle("vcpu-list 2"), 0);
    assert_string_equal(
        said, "Name                                ID  VCPU   CPU State   Time(s) Affinity (Hard / "
              "Soft)\n"
              "(null)                               2     0    0   -b-       0.0  all / all\n"
              "(null)                               2     1    1   r--       1.2  all / 0,2-3\n"
              "(null)                               2     2    -   --p       2.5  all / none\n");
}

static void logs(void **state)
{
    static char large[50000];

    (void)state;
    memset(large, 'x', sizeof(large) - 1);
    fake_log = large;
    assert_int_equal(socle("dmesg"), 0);
    assert_string_equal(said, large);
    assert_int_equal(socle("dmesg -c"), 0);
    assert_string_equal(said, large);
    assert_int_equal(socle("dmesg"), 0);
    assert_string_equal(said, "");
    assert_int_equal(socle("debug-key rq"), 0);
    assert_string_equal(fake_keys, "rq");
}

static void without(void **state)
{
    static const char *const lines[] = {
        "list",           "info",          "pause 1",    "dmesg",     "vcpu-list",
        "debug-key h",    "domid x",       "destroy 1",  "dominfo 1", "mem-set 1 1",
        "mem-max 1 1",    "reboot -a",     "rename 1 x", "sched",     "shutdown 1",
        "sysrq 1 h",      "trigger 1 nmi", "top -b",     "uptime",    "vcpu-set 1 1",
        "vcpu-pin 1 0 0", "unpause 1",
    };

    (void)state;
    fake_hypervisor = false;
    for (unsigned int i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        assert_int_equal(socle(lines[i]), 1);
        assert_string_equal(said, NO_HYPERVISOR);
    }
}

static void misuse(void **state)
{
    static const char *const lines[] = {
        "pause",        "pause 1 2",  "list 1 2", "list -x",       "info 1 2",     "dmesg 1",
        "debug-key",    "domid",      "domname",  "destroy",       "vcpu-list -x", "dominfo",
        "mem-set 1",    "mem-max 1",  "reboot",   "reboot -a 1",   "rename 1",     "sched 1 2",
        "sched -d 1 2", "shutdown",   "sysrq 1",  "trigger 1",     "top 1",        "uptime -x",
        "vcpu-pin 1 0", "vcpu-set 1", "unpause",  "mem-set 1 2 3",
    };

    (void)state;
    for (unsigned int i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        assert_int_equal(socle(lines[i]), 2);
        assert_non_null(strstr(said, "usage: socle "));
    }
    assert_int_equal(domains[0].flags | domains[1].flags, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(lists, start),      cmocka_unit_test_setup(many, start),
        cmocka_unit_test_setup(odd_reason, start), cmocka_unit_test_setup(acts, start),
        cmocka_unit_test_setup(vcpus, start),      cmocka_unit_test_setup(logs, start),
        cmocka_unit_test_setup(without, start),    cmocka_unit_test_setup(misuse, start),
    };

    if (!mkdtemp(run_dir))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    rmdir(run_dir);
    return failed;
}

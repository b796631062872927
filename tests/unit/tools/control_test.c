/* SPDX-License-Identifier: MIT */
/* Commands that change domains, and what they write to the store: numbers, sizes, sets of CPUs,
 * bounds, and what is said when something is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "commands_kit.h"
#include "fake_store.h"

#include "dom0-tools/libsocle/alloc.h"
#include "dom0-tools/libsocle/config.h"
#include "dom0-tools/libsocle/xs.h"
#include "dom0-tools/socle/args.h"

#include <errno.h>
#include <sys/stat.h>
#include <time.h>
#include <xen/sched.h>

static void put(const char *path, const char *value)
{
    struct xs_pair pair = {path, value};

    assert_int_equal(xs_put_all(&pair, 1), 0);
}

/* Domains 0, 2 (web), 4 (db), each with 4 vcpus. */
static int begin(void **state)
{
    start(state);
    fake_store_start();
    free(xs_get("/")); /* notices that the former store is gone */
    put("/local/domain/2/name", "web");
    put("/local/domain/4/name", "db");
    put("/local/domain/2/memory/static-max", "131072");
    put("/local/domain/2/memory/target", "65536");
    domains[1].max_pages = 64 * 256 + 256;
    domains[1].tot_pages = 64 * 256;
    fake_scheduler = XEN_SCHEDULER_CREDIT2;
    fake_weight = 256;
    memcpy(fake_pool_of, (uint8_t[]){0, 0, 0, FAKE_NO_POOL}, 4);
    fake_end_reason = 0;
    fake_cap = fake_ratelimit = fake_trigger = fake_hard = fake_soft = 0;
    return 0;
}

static int end(void **state)
{
    (void)state;
    fake_store_stop();
    return 0;
}

static void node_is(const char *path, const char *value)
{
    char *is = xs_get(path);

    if (value) {
        assert_non_null(is);
        assert_string_equal(is, value);
    } else {
        assert_null(is);
    }
    free(is);
}

/* Runs it: its exit status and the only line that it writes. */
static void says(const char *line, int rc, const char *text)
{
    int is = socle(line);

    if (is != rc || strcmp(said, text) != 0)
        print_message("socle %s: %d, %s", line, is, said);
    assert_int_equal(is, rc);
    assert_string_equal(said, text);
}

/* ---- what tools remember ---- */

static void write_file(const char *name, const char *text)
{
    char path[128];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", run_dir, name);
    f = fopen(path, "w");
    fputs(text, f);
    fclose(f);
}

static int unlink_file(const char *name)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/%s", run_dir, name);
    return unlink(path);
}

static void remove_file(const char *name)
{
    assert_int_equal(unlink_file(name), 0);
}

#define WEB_CONFIG                                                                                 \
    "{\"name\": \"web\", \"kernel\": \"k\", \"memory\": 64, \"maxmem\": 128, \"maxvcpus\": 4, "    \
    "\"uuid\": \"00000000-0000-0000-0000-000000000001\"}"

/* ---- arguments ---- */

static void sizes(void **state)
{
    static const struct {
        const char *text;
        uint64_t kib; /* 0: refused */
    } cases[] = {
        {"1", 1024},
        {"64", 65536},
        {"64m", 65536},
        {"64M", 65536},
        {"2g", 2097152},
        {"1T", 1u << 30},
        {"5k", 5},
        {"5K", 5},
        {"2048b", 2},
        {"2047B", 1},
        {"1023b", 0},
        {"0", 0},
        {"", 0},
        {"m", 0},
        {"-1", 0},
        {" 1", 0},
        {"1 ", 0},
        {"1mb", 0},
        {"1x", 0},
        {"1.5g", 0},
        {"0x10", 0},
        {"+1", 0},
        {"1024t", 1ull << 40},
        {"1025t", 0},
        {"999999999999999t", 0},
        {"1000000000000000", 0},
        {"18446744073709551617", 0},
        {"1099511627776k", 1ull << 40},
        {"1099511627777k", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t kib = 0;
        bool good = arg_size(cases[i].text, &kib);

        if (good != !!cases[i].kib || (good && kib != cases[i].kib))
            print_message("%s: %d %llu\n", cases[i].text, good, (unsigned long long)kib);
        assert_int_equal(good, !!cases[i].kib);
        assert_true(!good || kib == cases[i].kib);
    }
}

static void numbers(void **state)
{
    uint64_t n;

    (void)state;
    assert_true(arg_number("0", 0, &n));
    assert_true(arg_number("0010", 10, &n) && n == 10);
    assert_false(arg_number("11", 10, &n));
    assert_false(arg_number("", 10, &n));
    assert_false(arg_number("-1", UINT64_MAX, &n));
    assert_false(arg_number("1a", UINT64_MAX, &n));
    assert_false(arg_number("9999999999999999999999", UINT64_MAX, &n));
}

static void cpu_lists(void **state)
{
    static const struct {
        const char *text, *is; /* NULL: refused, on a machine with 8 CPUs */
    } cases[] = {
        {"0", "0"},
        {"0-3", "0-3"},
        {"0-3,^1", "0,2-3"},
        {"all", "all"},
        {"0-7", "all"},
        {"all,^7", "0-6"},
        {"1,3,5", "1,3,5"},
        {"3,2,1", "1-3"},
        {"0-7,^0-7", NULL},
        {"8", NULL},
        {"0-8", NULL},
        {"^0", NULL},
        {"", NULL},
        {",", NULL},
        {"0,", NULL},
        {"3-1", NULL},
        {"-", NULL},
        {"1-", NULL},
        {"a", NULL},
        {"0 1", NULL},
        {"all1", NULL},
        {"1023", NULL},
        {"1024", NULL},
        {"all,^0-7", NULL},
        {"99999999999", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct xc_cpus cpus;
        bool good = arg_cpus(cases[i].text, 8, &cpus);
        char *text = good ? cpus_text(&cpus, 8) : NULL;

        if (good != !!cases[i].is || (good && strcmp(text, cases[i].is) != 0))
            print_message("%s: %s\n", cases[i].text, good ? text : "refused");
        assert_int_equal(good, !!cases[i].is);
        assert_true(!good || strcmp(text, cases[i].is) == 0);
        free(text);
    }
}

/* ---- which domain ---- */

static void finds(void **state)
{
    (void)state;
    put("/local/domain/4/name", "2"); /* digits are an id */
    says("domid 2", 0, "2\n");
    says("domname 2", 0, "web\n");
    says("domid 002", 0, "2\n");
    says("domid web", 0, "2\n");
    says("domid we", 1, "socle: there is no domain we\n");
    says("domid Web", 1, "socle: there is no domain Web\n");
    says("domid web2", 1, "socle: there is no domain web2\n");
    says("domid 65538", 1, "socle: there is no domain 65538\n");
    says("domid 4294967298", 1, "socle: there is no domain 4294967298\n");
    says("domid 99999999999999999999999", 1, "socle: there is no domain 99999999999999999999999\n");
    says("uptime -s 2 nobody", 1, "socle: there is no domain nobody\n");
}

/* ---- memory ---- */

static void mem_set(void **state)
{
    (void)state;
    says("mem-set web 128", 0, "");
    node_is("/local/domain/2/memory/target", "131072");
    assert_int_equal(domains[1].max_pages, 129 * 256);
    says("mem-set 2 32m", 0, "");
    node_is("/local/domain/2/memory/target", "32768");
    assert_int_equal(domains[1].max_pages, 33 * 256);
    says("mem-set web 129", 1, "socle: web: 132096 KiB are more than its limit, 131072 KiB\n");
    says("mem-set web 0", 2, "socle: web: expected a size such as 512, 512m or 2g, not 0\n");
    says("mem-set web 5x", 2, "socle: web: expected a size such as 512, 512m or 2g, not 5x\n");
    says("mem-set nobody 5", 1, "socle: there is no domain nobody\n");
    domains[0].max_pages = UINT32_MAX;
    says("mem-set 0 127", 1, "socle: 0: the control domain needs 131072 KiB\n");
    node_is("/local/domain/2/memory/target", "32768");
    node_is("/local/domain/0/memory/target", NULL);
    assert_int_equal(domains[1].max_pages, 33 * 256);
}

/* Where no toolstack has said what the most is, the hypervisor's limit or its memory is. */
static void mem_set_unknown(void **state)
{
    (void)state;
    domains[2].max_pages = 1024;
    says("mem-set db 5", 1, "socle: db: 5120 KiB are more than its limit, 4096 KiB\n");
    domains[0].max_pages = UINT32_MAX;
    says("mem-set 0 1025", 1, "socle: 0: 1049600 KiB are more than its limit, 1048576 KiB\n");
    says("mem-set 0 512", 0, "");
    node_is("/local/domain/0/memory/target", "524288");
    assert_int_equal(domains[0].max_pages, UINT32_MAX);
    put("/local/domain/4/memory/static-max", "rubbish");
    says("mem-set db 4", 0, "");
}

static void mem_max(void **state)
{
    (void)state;
    says("mem-max web 100", 0, "");
    assert_int_equal(domains[1].max_pages, 101 * 256);
    node_is("/local/domain/2/memory/static-max", "102400");
    says("mem-set web 101", 1, "socle: web: 103424 KiB are more than its limit, 102400 KiB\n");
    says("mem-max web 63", 1, "socle: web: 64512 KiB are less than its target, 65536 KiB\n");
    says("mem-max web 1q", 2, "socle: web: expected a size such as 512, 512m or 2g, not 1q\n");
    node_is("/local/domain/2/memory/static-max", "102400");
}

/* A domain that no toolstack has made. */
static void no_nodes(void **state)
{
    static const char *const lines[] = {"mem-set 6 4", "mem-max 6 4", "vcpu-set 6 1", "shutdown 6",
                                        "sysrq 6 h"};

    (void)state;
    fake_nr_domains = 4;
    domains[3].max_pages = 1024;
    for (unsigned int i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        assert_int_equal(socle(lines[i]), 1);
        assert_non_null(strstr(said, ": the store has nothing of this domain\n"));
    }
    node_is("/local/domain/6/memory/target", NULL);
    node_is("/local/domain/6/control/shutdown", NULL);
}

/* A store that fails leaves the limit as it was. */
static void mem_set_fails(void **state)
{
    (void)state;
    fake_store_behave(FAKE_STORE_HANG_UP);
    assert_int_equal(socle("mem-set 2 64"), 1);
    assert_int_equal(domains[1].max_pages, 65 * 256);
    fake_store_behave(FAKE_STORE_CONFLICT);
    says("mem-set 2 65", 0, "");
    node_is("/local/domain/2/memory/target", "66560");
}

/* ---- vcpus ---- */

static void vcpu_set(void **state)
{
    (void)state;
    says("vcpu-set web 3", 0, "");
    node_is("/local/domain/2/cpu/0/availability", "online");
    node_is("/local/domain/2/cpu/2/availability", "online");
    node_is("/local/domain/2/cpu/3/availability", "offline");
    node_is("/local/domain/2/cpu/4/availability", NULL);
    says("vcpu-set web 5", 1, "socle: web: expected a number of vcpus from 1 to 4, not 5\n");
    says("vcpu-set web 0", 1, "socle: web: expected a number of vcpus from 1 to 4, not 0\n");
    says("vcpu-set web x", 1, "socle: web: expected a number of vcpus from 1 to 4, not x\n");
    domains[1].max_vcpu_id = 7; /* and the machine has 4 CPUs */
    says("vcpu-set web 5", 1,
         "socle: web: this machine has 4 CPUs; --ignore-host gives a domain more vcpus\n");
    says("vcpu-set -i web 5", 0, "");
    node_is("/local/domain/2/cpu/4/availability", "online");
}

static void vcpu_pin(void **state)
{
    (void)state;
    says("vcpu-pin web 0 0-1", 0, "");
    assert_int_equal(fake_hard, 3);
    assert_int_equal(fake_soft, 0);
    assert_false(fake_force);
    says("vcpu-pin --force web 1 - 2", 0, "");
    assert_int_equal(fake_hard, 3);
    assert_int_equal(fake_soft, 4);
    assert_true(fake_force);
    says("vcpu-pin web 2 all,^0 all", 0, "");
    assert_int_equal(fake_hard, 14);
    assert_int_equal(fake_soft, 15);
    says("vcpu-pin web 0 3", 1, "socle: web: vcpu 0: none of these CPUs is on line\n");
    says("vcpu-pin web 3 0", 1, "socle: web: vcpu 3: No such process\n");
    says("vcpu-pin web 4 0", 2, "socle: expected a vcpu from 0 to 3, or all, not 4\n");
    says("vcpu-pin web 0 4", 2,
         "socle: expected CPUs from 0 to 3 such as 0-3,^1, or all, or -, not 4\n");
    says("vcpu-pin web 0 0 x", 2,
         "socle: expected CPUs from 0 to 3 such as 0-3,^1, or all, or -, not x\n");
    domains[1].max_vcpu_id = 2;
    says("vcpu-pin web all 1", 0, "");
    assert_int_equal(fake_hard, 2);
}

static void vcpu_list(void **state)
{
    (void)state;
    assert_int_equal(socle("vcpu-list --json web"), 0);
    assert_non_null(strstr(said, "\"online\": false,\n    \"cpu_time_ns\": 2500000000,\n"));
    assert_non_null(strstr(said, "\"soft_affinity\": \"0,2-3\"\n"));
    assert_int_equal(socle("vcpu-list db web"), 0);
    assert_true(strstr(said, "\ndb ") < strstr(said, "\nweb "));
}

/* ---- shares ---- */

static void sched(void **state)
{
    (void)state;
    fake_nr_domains = 2;
    says("sched", 0,
         "Cpupool Pool-0: ratelimit=0us\n"
         "Name                                ID Weight  Cap\n"
         "Domain-0                             0    256    0\n"
         "web                                  2    256    0\n");
    says("sched web --weight 512", 0, "");
    says("sched -d web -c 50", 0, "");
    assert_int_equal(fake_weight, 512);
    assert_int_equal(fake_cap, 50);
    assert_int_equal(socle("sched --json web"), 0);
    assert_non_null(strstr(said, "\"scheduler\": \"credit2\",\n  \"ratelimit_us\": 0,"));
    assert_non_null(strstr(said, "\"domid\": 2,\n      \"weight\": 512,\n      \"cap\": 50\n"));
    says("sched -r 1000", 0, "");
    assert_int_equal(fake_ratelimit, 1000);
    says("sched web -w 0", 2, "socle: --weight: expected a number from 1 to 65535, not 0\n");
    says("sched web -w 65536", 2,
         "socle: --weight: expected a number from 1 to 65535, not 65536\n");
    says("sched web -w 300 -c 401", 2, "socle: --cap: expected a number from 0 to 400, not 401\n");
    says("sched -w 300", 2, "socle: expected a domain with --weight and --cap\n");
    says("sched -r 99", 2,
         "socle: --ratelimit: expected 0, or microseconds from 100 to 500000, not 99\n");
    says("sched nobody -w 1", 1, "socle: there is no domain nobody\n");
    assert_int_equal(fake_weight, 512);
    fake_scheduler = XEN_SCHEDULER_CREDIT;
    says("sched web -c 20", 0, "");
    assert_int_equal(fake_weight, 512);
    says("sched 2", 0,
         "Cpupool Pool-0: tslice=30ms ratelimit=1000us migration-delay=0us\n"
         "Name                                ID Weight  Cap\n"
         "web                                  2    512   20\n");
    fake_scheduler = XEN_SCHEDULER_NULL;
    says("sched", 1, "socle: the scheduler, null, knows no weights\n");
}

/* ---- pools of CPUs ---- */

#define POOLS "Name               CPUs   Sched     Active   Domain count\n"

static void pools(void **state)
{
    (void)state;
    says("cpupool-list", 0, POOLS "Pool-0               3   credit2       y          3\n");
    says("cpupool-create side 2-3", 1,
         "socle: CPU 2 is in Pool-0; socle cpupool-cpu-remove Pool-0 2 frees it\n");
    says("cpupool-create side 4", 2,
         "socle: expected CPUs from 0 to 3 such as 0-3,^1, or all, not 4\n");
    says("cpupool-create 17 3", 2, "socle: 17: expected " CONFIG_NAME_FORM "\n");
    says("cpupool-create Pool-0 3", 1, "socle: Pool-0: there is a pool of that name\n");
    fake_again = 3; /* somebody is still there */
    says("cpupool-cpu-remove Pool-0 1-2", 0, "");
    says("cpupool-cpu-remove Pool-0 0", 1, "socle: CPU 0 stays in Pool-0\n");
    says("cpupool-cpu-remove Pool-0 1", 1, "socle: CPU 1 is in no pool\n");
    says("cpupool-create side 2-3", 0, "");
    node_is("/local/pool/1/name", "side");
    says("cpupool-create side 1", 1, "socle: side: there is a pool of that name\n");
    says("cpupool-cpu-remove Pool-0 2", 1, "socle: CPU 2 is in side\n");
    says("cpupool-list side", 0, POOLS "side                 2   credit2       y          0\n");
    says("cpupool-list -c", 0,
         "Name               CPU list\nPool-0             0\nside               2-3\n");
    says("cpupool-list nowhere", 1, "socle: there is no pool nowhere\n");
    says("cpupool-migrate web side", 0, "");
    assert_int_equal(domains[1].cpupool, 1);
    says("cpupool-migrate 0 side", 1, "socle: 0: the control domain stays in Pool-0\n");
    says("cpupool-migrate web nowhere", 1, "socle: there is no pool nowhere\n");
    says("cpupool-migrate nobody side", 1, "socle: there is no domain nobody\n");
    says("cpupool-cpu-remove side all,^0-1", 1,
         "socle: side: CPU 3 is the last one, and there are domains\n");
    assert_int_equal(fake_pool_of[2], 1); /* as it was */
    says("cpupool-destroy side", 1, "socle: side: 1 domain is in it\n");
    says("cpupool-destroy Pool-0", 1, "socle: Pool-0 is always there\n");
    assert_int_equal(socle("cpupool-list --json"), 0);
    assert_non_null(strstr(said, "\"name\": \"side\",\n    \"id\": 1,\n    \"cpus\": \"2-3\",\n"
                                 "    \"scheduler\": \"credit2\",\n    \"domains\": 1\n"));
    assert_int_equal(socle("list -c web"), 0);
    assert_non_null(strstr(said, " side\n"));
    says("cpupool-migrate web Pool-0", 0, "");
    says("cpupool-cpu-add side 1", 0, "");
    says("cpupool-cpu-add Pool-0 1", 1,
         "socle: CPU 1 is in side; socle cpupool-cpu-remove side 1 frees it\n");
    says("cpupool-destroy side", 0, "");
    node_is("/local/pool/1/name", NULL);
    assert_int_equal(fake_pool_of[1], FAKE_NO_POOL);
    says("cpupool-migrate web side", 1, "socle: there is no pool side\n");
}

/* What the store does not take is not made. */
static void pools_without_a_store(void **state)
{
    (void)state;
    fake_store_behave(FAKE_STORE_HANG_UP);
    says("cpupool-create side 3", 1, "socle: store: Transport endpoint is not connected\n");
    fake_store_behave(FAKE_STORE_GOOD);
    assert_int_equal(fake_pool_of[3], FAKE_NO_POOL);
    says("cpupool-list", 0, POOLS "Pool-0               3   credit2       y          3\n");
}

/* ---- requests ---- */

static void shutdown_(void **state)
{
    (void)state;
    says("shutdown web -t 0", 1,
         "socle: web: no reaction for 0 seconds: it may be booting, or have no driver for "
         "requests\n");
    node_is("/local/domain/2/control/shutdown", "poweroff");
    put("/local/domain/2/control/feature-poweroff", "1");
    says("reboot --timeout 0 web", 1, "socle: web: no reaction for 0 seconds: it may be busy\n");
    node_is("/local/domain/2/control/shutdown", "reboot");
    domains[1].flags = XEN_DOMINF_paused;
    says("shutdown -t 0 web", 1, "socle: web: no reaction for 0 seconds: it is paused\n");
    fake_store_behave(FAKE_STORE_GUEST);
    says("shutdown web", 0, "");
    says("shutdown -a", 0, "");
    node_is("/local/domain/4/control/shutdown", "");
    node_is("/local/domain/0/control/shutdown", NULL);
    says("shutdown 0", 1,
         "socle: 0: the control domain is shut down by its own commands, such as poweroff\n");
    says("shutdown web 0", 1,
         "socle: 0: the control domain is shut down by its own commands, such as poweroff\n");
    says("shutdown web nobody", 1, "socle: there is no domain nobody\n");
    says("shutdown -t x web", 2, "socle: --timeout: expected seconds, not x\n");
    domains[1].flags = XEN_DOMINF_shutdown;
    says("reboot web", 1, "socle: web: has ended already\n");
    assert_int_equal(socle("shutdown"), 2);
    assert_int_equal(socle("shutdown -a web"), 2);
}

/* It is looked at once to find it, and then once a second. */
static void waits(void **state)
{
    (void)state;
    fake_store_behave(FAKE_STORE_GUEST);
    fake_end_after = 3;
    says("shutdown -w web", 0, "");
    assert_true(domains[1].flags & XEN_DOMINF_shutdown);
    domains[1].flags = 0;
    fake_end_after = 2;
    fake_end_reason = SHUTDOWN_crash;
    says("shutdown -w web", 1, "socle: web: has crashed\n");
    domains[1].flags = 0;
    fake_gone_after = 2;
    says("reboot --wait web", 0, "");
    fake_nr_domains = 3;
    domains[1].flags = XEN_DOMINF_paused;
    write_file("k", "");
    write_file("2.json", WEB_CONFIG); /* somebody will take it away, then */
    fake_end_after = 2;
    fake_gone_after = 3;
    fake_end_reason = SHUTDOWN_poweroff;
    says("shutdown -w web", 0, "");
    assert_int_equal(fake_nr_domains, 1);
    remove_file("2.json");
    remove_file("k");
}

static void sysrq(void **state)
{
    (void)state;
    says("sysrq web h -t 0", 1,
         "socle: web: no reaction for 0 seconds: it may be booting, or have no driver for "
         "requests\n");
    node_is("/local/domain/2/control/sysrq", "h");
    fake_store_behave(FAKE_STORE_GUEST);
    says("sysrq web s", 0, "");
    says("sysrq web hh", 2, "socle: expected one letter, not hh\n");
    says("sysrq 0 h", 1, "socle: 0: the control domain has /proc/sysrq-trigger\n");
}

static void trigger(void **state)
{
    (void)state;
    fake_trigger = 99;
    says("trigger web nmi 2", 0, "");
    assert_int_equal(fake_trigger, XEN_DOMCTL_SENDTRIGGER_NMI);
    assert_int_equal(fake_trigger_vcpu, 2);
    says("trigger web reset", 1, "socle: web: a paravirtual domain has no reset\n");
    says("trigger web explode", 2,
         "socle: expected nmi, reset, init, power or sleep, not explode\n");
    says("trigger web nmi 4", 2, "socle: expected a vcpu from 0 to 3, not 4\n");
}

/* ---- names, times ---- */

static void rename_(void **state)
{
    (void)state;
    says("rename web shop", 0, "");
    node_is("/local/domain/2/name", "shop");
    node_is("/vm/00000000-0000-0000-0000-000000000001/name", "shop");
    says("rename shop db", 1, "socle: db: that is the name of domain 4\n");
    says("rename shop Domain-0", 1, "socle: Domain-0: that is the name of domain 0\n");
    says("rename shop 12", 2,
         "socle: 12: expected 1 to 63 letters, digits and _.+:-, first a letter or digit, and not "
         "only digits\n");
    assert_int_equal(socle("rename shop a/b"), 2);
    says("rename 0 x", 1, "socle: 0: the control domain keeps its name\n");
    fake_store_behave(FAKE_STORE_CONFLICT);
    says("rename shop third", 0, "");
    node_is("/local/domain/2/name", "third");
}

static void uptime(void **state)
{
    char then[32];

    (void)state;
    sprintf(then, "%lld.25", (long long)time(NULL) - 90061);
    put("/vm/00000000-0000-0000-0000-000000000001/start_time", then);
    put("/vm/00000000-0000-0000-0000-000000000002/start_time", "soon");
    assert_int_equal(socle("uptime web db"), 0);
    assert_non_null(strstr(said, "\nweb                                  2 1 day,  1:0"));
    assert_non_null(strstr(said, "\ndb                                   4 unknown\n"));
    assert_int_equal(socle("uptime --short web"), 0);
    assert_non_null(strstr(said, " up 1 day,  1:0"));
    assert_int_equal(socle("uptime --json web"), 0);
    assert_non_null(strstr(said, "\"uptime\": 90"));
    assert_int_equal(socle("uptime --json 0"), 0);
    assert_non_null(strstr(said, "\"start_time\": "));
}

static void dominfo(void **state)
{
    (void)state;
    domains[1].flags = XEN_DOMINF_shutdown | SHUTDOWN_crash << XEN_DOMINF_shutdownshift;
    assert_int_equal(socle("dominfo web"), 0);
    assert_non_null(strstr(said, "doing          : crashed\n"));
    assert_non_null(strstr(said, "memory_target  : 64\n"));
    says("dominfo web uuid", 0, "00000000-0000-0000-0000-000000000001\n");
    says("dominfo web maxvcpus", 0, "4\n");
    says("dominfo web colour", 1, "socle: there is no row colour\n");
    assert_int_equal(socle("dominfo --json 0"), 0);
    assert_non_null(strstr(said, "\"name\": \"Domain-0\",\n"));
}

static void info(void **state)
{
    (void)state;
    says("info total_memory", 0, "1024\n");
    says("info free_cpus", 0, "1\n");
    says("info xen_version", 0, "4.17\n");
    says("info cpu_mhz", 0, "2500.500\n");
    says("info nonsense", 1, "socle: there is no row nonsense\n");
    assert_int_equal(socle("info --json"), 0);
    assert_non_null(strstr(said, "\"cpu_mhz\": 2500.500,\n"));
    assert_non_null(strstr(said, "\"xend_config_format\": 4\n}\n"));
}

/* ---- what lasts ---- */

static void remembers(void **state)
{
    (void)state;
    write_file("k", "");
    write_file("2.json", WEB_CONFIG);
    says("mem-max web 100", 0, "");
    says("mem-set web 99", 0, "");
    says("vcpu-set web 3", 0, "");
    says("sched web -w 99", 0, "");
    says("sched web -c 30", 0, "");
    domains[1].max_vcpu_id = 2;
    says("vcpu-pin web all 0,2", 0, "");
    says("vcpu-pin web 1 1", 0, "");
    says("rename web shop", 0, "");
    assert_int_equal(socle("list --long shop"), 0);
    assert_non_null(strstr(said, "\"cpus\": [\n        \"0,2\",\n        \"1\",\n        "
                                 "\"0,2\",\n        \"0,2\"\n      ],\n"));
    assert_non_null(strstr(said, "\"domid\": 2,\n    \"config\": {\n      \"name\": \"shop\",\n"));
    assert_non_null(strstr(said, "\"memory\": 99,\n      \"maxmem\": 100,\n      \"vcpus\": 3,\n"));
    assert_non_null(strstr(said, "\"weight\": 99,\n      \"cap\": 30\n"));
    says("vcpu-pin shop all all", 0, "");
    assert_int_equal(socle("list --long shop"), 0);
    assert_null(strstr(said, "\"cpus\""));
    says("vcpu-pin shop 0 0", 0, "");
    assert_int_equal(socle("list --long shop"), 0);
    assert_non_null(strstr(said, "\"cpus\": [\n        \"0\",\n        \"all\",\n"));
    says("vcpu-pin shop all 1", 0, "");
    assert_int_equal(socle("list --long shop"), 0);
    assert_non_null(strstr(said, "\"cpus\": \"1\",\n"));
    write_file("2.json", "{\"name\": 1}");
    assert_int_equal(socle("rename shop web"), 0);
    assert_non_null(strstr(said, "socle: not remembered: "));
    says("domid web", 0, "2\n");
    remove_file("2.json");
    remove_file("k");
    assert_int_equal(socle("list --long web"), 0);
    assert_non_null(strstr(said, "\"name\": \"web\",\n"));
    remove_file("lock");
    assert_int_equal(rmdir(run_dir), 0); /* no locks of domains, nor anything else */
    assert_int_equal(mkdir(run_dir, 0700), 0);
}

/* ---- the store ---- */

static unsigned int heard;

static void hear(const char *token)
{
    assert_string_equal(token, "t");
    heard++;
}

/* What comes between answers is told, wherever it is found. */
static void events(void **state)
{
    struct xs_changes changes = {0};

    (void)state;
    heard = 0;
    xs_on_event = hear;
    xs_lost();
    fake_store_behave(FAKE_STORE_EVENT);
    assert_int_equal(xs_subscribe("/x", "t"), 0);
    assert_int_equal(heard, 1);
    free(xs_get("/local/domain/2/name"));
    assert_int_equal(heard, 2);
    assert_int_equal(xs_unsubscribe("/x", "t"), 0);
    assert_true(xs_events());
    assert_true(xs_fd() >= 0);
    assert_int_equal(heard, 3);
    xs_expect(&changes, "/local/domain/2/name");
    xs_put(&changes, "/y", "1");
    assert_int_equal(xs_change(&changes), 0);
    assert_int_equal(heard, 7);
    xs_expect(&changes, "/none");
    xs_put(&changes, "/y", "2");
    assert_int_equal(xs_change(&changes), -ENOENT);
    assert_false(xs_lost());
    fake_store_behave(FAKE_STORE_HANG_UP);
    free(xs_get("/x"));
    assert_true(xs_lost());
    assert_false(xs_lost());
    assert_int_equal(xs_fd(), -1);
    xs_on_event = NULL;
}

static void store(void **state)
{
    enum { MANY = 200 };
    static char paths[MANY][32], texts[MANY][32];
    const char *at[MANY];
    char *value[MANY], *names;
    struct xs_pair pairs[MANY];

    (void)state;
    for (unsigned int i = 0; i < MANY; i++) {
        sprintf(paths[i], "/many/%u", i);
        sprintf(texts[i], "value %u", i);
        at[i] = paths[i];
        pairs[i] = (struct xs_pair){paths[i], texts[i]};
    }
    assert_int_equal(xs_put_all(pairs, MANY), 0);
    for (int mood = FAKE_STORE_GOOD; mood <= FAKE_STORE_EVENT; mood += FAKE_STORE_EVENT) {
        fake_store_behave(mood);
        at[100] = "/none";
        assert_int_equal(xs_get_all(at, MANY, value), 0);
        for (unsigned int i = 0; i < MANY; i++) {
            assert_true(i == 100 ? !value[i] : strcmp(value[i], texts[i]) == 0);
            free(value[i]);
        }
    }
    at[0] = "/many";
    assert_int_equal(xs_list_all(at, 1, &names), 0);
    assert_string_equal(names, "0");
    assert_string_equal(names + 2, "1");
    free(names);
    pairs[100].path = "/denied";
    assert_int_equal(xs_put_all(pairs, MANY), -EACCES);
    fake_store_behave(FAKE_STORE_HUGE);
    assert_int_equal(xs_get_all(at, 2, value), -ENOTCONN);
    fake_store_behave(FAKE_STORE_HANG_UP);
    assert_int_equal(xs_get_all(at, 2, value), -ENOTCONN);
    assert_null(value[0]);
    fake_store_behave(FAKE_STORE_GOOD);
    free(xs_get("/x"));
    node_is("/many/0", "value 0");
}

int main(void)
{
#define WITH_STORE(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes),
        cmocka_unit_test(numbers),
        cmocka_unit_test(cpu_lists),
        WITH_STORE(finds),
        WITH_STORE(mem_set),
        WITH_STORE(mem_set_unknown),
        WITH_STORE(mem_max),
        WITH_STORE(mem_set_fails),
        WITH_STORE(vcpu_set),
        WITH_STORE(vcpu_pin),
        WITH_STORE(vcpu_list),
        WITH_STORE(sched),
        WITH_STORE(shutdown_),
        WITH_STORE(sysrq),
        WITH_STORE(trigger),
        WITH_STORE(rename_),
        WITH_STORE(uptime),
        WITH_STORE(dominfo),
        WITH_STORE(info),
        WITH_STORE(store),
        WITH_STORE(remembers),
        WITH_STORE(no_nodes),
        WITH_STORE(waits),
        WITH_STORE(pools),
        WITH_STORE(pools_without_a_store),
        WITH_STORE(events),
    };

    int failed;

    if (!mkdtemp(run_dir))
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink_file("lock");
    rmdir(run_dir);
    return failed;
}

/* SPDX-License-Identifier: MIT */
/* socle top: counters of back ends, loads between two looks, the table, the screen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#undef fail /* the tools have one, too */

#include "commands_kit.h"

#include "dom0-tools/socle/top.h"

#include <pty.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* ---- counters ---- */

static char sys[] = "/tmp/socle-sys-XXXXXX";

static void put(const char *path, const char *text)
{
    char whole[256];
    FILE *f;

    snprintf(whole, sizeof(whole), "%s/bus/xen-backend/devices/%s", sys, path);
    for (char *c = whole + sizeof(sys); (c = strchr(c, '/')); c++) {
        *c = 0;
        mkdir(whole, 0755);
        *c = '/';
    }
    f = fopen(whole, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void counts(void **state)
{
    struct counters *c, sum;
    char command[64];
    unsigned int nr;

    (void)state;
    assert_non_null(mkdtemp(sys));
    c = counters_read(sys, &nr);
    assert_int_equal(nr, 0);
    put("vbd-2-51728/statistics/wr_req", "7\n");
    put("vbd-2-51712/statistics/rd_req", "1000\n");
    put("vbd-2-51712/statistics/oo_req", "3\n");
    put("vbd-2-51712/statistics/rd_sect", "18446744073709551615\n");
    put("vbd-2-51712/statistics/wr_sect", "rubbish\n");
    put("vif-2-0/net/web0/statistics/rx_bytes", "2048\n");
    put("vif-2-0/net/web0/statistics/tx_bytes", "4096\n");
    put("vif-2-0/net/web0/statistics/rx_packets", "2\n");
    put("vif-2-1/state", "4\n"); /* has no interface yet */
    put("vif-10-0/net/a/statistics/rx_bytes", "5\n");
    put("vkbd-2-0/state", "1\n");
    put("vif-2/state", "1\n");
    put("vif-2-0-1/state", "1\n");
    put("vbd-99999-1/state", "1\n");
    put("vbd--1-1/state", "1\n");
    c = counters_read(sys, &nr);
    assert_int_equal(nr, 5);
    assert_true(!c[0].disk && c[0].id == 2 && c[0].device == 0);
    assert_true(c[2].disk && c[2].id == 2 && c[2].device == 51712);
    assert_int_equal(c[4].id, 10);
    sum = counters_sum(c, nr, 2, true);
    assert_int_equal(sum.device, 2);
    assert_int_equal(sum.reads, 1000);
    assert_int_equal(sum.writes, 7);
    assert_int_equal(sum.waited, 3);
    assert_true(sum.sectors_read == UINT64_MAX && sum.sectors_written == 0);
    sum = counters_sum(c, nr, 2, false);
    assert_int_equal(sum.device, 2);
    assert_true(sum.sent == 2048 && sum.received == 4096 && sum.packets_sent == 2);
    assert_int_equal(counters_sum(c, nr, 3, true).device, 0);
    free(c);
    snprintf(command, sizeof(command), "rm -r %s", sys);
    assert_int_equal(system(command), 0);
}

/* ---- the table ---- */

static struct look look_of(double at, char **names, struct counters *devices, unsigned int nr)
{
    struct look l = {.at = at, .d = domains, .nr = 3, .name = names};

    l.machine.total_pages = 1024 * 256;
    l.devices = devices;
    l.nr_devices = nr;
    return l;
}

static void loads(void **state)
{
    struct xen_domctl_getdomaininfo then[3];
    char *names[] = {"Domain-0", "web", "db"};
    struct look before = look_of(10, names, NULL, 0), now = look_of(14, names, NULL, 0);

    (void)state;
    memcpy(then, domains, sizeof(then));
    before.d = then;
    domains[0].cpu_time = 6000000000;
    domains[1].cpu_time = 1000000000;
    assert_true(look_load(&now, &before, 0) == 150);
    assert_true(look_load(&now, &before, 1) == 25);
    assert_true(look_load(&now, NULL, 0) == 0);
    then[1].handle[0] = 1; /* another one with the same id */
    assert_true(look_load(&now, &before, 1) == 0);
    then[0].cpu_time = 7000000000;
    assert_true(look_load(&now, &before, 0) == 0);
    before.nr = 0;
    assert_true(look_load(&now, &before, 0) == 0);
    before.nr = 3;
    before.at = 14;
    assert_true(look_load(&now, &before, 2) == 0);
}

static char *table(const struct look *l, const struct look *before, const struct top_shape *shape)
{
    static char copy[4096];
    struct bytes text = {0};

    top_table(&text, l, before, shape);
    snprintf(copy, sizeof(copy), "%.*s", (int)text.len, (char *)text.data);
    bytes_free(&text);
    return copy;
}

#define HEADING                                                                                    \
    "      NAME  STATE   CPU(sec) CPU(%)     MEM(k) MEM(%)  MAXMEM(k) MAXMEM(%) VCPUS NETS "       \
    "NETTX(k) NETRX(k) VBDS   VBD_OO   VBD_RD   VBD_WR  VBD_RSECT  VBD_WSECT SSID\n"

static void tables(void **state)
{
    struct counters devices[] = {
        {.id = 2, .device = 0, .sent = 2048, .received = 10240, .packets_sent = 3},
        {.id = 2, .disk = true, .device = 51712, .reads = 5, .writes = 6, .sectors_read = 7},
    };
    char *names[] = {"Domain-0", "a-name-of-many-letters", "db"};
    struct look l = look_of(0, names, devices, 2);
    struct top_shape shape = {0};

    (void)state;
    domains[0].flags = XEN_DOMINF_running;
    domains[0].max_pages = UINT32_MAX;
    domains[1].flags = XEN_DOMINF_blocked;
    domains[1].cpu_time = 12999999999;
    domains[1].max_pages = 1024 * 64;
    domains[2].flags = XEN_DOMINF_shutdown | 3 << XEN_DOMINF_shutdownshift | XEN_DOMINF_paused;
    assert_string_equal(
        table(&l, NULL, &shape), HEADING
        "  Domain-0 -----r          0    0.0       1024    0.1   no limit       n/a     4    0"
        "        0        0    0        0        0        0          0          0    0\n"
        "a-name-of- --b---         12    0.0       2048    0.2     262144      25.0     4    1"
        "        2       10    1        0        5        6          7          0    0\n"
        "        db ---cp-          0    0.0       3072    0.3          0       0.0     4    0"
        "        0        0    0        0        0        0          0          0    0\n");
    shape = (struct top_shape){.networks = true, .disks = true, .vcpus = true, .full_names = true};
    shape.order = TOP_BY_MEMORY;
    assert_non_null(strstr(table(&l, NULL, &shape), "\na-name-of-many-letters --b---"));
    assert_true(strstr(table(&l, NULL, &shape), " db ") <
                strstr(table(&l, NULL, &shape), " Domain-0 "));
    assert_non_null(
        strstr(table(&l, NULL, &shape), "\nVBD BlkBack 51712  OO:        0   RD:        5 "));
    assert_non_null(strstr(table(&l, NULL, &shape), "\nNet0 RX:        10240bytes"));
    assert_non_null(
        strstr(table(&l, NULL, &shape), "\nVCPUs(sec):  0:          0s  1:          1s\n"));
    shape.order = TOP_BY_NAME;
    assert_true(strstr(table(&l, NULL, &shape), "many") >
                strstr(table(&l, NULL, &shape), "Domain-0"));
    l.nr = 0;
    assert_string_equal(table(&l, NULL, &shape), HEADING);
}

/* ---- the command ---- */

static void batch(void **state)
{
    (void)state;
    assert_int_equal(socle("top -b -i 1"), 0);
    assert_memory_equal(said, HEADING, strlen(HEADING));
    assert_int_equal(socle("top --json -i 1"), 0);
    assert_non_null(strstr(said, "\"cpu_percent\": 0.0,\n"));
    assert_int_equal(socle("top -i 1"), 1);
    assert_string_equal(said, "socle: this is no terminal; --batch needs none\n");
    assert_int_equal(socle("top -b -d 0"), 2);
    assert_string_equal(said, "socle: --delay: expected a number from 1 on, not 0\n");
    assert_int_equal(socle("top -b -i x"), 2);
    assert_int_equal(socle("top web"), 2);
    fake_hypervisor = false;
    assert_int_equal(socle("top -b"), 1);
    assert_string_equal(said, "socle: no way to the hypervisor: No such device\n");
}

/* What it writes to a terminal of that kind where somebody types these keys; its exit status. */
static int on_terminal(const char *kind, const char *keys)
{
    struct winsize size = {.ws_row = 24, .ws_col = 80};
    char *argv[] = {"socle", "top", "-d", "1000", NULL};
    size_t len = 0;
    int fd, status;
    pid_t pid = forkpty(&fd, NULL, NULL, &size);
    ssize_t got;

    if (pid == 0) {
        setenv("TERM", kind, 1);
        _exit(command_run(4, argv));
    }
    assert_int_equal(write(fd, keys, strlen(keys)), strlen(keys));
    while (len < sizeof(said) - 1 && (got = read(fd, said + len, sizeof(said) - 1 - len)) > 0)
        len += got;
    said[len] = 0;
    close(fd);
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void screen(void **state)
{
    (void)state;
    assert_int_equal(on_terminal("vt100", "ssnxvfq"), 0);
    assert_non_null(strstr(said, "3 domains: 0 running"));
    assert_non_null(strstr(said, "CPU(sec)"));
    assert_non_null(strstr(said, "Domain-0"));
    assert_int_equal(on_terminal("no-such-terminal", ""), 1);
    assert_non_null(strstr(said, "socle: terminals of the kind no-such-terminal are unknown here; "
                                 "--batch needs none"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts),
        cmocka_unit_test_setup(loads, start),
        cmocka_unit_test_setup(tables, start),
        cmocka_unit_test_setup(batch, start),
        cmocka_unit_test_setup(screen, start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

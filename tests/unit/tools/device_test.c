/* SPDX-License-Identifier: MIT */
/* Disks and cards in the store: what is written and for whom, what is refused, what back ends say, and that
 * nothing is left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fake_device.h"
#include "fake_xs.h"

#include "dom0-tools/libsocle/device_nodes.h"
#include "dom0-tools/libsocle/stop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACK  "/local/domain/0/backend/"
#define FRONT "/local/domain/3/device/"

static struct xs_handle *xs;
static struct config_disk disks[3];
static struct config_nic nics[3];
static struct domain_config config;
static struct error err;
static unsigned int descriptors, countdown;

#define node_is(path, value) assert_string_equal(fake_xs_get(path), value)
#define no_node(path)        assert_null(fake_xs_get(path))
#define fails(call, rc, message)                                                                   \
    (assert_int_equal(call, rc), assert_string_equal(err.text, message))

static unsigned int open_descriptors(void)
{
    unsigned int n = 0;

    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static void put(const char *path, const char *value)
{
    assert_true(xs_write(xs, XBT_NULL, path, value, strlen(value)));
}

static int start(void **state)
{
    (void)state;
    fake_xs_reset();
    fake_kernel_reset();
    xs = xs_open(0);
    put("/local/domain/0/name", "Domain-0");
    put("/local/domain/2/name", "other");
    put("/local/domain/3/name", "web");
    disks[0] = (struct config_disk){.path = "/img", .vdev = "xvda", .devid = 51712};
    disks[1] =
        (struct config_disk){.path = "/cd", .vdev = "xvdb", .devid = 51728, .readonly = true};
    nics[0] = (struct config_nic){.mac = {0, 0x16, 0x3e, 0, 0, 1}, .has_mac = true};
    nics[1] = (struct config_nic){.bridge = "br9",
                                  .ifname = "web",
                                  .ip = "10.0.0.7",
                                  .rate = "1MB/s",
                                  .rate_bytes = 50000,
                                  .rate_usecs = 50000};
    config = (struct domain_config){.disks = disks,
                                    .nr_disks = 2,
                                    .nics = nics,
                                    .nr_nics = 2,
                                    .uuid = {1, 2, 3},
                                    .has_uuid = true};
    err.text[0] = 0;
    descriptors = open_descriptors();
    return 0;
}

static int stop(void **state)
{
    (void)state;
    device_let_go(3);
    assert_int_equal(open_descriptors(), descriptors);
    xs_close(xs);
    fake_xs_reset();
    return 0;
}

static int add(void)
{
    return devices_add(xs, 3, &config, &err);
}

static bool fail_once(void)
{
    return countdown && --countdown == 0;
}

/* ---- adding ---- */

static void a_disk_has_its_nodes(void **state)
{
    (void)state;
    assert_int_equal(add(), 0);
    node_is(BACK "vbd/3/51712/frontend", FRONT "vbd/51712");
    node_is(BACK "vbd/3/51712/frontend-id", "3");
    node_is(BACK "vbd/3/51712/state", "1");
    node_is(BACK "vbd/3/51712/online", "1");
    node_is(BACK "vbd/3/51712/mode", "w");
    node_is(BACK "vbd/3/51712/dev", "xvda");
    node_is(BACK "vbd/3/51712/params", "/img");
    node_is(BACK "vbd/3/51712/physical-device", "7:1");
    node_is(BACK "vbd/3/51712/hotplug-status", "connected");
    node_is(BACK "vbd/3/51728/mode", "r");
    node_is(BACK "vbd/3/51728/physical-device", "7:2");
    node_is(FRONT "vbd/51712/backend", BACK "vbd/3/51712");
    node_is(FRONT "vbd/51712/backend-id", "0");
    node_is(FRONT "vbd/51712/state", "1");
    node_is(FRONT "vbd/51712/virtual-device", "51712");
    no_node(BACK "vbd/3/51712/script");
    assert_int_equal(open_descriptors(), descriptors + 2);
    device_let_go(2); /* not ours */
    assert_int_equal(open_descriptors(), descriptors + 2);
}

static void a_card_has_its_nodes(void **state)
{
    (void)state;
    assert_int_equal(add(), 0);
    node_is(BACK "vif/3/0/mac", "00:16:3e:00:00:01");
    node_is(BACK "vif/3/0/bridge", "xenbr0");
    node_is(BACK "vif/3/0/script", "");
    node_is(BACK "vif/3/0/handle", "0");
    no_node(BACK "vif/3/0/rate");
    node_is(BACK "vif/3/1/bridge", "br9");
    node_is(BACK "vif/3/1/vifname", "web");
    node_is(BACK "vif/3/1/ip", "10.0.0.7");
    node_is(BACK "vif/3/1/rate", "50000,50000");
    node_is(FRONT "vif/1/handle", "1");
    assert_string_equal(fake_xs_get(FRONT "vif/1/mac"), fake_xs_get(BACK "vif/3/1/mac"));
}

static void check_owner(const char *path, unsigned int owner, unsigned int reader)
{
    unsigned int nr;
    struct xs_permissions *p = xs_get_permissions(xs, XBT_NULL, path, &nr);

    assert_int_equal(nr, 2);
    assert_int_equal(p[0].id, owner);
    assert_int_equal(p[0].perms, XS_PERM_NONE);
    assert_int_equal(p[1].id, reader);
    assert_int_equal(p[1].perms, XS_PERM_READ);
    free(p);
}

static void directories_have_owners(void **state)
{
    (void)state;
    assert_int_equal(add(), 0);
    check_owner(BACK "vbd/3/51712", 0, 3);
    check_owner(BACK "vif/3/0", 0, 3);
    check_owner(FRONT "vbd/51712", 3, 0);
    check_owner(FRONT "vif/0", 3, 0);
}

static void addresses_are_made_of_the_uuid(void **state)
{
    uint8_t a[6], b[6], c[6];

    (void)state;
    device_mac(&config, 0, 5, a);
    assert_memory_equal(a, nics[0].mac, 6);
    device_mac(&config, 1, 0, a);
    device_mac(&config, 1, 0, b);
    assert_memory_equal(a, b, 6);
    device_mac(&config, 1, 1, c);
    assert_memory_not_equal(a, c, 6);
    config.uuid[15]++;
    device_mac(&config, 1, 0, c);
    assert_memory_not_equal(a, c, 6);
    for (unsigned int i = 0; i < 256; i++) {
        device_mac(&config, 1, i, a);
        assert_memory_equal(a, "\0\x16\x3e", 3);
        assert_in_range(a[3], 0, 0x7f);
    }
}

static void an_address_that_is_taken(void **state)
{
    unsigned int before = fake_xs_count() + 3;
    char text[32];
    uint8_t mac[6];

    (void)state;
    device_mac(&config, 1, 0, mac);
    snprintf(text, sizeof(text), "00:16:3e:%02x:%02x:%02x", mac[3], mac[4], mac[5]);
    put(BACK "vif/2/0/mac", text);
    assert_int_equal(add(), 0);
    assert_string_not_equal(fake_xs_get(BACK "vif/3/1/mac"), text);
    assert_int_equal(devices_remove(xs, 3, &err), 0);
    before = fake_xs_count();
    put(BACK "vif/2/0/mac", "00:16:3e:00:00:01");
    fails(add(), -EEXIST, "nic 0: the address 00:16:3e:00:00:01 is that of domain 2 (other)");
    assert_int_equal(fake_xs_count(), before);
}

static void a_disk_that_is_in_use(void **state)
{
    struct stat st;
    char number[32];

    (void)state;
    put(BACK "vbd/2/51712/params", "/img");
    put(BACK "vbd/2/51712/mode", "w");
    fake_kernel.loop_error = -EBUSY;
    fails(add(), -EBUSY, "disk xvda: /img is in use by domain 2 (other)");
    put(BACK "vbd/2/51712/params", "/elsewhere");
    fails(add(), -EBUSY, "disk xvda: /img is in use"); /* by somebody else than a domain */
    fake_kernel.loop_error = 0;
    assert_int_equal(stat("/dev/null", &st), 0); /* passes for a block device */
    disks[1] = (struct config_disk){
        .path = "/dev/null", .vdev = "sda", .devid = 2048, .block = true, .readonly = true};
    snprintf(number, sizeof(number), "%x:%x", 1, 3);
    put(BACK "vbd/2/51712/physical-device", number);
    fails(add(), -EBUSY, "disk sda: /dev/null is in use by domain 2 (other)");
    put(BACK "vbd/2/51712/mode", "r");
    assert_int_equal(add(), 0);
    node_is(BACK "vbd/3/2048/physical-device", "1:3");
    node_is(BACK "vbd/3/2048/type", "phy");
}

static void one_disk_twice(void **state)
{
    (void)state;
    disks[0] =
        (struct config_disk){.path = "/dev/null", .vdev = "sda", .devid = 2048, .block = true};
    disks[1] = disks[0];
    disks[1].devid++;
    fails(add(), -EBUSY, "disk sda: /dev/null is in use by domain 3 (web)");
}

static void without_a_back_end(void **state)
{
    (void)state;
    fake_kernel.no_cards = true;
    fails(add(), -ENODEV,
          "nic 0: the kernel has no back end for network cards (module xen-netback)");
    config.nr_nics = 0;
    assert_int_equal(add(), 0);
    device_let_go(3);
    fake_kernel.no_disks = true;
    fails(add(), -ENODEV, "disk xvda: the kernel has no back end for disks (module xen-blkback)");
    config.nr_disks = 0;
    assert_int_equal(add(), 0);
}

static void a_name_that_is_taken(void **state)
{
    (void)state;
    strcat(fake_kernel.nets, "web ");
    fails(add(), -EEXIST, "nic 1: there is an interface web already");
}

/* Whatever request fails: all or nothing. */
static void the_store_fails(void **state)
{
    unsigned int before;

    (void)state;
    put("/local/domain/3/device/vbd", "");
    put("/local/domain/3/device/vif", "");
    before = fake_xs_count();
    fake_xs_fail = fail_once;
    for (unsigned int i = 1;; i++) {
        int rc;

        countdown = i;
        rc = add();
        if (rc == 0 && countdown)
            break;
        if (rc) {
            assert_true(err.text[0]);
            assert_int_equal(fake_xs_count(), before);
            assert_int_equal(open_descriptors(), descriptors);
        }
        countdown = 0;
        devices_remove(xs, 3, NULL);
        assert_int_equal(fake_xs_count(), before);
    }
}

static void others_come_between(void **state)
{
    (void)state;
    fake_conflicts = 5;
    assert_int_equal(add(), 0);
    assert_int_equal(fake_kernel.loops, 2);
    node_is(BACK "vif/3/1/vifname", "web");
}

/* ---- waiting ---- */

static void wait_state(const char *device, const char *state)
{
    char path[128];

    snprintf(path, sizeof(path), BACK "%s/state", device);
    put(path, state);
}

static void all_wait(void)
{
    wait_state("vbd/3/51712", "2");
    wait_state("vbd/3/51728", "2");
    wait_state("vif/3/0", "2");
    wait_state("vif/3/1", "2");
}

static void back_ends_get_ready(void **state)
{
    (void)state;
    strcat(fake_kernel.nets, "br9 ");
    put("/local/domain/0/error/backend/vif/3/0/error", "22 of a former domain");
    assert_int_equal(add(), 0);
    all_wait();
    assert_int_equal(devices_wait(xs, 3, 10, &err), 0);
    assert_string_equal(
        fake_kernel.did,
        "network filter vif3.0 00:16:3e:00:00:01;join xenbr0 vif3.0;up vif3.0;"
        "rename vif3.1 web;network filter web 00:16:3e:7c:00:f9 10.0.0.7;join br9 web;up web;");
    assert_int_equal(open_descriptors(), descriptors);
}

static void a_card_is_connected(void **state)
{
    (void)state;
    nics[1].bridge = "jumbobr";
    strcat(fake_kernel.nets, "jumbobr ");
    assert_int_equal(add(), 0);
    all_wait();
    put(BACK "vif/3/1/hotplug-status", "");
    strcpy(fake_kernel.nets, "xenbr0 jumbobr vif3.0 web "); /* renamed before */
    assert_int_equal(devices_wait(xs, 3, 10, &err), 0);
    assert_string_equal(
        fake_kernel.did,
        "network filter vif3.0 00:16:3e:00:00:01;join xenbr0 vif3.0;up vif3.0;"
        "network filter web 00:16:3e:7c:00:f9 10.0.0.7;mtu web 9000;join jumbobr web;up web;");
    node_is(BACK "vif/3/1/hotplug-status", "connected");
    assert_int_equal(devices_wait(xs, 3, 10, &err), 0);
}

static void a_back_end_reports(void **state)
{
    (void)state;
    assert_int_equal(add(), 0);
    all_wait();
    put("/local/domain/0/error/backend/vbd/3/51728/error", "2 creating vbd structure");
    fails(devices_wait(xs, 3, 10, &err), -EIO,
          "disk xvdb: the back end failed: 2 creating vbd structure");
    assert_int_equal(open_descriptors(), descriptors);
    assert_int_equal(xs_rm(xs, XBT_NULL, "/local/domain/0/error"), true);
    wait_state("vif/3/0", "5");
    fails(devices_wait(xs, 3, 10, &err), -EIO, "nic 0: the back end failed: it closed");
}

static void a_back_end_is_silent(void **state)
{
    (void)state;
    assert_int_equal(add(), 0);
    fake_kernel.not_serving = true;
    fails(devices_wait(xs, 3, 10, &err), -ETIMEDOUT,
          "disk xvda: the back end is not ready after 10 s (state 1)");
    assert_in_range(fake_kernel.seconds, 11, 13);
}

static void no_bridge(void **state)
{
    (void)state;
    nics[0].bridge = "vif3.1";
    nics[0].any_mac = true;
    fake_kernel.no_network = true;
    assert_int_equal(add(), 0);
    all_wait();
    fails(devices_wait(xs, 3, 10, &err), -ENODEV, "nic 0: vif3.1 is no bridge");
    put(BACK "vif/3/0/bridge", "br7");
    fails(devices_wait(xs, 3, 10, &err), -ENODEV,
          "nic 0: there is no bridge br7, and no socle-network: No such file or directory");
    node_is(BACK "vif/3/0/hotplug-status", "error");
    fake_kernel.no_network = false;
    fails(devices_wait(xs, 3, 10, &err), -ENODEV,
          "nic 0: there is no bridge br7, and socle-network could not make it");
    fake_kernel.net_error = -EBUSY;
    put(BACK "vif/3/0/bridge", "xenbr0");
    fails(devices_wait(xs, 3, 10, &err), -EBUSY,
          "nic 0: cannot join bridge xenbr0: Device or resource busy");
}

static void what_a_card_may_send(void **state)
{
    (void)state;
    nics[0].ip = "10.0.0.7 10.0.0.8";
    nics[1] = (struct config_nic){.any_mac = true};
    nics[2] = (struct config_nic){.any_mac = true, .ip = "10.0.0.9"};
    config.nr_nics = 3;
    config.nr_disks = 0;
    strcat(fake_kernel.nets, "vif3.2 ");
    assert_int_equal(add(), 0);
    node_is(BACK "vif/3/1/mac-filter", "0");
    wait_state("vif/3/0", "2");
    wait_state("vif/3/1", "2");
    wait_state("vif/3/2", "2");
    assert_int_equal(devices_wait(xs, 3, 10, &err), 0);
    assert_string_equal(fake_kernel.did,
                        "network filter vif3.0 00:16:3e:00:00:01 10.0.0.7 10.0.0.8;"
                        "join xenbr0 vif3.0;up vif3.0;join xenbr0 vif3.1;up vif3.1;"
                        "network filter vif3.2 any 10.0.0.9;join xenbr0 vif3.2;up vif3.2;");
}

static void no_filter(void **state)
{
    (void)state;
    assert_int_equal(add(), 0);
    all_wait();
    fake_kernel.net_error = -EBUSY;
    fails(devices_wait(xs, 3, 10, &err), -EIO,
          "nic 0: socle-network could not filter what it sends");
    fake_kernel.no_network = true;
    put(BACK "vif/3/0/hotplug-status", "");
    fails(devices_wait(xs, 3, 10, &err), -ENOENT,
          "nic 0: no filter for what it sends, and no socle-network: No such file or directory");
    node_is(BACK "vif/3/0/hotplug-status", "error");
}

/* ---- removing ---- */

static void nothing_is_left(void **state)
{
    unsigned int before = fake_xs_count();

    (void)state;
    assert_int_equal(add(), 0);
    put("/local/domain/0/error/backend/vif/3/0/error", "22 of something");
    assert_int_equal(devices_remove(xs, 3, &err), 0);
    assert_int_equal(fake_xs_count(), before + 3); /* device, vbd, vif, which are the domain's */
    no_node(BACK "vbd");
    no_node("/local/domain/0/error");
    no_node("/libxl");
    assert_int_equal(devices_remove(xs, 3, &err), 0);
    assert_int_equal(devices_remove(xs, 77, &err), 0);
}

static void others_keep_theirs(void **state)
{
    (void)state;
    put(BACK "vif/2/0/mac", "00:16:3e:00:00:09");
    put(BACK "console/3/0/state", "1"); /* of another tool */
    put(BACK "vbd/3/x", "");
    put(BACK "vbd/3/-1", "");
    put(BACK "vbd/3/99999999999", "");
    assert_int_equal(add(), 0);
    assert_int_equal(devices_remove(xs, 3, &err), 0);
    node_is(BACK "vif/2/0/mac", "00:16:3e:00:00:09");
    no_node(BACK "vif/3");
    no_node(BACK "console");
    no_node(BACK "vbd/3/51712");
}

static void guests_are_not_believed(void **state)
{
    (void)state;
    assert_int_equal(add(), 0);
    put(FRONT "vbd/51712/backend", "/local/domain/0/name");
    put(FRONT "vif/0/backend", "/local/domain/2");
    put(FRONT "vbd/51712/state", "6");
    assert_int_equal(devices_remove(xs, 3, &err), 0);
    node_is("/local/domain/0/name", "Domain-0");
    node_is("/local/domain/2/name", "other");
}

static void a_back_end_does_not_let_go(void **state)
{
    (void)state;
    assert_int_equal(add(), 0);
    fake_kernel.holding = true;
    fails(devices_remove(xs, 3, &err), -ETIMEDOUT, "disk xvda: the back end does not let go of it");
    no_node(BACK "vbd");
    no_node(BACK "vif");
    fake_kernel.holding = false;
    assert_int_equal(add(), 0);
    fake_kernel.loop_stands = true;
    assert_int_equal(devices_remove(xs, 3, &err), -ETIMEDOUT);
}

/* ---- scripts ---- */

static char script[] = "/tmp/device_test.XXXXXX", output[64];

static void make_script(const char *end)
{
    FILE *f;

    close(mkstemp(script));
    snprintf(output, sizeof(output), "%s.log", script);
    unlink(output);
    f = fopen(script, "w");
    fprintf(f, "#!/bin/sh\necho $* $XENBUS_TYPE $XENBUS_PATH $vif $type_if >>%s\n%s\n", output,
            end);
    fclose(f);
    chmod(script, 0700);
}

static void scripts_are_called(void **state)
{
    static const char expected[] = "add vbd " BACK "vbd/3/51712\n"
                                   "online type_if=vif vif " BACK "vif/3/0 vif3.0 vif\n"
                                   "offline type_if=vif vif " BACK "vif/3/0 vif3.0 vif\n"
                                   "remove vbd " BACK "vbd/3/51712\n";
    char text[1024] = "";
    FILE *f;

    (void)state;
    setenv("PATH", "/usr/bin:/bin", 1);
    make_script("");
    disks[0].script = nics[0].script = script;
    config.nr_disks = config.nr_nics = 1;
    assert_int_equal(add(), 0);
    no_node(BACK "vbd/3/51712/physical-device");
    fake_kernel.not_serving = true;
    wait_state("vbd/3/51712", "2");
    fails(devices_wait(xs, 3, 500, &err), -ETIMEDOUT,
          "disk xvda: the back end is not ready after 500 s (state 2)"); /* no device was made */
    fake_kernel.not_serving = false;
    wait_state("vif/3/0", "2");
    assert_int_equal(devices_wait(xs, 3, 1 << 30, &err), 0);
    assert_int_equal(devices_remove(xs, 3, &err), 0);
    f = fopen(output, "r");
    assert_true(fread(text, 1, sizeof(text) - 1, f) > 0);
    fclose(f);
    assert_string_equal(text, expected);
    unlink(script);
    unlink(output);
}

static void a_script_fails(void **state)
{
    char expected[256];

    (void)state;
    strcpy(script, "/tmp/device_test.XXXXXX");
    make_script("exit 7");
    disks[0].script = script;
    config.nr_disks = 1;
    config.nr_nics = 0;
    assert_int_equal(add(), 0);
    fake_kernel.not_serving = true;
    wait_state("vbd/3/51712", "2");
    put(BACK "vbd/3/51712/hotplug-error", "no\nluck");
    snprintf(expected, sizeof(expected), "disk xvda: %s add: exit status 7: no?luck", script);
    fails(devices_wait(xs, 3, 1 << 30, &err), -EIO, expected);
    unlink(script);
    unlink(output);
    snprintf(expected, sizeof(expected), "disk xvda: %s: No such file or directory", script);
    fails(devices_wait(xs, 3, 10, &err), -ENOENT, expected);
}

static volatile sig_atomic_t told_to_stop;

static void nobody_waits_when_told_to_stop(void **state)
{
    char expected[256];

    (void)state;
    told_to_stop = 1;
    stop_on(&told_to_stop);
    assert_int_equal(add(), 0);
    fake_kernel.not_serving = true;
    fails(devices_wait(xs, 3, 10, &err), -EINTR, "disk xvda: interrupted");
    assert_int_equal(fake_kernel.seconds, 0);
    strcpy(script, "/tmp/device_test.XXXXXX");
    make_script("exec sleep 1000");
    put(BACK "vbd/3/51712/script", script);
    put(BACK "vbd/3/51712/hotplug-status", "");
    wait_state("vbd/3/51712", "2");
    snprintf(expected, sizeof(expected), "disk xvda: %s add was interrupted", script);
    fails(devices_wait(xs, 3, 1 << 30, &err), -EINTR, expected);
    stop_on(NULL);
    unlink(script);
    unlink(output);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_disk_has_its_nodes),
        TEST(a_card_has_its_nodes),
        TEST(directories_have_owners),
        TEST(addresses_are_made_of_the_uuid),
        TEST(an_address_that_is_taken),
        TEST(a_disk_that_is_in_use),
        TEST(one_disk_twice),
        TEST(without_a_back_end),
        TEST(a_name_that_is_taken),
        TEST(the_store_fails),
        TEST(others_come_between),
        TEST(back_ends_get_ready),
        TEST(a_card_is_connected),
        TEST(a_back_end_reports),
        TEST(a_back_end_is_silent),
        TEST(no_bridge),
        TEST(what_a_card_may_send),
        TEST(no_filter),
        TEST(nothing_is_left),
        TEST(others_keep_theirs),
        TEST(guests_are_not_believed),
        TEST(a_back_end_does_not_let_go),
        TEST(scripts_are_called),
        TEST(a_script_fails),
        TEST(nobody_waits_when_told_to_stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* network.json: what is taken, the line for what is not, and the addresses that guests get. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dom0-tools/network/network.h"
#include "fake_device.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct network network;
static char lines[4096];

static int parse(const char *text)
{
    struct config_notes notes = {0};
    int rc = settings_parse("n.json", text, strlen(text), &network, &notes);

    snprintf(lines, sizeof(lines), "%.*s", (int)notes.text.len, (char *)notes.text.data);
    config_notes_free(&notes);
    return rc;
}

static void refused(const char *text, const char *line)
{
    assert_int_equal(parse(text), -EINVAL);
    lines[strcspn(lines, "\n")] = 0;
    assert_string_equal(lines, line);
    assert_null(network.bridges);
}

#define ONE(keys) "{\"bridges\":[{" keys "}]}"

static void all_kinds(void **state)
{
    (void)state;
    assert_int_equal(
        parse("{\"bridges\": [{\"name\": \"br0\", \"uplink\": \"eth0\"},"
              "{\"nat\": \"192.168.7.254/24\", \"name\": \"a.b-c_9\", \"dhcp\": false},"
              "{\"name\": \"fifteen-letters\"}]}"),
        0);
    assert_string_equal(lines, "");
    assert_int_equal(network.nr, 3);
    assert_int_equal(network.bridges[0].kind, BRIDGE_UPLINK);
    assert_string_equal(network.bridges[0].uplink, "eth0");
    assert_int_equal(network.bridges[1].kind, BRIDGE_NAT);
    assert_int_equal(network.bridges[1].address, 0xc0a807fe);
    assert_int_equal(network.bridges[1].prefix, 24);
    assert_false(network.bridges[1].dhcp);
    assert_int_equal(network.bridges[2].kind, BRIDGE_ALONE);
    settings_free(&network);
    assert_int_equal(parse("{\"bridges\": []}"), 0);
    settings_free(&network);
}

static void what_there_is_by_itself(void **state)
{
    struct config_notes notes = {0};

    (void)state;
    assert_int_equal(settings_load("/nonexistent/network.json", &network, &notes), 0);
    assert_int_equal(network.nr, 1);
    assert_string_equal(network.bridges[0].name, "xenbr0");
    assert_int_equal(network.bridges[0].kind, BRIDGE_NAT);
    assert_true(network.bridges[0].dhcp);
    settings_free(&network);
    assert_int_equal(settings_load("/", &network, &notes), -EINVAL);
    assert_int_equal(notes.errors, 1);
    config_notes_free(&notes);
}

static void what_is_wrong_is_told(void **state)
{
    static const char *const bad_names[] = {"", "-a", ".", "a b", "a\\\"b", "sixteen-letters-"};
    static const char *const bad_nets[] = {
        "10.0.0.1",      "10.0.0.1/",           "10.0.0.1/7",    "10.0.0.1/30",    "10.0.0.0/24",
        "10.0.0.255/24", "10.0.0.1/24x",        "10.0.0/24",     "10.0.0.1/-24",   "10.0.0.1/ 24",
        "::1/24",        "1000.100.100.100/24", "10.0.0.256/24", "10.0.0.1/24/24", ""};
    char text[256];

    (void)state;
    refused("", "n.json:1: $: expected JSON: premature EOF");
    refused("[]", "n.json:1: $: expected an object with bridges");
    refused("{}", "n.json:1: $: expected bridges, a list");
    refused("{\"bridges\": {}}", "n.json:1: $.bridges: expected bridges, a list");
    refused("{\"bridges\": [],\n\"bridge\": []}",
            "n.json:2: $.bridge: expected a known key, such as bridges");
    refused("{\"bridges\": [1]}", "n.json:1: $.bridges[0]: expected an object for a bridge");
    refused(ONE(""), "n.json:1: $.bridges[0]: expected the key name as well");
    refused(ONE("\"name\":\"a\",\"upl\":\"b\""),
            "n.json:1: $.bridges[0].upl: expected name, uplink, nat or dhcp");
    refused(ONE("\"name\":\"a\",\"uplink\":7"),
            "n.json:1: $.bridges[0].uplink: expected the name of an interface");
    refused(ONE("\"name\":\"a\",\"uplink\":\"b\",\"nat\":\"10.0.0.1/24\""),
            "n.json:1: $.bridges[0].nat: expected either uplink or nat");
    refused(ONE("\"name\":\"a\",\"dhcp\":true"),
            "n.json:1: $.bridges[0].dhcp: expected nat as well");
    refused(ONE("\"name\":\"a\",\"nat\":\"10.0.0.1/24\",\"dhcp\":1"),
            "n.json:1: $.bridges[0].dhcp: expected true or false");
    refused("{\"bridges\":[{\"name\":\"a\"},\n{\"name\":\"a\"}]}",
            "n.json:2: $.bridges[1].name: expected another name than that of bridge 0");
    for (unsigned int i = 0; i < sizeof(bad_names) / sizeof(bad_names[0]); i++) {
        snprintf(text, sizeof(text), ONE("\"name\":\"%s\""), bad_names[i]);
        refused(text, "n.json:1: $.bridges[0].name: expected the name of a bridge");
    }
    for (unsigned int i = 0; i < sizeof(bad_nets) / sizeof(bad_nets[0]); i++) {
        snprintf(text, sizeof(text), ONE("\"name\":\"a\",\"nat\":\"%s\""), bad_nets[i]);
        refused(text,
                "n.json:1: $.bridges[0].nat: expected an address with the bits of its subnet, "
                "8 to 29, such as 10.77.0.1/24");
    }
}

/* ---- who is given which address ---- */

static char *conf(const struct bridge *b)
{
    static char *text;
    size_t len;
    FILE *f;

    free(text);
    f = open_memstream(&text, &len);
    dhcp_conf(b, f);
    fclose(f);
    return text;
}

/* What is listed for a card is given to it; while its interface is there. */
static void cards_have_their_addresses(void **state)
{
    struct bridge b = {.name = "xenbr0", .kind = BRIDGE_NAT, .address = 0x0a4d0001, .prefix = 24};
    char dir[] = "/tmp/network_test.XXXXXX", command[64];

    (void)state;
    assert_non_null(mkdtemp(dir));
    setenv("SOCLE_RUN_DIR", dir, 1);
    strcpy(fake_kernel.nets, "xenbr0 vif3.0 vif3.1 ");
    assert_null(strstr(conf(&b), "static_lease"));
    hosts_keep("vif3.0", "00:16:3e:00:00:01", "10.77.0.7 fd00::7 10.77.0.8 10.78.0.9");
    hosts_keep("vif3.1", "00:16:3e:00:00:02", "10.77.0.1 10.77.0.9");
    hosts_keep("vif4.0", "00:16:3e:00:00:03", "10.77.0.10"); /* it has gone */
    assert_string_equal(strstr(conf(&b), "static_lease"),
                        "static_lease 00:16:3e:00:00:01 10.77.0.7\n"
                        "static_lease 00:16:3e:00:00:01 10.77.0.8\n"
                        "static_lease 00:16:3e:00:00:02 10.77.0.9\n");
    hosts_keep("vif3.1", "00:16:3e:00:00:02", NULL);
    strcpy(fake_kernel.nets, "xenbr0 vif3.0 vif3.1 vif4.0 ");
    assert_string_equal(strstr(conf(&b), "static_lease"),
                        "static_lease 00:16:3e:00:00:01 10.77.0.7\n"
                        "static_lease 00:16:3e:00:00:01 10.77.0.8\n");
    snprintf(command, sizeof(command), "rm -r %s", dir);
    assert_int_equal(system(command), 0);
}

/* ---- what guests may send ---- */

#define RULE "add rule netdev socle guest_web "

static char *rules(const char *mac, const char *ips)
{
    static struct bytes commands;
    struct error err;

    bytes_free(&commands);
    assert_int_equal(filter_rules(&commands, "web", mac, ips, &err), 0);
    return (char *)commands.data;
}

static void a_guest_is_who_it_is(void **state)
{
    (void)state;
    assert_string_equal(rules("00:16:3E:00:00:01", NULL),
                        "add table netdev socle\n"
                        "add chain netdev socle guest_web "
                        "{ type filter hook ingress device \"web\" priority 0; }\n"
                        "flush chain netdev socle guest_web\n" /* of a killed tool */
                        RULE "ether saddr != 00:16:3e:00:00:01 drop\n" RULE
                        "arp saddr ether != 00:16:3e:00:00:01 drop\n" RULE
                        "meta protocol ip udp dport 67 @th,288,48 != 0x00163e000001 drop\n");
}

static void a_guest_has_listed_addresses(void **state)
{
    (void)state;
    assert_string_equal(strstr(rules("any", "10.0.0.7 10.0.0.8"), RULE),
                        RULE "arp saddr ip 10.0.0.7 accept\n" RULE "ip saddr 10.0.0.7 accept\n" RULE
                             "arp saddr ip 10.0.0.8 accept\n" RULE "ip saddr 10.0.0.8 accept\n" RULE
                             "arp saddr ip 0.0.0.0 accept\n" RULE
                             "ip saddr 0.0.0.0 udp sport 68 udp dport 67 accept\n" RULE "drop\n");
}

/* The address on the link follows from the card's, unless that may be any. */
static void and_those_of_ipv6(void **state)
{
    const char *text = rules("00:16:3e:00:00:01", "2001:DB8:0::7");

    (void)state;
    assert_non_null(strstr(text, RULE "icmpv6 type nd-neighbor-advert ip6 saddr 2001:db8::7 "
                                      "@th,64,128 0x20010db8000000000000000000000007 accept\n"));
    assert_non_null(strstr(text, "ip6 saddr fe80::216:3eff:fe00:1 "
                                 "@th,64,128 0xfe8000000000000002163efffe000001 accept\n"));
    assert_null(strstr(text, "arp saddr ip"));
    assert_string_equal(text + strlen(text) - 5, "drop\n");
    assert_null(strstr(rules("any", "2001:db8::7"), "fe80"));
}

/* They become commands. */
static void no_rules_of_nonsense(void **state)
{
    static const char *const macs[] = {"",
                                       "00:16:3e:00:00",
                                       "00:16:3e:00:00:1",
                                       "00:16:3e:00:00:0g",
                                       "00:16:3e:00:00:01;",
                                       "00163e0000010000x"};
    static const char *const ips[] = {"10.0.0.256", "10.0.0.1;", "10.0.0.1 x", "10.0.0.1\nflush"};
    struct bytes commands = {0};
    struct error err;

    (void)state;
    for (unsigned int i = 0; i < sizeof(macs) / sizeof(macs[0]); i++)
        assert_int_equal(filter_rules(&commands, "web", macs[i], NULL, &err), -EINVAL);
    for (unsigned int i = 0; i < sizeof(ips) / sizeof(ips[0]); i++)
        assert_int_equal(filter_rules(&commands, "web", "any", ips[i], &err), -EINVAL);
    bytes_free(&commands);
    assert_int_equal(filter("we b", "any", NULL, &err), -ENODEV);
    assert_int_equal(filter("we\"b", "any", NULL, &err), -ENODEV);
}

static void guests_have_the_larger_part(void **state)
{
    struct bridge b = {.address = 0x0a4d0001, .prefix = 24};
    uint32_t first, last;

    (void)state;
    dhcp_range(&b, &first, &last);
    assert_int_equal(first, 0x0a4d0002);
    assert_int_equal(last, 0x0a4d00fe);
    b.address = 0x0a4d00fe;
    dhcp_range(&b, &first, &last);
    assert_int_equal(first, 0x0a4d0001);
    assert_int_equal(last, 0x0a4d00fd);
    for (b.prefix = 8; b.prefix <= 29; b.prefix++) {
        uint32_t hosts = ~0u >> b.prefix;

        for (uint32_t i = 1; i < hosts; i += hosts / 8 + 1) {
            b.address = 0x0a000000 + i;
            dhcp_range(&b, &first, &last);
            assert_true(first <= last);
            assert_true(b.address < first || b.address > last);
            assert_true(first > 0x0a000000 && last < 0x0a000000 + hosts);
            assert_true(last - first + 1 >= (hosts - 2) / 2);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_kinds),
        cmocka_unit_test(what_there_is_by_itself),
        cmocka_unit_test(what_is_wrong_is_told),
        cmocka_unit_test(cards_have_their_addresses),
        cmocka_unit_test(a_guest_is_who_it_is),
        cmocka_unit_test(a_guest_has_listed_addresses),
        cmocka_unit_test(and_those_of_ipv6),
        cmocka_unit_test(no_rules_of_nonsense),
        cmocka_unit_test(guests_have_the_larger_part),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

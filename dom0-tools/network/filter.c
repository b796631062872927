// SPDX-License-Identifier: MIT
/* Rules where frames come in from a guest's interface, before any bridge or router sees them. They are in a chain that
 * is bound to the interface (nftables' family netdev): the kernel removes it with the interface, however that goes, and
 * whether or not one of our tools is alive then. */
#include "network.h"
#include "nft.h"

#include "../libsocle/alloc.h"
#include "../libsocle/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TABLE "netdev socle"

struct rules {
    struct bytes *to;
    const char *netdev;
    const uint8_t *mac; /* NULL: any */
};

__attribute__((format(printf, 2, 3))) static void command(struct rules *r, const char *format, ...)
{
    char line[512];
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    must_have(bytes_append(r->to, line, len, SIZE_MAX / 2));
}

#define rule(r, format, ...)                                                                       \
    command(r, "add rule " TABLE " guest_%s " format "\n", (r)->netdev, ##__VA_ARGS__)

/* Also within ARP, and to a server of addresses: who asks for those of many others leaves none for them. Its address is
 * 28 bytes from the end of the UDP header, which has 8. */
static void only_mac(struct rules *r)
{
    const uint8_t *m = r->mac;
    char mac[18];

    snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
    rule(r, "ether saddr != %s drop", mac);
    rule(r, "arp saddr ether != %s drop", mac);
    rule(r, "meta protocol ip udp dport 67 @th,288,48 != 0x%02x%02x%02x%02x%02x%02x drop", m[0],
         m[1], m[2], m[3], m[4], m[5]);
}

static void allow_v4(struct rules *r, const char *ip)
{
    rule(r, "arp saddr ip %s accept", ip);
    rule(r, "ip saddr %s accept", ip);
}

/* An advertisement names the address that it is about, 8 bytes from its start. */
static void allow_v6(struct rules *r, const struct in6_addr *ip)
{
    char text[INET6_ADDRSTRLEN], hex[33];

    inet_ntop(AF_INET6, ip, text, sizeof(text));
    for (unsigned int i = 0; i < 16; i++)
        sprintf(hex + 2 * i, "%02x", ip->s6_addr[i]);
    rule(r, "icmpv6 type nd-neighbor-advert ip6 saddr %s @th,64,128 0x%s accept", text, hex);
    rule(r, "icmpv6 type != nd-neighbor-advert ip6 saddr %s accept", text);
    rule(r, "meta l4proto != 58 ip6 saddr %s accept", text);
}

/* The address on its own link that a guest makes of its card's. */
static void allow_link_local(struct rules *r)
{
    struct in6_addr ip = {.s6_addr = {0xfe, 0x80, [11] = 0xff, [12] = 0xfe}};

    memcpy(ip.s6_addr + 8, r->mac, 3);
    memcpy(ip.s6_addr + 13, r->mac + 3, 3);
    ip.s6_addr[8] ^= 2;
    allow_v6(r, &ip);
}

/* Who has no address yet may ask for one, and whether somebody has it. */
static void allow_asking(struct rules *r)
{
    rule(r, "arp saddr ip 0.0.0.0 accept");
    rule(r, "ip saddr 0.0.0.0 udp sport 68 udp dport 67 accept");
}

/* Whether all of them are addresses. */
static bool only_ips(struct rules *r, const char *ips)
{
    char *copy = must_copy(ips, strlen(ips)), *save = NULL;
    bool v4 = false, v6 = false, good = true;
    struct in6_addr ip;

    for (char *s = strtok_r(copy, " ", &save); s; s = strtok_r(NULL, " ", &save)) {
        if (inet_pton(AF_INET6, s, &ip) == 1) {
            v6 = true;
            allow_v6(r, &ip);
        } else if (inet_pton(AF_INET, s, &ip) == 1) {
            v4 = true;
            allow_v4(r, s);
        } else {
            good = false;
        }
    }
    free(copy);
    if (v4)
        allow_asking(r);
    if (v6)
        rule(r, "ip6 saddr :: icmpv6 type { nd-neighbor-solicit, mld2-listener-report } accept");
    if (v6 && r->mac)
        allow_link_local(r);
    rule(r, "drop");
    return good;
}

static bool parse_mac(const char *text, uint8_t mac[6])
{
    int end = 0;

    return strlen(text) == 17 &&
           sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", mac, mac + 1, mac + 2, mac + 3,
                  mac + 4, mac + 5, &end) == 6 &&
           end == 17;
}

int filter_rules(struct bytes *to, const char *netdev, const char *mac, const char *ips,
                 struct error *err)
{
    struct rules r = {.to = to, .netdev = netdev};
    uint8_t address[6];

    if (strcmp(mac, "any") != 0 && !parse_mac(mac, address))
        return error_set(err, -EINVAL, "expected the address of a card, or any, not %s", mac);
    if (strcmp(mac, "any") != 0)
        r.mac = address;
    command(&r, "add table " TABLE "\n");
    command(&r,
            "add chain " TABLE " guest_%s { type filter hook ingress device \"%s\" priority 0; }\n",
            netdev, netdev);
    command(&r, "flush chain " TABLE " guest_%s\n", netdev);
    if (r.mac)
        only_mac(&r);
    if (ips && !only_ips(&r, ips))
        return error_set(err, -EINVAL, "expected IP addresses, not %s", ips);
    must_have(bytes_append(to, "", 1, SIZE_MAX / 2));
    return 0;
}

int filter(const char *netdev, const char *mac, const char *ips, struct error *err)
{
    struct bytes commands = {0};
    int rc = 0;

    if (!is_interface(netdev) || !net_exists(netdev))
        rc = error_set(err, -ENODEV, "there is no such interface");
    rc = rc ?: filter_rules(&commands, netdev, mac, ips, err);
    rc = rc ?: nft_run((const char *)commands.data, err);
    bytes_free(&commands);
    return rc;
}

// SPDX-License-Identifier: MIT
// Machines that all ask for an address at once: dhcp BRIDGE COUNT TRIES. They stand behind one interface on the bridge,
// and one of their neighbours says of every address that it is its own. Each must have one after so many tries.
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PATIENCE_MS 2000 // of each try
#define MAX         64

enum { DISCOVER = 1, OFFER = 2, REQUEST = 3, ACK = 5 };

struct dhcp {
    uint8_t to[6], from[6];
    uint16_t type;
    uint8_t version, tos;
    uint16_t len, id, fragment;
    uint8_t ttl, proto;
    uint16_t sum;
    uint32_t ip_from, ip_to;
    uint16_t port_from, port_to, udp_len, udp_sum;
    uint8_t op, hw_type, hw_len, hops;
    uint32_t xid;
    uint16_t secs, flags;
    uint32_t ciaddr, yiaddr, siaddr, giaddr;
    uint8_t chaddr[16], names[192];
    uint32_t cookie;
    uint8_t options[64];
} __attribute__((packed));

struct arp {
    uint8_t to[6], from[6];
    uint16_t type, hw, proto;
    uint8_t hw_len, proto_len;
    uint16_t op;
    uint8_t mac[6], ip[4], its_mac[6], its_ip[4];
} __attribute__((packed));

static struct client {
    int waits_for, tries; // waits_for 0: it has one
    uint32_t address, server;
} clients[MAX];

static int tap;

static void fail(const char *what)
{
    perror(what);
    exit(2);
}

static void join(const char *bridge)
{
    struct ifreq r = {.ifr_name = "machines", .ifr_flags = IFF_TAP | IFF_NO_PI};
    int s = socket(AF_INET, SOCK_DGRAM, 0);

    tap = open("/dev/net/tun", O_RDWR);
    if (tap < 0 || ioctl(tap, TUNSETIFF, &r))
        fail("/dev/net/tun");
    r.ifr_flags = IFF_UP;
    if (ioctl(s, SIOCSIFFLAGS, &r))
        fail("machines");
    r.ifr_ifindex = if_nametoindex("machines");
    strcpy(r.ifr_name, bridge);
    if (ioctl(s, SIOCBRADDIF, &r))
        fail(bridge);
    close(s);
}

static uint16_t checksum(const uint16_t *p, unsigned int n)
{
    uint32_t sum = 0;

    while (n--)
        sum += *p++;
    sum = (sum & 0xffff) + (sum >> 16);
    return ~(sum + (sum >> 16));
}

static void ask(int nr)
{
    struct client *c = &clients[nr];
    struct dhcp p = {.from = {2, 0, 0, 0, 0, nr},
                     .type = htons(0x800),
                     .version = 0x45,
                     .ttl = 64,
                     .proto = 17,
                     .ip_to = ~0u,
                     .port_from = htons(68),
                     .port_to = htons(67),
                     .op = 1,
                     .hw_type = 1,
                     .hw_len = 6,
                     .xid = htonl(1000 + nr),
                     .cookie = htonl(0x63825363)};
    uint8_t *o = p.options;

    memset(p.to, 0xff, 6);
    memcpy(p.chaddr, p.from, 6);
    p.len = htons(sizeof(p) - 14);
    p.udp_len = htons(sizeof(p) - 34);
    p.sum = checksum((uint16_t *)&p.version, 10);
    *o++ = 53, *o++ = 1, *o++ = c->waits_for == OFFER ? DISCOVER : REQUEST;
    if (c->waits_for == ACK) {
        *o++ = 50, *o++ = 4, memcpy(o, &c->address, 4), o += 4;
        *o++ = 54, *o++ = 4, memcpy(o, &c->server, 4), o += 4;
    }
    *o = 255;
    c->tries++;
    if (write(tap, &p, sizeof(p)) < 0)
        fail("machines");
}

static const uint8_t *option(const struct dhcp *p, size_t size, uint8_t which)
{
    for (const uint8_t *o = p->options; o + 2 < (const uint8_t *)p + size && *o != 255;
         o += 2 + o[1]) {
        if (*o == which)
            return o + 2;
    }
    return NULL;
}

static void answered(const struct dhcp *p, size_t size)
{
    const uint8_t *type = option(p, size, 53), *server = option(p, size, 54);
    unsigned int nr = ntohl(p->xid) - 1000;

    if (p->type != htons(0x800) || p->proto != 17 || p->port_to != htons(68) || nr >= MAX ||
        !type || !server || *type != clients[nr].waits_for)
        return;
    clients[nr].address = p->yiaddr;
    memcpy(&clients[nr].server, server, 4);
    clients[nr].waits_for = *type == OFFER ? ACK : 0;
    if (clients[nr].waits_for) {
        clients[nr].tries--; // this is no other try
        ask(nr);
    }
}

static void claim(const struct arp *a)
{
    struct arp reply = *a;

    memcpy(reply.to, a->from, 6);
    memcpy(reply.from, (uint8_t[6]){2, 0, 0, 0, 1, 0}, 6);
    reply.op = htons(2);
    memcpy(reply.mac, reply.from, 6);
    memcpy(reply.ip, a->its_ip, 4);
    memcpy(reply.its_mac, a->mac, 6);
    memcpy(reply.its_ip, a->ip, 4);
    if (write(tap, &reply, sizeof(reply)) < 0)
        fail("machines");
}

// Whether a frame came.
static int receive(void)
{
    struct pollfd p = {.fd = tap, .events = POLLIN};
    union {
        uint8_t bytes[2048];
        struct dhcp dhcp;
        struct arp arp;
    } frame;
    ssize_t n;

    if (poll(&p, 1, PATIENCE_MS) <= 0)
        return 0;
    n = read(tap, &frame, sizeof(frame));
    if (n >= (ssize_t)sizeof(frame.arp) && frame.arp.type == htons(0x806) &&
        frame.arp.op == htons(1))
        claim(&frame.arp);
    else if (n > (ssize_t)(sizeof(frame.dhcp) - sizeof(frame.dhcp.options)))
        answered(&frame.dhcp, n);
    return 1;
}

static int waiting(int count)
{
    int nr = 0;

    for (int i = 0; i < count; i++)
        nr += clients[i].waits_for != 0;
    return nr;
}

int main(int argc, char **argv)
{
    int count = argc > 3 ? atoi(argv[2]) : 0, bad = 0;

    if (count < 1 || count > MAX)
        return 2;
    join(argv[1]);
    for (int i = 0; i < count; i++) {
        clients[i].waits_for = OFFER;
        ask(i);
    }
    for (int tries = 1; waiting(count) && tries <= atoi(argv[3]);) {
        if (receive())
            continue;
        tries++;
        for (int i = 0; i < count; i++) {
            if (clients[i].waits_for)
                ask(i);
        }
    }
    for (int i = 0; i < count; i++) {
        int same = 0;

        for (int j = 0; j < i; j++)
            same |= clients[i].address && clients[j].address == clients[i].address;
        bad |= clients[i].waits_for || same || clients[i].tries > atoi(argv[3]);
        printf("%d: %s after %d tries%s\n", i,
               clients[i].waits_for ? "none" : inet_ntoa(*(struct in_addr *)&clients[i].address),
               clients[i].tries, same ? ", as another" : "");
    }
    return bad;
}

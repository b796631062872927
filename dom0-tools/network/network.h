/* SPDX-License-Identifier: MIT */
/* Bridges for guests' network cards: what network.json(5) says, and how it is done. */
#ifndef NETWORK_NETWORK_H
#define NETWORK_NETWORK_H

#include "../libsocle/bytes.h"
#include "../libsocle/config.h"
#include "../libsocle/error.h"

#include <net/if.h>
#include <stdint.h>

#define NETWORK_PATH 512
/** network_path - a file of ours, below /run/socle/network ($SOCLE_RUN_DIR/network); the folders are made. */
void network_path(char path[NETWORK_PATH], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

enum bridge_kind {
    BRIDGE_ALONE,  /* guests among themselves */
    BRIDGE_UPLINK, /* and on the network of an interface of dom0's, which becomes a member */
    BRIDGE_NAT,    /* and behind dom0's addresses */
};

struct bridge {
    char name[IFNAMSIZ];
    enum bridge_kind kind;
    char uplink[IFNAMSIZ];
    uint32_t address, prefix; /* of dom0 on the bridge, and bits of the subnet */
    bool dhcp;                /* give the guests addresses */
};

struct network {
    struct bridge *bridges;
    size_t nr;
};

/** settings_load - read network.json; without such a file, what is there by itself
 * Returns 0 or -EINVAL; lines are in @notes. */
int settings_load(const char *path, struct network *n, struct config_notes *notes);
int settings_parse(const char *path, const char *text, size_t len, struct network *n,
                   struct config_notes *notes);
void settings_free(struct network *n);

/** nat_up - an address for the bridge, masquerading, and a server of addresses. */
int nat_up(const struct bridge *b, struct error *err);
int nat_down(const struct bridge *b, struct error *err);

/** dhcp_range - the larger part of the subnet beside the bridge's own address. */
void dhcp_range(const struct bridge *b, uint32_t *first, uint32_t *last);
/** dhcp_up - run dnsmasq(8) or udhcpd for it; -ENOENT: there is neither
 * One that runs learns of the hosts that there are now. */
int dhcp_up(const struct bridge *b, struct error *err);
void dhcp_down(const struct bridge *b);
/** dhcp_conf - what udhcpd reads. */
void dhcp_conf(const struct bridge *b, FILE *f);

/** hosts_keep - these addresses are those of the card behind @netdev, as long as that is there
 * @ips  IPv4 and IPv6 addresses with spaces between them; NULL: none any more */
void hosts_keep(const char *netdev, const char *mac, const char *ips);
/** hosts_each - calls @see for each IPv4 address that is some card's. */
void hosts_each(void (*see)(void *ctx, const char *mac, uint32_t ip), void *ctx);

/** address_text - "10.0.0.1"; @text has room for 16. */
char *address_text(uint32_t address, char *text);

/** is_interface - may an interface be called so? */
bool is_interface(const char *name);

/** filter - let only such frames in from a guest's interface; the rules go with it
 * @mac  "00:16:3e:00:00:01", or "any"
 * @ips  IPv4 and IPv6 addresses with spaces between them, or NULL: any
 * What was let in before is forgotten. */
int filter(const char *netdev, const char *mac, const char *ips, struct error *err);
/** filter_rules - the commands for that, with a 0 behind them; -EINVAL: @mac or @ips are not right. */
int filter_rules(struct bytes *to, const char *netdev, const char *mac, const char *ips,
                 struct error *err);

/** uplink_join - make @uplink a member of @bridge, which takes over its addresses and routes. */
int uplink_join(const char *bridge, const char *uplink, struct error *err);
/** uplink_leave - give the interface its addresses and routes back. */
int uplink_leave(const char *bridge, const char *uplink, struct error *err);

#endif

/* SPDX-License-Identifier: MIT */
/* Network interfaces of the control domain. All return 0 or a negative errno. */
#ifndef LIBSOCLE_NET_H
#define LIBSOCLE_NET_H

#include <stdbool.h>
#include <stdint.h>

bool net_exists(const char *ifname);
bool net_is_bridge(const char *ifname);
/** net_is_member - whether an interface is on a bridge. */
bool net_is_member(const char *bridge, const char *ifname);

/** net_rename - give an interface that is down another name; -EEXIST: that is taken. */
int net_rename(const char *from, const char *to);
int net_set_up(const char *ifname, bool up);
/** net_mtu - bytes that a frame may carry. */
int net_mtu(const char *ifname, unsigned int *mtu);
int net_set_mtu(const char *ifname, unsigned int mtu);
/** net_no_ipv6 - the control domain takes no IPv6 address on it; nothing where there is no IPv6. */
void net_no_ipv6(const char *ifname);

/** net_bridge_make - a new bridge, whose members may send at once; -EEXIST. */
int net_bridge_make(const char *bridge);
int net_bridge_remove(const char *bridge);
/** net_bridge_join - make an interface a member; 0 also if it is that already. */
int net_bridge_join(const char *bridge, const char *ifname);
int net_bridge_leave(const char *bridge, const char *ifname);

/** net_set_mac - the hardware address of an interface; a bridge otherwise changes its own with its
 * members. */
int net_set_mac(const char *ifname, const uint8_t mac[6]);

/** net_set_address - the IPv4 address of an interface, with so many bits for the subnet. */
int net_set_address(const char *ifname, uint32_t address, unsigned int prefix);

#endif

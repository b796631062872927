// SPDX-License-Identifier: MIT
/* Interfaces and bridges by ioctl, sysfs and /proc/sys: netdevice(7). */
#include "net.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int request(unsigned long what, void *arg)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc = 0;

    if (fd < 0)
        return -errno;
    if (ioctl(fd, what, arg))
        rc = -errno;
    close(fd);
    return rc;
}

static int request_if(unsigned long what, struct ifreq *r, const char *ifname)
{
    if (strlen(ifname) >= sizeof(r->ifr_name))
        return -EINVAL;
    strcpy(r->ifr_name, ifname);
    return request(what, r);
}

static bool has(const char *ifname, const char *what)
{
    char path[128];

    snprintf(path, sizeof(path), "/sys/class/net/%s%s", ifname, what);
    return ifname[0] && !strchr(ifname, '/') && access(path, F_OK) == 0;
}

bool net_exists(const char *ifname)
{
    return has(ifname, "");
}

bool net_is_bridge(const char *ifname)
{
    return has(ifname, "/bridge");
}

bool net_is_member(const char *bridge, const char *ifname)
{
    char what[64];

    snprintf(what, sizeof(what), "/brif/%s", ifname);
    return has(bridge, what);
}

int net_rename(const char *from, const char *to)
{
    struct ifreq r = {0};

    if (strlen(to) >= sizeof(r.ifr_newname))
        return -EINVAL;
    strcpy(r.ifr_newname, to);
    return request_if(SIOCSIFNAME, &r, from);
}

int net_set_up(const char *ifname, bool up)
{
    struct ifreq r = {0};
    int rc = request_if(SIOCGIFFLAGS, &r, ifname);

    if (rc)
        return rc;
    r.ifr_flags = up ? r.ifr_flags | IFF_UP : r.ifr_flags & ~IFF_UP;
    return request_if(SIOCSIFFLAGS, &r, ifname);
}

int net_mtu(const char *ifname, unsigned int *mtu)
{
    struct ifreq r = {0};
    int rc = request_if(SIOCGIFMTU, &r, ifname);

    if (rc == 0)
        *mtu = r.ifr_mtu;
    return rc;
}

int net_set_mtu(const char *ifname, unsigned int mtu)
{
    struct ifreq r = {.ifr_mtu = mtu};

    return request_if(SIOCSIFMTU, &r, ifname);
}

static int put(const char *path, const char *value)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC), rc = 0;

    if (fd < 0)
        return -errno;
    if (write(fd, value, strlen(value)) < 0)
        rc = -errno;
    close(fd);
    return rc;
}

void net_no_ipv6(const char *ifname)
{
    char path[128];

    snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6", ifname);
    put(path, "1");
}

int net_bridge_make(const char *bridge)
{
    char name[IFNAMSIZ] = "", path[128];
    int rc;

    if (strlen(bridge) >= sizeof(name))
        return -EINVAL;
    strcpy(name, bridge);
    rc = request(SIOCBRADDBR, name);
    if (rc)
        return rc;
    /* No spanning tree is spoken, so nobody need listen for one before sending. */
    snprintf(path, sizeof(path), "/sys/class/net/%s/bridge/forward_delay", bridge);
    put(path, "0");
    return 0;
}

int net_bridge_remove(const char *bridge)
{
    char name[IFNAMSIZ] = "";

    if (strlen(bridge) >= sizeof(name))
        return -EINVAL;
    strcpy(name, bridge);
    return request(SIOCBRDELBR, name);
}

int net_bridge_join(const char *bridge, const char *ifname)
{
    struct ifreq r = {.ifr_ifindex = if_nametoindex(ifname)};
    int rc;

    if (!r.ifr_ifindex)
        return -errno;
    rc = request_if(SIOCBRADDIF, &r, bridge);
    return rc == -EBUSY && net_is_member(bridge, ifname) ? 0 : rc;
}

int net_bridge_leave(const char *bridge, const char *ifname)
{
    struct ifreq r = {.ifr_ifindex = if_nametoindex(ifname)};

    return r.ifr_ifindex ? request_if(SIOCBRDELIF, &r, bridge) : -errno;
}

int net_set_mac(const char *ifname, const uint8_t mac[6])
{
    struct ifreq r = {.ifr_hwaddr.sa_family = ARPHRD_ETHER};

    memcpy(r.ifr_hwaddr.sa_data, mac, 6);
    return request_if(SIOCSIFHWADDR, &r, ifname);
}

static int set_one(const char *ifname, unsigned long what, uint32_t value)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(value)};
    struct ifreq r = {0};

    memcpy(&r.ifr_addr, &in, sizeof(in));
    return request_if(what, &r, ifname);
}

int net_set_address(const char *ifname, uint32_t address, unsigned int prefix)
{
    uint32_t hosts = prefix < 32 ? ~0u >> prefix : 0;
    int rc = set_one(ifname, SIOCSIFADDR, address);

    rc = rc ?: set_one(ifname, SIOCSIFNETMASK, ~hosts);
    return rc ?: set_one(ifname, SIOCSIFBRDADDR, address | hosts);
}

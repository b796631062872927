/* SPDX-License-Identifier: MIT */
/* What device_kernel.c, loop.c and net.c ask of the kernel, without one. */
#include "fake_device.h"

#include "dom0-tools/libsocle/device_nodes.h"
#include "dom0-tools/libsocle/loop.h"
#include "dom0-tools/libsocle/net.h"
#include "dom0-tools/libsocle/network.h"
#include "dom0-tools/network/nft.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

struct fake_kernel fake_kernel;

void fake_kernel_reset(void)
{
    fake_kernel = (struct fake_kernel){.nets = "xenbr0 vif3.0 vif3.1 "};
}

bool kernel_has_back_end(const char *kind)
{
    return strcmp(kind, "vbd") == 0 ? !fake_kernel.no_disks : !fake_kernel.no_cards;
}

bool kernel_has_device(const struct device *d, bool serving)
{
    (void)d;
    return serving ? !fake_kernel.not_serving : fake_kernel.holding;
}

void kernel_loop_file(unsigned int minor, char *file, size_t size)
{
    (void)minor;
    snprintf(file, size, "%s", fake_kernel.loop_stands ? "/img" : "");
}

void kernel_pause(void)
{
    fake_kernel.seconds++;
}

time_t kernel_seconds(void)
{
    return fake_kernel.seconds;
}

int loop_attach(const char *path, bool readonly, struct loop *loop, struct error *err)
{
    if (fake_kernel.loop_error)
        return error_set(err, fake_kernel.loop_error, "%s is in use", path);
    *loop = (struct loop){.path = "/dev/loop1",
                          .device = makedev(7, fake_kernel.loops + 1),
                          .fd = open("/dev/null", readonly ? O_RDONLY : O_RDWR)};
    fake_kernel.loops++;
    return 0;
}

__attribute__((format(printf, 1, 2))) static int did(const char *format, ...)
{
    size_t len = strlen(fake_kernel.did);
    va_list args;

    va_start(args, format);
    vsnprintf(fake_kernel.did + len, sizeof(fake_kernel.did) - len, format, args);
    va_end(args);
    return fake_kernel.net_error;
}

bool net_exists(const char *ifname)
{
    char name[32];

    snprintf(name, sizeof(name), "%s ", ifname);
    return strstr(fake_kernel.nets, name);
}

bool net_is_bridge(const char *ifname)
{
    return net_exists(ifname) && strstr(ifname, "br");
}

bool net_is_member(const char *bridge, const char *ifname)
{
    (void)bridge;
    (void)ifname;
    return false;
}

int net_rename(const char *from, const char *to)
{
    strcat(fake_kernel.nets, to);
    strcat(fake_kernel.nets, " ");
    return did("rename %s %s;", from, to);
}

int net_set_up(const char *ifname, bool up)
{
    return did("%s %s;", up ? "up" : "down", ifname);
}

int net_mtu(const char *ifname, unsigned int *mtu)
{
    *mtu = strcmp(ifname, "jumbobr") == 0 ? 9000 : 1500;
    return 0;
}

int net_set_mtu(const char *ifname, unsigned int mtu)
{
    return did("mtu %s %u;", ifname, mtu);
}

int network_call(char **argv)
{
    if (fake_kernel.no_network)
        return -ENOENT;
    did("network");
    for (argv++; *argv; argv++)
        did(" %s", *argv);
    return did(";") ? 1 : 0;
}

int nft_run(const char *commands, struct error *err)
{
    (void)commands;
    return error_set(err, -EIO, "there is no packet filter");
}

void net_no_ipv6(const char *ifname)
{
    (void)ifname;
}

int net_bridge_make(const char *bridge)
{
    return did("make %s;", bridge);
}

int net_bridge_remove(const char *bridge)
{
    return did("remove %s;", bridge);
}

int net_bridge_join(const char *bridge, const char *ifname)
{
    return did("join %s %s;", bridge, ifname);
}

int net_bridge_leave(const char *bridge, const char *ifname)
{
    return did("leave %s %s;", bridge, ifname);
}

int net_set_mac(const char *ifname, const uint8_t mac[6])
{
    return did("mac %s %02x;", ifname, mac[0]);
}

int net_set_address(const char *ifname, uint32_t address, unsigned int prefix)
{
    return did("address %s %x/%u;", ifname, address, prefix);
}

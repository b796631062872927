// SPDX-License-Identifier: MIT
/* A subnet of their own for guests: dom0 is their router, and what leaves it does so with dom0's
 * address. Each bridge has an nftables(8) table of its own, so that one can go without the others. */
#include "network.h"
#include "nft.h"

#include "../libsocle/net.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int masquerade(const struct bridge *b, struct error *err)
{
    uint32_t subnet = b->address & ~(~0u >> b->prefix);
    char commands[512], text[16];

    /* Made and deleted first: so it does not matter whether there is one already. */
    snprintf(commands, sizeof(commands),
             "add table ip socle_%s\n"
             "delete table ip socle_%s\n"
             "table ip socle_%s {\n"
             "chain leaving {\n"
             "type nat hook postrouting priority 100;\n"
             "ip saddr %s/%u oifname != \"%s\" masquerade\n"
             "}\n}\n",
             b->name, b->name, b->name, address_text(subnet, text), b->prefix, b->name);
    return nft_run(commands, err);
}

static int route(struct error *err)
{
    static const char path[] = "/proc/sys/net/ipv4/ip_forward";
    int fd = open(path, O_WRONLY | O_CLOEXEC), rc = 0;

    if (fd < 0 || write(fd, "1", 1) != 1)
        rc = error_set(err, -EIO, "%s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return rc;
}

int nat_up(const struct bridge *b, struct error *err)
{
    int rc = net_set_address(b->name, b->address, b->prefix);

    if (rc)
        error_set(err, rc, "its address: %s", strerror(-rc));
    rc = rc ?: route(err);
    rc = rc ?: masquerade(b, err);
    if (rc == 0 && b->dhcp)
        rc = dhcp_up(b, err);
    return rc;
}

int nat_down(const struct bridge *b, struct error *err)
{
    char commands[128];

    dhcp_down(b);
    snprintf(commands, sizeof(commands), "add table ip socle_%s\ndelete table ip socle_%s\n",
             b->name, b->name);
    return nft_run(commands, err);
}

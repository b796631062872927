// SPDX-License-Identifier: MIT
/* Having bridges made, and filters. */
#include "network.h"

#include "net.h"

#include <errno.h>
#include <string.h>

int network_bridge(const char *name, struct error *err)
{
    char *argv[] = {NULL, "up", (char *)name, NULL};
    int rc;

    if (net_is_bridge(name))
        return 0;
    if (net_exists(name))
        return error_set(err, -ENODEV, "%s is no bridge", name);
    rc = network_call(argv);
    if (rc < 0)
        return error_set(err, -ENODEV, "there is no bridge %s, and no socle-network: %s", name,
                         strerror(-rc));
    if (rc == 0 && net_is_bridge(name))
        return 0;
    return error_set(err, -ENODEV, "there is no bridge %s, and socle-network could not make it",
                     name);
}

int network_filter(const char *netdev, const char *mac, const char *ips, struct error *err)
{
    char *argv[] = {NULL, "filter", (char *)netdev, (char *)(mac ? mac : "any"), (char *)ips, NULL};
    int rc;

    if (!mac && !ips)
        return 0;
    rc = network_call(argv);
    if (rc < 0)
        return error_set(err, rc, "no filter for what it sends, and no socle-network: %s",
                         strerror(-rc));
    return rc ? error_set(err, -EIO, "socle-network could not filter what it sends") : 0;
}

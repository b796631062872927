/* SPDX-License-Identifier: MIT */
/* What socle-network(8) does for those who connect cards. */
#ifndef LIBSOCLE_NETWORK_H
#define LIBSOCLE_NETWORK_H

#include "error.h"

/** network_bridge - see to it that there is a bridge
 * Returns 0; -ENODEV when it is something else, or could not be made. */
int network_bridge(const char *name, struct error *err);

/** network_filter - let only such frames in from a guest's interface, as long as that is there
 * @mac  "00:16:3e:00:00:01", or NULL: any
 * @ips  addresses with spaces between them, or NULL: any */
int network_filter(const char *netdev, const char *mac, const char *ips, struct error *err);

/** network_call - run the program, whose messages go where ours do
 * @argv  the first one is replaced
 * Returns its exit status, or -errno when it cannot be run. */
int network_call(char **argv);

#endif

/* SPDX-License-Identifier: MIT */
/* socle nic-list: the network cards of a domain. */
#include "device_table.h"

#include <stdlib.h>

static void print_line(struct xs_handle *xs, const struct device *d)
{
    char *mac = device_read(xs, XBT_NULL, d->back, "mac");

    printf("%-3u %-2d %-17s %-6u %-5ld %-6ld %5ld/%-11ld %-30s\n", d->id, 0, mac ? mac : "", d->id,
           device_number(xs, d->front, "state", -1),
           device_number(xs, d->front, "event-channel", -1),
           device_number(xs, d->front, "tx-ring-ref", -1),
           device_number(xs, d->front, "rx-ring-ref", -1), d->back);
    free(mac);
}

static void put_object(struct xs_handle *xs, const struct device *d, yajl_gen g)
{
    put_text(g, "mac", xs, d->back, "mac");
    put_text(g, "bridge", xs, d->back, "bridge");
    put_text(g, "interface", xs, d->back, "vifname");
    put_text(g, "rate", xs, d->back, "rate");
}

int cmd_nic_list(const struct command *self, int argc, char **argv)
{
    static const struct device_table table = {
        .kind = "vif",
        .header =
            "Idx BE Mac Addr.         handle state evt-ch   tx-/rx-ring-ref BE-path            "
            "           ",
        .print_line = print_line,
        .put_object = put_object,
    };

    return device_table_run(&table, self, argc, argv);
}

/* SPDX-License-Identifier: MIT */
/* socle disk-list: the disks of a domain. */
#include "device_table.h"

static void print_line(struct xs_handle *xs, const struct device *d)
{
    printf("%-5u %-3d %-6u %-5ld %-6ld %-8ld %-30s\n", d->id, 0, d->domid,
           device_number(xs, d->front, "state", -1),
           device_number(xs, d->front, "event-channel", -1),
           device_number(xs, d->front, "ring-ref", -1), d->back);
}

static void put_object(struct xs_handle *xs, const struct device *d, yajl_gen g)
{
    put_text(g, "vdev", xs, d->back, "dev");
    put_text(g, "path", xs, d->back, "params");
    put_text(g, "mode", xs, d->back, "mode");
    put_text(g, "device", xs, d->back, "physical-device-path");
    put_number(g, "sectors", device_number(xs, d->back, "sectors", -1));
}

int cmd_disk_list(const struct command *self, int argc, char **argv)
{
    static const struct device_table table = {
        .kind = "vbd",
        .header = "Vdev  BE  handle state evt-ch ring-ref BE-path                       ",
        .print_line = print_line,
        .put_object = put_object,
    };

    return device_table_run(&table, self, argc, argv);
}

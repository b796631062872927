/* SPDX-License-Identifier: MIT */
/* What socle disk-list and nic-list have in common: options, the domain's devices, and JSON. */
#ifndef SOCLE_DEVICE_TABLE_H
#define SOCLE_DEVICE_TABLE_H

#include "commands.h"
#include "../libsocle/device.h"

#include <yajl/yajl_gen.h>

struct device_table {
    const char *kind;   /* "vbd" */
    const char *header; /* of the text */
    void (*print_line)(struct xs_handle *xs, const struct device *d);
    void (*put_object)(struct xs_handle *xs, const struct device *d, yajl_gen g); /* its keys */
};

/** device_table_run - what the commands do; returns an exit status. */
int device_table_run(const struct device_table *t, const struct command *self, int argc,
                     char **argv);

/** put_number, put_text - a key and what the node of that name has. Nodes of guests may have
 * anything in them: what is no number is -1. */
void put_number(yajl_gen g, const char *key, long n);
void put_text(yajl_gen g, const char *key, struct xs_handle *xs, const char *dir, const char *node);

#endif

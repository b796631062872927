/* SPDX-License-Identifier: MIT */
/* What the files device*.c share. */
#ifndef LIBSOCLE_DEVICE_NODES_H
#define LIBSOCLE_DEVICE_NODES_H

#include "device.h"

#include <stdbool.h>
#include <time.h>

#define BACK_ENDS "/local/domain/0/backend"
#define ERRORS    "/local/domain/0/error/backend"

enum { INITIALISING = 1, INIT_WAIT, INITIALISED, CONNECTED, CLOSING, CLOSED };

void device_init(struct device *d, const char *kind, domid_t domid, unsigned int id);
bool is_number(const char *s, unsigned int *n);

/** device_let_go - close what is held open of the domain's disks until back ends have them. */
void device_let_go(domid_t id);

/* What the kernel shows of its back ends (device_kernel.c). */

/** kernel_has_back_end - whether it has one for @kind, after asking for the module if not. */
bool kernel_has_back_end(const char *kind);
/** kernel_has_device - whether it serves the device; for a disk: whether it could open it
 * @serving  false: whether it knows of the device at all */
bool kernel_has_device(const struct device *d, bool serving);
/** kernel_loop_file - what the loop device of that number stands for, "" if for nothing. */
void kernel_loop_file(unsigned int minor, char *file, size_t size);
/** kernel_pause - sleep for a moment, while others get on. */
void kernel_pause(void);
/** kernel_seconds - a clock that only goes forward. */
time_t kernel_seconds(void);

/** hotplug_run - run a user's script for a device, as Xen's tools run theirs
 * @action  "add", "remove" for disks, "online", "offline" for cards
 * @netdev  the interface of a card
 * Returns 0 or -errno; the line in @err does not name the device. */
int hotplug_run(struct xs_handle *xs, const struct device *d, const char *script,
                const char *action, const char *netdev, unsigned int seconds, struct error *err);

#endif

/* SPDX-License-Identifier: MIT */
/* Disks and network cards of domains, served by the back ends of the control domain's kernel
 * (xen-blkback, xen-netback). Tools write the store's nodes and connect the other end.
 *
 * A device has two directories: the back end's, which only tools and the kernel write, and the
 * front end's, which is the guest's. Nothing here believes what stands in the guest's. */
#ifndef LIBSOCLE_DEVICE_H
#define LIBSOCLE_DEVICE_H

#include "config.h"
#include "error.h"

#include <stdbool.h>
#include <xen/xen.h>
#include <xenstore.h>

#define DEVICE_SECONDS 60       /* patience with back ends, if there is no reason for another */
#define DEVICE_BRIDGE  "xenbr0" /* of cards whose configuration names none */

/** devices_add - make the loop devices and the store's nodes of all disks and cards, or nothing
 * @c  its uuid decides on addresses of cards that have none of their own: the same each time
 * What is made is the caller's to end with devices_remove().
 * Returns 0 or -errno; -EBUSY: another domain has the disk, -EEXIST: or the address, or the name of
 * the interface, -ENODEV: the kernel has no back end. The line in @err begins with the device. */
int devices_add(struct xs_handle *xs, domid_t id, const struct domain_config *c, struct error *err);

/** devices_wait - wait until the back ends are ready, and connect cards to their bridges
 * To be done between devices_add() and the domain's first instruction, by the same process.
 * Returns 0; -ETIMEDOUT, -EIO: a back end reports an error, or -errno. */
int devices_wait(struct xs_handle *xs, domid_t id, unsigned int seconds, struct error *err);

/** devices_remove - take the devices of a domain away at once, if there are any
 * The domain may run, be on its way down, or gone, and may be another tool's.
 * Returns 0, or -errno when something could not be ended; all the rest is. */
int devices_remove(struct xs_handle *xs, domid_t id, struct error *err);

/** devices_any - whether there may be something for devices_remove() to do. */
bool devices_any(domid_t id);

/** device_mac - the address of card @nr: that of the configuration, or one made of its uuid
 * @salt  others, if that one is taken */
void device_mac(const struct domain_config *c, size_t nr, unsigned int salt, uint8_t mac[6]);

struct device {
    char kind[16]; /* "vbd", "vif"; of other tools also others */
    domid_t domid; /* the guest */
    unsigned int id;
    char back[96], front[96]; /* directories */
};

/** devices_list - what a domain has, by the back ends' directories
 * @kind  NULL: of all kinds
 * @list  from malloc(), the caller's to free; @nr of them, ordered by kind and id
 * Returns 0 or -errno. */
int devices_list(struct xs_handle *xs, xs_transaction_t t, domid_t id, const char *kind,
                 struct device **list, size_t *nr);

/** device_read - a node of a directory, from malloc(); NULL: there is none. */
char *device_read(struct xs_handle *xs, xs_transaction_t t, const char *dir, const char *name);
/** device_number - a node that has a number; @otherwise: if there is none. */
long device_number(struct xs_handle *xs, const char *dir, const char *name, long otherwise);
/** device_name - "disk xvda", "nic 0". */
void device_name(struct xs_handle *xs, const struct device *d, char *name, size_t size);

#endif

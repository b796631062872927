/* SPDX-License-Identifier: MIT */
/* What the back ends in this kernel count of the disks and network cards of guests. */
#ifndef SOCLE_COUNTERS_H
#define SOCLE_COUNTERS_H

#include <stdbool.h>
#include <stdint.h>
#include <xen/xen.h>

struct counters { /* of a device, or the sums of several */
    domid_t id;
    bool disk;           /* or a network card */
    unsigned int device; /* its number; or how many */
    /* disks: requests that had to wait, reads, writes, sectors of 512 bytes */
    uint64_t waited, reads, writes, sectors_read, sectors_written;
    /* cards, as the guest sees it */
    uint64_t received, sent, packets_received, packets_sent; /* bytes; packets */
};

/** counters_read - all devices, by domain and number
 * @sys  where the kernel tells of itself: "/sys"
 * @nr   out: how many
 * Returns them, from malloc(). */
struct counters *counters_read(const char *sys, unsigned int *nr);

/** counters_sum - those of a domain's disks, or cards. */
struct counters counters_sum(const struct counters *c, unsigned int nr, domid_t id, bool disk);

#endif

/* SPDX-License-Identifier: MIT */
/* A kernel for tests of devices: its back ends, loop devices and network interfaces. */
#ifndef FAKE_DEVICE_H
#define FAKE_DEVICE_H

#include <stdbool.h>

struct fake_kernel {
    bool no_disks, no_cards; /* no back ends for these */
    bool not_serving;        /* devices are known, but not served */
    bool holding;            /* devices are still known when they should be gone */
    bool no_network;         /* there is no socle-network */
    bool loop_stands;        /* as does the loop device of /img */
    unsigned int seconds;    /* of the clock; each pause is one */
    int loop_error;          /* of loop_attach() */
    unsigned int loops;      /* devices made */
    int net_error;           /* of whatever is done to interfaces */
    char nets[128];          /* interfaces that are there: "br0 vif3.0 " */
    char did[1024]; /* what was done to interfaces: "rename vif3.0 web;", "network up br0;" */
};
extern struct fake_kernel fake_kernel;

/** fake_kernel_reset - back ends that work, a bridge xenbr0, no devices. */
void fake_kernel_reset(void);

#endif

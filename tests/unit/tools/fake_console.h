/* SPDX-License-Identifier: MIT */
/* Domains with consoles for tests of socle-consoled: pages of ours, and what the daemon did. */
#ifndef FAKE_CONSOLE_H
#define FAKE_CONSOLE_H

#include "dom0-tools/consoled/finder.h"

#include <xen/io/console.h>

enum { FAKE_GUESTS = 8, FAKE_LOG_PORT = 99 };

struct fake_guest {
    struct xencons_interface page;
    bool gone;  /* neither mapping nor binding works */
    bool taken; /* its port is another one's */
    int mapped, bound;
    unsigned int notified, unmasked;
    unsigned int connected; /* how often the finder was told */
    char tty[64];
};
extern struct fake_guest fake_guests[FAKE_GUESTS];

/* The port here of a guest. */
static inline uint32_t fake_port(domid_t id)
{
    return 200 + id;
}

#endif

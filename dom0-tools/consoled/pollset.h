/* SPDX-License-Identifier: MIT */
/* Descriptors that are waited for, put together anew for each turn of the loop. */
#ifndef CONSOLED_POLLSET_H
#define CONSOLED_POLLSET_H

#include <poll.h>
#include <stddef.h>

struct pollset {
    struct pollfd *fds;
    size_t nr, room;
};

/** pollset_add - wait for @events of @fd; returns its place. */
size_t pollset_add(struct pollset *set, int fd, short events);

/** pollset_events - what has come at this place; 0 for a place beyond. */
short pollset_events(const struct pollset *set, size_t place);

#define POLLSET_NONE ((size_t)-1) /* a place where nothing comes */

#endif

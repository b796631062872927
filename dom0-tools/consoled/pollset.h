/* SPDX-License-Identifier: MIT */
/* Descriptors that are waited for, put together anew for each turn of the loop. The kernel keeps the
 * set (epoll(7)) and hears of what is different from the turn before, so that hundreds of silent
 * consoles cost nothing there. */
#ifndef CONSOLED_POLLSET_H
#define CONSOLED_POLLSET_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pollset {
    int epoll; /* once there is a slot */
    struct pollset_slot *slot;
    size_t room;
    uint64_t turn;
};

/** pollset_begin - an empty set, for a new turn. */
void pollset_begin(struct pollset *set);

/** pollset_add - wait for @events of @fd; returns its place. */
size_t pollset_add(struct pollset *set, int fd, short events);

/** pollset_wait - until something comes, or @timeout (daemon_poll()); returns whether it has. */
bool pollset_wait(struct pollset *set, int64_t timeout);

/** pollset_events - what has come at this place; 0 for POLLSET_NONE. */
short pollset_events(const struct pollset *set, size_t place);

/** pollset_close - close a descriptor that may be in a set: the next of its number is another one. */
void pollset_close(int fd);

#define POLLSET_NONE ((size_t)-1) /* a place where nothing comes */

#endif

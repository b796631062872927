/* SPDX-License-Identifier: MIT */
/* Sets of descriptors. A place is the descriptor's number. */
#include "pollset.h"

#include "../libsocle/alloc.h"
#include "../libsocle/daemon.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

_Static_assert(EPOLLIN == POLLIN && EPOLLOUT == POLLOUT && EPOLLHUP == POLLHUP &&
                   EPOLLERR == POLLERR,
               "events have the same numbers");

enum { AT_ONCE = 64 }; /* events; what is left comes in the next turn */

struct pollset_slot {
    bool known;               /* to the kernel, with these events: */
    short events;             /* unless it has been closed since */
    uint32_t closings;        /* how often that number had been closed then */
    uint64_t added, happened; /* turns */
    short revents;
};

static uint32_t *closings; /* of each number */
static size_t nr_closings;

static uint32_t closings_of(size_t fd)
{
    return fd < nr_closings ? closings[fd] : 0;
}

/* Room for the number @at, zeroed. */
static void *with_room(void *array, size_t *room, size_t at, size_t size)
{
    size_t more = at < *room ? *room : at * 2 + 16;

    if (more == *room)
        return array;
    array = realloc(array, more * size);
    must_have(array ? 0 : -ENOMEM);
    memset((uint8_t *)array + *room * size, 0, (more - *room) * size);
    *room = more;
    return array;
}

void pollset_close(int fd)
{
    closings = with_room(closings, &nr_closings, fd, sizeof(*closings));
    closings[fd]++;
    close(fd);
}

void pollset_begin(struct pollset *set)
{
    if (!set->slot) {
        set->epoll = epoll_create1(EPOLL_CLOEXEC);
        must_have(set->epoll < 0 ? -errno : 0);
    }
    set->turn++;
}

size_t pollset_add(struct pollset *set, int fd, short events)
{
    struct epoll_event e = {.events = events, .data.fd = fd};
    struct pollset_slot *s;

    set->slot = with_room(set->slot, &set->room, fd, sizeof(*set->slot));
    s = &set->slot[fd];
    s->added = set->turn;
    if (s->known && s->closings != closings_of(fd))
        s->known = false;
    if (!s->known || s->events != events)
        s->known = !epoll_ctl(set->epoll, s->known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &e);
    s->events = events;
    s->closings = closings_of(fd);
    return fd;
}

/* Those that nobody has asked for in this turn. */
static void drop_others(struct pollset *set)
{
    for (size_t fd = 0; fd < set->room; fd++) {
        struct pollset_slot *s = &set->slot[fd];

        if (!s->known || s->added == set->turn)
            continue;
        if (s->closings == closings_of(fd))
            epoll_ctl(set->epoll, EPOLL_CTL_DEL, fd, NULL);
        s->known = false;
    }
}

bool pollset_wait(struct pollset *set, int64_t timeout)
{
    struct pollfd any = {.fd = set->epoll, .events = POLLIN};
    struct epoll_event e[AT_ONCE];
    int nr;

    drop_others(set);
    if (daemon_poll(&any, 1, timeout) <= 0)
        return false;
    nr = epoll_wait(set->epoll, e, AT_ONCE, 0);
    for (int i = 0; i < nr; i++) {
        set->slot[e[i].data.fd].revents = e[i].events;
        set->slot[e[i].data.fd].happened = set->turn;
    }
    return nr > 0;
}

short pollset_events(const struct pollset *set, size_t place)
{
    return place < set->room && set->slot[place].happened == set->turn ? set->slot[place].revents
                                                                       : 0;
}

/* SPDX-License-Identifier: MIT */
/* Sets of descriptors. */
#include "pollset.h"

#include "../libsocle/alloc.h"

#include <stdlib.h>

size_t pollset_add(struct pollset *set, int fd, short events)
{
    if (set->nr == set->room) {
        set->room = set->room ? set->room * 2 : 16;
        set->fds = realloc(set->fds, set->room * sizeof(*set->fds));
        must_have(!set->fds);
    }
    set->fds[set->nr] = (struct pollfd){.fd = fd, .events = events};
    return set->nr++;
}

short pollset_events(const struct pollset *set, size_t place)
{
    return place < set->nr ? set->fds[place].revents : 0;
}

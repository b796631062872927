/* SPDX-License-Identifier: MIT */
/* Watches: who wants to know of changes where. */
#ifndef STORED_WATCH_H
#define STORED_WATCH_H

#include "store.h"

struct conn;

#define WATCH_ANY_DEPTH UINT32_MAX

struct watch {
    struct watch *next, *next_of_conn; /* on the same path; of the same connection */
    struct conn *conn;
    uint32_t strip; /* bytes at the front of a path that are not told: the watch was relative */
    uint32_t depth; /* levels below the path that count; 0: only itself */
    char *path, *token;
};

/** watch_add - returns 0; -EEXIST: the connection has such a one; -E2BIG: it has too many. */
int watch_add(struct conn *c, const char *path, uint32_t strip, const char *token, uint32_t depth);
/** watch_remove - returns 0 or -ENOENT. */
int watch_remove(struct conn *c, const char *path, const char *token);
/** watch_remove_all - a connection ends, or asks for it. */
void watch_remove_all(struct conn *c);

/** watch_fire - a path has changed: queue an event for each watch on it and, unless @exact, above
 * it
 * @seen  those who may read one of these versions (some are NULL) may know */
void watch_fire(const char *path, bool exact, const struct node *const *seen, unsigned int nr);

#endif

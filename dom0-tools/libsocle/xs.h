/* SPDX-License-Identifier: MIT */
/* The store, for commands that read and write a few values. Requests are sent together, so that
 * many values take hardly longer than one. All return 0 or a negative errno, -ENOTCONN without a
 * store. */
#ifndef LIBSOCLE_XS_H
#define LIBSOCLE_XS_H

#include "bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** xs_reach - see to it that there is a connection; returns 0, or the errno of connect(2). */
int xs_reach(void);
/** xs_leave - end the connection; the next request makes another one. */
void xs_leave(void);

/** xs_get - the value of a node, from malloc(); NULL: there is none, or no store. */
char *xs_get(const char *path);

/** xs_get_all - the same of many nodes: @value[i] is that of @path[i]
 * Returns the first error but for -ENOENT; the others are read all the same. */
int xs_get_all(const char *const *path, size_t nr, char **value);

/** xs_remove - a node and all below; -ENOENT: there is none. */
int xs_remove(const char *path);

struct xs_pair {
    const char *path, *value;
};

/** xs_put_all - write all these nodes, or none. */
int xs_put_all(const struct xs_pair *pair, size_t nr);

/* Changes that are made together, in the order in which they are put here. Begin with {0}. */
struct xs_changes {
    struct bytes requests;
};

/** xs_put, xs_make, xs_drop - write a node, make an empty one if there is none, remove one with all
 * below it, if it is there. */
void xs_put(struct xs_changes *c, const char *path, const char *value);
void xs_make(struct xs_changes *c, const char *path);
void xs_drop(struct xs_changes *c, const char *path);
/** xs_permit - set permissions: texts like "r3", each with its NUL, the owner's first. */
void xs_permit(struct xs_changes *c, const char *path, const char *perms, size_t len);
/** xs_expect - the node must be there, or else nothing is changed (-ENOENT). */
void xs_expect(struct xs_changes *c, const char *path);
/** xs_change - make all of the changes, or none, and forget them. */
int xs_change(struct xs_changes *c);

/** xs_introduce, xs_release - tell the store of a domain with its ring, and of its end. */
int xs_introduce(unsigned int id, uint64_t frame, uint32_t port);
int xs_release(unsigned int id);

/** xs_list_all - names of the children of many nodes, one after the other, each with its NUL, a
 * further NUL behind them, from malloc(); NULL: there is no such node. */
int xs_list_all(const char *const *path, size_t nr, char **names);

/** xs_observe - have xs_await() return when @path changes (or @releaseDomain happens). */
int xs_observe(const char *path);

/** xs_await - wait for that, or for @ms milliseconds
 * May return early. Without a store it is a short sleep, so that a loop with it goes on. */
void xs_await(int ms);

/** xs_subscribe, xs_unsubscribe - hear of changes at @path and below, for as long as the connection
 * lasts: xs_on_event(), which may be called by any function here, is given @token. */
int xs_subscribe(const char *path, const char *token);
int xs_unsubscribe(const char *path, const char *token);
extern void (*xs_on_event)(const char *token);

/** xs_events - take in events that wait; returns whether the connection stands. */
bool xs_events(void);

/** xs_fd - readable when there is something for xs_events(), unless that has been read already:
 * then, and without a connection, -1. */
int xs_fd(void);

/** xs_lost - has a connection ended, since this was asked last? */
bool xs_lost(void);

/* The way to the store. Tests have another one. */
struct xs_wire {
    int (*open)(void); /* returns a descriptor or a negative errno */
    ssize_t (*send)(int fd, const void *data, size_t len);
    ssize_t (*recv)(int fd, void *data, size_t len);
};
extern const struct xs_wire *xs_wire;

#endif

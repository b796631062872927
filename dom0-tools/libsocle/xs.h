/* SPDX-License-Identifier: MIT */
/* The store, for commands that read and write a few values. Requests are sent together, so that
 * many values take hardly longer than one. All return 0 or a negative errno, -ENOTCONN without a
 * store. */
#ifndef LIBSOCLE_XS_H
#define LIBSOCLE_XS_H

#include <stdbool.h>
#include <stddef.h>

/** xs_get - the value of a node, from malloc(); NULL: there is none, or no store. */
char *xs_get(const char *path);

/** xs_get_all - the same of many nodes: @value[i] is that of @path[i]. */
int xs_get_all(const char *const *path, size_t nr, char **value);

/** xs_remove - a node and all below; -ENOENT: there is none. */
int xs_remove(const char *path);

struct xs_pair {
    const char *path, *value;
};

/** xs_put_all - write all these nodes, or none. */
int xs_put_all(const struct xs_pair *pair, size_t nr);

/** xs_list_all - names of the children of many nodes, one after the other, each with its NUL, a
 * further NUL behind them, from malloc(); NULL: there is no such node. */
int xs_list_all(const char *const *path, size_t nr, char **names);

/** xs_observe - have xs_await() return when @path changes (or @releaseDomain happens). */
int xs_observe(const char *path);

/** xs_await - wait for that, or for @ms milliseconds
 * May return early. Without a store it is a short sleep, so that a loop with it goes on. */
void xs_await(int ms);

#endif

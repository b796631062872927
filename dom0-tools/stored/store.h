/* SPDX-License-Identifier: MIT */
/* The tree of nodes, as it is after the last commit.
 *
 * S1  A version of a node (struct node) never changes. What changes is which version a path has:
 *     whoever holds a version and finds the same pointer at the path knows that nothing happened.
 * S2  Every node but "/" and those whose names begin with '@' is listed, once, in the names of its
 *     parent, which exists; every name listed there is a node.            [txn.c keeps it]
 * S3  store_owned(d) is the number of nodes that domain d owns.            [store_set]
 */
#ifndef STORED_STORE_H
#define STORED_STORE_H

#include "perms.h"

#include "../libsocle/map.h"

#include <xen/io/xs_wire.h>

struct node {
    uint64_t generation; /* no other version of any node has the same */
    unsigned int refs;
    domid_t by;            /* who has committed it */
    unsigned int nr_perms; /* at least 1 */
    uint32_t value_len, names_len;
    const struct perm *perms;
    const uint8_t *value;
    const char *names; /* of the children, each with its NUL */
};

/** node_make - a new version, with one reference. */
struct node *node_make(const struct perm *perms, unsigned int nr_perms, const void *value,
                       size_t value_len, const char *names, size_t names_len);
/** node_get, node_put - take and drop a reference; NULL is taken. */
struct node *node_get(struct node *n);
void node_put(struct node *n);

extern struct map store_nodes; /* path -> struct node; to be changed by store_set() alone */
extern uint64_t store_generation;

/** store_init - an empty store: "/", "/tool/xenstored", "@introduceDomain" and "@releaseDomain". */
void store_init(void);
/** store_reset - forget everything. */
void store_reset(void);
/** store_get - the version of a path now, borrowed; NULL if there is no such node. */
struct node *store_get(const char *path);
/** store_set - give a path another version, whose reference it takes over; NULL removes it. */
void store_set(const char *path, struct node *n);
/** store_owned - number of nodes of a domain. */
unsigned int store_owned(domid_t id);
/** store_check - does S2 and S3 hold? Returns the number of violations. */
unsigned int store_check(void);

#define PATH_ROOM (XENSTORE_ABS_PATH_MAX + 1) /* a path with its NUL */

/** path_parent - the path above; "/" for those right below it. @path is not "/". */
void path_parent(const char *path, char parent[PATH_ROOM]);
/** path_name - the last part. */
const char *path_name(const char *path);

#endif

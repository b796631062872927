/* SPDX-License-Identifier: MIT */
/* Transactions: what somebody has seen of the tree and changed, until it is committed at once or
 * not at all. A request outside of a transaction has one to itself.
 *
 * T1  For each path that was looked at, the transaction holds the version that it saw first
 *     (base; NULL: there was none) and the one it would have there (now). A request alone (id 0)
 *     holds only those that it changes, for nobody comes between.
 * T2  A commit is allowed only if the tree has, at each of these paths, still the base. So it is as
 *     if all of the transaction had happened at the moment of its commit.       [txn_commit]
 * T3  Between two looks of a transaction somebody else may commit. Then it has seen a bit of either
 *     state, a name without its node, say, and will not commit; but until then nobody may stumble.
 */
#ifndef STORED_TXN_H
#define STORED_TXN_H

#include "store.h"

struct event;

struct txn {
    struct txn *next; /* of the same connection */
    uint32_t id;
    domid_t culprit; /* when the commit has failed: who made the change that was in the way */
    bool doomed;     /* from before a restart: what it has seen is lost, so it must not commit */
    struct map changes;
    struct event *events, **last_event;
};

/** txn_init, txn_clear - an empty transaction; give up one, or what is left after a commit. */
void txn_init(struct txn *t, uint32_t id);
void txn_clear(struct txn *t);

/** txn_get - the version of a path as the transaction sees it, borrowed; NULL: no such node. */
struct node *txn_get(struct txn *t, const char *path);
/** txn_has - is there such a node, as the transaction sees it? Does not count as a look (T1). */
bool txn_has(const struct txn *t, const char *path);
/** txn_set - give a path another version, whose reference is taken over; NULL removes it. */
void txn_set(struct txn *t, const char *path, struct node *n);
/** txn_event - tell watches after the commit that this path has changed
 * @exact  only those on the path itself, not those above it */
void txn_event(struct txn *t, const char *path, bool exact);
/** txn_size - number of paths looked at. */
size_t txn_size(const struct txn *t);
/** txn_owned - nodes that a domain would own after the commit. */
unsigned int txn_owned(const struct txn *t, domid_t id);

/** txn_commit - make it so
 * Returns 0; -EAGAIN if T2 forbids it; -ENOSPC if @who would have too many nodes. */
int txn_commit(struct txn *t, const struct who *who);
/** txn_fire - after the commit: fire watches. */
void txn_fire(const struct txn *t);

#endif

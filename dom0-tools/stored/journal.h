/* SPDX-License-Identifier: MIT */
/* What survives the daemon's death: the tree, and for each domain its ring with all that is under
 * way on it. Clients of the socket see their connection end, and connect again. */
#ifndef STORED_JOURNAL_H
#define STORED_JOURNAL_H

#include "domain.h"
#include "watch.h"

#include "../libsocle/error.h"

/** journal_load - bring back what the file has of this boot of the machine
 * Domains are not mapped yet: domain_restore(). Returns 0 (also if there is no file), or a negative
 * errno: nothing is brought back then, and the file is kept with ".bad" behind its name. */
int journal_load(const char *path, struct error *err);

/** journal_start - write all that there is to a new file, and from now on what changes. */
int journal_start(const char *path, struct error *err);

/** journal_stop - the file stays as it is. */
void journal_stop(void);

/* What has happened. Without a journal these do nothing. */
void journal_node(const char *path, const struct node *n);
void journal_domain(const struct domain *d); /* is there, or has changed */
void journal_release(const struct domain *d);
void journal_ring(struct domain *d);   /* has a connection, as if new */
void journal_in(const struct conn *c); /* of a ring: what has come in */
void journal_out(const struct conn *c, const void *data, size_t len);
void journal_watch(const struct watch *w);
void journal_unwatch(const struct watch *w);
void journal_txn(const struct conn *c, uint32_t id, bool begins);
void journal_quotas(void);

/** journal_commit - all that has happened since the last commit shall survive, whole.
 * (If the file cannot be written, it is removed: no state is better than an old one. It is tried
 * again from time to time.) */
void journal_commit(void);

#endif

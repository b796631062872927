/* SPDX-License-Identifier: MIT */
/* Operations on nodes inside of a transaction, with permissions and limits. All take an absolute
 * path that path_ok() likes, change nothing when they fail, and return 0 or
 *   -EACCES  not allowed, or not allowed to know whether there is such a node
 *   -ENOENT  there is no such node
 *   -ENOSPC  more than @who may have (quota.h) */
#ifndef STORED_TREE_H
#define STORED_TREE_H

#include "txn.h"

/** path_ok - is this an absolute path as the protocol allows it? */
bool path_ok(const char *path);

/** tree_find - look at a node
 * @bits  PERM_* that are needed
 * @n     out, borrowed */
int tree_find(struct txn *t, const struct who *who, const char *path, unsigned int bits,
              struct node **n);
/** tree_write - set the value; makes the node, and those above it. */
int tree_write(struct txn *t, const struct who *who, const char *path, const void *value,
               size_t len);
/** tree_mkdir - make a node if there is none. */
int tree_mkdir(struct txn *t, const struct who *who, const char *path);
/** tree_rm - remove a node and all below it; 0 also if only its parent is there. -EINVAL: "/". */
int tree_rm(struct txn *t, const struct who *who, const char *path);
/** tree_set_perms - -EPERM if somebody unprivileged would give the node away; otherwise as above.
 */
int tree_set_perms(struct txn *t, const struct who *who, const char *path, const struct perm *perms,
                   unsigned int nr);
/** tree_forget_domain - a domain is gone: its nodes go, and entries that name it. */
void tree_forget_domain(struct txn *t, domid_t id);

#endif

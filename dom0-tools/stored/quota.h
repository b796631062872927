/* SPDX-License-Identifier: MIT */
/* What one unprivileged domain may use. */
#ifndef STORED_QUOTA_H
#define STORED_QUOTA_H

#include <stddef.h>

struct quota {
    unsigned int nodes;        /* that it owns */
    unsigned int watches;      /* at a time */
    unsigned int transactions; /* at a time */
    unsigned int txn_nodes;    /* that a transaction has looked at */
    unsigned int node_size;    /* bytes of a node: value, names of children, permissions */
    unsigned int perms;        /* entries of a node */
    unsigned int out;          /* bytes of events that it has not fetched */
};

extern struct quota quota;

/** quota_find - the limit of this name ("nodes", "txn-nodes" ...), or NULL. */
unsigned int *quota_find(const char *name);
/** quota_name - name of the @nr-th limit, NULL after the last one. */
const char *quota_name(unsigned int nr);

#endif

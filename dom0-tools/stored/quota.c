/* SPDX-License-Identifier: MIT */
/* Limits and their names. */
#include "quota.h"

#include <string.h>

struct quota quota = {
    .nodes = 1000,
    .watches = 128,
    .transactions = 10,
    .txn_nodes = 1024,
    .node_size = 2048,
    .perms = 5,
    .out = 1 << 20,
};

static const struct {
    const char *name;
    unsigned int *value;
} limits[] = {
    {"nodes", &quota.nodes},
    {"watches", &quota.watches},
    {"transactions", &quota.transactions},
    {"txn-nodes", &quota.txn_nodes},
    {"node-size", &quota.node_size},
    {"perms", &quota.perms},
    {"out", &quota.out},
};
enum { NR_LIMITS = sizeof(limits) / sizeof(limits[0]) };

unsigned int *quota_find(const char *name)
{
    for (unsigned int i = 0; i < NR_LIMITS; i++) {
        if (strcmp(limits[i].name, name) == 0)
            return limits[i].value;
    }
    return NULL;
}

const char *quota_name(unsigned int nr)
{
    return nr < NR_LIMITS ? limits[nr].name : NULL;
}

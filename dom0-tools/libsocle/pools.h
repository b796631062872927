/* SPDX-License-Identifier: MIT */
/* Pools of CPUs by their names, which the store has at /local/pool/ID/name. */
#ifndef LIBSOCLE_POOLS_H
#define LIBSOCLE_POOLS_H

#include "xc.h"

#define POOL_0 "Pool-0" /* of all that is in no other */

/** pool_name - from malloc(); "Pool-ID" where the store has none. */
char *pool_name(uint32_t id);

/** pool_find - the pool of that name, or -ENOENT; errors of xc_pools(). */
int pool_find(const char *name, struct xc_pool *pool);

/** pool_take_name, pool_drop_name - write what other tools know it by, or remove it. */
int pool_take_name(uint32_t id, const char *name);
int pool_drop_name(uint32_t id);

#endif

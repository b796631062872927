/* SPDX-License-Identifier: MIT */
/* Pools of CPUs by their names. Nodes of pools that are gone do no harm: a pool is what the hypervisor has. */
#include "pools.h"

#include "alloc.h"
#include "xs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_ROOM 48

static char *path_of(uint32_t id, const char *node, char path[PATH_ROOM])
{
    snprintf(path, PATH_ROOM, "/local/pool/%u%s", id, node);
    return path;
}

char *pool_name(uint32_t id)
{
    char path[PATH_ROOM], otherwise[24], *name = xs_get(path_of(id, "/name", path));

    if (name && name[0])
        return name;
    free(name);
    snprintf(otherwise, sizeof(otherwise), "Pool-%u", id);
    return must_copy(otherwise, strlen(otherwise));
}

int pool_find(const char *name, struct xc_pool *pool)
{
    struct xc_pool *list = NULL;
    unsigned int nr = 0;
    int rc = xc_pools(&list, &nr), found = -ENOENT;

    for (unsigned int i = 0; i < nr && found; i++) {
        char *its = pool_name(list[i].id);

        found = strcmp(its, name) == 0 ? 0 : -ENOENT;
        if (found == 0)
            *pool = list[i];
        free(its);
    }
    free(list);
    return rc ? rc : found;
}

int pool_take_name(uint32_t id, const char *name)
{
    char path[PATH_ROOM];
    const struct xs_pair pair = {path_of(id, "/name", path), name};

    return xs_put_all(&pair, 1);
}

int pool_drop_name(uint32_t id)
{
    char path[PATH_ROOM];

    return xs_remove(path_of(id, "", path));
}

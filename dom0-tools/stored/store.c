/* SPDX-License-Identifier: MIT */
/* The tree: a hash table by path. Rules S1 to S3 are in store.h. */
#include "store.h"
#include "journal.h"

#include "../libsocle/alloc.h"

#include <stdlib.h>
#include <string.h>

struct map store_nodes;
uint64_t store_generation;
static unsigned int owned[DOMID_FIRST_RESERVED];

struct node *node_make(const struct perm *perms, unsigned int nr_perms, const void *value,
                       size_t value_len, const char *names, size_t names_len)
{
    size_t perms_len = nr_perms * sizeof(*perms);
    struct node *n = must_alloc(sizeof(*n) + perms_len + value_len + names_len);
    uint8_t *at = (uint8_t *)(n + 1);

    *n = (struct node){
        .generation = ++store_generation,
        .refs = 1,
        .nr_perms = nr_perms,
        .value_len = value_len,
        .names_len = names_len,
        .perms = (struct perm *)at,
        .value = at + perms_len,
        .names = (char *)at + perms_len + value_len,
    };
    memcpy(at, perms, perms_len);
    if (value_len)
        memcpy(at + perms_len, value, value_len);
    if (names_len)
        memcpy(at + perms_len + value_len, names, names_len);
    return n;
}

struct node *node_get(struct node *n)
{
    if (n)
        n->refs++;
    return n;
}

void node_put(struct node *n)
{
    if (n && --n->refs == 0)
        free(n);
}

void store_reset(void)
{
    MAP_EACH(&store_nodes, e)
    {
        node_put(e->value);
    }
    map_clear(&store_nodes);
    memset(owned, 0, sizeof(owned));
}

void store_init(void)
{
    static const struct {
        const char *path, *names;
        size_t len;
    } first[] = {
        {"/", "tool", 5},
        {"/tool", "xenstored", 10},
        {"/tool/xenstored", NULL, 0},
        {"@introduceDomain", NULL, 0},
        {"@releaseDomain", NULL, 0},
    };
    struct perm dom0 = {.id = 0};

    store_reset();
    for (unsigned int i = 0; i < sizeof(first) / sizeof(first[0]); i++)
        store_set(first[i].path, node_make(&dom0, 1, NULL, 0, first[i].names, first[i].len));
}

struct node *store_get(const char *path)
{
    return map_get(&store_nodes, path);
}

void store_set(const char *path, struct node *n)
{
    struct node *old = n ? map_put(&store_nodes, path, n) : map_remove(&store_nodes, path);

    if (old)
        owned[old->perms[0].id]--;
    if (n)
        owned[n->perms[0].id]++;
    node_put(old);
    journal_node(path, n);
}

unsigned int store_owned(domid_t id)
{
    return id < DOMID_FIRST_RESERVED ? owned[id] : 0;
}

void path_parent(const char *path, char parent[PATH_ROOM])
{
    size_t len = strrchr(path, '/') - path;

    memmove(parent, path, len); /* they may be one */
    parent[len] = 0;
    if (len == 0)
        strcpy(parent, "/");
}

const char *path_name(const char *path)
{
    return strrchr(path, '/') + 1;
}

static bool is_listed(const struct node *parent, const char *name)
{
    const char *end = parent->names + parent->names_len;

    for (const char *at = parent->names; at < end; at += strlen(at) + 1) {
        if (strcmp(at, name) == 0)
            return true;
    }
    return false;
}

unsigned int store_check(void)
{
    unsigned int bad = 0, counted[DOMID_FIRST_RESERVED] = {0};
    size_t names = 0, nodes = 0;
    char parent[PATH_ROOM];

    MAP_EACH(&store_nodes, e)
    {
        const struct node *n = e->value, *above = NULL;

        counted[n->perms[0].id]++;
        for (uint32_t i = 0; i < n->names_len; i++)
            names += n->names[i] == 0;
        if (e->key[0] != '/' || !e->key[1])
            continue;
        nodes++;
        path_parent(e->key, parent);
        above = store_get(parent);
        bad += !above || !is_listed(above, path_name(e->key));
    }
    bad += names != nodes; /* each node has its name in the list above: so none is left over */
    for (unsigned int i = 0; i < DOMID_FIRST_RESERVED; i++)
        bad += counted[i] != owned[i];
    return bad;
}

/* SPDX-License-Identifier: MIT */
/* Transactions, optimistic: nobody waits for anybody, the first one to commit wins. Versions are
 * compared by their pointers; a base is held, so its pointer cannot come back as another version.
 * (Rules T1 and T2 are in txn.h.) */
#include "txn.h"
#include "quota.h"
#include "watch.h"

#include "../libsocle/alloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct change {
    struct node *base, *now;
};

struct event {
    struct event *next;
    bool exact;
    char path[];
};

void txn_init(struct txn *t, uint32_t id)
{
    *t = (struct txn){.id = id, .last_event = &t->events};
}

void txn_clear(struct txn *t)
{
    struct event *next;

    MAP_EACH(&t->changes, e)
    {
        struct change *c = e->value;

        node_put(c->base);
        node_put(c->now);
        free(c);
    }
    map_clear(&t->changes);
    for (struct event *e = t->events; e; e = next) {
        next = e->next;
        free(e);
    }
    txn_init(t, t->id);
}

static struct change *look_at(struct txn *t, const char *path)
{
    struct change *c = map_get(&t->changes, path);

    if (!c) {
        c = must_alloc(sizeof(*c));
        c->base = node_get(store_get(path));
        c->now = node_get(c->base);
        map_put(&t->changes, path, c);
    }
    return c;
}

/* Nothing comes between the looks of one request alone and its commit: it need not remember them. */
struct node *txn_get(struct txn *t, const char *path)
{
    const struct change *c = t->id ? look_at(t, path) : map_get(&t->changes, path);

    return c ? c->now : store_get(path);
}

bool txn_has(const struct txn *t, const char *path)
{
    const struct change *c = map_get(&t->changes, path);

    return c ? c->now : store_get(path);
}

void txn_set(struct txn *t, const char *path, struct node *n)
{
    struct change *c = look_at(t, path);

    node_put(c->now);
    c->now = n;
}

void txn_event(struct txn *t, const char *path, bool exact)
{
    size_t len = strlen(path) + 1;
    struct event *e = must_alloc(sizeof(*e) + len);

    e->exact = exact;
    memcpy(e->path, path, len);
    *t->last_event = e;
    t->last_event = &e->next;
}

size_t txn_size(const struct txn *t)
{
    return t->changes.nr;
}

unsigned int txn_owned(const struct txn *t, domid_t id)
{
    unsigned int nr = store_owned(id);

    MAP_EACH(&t->changes, e)
    {
        const struct change *c = e->value;

        nr += c->now && c->now->perms[0].id == id;
        nr -= c->base && c->base->perms[0].id == id;
    }
    return nr;
}

/* Whoever could or can read the node may know of its change, and whoever sees its name above. */
static void fire_event(const struct txn *t, const struct event *e)
{
    const struct change *c = map_get(&t->changes, e->path), *above = NULL;
    char parent[PATH_ROOM];
    const struct node *seen[4] = {c->base, c->now};

    if (e->path[0] == '/' && e->path[1]) {
        path_parent(e->path, parent);
        above = map_get(&t->changes, parent);
        seen[2] = above ? above->now : store_get(parent);
        seen[3] = above ? above->base : NULL;
    }
    watch_fire(e->path, e->exact, seen, 4);
}

/* Who has changed a path last. Of one that is gone it is in the version of a node above: that lost a
 * name. */
static domid_t last_writer(const char *path)
{
    const struct node *n = store_get(path);
    char at[PATH_ROOM];

    strcpy(at, path);
    while (!n && at[0] == '/' && at[1]) {
        path_parent(at, at);
        n = store_get(at);
    }
    return n ? n->by : 0;
}

int txn_commit(struct txn *t, const struct who *who)
{
    unsigned int owned;

    t->culprit = DOMID_INVALID;
    if (t->doomed)
        return -EAGAIN;
    MAP_EACH(&t->changes, e)
    {
        if (store_get(e->key) == ((struct change *)e->value)->base)
            continue;
        t->culprit = last_writer(e->key);
        return -EAGAIN;
    }
    if (!who->privileged) {
        owned = txn_owned(t, who->id);
        if (owned > quota.nodes && owned > store_owned(who->id))
            return -ENOSPC;
    }
    MAP_EACH(&t->changes, e)
    {
        struct change *c = e->value;

        if (c->now == c->base)
            continue;
        if (c->now)
            c->now->by = who->id;
        store_set(e->key, node_get(c->now));
    }
    return 0;
}

void txn_fire(const struct txn *t)
{
    for (const struct event *e = t->events; e; e = e->next)
        fire_event(t, e);
}

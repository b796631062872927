/* SPDX-License-Identifier: MIT */
/* Watches, by path: for a change, the path and all those above it are looked up. */
#include "watch.h"
#include "conn.h"
#include "journal.h"
#include "quota.h"

#include "../libsocle/alloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct map by_path; /* first watch on each path */

int watch_add(struct conn *c, const char *path, uint32_t strip, const char *token, uint32_t depth)
{
    struct watch *w;

    for (w = c->watches; w; w = w->next_of_conn) {
        if (strcmp(w->path, path) == 0 && strcmp(w->token, token) == 0)
            return -EEXIST;
    }
    if (!c->who.privileged && c->nr_watches >= quota.watches)
        return -E2BIG;
    w = must_alloc(sizeof(*w));
    *w = (struct watch){
        .next_of_conn = c->watches,
        .conn = c,
        .strip = strip,
        .depth = depth,
        .path = must_copy(path, strlen(path)),
        .token = must_copy(token, strlen(token)),
    };
    c->watches = w;
    c->nr_watches++;
    w->next = map_put(&by_path, path, w);
    journal_watch(w);
    return 0;
}

static void forget(struct watch *w)
{
    struct map_entry *e = map_find(&by_path, w->path);
    struct watch **at = (struct watch **)&e->value;

    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    if (!e->value)
        map_remove(&by_path, w->path);
    free(w->path);
    free(w->token);
    free(w);
}

int watch_remove(struct conn *c, const char *path, const char *token)
{
    for (struct watch **at = &c->watches; *at; at = &(*at)->next_of_conn) {
        struct watch *w = *at;

        if (strcmp(w->path, path) == 0 && strcmp(w->token, token) == 0) {
            journal_unwatch(w);
            *at = w->next_of_conn;
            c->nr_watches--;
            forget(w);
            return 0;
        }
    }
    return -ENOENT;
}

void watch_remove_all(struct conn *c)
{
    struct watch *w;

    while ((w = c->watches)) {
        journal_unwatch(w);
        c->watches = w->next_of_conn;
        forget(w);
    }
    c->nr_watches = 0;
}

static bool may_know(const struct who *who, const struct node *const *seen, unsigned int nr)
{
    for (unsigned int i = 0; i < nr; i++) {
        if (seen[i] && perms_allow(who, seen[i]->perms, seen[i]->nr_perms) & PERM_READ)
            return true;
    }
    return false;
}

void watch_fire(const char *path, bool exact, const struct node *const *seen, unsigned int nr)
{
    char at[PATH_ROOM];

    strcpy(at, path);
    for (uint32_t depth = 0;; depth++) {
        for (struct watch *w = map_get(&by_path, at); w; w = w->next) {
            if (depth <= w->depth && may_know(&w->conn->who, seen, nr))
                conn_event(w->conn, path + w->strip, w->token);
        }
        if (exact || at[0] != '/' || !at[1])
            break;
        path_parent(at, at);
    }
}

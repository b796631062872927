/* SPDX-License-Identifier: MIT */
/* A hash table with chains. Its hash has a seed of its own in each process, so that nobody can
 * choose keys that all land in one chain. */
#include "map.h"
#include "alloc.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static uint32_t hash_of(const char *key)
{
    static uint32_t seed;
    uint32_t h;

    while (seed == 0) {
        if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) < 0)
            seed = (uint32_t)(uintptr_t)&h | 1;
    }
    for (h = seed; *key; key++) {
        h = (h ^ (unsigned char)*key) * 0x9e3779b1u;
        h ^= h >> 15;
    }
    return h;
}

static struct map_entry **find(const struct map *m, const char *key, uint32_t hash)
{
    struct map_entry **e = &m->bucket[hash & (m->nr_buckets - 1)];

    while (*e && ((*e)->hash != hash || strcmp((*e)->key, key)))
        e = &(*e)->next;
    return e;
}

struct map_entry *map_find(const struct map *m, const char *key)
{
    return m->nr ? *find(m, key, hash_of(key)) : NULL;
}

void *map_get(const struct map *m, const char *key)
{
    const struct map_entry *e = map_find(m, key);

    return e ? e->value : NULL;
}

static void grow(struct map *m)
{
    struct map bigger = {.nr_buckets = m->nr_buckets ? m->nr_buckets * 2 : 16, .nr = m->nr};

    bigger.bucket = must_alloc(bigger.nr_buckets * sizeof(*bigger.bucket));
    for (size_t i = 0; i < m->nr_buckets; i++) {
        struct map_entry *next;

        for (struct map_entry *e = m->bucket[i]; e; e = next) {
            struct map_entry **to = &bigger.bucket[e->hash & (bigger.nr_buckets - 1)];

            next = e->next;
            e->next = *to;
            *to = e;
        }
    }
    free(m->bucket);
    *m = bigger;
}

void *map_put(struct map *m, const char *key, void *value)
{
    uint32_t hash = hash_of(key);
    size_t len = strlen(key) + 1;
    struct map_entry *e, **at;
    void *old;

    if (m->nr >= m->nr_buckets)
        grow(m);
    at = find(m, key, hash);
    if (!*at) {
        e = must_alloc(sizeof(*e) + len);
        e->hash = hash;
        memcpy(e->key, key, len);
        *at = e;
        m->nr++;
    }
    old = (*at)->value;
    (*at)->value = value;
    return old;
}

void *map_remove(struct map *m, const char *key)
{
    struct map_entry **at, *e;
    void *old = NULL;

    if (!m->nr)
        return NULL;
    at = find(m, key, hash_of(key));
    e = *at;
    if (e) {
        old = e->value;
        *at = e->next;
        free(e);
        m->nr--;
    }
    return old;
}

void map_clear(struct map *m)
{
    for (size_t i = 0; i < m->nr_buckets; i++) {
        struct map_entry *next;

        for (struct map_entry *e = m->bucket[i]; e; e = next) {
            next = e->next;
            free(e);
        }
    }
    free(m->bucket);
    *m = (struct map){0};
}

struct map_entry *map_next(const struct map *m, const struct map_entry *e)
{
    size_t i = 0;

    if (e && e->next)
        return e->next;
    if (e)
        i = (e->hash & (m->nr_buckets - 1)) + 1;
    for (; i < m->nr_buckets; i++) {
        if (m->bucket[i])
            return m->bucket[i];
    }
    return NULL;
}

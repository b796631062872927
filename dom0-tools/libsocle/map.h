/* SPDX-License-Identifier: MIT */
/* From strings to pointers: a hash table that keeps copies of its keys. */
#ifndef LIBSOCLE_MAP_H
#define LIBSOCLE_MAP_H

#include <stddef.h>
#include <stdint.h>

struct map_entry {
    struct map_entry *next;
    void *value; /* may be changed in place */
    uint32_t hash;
    char key[];
};

struct map { /* all zero: empty */
    struct map_entry **bucket;
    size_t nr_buckets, nr;
};

/** map_find - the entry of @key, or NULL. */
struct map_entry *map_find(const struct map *m, const char *key);
/** map_get - the value of @key, or NULL. */
void *map_get(const struct map *m, const char *key);
/** map_put - set the value of @key; returns the former one, or NULL. */
void *map_put(struct map *m, const char *key, void *value);
/** map_remove - forget @key; returns its value, or NULL. */
void *map_remove(struct map *m, const char *key);
/** map_clear - forget all keys; the values are the caller's. */
void map_clear(struct map *m);
/** map_next - the entry after @e, the first one for NULL; NULL at the end. Not while keys change.
 */
struct map_entry *map_next(const struct map *m, const struct map_entry *e);

#define MAP_EACH(m, e) for (struct map_entry *e = map_next(m, NULL); e; e = map_next(m, e))

#endif

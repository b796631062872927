/* SPDX-License-Identifier: MIT */
/* What the operations of the protocol do to the tree. Each first looks at everything that it will
 * change and decides, then changes it: what fails leaves no trace but that it has looked (T1). */
#include "tree.h"
#include "quota.h"

#include "../libsocle/alloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool letter_ok(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '-' && c <= '9' && c != '.') || c == '_' ||
           (c >= '@' && c <= 'Z');
}

bool path_ok(const char *path)
{
    size_t len = strlen(path);

    if (path[0] != '/' || len > XENSTORE_ABS_PATH_MAX || (len > 1 && path[len - 1] == '/'))
        return false;
    for (; *path; path++) {
        if (!letter_ok(*path) || (path[0] == '/' && path[1] == '/'))
            return false;
    }
    return true;
}

/* The nearest node that there is, above @path. "/" cannot be removed. Those between need not be
 * remembered, for who makes them changes this one; and a path can have very many. */
static struct node *find_above(struct txn *t, const char *path, char above[PATH_ROOM])
{
    path_parent(path, above);
    while (!txn_has(t, above))
        path_parent(above, above);
    return txn_get(t, above);
}

int tree_find(struct txn *t, const struct who *who, const char *path, unsigned int bits,
              struct node **node)
{
    struct node *n = txn_get(t, path);
    char above[PATH_ROOM];
    int missing = 0;

    if (!n) {
        missing = -ENOENT;
        if (path[0] != '/')
            return -ENOENT;
        n = find_above(t, path, above);
    }
    if ((perms_allow(who, n->perms, n->nr_perms) & bits) != bits)
        return -EACCES;
    if (missing == 0)
        *node = n;
    return missing;
}

static bool fits(const struct who *who, size_t value, size_t names, size_t nr_perms)
{
    return who->privileged || (value + names + nr_perms * sizeof(struct perm) <= quota.node_size &&
                               nr_perms <= quota.perms);
}

/* A version of @n with a name of @len bytes added to its children. */
static struct node *with_name(const struct node *n, const char *name, size_t len)
{
    char *names = must_alloc(n->names_len + len + 1);
    struct node *made;

    memcpy(names, n->names, n->names_len);
    memcpy(names + n->names_len, name, len);
    made = node_make(n->perms, n->nr_perms, n->value, n->value_len, names, n->names_len + len + 1);
    free(names);
    return made;
}

/* A version of @n without it. */
static struct node *without_name(const struct node *n, const char *name)
{
    size_t len = strlen(name) + 1, at = 0;
    char *names = must_copy(n->names, n->names_len);
    struct node *made;

    while (at < n->names_len && strcmp(names + at, name))
        at += strlen(names + at) + 1;
    if (at == n->names_len) /* T3 */
        len = 0;
    memmove(names + at, names + at + len, n->names_len - at - len);
    made = node_make(n->perms, n->nr_perms, n->value, n->value_len, names, n->names_len - len);
    free(names);
    return made;
}

/* Makes @path, which is missing, and what is missing above it. */
static int create(struct txn *t, const struct who *who, const char *path, const void *value,
                  size_t len)
{
    char at[PATH_ROOM];
    const struct node *n = find_above(t, path, at);
    const char *name = path + (strcmp(at, "/") ? strlen(at) : 0) + 1, *end = strchrnul(name, '/');
    struct perm perms[PERMS_MAX];
    unsigned int missing = 1, nr = n->nr_perms;

    for (const char *c = name; *c; c++)
        missing += *c == '/';
    if (!fits(who, n->value_len, n->names_len + (end - name) + 1, nr) || !fits(who, len, 0, nr))
        return -ENOSPC;
    if (!who->privileged && txn_owned(t, who->id) + missing > quota.nodes)
        return -ENOSPC;

    /* They inherit permissions, but belong to whoever makes them. */
    memcpy(perms, n->perms, nr * sizeof(*perms));
    if (!who->privileged)
        perms[0].id = who->id;
    for (;;) {
        txn_set(t, at, with_name(txn_get(t, at), name, end - name));
        memcpy(at, path, end - path);
        at[end - path] = 0;
        if (!*end)
            break;
        txn_set(t, at, node_make(perms, nr, NULL, 0, NULL, 0));
        name = end + 1;
        end = strchrnul(name, '/');
    }
    txn_set(t, at, node_make(perms, nr, value, len, NULL, 0));
    txn_event(t, path, false);
    return 0;
}

int tree_write(struct txn *t, const struct who *who, const char *path, const void *value,
               size_t len)
{
    struct node *n;
    int rc = tree_find(t, who, path, PERM_WRITE, &n);

    if (rc == -ENOENT)
        return create(t, who, path, value, len);
    if (rc)
        return rc;
    if (!fits(who, len, n->names_len, n->nr_perms) && len > n->value_len)
        return -ENOSPC;
    txn_set(t, path, node_make(n->perms, n->nr_perms, value, len, n->names, n->names_len));
    txn_event(t, path, false);
    return 0;
}

int tree_mkdir(struct txn *t, const struct who *who, const char *path)
{
    struct node *n;
    int rc = tree_find(t, who, path, PERM_WRITE, &n);

    return rc == -ENOENT ? create(t, who, path, NULL, 0) : rc;
}

/* Below a node first. @path has room for a path and is left as it was. */
static void remove_tree(struct txn *t, char *path, bool top)
{
    struct node *n = node_get(txn_get(t, path));
    size_t len = strlen(path);

    if (!n) /* T3 */
        return;
    for (const char *name = n->names; name < n->names + n->names_len; name += strlen(name) + 1) {
        path[len] = '/';
        strcpy(path + len + 1, name);
        remove_tree(t, path, false);
        path[len] = 0;
    }
    txn_set(t, path, NULL);
    txn_event(t, path, !top);
    node_put(n);
}

static void remove_node(struct txn *t, const char *path)
{
    char parent[PATH_ROOM], room[PATH_ROOM];

    path_parent(path, parent);
    if (txn_get(t, parent)) /* T3 */
        txn_set(t, parent, without_name(txn_get(t, parent), path_name(path)));
    strcpy(room, path);
    remove_tree(t, room, true);
}

int tree_rm(struct txn *t, const struct who *who, const char *path)
{
    char parent[PATH_ROOM];
    struct node *n;
    int rc;

    if (strcmp(path, "/") == 0)
        return -EINVAL;
    rc = tree_find(t, who, path, PERM_WRITE, &n);
    if (rc == 0) {
        remove_node(t, path);
    } else if (rc == -ENOENT) {
        path_parent(path, parent);
        rc = txn_get(t, parent) ? 0 : -ENOENT;
    }
    return rc;
}

static void put_perms(struct txn *t, const char *path, const struct node *n,
                      const struct perm *perms, unsigned int nr)
{
    txn_set(t, path, node_make(perms, nr, n->value, n->value_len, n->names, n->names_len));
    txn_event(t, path, false);
}

int tree_set_perms(struct txn *t, const struct who *who, const char *path, const struct perm *perms,
                   unsigned int nr)
{
    struct node *n;
    int rc = tree_find(t, who, path, PERM_OWNER, &n);

    if (rc)
        return rc;
    if (!who->privileged && perms[0].id != n->perms[0].id)
        return -EPERM;
    if (!fits(who, n->value_len, n->names_len, nr))
        return -ENOSPC;
    put_perms(t, path, n, perms, nr);
    return 0;
}

static bool mentions(const struct node *n, domid_t id)
{
    unsigned int i = 0;

    while (i < n->nr_perms && n->perms[i].id != id)
        i++;
    return i < n->nr_perms;
}

/* Only nodes that mention the domain become part of the transaction. What it has changed of others
 * before is only names.
 *
 * Depth first, so that a node of another domain inside of a node that goes, goes as well. */
void tree_forget_domain(struct txn *t, domid_t id)
{
    MAP_EACH(&store_nodes, e)
    {
        struct node *n = mentions(e->value, id) ? txn_get(t, e->key) : NULL;
        struct perm perms[PERMS_MAX];
        unsigned int nr = 0;

        if (!n) /* it went with one above it */
            continue;
        if (n->perms[0].id == id && e->key[0] == '/' && e->key[1]) {
            remove_node(t, e->key);
            continue;
        }
        for (unsigned int i = 0; i < n->nr_perms; i++) {
            if (i == 0 || n->perms[i].id != id)
                perms[nr++] = n->perms[i];
        }
        if (nr < n->nr_perms)
            put_perms(t, e->key, n, perms, nr);
    }
}

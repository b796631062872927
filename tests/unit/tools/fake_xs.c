/* SPDX-License-Identifier: MIT */
/* Nodes in a list, in any order. A transaction works on a copy. */
#include <errno.h> /* first: the protocol has names for what is in it */

#include "dom0-tools/libsocle/xs.h"
#include "fake_xs.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xen/io/xs_wire.h>

#define NODES 4096

struct node {
    char *path, *value;
    struct xs_permissions perms[8];
    unsigned int nr_perms;
};

struct tree {
    struct node *nodes[NODES];
    unsigned int nr;
};

struct xs_handle {
    struct tree *txn; /* one at a time is enough */
};

static struct tree store;
static unsigned int handles;

bool fake_store = true;
unsigned int fake_conflicts;
bool (*fake_xs_fail)(void);

static bool fails(void)
{
    return fake_xs_fail && fake_xs_fail();
}

static struct tree *tree_of(struct xs_handle *h, xs_transaction_t t)
{
    return t ? h->txn : &store;
}

/* ---- trees ---- */

static void free_node(struct node *n)
{
    free(n->path);
    free(n->value);
    free(n);
}

static void clear(struct tree *t)
{
    for (unsigned int i = 0; i < t->nr; i++)
        free_node(t->nodes[i]);
    t->nr = 0;
}

static struct node *find(const struct tree *t, const char *path)
{
    for (unsigned int i = 0; i < t->nr; i++) {
        if (strcmp(t->nodes[i]->path, path) == 0)
            return t->nodes[i];
    }
    return NULL;
}

static struct node *add(struct tree *t, const char *path)
{
    struct node *n = find(t, path);
    char parent[512];

    if (n)
        return n;
    snprintf(parent, sizeof(parent), "%s", path);
    *strrchr(parent, '/') = 0;
    if (parent[0])
        add(t, parent);
    n = calloc(1, sizeof(*n));
    n->path = strdup(path);
    n->value = strdup("");
    n->nr_perms = 1;
    if (t->nr == NODES)
        abort();
    t->nodes[t->nr++] = n;
    return n;
}

static bool is_below(const char *path, const char *folder)
{
    size_t len = strlen(folder);

    return strncmp(path, folder, len) == 0 && (path[len] == '/' || !path[len]);
}

static void copy(struct tree *to, const struct tree *from)
{
    clear(to);
    for (unsigned int i = 0; i < from->nr; i++) {
        struct node *n = malloc(sizeof(*n));

        *n = *from->nodes[i];
        n->path = strdup(n->path);
        n->value = strdup(n->value);
        to->nodes[to->nr++] = n;
    }
}

static const struct xs_wire fake_wire;

void fake_xs_reset(void)
{
    xs_leave();
    xs_wire = &fake_wire;
    clear(&store);
    fake_store = true;
    fake_conflicts = 0;
    fake_xs_fail = NULL;
}

const char *fake_xs_get(const char *path)
{
    struct node *n = find(&store, path);

    return n ? n->value : NULL;
}

unsigned int fake_xs_count(void)
{
    return store.nr;
}

unsigned int fake_xs_handles(void)
{
    return handles;
}

/* ---- the library's functions ---- */

struct xs_handle *xs_open(unsigned long flags)
{
    (void)flags;
    errno = ENOENT;
    if (!fake_store || fails())
        return NULL;
    handles++;
    return calloc(1, sizeof(struct xs_handle));
}

void xs_close(struct xs_handle *h)
{
    if (!h)
        return;
    if (h->txn) {
        clear(h->txn);
        free(h->txn);
    }
    free(h);
    handles--;
}

xs_transaction_t xs_transaction_start(struct xs_handle *h)
{
    if (fails())
        return XBT_NULL;
    h->txn = h->txn ?: calloc(1, sizeof(*h->txn));
    copy(h->txn, &store);
    return 1;
}

bool xs_transaction_end(struct xs_handle *h, xs_transaction_t t, bool abort)
{
    (void)t;
    if (fails())
        return false;
    errno = EAGAIN;
    if (!abort && fake_conflicts && fake_conflicts--)
        return false;
    if (!abort)
        copy(&store, h->txn);
    return true;
}

void *xs_read(struct xs_handle *h, xs_transaction_t t, const char *path, unsigned int *len)
{
    struct node *n;

    if (fails())
        return NULL;
    errno = ENOENT;
    n = find(tree_of(h, t), path);
    if (!n)
        return NULL;
    if (len)
        *len = strlen(n->value);
    return strdup(n->value);
}

char **xs_directory(struct xs_handle *h, xs_transaction_t t, const char *path, unsigned int *num)
{
    const struct tree *tree = tree_of(h, t);
    size_t len = strlen(path), room = 0;
    char **list, *text;

    *num = 0;
    if (fails())
        return NULL;
    errno = ENOENT;
    if (!find(tree, path))
        return NULL;
    for (unsigned int i = 0; i < tree->nr; i++)
        room += sizeof(char *) + strlen(tree->nodes[i]->path) + 1;
    list = calloc(1, room + 1);
    text = (char *)(list + tree->nr);
    for (unsigned int i = 0; i < tree->nr; i++) {
        const char *name = tree->nodes[i]->path;

        if (strncmp(name, path, len) || name[len] != '/' || strchr(name + len + 1, '/'))
            continue;
        list[(*num)++] = text;
        text = stpcpy(text, name + len + 1) + 1;
    }
    return list;
}

bool xs_write(struct xs_handle *h, xs_transaction_t t, const char *path, const void *data,
              unsigned int len)
{
    struct node *n;

    if (fails())
        return false;
    n = add(tree_of(h, t), path);
    free(n->value);
    n->value = strndup(data, len);
    return true;
}

bool xs_mkdir(struct xs_handle *h, xs_transaction_t t, const char *path)
{
    return !fails() && add(tree_of(h, t), path);
}

bool xs_rm(struct xs_handle *h, xs_transaction_t t, const char *path)
{
    struct tree *tree = tree_of(h, t);
    unsigned int left = 0;

    if (fails())
        return false;
    for (unsigned int i = 0; i < tree->nr; i++) {
        if (is_below(tree->nodes[i]->path, path))
            free_node(tree->nodes[i]);
        else
            tree->nodes[left++] = tree->nodes[i];
    }
    tree->nr = left;
    return true;
}

bool xs_set_permissions(struct xs_handle *h, xs_transaction_t t, const char *path,
                        struct xs_permissions *perms, unsigned int num)
{
    struct node *n;

    if (fails())
        return false;
    errno = ENOENT;
    n = find(tree_of(h, t), path);
    if (!n || num > 8)
        return false;
    memcpy(n->perms, perms, num * sizeof(*perms));
    n->nr_perms = num;
    return true;
}

struct xs_permissions *xs_get_permissions(struct xs_handle *h, xs_transaction_t t, const char *path,
                                          unsigned int *num)
{
    struct xs_permissions *p;
    struct node *n;

    if (fails())
        return NULL;
    errno = ENOENT;
    n = find(tree_of(h, t), path);
    if (!n)
        return NULL;
    p = calloc(8, sizeof(*p));
    memcpy(p, n->perms, sizeof(n->perms));
    *num = n->nr_perms;
    return p;
}

bool xs_introduce_domain(struct xs_handle *h, unsigned int id, unsigned long mfn, unsigned int port)
{
    (void)h, (void)id, (void)mfn, (void)port;
    return !fails();
}

bool xs_release_domain(struct xs_handle *h, unsigned int id)
{
    (void)h, (void)id;
    return !fails();
}

/* ---- the protocol, for our own client ---- */

static struct xs_handle wire;
static uint8_t answers[1 << 20];
static size_t answers_at, answers_len;

static int open_wire(void)
{
    answers_at = answers_len = 0;
    return !fake_store || fails() ? -ENOENT : open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void answer(const struct xsd_sockmsg *to, bool good, const void *data, size_t len)
{
    struct xsd_sockmsg h = {.type = good ? to->type : XS_ERROR, .len = len};

    for (size_t i = 0; !good && i < sizeof(xsd_errors) / sizeof(xsd_errors[0]); i++) {
        if (xsd_errors[i].errnum == errno) {
            data = xsd_errors[i].errstring;
            h.len = strlen(data) + 1;
        }
    }
    memcpy(answers + answers_len, &h, sizeof(h));
    memcpy(answers + answers_len + sizeof(h), data, h.len);
    answers_len += sizeof(h) + h.len;
}

static bool permit(xs_transaction_t t, const char *path, const char *text, const char *end)
{
    struct xs_permissions perms[8];
    unsigned int nr = 0;

    for (; text < end && nr < 8; text += strlen(text) + 1, nr++) {
        perms[nr].id = strtoul(text + 1, NULL, 10);
        perms[nr].perms = *text == 'r' ? XS_PERM_READ : XS_PERM_NONE;
    }
    return xs_set_permissions(&wire, t, path, perms, nr);
}

static void serve_read(const struct xsd_sockmsg *h, const char *path)
{
    char *value = xs_read(&wire, h->tx_id, path, NULL);

    answer(h, value, value, value ? strlen(value) : 0);
    free(value);
}

static void serve_directory(const struct xsd_sockmsg *h, const char *path)
{
    unsigned int nr;
    char **names = xs_directory(&wire, h->tx_id, path, &nr);
    const char *first = names && nr ? names[0] : "";
    size_t len = 0;

    for (unsigned int i = 0; names && i < nr; i++)
        len += strlen(names[i]) + 1;
    answer(h, names, first, len);
    free(names);
}

static void serve(const struct xsd_sockmsg *h, char *path)
{
    const char *more = path + strlen(path) + 1, *end = path + h->len;
    bool good;

    switch (h->type) {
    case XS_READ:
        serve_read(h, path);
        return;
    case XS_DIRECTORY:
        serve_directory(h, path);
        return;
    case XS_TRANSACTION_START:
        answer(h, xs_transaction_start(&wire), "1", 2);
        return;
    case XS_TRANSACTION_END:
        good = xs_transaction_end(&wire, h->tx_id, path[0] == 'F');
        break;
    case XS_WRITE:
        good = xs_write(&wire, h->tx_id, path, more, end - more);
        break;
    case XS_MKDIR:
        good = xs_mkdir(&wire, h->tx_id, path);
        break;
    case XS_RM:
        good = xs_rm(&wire, h->tx_id, path);
        break;
    case XS_SET_PERMS:
        good = permit(h->tx_id, path, more, end);
        break;
    default:
        good = !fails();
    }
    answer(h, good, "OK", 3);
}

static ssize_t send_wire(int fd, const void *data, size_t len)
{
    struct xsd_sockmsg h;
    char payload[XENSTORE_PAYLOAD_MAX + 1];

    (void)fd;
    for (size_t at = 0; at < len; at += sizeof(h) + h.len) {
        memcpy(&h, (const uint8_t *)data + at, sizeof(h));
        memcpy(payload, (const uint8_t *)data + at + sizeof(h), h.len);
        payload[h.len] = 0;
        serve(&h, payload);
    }
    return fake_store ? (ssize_t)len : -1;
}

static ssize_t recv_wire(int fd, void *data, size_t len)
{
    size_t n = answers_len - answers_at < len ? answers_len - answers_at : len;

    (void)fd;
    memcpy(data, answers + answers_at, n);
    answers_at += n;
    if (answers_at == answers_len)
        answers_at = answers_len = 0;
    return n;
}

static const struct xs_wire fake_wire = {open_wire, send_wire, recv_wire};

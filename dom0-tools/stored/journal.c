/* SPDX-License-Identifier: MIT */
/* A file that is only appended to. Why that, and why it is right:
 *
 * J1  A commit is one frame: length, checksum, entries. A frame counts if it is whole. The daemon
 *     can be killed anywhere; a kill loses nothing that write(2) has taken, so nothing is ever
 *     synced: when the machine goes, the domains go as well, and a file from before it is
 *     recognised by its boot.
 * J2  One request, with all that it changes, its answer, the events it causes and the bytes of
 *     the ring that it came in, is one commit. Only then are the ring's bytes given free and the
 *     answer put on a ring. So after a restart a request has either been done and answered, or is
 *     still there.
 * J3  How far a ring has been written is not in the journal: the ring's own index tells it, which
 *     counts from a start that is. So a byte is neither lost nor sent twice.
 * J4  A transaction that was open comes back as one that cannot be committed (EAGAIN): its client
 *     does it again, as after any conflict.
 *
 * When the file is much larger than what it describes, it is written anew and put in place by
 * rename(2). A memory-mapped tree would save the writing, but each change of two pointers in it
 * would need a proof that a kill between them does no harm. */
#include "journal.h"
#include "quota.h"

#include "../libsocle/alloc.h"
#include "../libsocle/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

enum { MAGIC = 0x4c434f53, SLACK = 1 << 20, RETRY = 1024, BOOT_ID = 36 };

enum kind {
    BOOT = 1,
    NODE,
    GONE,
    DOMAIN,
    RELEASE,
    RING,
    IN,
    OUT,
    WATCH,
    UNWATCH,
    TXN_BEGIN,
    TXN_END,
    QUOTA,
};

struct frame {
    uint32_t magic, len, crc;
};

static char *file;          /* NULL: no journal is kept */
static int fd = -1;         /* -1: it cannot be written */
static size_t size, fresh;  /* bytes of the file; when it was new */
static unsigned int failed; /* commits since it could not be written */
static struct bytes batch;  /* entries since the last commit */

/* ---- entries: a kind, then numbers and strings with their length ---- */

static void put(const void *data, size_t len)
{
    must_have(bytes_append(&batch, data, len, SIZE_MAX / 2));
}

static void put_number(uint64_t n)
{
    put(&n, sizeof(n));
}

static void put_bytes(const void *data, size_t len)
{
    put_number(len);
    put(data, len);
}

static bool begin(enum kind kind)
{
    if (file)
        put_number(kind);
    return file;
}

/* Of an event on a ring; nothing is kept of clients on the socket. */
static bool begin_for(enum kind kind, const struct conn *c)
{
    if (!c->domain || !begin(kind))
        return false;
    put_number(c->domain->id);
    return true;
}

void journal_node(const char *path, const struct node *n)
{
    if (!begin(n ? NODE : GONE))
        return;
    put_bytes(path, strlen(path));
    if (!n)
        return;
    put_number(n->generation);
    put_bytes(n->perms, n->nr_perms * sizeof(*n->perms));
    put_bytes(n->value, n->value_len);
    put_bytes(n->names, n->names_len);
}

void journal_domain(const struct domain *d)
{
    if (!begin(DOMAIN))
        return;
    put_number(d->id);
    put_number(d->frame);
    put_number(d->remote_port);
    put_number(d->shut_down);
    put_number(d->broken);
    put_number(d->target);
}

void journal_release(const struct domain *d)
{
    if (begin(RELEASE))
        put_number(d->id);
}

void journal_ring(struct domain *d)
{
    d->in_kept = d->in_pos;
    if (!begin(RING))
        return;
    put_number(d->id);
    put_number(d->in_pos);
    put_number((uint32_t)(d->out_pos - d->conn->out_sent)); /* J3: of the first byte in the queue */
}

static void put_in(const struct conn *c)
{
    if (!begin_for(IN, c))
        return;
    put_number(c->domain->in_pos);
    put_bytes(c->in.data, c->in.len);
}

void journal_in(const struct conn *c)
{
    if (c->domain->in_kept == c->domain->in_pos)
        return;
    c->domain->in_kept = c->domain->in_pos;
    put_in(c);
}

void journal_out(const struct conn *c, const void *data, size_t len)
{
    if (begin_for(OUT, c))
        put_bytes(data, len);
}

void journal_watch(const struct watch *w)
{
    if (!begin_for(WATCH, w->conn))
        return;
    put_bytes(w->path, strlen(w->path));
    put_bytes(w->token, strlen(w->token));
    put_number(w->strip);
    put_number(w->depth);
}

void journal_unwatch(const struct watch *w)
{
    if (!begin_for(UNWATCH, w->conn))
        return;
    put_bytes(w->path, strlen(w->path));
    put_bytes(w->token, strlen(w->token));
}

void journal_txn(const struct conn *c, uint32_t id, bool begins)
{
    if (begin_for(begins ? TXN_BEGIN : TXN_END, c))
        put_number(id);
}

void journal_quotas(void)
{
    const char *name;

    for (unsigned int i = 0; (name = quota_name(i)) && begin(QUOTA); i++) {
        put_bytes(name, strlen(name));
        put_number(*quota_find(name));
    }
}

/* ---- writing ---- */

static void boot_id(char id[BOOT_ID])
{
    int f = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

    memset(id, 0, BOOT_ID);
    if (f >= 0 && read(f, id, BOOT_ID) < 0)
        memset(id, 0, BOOT_ID);
    if (f >= 0)
        close(f);
}

/* One write: what is not taken whole does not count (J1). */
static int write_frame(int to)
{
    struct frame f = {MAGIC, batch.len, crc32(0, batch.data, batch.len)};
    struct bytes whole = {0};
    ssize_t n;

    must_have(bytes_append(&whole, &f, sizeof(f), SIZE_MAX / 2));
    must_have(bytes_append(&whole, batch.data, batch.len, SIZE_MAX / 2));
    n = write(to, whole.data, whole.len);
    if (n == (ssize_t)whole.len)
        size += n;
    else if (n >= 0)
        errno = ENOSPC;
    bytes_free(&whole);
    batch.len = 0;
    return n >= 0 && n == (ssize_t)(sizeof(f) + f.len) ? 0 : -errno;
}

static void put_ring(struct domain *d)
{
    const struct conn *c = d->conn;

    journal_ring(d);
    put_in(c);
    for (const struct msg *m = c->out; m; m = m->next)
        journal_out(c, m->data, m->len);
    for (const struct watch *w = c->watches; w; w = w->next_of_conn)
        journal_watch(w);
    for (const struct txn *t = c->txns; t; t = t->next)
        journal_txn(c, t->id, true);
}

static void put_everything(void)
{
    char id[BOOT_ID];

    batch.len = 0;
    boot_id(id);
    begin(BOOT);
    put_bytes(id, BOOT_ID);
    journal_quotas();
    MAP_EACH(&store_nodes, e)
    {
        journal_node(e->key, e->value);
    }
    for (struct domain *d = domain_list; d; d = d->next) {
        journal_domain(d);
        if (d->conn)
            put_ring(d);
    }
}

static int write_anew(void)
{
    char *temp = must_alloc(strlen(file) + 5);
    int to, rc = 0;

    sprintf(temp, "%s.new", file);
    to = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    if (to < 0)
        rc = -errno;
    size = 0;
    put_everything();
    if (rc == 0)
        rc = write_frame(to);
    if (rc == 0 && rename(temp, file))
        rc = -errno;
    if (rc && to >= 0) {
        close(to);
        unlink(temp);
    }
    if (rc == 0) {
        if (fd >= 0)
            close(fd);
        fd = to;
        fresh = size;
    }
    free(temp);
    batch.len = 0;
    return rc;
}

static void give_up(int rc)
{
    fprintf(stderr, "socle-stored: %s: %s; a restart will find nothing\n", file, strerror(-rc));
    unlink(file);
    if (fd >= 0)
        close(fd);
    fd = -1;
    failed = 0;
}

void journal_commit(void)
{
    int rc = 0;

    if (!file || batch.len == 0)
        return;
    if (fd < 0) {
        batch.len = 0;
        if (++failed % RETRY == 0 && write_anew() == 0)
            fprintf(stderr, "socle-stored: %s: is kept again\n", file);
        return;
    }
    rc = write_frame(fd);
    if (rc == 0 && size > 4 * fresh + SLACK)
        rc = write_anew();
    if (rc)
        give_up(rc);
}

int journal_start(const char *path, struct error *err)
{
    int rc;

    free(file);
    file = must_copy(path, strlen(path));
    rc = write_anew();
    if (rc) {
        free(file);
        file = NULL;
        error_set(err, rc, "%s", strerror(-rc));
    }
    return rc;
}

void journal_stop(void)
{
    free(file);
    file = NULL;
    if (fd >= 0)
        close(fd);
    fd = -1;
    batch.len = 0;
}

/* ---- reading ---- */

struct reader {
    const uint8_t *at, *end;
    bool bad; /* it ended too early, or makes no sense */
};

static uint64_t get_number(struct reader *r)
{
    uint64_t n = 0;

    if (r->end - r->at < (ptrdiff_t)sizeof(n)) {
        r->bad = true;
        return 0;
    }
    memcpy(&n, r->at, sizeof(n));
    r->at += sizeof(n);
    return n;
}

static const uint8_t *get_bytes(struct reader *r, size_t *len)
{
    const uint8_t *data;

    *len = get_number(r);
    if (*len > (size_t)(r->end - r->at)) {
        r->bad = true;
        *len = 0;
    }
    data = r->at;
    r->at += *len;
    return data;
}

/* A string of at most @room - 1 bytes. */
static void get_text(struct reader *r, char *text, size_t room)
{
    size_t len;
    const uint8_t *data = get_bytes(r, &len);

    if (len >= room || memchr(data, 0, len)) {
        r->bad = true;
        len = 0;
    }
    memcpy(text, data, len);
    text[len] = 0;
}

static void load_node(struct reader *r)
{
    struct perm perms[PERMS_MAX];
    size_t perms_len, value_len, names_len;
    const uint8_t *p, *value, *names;
    char path[PATH_ROOM];
    uint64_t generation;
    struct node *n;

    get_text(r, path, sizeof(path));
    generation = get_number(r);
    p = get_bytes(r, &perms_len);
    value = get_bytes(r, &value_len);
    names = get_bytes(r, &names_len);
    if (perms_len == 0 || perms_len % sizeof(*perms) || perms_len > sizeof(perms) ||
        (names_len && names[names_len - 1]))
        r->bad = true;
    if (r->bad)
        return;
    memcpy(perms, p, perms_len);
    for (size_t i = 0; i < perms_len / sizeof(*perms); i++)
        r->bad |= perms[i].id >= DOMID_FIRST_RESERVED;
    if (r->bad)
        return;
    n = node_make(perms, perms_len / sizeof(*perms), value, value_len, (const char *)names,
                  names_len);
    n->generation = generation;
    if (store_generation < generation)
        store_generation = generation;
    store_set(path, n);
}

static void load_gone(struct reader *r)
{
    char path[PATH_ROOM];

    get_text(r, path, sizeof(path));
    if (!r->bad)
        store_set(path, NULL);
}

static void load_domain(struct reader *r)
{
    domid_t id = get_number(r);
    uint64_t frame = get_number(r);
    uint32_t port = get_number(r);
    struct domain *d;

    if (r->bad)
        return;
    d = domain_find(id);
    if (!d)
        d = domain_new(id, frame, port);
    d->frame = frame;
    d->remote_port = port;
    d->shut_down = get_number(r);
    d->broken = get_number(r);
    domain_set_target(d, get_number(r));
    if (d->broken)
        domain_detach(d, 0);
}

static void load_quota(struct reader *r)
{
    unsigned int *limit;
    char name[32];

    get_text(r, name, sizeof(name));
    limit = quota_find(name);
    if (limit)
        *limit = get_number(r);
    else
        get_number(r);
}

/* ---- entries of a domain that has or gets a connection: everything that is kept of it ---- */

static void load_ring(struct conn *c, struct reader *r)
{
    c->domain->in_pos = get_number(r);
    c->domain->out_pos = get_number(r);
}

static void load_in(struct conn *c, struct reader *r)
{
    const uint8_t *data;
    size_t len;

    c->domain->in_pos = get_number(r);
    data = get_bytes(r, &len);
    c->in.len = 0;
    must_have(bytes_append(&c->in, data, len, SIZE_MAX / 2));
}

static void load_out(struct conn *c, struct reader *r)
{
    size_t len;
    const uint8_t *data = get_bytes(r, &len);

    if (len < sizeof(struct xsd_sockmsg) || len > sizeof(struct xsd_sockmsg) + XENSTORE_PAYLOAD_MAX)
        r->bad = true;
    else
        conn_requeue(c, data, len);
}

static void load_watch(struct conn *c, struct reader *r)
{
    char path[PATH_ROOM], token[XENSTORE_PAYLOAD_MAX];
    uint64_t strip;

    get_text(r, path, sizeof(path));
    get_text(r, token, sizeof(token));
    strip = get_number(r);
    if (strip > strlen(path))
        r->bad = true;
    if (!r->bad)
        watch_add(c, path, strip, token, get_number(r));
}

static void load_unwatch(struct conn *c, struct reader *r)
{
    char path[PATH_ROOM], token[XENSTORE_PAYLOAD_MAX];

    get_text(r, path, sizeof(path));
    get_text(r, token, sizeof(token));
    watch_remove(c, path, token);
}

static void load_txn_begin(struct conn *c, struct reader *r)
{
    uint64_t id = get_number(r);

    if (!conn_find_txn(c, id))
        conn_start_txn(c, id)->doomed = true; /* J4 */
}

static void load_txn_end(struct conn *c, struct reader *r)
{
    struct txn *t = conn_find_txn(c, get_number(r));

    if (t)
        conn_end_txn(c, t);
}

static void load_ring_entry(enum kind kind, struct reader *r)
{
    static void (*const load_kind[])(struct conn * c, struct reader * r) = {
        [RING] = load_ring,       [IN] = load_in,           [OUT] = load_out,
        [WATCH] = load_watch,     [UNWATCH] = load_unwatch, [TXN_BEGIN] = load_txn_begin,
        [TXN_END] = load_txn_end,
    };
    struct domain *d = domain_find(get_number(r));

    if (!d)
        r->bad = true;
    if (r->bad)
        return;
    if (kind == RING)
        domain_attach(d);
    if (d->conn)
        load_kind[kind](d->conn, r);
    else
        r->bad = true;
}

/* Returns -ESTALE for a file of another boot. */
static int load_entry(struct reader *r)
{
    enum kind kind = get_number(r);
    char now[BOOT_ID];
    const uint8_t *id;
    struct domain *d;
    size_t len;

    switch (kind) {
    case BOOT:
        id = get_bytes(r, &len);
        boot_id(now);
        return len == BOOT_ID && memcmp(id, now, len) == 0 ? 0 : -ESTALE;
    case NODE:
        load_node(r);
        break;
    case GONE:
        load_gone(r);
        break;
    case DOMAIN:
        load_domain(r);
        break;
    case RELEASE:
        d = domain_find(get_number(r));
        if (d)
            domain_forget(d);
        break;
    case QUOTA:
        load_quota(r);
        break;
    case RING ... TXN_END:
        load_ring_entry(kind, r);
        break;
    default:
        r->bad = true;
    }
    return r->bad ? -EINVAL : 0;
}

static int load(const struct bytes *content)
{
    struct reader r = {.at = content->data, .end = content->data + content->len};
    struct frame f;
    int rc = 0;

    while (rc == 0 && r.end - r.at >= (ptrdiff_t)sizeof(f)) {
        struct reader entries;

        memcpy(&f, r.at, sizeof(f));
        if (f.magic != MAGIC || f.len > r.end - r.at - sizeof(f) ||
            f.crc != crc32(0, r.at + sizeof(f), f.len))
            break; /* J1 */
        entries = (struct reader){.at = r.at + sizeof(f), .end = r.at + sizeof(f) + f.len};
        while (rc == 0 && entries.at < entries.end)
            rc = load_entry(&entries);
        r.at = entries.end;
    }
    return rc ? rc : store_check() || !store_get("/") ? -EINVAL : 0;
}

static void keep_bad(const char *path)
{
    char *name = must_alloc(strlen(path) + 5);

    sprintf(name, "%s.bad", path);
    rename(path, name);
    free(name);
}

int journal_load(const char *path, struct error *err)
{
    struct bytes content = {0};
    int rc = image_read_file(path, &content, err);

    if (rc == -ENOENT)
        return 0;
    if (rc == 0) {
        store_reset();
        rc = load(&content);
        bytes_free(&content);
        if (rc == 0)
            return 0;
        while (domain_list)
            domain_forget(domain_list);
        store_init();
    }
    if (rc == -ESTALE)
        return 0;
    error_set(err, rc, "what it has makes no sense; the store is empty");
    keep_bad(path);
    return rc;
}

/* SPDX-License-Identifier: MIT */
/* Connections: queues of bytes in both directions, and those on the socket. (Rings: domain.c.) */
#include "conn.h"
#include "domain.h"
#include "journal.h"
#include "proto.h"
#include "quota.h"
#include "watch.h"

#include "../libsocle/alloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Messages that one connection may have handled before others get their turn. A guest's are taken
 * in by few, for one of them may be the removal of all that it has. */
enum { TURN = 64, GUEST_TURN = 2 };
enum { GATHER = 4096 };                   /* bytes that are written, or read, at once */
enum { HOLD_MIN = 10, HOLD_DOUBLED = 7 }; /* C3: ms, and how often that is doubled at most */

struct conn *conn_list;
uint64_t conn_clock;

struct conn *conn_new(const struct conn_io *io, domid_t id, bool privileged)
{
    struct conn *c = must_alloc(sizeof(*c));

    c->io = io;
    c->fd = -1;
    c->who = (struct who){.id = id, .target = DOMID_INVALID, .privileged = privileged};
    c->last_out = &c->out;
    c->next = conn_list;
    conn_list = c;
    return c;
}

void conn_drop_txns(struct conn *c)
{
    while (c->txns)
        conn_end_txn(c, c->txns);
}

struct txn *conn_find_txn(const struct conn *c, uint32_t id)
{
    struct txn *t = c->txns;

    while (t && t->id != id)
        t = t->next;
    return t;
}

struct txn *conn_start_txn(struct conn *c, uint32_t id)
{
    struct txn *t = must_alloc(sizeof(*t));

    txn_init(t, id);
    t->next = c->txns;
    c->txns = t;
    c->nr_txns++;
    journal_txn(c, id, true);
    return t;
}

void conn_end_txn(struct conn *c, struct txn *t)
{
    struct txn **at = &c->txns;

    while (*at != t)
        at = &(*at)->next;
    *at = t->next;
    c->nr_txns--;
    journal_txn(c, t->id, false);
    txn_clear(t);
    free(t);
}

/* Of an event: its path and token as one string. */
static const char *event_key(const struct msg *m)
{
    static char key[XENSTORE_PAYLOAD_MAX + 1];
    size_t path_len = strlen((const char *)m->data + sizeof(struct xsd_sockmsg));

    memcpy(key, m->data + sizeof(struct xsd_sockmsg), m->len - sizeof(struct xsd_sockmsg));
    key[path_len] = '\n'; /* which no path has */
    return key;
}

void conn_drop_first(struct conn *c)
{
    struct msg *m = c->out;

    c->out = m->next;
    if (!c->out)
        c->last_out = &c->out;
    if (m->event)
        map_remove(&c->events, event_key(m));
    c->out_len -= m->len;
    c->out_sent = 0;
    free(m);
}

void conn_reset(struct conn *c)
{
    watch_remove_all(c);
    conn_drop_txns(c);
    while (c->out)
        conn_drop_first(c);
    map_clear(&c->events);
    bytes_free(&c->in);
}

void conn_reap(void)
{
    struct conn **at = &conn_list, *c;

    while ((c = *at)) {
        if (!c->dead) {
            at = &c->next;
            continue;
        }
        *at = c->next;
        conn_reset(c);
        c->io->close(c, c->dead);
        free(c);
    }
}

/* ---- out ---- */

static void enqueue(struct conn *c, struct msg *m)
{
    *c->last_out = m;
    c->last_out = &m->next;
    c->out_len += m->len;
    if (m->event)
        map_put(&c->events, event_key(m), m);
    journal_out(c, m->data, m->len);
}

static struct msg *new_msg(const struct xsd_sockmsg *h, size_t len)
{
    struct msg *m = must_alloc(sizeof(*m) + sizeof(*h) + len);

    m->len = sizeof(*h) + len;
    memcpy(m->data, h, sizeof(*h));
    return m;
}

void conn_send(struct conn *c, uint32_t type, uint32_t req_id, uint32_t tx_id, const void *data,
               size_t len)
{
    struct xsd_sockmsg h = {.type = type, .req_id = req_id, .tx_id = tx_id, .len = len};
    struct msg *m = new_msg(&h, len);

    if (len)
        memcpy(m->data + sizeof(h), data, len);
    enqueue(c, m);
}

void conn_requeue(struct conn *c, const void *data, size_t len)
{
    struct msg *m = must_alloc(sizeof(*m) + len);
    struct xsd_sockmsg h;

    memcpy(m->data, data, len);
    memcpy(&h, data, sizeof(h));
    m->len = len;
    m->event = h.type == XS_WATCH_EVENT;
    enqueue(c, m);
}

void conn_event(struct conn *c, const char *path, const char *token)
{
    size_t path_len = strlen(path) + 1, token_len = strlen(token) + 1;
    struct xsd_sockmsg h = {.type = XS_WATCH_EVENT, .len = path_len + token_len};
    struct msg *m, *old;

    if (c->dead || h.len > XENSTORE_PAYLOAD_MAX)
        return;
    m = new_msg(&h, h.len);
    m->event = true;
    memcpy(m->data + sizeof(h), path, path_len);
    memcpy(m->data + sizeof(h) + path_len, token, token_len);
    old = map_get(&c->events, event_key(m));
    if (old && !(old == c->out && c->out_sent)) {
        free(m);
        return;
    }
    enqueue(c, m);
    c->more = true;
    if (c->out_len > (c->who.privileged ? OUT_MAX_SOCKET : quota.out))
        c->dead = ENOBUFS;
}

bool conn_blocked(const struct conn *c)
{
    return c->out_len > c->out_sent;
}

/* Copies the first bytes that wait; returns how many. */
static size_t gather(const struct conn *c, uint8_t *to, size_t room)
{
    size_t len = 0, skip = c->out_sent;

    for (const struct msg *m = c->out; m && len < room; m = m->next) {
        size_t n = m->len - skip < room - len ? m->len - skip : room - len;

        memcpy(to + len, m->data + skip, n);
        len += n;
        skip = 0;
    }
    return len;
}

void conn_sent(struct conn *c, size_t n)
{
    n += c->out_sent;
    while (c->out && n >= c->out->len) {
        n -= c->out->len;
        conn_drop_first(c);
    }
    c->out_sent = n;
}

static void flush_out(struct conn *c)
{
    static uint8_t buf[GATHER];

    while (c->out && !c->dead) {
        ssize_t n = c->io->write(c, buf, gather(c, buf, sizeof(buf)));

        if (n < 0)
            c->dead = -n;
        if (n <= 0)
            break;
        conn_sent(c, n);
    }
}

/* ---- in ---- */

/* Reads on until the unfinished message has @want bytes. */
static bool read_up_to(struct conn *c, size_t want)
{
    while (c->in.len < want) {
        ssize_t n;

        must_have(bytes_grow(&c->in, want - c->in.len, SIZE_MAX / 2));
        n = c->io->read(c, c->in.data + c->in.len, want - c->in.len);
        if (n < 0)
            c->dead = -n;
        if (n <= 0)
            return false;
        c->in.len += n;
    }
    return true;
}

/* Takes in one message and answers it, or else as much of one as there is. */
static bool take_message(struct conn *c)
{
    struct xsd_sockmsg h = {0};
    bool whole = read_up_to(c, sizeof(h));

    if (whole) {
        memcpy(&h, c->in.data, sizeof(h));
        if (h.len > XENSTORE_PAYLOAD_MAX) {
            c->dead = EPROTO;
            return false;
        }
        whole = read_up_to(c, sizeof(h) + h.len);
    }
    if (c->dead)
        return false;
    if (whole) {
        proto_request(c, &h, c->in.data + sizeof(h));
        c->in.len = 0;
    }
    return whole;
}

/* What the turn has taken in and done is in the journal; then the ring's bytes are free. */
static void settle(struct conn *c)
{
    bool ring = c->io->settle && !c->dead;

    if (ring)
        journal_in(c);
    journal_commit();
    if (ring)
        c->io->settle(c);
}

unsigned int conn_wait(const struct conn *c)
{
    return c->domain && c->domain->held_until > conn_clock ? c->domain->held_until - conn_clock : 0;
}

void conn_committed(struct conn *c, bool failed, domid_t culprit)
{
    struct domain *d = failed ? domain_find(culprit) : NULL;

    if (!failed)
        c->conflicts = 0;
    if (!c->who.privileged || !d || culprit == 0)
        return;
    if (c->conflicts < HOLD_DOUBLED)
        c->conflicts++;
    d->held_until = conn_clock + (HOLD_MIN << c->conflicts);
}

void conn_service(struct conn *c)
{
    unsigned int left = c->who.privileged ? TURN : GUEST_TURN;
    bool whole = true;

    c->more = false;
    flush_out(c);
    for (; left && whole && !c->dead && c->out_len < OUT_PAUSE; left--)
        whole = take_message(c);
    settle(c);
    flush_out(c);
    c->more |= whole && c->out_len < OUT_PAUSE;
}

/* ---- the socket ---- */

static ssize_t moved(ssize_t n)
{
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    return n ? n : -EPIPE;
}

/* A message's head and the rest, and often more messages, are there at once: so they are fetched at once. */
struct ahead {
    size_t at, len;
    bool empty; /* the socket was, at the last look; poll(2) tells when to look again */
    uint8_t data[GATHER];
};

static ssize_t socket_read(struct conn *c, void *buf, size_t len)
{
    struct ahead *a = c->ahead;

    if (a->at == a->len) {
        ssize_t n = a->empty ? 0 : moved(recv(c->fd, a->data, sizeof(a->data), MSG_DONTWAIT));

        a->at = 0;
        a->len = n > 0 ? n : 0;
        a->empty = n > 0 && n < (ssize_t)sizeof(a->data);
        if (n <= 0)
            return n;
    }
    if (len > a->len - a->at)
        len = a->len - a->at;
    memcpy(buf, a->data + a->at, len);
    a->at += len;
    return len;
}

static ssize_t socket_write(struct conn *c, const void *buf, size_t len)
{
    return moved(send(c->fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL));
}

static void socket_close(struct conn *c, int why)
{
    (void)why;
    close(c->fd);
    free(c->ahead);
}

static const struct conn_io socket_io = {
    .read = socket_read, .write = socket_write, .close = socket_close};

int conn_listen(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd, rc = 0;

    if (strlen(path) >= sizeof(addr.sun_path))
        return -ENAMETOOLONG;
    strcpy(addr.sun_path, path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    unlink(path);
    if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || chmod(path, 0600) || listen(fd, 64))
        rc = -errno;
    if (rc)
        close(fd);
    return rc ? rc : fd;
}

int conn_accept(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct conn *c;

    if (fd < 0)
        return -errno;
    c = conn_new(&socket_io, 0, true);
    c->fd = fd;
    c->ahead = must_alloc(sizeof(*c->ahead));
    return 0;
}

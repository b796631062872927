/* SPDX-License-Identifier: MIT */
/* A client of the store daemon's socket. Not of the kernel's file with the same protocol: that one
 * waits for ever where there is no daemon. */
#include <errno.h> /* first: the protocol has names for what is in it */

#include "xs.h"

#include "alloc.h"
#include "bytes.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>
#include <xen/io/xs_wire.h>

#define PATIENCE_SECONDS 30 /* of a store that does not answer */
#define AT_ONCE          64 /* requests on their way: neither side's buffers ever fill up */
#define CONFLICTS_MAX    100

static int fd = -1;
static uint8_t in[8192]; /* what has been read, and not yet been looked at */
static size_t in_at, in_len;
static struct bytes out; /* requests that are still to be sent */
static bool changed;     /* what is observed has */
static bool lost;        /* a connection */

void (*xs_on_event)(const char *token);

struct answer {
    uint32_t type, len;
    char text[XENSTORE_PAYLOAD_MAX + 2]; /* with two NULs */
};

/* ---- the connection ---- */

void xs_leave(void)
{
    if (fd >= 0) {
        close(fd);
        lost = true;
    }
    fd = -1;
    in_at = in_len = 0;
}

static int open_socket(void)
{
    const char *dir = getenv("XENSTORED_RUNDIR"), *path = getenv("XENSTORED_PATH");
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = PATIENCE_SECONDS};
    int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), rc;

    if (path)
        snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
    else
        snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/socket", dir ? dir : "/run/xenstored");
    setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    if (s >= 0 && connect(s, (struct sockaddr *)&addr, sizeof(addr)) == 0)
        return s;
    rc = -errno;
    if (s >= 0)
        close(s);
    return rc;
}

static ssize_t send_socket(int s, const void *data, size_t len)
{
    return send(s, data, len, MSG_NOSIGNAL);
}

static ssize_t recv_socket(int s, void *data, size_t len)
{
    return recv(s, data, len, 0);
}

static const struct xs_wire socket_wire = {open_socket, send_socket, recv_socket};
const struct xs_wire *xs_wire = &socket_wire;

int xs_reach(void)
{
    if (fd < 0)
        fd = xs_wire->open();
    return fd < 0 ? fd : 0;
}

static int take(void *to, size_t len)
{
    for (uint8_t *at = to; len;) {
        size_t n = in_len - in_at < len ? in_len - in_at : len;
        ssize_t got;

        memcpy(at, in + in_at, n);
        in_at += n;
        at += n;
        len -= n;
        if (!len)
            break;
        got = xs_wire->recv(fd, in, sizeof(in));
        if (got <= 0)
            return -ENOTCONN;
        in_at = 0;
        in_len = got;
    }
    return 0;
}

static void append(struct bytes *to, const void *data, size_t len)
{
    must_have(bytes_append(to, data, len, SIZE_MAX / 2));
}

static void put_request(struct bytes *to, uint32_t type, const char *path, const char *more,
                        size_t more_len)
{
    struct xsd_sockmsg h = {.type = type, .len = strlen(path) + 1 + more_len};

    append(to, &h, sizeof(h));
    append(to, path, strlen(path) + 1);
    append(to, more, more_len);
}

/* A path with its NUL, and what follows it. */
static void request(uint32_t type, const char *path, const char *more, size_t more_len)
{
    put_request(&out, type, path, more, more_len);
}

/* Send the requests. */
static int submit(void)
{
    size_t done = 0;
    int rc = xs_reach() ? -ENOTCONN : 0;

    while (rc == 0 && done < out.len) {
        ssize_t n = xs_wire->send(fd, out.data + done, out.len - done);

        rc = n > 0 ? 0 : -ENOTCONN;
        done += n > 0 ? n : 0;
    }
    out.len = 0;
    if (rc)
        xs_leave();
    return rc;
}

static int error_of(const char *name)
{
    for (size_t i = 0; i < sizeof(xsd_errors) / sizeof(xsd_errors[0]); i++) {
        if (strcmp(xsd_errors[i].errstring, name) == 0)
            return -xsd_errors[i].errnum;
    }
    return -EIO;
}

/* The next message. */
static int message(struct answer *a)
{
    struct xsd_sockmsg h;

    if (take(&h, sizeof(h)) || h.len > XENSTORE_PAYLOAD_MAX || take(a->text, h.len)) {
        xs_leave();
        return -ENOTCONN;
    }
    a->type = h.type;
    a->len = h.len;
    a->text[h.len] = a->text[h.len + 1] = 0;
    changed |= h.type == XS_WATCH_EVENT;
    if (h.type == XS_WATCH_EVENT && xs_on_event)
        xs_on_event(a->text + strlen(a->text) + 1);
    return 0;
}

/* The answer to the first request that has not been answered. */
static int answer(struct answer *a)
{
    int rc;

    do {
        rc = message(a);
    } while (rc == 0 && a->type == XS_WATCH_EVENT);
    if (rc)
        return rc;
    return a->type == XS_ERROR ? error_of(a->text) : 0;
}

/* One request, which is sent. */
static int ask(struct answer *a)
{
    int rc = submit();

    return rc ? rc : answer(a);
}

/* ---- reading ---- */

static int read_all(uint32_t type, const char *const *path, size_t nr, char **value)
{
    struct answer a;
    int rc, worst = 0;

    memset(value, 0, nr * sizeof(*value));
    for (size_t first = 0, last; first < nr; first = last) {
        last = nr - first < AT_ONCE ? nr : first + AT_ONCE;
        for (size_t i = first; i < last; i++)
            request(type, path[i], "", 0);
        rc = submit();
        for (size_t i = first; i < last && rc != -ENOTCONN; i++) {
            rc = answer(&a);
            if (rc == 0)
                value[i] = must_copy(a.text, a.len + 1);
            else if (rc != -ENOENT && !worst)
                worst = rc;
        }
        if (rc == -ENOTCONN)
            return rc;
    }
    return worst;
}

int xs_get_all(const char *const *path, size_t nr, char **value)
{
    return read_all(XS_READ, path, nr, value);
}

int xs_list_all(const char *const *path, size_t nr, char **names)
{
    return read_all(XS_DIRECTORY, path, nr, names);
}

char *xs_get(const char *path)
{
    char *value;

    xs_get_all(&path, 1, &value);
    return value;
}

/* ---- writing ---- */

void xs_put(struct xs_changes *c, const char *path, const char *value)
{
    put_request(&c->requests, XS_WRITE, path, value, strlen(value));
}

void xs_make(struct xs_changes *c, const char *path)
{
    put_request(&c->requests, XS_MKDIR, path, "", 0);
}

void xs_drop(struct xs_changes *c, const char *path)
{
    put_request(&c->requests, XS_RM, path, "", 0);
}

void xs_permit(struct xs_changes *c, const char *path, const char *perms, size_t len)
{
    put_request(&c->requests, XS_SET_PERMS, path, perms, len);
}

void xs_expect(struct xs_changes *c, const char *path)
{
    put_request(&c->requests, XS_READ, path, "", 0);
}

/* Sends the next ones, at most AT_ONCE, in transaction @tx, and hears what becomes of them. */
static int change_some(const uint8_t **at, const uint8_t *end, uint32_t tx)
{
    uint32_t type[AT_ONCE];
    struct xsd_sockmsg h;
    struct answer a;
    size_t nr = 0;
    int rc, worst = 0;

    for (; *at < end && nr < AT_ONCE; *at += sizeof(h) + h.len) {
        memcpy(&h, *at, sizeof(h));
        h.tx_id = tx;
        append(&out, &h, sizeof(h));
        append(&out, *at + sizeof(h), h.len);
        type[nr++] = h.type;
    }
    rc = submit();
    for (size_t i = 0; i < nr && rc != -ENOTCONN; i++) {
        rc = answer(&a);
        if (rc && !worst && !(type[i] == XS_RM && rc == -ENOENT))
            worst = rc;
    }
    return rc == -ENOTCONN ? rc : worst;
}

static int attempt(const struct bytes *requests)
{
    const uint8_t *at = requests->data, *end = at + requests->len;
    struct answer a;
    uint32_t tx;
    int rc, worst = 0;

    request(XS_TRANSACTION_START, "", "", 0);
    rc = ask(&a);
    if (rc)
        return rc;
    tx = strtoul(a.text, NULL, 10);
    while (at < end && !worst)
        worst = change_some(&at, end, tx);
    if (worst == -ENOTCONN)
        return worst;
    request(XS_TRANSACTION_END, worst ? "F" : "T", "", 0);
    ((struct xsd_sockmsg *)out.data)->tx_id = tx;
    rc = ask(&a);
    return worst ? worst : rc;
}

/* Again, if somebody else has changed meanwhile what we have. */
int xs_change(struct xs_changes *c)
{
    const uint8_t *at = c->requests.data, *end = at + c->requests.len;
    struct xsd_sockmsg first;
    int rc = -EAGAIN;

    if (at < end)
        memcpy(&first, at, sizeof(first));
    if (at == end)
        rc = 0;
    else if (at + sizeof(first) + first.len == end) /* one alone needs no transaction */
        rc = change_some(&at, end, 0);
    for (unsigned int i = 0; i < CONFLICTS_MAX && rc == -EAGAIN; i++)
        rc = attempt(&c->requests);
    bytes_free(&c->requests);
    return rc;
}

int xs_put_all(const struct xs_pair *pair, size_t nr)
{
    struct xs_changes c = {0};

    for (size_t i = 0; i < nr; i++)
        xs_put(&c, pair[i].path, pair[i].value);
    return xs_change(&c);
}

/* ---- domains ---- */

int xs_introduce(unsigned int id, uint64_t frame, uint32_t port)
{
    char text[16], more[48];
    struct answer a;
    int len = sprintf(more, "%" PRIu64, frame) + 1;

    len += sprintf(more + len, "%" PRIu32, port) + 1;
    sprintf(text, "%u", id);
    request(XS_INTRODUCE, text, more, len);
    return ask(&a);
}

int xs_release(unsigned int id)
{
    struct answer a;
    char text[16];

    sprintf(text, "%u", id);
    request(XS_RELEASE, text, "", 0);
    return ask(&a);
}

int xs_remove(const char *path)
{
    struct answer a;

    request(XS_RM, path, "", 0);
    return ask(&a);
}

/* ---- waiting ---- */

int xs_subscribe(const char *path, const char *token)
{
    struct answer a;

    request(XS_WATCH, path, token, strlen(token) + 1);
    return ask(&a);
}

int xs_unsubscribe(const char *path, const char *token)
{
    struct answer a;

    request(XS_UNWATCH, path, token, strlen(token) + 1);
    return ask(&a);
}

static bool something_waits(int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return in_at < in_len || (fd >= 0 && poll(&p, 1, ms) > 0);
}

bool xs_events(void)
{
    struct answer a;

    while (something_waits(0) && message(&a) == 0)
        ;
    return fd >= 0;
}

int xs_fd(void)
{
    return in_at < in_len ? -1 : fd;
}

bool xs_lost(void)
{
    bool was = lost;

    lost = false;
    return was;
}

int xs_observe(const char *path)
{
    return xs_subscribe(path, "t");
}

void xs_await(int ms)
{
    struct answer a;

    if (fd < 0) {
        poll(NULL, 0, ms < 200 ? ms : 200);
        return;
    }
    while (!changed && something_waits(ms) && message(&a) == 0)
        ;
    changed = false;
}

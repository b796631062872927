/* SPDX-License-Identifier: MIT */
/* A client of the store daemon's socket. Not of the kernel's file with the same protocol: that one
 * waits for ever where there is no daemon. */
#include <errno.h> /* first: the protocol has names for what is in it */

#include "xs.h"

#include "alloc.h"
#include "bytes.h"

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
#define AT_ONCE          32 /* requests on their way: neither side's buffers ever fill up */
#define CONFLICTS_MAX    100

static int fd = -1;
static uint8_t in[8192]; /* what has been read, and not yet been looked at */
static size_t in_at, in_len;
static struct bytes out; /* requests that are still to be sent */
static bool changed;     /* what is observed has */

struct answer {
    uint32_t type, len;
    char text[XENSTORE_PAYLOAD_MAX + 2]; /* with two NULs */
};

/* ---- the connection ---- */

static void disconnect(void)
{
    if (fd >= 0)
        close(fd);
    fd = -1;
    in_at = in_len = 0;
}

static int connect_store(void)
{
    const char *dir = getenv("XENSTORED_RUNDIR"), *path = getenv("XENSTORED_PATH");
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = PATIENCE_SECONDS};

    if (fd >= 0)
        return 0;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (path)
        snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
    else
        snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/socket", dir ? dir : "/run/xenstored");
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    if (fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
        return 0;
    disconnect();
    return -ENOTCONN;
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
        got = recv(fd, in, sizeof(in), 0);
        if (got <= 0)
            return -ENOTCONN;
        in_at = 0;
        in_len = got;
    }
    return 0;
}

static void append(const void *data, size_t len)
{
    must_have(bytes_append(&out, data, len, SIZE_MAX / 2));
}

/* A path with its NUL, and what follows it. */
static void request(uint32_t type, uint32_t tx, const char *path, const char *more, size_t more_len)
{
    struct xsd_sockmsg h = {.type = type, .tx_id = tx, .len = strlen(path) + 1 + more_len};

    append(&h, sizeof(h));
    append(path, strlen(path) + 1);
    append(more, more_len);
}

/* Send the requests. */
static int submit(void)
{
    size_t done = 0;
    int rc = connect_store();

    while (rc == 0 && done < out.len) {
        ssize_t n = send(fd, out.data + done, out.len - done, MSG_NOSIGNAL);

        rc = n > 0 ? 0 : -ENOTCONN;
        done += n > 0 ? n : 0;
    }
    bytes_free(&out);
    if (rc)
        disconnect();
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
        disconnect();
        return -ENOTCONN;
    }
    a->type = h.type;
    a->len = h.len;
    a->text[h.len] = a->text[h.len + 1] = 0;
    changed |= h.type == XS_WATCH_EVENT;
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

/* ---- reading ---- */

static int read_all(uint32_t type, const char *const *path, size_t nr, char **value)
{
    struct answer a;
    int rc = 0;

    memset(value, 0, nr * sizeof(*value));
    for (size_t first = 0, last; first < nr && rc == 0; first = last) {
        last = nr - first < AT_ONCE ? nr : first + AT_ONCE;
        for (size_t i = first; i < last; i++)
            request(type, 0, path[i], "", 0);
        rc = submit();
        for (size_t i = first; i < last && rc != -ENOTCONN; i++) {
            rc = answer(&a);
            if (rc == 0)
                value[i] = must_copy(a.text, a.len + 1);
        }
        rc = rc == -ENOTCONN ? rc : 0;
    }
    return rc;
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

static int attempt(const struct xs_pair *pair, size_t nr)
{
    struct answer a;
    uint32_t tx;
    int rc, worst = 0;

    request(XS_TRANSACTION_START, 0, "", "", 0);
    rc = submit();
    if (rc == 0)
        rc = answer(&a);
    if (rc)
        return rc;
    tx = strtoul(a.text, NULL, 10);
    for (size_t i = 0; i < nr && worst == 0; i++) {
        request(XS_WRITE, tx, pair[i].path, pair[i].value, strlen(pair[i].value));
        rc = submit();
        worst = rc ? rc : answer(&a);
    }
    if (worst == -ENOTCONN)
        return worst;
    request(XS_TRANSACTION_END, tx, worst ? "F" : "T", "", 0);
    rc = submit();
    if (rc == 0)
        rc = answer(&a);
    return worst ? worst : rc;
}

int xs_put_all(const struct xs_pair *pair, size_t nr)
{
    int rc = -EAGAIN; /* somebody else has changed what we have */

    for (unsigned int i = 0; i < CONFLICTS_MAX && rc == -EAGAIN; i++)
        rc = attempt(pair, nr);
    return rc;
}

int xs_remove(const char *path)
{
    struct answer a;
    int rc;

    request(XS_RM, 0, path, "", 0);
    rc = submit();
    return rc ? rc : answer(&a);
}

/* ---- waiting ---- */

int xs_observe(const char *path)
{
    struct answer a;
    int rc;

    request(XS_WATCH, 0, path, "t", 2);
    rc = submit();
    return rc ? rc : answer(&a);
}

void xs_await(int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    struct answer a;

    if (fd < 0) {
        poll(NULL, 0, ms < 200 ? ms : 200);
        return;
    }
    while (!changed && (in_at < in_len || poll(&p, 1, ms) > 0) && message(&a) == 0)
        ;
    changed = false;
}

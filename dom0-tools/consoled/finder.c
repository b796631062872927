/* SPDX-License-Identifier: MIT */
/* Finding consoles. The thread's own list says what the main loop knows. */
#include "finder.h"

#include "../libsocle/alloc.h"
#include "../libsocle/daemon.h"
#include "../libsocle/xc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xenstore.h>

enum { LOOK_AGAIN = 1000 }; /* ms: the library does not say when the store has gone */

struct known {
    struct known *next;
    domid_t id;
    uint8_t handle[16];
    bool seen;      /* in the list of now */
    bool changed;   /* the store has something new about its console */
    bool connected; /* the main loop has it */
    bool told;      /* the store knows of that */
    char tty[64];
};

struct connected { /* a message to the thread */
    domid_t id;
    char tty[64];
};

/* Two pipes, of whole messages: each is written at once and small enough for that. */
static struct pipe {
    int out, in;
} to_main, to_thread;
static struct xs_handle *xs;
static struct known *known;
static bool scan_wanted;

/* ---- the store ---- */

static char *store_read(domid_t id, const char *what)
{
    unsigned int len;
    char path[80];

    if (what[0] == '/')
        snprintf(path, sizeof(path), what, id);
    else
        snprintf(path, sizeof(path), "/local/domain/%u/%s", id, what);
    return xs_read(xs, XBT_NULL, path, &len);
}

static bool store_number(domid_t id, const char *what, uint64_t *value)
{
    char *text = store_read(id, what), *end = text;
    bool good;

    errno = 0;
    if (text)
        *value = strtoull(text, &end, 10);
    good = text && end != text && !*end && !errno;
    free(text);
    return good;
}

/* Cut where there is no room for all of it. */
static void store_text(domid_t id, const char *what, char *to, size_t size)
{
    char *text = store_read(id, what);

    snprintf(to, size, "%s", text ? text : "");
    free(text);
}

/* Returns whether it is all there. */
static bool read_spec(const struct known *k, struct console_spec *s)
{
    char type[32];
    uint64_t port, kib;

    *s = (struct console_spec){.id = k->id};
    memcpy(s->handle, k->handle, sizeof(s->handle));
    store_text(k->id, "console/type", type, sizeof(type));
    if (type[0] && strcmp(type, "xenconsoled") != 0)
        return false;
    if (!store_number(k->id, "console/ring-ref", &s->frame) ||
        !store_number(k->id, "console/port", &port) || port > UINT32_MAX)
        return false;
    s->port = port;
    if (!store_number(k->id, "console/limit", &s->limit))
        s->limit = 0;
    if (store_number(k->id, "/socle/%u/console-log-size", &kib) && kib < UINT64_MAX / 1024)
        s->log_size = kib * 1024;
    store_text(k->id, "/socle/%u/console-log", s->log, sizeof(s->log));
    store_text(k->id, "name", s->name, sizeof(s->name));
    if (!s->name[0])
        snprintf(s->name, sizeof(s->name), "domain-%u", k->id);
    return true;
}

static void watch(struct known *k, bool on)
{
    char path[64], token[16];

    snprintf(path, sizeof(path), "/local/domain/%u/console", k->id);
    snprintf(token, sizeof(token), "%u", k->id);
    if (on)
        xs_watch(xs, path, token);
    else
        xs_unwatch(xs, path, token);
}

/* If the domain's nodes are still there: they would be made anew, and nobody would remove them. */
static bool tell_store(struct known *k)
{
    char path[64], tty[64];

    snprintf(path, sizeof(path), "/local/domain/%u/console/port", k->id);
    snprintf(tty, sizeof(tty), "/local/domain/%u/console/tty", k->id);
    for (unsigned int tries = 0; k->tty[0] && tries < 100; tries++) {
        xs_transaction_t t = xs_transaction_start(xs);
        void *port = t ? xs_read(xs, t, path, NULL) : NULL;
        bool gone = !port && errno == ENOENT;
        bool good = port && xs_write(xs, t, tty, k->tty, strlen(k->tty));

        free(port);
        if (!t)
            return false;
        if (xs_transaction_end(xs, t, !good))
            return good || gone;
    }
    return !k->tty[0];
}

static void disconnect(void)
{
    xs_close(xs);
    xs = NULL;
}

static void connect_store(void)
{
    xs = xs_open(XS_OPEN_SOCKETONLY);
    if (!xs)
        return;
    if (!xs_watch(xs, "@introduceDomain", "scan") || !xs_watch(xs, "@releaseDomain", "scan")) {
        disconnect();
        return;
    }
    for (struct known *k = known; k; k = k->next) {
        if (!k->connected)
            watch(k, true);
        else if (!k->told)
            k->told = tell_store(k);
    }
    scan_wanted = true;
}

static struct known *find(domid_t id)
{
    struct known *k = known;

    while (k && k->id != id)
        k = k->next;
    return k;
}

/* Returns whether the store is still there. */
static bool take_events(void)
{
    char **event;

    errno = 0;
    while ((event = xs_check_watch(xs))) {
        const char *token = event[XS_WATCH_TOKEN];
        struct known *k = find(strtoul(token, NULL, 10));

        if (strcmp(token, "scan") == 0)
            scan_wanted = true;
        else if (k)
            k->changed = true;
        free(event);
        errno = 0;
    }
    return errno == EAGAIN;
}

/* ---- domains ---- */

static void tell(enum finder_kind kind, const struct console_spec *spec)
{
    struct finder_message m = {.kind = kind};

    if (spec)
        m.spec = *spec;
    _Static_assert(sizeof(m) <= PIPE_BUF, "written at once");
    if (write(to_main.in, &m, sizeof(m)) < 0)
        daemon_log("a message was lost: %s", strerror(errno));
}

static void forget(struct known **at)
{
    struct known *k = *at;
    struct console_spec spec = {.id = k->id};

    memcpy(spec.handle, k->handle, sizeof(spec.handle));
    tell(FINDER_GONE, &spec);
    if (!k->connected)
        watch(k, false);
    *at = k->next;
    free(k);
}

static void see(const struct xen_domctl_getdomaininfo *d)
{
    struct known *k = find(d->domain);

    if (d->domain == 0 || d->flags & XEN_DOMINF_dying)
        return;
    if (k && memcmp(k->handle, d->handle, sizeof(k->handle)) != 0) {
        scan_wanted = true; /* the one that was known has gone; the next scan sees this one */
        return;
    }
    if (!k) {
        k = must_alloc(sizeof(*k));
        k->id = d->domain;
        memcpy(k->handle, d->handle, sizeof(k->handle));
        k->changed = true;
        k->next = known;
        known = k;
        watch(k, true);
    }
    k->seen = true;
}

static void scan(void)
{
    struct xen_domctl_getdomaininfo *list;
    struct known **at = &known;
    unsigned int nr;
    int rc = xc_domains(&list, &nr);

    if (rc) {
        daemon_log("list of domains: %s", strerror(-rc));
        return;
    }
    for (struct known *k = known; k; k = k->next)
        k->seen = false;
    for (unsigned int i = 0; i < nr; i++)
        see(&list[i]);
    free(list);
    while (*at) {
        if ((*at)->seen)
            at = &(*at)->next;
        else
            forget(at);
    }
}

/* What is new goes to the main loop. */
static void report(bool all)
{
    struct console_spec spec;

    for (struct known *k = known; k; k = k->next) {
        if (!k->connected && k->changed && read_spec(k, &spec))
            tell(FINDER_FOUND, &spec);
        k->changed = false;
    }
    if (all)
        tell(FINDER_SCANNED, NULL);
}

static void take_messages(void)
{
    struct connected m;

    while (read(to_thread.out, &m, sizeof(m)) == sizeof(m)) {
        struct known *k = find(m.id);

        if (!k)
            continue;
        memcpy(k->tty, m.tty, sizeof(k->tty));
        k->connected = true;
        k->told = xs && tell_store(k);
        if (xs)
            watch(k, false);
    }
}

static void turn(void)
{
    bool all;

    if (!xs)
        connect_store();
    take_messages();
    if (xs && !take_events())
        disconnect();
    if (!xs)
        return;
    all = scan_wanted;
    scan_wanted = false;
    if (all)
        scan();
    report(all);
}

static void *run(void *arg)
{
    for (;;) {
        struct pollfd fds[] = {{to_thread.out, POLLIN}, {-1, POLLIN}};

        turn();
        if (xs)
            fds[1].fd = xs_fileno(xs);
        poll(fds, 2, LOOK_AGAIN);
    }
    return arg;
}

static int make_pipe(struct pipe *p)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC))
        return -errno;
    *p = (struct pipe){.out = fds[0], .in = fds[1]};
    return fcntl(p->out, F_SETFL, O_NONBLOCK) ? -errno : 0;
}

int finder_start(void)
{
    pthread_t thread;
    int rc;

    if ((rc = make_pipe(&to_main)) || (rc = make_pipe(&to_thread)))
        return rc;
    if (fcntl(to_thread.in, F_SETFL, O_NONBLOCK))
        return -errno;
    rc = pthread_create(&thread, NULL, run, NULL);
    if (rc)
        return -rc;
    pthread_detach(thread);
    return to_main.out;
}

bool finder_next(struct finder_message *m)
{
    return read(to_main.out, m, sizeof(*m)) == sizeof(*m);
}

void finder_connected(domid_t id, const char *tty)
{
    struct connected m = {.id = id};

    snprintf(m.tty, sizeof(m.tty), "%s", tty);
    if (write(to_thread.in, &m, sizeof(m)) < 0)
        daemon_log("domain %u: its terminal is not in the store: %s", id, strerror(errno));
}

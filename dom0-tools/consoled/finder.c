/* SPDX-License-Identifier: MIT */
/* Finding consoles. The thread's own list says what the main loop knows. */
#include "finder.h"

#include "../libsocle/alloc.h"
#include "../libsocle/daemon.h"
#include "../libsocle/xc.h"
#include "../libsocle/xs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LOOK_AGAIN = 1000 }; /* ms, for a store that is not there */

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
static bool store_there; /* and it tells of what is new */
static struct known *known;
static bool scan_wanted, news; /* the latter: events that no turn has seen to */

/* ---- the store ---- */

static bool number(const char *text, uint64_t *value)
{
    char *end;

    errno = 0;
    *value = text ? strtoull(text, &end, 10) : 0;
    return text && end != text && !*end && !errno;
}

/* Cut where there is no room for all of it. */
static void copy(char *to, size_t size, const char *text)
{
    snprintf(to, size, "%s", text ? text : "");
}

enum { TYPE, FRAME, PORT, LIMIT, LOG_SIZE, LOG, NAME, VALUES };

static const char *const value_path[VALUES] = {
    [TYPE] = "/local/domain/%u/console/type",  [FRAME] = "/local/domain/%u/console/ring-ref",
    [PORT] = "/local/domain/%u/console/port",  [LIMIT] = "/local/domain/%u/console/limit",
    [LOG_SIZE] = "/socle/%u/console-log-size", [LOG] = "/socle/%u/console-log",
    [NAME] = "/local/domain/%u/name",
};

/* Returns whether it is all there. */
static bool fill_spec(struct console_spec *s, char *const *value)
{
    uint64_t port, kib;

    if (value[TYPE] && value[TYPE][0] && strcmp(value[TYPE], "xenconsoled") != 0)
        return false;
    if (!number(value[FRAME], &s->frame) || !number(value[PORT], &port) || port > UINT32_MAX)
        return false;
    s->port = port;
    if (!number(value[LIMIT], &s->limit))
        s->limit = 0;
    if (number(value[LOG_SIZE], &kib) && kib < UINT64_MAX / 1024)
        s->log_size = kib * 1024;
    copy(s->log, sizeof(s->log), value[LOG]);
    copy(s->name, sizeof(s->name), value[NAME]);
    if (!s->name[0])
        snprintf(s->name, sizeof(s->name), "domain-%u", s->id);
    return true;
}

static bool read_spec(const struct known *k, struct console_spec *s)
{
    char path[VALUES][64], *value[VALUES];
    const char *at[VALUES];
    bool whole;

    *s = (struct console_spec){.id = k->id};
    memcpy(s->handle, k->handle, sizeof(s->handle));
    for (unsigned int i = 0; i < VALUES; i++) {
        snprintf(path[i], sizeof(path[i]), value_path[i], k->id);
        at[i] = path[i];
    }
    whole = xs_get_all(at, VALUES, value) == 0 && fill_spec(s, value);
    for (unsigned int i = 0; i < VALUES; i++)
        free(value[i]);
    return whole;
}

static void watch(struct known *k, bool on)
{
    char path[64], token[16];

    snprintf(path, sizeof(path), "/local/domain/%u/console", k->id);
    snprintf(token, sizeof(token), "%u", k->id);
    if (on)
        xs_subscribe(path, token);
    else
        xs_unsubscribe(path, token);
}

/* If the domain's nodes are still there: they would be made anew, and nobody would remove them.
 * Returns whether there is no more to tell. */
static bool tell_store(struct known *k)
{
    struct xs_changes changes = {0};
    char path[64];
    int rc;

    if (!k->tty[0])
        return true;
    snprintf(path, sizeof(path), "/local/domain/%u/console/port", k->id);
    xs_expect(&changes, path);
    snprintf(path, sizeof(path), "/local/domain/%u/console/tty", k->id);
    xs_put(&changes, path, k->tty);
    rc = xs_change(&changes);
    return rc == 0 || rc == -ENOENT;
}

static void connect_store(void)
{
    xs_leave();
    xs_lost(); /* which is known */
    store_there = xs_reach() == 0 && xs_subscribe("@introduceDomain", "scan") == 0 &&
                  xs_subscribe("@releaseDomain", "scan") == 0;
    if (!store_there)
        return;
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

static void on_event(const char *token)
{
    struct known *k = find(strtoul(token, NULL, 10));

    news = true;
    if (strcmp(token, "scan") == 0)
        scan_wanted = true;
    else if (k)
        k->changed = true;
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
        bool look = !k->connected && k->changed;

        k->changed = false; /* what changes while we look is looked at again */
        if (look && read_spec(k, &spec))
            tell(FINDER_FOUND, &spec);
    }
    store_there = !xs_lost();
    if (all && store_there) /* or else some may not have been found */
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
        k->told = store_there && tell_store(k);
        if (store_there)
            watch(k, false);
    }
}

static void turn(void)
{
    bool all;

    if (!store_there)
        connect_store();
    take_messages();
    store_there = xs_events() && !xs_lost();
    if (!store_there)
        return;
    all = scan_wanted;
    scan_wanted = news = false;
    if (all)
        scan();
    report(all);
}

static void *run(void *arg)
{
    xs_on_event = on_event;
    for (;;) {
        struct pollfd fds[] = {{to_thread.out, POLLIN}, {-1, POLLIN}};
        bool more;

        turn();
        fds[1].fd = xs_fd();
        more = store_there && (fds[1].fd < 0 || news || scan_wanted);
        poll(fds, 2, more ? 0 : store_there ? -1 : LOOK_AGAIN);
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

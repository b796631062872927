/* SPDX-License-Identifier: MIT */
/* Consoles of domains. */
#include "console.h"

#include "../../ring-protocol/byte_ring.h"
#include "../libsocle/alloc.h"
#include "../libsocle/daemon.h"
#include "host.h"
#include "pty.h"
#include "stream.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xen/io/console.h>

#define RETRY  (5 * SECOND)  /* a ring that cannot be had is tried again */
#define LINGER (10 * SECOND) /* time for readers to fetch the rest after the end */

struct console {
    struct console *next;
    struct console_spec spec;
    enum {
        WAITING, /* for its ring */
        OPEN,
        BROKEN, /* C3 */
        ENDED,  /* the domain is gone, readers fetch the rest */
    } state;
    struct xencons_interface *page;
    struct byte_ring out, in; /* as the domain sees it */
    uint32_t port;
    int error;     /* the last complaint */
    int64_t wake;  /* when there is something to do: retry, masked event, end; INT64_MAX: not */
    int64_t spent; /* the budget is whole again at that time */
    bool masked;   /* C1 */
    struct stream stream;
    struct pty pty;
    size_t pty_place;
};

struct console_settings console_settings;
static struct console *consoles;

static struct console *find(domid_t id)
{
    struct console *c = consoles;

    while (c && (c->spec.id != id || c->state == ENDED))
        c = c->next;
    return c;
}

/* ---- the ring ---- */

static void detach(struct console *c)
{
    if (c->port)
        host_unbind(c->port);
    if (c->page)
        host_unmap(c->page);
    c->port = 0;
    c->page = NULL;
    c->masked = false;
    c->wake = INT64_MAX;
}

static void break_off(struct console *c)
{
    static const char note[] = "\r\n[socle-consoled: the ring's indexes make no sense]\r\n";

    daemon_log("domain %u (%s): the indexes of its console make no sense; it is left alone",
               c->spec.id, c->spec.name);
    stream_append(&c->stream, note, sizeof(note) - 1);
    detach(c);
    c->state = BROKEN;
    c->stream.unheard = true;
}

/* All that waits at this moment: what comes while we look is another event. */
static void drain(struct console *c)
{
    uint8_t buf[HISTORY_STEP];
    long n = byte_ring_read(&c->out, buf, sizeof(buf));

    _Static_assert(sizeof(buf) >= sizeof(c->page->out), "one read empties the ring");
    if (n == BYTE_RING_BROKEN) {
        break_off(c);
    } else if (n > 0) {
        stream_append(&c->stream, buf, n);
        byte_ring_consumed(&c->out);
        host_notify(c->port);
    }
}

static bool spend(struct console *c, int64_t now)
{
    if (c->spent < now)
        c->spent = now;
    if (c->spent - now > (EVENT_BURST - 1) * (int64_t)EVENT_COST)
        return false;
    c->spent += EVENT_COST;
    return true;
}

/* Unmasked first, so that what comes while we drain is another event. */
static void on_event(struct console *c, int64_t now)
{
    c->masked = !spend(c, now);
    c->wake = c->masked ? now + EVENT_COST : INT64_MAX;
    if (!c->masked) {
        host_unmask(c->port);
        drain(c);
    }
}

bool console_event(uint32_t port, int64_t now)
{
    struct console *c = consoles;

    while (c && (c->state != OPEN || c->port != port))
        c = c->next;
    if (c)
        on_event(c, now);
    return c;
}

/* Puts input into the ring; returns how much, or BYTE_RING_BROKEN. */
static long put(struct console *c, const uint8_t *data, size_t *used, size_t *len)
{
    long n = byte_ring_write(&c->in, data + *used, *len - *used);

    if (n > 0)
        *used += n;
    if (*used == *len)
        *used = *len = 0;
    return n;
}

/* A ring that has been spoiled is found so even if there is nothing to put into it. */
static void feed(struct console *c)
{
    uint32_t before = c->in.pos;
    long n = byte_ring_room(&c->in) == BYTE_RING_BROKEN ? BYTE_RING_BROKEN : 0;

    if (c->pty.in_len && n >= 0)
        n = put(c, c->pty.in, &c->pty.in_used, &c->pty.in_len);
    for (struct reader *r = c->stream.readers; r && n >= 0; r = r->next) {
        if (r->in_len)
            n = put(c, r->in, &r->in_used, &r->in_len);
    }
    if (n < 0) {
        break_off(c);
    } else if (c->in.pos != before) {
        byte_ring_produced(&c->in);
        host_notify(c->port);
    }
}

/* ---- coming ---- */

static int map_and_bind(struct console *c)
{
    struct xencons_interface *page = host_map(c->spec.id, c->spec.frame);
    int port;

    if (!page)
        return -errno;
    port = host_bind(c->spec.id, c->spec.port);
    if (port < 0) {
        host_unmap(page);
        return port;
    }
    c->page = page;
    c->port = port;
    return 0;
}

/* Where the one before this stood, unless somebody has read on: then where the ring says. */
static uint32_t start_of_output(struct console *c)
{
    uint32_t shown = __atomic_load_n(&c->page->out_cons, __ATOMIC_RELAXED);
    uint32_t pos = stream_position(&c->stream);

    if (!history_end(&c->stream.history) || pos - shown > sizeof(c->page->out)) {
        stream_set_position(&c->stream, shown);
        pos = shown;
    }
    return pos;
}

static void try_to_open(struct console *c, int64_t now)
{
    int rc = map_and_bind(c);

    if (rc) {
        if (rc != c->error)
            daemon_log("domain %u (%s): its console cannot be had: %s%s", c->spec.id, c->spec.name,
                       strerror(-rc), rc == -EINVAL ? "; another daemon may have it" : "");
        c->error = rc;
        c->wake = now + RETRY;
        return;
    }
    c->state = OPEN;
    c->wake = INT64_MAX;
    c->out = (struct byte_ring){(uint8_t *)c->page->out, sizeof(c->page->out), &c->page->out_cons,
                                &c->page->out_prod, start_of_output(c)};
    c->in = (struct byte_ring){(uint8_t *)c->page->in, sizeof(c->page->in), &c->page->in_cons,
                               &c->page->in_prod, c->page->in_prod};
    if (console_settings.ptys)
        rc = pty_open(&c->pty, history_start(&c->stream.history));
    if (rc)
        daemon_log("domain %u (%s): no terminal: %s", c->spec.id, c->spec.name, strerror(-rc));
    finder_connected(c->spec.id, c->pty.path);
    byte_ring_consumed(&c->out); /* the one before may have been killed before it said so */
    host_notify(c->port);
    drain(c);
}

static void open_stream(struct console *c)
{
    const struct console_settings *s = &console_settings;
    char *path = must_alloc(strlen(s->run_dir) + 32), *log = NULL;

    sprintf(path, "%s/%u.history", s->run_dir, c->spec.id);
    stream_open(&c->stream, path, c->spec.id, c->spec.handle, s->history);
    log = c->spec.log[0] ? must_copy(c->spec.log, strlen(c->spec.log))
                         : logfile_name(s->log_dir, c->spec.name);
    stream_log_to(&c->stream, log, c->spec.log_size ? c->spec.log_size : s->log_size, s->log_keep);
    sprintf(path, "%s/%u", s->run_dir, c->spec.id);
    stream_listen(&c->stream, path);
    free(log);
    free(path);
}

static void end(struct console *c, int64_t now)
{
    if (c->state == OPEN)
        drain(c); /* its last words */
    detach(c);
    pty_give(&c->pty, &c->stream.history, UINT64_MAX);
    pty_close(&c->pty);
    stream_end(&c->stream);
    c->state = ENDED;
    c->wake = now + LINGER;
}

void console_found(const struct console_spec *spec, int64_t now)
{
    struct console *c = find(spec->id);

    if (c && memcmp(c->spec.handle, spec->handle, sizeof(spec->handle)) != 0) {
        end(c, now);
        c = NULL;
    }
    if (!c) {
        c = must_alloc(sizeof(*c));
        c->spec = *spec;
        c->pty.master = c->pty.slave = -1;
        c->pty_place = POLLSET_NONE;
        c->next = consoles;
        consoles = c;
        open_stream(c);
    } else if (c->state == WAITING) {
        c->spec.frame = spec->frame;
        c->spec.port = spec->port;
    }
    if (c->state == WAITING) /* C2 */
        try_to_open(c, now);
}

/* ---- going ---- */

void console_gone(domid_t id, const uint8_t *handle, int64_t now)
{
    struct console *c = find(id);

    if (c && memcmp(c->spec.handle, handle, sizeof(c->spec.handle)) == 0)
        end(c, now);
}

static void reap(void)
{
    struct console **at = &consoles, *c;

    while ((c = *at)) {
        if (c->state != ENDED || c->stream.readers) {
            at = &c->next;
            continue;
        }
        *at = c->next;
        stream_close(&c->stream);
        free(c);
    }
}

void console_sweep(void)
{
    DIR *dir = opendir(console_settings.run_dir);
    struct dirent *e;

    while (dir && (e = readdir(dir))) {
        char *rest;
        unsigned long id = strtoul(e->d_name, &rest, 10);

        if (!isdigit((unsigned char)e->d_name[0]) || (*rest && strcmp(rest, ".history") != 0))
            continue;
        if (id >= DOMID_FIRST_RESERVED || !find(id))
            unlinkat(dirfd(dir), e->d_name, 0);
    }
    if (dir)
        closedir(dir);
}

void console_reopen_logs(void)
{
    for (struct console *c = consoles; c; c = c->next) {
        if (c->state != ENDED)
            stream_reopen_log(&c->stream);
    }
}

void console_close_all(void)
{
    for (struct console *c = consoles; c; c = c->next) {
        detach(c);
        pty_close(&c->pty);
    }
    while (consoles) {
        struct console *c = consoles;

        consoles = c->next;
        stream_close(&c->stream);
        free(c);
    }
}

unsigned int console_count(void)
{
    unsigned int nr = 0;

    for (struct console *c = consoles; c; c = c->next)
        nr++;
    return nr;
}

/* ---- the loop ---- */

int64_t console_poll(struct pollset *set)
{
    int64_t until = INT64_MAX;

    for (struct console *c = consoles; c; c = c->next) {
        bool room = c->state == OPEN && byte_ring_room(&c->in) != 0; /* broken: find out */

        stream_poll(&c->stream, set, room);
        c->pty_place = POLLSET_NONE;
        if (c->pty.master >= 0)
            c->pty_place =
                pollset_add(set, c->pty.master,
                            (room && !c->pty.in_len ? POLLIN : 0) | (c->pty.full ? POLLOUT : 0));
        if (c->wake < until)
            until = c->wake;
    }
    return until;
}

static uint64_t pty_limit(const struct console *c)
{
    return c->spec.limit ? c->spec.limit : UINT64_MAX;
}

static void on_time(struct console *c, int64_t now)
{
    c->wake = INT64_MAX;
    if (c->state == WAITING) {
        try_to_open(c, now);
    } else if (c->state == OPEN && c->masked) {
        on_event(c, now);
    } else if (c->state == ENDED) {
        for (struct reader *r = c->stream.readers; r; r = r->next)
            r->dead = true;
        stream_give(&c->stream);
    }
}

void console_turn(const struct pollset *set, int64_t now)
{
    for (struct console *c = consoles; c; c = c->next) {
        short events;

        if (c->wake <= now)
            on_time(c, now);
        events = pollset_events(set, c->pty_place);
        if (events & POLLIN)
            pty_take(&c->pty);
        c->pty.full &= !(events & POLLOUT);
        stream_turn(&c->stream, set);
        if (c->state == OPEN)
            feed(c);
        stream_give(&c->stream);
        if (c->state != ENDED)
            pty_give(&c->pty, &c->stream.history, pty_limit(c));
    }
    reap();
}

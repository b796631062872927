/* SPDX-License-Identifier: MIT */
/* Streams. */
#include "stream.h"

#include "../libsocle/alloc.h"
#include "../libsocle/daemon.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

void stream_open(struct stream *s, const char *history, uint32_t id, const uint8_t *key,
                 uint32_t history_size)
{
    int rc;

    *s = (struct stream){.listener = -1, .place = POLLSET_NONE, .log = {.fd = -1}};
    rc = history_open(&s->history, history, id, key, history_size);
    if (rc < 0)
        daemon_log("%s: %s; it will not survive", history, strerror(-rc));
}

uint32_t stream_position(const struct stream *s)
{
    return s->history.head->skew + (uint32_t)s->history.head->end;
}

void stream_set_position(struct stream *s, uint32_t pos)
{
    s->history.head->skew = pos - (uint32_t)s->history.head->end;
}

/* ---- log ---- */

static void log_failed(struct stream *s, int rc)
{
    if (rc != s->log_error)
        daemon_log("%s: %s", s->log.path, strerror(-rc));
    s->log_error = rc;
}

static void note_log_base(struct stream *s)
{
    s->history.head->log_base = s->logged - s->log.size;
    s->history.head->rotating = HISTORY_NOT_ROTATING;
}

static int rotate(struct stream *s)
{
    int rc;

    s->history.head->rotating = s->logged;
    rc = logfile_rotate(&s->log);
    note_log_base(s);
    return rc;
}

/* A log that could not be written to for long has a gap, and says so. */
static void log_gap(struct stream *s, uint64_t missed)
{
    char note[80];
    int len =
        snprintf(note, sizeof(note), "\n[socle-consoled: %" PRIu64 " bytes missed]\n", missed);

    s->logged += missed;
    if (logfile_write(&s->log, note, len) < 0)
        s->logged -= missed;
    note_log_base(s);
}

/* One piece. Returns whether there may be more to do. */
static bool log_piece(struct stream *s)
{
    const uint8_t *data = NULL;
    uint64_t missed, pos = s->logged;
    size_t len = history_peek(&s->history, &pos, &data, &missed);
    ssize_t n = 0;

    if (!len)
        return false;
    if (logfile_room(&s->log) == 0) {
        n = rotate(s);
    } else if (missed) {
        log_gap(s, missed);
        n = s->logged == pos ? 0 : -EIO;
    } else {
        n = logfile_write(&s->log, data, len < logfile_room(&s->log) ? len : logfile_room(&s->log));
        s->logged += n > 0 ? n : 0;
    }
    if (n < 0)
        log_failed(s, n);
    else
        s->log_error = 0;
    return n >= 0;
}

static void log_more(struct stream *s)
{
    int rc = s->log.path && s->log.fd < 0 ? logfile_reopen(&s->log) : 0;

    if (rc)
        log_failed(s, rc);
    while (s->log.fd >= 0 && log_piece(s))
        ;
}

void stream_log_to(struct stream *s, const char *log, uint64_t limit, unsigned int keep)
{
    struct history_head *h = s->history.head;

    logfile_open(&s->log, log, limit, keep); /* log_more() complains */
    if (h->end && h->rotating != HISTORY_NOT_ROTATING && s->log.size == 0)
        s->logged = h->rotating;
    else
        s->logged = h->end ? h->log_base + s->log.size : 0;
    if (s->logged > h->end) /* somebody else has written to it */
        s->logged = h->end;
    note_log_base(s);
    log_more(s);
}

void stream_reopen_log(struct stream *s)
{
    int rc;

    if (!s->log.path)
        return;
    rc = logfile_reopen(&s->log);
    if (rc)
        log_failed(s, rc);
    note_log_base(s);
    log_more(s);
}

void stream_append(struct stream *s, const void *src, size_t len)
{
    history_append(&s->history, src, len);
    log_more(s);
}

/* ---- readers ---- */

void stream_listen(struct stream *s, const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd, rc = 0;

    if (strlen(path) >= sizeof(addr.sun_path)) {
        daemon_log("%s: %s", path, strerror(ENAMETOOLONG));
        return;
    }
    strcpy(addr.sun_path, path);
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    unlink(path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || chmod(path, 0600) ||
        listen(fd, 16))
        rc = errno;
    if (rc) {
        daemon_log("%s: %s", path, strerror(rc));
        if (fd >= 0)
            close(fd);
        return;
    }
    s->listener = fd;
    s->socket = must_copy(path, strlen(path));
}

/* One too many is told so, but if even those are too many. */
static void accept_readers(struct stream *s)
{
    int fd;

    while ((fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
        unsigned int nr = readers_reap(&s->readers);

        s->readers = reader_new(fd, s->readers);
        s->readers->unwanted = nr >= STREAM_READERS;
        s->readers->dead = nr >= 2 * STREAM_READERS;
    }
    s->deaf = errno != EAGAIN;
}

void stream_poll(struct stream *s, struct pollset *set, bool input)
{
    s->place = POLLSET_NONE;
    if (s->listener >= 0 && !s->deaf)
        s->place = pollset_add(set, s->listener, POLLIN);
    s->deaf = false;
    for (struct reader *r = s->readers; r; r = r->next) {
        bool take = !r->silent && !r->in_len && (input || !r->greeted);

        r->place = POLLSET_NONE;
        if (!r->left || !r->in_len)
            r->place = pollset_add(set, r->fd, (take ? POLLIN : 0) | (r->full ? POLLOUT : 0));
    }
}

void stream_turn(struct stream *s, const struct pollset *set)
{
    for (struct reader *r = s->readers; r; r = r->next) {
        short events = pollset_events(set, r->place);

        r->left |= events & (POLLHUP | POLLERR);
        r->full &= !(events & POLLOUT);
        if (r->left || events & POLLIN)
            reader_take(r);
        if (s->unheard)
            r->in_len = 0;
        r->dead |= r->left && !r->in_len && (r->silent || s->ended);
    }
    if (pollset_events(set, s->place))
        accept_readers(s);
}

void stream_give(struct stream *s)
{
    for (struct reader *r = s->readers; r; r = r->next)
        reader_give(r, &s->history, s->ended);
    readers_reap(&s->readers);
}

static void stop_listening(struct stream *s)
{
    if (s->listener >= 0)
        pollset_close(s->listener);
    if (s->socket)
        unlink(s->socket);
    free(s->socket);
    s->listener = -1;
    s->socket = NULL;
}

void stream_end(struct stream *s)
{
    s->ended = s->unheard = true;
    accept_readers(s); /* those in time */
    stop_listening(s);
    history_forget(&s->history);
    logfile_close(&s->log);
    for (struct reader *r = s->readers; r; r = r->next)
        r->in_len = 0;
    stream_give(s);
}

void stream_close(struct stream *s)
{
    stop_listening(s);
    for (struct reader *r = s->readers; r; r = r->next)
        r->dead = true;
    readers_reap(&s->readers);
    logfile_close(&s->log);
    history_close(&s->history);
}

/* SPDX-License-Identifier: MIT */
/* Pseudoterminals. */
#include "pty.h"
#include "pollset.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

/* The terminal of who attaches does all the cooking. */
static int make_raw(int fd)
{
    struct termios t;

    if (tcgetattr(fd, &t))
        return -errno;
    cfmakeraw(&t);
    return tcsetattr(fd, TCSANOW, &t) ? -errno : 0;
}

int pty_open(struct pty *p, uint64_t pos)
{
    int rc = 0;

    *p = (struct pty){.slave = -1, .pos = pos};
    p->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (p->master < 0)
        return -errno;
    if (unlockpt(p->master) || ptsname_r(p->master, p->path, sizeof(p->path)))
        rc = -errno;
    if (rc == 0 && (p->slave = open(p->path, O_RDWR | O_NOCTTY | O_CLOEXEC)) < 0)
        rc = -errno;
    if (rc == 0)
        rc = make_raw(p->slave);
    if (rc == 0 && fchmod(p->slave, 0600))
        rc = -errno;
    if (rc)
        pty_close(p);
    return rc;
}

void pty_take(struct pty *p)
{
    ssize_t n;

    if (p->master < 0 || p->in_len)
        return;
    n = read(p->master, p->in, sizeof(p->in));
    p->in_len = n > 0 ? n : 0;
    p->in_used = 0;
}

/* Returns how much has gone. */
static size_t put(struct pty *p, const void *data, size_t len)
{
    ssize_t n = write(p->master, data, len);

    p->full = n < (ssize_t)len;
    return n > 0 ? n : 0;
}

/* What is missing now is told in one note, once the note before has gone. */
static bool put_note(struct pty *p)
{
    if (p->note_used == p->note_len && p->missed) {
        p->note_len = snprintf(p->note, sizeof(p->note),
                               "\r\n[socle-consoled: %" PRIu64 " bytes missed]\r\n", p->missed);
        p->note_used = 0;
        p->missed = 0;
    }
    if (p->note_used == p->note_len)
        return true;
    p->note_used += put(p, p->note + p->note_used, p->note_len - p->note_used);
    return p->note_used == p->note_len;
}

void pty_give(struct pty *p, const struct history *h, uint64_t limit)
{
    uint64_t end = history_end(h), missed;
    const uint8_t *data = NULL;
    size_t len;

    if (p->master < 0 || p->full)
        return;
    if (end - p->pos > limit) {
        p->missed += end - limit - p->pos;
        p->pos = end - limit;
    }
    do {
        len = history_peek(h, &p->pos, &data, &missed);
        p->missed += missed;
        if (!len || !put_note(p))
            return;
        p->pos += put(p, data, len);
    } while (!p->full);
}

void pty_close(struct pty *p)
{
    if (p->slave >= 0)
        close(p->slave);
    if (p->master >= 0)
        pollset_close(p->master);
    p->master = p->slave = -1;
}

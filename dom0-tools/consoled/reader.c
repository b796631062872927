/* SPDX-License-Identifier: MIT */
/* Readers. */
#include "reader.h"

#include "../libsocle/alloc.h"
#include "pollset.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum { TURN = 16 }; /* messages that one reader gets before others have their turn */

struct reader *reader_new(int fd, struct reader *next)
{
    struct reader *r = must_alloc(sizeof(*r));

    r->fd = fd;
    r->next = next;
    r->place = POLLSET_NONE;
    return r;
}

static bool for_now(int err)
{
    return err == EAGAIN || err == EINTR || err == ENOBUFS || err == ENOMEM;
}

static void greet(struct reader *r, size_t len)
{
    struct console_hello hello;

    memcpy(&hello, r->in, sizeof(hello));
    if (len != sizeof(hello) || memcmp(hello.magic, CONSOLE_MAGIC, sizeof(hello.magic)) != 0) {
        reader_refuse(r, "this is not how a reader begins");
        return;
    }
    if (r->unwanted) {
        reader_refuse(r, "there are too many readers of this console");
        return;
    }
    r->greeted = true;
    r->pos = hello.from;
}

static ssize_t receive(struct reader *r)
{
    return recv(r->fd, r->in, sizeof(r->in), MSG_DONTWAIT | MSG_TRUNC);
}

void reader_take(struct reader *r)
{
    ssize_t n;

    if (r->dead || r->silent || r->in_len)
        return;
    n = receive(r);
    if (n < 0 &&
        errno == ECONNRESET) { /* it went without reading all; what it said is behind that */
        r->left = true;
        n = receive(r);
    }
    if (n < 0)
        r->dead = !for_now(errno);
    else if (n == 0)
        r->silent = true;
    else if (!r->greeted)
        greet(r, n);
    else if ((size_t)n > sizeof(r->in))
        reader_refuse(r, "too much input at once");
    else
        r->in_len = n;
    r->in_used = 0;
}

/* Returns whether it has gone. */
static bool send_message(struct reader *r, enum console_kind kind, const void *data, size_t len)
{
    struct console_message m = {.offset = r->pos, .kind = kind};
    struct iovec part[] = {{&m, CONSOLE_HEAD}, {(void *)data, len}};
    struct msghdr h = {.msg_iov = part, .msg_iovlen = 2};
    ssize_t n = sendmsg(r->fd, &h, MSG_DONTWAIT | MSG_NOSIGNAL);

    r->full = n < 0 && for_now(errno);
    r->left |= n < 0 && !r->full;
    return n >= 0;
}

void reader_give(struct reader *r, const struct history *h, bool ended)
{
    const uint8_t *data = NULL;
    uint64_t missed;
    size_t len = 0;

    if (!r->greeted || r->dead || r->left || r->full)
        return;
    if (r->pos > history_end(h)) /* it takes this for another stream */
        r->pos = history_end(h);
    if (!r->welcome)
        r->welcome = send_message(r, CONSOLE_DATA, NULL, 0);
    for (unsigned int i = 0; !r->left && !r->full; i++) {
        len = history_peek(h, &r->pos, &data, &missed);
        if (len > CONSOLE_DATA_MAX)
            len = CONSOLE_DATA_MAX;
        if (!len)
            break;
        if (i == TURN) /* or so it looks until the next turn */
            r->full = true;
        else if (send_message(r, CONSOLE_DATA, data, len))
            r->pos += len;
    }
    if (!len && ended && !r->left && !r->full && send_message(r, CONSOLE_END, NULL, 0))
        r->dead = true;
}

void reader_refuse(struct reader *r, const char *why)
{
    send_message(r, CONSOLE_REFUSED, why, strlen(why));
    r->dead = true;
}

unsigned int readers_reap(struct reader **list)
{
    unsigned int nr = 0;
    struct reader *r;

    while ((r = *list)) {
        if (!r->dead) {
            list = &r->next;
            nr++;
            continue;
        }
        *list = r->next;
        pollset_close(r->fd);
        free(r);
    }
    return nr;
}

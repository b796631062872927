/* SPDX-License-Identifier: MIT */
/* Connections: a client on the socket, or a domain on its ring.
 *
 * C1  A connection takes in a few messages in its turn, and none while more than OUT_PAUSE bytes of
 *     answers wait to be fetched. So what it costs is bounded but for watch events; an event that
 *     already waits is not queued again, and a connection with too many bytes of them is given up.
 *     Each gets its turn after all others, a guest for very few messages only.
 * C2  Nothing leaves, and no byte of a ring is given free, before the journal has what caused it.
 *     All that a turn has caused is one commit, and its answers leave together: who has asked for
 *     many things at once is woken once.
 * C3  A guest whose changes make transactions of the control domain fail has to wait before its
 *     next request, longer each time, so that these come to an end. (A guest's own transactions may
 *     fail for ever if it does not get on with another one: that is between the two.)
 */
#ifndef STORED_CONN_H
#define STORED_CONN_H

#include "txn.h"

#include <sys/types.h>

struct conn;
struct watch;
struct ahead;

struct conn_io {
    /* Bytes moved, 0 if none can be now, negative errno when the connection is over. */
    ssize_t (*read)(struct conn *c, void *buf, size_t len);
    ssize_t (*write)(struct conn *c, const void *buf, size_t len);
    void (*settle)(struct conn *c); /* what was read is in the journal; may be NULL */
    void (*close)(struct conn *c, int why);
};

struct msg {
    struct msg *next;
    size_t len; /* of the whole message */
    bool event;
    uint8_t data[];
};

struct conn {
    struct conn *next;
    const struct conn_io *io;
    int fd;                /* of a socket, else -1 */
    struct domain *domain; /* of a ring, else NULL */
    struct who who;
    int dead;               /* errno; it is closed as soon as nobody can be looking at it */
    bool more;              /* there may be something to do without being told */
    unsigned int conflicts; /* commits that have failed in a row because of guests */

    struct bytes in;     /* of an unfinished message */
    struct ahead *ahead; /* of a socket: what has been read beyond that */
    struct msg *out, **last_out;
    struct map events;        /* those in the queue, by path and token */
    size_t out_sent, out_len; /* bytes of the first message that are gone; bytes in all */

    struct watch *watches;
    unsigned int nr_watches;
    struct txn *txns;
    unsigned int nr_txns;
};

#define OUT_PAUSE      65536
#define OUT_MAX_SOCKET (16 << 20)

extern struct conn *conn_list;
extern uint64_t conn_clock; /* ms; the time when this turn of the loop began */

/** conn_new - a connection; the caller sets the members for its kind. */
struct conn *conn_new(const struct conn_io *io, domid_t id, bool privileged);
/** conn_reset - forget watches, transactions and what is under way. */
void conn_reset(struct conn *c);
/** conn_find_txn, conn_start_txn, conn_end_txn - a transaction of this connection, by its id. */
struct txn *conn_find_txn(const struct conn *c, uint32_t id);
struct txn *conn_start_txn(struct conn *c, uint32_t id);
void conn_end_txn(struct conn *c, struct txn *t);
/** conn_drop_txns - give up all transactions. */
void conn_drop_txns(struct conn *c);
/** conn_service - take in messages and send answers, for a while. Sets c->more. */
void conn_service(struct conn *c);
/** conn_wait - for how many ms it must wait before it gets its turn (C3); 0 as a rule. */
unsigned int conn_wait(const struct conn *c);
/** conn_committed - a transaction of @c has been committed, or failed because of a change that
 * @culprit has made. */
void conn_committed(struct conn *c, bool failed, domid_t culprit);
/** conn_blocked - does it wait for its other end to fetch something? */
bool conn_blocked(const struct conn *c);
/** conn_reap - close and free connections that are dead. */
void conn_reap(void);

/** conn_send - queue a message. */
void conn_send(struct conn *c, uint32_t type, uint32_t req_id, uint32_t tx_id, const void *data,
               size_t len);
/** conn_event - queue a watch event, unless the same one waits already. */
void conn_event(struct conn *c, const char *path, const char *token);
/** conn_sent - @n bytes of the queue have gone. */
void conn_sent(struct conn *c, size_t n);
/** conn_drop_first - the first message has been sent. */
void conn_drop_first(struct conn *c);
/** conn_requeue - queue the bytes of a message as they were in the journal. */
void conn_requeue(struct conn *c, const void *data, size_t len);

/** conn_listen - the socket at @path; returns its descriptor, or a negative errno. */
int conn_listen(const char *path);
/** conn_accept - take in a client of that socket; returns 0 or a negative errno. */
int conn_accept(int listener);

#endif

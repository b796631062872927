/* SPDX-License-Identifier: MIT */
/* For tests of the store daemon: connections whose other end is the test. */
#ifndef STORED_KIT_H
#define STORED_KIT_H

#include <errno.h>

#include "dom0-tools/libsocle/alloc.h"
#include "dom0-tools/libsocle/image.h"
#include "dom0-tools/stored/domain.h"
#include "dom0-tools/stored/journal.h"
#include "dom0-tools/stored/proto.h"
#include "dom0-tools/stored/quota.h"
#include "dom0-tools/stored/tree.h"
#include "dom0-tools/stored/watch.h"
#include "fake_xenio.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline ssize_t kit_none(struct conn *c, void *buf, size_t len)
{
    (void)c, (void)buf, (void)len;
    return 0;
}

static inline ssize_t kit_hold(struct conn *c, const void *buf, size_t len)
{
    (void)c, (void)buf, (void)len;
    return 0;
}

static inline void kit_close(struct conn *c, int why)
{
    (void)c, (void)why;
}

static const struct conn_io kit_io = {.read = kit_none, .write = kit_hold, .close = kit_close};

/* Everything as after a start, but connections of rings. */
static inline void kit_start(void)
{
    while (domain_list)
        domain_release(domain_list->id);
    for (struct conn *c = conn_list; c; c = c->next)
        c->dead = 1;
    conn_reap();
    memset(fake_domains, 0, sizeof(fake_domains));
    store_init();
}

static inline struct conn *kit_conn(domid_t id)
{
    return conn_new(&kit_io, id, id == 0);
}

/* The first message that waits, or the first that is no event; its data get a NUL. The caller frees
 * it. NULL: none. */
static inline char *kit_pop(struct conn *c, struct xsd_sockmsg *h, bool no_event)
{
    struct msg **at = &c->out, *m;
    char *data;

    while (*at && no_event && (*at)->event)
        at = &(*at)->next;
    m = *at;
    if (!m)
        return NULL;
    memcpy(h, m->data, sizeof(*h));
    data = must_copy(m->data + sizeof(*h), h->len);
    *at = m->next;
    if (!m->next)
        c->last_out = at;
    m->next = c->out;
    c->out = m;
    conn_drop_first(c);
    return data;
}

/* A request; the answer as text, NULs as '|', errors as "!ENOENT". In a static buffer. */
static inline const char *kit_ask(struct conn *c, uint32_t tx, uint32_t type, const void *data,
                                  size_t len)
{
    static char text[2 * XENSTORE_PAYLOAD_MAX];
    struct xsd_sockmsg h = {.type = type, .req_id = 7, .tx_id = tx, .len = len}, got;
    uint8_t *copy = malloc(len ? len : 1);
    char *answer;

    memcpy(copy, data, len);
    while ((answer = kit_pop(c, &got, false))) /* events from before */
        free(answer);
    proto_request(c, &h, copy);
    free(copy);
    answer = kit_pop(c, &got, true);
    if (!answer || got.req_id != 7 || got.tx_id != tx || (got.type != type && got.type != XS_ERROR))
        abort();
    for (uint32_t i = 0; i < got.len; i++)
        answer[i] = answer[i] ? answer[i] : '|';
    if (got.type == XS_ERROR && got.len)
        answer[got.len - 1] = 0;
    snprintf(text, sizeof(text), "%s%s", got.type == XS_ERROR ? "!" : "", answer);
    free(answer);
    return text;
}

/* The strings with a '|' for each NUL. */
static inline const char *kit_say(struct conn *c, uint32_t tx, uint32_t type, const char *text)
{
    char data[XENSTORE_PAYLOAD_MAX + 1];
    size_t len = strlen(text);

    for (size_t i = 0; i < len; i++)
        data[i] = text[i] == '|' ? 0 : text[i];
    return kit_ask(c, tx, type, data, len);
}

/* The next watch event as "path|token|", or "". */
static inline const char *kit_event(struct conn *c)
{
    static char text[2 * XENSTORE_PAYLOAD_MAX];
    struct xsd_sockmsg h;
    char *data = kit_pop(c, &h, false);

    text[0] = 0;
    if (data && h.type == XS_WATCH_EVENT) {
        for (uint32_t i = 0; i < h.len; i++)
            text[i] = data[i] ? data[i] : '|';
        text[h.len] = 0;
    }
    free(data);
    return text;
}

#endif

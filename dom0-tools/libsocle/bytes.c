/* SPDX-License-Identifier: MIT */
/* A buffer that grows, by doubling. */
#include "bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int bytes_grow(struct bytes *b, size_t more, size_t limit)
{
    size_t room = b->room ? b->room : limit < 4096 ? limit : 4096;
    uint8_t *data;

    if (b->len > limit || more > limit - b->len)
        return -EFBIG;
    if (b->len + more <= b->room)
        return 0;
    while (room < b->len + more)
        room = room > limit / 2 ? limit : room * 2;
    data = realloc(b->data, room);
    if (!data)
        return -ENOMEM;
    b->data = data;
    b->room = room;
    return 0;
}

int bytes_append(struct bytes *b, const void *src, size_t len, size_t limit)
{
    int rc = bytes_grow(b, len, limit);

    if (rc == 0 && len) {
        memcpy(b->data + b->len, src, len);
        b->len += len;
    }
    return rc;
}

void bytes_free(struct bytes *b)
{
    free(b->data);
    *b = (struct bytes){0};
}

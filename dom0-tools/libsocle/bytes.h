/* SPDX-License-Identifier: MIT */
/* A buffer that grows. */
#ifndef LIBSOCLE_BYTES_H
#define LIBSOCLE_BYTES_H

#include <stddef.h>
#include <stdint.h>

struct bytes { /* all zero: empty */
    uint8_t *data;
    size_t len, room; /* bytes in use, bytes allocated */
};

/** bytes_grow - make room for @more bytes behind those in use
 * @limit  never more than this in all
 * Returns 0; -EFBIG when that would be beyond the limit, -ENOMEM. Unchanged on failure. */
int bytes_grow(struct bytes *b, size_t more, size_t limit);

/** bytes_append - copy @len bytes to the end; results as of bytes_grow(). */
int bytes_append(struct bytes *b, const void *src, size_t len, size_t limit);

/** bytes_free - give the memory back; the buffer is empty afterwards. */
void bytes_free(struct bytes *b);

#endif

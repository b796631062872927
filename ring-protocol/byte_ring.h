/* SPDX-License-Identifier: MIT */
/* Rings of bytes that two domains share: the store's and the console's. Freestanding: both ends, in
 * a kernel or in a program, compile it.
 *
 * There are `size` bytes (a power of two) and two indexes that count on freely: the consumer writes
 * `cons`, the producer `prod`. prod - cons bytes wait.
 *
 * The other end may be hostile, and all of the page is writable for it.
 * B1  An end goes by an index of its own, `pos`, in its own memory; what stands in the page for
 *     it is written and never read. The other end's index is read once for each call.
 * B2  prod - cons > size is an error of the other end, and nothing is copied.
 * B3  Bytes are copied out once; who looks at them looks at the copy.
 * B4  Bytes are there before the index that covers them (release, and acquire on the other side).
 */
#ifndef RING_PROTOCOL_BYTE_RING_H
#define RING_PROTOCOL_BYTE_RING_H

#include <stddef.h>
#include <stdint.h>

struct byte_ring { /* one end of it */
    uint8_t *data;
    uint32_t size;
    uint32_t *cons, *prod; /* in the shared page */
    uint32_t pos;          /* ours: the true value of *cons or *prod, whichever is our index */
};

#define BYTE_RING_BROKEN (-1) /* B2 */

static inline uint32_t byte_ring_min(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/** byte_ring_read - consumer: copy out up to @len bytes that wait
 * The producer cannot use their places again until byte_ring_consumed().
 * Returns how many, or BYTE_RING_BROKEN. */
static inline long byte_ring_read(struct byte_ring *r, void *dst, size_t len)
{
    uint32_t waiting = __atomic_load_n(r->prod, __ATOMIC_ACQUIRE) - r->pos;
    uint32_t n, at = r->pos & (r->size - 1), first;

    if (waiting > r->size)
        return BYTE_RING_BROKEN;
    n = len < waiting ? (uint32_t)len : waiting;
    first = byte_ring_min(n, r->size - at);
    __builtin_memcpy(dst, r->data + at, first);
    __builtin_memcpy((uint8_t *)dst + first, r->data, n - first);
    r->pos += n;
    return n;
}

/** byte_ring_consumed - consumer: give the places of all that was read to the producer. */
static inline void byte_ring_consumed(const struct byte_ring *r)
{
    __atomic_store_n(r->cons, r->pos, __ATOMIC_RELEASE);
}

/** byte_ring_room - producer: how many bytes byte_ring_write() would take, or BYTE_RING_BROKEN. */
static inline long byte_ring_room(const struct byte_ring *r)
{
    uint32_t waiting = r->pos - __atomic_load_n(r->cons, __ATOMIC_ACQUIRE);

    return waiting > r->size ? BYTE_RING_BROKEN : (long)(r->size - waiting);
}

/** byte_ring_write - producer: copy in up to @len bytes, as many as there is room for
 * The consumer sees them after byte_ring_produced().
 * Returns how many, or BYTE_RING_BROKEN. */
static inline long byte_ring_write(struct byte_ring *r, const void *src, size_t len)
{
    uint32_t n, at = r->pos & (r->size - 1), first;
    long room = byte_ring_room(r);

    if (room < 0)
        return BYTE_RING_BROKEN;
    n = len < (size_t)room ? (uint32_t)len : (uint32_t)room;
    first = byte_ring_min(n, r->size - at);
    __builtin_memcpy(r->data + at, src, first);
    __builtin_memcpy(r->data, (const uint8_t *)src + first, n - first);
    r->pos += n;
    return n;
}

/** byte_ring_produced - producer: show all that was written to the consumer. */
static inline void byte_ring_produced(const struct byte_ring *r)
{
    __atomic_store_n(r->prod, r->pos, __ATOMIC_RELEASE);
}

#endif

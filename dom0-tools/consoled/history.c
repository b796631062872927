/* SPDX-License-Identifier: MIT */
/* History of a stream. */
#include "history.h"

#include "../libsocle/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEAD = 4096 };
#define MAGIC "history1"

static bool is_right(const struct history_head *h, uint32_t id, const uint8_t *key, uint32_t size)
{
    return memcmp(h->magic, MAGIC, sizeof(h->magic)) == 0 && h->id == id && h->size == size &&
           memcmp(h->key, key, sizeof(h->key)) == 0;
}

/* All of it is allocated now: a full file system is no surprise later on. */
static int open_file(const char *path, size_t bytes)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600), rc;

    if (fd < 0)
        return -errno;
    rc = posix_fallocate(fd, 0, bytes);
    if (rc) {
        close(fd);
        unlink(path);
        return -rc;
    }
    return fd;
}

int history_open(struct history *h, const char *path, uint32_t id, const uint8_t *key,
                 uint32_t size)
{
    int fd, kind = MAP_SHARED, rc = 0;

    *h = (struct history){.mapped = HEAD + (size_t)size};
    fd = open_file(path, h->mapped);
    if (fd < 0) {
        rc = fd;
        fd = -1;
        kind = MAP_PRIVATE | MAP_ANONYMOUS;
    } else {
        h->path = must_copy(path, strlen(path));
    }
    h->head = mmap(NULL, h->mapped, PROT_READ | PROT_WRITE, kind, fd, 0);
    must_have(h->head == MAP_FAILED);
    if (fd >= 0)
        close(fd);
    h->data = (uint8_t *)h->head + HEAD;
    if (rc == 0 && is_right(h->head, id, key, size))
        return 1;
    *h->head = (struct history_head){.id = id, .size = size, .rotating = HISTORY_NOT_ROTATING};
    memcpy(h->head->key, key, HISTORY_KEY);
    memcpy(h->head->magic, MAGIC, sizeof(h->head->magic));
    return rc;
}

uint64_t history_end(const struct history *h)
{
    return h->head->end;
}

uint64_t history_start(const struct history *h)
{
    uint64_t kept = h->head->size - HISTORY_STEP;

    return h->head->end > kept ? h->head->end - kept : 0;
}

void history_append(struct history *h, const void *src, size_t len)
{
    size_t at = h->head->end & (h->head->size - 1), first = h->head->size - at;

    if (first > len)
        first = len;
    memcpy(h->data + at, src, first);
    memcpy(h->data, (const uint8_t *)src + first, len - first);
    __atomic_store_n(&h->head->end, h->head->end + len, __ATOMIC_RELEASE); /* H1 */
}

size_t history_peek(const struct history *h, uint64_t *pos, const uint8_t **data, uint64_t *missed)
{
    uint64_t start = history_start(h);
    size_t at, len;

    *missed = *pos < start ? start - *pos : 0;
    *pos += *missed;
    if (*pos >= h->head->end)
        return 0;
    at = *pos & (h->head->size - 1);
    len = h->head->end - *pos;
    *data = h->data + at;
    return len < h->head->size - at ? len : h->head->size - at;
}

void history_forget(struct history *h)
{
    if (h->path)
        unlink(h->path);
    free(h->path);
    h->path = NULL;
}

void history_close(struct history *h)
{
    if (h->head)
        munmap(h->head, h->mapped);
    free(h->path);
    *h = (struct history){0};
}

/* SPDX-License-Identifier: MIT */
/* The last part of a stream of bytes, in a file that is mapped: it survives when the daemon is killed.
 *
 * H1  A byte belongs to the stream as soon as `end` has counted it, which is one store. Before that
 *     its place counts as free: so nobody reads the HISTORY_STEP oldest bytes of a full history.
 * H2  `skew` + `end` is where the source stands (the index of a ring). So what was taken from it and
 *     how far it was taken are one and the same number, and cannot disagree after a kill.
 * H3  `log_base` + the size of the log file is what the log has of the stream, for the same reason.
 */
#ifndef CONSOLED_HISTORY_H
#define CONSOLED_HISTORY_H

#include <stddef.h>
#include <stdint.h>

enum { HISTORY_STEP = 2048, HISTORY_KEY = 16 };
#define HISTORY_NOT_ROTATING UINT64_MAX

struct history_head { /* at the start of the file */
    char magic[8];
    uint8_t key[HISTORY_KEY]; /* whose it is */
    uint32_t id;
    uint32_t size; /* of the data, a power of two */
    uint64_t end;
    uint32_t skew;
    uint32_t reserved;
    int64_t log_base;
    uint64_t
        rotating; /* what the log had when its file was put aside, until the next one is there */
};

struct history {
    struct history_head *head;
    uint8_t *data;
    size_t mapped;
    char *path; /* NULL: it is in no file */
};

/** history_open - begin one, or go on with the one in the file, if that has this id and key
 * @size  bytes that are kept, a power of two, more than HISTORY_STEP
 * Returns 1 when it goes on, 0 when it begins, or a negative errno: it begins, and will not survive. */
int history_open(struct history *h, const char *path, uint32_t id, const uint8_t *key,
                 uint32_t size);

/** history_append - @len is HISTORY_STEP at most. */
void history_append(struct history *h, const void *src, size_t len);

/** history_end - the number of bytes that there ever were; history_start - the first that is here. */
uint64_t history_end(const struct history *h);
uint64_t history_start(const struct history *h);

/** history_peek - bytes from *@pos on, in one piece, as many as are there and contiguous
 * What is not there any more is skipped: *@pos is moved, by the number returned in *@missed. */
size_t history_peek(const struct history *h, uint64_t *pos, const uint8_t **data, uint64_t *missed);

/** history_forget - remove its file; what it has can still be read. */
void history_forget(struct history *h);

/** history_close - if its file is there, another one can go on with it. */
void history_close(struct history *h);

#endif

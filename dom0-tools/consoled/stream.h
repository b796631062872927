/* SPDX-License-Identifier: MIT */
/* What one source writes, and where it goes: the history, the log file, readers. */
#ifndef CONSOLED_STREAM_H
#define CONSOLED_STREAM_H

#include "history.h"
#include "logfile.h"
#include "pollset.h"
#include "reader.h"

#include <stdbool.h>

enum { STREAM_READERS = 64 }; /* at most, of each */

struct stream {
    struct history history;
    struct logfile log;
    uint64_t logged; /* what the log has */
    int log_error;   /* the last complaint, so that it is made once */
    char *socket;    /* NULL: none */
    int listener;
    bool deaf; /* nobody can be let in before something else has happened */
    size_t place;
    struct reader *readers;
    bool unheard; /* what readers say is for nobody */
    bool ended;
};

/** stream_open - begin, or go on where a process before this one was killed
 * @history  path of its file, for domain @id whose handle is @key   @log  NULL: no log
 * What cannot be had is complained of, and the rest works. */
void stream_open(struct stream *s, const char *history, uint32_t id, const uint8_t *key,
                 uint32_t history_size);
void stream_log_to(struct stream *s, const char *log, uint64_t limit, unsigned int keep);
void stream_listen(struct stream *s, const char *path);

/** stream_append - @len is HISTORY_STEP at most. */
void stream_append(struct stream *s, const void *src, size_t len);

/** stream_position, stream_set_position - where the source stands (history.h, H2). */
uint32_t stream_position(const struct stream *s);
void stream_set_position(struct stream *s, uint32_t pos);

/** stream_reopen_log - it may have been put aside. */
void stream_reopen_log(struct stream *s);

/** stream_poll - wait for readers; @input: and for what they say. */
void stream_poll(struct stream *s, struct pollset *set, bool input);

/** stream_turn - what poll has found: new readers, their input. stream_give() has to follow. */
void stream_turn(struct stream *s, const struct pollset *set);

/** stream_give - show all readers what is new, and let go of those that are done. */
void stream_give(struct stream *s);

/** stream_end - nothing more comes. The history's file goes, readers fetch the rest. */
void stream_end(struct stream *s);

void stream_close(struct stream *s);

#endif

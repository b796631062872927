/* SPDX-License-Identifier: MIT */
/* A program that reads a console by its socket (libsocle/console.h). It has no buffer of its own: it
 * stands somewhere in the history. One that is slow falls behind, and skips what is gone by then. */
#ifndef CONSOLED_READER_H
#define CONSOLED_READER_H

#include "history.h"

#include "../libsocle/console.h"

#include <stdbool.h>

struct reader {
    struct reader *next;
    int fd;
    size_t place;  /* in the set of descriptors */
    bool unwanted; /* it is told so when it greets */
    bool greeted;  /* it has said from where on */
    bool welcome;  /* it has been told that it is one */
    bool silent;   /* nothing more comes from it */
    bool left;     /* it has closed its end; what it said before may still wait here */
    bool full;     /* it has to fetch something before more can be sent */
    bool dead;
    uint64_t pos;
    size_t in_len, in_used; /* its input that has not gone on yet */
    uint8_t in[CONSOLE_INPUT_MAX];
};

struct reader *reader_new(int fd, struct reader *next);

/** reader_take - receive a message, if one waits and the one before has gone on. */
void reader_take(struct reader *r);

/** reader_give - send what is new for it, as much as it takes now, but not for ever
 * @ended  there will be no more: say so. After that it is dead. */
void reader_give(struct reader *r, const struct history *h, bool ended);

/** reader_refuse - say why not, and let it go. */
void reader_refuse(struct reader *r, const char *why);

/** readers_reap - remove the dead ones; returns how many there are. */
unsigned int readers_reap(struct reader **list);

#endif

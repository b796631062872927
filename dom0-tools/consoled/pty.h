/* SPDX-License-Identifier: MIT */
/* A pseudoterminal that shows a console, for programs that know no better: `xl console`, screen. */
#ifndef CONSOLED_PTY_H
#define CONSOLED_PTY_H

#include "history.h"

#include <stdbool.h>

struct pty {
    int master, slave; /* -1: there is none. The slave is kept open, or else the master would end */
    char path[64];
    uint64_t pos;
    bool full;       /* it takes no more until somebody reads it */
    uint64_t missed; /* and not told of yet */
    char note[64];   /* that tells, before anything else */
    size_t note_len, note_used;
    size_t in_len, in_used;
    uint8_t in[256];
};

/** pty_open - 0 or a negative errno. */
int pty_open(struct pty *p, uint64_t pos);

/** pty_take - receive input, if the last has gone on. */
void pty_take(struct pty *p);

/** pty_give - write as much as it takes
 * @limit  of what nobody has fetched for long, no more than this is kept */
void pty_give(struct pty *p, const struct history *h, uint64_t limit);

void pty_close(struct pty *p);

#endif

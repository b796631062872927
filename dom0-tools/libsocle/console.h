/* SPDX-License-Identifier: MIT */
/* How a program reads a domain's console: by the socket CONSOLE_DIR/ID of socle-consoled, which is of
 * type SOCK_SEQPACKET, so that a message comes whole.
 *
 * What a domain has written is a stream whose bytes are numbered from 0. A reader says from where on
 * it wants to have it, and each message says where its bytes belong; what is too old is left out. So
 * a reader can see what it missed, and go on where it was when the daemon was started anew. */
#ifndef LIBSOCLE_CONSOLE_H
#define LIBSOCLE_CONSOLE_H

#include <stdint.h>

#define CONSOLE_DIR       "/run/socle/console"
#define CONSOLE_MAGIC     "console1"
#define CONSOLE_DATA_MAX  4096
#define CONSOLE_INPUT_MAX 512

/* The first message of a reader; the answer may have no data yet. All further ones are input, CONSOLE_INPUT_MAX bytes at most. */
struct console_hello {
    char magic[8];
    uint64_t from; /* the first byte that is wanted */
};

enum console_kind {
    CONSOLE_DATA,
    CONSOLE_END,     /* the domain is gone; nothing follows */
    CONSOLE_REFUSED, /* the text says why; nothing follows */
};

struct console_message { /* to a reader */
    uint64_t offset;     /* of the first byte of data */
    uint32_t kind;
    uint32_t reserved;
    char data[CONSOLE_DATA_MAX]; /* as many as the message has */
};

#define CONSOLE_HEAD (sizeof(struct console_message) - CONSOLE_DATA_MAX)

#endif

/* SPDX-License-Identifier: MIT */
/* Finds the consoles of domains: by the list of domains, and the store, which says where each has its
 * ring. A thread of its own does this, for a store may be slow or away; it tells the main loop by
 * messages. finder.c does it; tests have their own. */
#ifndef CONSOLED_FINDER_H
#define CONSOLED_FINDER_H

#include <stdbool.h>
#include <stdint.h>
#include <xen/xen.h>

enum { FINDER_NAME = 256, FINDER_PATH = 1024 };

/* A console, as the store has it. */
struct console_spec {
    domid_t id;
    uint8_t handle[16];
    uint64_t frame; /* of the ring, should there be no grant */
    uint32_t port;
    uint64_t limit;         /* bytes that a terminal nobody reads may lag behind; 0: not said */
    uint64_t log_size;      /* bytes, 0: not said */
    char name[FINDER_NAME]; /* of the domain */
    char log[FINDER_PATH];  /* "": the usual place */
};

struct finder_message {
    enum finder_kind {
        FINDER_FOUND,   /* or something has changed before finder_connected() */
        FINDER_GONE,    /* id and handle count */
        FINDER_SCANNED, /* all domains of now have been told of */
    } kind;
    struct console_spec spec;
};

/** finder_start - returns a descriptor that is readable when a message waits, or a negative errno. */
int finder_start(void);

/** finder_next - the next message; false: none waits. */
bool finder_next(struct finder_message *m);

/** finder_connected - this console is in use, as terminal @tty ("": none), which the store is told
 * What the store says of it later is of no interest any more. */
void finder_connected(domid_t id, const char *tty);

#endif

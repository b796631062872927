/* SPDX-License-Identifier: MIT */
/* Consoles of domains: a ring that the domain shares, and the stream of what it has written there.
 *
 * C1  A domain costs a bounded share of time: an event that comes when its budget is spent stays
 *     masked, and its ring is looked at when some of the budget is back (EVENT_*).
 * C2  A ring that is in use stays in use until the domain ends, whatever the store says later.
 * C3  A ring whose indexes make no sense is given up, alone and for good.
 * C4  Input stays with who sends it until the ring has room.
 */
#ifndef CONSOLED_CONSOLE_H
#define CONSOLED_CONSOLE_H

#include "finder.h"
#include "pollset.h"

#include <stdbool.h>
#include <stdint.h>

#define SECOND 1000000000ll /* all times are nanoseconds of a clock that never goes back */

/* C1. A kernel that boots sends an event for every few letters, and shall not wait for it. */
enum {
    EVENT_COST = 5000000, /* of the budget, each */
    EVENT_BURST = 1000,   /* that many at once */
};

struct console_settings {
    const char *run_dir, *log_dir;
    uint32_t history; /* bytes, a power of two */
    uint64_t log_size;
    unsigned int log_keep;
    bool ptys;
};
extern struct console_settings console_settings;

/** console_found, console_gone - what the finder says. */
void console_found(const struct console_spec *spec, int64_t now);
void console_gone(domid_t id, const uint8_t *handle, int64_t now);

/** console_sweep - remove files of domains that are no more: all that are have been found. */
void console_sweep(void);

/** console_event - @port, a masked one, has had an event; returns whether it is known here. */
bool console_event(uint32_t port, int64_t now);

/** console_poll - what to wait for; returns until when, or INT64_MAX. */
int64_t console_poll(struct pollset *set);

/** console_turn - do what there is to do after that. */
void console_turn(const struct pollset *set, int64_t now);

/** console_reopen_logs - they may have been put aside. */
void console_reopen_logs(void);

/** console_close_all - at the end of the daemon; another one can go on. */
void console_close_all(void);

/** console_count - how many there are, ended ones too. */
unsigned int console_count(void);

#endif

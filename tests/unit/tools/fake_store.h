/* SPDX-License-Identifier: MIT */
/* A store for tests of commands: another process with a few nodes, on a socket of its own. */
#ifndef FAKE_STORE_H
#define FAKE_STORE_H

/** fake_store_start - an empty one; XENSTORED_PATH says where. */
void fake_store_start(void);
void fake_store_stop(void);

/* How it shall behave from now on. */
enum fake_store_mood {
    FAKE_STORE_GOOD,
    FAKE_STORE_CONFLICT, /* three transactions are refused, then it is good */
    FAKE_STORE_EVENT,    /* an event before each answer */
    FAKE_STORE_HUGE,     /* answers that say to be longer than they may be */
    FAKE_STORE_HANG_UP,  /* the connection ends in the middle of an answer */
    FAKE_STORE_GUEST,    /* whatever is written to a node of control/ is seen, and emptied */
};
void fake_store_behave(enum fake_store_mood mood);

#endif

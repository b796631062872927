/* SPDX-License-Identifier: MIT */
/* A store for tests of tools: nodes in memory, behind the functions of the packaged library. */
#ifndef FAKE_XS_H
#define FAKE_XS_H

#include <stdbool.h>
#include <xenstore.h>

extern bool fake_store;             /* there is one; else it can not be opened */
extern unsigned int fake_conflicts; /* transactions that must be tried again */

/** fake_xs_reset - an empty store. */
void fake_xs_reset(void);

/** fake_xs_get - the value of a node, NULL: there is none. */
const char *fake_xs_get(const char *path);

/** fake_xs_count - how many nodes there are. */
unsigned int fake_xs_count(void);

/** fake_xs_handles - how many connections are open. */
unsigned int fake_xs_handles(void);

/** fake_xs_fail - asked before each request; true: it fails with errno. Tests may have their own. */
extern bool (*fake_xs_fail)(void);

#endif

/* SPDX-License-Identifier: MIT */
/* Giving up: whatever takes long looks here again and again. */
#ifndef LIBSOCLE_STOP_H
#define LIBSOCLE_STOP_H

#include "error.h"

#include <signal.h>

/** stop_on - from now on, give up when @flag is not 0; NULL: never, as when things are undone. */
void stop_on(const volatile sig_atomic_t *flag);

/** stop_check - 0; -EINTR: give up. */
int stop_check(struct error *err);

#endif

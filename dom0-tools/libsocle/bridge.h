/* SPDX-License-Identifier: MIT */
/* Bridges of the control domain that cards of guests are on: socle-network(8) makes them. */
#ifndef LIBSOCLE_BRIDGE_H
#define LIBSOCLE_BRIDGE_H

#include "error.h"

/** bridge_need - see to it that there is a bridge of that name: if not, `socle-network up NAME`
 * Returns 0; -ENODEV: there is none and it could not be made. */
int bridge_need(const char *name, struct error *err);

#endif

/* SPDX-License-Identifier: MIT */
/* Names of schedulers. */
#ifndef SOCLE_SCHEDULER_H
#define SOCLE_SCHEDULER_H

#include <stdint.h>

/** scheduler_name - "credit2" ...; "unknown". */
const char *scheduler_name(uint32_t id);

#endif

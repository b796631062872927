/* SPDX-License-Identifier: MIT */
/* What life.c asks for, as it is done in earnest. */
#ifndef WATCHD_WORLD_H
#define WATCHD_WORLD_H

#include "life.h"

extern const struct life_world real_world;

/** world_log_to_syslog - from now on lines go there, not to standard error. */
void world_log_to_syslog(void);

#endif

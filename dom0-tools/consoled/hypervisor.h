/* SPDX-License-Identifier: MIT */
/* The hypervisor's own log as a stream: it has a history and a log file, and no readers. */
#ifndef CONSOLED_HYPERVISOR_H
#define CONSOLED_HYPERVISOR_H

#include <stdbool.h>
#include <stdint.h>

/** hypervisor_log_start - from now on keep it in hypervisor.log. */
void hypervisor_log_start(int64_t now);

/** hypervisor_log_event - @port has had an event; returns whether it is this one's. */
bool hypervisor_log_event(uint32_t port);

/** hypervisor_log_turn - take what is new; returns when to do so again, or INT64_MAX. */
int64_t hypervisor_log_turn(int64_t now);

void hypervisor_log_reopen(void);
void hypervisor_log_stop(void);

#endif

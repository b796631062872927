/* SPDX-License-Identifier: MIT */
/* Time of the hypervisor: nanoseconds since boot, monotonic across CPUs. */
#pragma once

#include <hv/types.h>

typedef int64_t s_time_t; /* ns since boot */

#define STIME_MAX  ((s_time_t)0x7fffffffffffffffL)
#define US(n)      ((s_time_t)(n)*1000)
#define MS(n)      ((s_time_t)(n)*1000000)
#define SECONDS(n) ((s_time_t)(n)*1000000000)

s_time_t now(void);
uint32_t time_tsc_khz(void);

/** time_update_vcpu - write the vcpu's pvclock record (vcpu_info.time and the area that it has
 * registered with register_vcpu_time_memory_area); called when it is switched in. */
void time_update_vcpu(struct vcpu *v);
/** time_update_wallclock - write the domain's wall clock into its shared info. */
void time_update_wallclock(struct domain *d);
/** time_set_wallclock - privileged platform_op settime64. */
void time_set_wallclock(uint64_t secs, uint32_t nsecs, uint64_t system_time_base);

/** arch_timer_set - arm this pcpu's one-shot interrupt for @deadline (STIME_MAX: none). A deadline in
 * the past fires at once. It raises SOFTIRQ_TIMER. */
void arch_timer_set(s_time_t deadline);

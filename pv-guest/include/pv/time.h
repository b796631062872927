/* SPDX-License-Identifier: MIT */
/* System time (ns since the machine's start), wall clock and the vcpu's one-shot timer. */
#ifndef PV_TIME_H
#define PV_TIME_H

#include <pv/types.h>
#include <xen/xen.h>

#define NS_PER_US  1000ul
#define NS_PER_MS  1000000ul
#define NS_PER_SEC 1000000000ul

/** time_now - system time in ns from this vcpu's time page. */
uint64_t time_now(void);

/** time_tsc_to_ns - a TSC difference in ns by this vcpu's scale. */
uint64_t time_tsc_to_ns(uint64_t cycles);

/** time_tsc_khz - TSC rate that the time page claims. */
uint64_t time_tsc_khz(void);

/** time_wallclock - seconds and ns since 1970 UTC. */
void time_wallclock(uint64_t *sec, uint32_t *nsec);

/** time_set_timer - one VIRQ_TIMER at system time @deadline (ns); 0 stops it. 0 or -errno. */
int time_set_timer(uint64_t deadline);

/** time_timer_fired - how often VIRQ_TIMER came on this vcpu. */
unsigned time_timer_fired(void);

/** time_sleep - block for @ns. */
void time_sleep(uint64_t ns);

/** time_delay - burn @ns without letting go of the processor. */
void time_delay(uint64_t ns);

/** time_init_vcpu - bind VIRQ_TIMER of the calling vcpu and stop its periodic tick. */
void time_init_vcpu(void);

#endif

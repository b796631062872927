/* SPDX-License-Identifier: MIT */
/* Timers: a function to be called at a system time, in softirq context on one pcpu. */
#pragma once

#include <hv/time.h>

struct timer {
    s_time_t expires;
    void (*fn)(void *data);
    void *data;
    struct timer *child, *next, *prev; /* private to timer.c: place in its pcpu's heap */
    uint16_t cpu;                      /* pcpu whose heap it is in */
    uint16_t state;                    /* private to timer.c */
};

void timer_init(struct timer *t, void (*fn)(void *), void *data, unsigned int cpu);
/** timer_set - (re)arm; a deadline in the past fires once, soon (XSA-20). Any pcpu may call. */
void timer_set(struct timer *t, s_time_t expires);
/** timer_stop - disarm; the function may still be running on its pcpu on return. */
void timer_stop(struct timer *t);
/** timer_kill - timer_stop and wait until the function is not running any more; not from within it. */
void timer_kill(struct timer *t);
/** timer_set_here - the same as timer_set(); from now on the function runs on the calling pcpu. */
void timer_set_here(struct timer *t, s_time_t expires);

/** timer_init_cpu - before a pcpu takes timers; -ENOMEM. */
int timer_init_cpu(unsigned int cpu);
void timer_dump(void); /* debug key */
/** timer_softirq - run what has expired on this pcpu and re-arm the hardware. */
void timer_softirq(void);

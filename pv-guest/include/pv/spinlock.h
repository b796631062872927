/* SPDX-License-Identifier: MIT */
/* A test-and-set lock and a barrier for several vcpus. Waiters yield to the hypervisor, since
 * vcpus may share one processor. */
#ifndef PV_SPINLOCK_H
#define PV_SPINLOCK_H

#include <pv/types.h>

struct spinlock {
    uint32_t held;
};
#define SPINLOCK_INIT                                                                              \
    {                                                                                              \
        0                                                                                          \
    }

void spin_lock(struct spinlock *l);
bool spin_trylock(struct spinlock *l);
void spin_unlock(struct spinlock *l);

/** spin_lock_events - the same with events masked; give the result to spin_unlock_events(). */
bool spin_lock_events(struct spinlock *l);
void spin_unlock_events(struct spinlock *l, bool were_enabled);

/** struct vcpu_barrier - a meeting point of @parties vcpus, usable again and again. */
struct vcpu_barrier {
    uint32_t parties;
    uint32_t arrived;
    uint32_t round;
};
#define VCPU_BARRIER_INIT(n)                                                                       \
    {                                                                                              \
        .parties = (n)                                                                             \
    }

void vcpu_barrier_wait(struct vcpu_barrier *b);

#endif

/* SPDX-License-Identifier: MIT */
/* Locks and barriers between vcpus; a waiter that spins long gives its processor away. */
#include <pv/spinlock.h>
#include <pv/cpu.h>
#include <pv/evtchn.h>
#include <pv/hypercall.h>

static void wait_a_little(unsigned *spins)
{
    if (++*spins % 64 == 0)
        hypercall_sched_op(SCHEDOP_yield, NULL);
    else
        cpu_relax();
}

bool spin_trylock(struct spinlock *l)
{
    return __atomic_exchange_n(&l->held, 1, __ATOMIC_ACQUIRE) == 0;
}

void spin_lock(struct spinlock *l)
{
    unsigned spins = 0;

    while (!spin_trylock(l))
        wait_a_little(&spins);
}

void spin_unlock(struct spinlock *l)
{
    __atomic_store_n(&l->held, 0, __ATOMIC_RELEASE);
}

bool spin_lock_events(struct spinlock *l)
{
    bool were_enabled = events_save();

    spin_lock(l);
    return were_enabled;
}

void spin_unlock_events(struct spinlock *l, bool were_enabled)
{
    spin_unlock(l);
    events_restore(were_enabled);
}

void vcpu_barrier_wait(struct vcpu_barrier *b)
{
    uint32_t round = __atomic_load_n(&b->round, __ATOMIC_ACQUIRE);
    unsigned spins = 0;

    if (__atomic_add_fetch(&b->arrived, 1, __ATOMIC_ACQ_REL) == b->parties) {
        b->arrived = 0;
        __atomic_store_n(&b->round, round + 1, __ATOMIC_RELEASE);
        return;
    }
    while (__atomic_load_n(&b->round, __ATOMIC_ACQUIRE) == round)
        wait_a_little(&spins);
}

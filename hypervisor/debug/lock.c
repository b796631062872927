/* SPDX-License-Identifier: MIT */
/* Spinlocks of debug builds, which check the order of ranks.
 *
 * The check needs one word per pcpu: a bit for each rank that is held. Taking a lock is in order if
 * no bit at or above its rank is set. A pair of equal rank is checked and noted once. */
#include <hv/lock.h>
#include <hv/percpu.h>

_Static_assert(LOCK_RANKS <= 32, "a pcpu's held ranks are one 32-bit word");

static void check_order(const spinlock_t *l)
{
    struct pcpu *p = pcpu_self();

    if (l->rank >= LOCK_RANKS)
        panic("lock %p was never initialised (rank %u)", (const void *)l, l->rank);
    if (p->locks_held >> l->rank)
        panic("lock order: rank %u wanted by pcpu %u, which holds ranks %#x", l->rank, p->id,
              p->locks_held);
    if (l->rank >= LOCK_IRQ && irqs_enabled())
        panic("lock of rank %u taken with interrupts on", l->rank);
}

static void wait_for(spinlock_t *l)
{
    if (!spin_try(l))
        spin_wait(l);
}

static void note(spinlock_t *l)
{
    l->holder = (int8_t)pcpu_self()->id;
    pcpu_self()->locks_held |= 1u << l->rank;
}

void spin_lock(spinlock_t *l)
{
    check_order(l);
    wait_for(l);
    note(l);
}

bool spin_trylock(spinlock_t *l)
{
    if (!spin_try(l))
        return false;
    note(l); /* out of order is harmless here: it did not wait */
    return true;
}

void spin_unlock(spinlock_t *l)
{
    if (!spin_is_locked_by_me(l))
        panic("lock of rank %u released by pcpu %u, held by %d", l->rank, pcpu_self()->id,
              l->holder);
    pcpu_self()->locks_held &= ~(1u << l->rank);
    l->holder = -1;
    __atomic_store_n(&l->locked, 0, __ATOMIC_RELEASE);
}

bool spin_is_locked_by_me(const spinlock_t *l)
{
    return READ_ONCE(l->locked) && l->holder == (int8_t)pcpu_self()->id;
}

void spin_lock_second(spinlock_t *l)
{
    ASSERT(pcpu_self()->locks_held & 1u << l->rank);
    wait_for(l);
    note(l);
}

/* SPDX-License-Identifier: MIT */
/* Spinlocks: what is not in line. */
#include <hv/lock.h>
#include <hv/percpu.h>

#define PATIENCE 1000 /* looks of the first who waits, before newcomers have to wait, too */

void spin_wait(spinlock_t *l)
{
    uint16_t mine = __atomic_fetch_add(&l->next, 1, __ATOMIC_RELAXED);

    while (__atomic_load_n(&l->first, __ATOMIC_ACQUIRE) != mine)
        cpu_relax();
    for (unsigned int looks = 0;
         READ_ONCE(l->locked) || __atomic_exchange_n(&l->locked, 1, __ATOMIC_ACQUIRE); looks++) {
        if (looks == PATIENCE)
            __atomic_store_n(&l->closed, 1, __ATOMIC_RELAXED);
        cpu_relax();
    }
    __atomic_store_n(&l->closed, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&l->first, (uint16_t)(mine + 1), __ATOMIC_RELEASE);
}

void spin_lock_pair(spinlock_t *a, spinlock_t *b)
{
    spin_lock(a < b ? a : b);
    if (a != b)
        spin_lock_second(a < b ? b : a);
}

void spin_unlock_pair(spinlock_t *a, spinlock_t *b)
{
    spin_unlock(a);
    if (b != a)
        spin_unlock(b);
}

unsigned long spin_lock_irqsave(spinlock_t *l)
{
    unsigned long flags = irqs_save();

    spin_lock(l);
    return flags;
}

void spin_unlock_irqrestore(spinlock_t *l, unsigned long flags)
{
    spin_unlock(l);
    irqs_restore(flags);
}

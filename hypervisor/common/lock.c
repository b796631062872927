/* SPDX-License-Identifier: MIT */
/* Ticket spinlocks: what is not in line. */
#include <hv/irqflags.h>
#include <hv/lock.h>
#include <hv/percpu.h>

void spin_lock_wait(spinlock_t *l, uint16_t mine)
{
    while (__atomic_load_n(&l->head, __ATOMIC_ACQUIRE) != mine)
        cpu_relax();
}

#ifndef SOCLE_DEBUG /* debug/lock.c has those of debug builds */
void spin_lock_pair(spinlock_t *a, spinlock_t *b)
{
    spin_lock(a < b ? a : b);
    if (a != b)
        spin_lock(a < b ? b : a);
}

void spin_unlock_pair(spinlock_t *a, spinlock_t *b)
{
    spin_unlock(a);
    if (b != a)
        spin_unlock(b);
}
#endif

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

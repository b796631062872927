/* SPDX-License-Identifier: MIT */
/* Spinlocks with a rank.
 *
 * LOCK ORDER: a CPU may take a lock only if its rank is greater than that of every lock it holds;
 * debug builds check this on every acquisition. Two locks of equal rank (two domains) are taken
 * through spin_lock_pair(), lower address first.
 *
 * Who finds a lock free takes it. Who does not, draws a ticket, and those who wait become first in the
 * order of their tickets. The first may be overtaken by newcomers, but only until it has waited for a
 * while: then it closes the lock to them. So no guest can starve another (XSA-114), and yet the lock
 * does not stand still while the host has put a waiting CPU to sleep.
 *
 * Locks are not taken in interrupt handlers, but for LOCK_IRQ and LOCK_CONSOLE, which are taken
 * with interrupts off (spin_lock_irqsave). */
#pragma once

#include <hv/config.h>
#include <hv/types.h>

enum lock_rank {
    LOCK_DOMCTL,       /* serialises domain creation, destruction and other control operations */
    LOCK_DOMAIN,       /* struct domain: vcpu states, life cycle */
    LOCK_GNTTAB,       /* one domain's grant table: entries and pins */
    LOCK_MAPTRACK,     /* one domain's handles of grants that it maps */
    LOCK_MMU,          /* one domain's page tables: every entry, every page-table type (hv/mmu.h) */
    LOCK_PAGES,        /* one domain's list of pages and its limits */
    LOCK_PHYSDEV,      /* the machine's devices: which interrupt is whose pirq */
    LOCK_EVTCHN,       /* one domain's event channels: binding, closing, layout */
    LOCK_PIRQ,         /* one physical interrupt: who has it, to which port it goes */
    LOCK_EVTCHN_PORT,  /* one port: its state, for whom it delivers */
    LOCK_EVTCHN_QUEUE, /* FIFO: the queues of one vcpu */
    LOCK_RANGES,       /* a domain's sets of ports, frames, interrupts */
    LOCK_HEAP,         /* small objects */
    LOCK_BUDDY,        /* the page allocator */
    LOCK_WATCHDOG,
    LOCK_TIME,    /* the wall clock */
    LOCK_TIMER,   /* one pcpu's timers */
    LOCK_SCHED,   /* one pcpu's run queue and the vcpus on it */
    LOCK_TLB,     /* the shoot-down request */
    LOCK_PCI,     /* configuration space, and the window to other registers of devices */
    LOCK_IRQ,     /* registers of the IO-APICs; irqsave */
    LOCK_CONSOLE, /* log ring, serial line; irqsave */
    LOCK_RANKS
};

typedef struct spinlock {
    union {
        struct {
            uint8_t locked;
            uint8_t closed; /* to newcomers: the first of those who wait has waited long enough */
        };
        uint16_t word;
    };
    uint16_t first; /* the ticket of the first who waits */
    uint16_t next;  /* the next ticket to hand out */
    uint8_t rank;   /* enum lock_rank */
    int8_t holder;  /* pcpu that holds it, -1 none; debug builds only */
} spinlock_t;
_Static_assert(NR_CPUS <= 128, "holder");

#define SPINLOCK_INIT(r)                                                                           \
    {                                                                                              \
        .rank = (r), .holder = -1                                                                  \
    }

static inline void spin_lock_init(spinlock_t *l, enum lock_rank rank)
{
    *l = (spinlock_t)SPINLOCK_INIT(rank);
}

/** spin_try - take the lock if it is free, and open to newcomers. spin_wait - the slow path. */
static inline bool spin_try(spinlock_t *l)
{
    uint16_t free = 0;

    return __atomic_compare_exchange_n(&l->word, &free, 1, false, __ATOMIC_ACQUIRE,
                                       __ATOMIC_RELAXED);
}
void spin_wait(spinlock_t *l);

/** spin_waiting - CPUs in line for it, for those who debug. */
static inline unsigned int spin_waiting(const spinlock_t *l)
{
    return (uint16_t)(READ_ONCE(l->next) - READ_ONCE(l->first));
}

#ifdef SOCLE_DEBUG
void spin_lock(spinlock_t *l);
bool spin_trylock(spinlock_t *l);
void spin_unlock(spinlock_t *l);
/** spin_lock_second - of a pair: its rank is held already. */
void spin_lock_second(spinlock_t *l);
/** spin_is_locked_by_me - for assertions. */
bool spin_is_locked_by_me(const spinlock_t *l);
#else
#define spin_is_locked_by_me(l) ((void)(l), true)
#define spin_lock_second        spin_lock

static inline void spin_lock(spinlock_t *l)
{
    if (unlikely(!spin_try(l)))
        spin_wait(l);
}

static inline bool spin_trylock(spinlock_t *l)
{
    return spin_try(l);
}

static inline void spin_unlock(spinlock_t *l)
{
    __atomic_store_n(&l->locked, 0, __ATOMIC_RELEASE);
}
#endif

/** spin_lock_pair - take two locks of the same rank, which may be one and the same. */
void spin_lock_pair(spinlock_t *a, spinlock_t *b);
void spin_unlock_pair(spinlock_t *a, spinlock_t *b);

/** spin_guard - hold @l from here to the end of the block, however it is left. One in a block. */
#define spin_guard(l) spinlock_t *guarded __at_end(spin_unguard) = spin_guarded(l)

static inline spinlock_t *spin_guarded(spinlock_t *l)
{
    spin_lock(l);
    return l;
}

static inline void spin_unguard(spinlock_t **l)
{
    spin_unlock(*l);
}

unsigned long spin_lock_irqsave(spinlock_t *l);
void spin_unlock_irqrestore(spinlock_t *l, unsigned long flags);

/** spin_guard_irq - the same as spin_guard(), with interrupts off meanwhile. */
#define spin_guard_irq(l)                                                                          \
    struct irq_guard guarded __at_end(spin_unguard_irq) = {(l), spin_lock_irqsave(l)}

struct irq_guard {
    spinlock_t *lock;
    unsigned long flags;
};

static inline void spin_unguard_irq(struct irq_guard *g)
{
    spin_unlock_irqrestore(g->lock, g->flags);
}

/* SPDX-License-Identifier: MIT */
/* Ticket spinlocks with a rank.
 *
 * LOCK ORDER: a CPU may take a lock only if its rank is greater than that of every lock it holds;
 * debug builds check this on every acquisition. Two locks of equal rank (two domains) are taken
 * through spin_lock_pair(), lower address first. Waiting CPUs are served first come first served,
 * so no guest can starve another (XSA-114).
 *
 * Locks are not taken in interrupt handlers, but for LOCK_IRQ and LOCK_CONSOLE, which are taken
 * with interrupts off (spin_lock_irqsave). */
#pragma once

#include <hv/types.h>

enum lock_rank {
    LOCK_DOMCTL,  /* serialises domain creation, destruction and other control operations */
    LOCK_DOMLIST, /* the table of domains (hv/domain.h) */
    LOCK_DOMAIN,  /* struct domain: vcpu states, life cycle */
    LOCK_GNTTAB,  /* one domain's grant table: entries and pins */
    LOCK_MAPTRACK, /* one domain's handles of grants that it maps */
    LOCK_MMU,     /* one domain's page tables: every entry, every page-table type (hv/mmu.h) */
    LOCK_PAGES,   /* one domain's list of pages and its limits */
    LOCK_PHYSDEV, /* the machine's devices: which interrupt is whose pirq */
    LOCK_EVTCHN,  /* one domain's event channels: binding, closing, layout */
    LOCK_PIRQ,    /* one physical interrupt: who has it, to which port it goes */
    LOCK_EVTCHN_PORT,  /* one port: its state, for whom it delivers */
    LOCK_EVTCHN_QUEUE, /* FIFO: the queues of one vcpu */
    LOCK_HEAP,    /* small objects */
    LOCK_BUDDY,   /* the page allocator */
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
            uint16_t head; /* the ticket being served */
            uint16_t tail; /* the next ticket to hand out */
        };
        uint32_t tickets;
    };
    uint8_t rank;   /* enum lock_rank */
    int16_t holder; /* pcpu that holds it, -1 none; debug builds only */
} spinlock_t;

#define SPINLOCK_INIT(r)                                                                           \
    {                                                                                              \
        .rank = (r), .holder = -1                                                                  \
    }

static inline void spin_lock_init(spinlock_t *l, enum lock_rank rank)
{
    *l = (spinlock_t)SPINLOCK_INIT(rank);
}

/** spin_lock_wait - the slow path: wait until ticket @mine is served. */
void spin_lock_wait(spinlock_t *l, uint16_t mine);

#ifdef SOCLE_DEBUG
void spin_lock(spinlock_t *l);
bool spin_trylock(spinlock_t *l);
void spin_unlock(spinlock_t *l);
/** spin_is_locked_by_me - for assertions. */
bool spin_is_locked_by_me(const spinlock_t *l);
#else
#define spin_is_locked_by_me(l) ((void)(l), true)

static inline void spin_lock(spinlock_t *l)
{
    uint16_t mine = __atomic_fetch_add(&l->tail, 1, __ATOMIC_ACQUIRE);

    if (unlikely(__atomic_load_n(&l->head, __ATOMIC_ACQUIRE) != mine))
        spin_lock_wait(l, mine);
}

static inline bool spin_trylock(spinlock_t *l)
{
    spinlock_t want = {.tickets = __atomic_load_n(&l->tickets, __ATOMIC_RELAXED)};
    uint32_t old = want.tickets;

    if (want.head != want.tail)
        return false;
    want.tail++;
    return __atomic_compare_exchange_n(&l->tickets, &old, want.tickets, false, __ATOMIC_ACQUIRE,
                                       __ATOMIC_RELAXED);
}

static inline void spin_unlock(spinlock_t *l)
{
    __atomic_store_n(&l->head, (uint16_t)(l->head + 1), __ATOMIC_RELEASE);
}
#endif

/** spin_lock_pair - take two locks of the same rank, which may be one and the same. */
void spin_lock_pair(spinlock_t *a, spinlock_t *b);
void spin_unlock_pair(spinlock_t *a, spinlock_t *b);

unsigned long spin_lock_irqsave(spinlock_t *l);
void spin_unlock_irqrestore(spinlock_t *l, unsigned long flags);


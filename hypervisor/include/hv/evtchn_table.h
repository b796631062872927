/* SPDX-License-Identifier: MIT */
/* Event channels from inside: what evtchn.c and the two layouts of pending state share.
 *
 * E1  A port's state, peer and number of virq change only under its table's lock and the port's
 *     own lock together; either one suffices to read them.
 * E2  The two ends of an interdomain channel point at each other. That changes only with both
 *     tables and both ports locked. So whoever holds the lock of one end may deliver to the
 *     other: it stays open, and its domain alive, as long as the lock is held.
 * E3  A bucket of ports, once published, stays until evtchn_domain_free(): a port that was valid
 *     once is safe to look at for the life of its domain (XSA-338).
 * E4  The pending state of a port is touched only by somebody who has seen it open under E1 or
 *     E2, lock still held. Hence nobody is inside a layout's code for a domain with active == 0
 *     whose table is locked: then, and only then, the FIFO layout is taken down (XSA-343, -505).
 *
 * The way of a send: lock the caller's port, look at its state, mark the peer pending, unlock. It
 * takes no lock of a table, so senders meet only if they use one port. */
#pragma once

#include <hv/domain.h>
#include <hv/evtchn.h>
#include <hv/lib.h>
#include <hv/lock.h>
#include <xen/event_channel.h>

struct evtchn {
    spinlock_t lock;  /* LOCK_EVTCHN_PORT */
    uint8_t state;    /* EVTCHNSTAT_*; port 0 is never opened */
    uint8_t priority; /* FIFO; READ_ONCE */
    uint8_t pending;  /* FIFO: an event came before the port had its word; atomic */
    uint16_t vcpu;    /* delivered to; READ_ONCE */
    uint16_t last;    /* FIFO: queue it was linked to last, vcpu * 16 + priority; queue's lock */
    uint32_t port;    /* its own number */
    union {
        domid_t remote; /* UNBOUND: who may bind */
        uint32_t virq;
        uint32_t pirq;
    };
    struct domain *peer_dom; /* INTERDOMAIN */
    struct evtchn *peer;
} __aligned(64);

#define EVTCHNS_PER_BUCKET (PAGE_SIZE / sizeof(struct evtchn))

struct evtchn_fifo;
enum evtchn_fifo_mode { FIFO_OFF, FIFO_ON, FIFO_DRAINING };

struct evtchn_table {
    spinlock_t lock;          /* LOCK_EVTCHN */
    uint8_t fifo_mode;        /* enum evtchn_fifo_mode; written under lock; see E4 */
    uint32_t nr_valid;        /* ports below it have their bucket; read with acquire */
    uint32_t max_port;        /* highest number that the domain may use */
    uint32_t active;          /* ports open */
    uint32_t hint;            /* no port below it is free */
    uint32_t next_close;      /* where a preempted reset or destruction goes on */
    struct evtchn_fifo *fifo; /* NULL until the first EVTCHNOP_init_control; then stays (XSA-188) */
    struct evtchn *bucket[];
};

static inline bool virq_is_global(unsigned int virq)
{
    return virq != VIRQ_TIMER && virq != VIRQ_DEBUG && virq != VIRQ_XENOPROF && virq != VIRQ_XENPMU;
}

static inline struct evtchn *evtchn_lookup(const struct evtchn_table *t, uint32_t port)
{
    if (unlikely(port >= __atomic_load_n(&t->nr_valid, __ATOMIC_ACQUIRE)))
        return NULL;
    return &t->bucket[port / EVTCHNS_PER_BUCKET][port % EVTCHNS_PER_BUCKET];
}

static inline bool evtchn_is_open(const struct evtchn *chn)
{
    return chn->state != EVTCHNSTAT_closed;
}

/** evtchn_lock_ends - lock a port and, if it has one, its peer: afterwards nobody is delivering to
 * it. The table is locked, which keeps the peer the same (E2). */
static inline void evtchn_lock_ends(struct evtchn *chn)
{
    spin_lock_pair(&chn->lock,
                   chn->state == EVTCHNSTAT_interdomain ? &chn->peer->lock : &chn->lock);
}

static inline void evtchn_unlock_ends(struct evtchn *chn, struct evtchn *peer)
{
    spin_unlock_pair(&chn->lock, peer ? &peer->lock : &chn->lock);
}

static inline bool evtchn_is_fifo(const struct evtchn_table *t)
{
    return __atomic_load_n(&t->fifo_mode, __ATOMIC_ACQUIRE) == FIFO_ON;
}

/** evtchn_wake_pollers - @port became pending: only a domain with a vcpu in poll pays a call. */
static inline void evtchn_wake_pollers(struct domain *d, uint32_t port)
{
    unsigned long any = 0;

    for (unsigned int i = 0; i < ARRAY_SIZE(d->poll_mask); i++)
        any |= READ_ONCE(d->poll_mask[i]);
    if (unlikely(any))
        sched_poll_event(d, port);
}

/* ---- evtchn_2l.c: ports below 4096, bit maps in shared_info. All under E4. ---- */
void evtchn_2l_set_pending(struct domain *d, struct evtchn *chn);
void evtchn_2l_clear_pending(struct domain *d, struct evtchn *chn);
void evtchn_2l_unmask(struct domain *d, struct evtchn *chn);
bool evtchn_2l_is_pending(const struct domain *d, const struct evtchn *chn);

/* ---- evtchn_fifo.c: event words in pages of the guest. All under E4. ---- */

#define WORDS_PER_PAGE (PAGE_SIZE / sizeof(event_word_t))
#define MAX_PAGES      (EVTCHN_FIFO_NR_CHANNELS / WORDS_PER_PAGE)

struct fifo_vcpu {
    spinlock_t lock;                           /* LOCK_EVTCHN_QUEUE */
    struct evtchn_fifo_control_block *control; /* in a page of the guest; NULL none */
    uint32_t tail[EVTCHN_FIFO_MAX_QUEUES];     /* last port appended, 0 none */
};

struct evtchn_fifo {
    uint32_t nr_words; /* ports below it have a word; written under the table's lock */
    event_word_t *page[MAX_PAGES];
};

void evtchn_fifo_set_pending(struct domain *d, struct evtchn *chn);
void evtchn_fifo_clear_pending(struct domain *d, struct evtchn *chn);
void evtchn_fifo_unmask(struct domain *d, struct evtchn *chn);
bool evtchn_fifo_is_pending(const struct domain *d, const struct evtchn *chn);
/** evtchn_fifo_is_busy - a closed port whose word is still in a queue: not yet to be reused. */
bool evtchn_fifo_is_busy(const struct domain *d, const struct evtchn *chn);
/** evtchn_fifo_init_control, _expand_array - the operations; -errno. Nothing locked. */
int evtchn_fifo_init_control(struct domain *d, struct evtchn_init_control *op);
int evtchn_fifo_expand_array(struct domain *d, gfn_t array);
/** evtchn_fifo_stop - back to 2-level: table locked on entry and on return (unlocked in between to
 * let go of the guest's pages), active == 0. */
void evtchn_fifo_stop(struct domain *d);
/** evtchn_fifo_free - the memory; nobody refers to the domain. */
void evtchn_fifo_free(struct domain *d);

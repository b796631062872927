/* SPDX-License-Identifier: MIT */
/* Timers: a pairing heap for each pcpu, whose root is what the hardware is armed for.
 *
 * The links are in the timers themselves, so to arm one needs no memory and can not fail; arming
 * and finding the first are a few instructions, removal is logarithmic on average. A node's `prev`
 * is its parent if it is the first child, else its left sibling; the root has none.
 *
 * T1  t->cpu says which heap's lock protects t; it changes with that lock held.
 * T2  The hardware is armed for the first timer or earlier (`armed`). It is set anew only when a
 *     timer comes first that is due before that; when one is removed or moved back, an interrupt in
 *     vain is cheaper than to program the device each time.
 * T3  A function runs without the lock, with heap->running pointing at its timer. */
#include <hv/console.h>
#include <hv/heap.h>
#include <hv/lock.h>
#include <hv/softirq.h>
#include <hv/timer.h>

enum { TIMER_IDLE, TIMER_QUEUED, TIMER_DEAD };

struct timer_heap {
    spinlock_t lock;
    struct timer *root;
    s_time_t armed;
    struct timer *running;
};

/* ---- the heap ---- */

/* Make the later of two roots the first child of the other. */
static struct timer *meld(struct timer *a, struct timer *b)
{
    if (b->expires < a->expires) {
        struct timer *t = a;

        a = b;
        b = t;
    }
    b->prev = a;
    b->next = a->child;
    if (a->child)
        a->child->prev = b;
    a->child = b;
    return a;
}

/* Make one heap of a list of siblings, not empty: in pairs from the left, then all from the right.
 */
static struct timer *meld_siblings(struct timer *t)
{
    struct timer *pairs = NULL, *all;

    while (t) {
        struct timer *a = t, *b = t->next;

        t = b ? b->next : NULL;
        a->next = NULL;
        if (b) {
            b->next = NULL;
            a = meld(a, b);
        }
        a->next = pairs;
        pairs = a;
    }
    all = pairs;
    t = all->next;
    while (t) {
        struct timer *next = t->next;

        all->next = t->next = NULL;
        all = meld(all, t);
        t = next;
    }
    all->prev = all->next = NULL;
    return all;
}

static void heap_insert(struct timer_heap *h, struct timer *t)
{
    t->child = t->next = t->prev = NULL;
    t->state = TIMER_QUEUED;
    h->root = h->root ? meld(h->root, t) : t;
}

static void heap_remove(struct timer_heap *h, struct timer *t)
{
    struct timer *below = t->child ? meld_siblings(t->child) : NULL;

    if (t == h->root) {
        h->root = below;
    } else {
        if (t->prev->child == t)
            t->prev->child = t->next;
        else
            t->prev->next = t->next;
        if (t->next)
            t->next->prev = t->prev;
        if (below)
            h->root = meld(h->root, below);
    }
    t->state = TIMER_IDLE;
}

static inline void dequeue(struct timer_heap *h, struct timer *t)
{
    if (t->state == TIMER_QUEUED)
        heap_remove(h, t);
}

/* ---- arming ---- */

/* After a change of pcpu @cpu's heap, lock held. */
static void rearm(struct timer_heap *h, unsigned int cpu)
{
    if (!h->root || h->root->expires >= h->armed)
        return;
    if (cpu == smp_processor_id())
        arch_timer_set(h->armed = h->root->expires);
    else
        softirq_raise_on(cpu, SOFTIRQ_TIMER);
}

static struct timer_heap *lock_heap_of(struct timer *t)
{
    for (;;) {
        unsigned int cpu = READ_ONCE(t->cpu);
        struct timer_heap *h = pcpus[cpu].timers;

        spin_lock(&h->lock);
        if (likely(t->cpu == cpu))
            return h;
        spin_unlock(&h->lock);
    }
}

void timer_init(struct timer *t, void (*fn)(void *), void *data, unsigned int cpu)
{
    *t = (struct timer){.fn = fn, .data = data, .cpu = (uint16_t)cpu, .state = TIMER_IDLE};
}

void timer_set(struct timer *t, s_time_t expires)
{
    struct timer_heap *h = lock_heap_of(t);

    dequeue(h, t);
    if (likely(t->state != TIMER_DEAD)) {
        t->expires = expires;
        heap_insert(h, t);
        rearm(h, t->cpu);
    }
    spin_unlock(&h->lock);
}

/* T1: out of the old heap under its lock, into the new one under that. In between, others see an
 * idle timer of the new pcpu; should one of them arm it, then that is later and counts. */
static __attribute__((noinline)) void move_here(struct timer *t)
{
    struct timer_heap *h = lock_heap_of(t);

    dequeue(h, t);
    __atomic_store_n(&t->cpu, (uint16_t)smp_processor_id(), __ATOMIC_RELEASE);
    spin_unlock(&h->lock);
}

void timer_set_here(struct timer *t, s_time_t expires)
{
    if (unlikely(t->cpu != smp_processor_id()))
        move_here(t);
    timer_set(t, expires);
}

void timer_stop(struct timer *t)
{
    struct timer_heap *h;

    /* Only its user arms it, so to find it idle is an answer. */
    if (READ_ONCE(t->state) != TIMER_QUEUED)
        return;
    h = lock_heap_of(t);
    dequeue(h, t);
    spin_unlock(&h->lock);
}

void timer_kill(struct timer *t)
{
    struct timer_heap *h;

    if (!t->fn) /* never initialised */
        return;
    h = lock_heap_of(t);
    dequeue(h, t);
    t->state = TIMER_DEAD;
    spin_unlock(&h->lock);
    /* It may run on any pcpu: it can have moved since it began. */
    for (unsigned int cpu = 0; cpu < NR_CPUS; cpu++)
        while (pcpus[cpu].timers && READ_ONCE(pcpus[cpu].timers->running) == t)
            cpu_relax();
}

/* ---- expiry ---- */

static void run(struct timer_heap *h, struct timer *t)
{
    void (*fn)(void *) = t->fn;
    void *data = t->data;

    heap_remove(h, t);
    WRITE_ONCE(h->running, t);
    spin_unlock(&h->lock);
    fn(data);
    spin_lock(&h->lock);
    WRITE_ONCE(h->running, NULL);
}

/* No function arms its own timer for a time that has passed, so the pass ends (XSA-20). */
void timer_softirq(void)
{
    struct timer_heap *h = pcpu_self()->timers;
    s_time_t t = now();

    spin_guard(&h->lock);
    while (h->root && h->root->expires <= t)
        run(h, h->root);
    h->armed = h->root ? h->root->expires : STIME_MAX;
    if (h->root)
        arch_timer_set(h->armed);
}

void timer_dump(void)
{
    for_each_cpu (cpu, cpu_online_map) {
        struct timer_heap *h = pcpus[cpu].timers;

        spin_guard(&h->lock);
        if (h->root)
            pr_info("pcpu %lu: next timer in %ld us: %p", cpu, (h->root->expires - now()) / 1000,
                    (void *)h->root);
        else
            pr_info("pcpu %lu: no timer", cpu);
    }
}

int timer_init_cpu(unsigned int cpu)
{
    struct timer_heap *h = heap_new(struct timer_heap);

    if (!h)
        return -ENOMEM;
    spin_lock_init(&h->lock, LOCK_TIMER);
    h->armed = STIME_MAX;
    pcpus[cpu].timers = h;
    softirq_register(SOFTIRQ_TIMER, timer_softirq);
    return 0;
}

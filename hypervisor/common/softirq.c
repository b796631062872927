/* SPDX-License-Identifier: MIT */
/* Deferred work of a pcpu: softirqs, and tasklets on top of one of them.
 *
 * A pcpu's pending bits are set by itself, its interrupt handlers and other pcpus, and cleared only by
 * itself just before the handler runs: what is raised meanwhile runs again. One call of softirq_run()
 * is one pass in the order of the numbers, so none of them can hold up the others; the callers come
 * back until nothing is pending. */
#include <hv/softirq.h>

static void (*handlers[NR_SOFTIRQS])(void);

void softirq_register(enum softirq nr, void (*fn)(void))
{
    handlers[nr] = fn;
}

void softirq_raise(enum softirq nr)
{
    __atomic_fetch_or(&pcpu_self()->softirq_pending, 1u << nr, __ATOMIC_SEQ_CST);
}

void softirq_raise_on(unsigned int cpu, enum softirq nr)
{
    uint32_t bit = 1u << nr;

    /* Whoever set the first bit has sent an interrupt, or will have done so soon. */
    if (__atomic_fetch_or(&pcpus[cpu].softirq_pending, bit, __ATOMIC_SEQ_CST) == 0 &&
        cpu != smp_processor_id())
        smp_kick(cpu);
}

void softirq_run(void)
{
    struct pcpu *p = pcpu_self();
    uint32_t todo = p->softirq_pending;

    ASSERT(!p->locks_held);
    while (todo) {
        unsigned int nr = ffs64(todo);

        todo &= todo - 1;
        __atomic_fetch_and(&p->softirq_pending, ~(1u << nr), __ATOMIC_SEQ_CST);
        if (likely(nr < NR_SOFTIRQS && handlers[nr]))
            handlers[nr]();
    }
}

/* ---- tasklets ---- */

static void push(struct pcpu *p, struct tasklet *t)
{
    struct tasklet *first = READ_ONCE(p->tasklets);

    do
        t->next = first;
    while (!__atomic_compare_exchange_n(&p->tasklets, &first, t, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_RELAXED));
    softirq_raise(SOFTIRQ_TASKLET);
}

/* An interrupt handler may push at any moment: take all at once, and turn them round. */
static struct tasklet *take_all(struct pcpu *p)
{
    struct tasklet *t = __atomic_exchange_n(&p->tasklets, NULL, __ATOMIC_SEQ_CST), *list = NULL;

    while (t) {
        struct tasklet *next = t->next;

        t->next = list;
        list = t;
        t = next;
    }
    return list;
}

static void run_tasklets(void)
{
    struct pcpu *p = pcpu_self();
    struct tasklet *t = take_all(p), *next;

    for (; t; t = next) {
        next = t->next;
        if (__atomic_exchange_n(&t->running, 1, __ATOMIC_SEQ_CST)) {
            push(p, t); /* it still runs on the pcpu that it was scheduled on before */
            continue;
        }
        __atomic_store_n(&t->scheduled, 0, __ATOMIC_SEQ_CST);
        t->fn(t->data);
        __atomic_store_n(&t->running, 0, __ATOMIC_SEQ_CST);
    }
}

void tasklet_init(struct tasklet *t, void (*fn)(void *), void *data)
{
    *t = (struct tasklet){.fn = fn, .data = data};
    softirq_register(SOFTIRQ_TASKLET, run_tasklets);
}

void tasklet_schedule(struct tasklet *t)
{
    if (!__atomic_exchange_n(&t->scheduled, 1, __ATOMIC_SEQ_CST))
        push(pcpu_self(), t);
}

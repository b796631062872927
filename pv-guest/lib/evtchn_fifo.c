/* SPDX-License-Identifier: MIT */
/* The FIFO layout of event channels.
 *
 * Each port has a 32-bit event word (in array pages, 1024 words each); each vcpu a control block
 * with a head for each of 16 priorities. The hypervisor appends a port to a queue by writing its
 * number into the link of the tail's word; we eat from the head. The link of the last word is
 * 0, and then the hypervisor's head is read again.
 *  F1  A word may leave a queue only by its LINKED bit and link being cleared in one step.
 *  F2  Words of ports that we have not bound are masked from the start. */
#include <pv/evtchn.h>
#include <pv/cpu.h>
#include <pv/errno.h>
#include <pv/hypercall.h>
#include <pv/mm.h>
#include <pv/smp.h>
#include "internal.h"

#define WORDS_PER_PAGE (PAGE_SIZE / sizeof(event_word_t))
#define MAX_PAGES      (EVTCHN_FIFO_NR_CHANNELS / WORDS_PER_PAGE)

static event_word_t *pages[MAX_PAGES];
static unsigned nr_pages;
static struct evtchn_fifo_control_block *control[MAX_VCPUS];
static uint32_t heads[MAX_VCPUS][EVTCHN_FIFO_MAX_QUEUES];

uint32_t *evtchn_fifo_word(evtchn_port_t port)
{
    unsigned p = port / WORDS_PER_PAGE;

    return p < nr_pages ? &pages[p][port % WORDS_PER_PAGE] : NULL;
}

int evtchn_fifo_expand(evtchn_port_t port)
{
    while (!evtchn_fifo_word(port)) {
        struct evtchn_expand_array op;
        event_word_t *page;
        int rc;

        if (nr_pages == MAX_PAGES)
            return -ENOSPC;
        page = alloc_page();
        if (!page)
            return -ENOMEM;
        for (unsigned i = 0; i < WORDS_PER_PAGE; i++)
            page[i] = 1u << EVTCHN_FIFO_MASKED; /* F2 */
        op.array_gfn = virt_to_mfn(page);
        pages[nr_pages] = page; /* before the call: events may be linked during it */
        nr_pages++;
        rc = hypercall_event_channel_op(EVTCHNOP_expand_array, &op);
        if (rc) {
            nr_pages--;
            free_page(page);
            return rc;
        }
    }
    return 0;
}

int evtchn_fifo_init_vcpu(unsigned vcpu)
{
    struct evtchn_init_control op = {.vcpu = vcpu};
    int rc;

    if (vcpu >= MAX_VCPUS)
        return -EINVAL;
    if (control[vcpu])
        return 0;
    control[vcpu] = alloc_page();
    if (!control[vcpu])
        return -ENOMEM;
    op.control_gfn = virt_to_mfn(control[vcpu]);
    rc = hypercall_event_channel_op(EVTCHNOP_init_control, &op);
    if (rc) {
        free_page(control[vcpu]);
        control[vcpu] = NULL;
    }
    return rc;
}

int evtchn_fifo_start(unsigned nr_vcpus)
{
    int rc = 0;

    for (unsigned v = 0; v < nr_vcpus && rc == 0; v++)
        rc = evtchn_fifo_init_vcpu(v);
    return rc ? rc : evtchn_fifo_expand(WORDS_PER_PAGE - 1);
}

static uint32_t unlink(event_word_t *word)
{
    event_word_t old = READ_ONCE(*word), want;

    do
        want = old & ~((1u << EVTCHN_FIFO_LINKED) | EVTCHN_FIFO_LINK_MASK); /* F1 */
    while (
        !__atomic_compare_exchange_n(word, &old, want, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
    return old & EVTCHN_FIFO_LINK_MASK;
}

/* Eat one word of queue @q; returns whether the queue may hold more. */
static bool consume(unsigned vcpu, unsigned q, void (*deliver)(evtchn_port_t port))
{
    uint32_t port = heads[vcpu][q];
    event_word_t *word;

    if (!port)
        port = READ_ONCE(control[vcpu]->head[q]);
    word = evtchn_fifo_word(port);
    if (!port || !word)
        return false;
    heads[vcpu][q] = unlink(word);
    if (!(READ_ONCE(*word) >> EVTCHN_FIFO_MASKED & 1) && evtchn_clear(port))
        deliver(port);
    return heads[vcpu][q] != 0;
}

void evtchn_fifo_scan(struct vcpu_local *me, void (*deliver)(evtchn_port_t port))
{
    struct evtchn_fifo_control_block *c = control[me->id];
    uint32_t ready = 0;

    if (!c)
        return;
    while ((ready |= __atomic_exchange_n(&c->ready, 0, __ATOMIC_SEQ_CST)) != 0) {
        unsigned q = __builtin_ctz(ready); /* 0 is the highest priority */

        if (!consume(me->id, q, deliver))
            ready &= ~(1u << q);
    }
}

/* SPDX-License-Identifier: MIT */
/* The FIFO layout of event channels: one 32-bit event word per port in pages that the guest gave,
 * and per vcpu a control block with the head of a queue for each of 16 priorities. The guest eats
 * from the head; we append at the tail, whose port only we know.
 *
 * F1  Event words and control blocks are the guest's: every change is one atomic operation, loops
 *     over them have a fixed number of tries (XSA-295), and nothing read from them is an index.
 * F2  A word's link is written only while LINKED is set, in one step with the check: the guest
 *     clears LINKED and link together, so either it sees our link or we see that the tail was
 *     eaten.
 * F3  A port that moved to another queue is no longer the tail of its old one: an append there
 *     would write into the new queue.
 * F4  Pages and control blocks are published after their contents, with release (XSA-358, -359);
 *     a vcpu without a control block loses its event and nothing else (XSA-107). */
#include <hv/evtchn_table.h>
#include <hv/heap.h>

#define PENDING (1u << EVTCHN_FIFO_PENDING)
#define MASKED  (1u << EVTCHN_FIFO_MASKED)
#define LINKED  (1u << EVTCHN_FIFO_LINKED)
#define BUSY    (1u << EVTCHN_FIFO_BUSY)

#define TRIES 4

/* ---- pages of the guest ---- */

static void *hold_page(struct domain *d, gfn_t g)
{
    struct page *pg = page_from_gfn_writable(d, g);

    return pg ? page_virt(pg) : NULL;
}

/* May free the frame, so: no locks held. */
static void drop_page(const void *va)
{
    page_put_writable(mfn_page(virt_to_mfn(va)));
}

/* ---- event words ---- */

static event_word_t *word_of(const struct domain *d, uint32_t port)
{
    const struct evtchn_fifo *f = d->evtchn->fifo;

    if (unlikely(port >= __atomic_load_n(&f->nr_words, __ATOMIC_ACQUIRE)))
        return NULL;
    return &f->page[port / WORDS_PER_PAGE][port % WORDS_PER_PAGE];
}

static uint32_t word_set(event_word_t *word, uint32_t bits)
{
    return __atomic_fetch_or(word, bits, __ATOMIC_SEQ_CST);
}

static uint32_t word_clear(event_word_t *word, uint32_t bits)
{
    return __atomic_fetch_and(word, ~bits, __ATOMIC_SEQ_CST);
}

/* F2. Whether @port hangs behind @tail now; if not, it must become the head. In the end BUSY asks the guest
 * to keep its hands off the word; one that does not breaks its own queue only. */
static bool link_behind(event_word_t *tail, uint32_t port)
{
    uint32_t old = READ_ONCE(*tail);
    unsigned int i;

    for (i = 0; i < 2 * TRIES && (old & LINKED); i++) {
        if (unlikely(i == TRIES))
            old = word_set(tail, BUSY) | BUSY;
        if (__atomic_compare_exchange_n(tail, &old, (old & ~(BUSY | EVTCHN_FIFO_LINK_MASK)) | port,
                                        false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
            return true;
    }
    if (unlikely(i > TRIES))
        word_clear(tail, BUSY);
    return false;
}

/* ---- queues ---- */

static struct fifo_vcpu *fifo_of(const struct domain *d, unsigned int vcpu)
{
    struct vcpu *v = vcpu < d->max_vcpus ? d->vcpu[vcpu] : NULL;

    return v ? __atomic_load_n((struct fifo_vcpu **)&v->evtchn_fifo, __ATOMIC_ACQUIRE) : NULL;
}

/* Lock the queues that @chn was in last and shall be in now: they are those of two vcpus if it was
 * moved. Fails when another CPU keeps moving it, which only its owner can do to itself. */
static bool lock_queues(struct domain *d, struct evtchn *chn, struct fifo_vcpu *now,
                        struct fifo_vcpu **before)
{
    for (unsigned int i = 0; i < TRIES; i++) {
        uint16_t last = READ_ONCE(chn->last);
        struct fifo_vcpu *old = fifo_of(d, last / EVTCHN_FIFO_MAX_QUEUES);

        *before = old ? old : now;
        spin_lock_pair(&now->lock, &(*before)->lock);
        if (likely(chn->last == last))
            return true;
        spin_unlock_pair(&now->lock, &(*before)->lock);
    }
    return false;
}

/* Append to queue @q of @fv, both of which @chn's word has just been LINKED for. Queue locked.
 * Returns whether the vcpu must be told. */
static bool append(struct domain *d, struct fifo_vcpu *fv, unsigned int q, uint32_t port)
{
    struct evtchn_fifo_control_block *c = fv->control;
    uint32_t tail = fv->tail[q];
    bool linked = false;

    /* If the port itself is the tail it has been eaten, or its word would still be LINKED. */
    if (tail && tail != port)
        linked = link_behind(word_of(d, tail), port);
    if (!linked)
        WRITE_ONCE(c->head[q], port);
    fv->tail[q] = port;
    return !linked && !(word_set(&c->ready, 1u << q) & (1u << q));
}

static void enqueue(struct domain *d, struct evtchn *chn, event_word_t *word)
{
    unsigned int vcpu = READ_ONCE(chn->vcpu), q = READ_ONCE(chn->priority);
    uint16_t here = vcpu * EVTCHN_FIFO_MAX_QUEUES + q;
    struct fifo_vcpu *now = fifo_of(d, vcpu), *before;
    bool tell = false;

    if (unlikely(!now) || unlikely(!lock_queues(d, chn, now, &before)))
        return;
    if (likely(now->control) && !(word_set(word, LINKED) & LINKED)) {
        if (chn->last != here) {
            unsigned int old_q = chn->last % EVTCHN_FIFO_MAX_QUEUES;

            if (before->tail[old_q] == chn->port) /* F3 */
                before->tail[old_q] = 0;
            WRITE_ONCE(chn->last, here);
        }
        tell = append(d, now, q, chn->port);
    }
    spin_unlock_pair(&now->lock, &before->lock);
    if (tell)
        vcpu_mark_events_pending(d->vcpu[vcpu]);
}

/* ---- what every layout can do ---- */

void evtchn_fifo_set_pending(struct domain *d, struct evtchn *chn)
{
    event_word_t *word = word_of(d, chn->port);
    uint32_t old;

    if (unlikely(!word)) {
        /* Either the page's arrival sees our note or we see the page. */
        __atomic_store_n(&chn->pending, 1, __ATOMIC_SEQ_CST);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        word = word_of(d, chn->port);
        if (!word || !__atomic_exchange_n(&chn->pending, 0, __ATOMIC_SEQ_CST))
            return;
    }
    old = word_set(word, PENDING);
    if (!(old & (MASKED | LINKED)))
        enqueue(d, chn, word);
    if (!(old & PENDING))
        evtchn_wake_pollers(d, chn->port);
}

void evtchn_fifo_clear_pending(struct domain *d, struct evtchn *chn)
{
    event_word_t *word = word_of(d, chn->port);

    if (word)
        word_clear(word, PENDING);
    __atomic_store_n(&chn->pending, 0, __ATOMIC_SEQ_CST);
}

void evtchn_fifo_unmask(struct domain *d, struct evtchn *chn)
{
    event_word_t *word = word_of(d, chn->port);

    if (!word)
        return;
    if ((word_clear(word, MASKED) & (PENDING | LINKED)) == PENDING)
        enqueue(d, chn, word);
}

bool evtchn_fifo_is_pending(const struct domain *d, const struct evtchn *chn)
{
    event_word_t *word = word_of(d, chn->port);

    return word ? READ_ONCE(*word) & PENDING : READ_ONCE(chn->pending);
}

bool evtchn_fifo_is_busy(const struct domain *d, const struct evtchn *chn)
{
    event_word_t *word = word_of(d, chn->port);

    return word && (READ_ONCE(*word) & LINKED);
}

/* ---- set-up ---- */

/* Everything that can fail, before the domain changes its layout (XSA-188). Table locked. */
static int prepare(struct evtchn_table *t, struct domain *d, struct vcpu *v)
{
    struct fifo_vcpu *fv = v->evtchn_fifo;

    if (READ_ONCE(d->is_dying))
        return -EINVAL;
    if (t->fifo_mode == FIFO_DRAINING)
        return -EAGAIN;
    if (!t->fifo && !(t->fifo = heap_new(struct evtchn_fifo)))
        return -ENOMEM;
    if (!fv) {
        fv = heap_new(struct fifo_vcpu);
        if (!fv)
            return -ENOMEM;
        spin_lock_init(&fv->lock, LOCK_EVTCHN_QUEUE);
        __atomic_store_n((struct fifo_vcpu **)&v->evtchn_fifo, fv, __ATOMIC_RELEASE);
    }
    return fv->control ? -EINVAL : 0;
}

/* Ports are open already: what is pending in the old layout is kept for their words. A sender has
 * done its work in the old layout before we get the lock it works under, or gets it after us. */
static void start(struct evtchn_table *t, struct domain *d)
{
    __atomic_store_n(&t->fifo_mode, FIFO_ON, __ATOMIC_RELEASE);
    for (uint32_t port = 1; port < t->nr_valid && port < EVTCHN_2L_NR_CHANNELS; port++) {
        struct evtchn *chn = evtchn_lookup(t, port);

        if (!evtchn_is_open(chn))
            continue;
        evtchn_lock_ends(chn);
        if (evtchn_2l_is_pending(d, chn))
            __atomic_store_n(&chn->pending, 1, __ATOMIC_SEQ_CST);
        evtchn_unlock_ends(chn, chn->peer);
    }
}

int evtchn_fifo_init_control(struct domain *d, struct evtchn_init_control *op)
{
    struct evtchn_table *t = d->evtchn;
    struct vcpu *v = domain_vcpu(d, op->vcpu);
    uint8_t *page;
    int rc;

    if (!v)
        return -ENOENT;
    if (op->offset > PAGE_SIZE - sizeof(struct evtchn_fifo_control_block) || op->offset % 8)
        return -EINVAL;
    page = hold_page(d, gfn(op->control_gfn));
    if (!page)
        return -EINVAL;
    spin_lock(&t->lock);
    rc = prepare(t, d, v);
    if (rc == 0) {
        struct fifo_vcpu *fv = v->evtchn_fifo;

        spin_lock(&fv->lock);
        fv->control = (struct evtchn_fifo_control_block *)(page + op->offset);
        spin_unlock(&fv->lock);
        if (t->fifo_mode == FIFO_OFF)
            start(t, d);
    }
    spin_unlock(&t->lock);
    if (rc)
        drop_page(page);
    op->link_bits = EVTCHN_FIFO_LINK_BITS;
    return rc;
}

static int add_page(struct evtchn_table *t, struct domain *d, event_word_t *page)
{
    struct evtchn_fifo *f = t->fifo;
    uint32_t first;

    if (t->fifo_mode != FIFO_ON)
        return t->fifo_mode == FIFO_OFF ? -EOPNOTSUPP : -EAGAIN;
    if (READ_ONCE(d->is_dying))
        return -EINVAL;
    first = f->nr_words;
    if (first >= EVTCHN_FIFO_NR_CHANNELS)
        return -ENOSPC;
    f->page[first / WORDS_PER_PAGE] = page;
    __atomic_store_n(&f->nr_words, first + WORDS_PER_PAGE, __ATOMIC_SEQ_CST);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);

    for (uint32_t port = first; port < first + WORDS_PER_PAGE && port < t->nr_valid; port++) {
        struct evtchn *chn = evtchn_lookup(t, port);

        if (evtchn_is_open(chn) && __atomic_exchange_n(&chn->pending, 0, __ATOMIC_SEQ_CST))
            evtchn_fifo_set_pending(d, chn);
    }
    return 0;
}

int evtchn_fifo_expand_array(struct domain *d, gfn_t array)
{
    struct evtchn_table *t = d->evtchn;
    event_word_t *page;
    int rc;

    if (!evtchn_is_fifo(t))
        return -EOPNOTSUPP;
    page = hold_page(d, array);
    if (!page)
        return -EINVAL;
    spin_lock(&t->lock);
    rc = add_page(t, d, page);
    spin_unlock(&t->lock);
    if (rc)
        drop_page(page);
    return rc;
}

void evtchn_fifo_stop(struct domain *d)
{
    struct evtchn_table *t = d->evtchn;
    uint32_t nr_words;

    if (t->fifo_mode != FIFO_ON)
        return;
    ASSERT(t->active == 0);
    /* Nobody is inside (E4), and DRAINING keeps new users out while the lock is not held. */
    __atomic_store_n(&t->fifo_mode, FIFO_DRAINING, __ATOMIC_RELEASE);
    nr_words = t->fifo->nr_words;
    __atomic_store_n(&t->fifo->nr_words, 0, __ATOMIC_RELEASE);
    spin_unlock(&t->lock);

    for_each_vcpu (d, v) {
        struct fifo_vcpu *fv = v->evtchn_fifo;

        if (!fv)
            continue;
        if (fv->control)
            drop_page(fv->control);
        fv->control = NULL;
        memset(fv->tail, 0, sizeof(fv->tail));
    }
    for (uint32_t i = 0; i < nr_words / WORDS_PER_PAGE; i++) {
        drop_page(t->fifo->page[i]);
        t->fifo->page[i] = NULL;
    }

    spin_lock(&t->lock);
    __atomic_store_n(&t->fifo_mode, FIFO_OFF, __ATOMIC_RELEASE);
}

void evtchn_fifo_free(struct domain *d)
{
    heap_free(d->evtchn->fifo);
    d->evtchn->fifo = NULL;
    for_each_vcpu (d, v) {
        heap_free(v->evtchn_fifo);
        v->evtchn_fifo = NULL;
    }
}

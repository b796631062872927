/* SPDX-License-Identifier: MIT */
/* Event channels: which port leads where. The rules E1..E4 are in <hv/evtchn_table.h>; how a port
 * is made pending is the business of evtchn_2l.c or evtchn_fifo.c, whichever the guest has chosen.
 *
 * Who may: a domain acts on its own ports, the privileged one also asks for, looks at and resets
 * those of others. Every operation checks the port's number before it forms a pointer (XSA-221),
 * changes nothing before all checks have passed (XSA-47, XSA-496), and closing many ports is
 * preemptible (XSA-344). ABI: xen/event_channel.h; error numbers as Xen 4.17 gives them. */
#include <hv/console.h>
#include <hv/evtchn_table.h>
#include <hv/heap.h>
#include <hv/hypercall.h>
#include <hv/irq.h>

/* ---- delivery ---- */

void vcpu_mark_events_pending(struct vcpu *v)
{
    if (!__atomic_exchange_n(&READ_ONCE(v->info)->evtchn_upcall_pending, 1, __ATOMIC_SEQ_CST))
        vcpu_kick(v);
}

static inline void set_pending(struct domain *d, struct evtchn *chn)
{
    if (evtchn_is_fifo(d->evtchn))
        evtchn_fifo_set_pending(d, chn);
    else
        evtchn_2l_set_pending(d, chn);
}

static void clear_pending(struct domain *d, struct evtchn *chn)
{
    if (evtchn_is_fifo(d->evtchn))
        evtchn_fifo_clear_pending(d, chn);
    else
        evtchn_2l_clear_pending(d, chn);
}

static bool is_pending(const struct domain *d, const struct evtchn *chn)
{
    return evtchn_is_fifo(d->evtchn) ? evtchn_fifo_is_pending(d, chn)
                                     : evtchn_2l_is_pending(d, chn);
}

int evtchn_send(struct domain *d, uint32_t port)
{
    struct evtchn *chn = evtchn_lookup(d->evtchn, port);

    if (unlikely(!chn))
        return -EINVAL;
    spin_guard(&chn->lock);
    if (likely(chn->state == EVTCHNSTAT_interdomain))
        set_pending(chn->peer_dom, chn->peer);
    else if (chn->state == EVTCHNSTAT_ipi)
        set_pending(d, chn);
    else if (chn->state !=
             EVTCHNSTAT_unbound) /* bind_interdomain makes up for what is lost there */
        return -EINVAL;
    return 0;
}

/* The port may be closed, or another's, before it is locked: then its virq is not ours any more. */
void evtchn_send_virq(struct vcpu *owner, unsigned int virq)
{
    struct domain *d = owner->domain;
    struct evtchn *chn;
    uint32_t port;

    if (virq >= NR_VIRQS || !d->evtchn)
        return;
    port = READ_ONCE(owner->virq_to_port[virq]);
    chn = port ? evtchn_lookup(d->evtchn, port) : NULL;
    if (!chn)
        return;
    spin_guard(&chn->lock);
    if (chn->state == EVTCHNSTAT_virq && chn->virq == virq)
        set_pending(d, chn);
}

void evtchn_send_pirq(struct domain *d, uint32_t port)
{
    struct evtchn *chn = evtchn_lookup(d->evtchn, port);

    if (unlikely(!chn))
        return;
    spin_guard(&chn->lock);
    if (likely(chn->state == EVTCHNSTAT_pirq))
        set_pending(d, chn);
}

void evtchn_send_global_virq(struct domain *d, unsigned int virq)
{
    if (d)
        evtchn_send_virq(d->vcpu[0], virq);
}

int evtchn_port_pending(struct domain *d, uint32_t port)
{
    struct evtchn *chn = evtchn_lookup(d->evtchn, port);

    if (!chn)
        return -EINVAL;
    spin_guard(&chn->lock);
    return evtchn_is_open(chn) && is_pending(d, chn);
}

void evtchn_vcpu_info_moved(struct vcpu *v)
{
    struct vcpu_info *info = READ_ONCE(v->info);

    /* The guest scans in vain at worst. */
    __atomic_store_n(&info->evtchn_pending_sel, ~0UL, __ATOMIC_SEQ_CST);
    __atomic_store_n(&info->evtchn_upcall_pending, 1, __ATOMIC_SEQ_CST);
    vcpu_kick(v);
}

/* ---- the table ---- */

static int add_bucket(struct evtchn_table *t)
{
    struct evtchn *b = heap_zalloc(PAGE_SIZE);

    if (!b)
        return -ENOMEM;
    for (uint32_t i = 0; i < EVTCHNS_PER_BUCKET; i++) {
        spin_lock_init(&b[i].lock, LOCK_EVTCHN_PORT);
        b[i].port = t->nr_valid + i;
    }
    t->bucket[t->nr_valid / EVTCHNS_PER_BUCKET] = b;
    /* Contents, then pointer, then size (XSA-340). */
    __atomic_store_n(&t->nr_valid, t->nr_valid + (uint32_t)EVTCHNS_PER_BUCKET, __ATOMIC_RELEASE);
    return 0;
}

/* The lowest free port, not yet open. Table locked. *@out or -EINVAL (dying), -ENOSPC, -ENOMEM. */
static int find_free(struct domain *d, struct evtchn **out)
{
    struct evtchn_table *t = d->evtchn;
    uint32_t abi = t->fifo_mode == FIFO_ON ? EVTCHN_FIFO_NR_CHANNELS : EVTCHN_2L_NR_CHANNELS;
    uint32_t end = min(t->max_port + 1, abi);
    bool skipped = false;

    if (READ_ONCE(d->is_dying))
        return -EINVAL;
    for (uint32_t port = t->hint; port < end; port++) {
        struct evtchn *chn;

        if (port >= t->nr_valid && add_bucket(t))
            return -ENOMEM;
        chn = evtchn_lookup(t, port);
        if (chn->state == EVTCHNSTAT_closed) {
            if (t->fifo_mode != FIFO_ON || !evtchn_fifo_is_busy(d, chn)) {
                *out = chn;
                return 0;
            }
            skipped = true;
        }
        if (!skipped)
            t->hint = port + 1;
    }
    return -ENOSPC;
}

/* Both tables and ports are locked, as far as there is another. */
static void open_found(struct domain *d, struct evtchn *chn, uint8_t state, unsigned int vcpu)
{
    chn->state = state;
    WRITE_ONCE(chn->vcpu, vcpu);
    WRITE_ONCE(chn->priority, EVTCHN_FIFO_PRIORITY_DEFAULT);
    d->evtchn->active++;
}

/* Open the lowest free port; *@out: its number. -errno: what find_free() says. Table locked. */
static int open_port(struct domain *d, uint8_t state, unsigned int vcpu, uint32_t number,
                     evtchn_port_t *out)
{
    struct evtchn *chn;

    TRY(find_free(d, &chn));
    spin_guard(&chn->lock);
    open_found(d, chn, state, vcpu);
    if (state == EVTCHNSTAT_unbound)
        chn->remote = number;
    else
        chn->virq = number;
    *out = chn->port;
    return 0;
}

/* Undo what open_port() or connect() did. Table and ends locked. */
static void shut_port(struct domain *d, struct evtchn *chn)
{
    struct evtchn_table *t = d->evtchn;

    clear_pending(d, chn); /* the port's next user starts afresh */
    chn->state = EVTCHNSTAT_closed;
    chn->peer_dom = NULL;
    chn->peer = NULL;
    WRITE_ONCE(chn->vcpu, 0);
    t->active--;
    t->hint = min(t->hint, chn->port);
}

/* Lock @d's table, and that of the domain at the other end of @chn if there is one: then returns
 * that domain, with a reference. */
static struct domain *lock_tables(struct domain *d, const struct evtchn *chn)
{
    for (;;) {
        struct domain *rd;

        spin_lock(&d->evtchn->lock);
        rd = chn->state == EVTCHNSTAT_interdomain ? chn->peer_dom : d;
        if (rd == d)
            return NULL;
        /* Its port is open, so it is not gone (E2); once unlocked, only the reference keeps it. */
        if (!domain_get(rd)) {
            spin_unlock(&d->evtchn->lock);
            continue;
        }
        spin_unlock(&d->evtchn->lock);
        spin_lock_pair(&d->evtchn->lock, &rd->evtchn->lock);
        if (chn->state != EVTCHNSTAT_interdomain || chn->peer_dom == rd)
            return rd;
        spin_unlock_pair(&d->evtchn->lock, &rd->evtchn->lock);
        domain_put(rd);
    }
}

static void unlock_tables(struct domain *d, struct domain *rd)
{
    if (!rd) {
        spin_unlock(&d->evtchn->lock);
        return;
    }
    spin_unlock_pair(&d->evtchn->lock, &rd->evtchn->lock);
    domain_put(rd);
}

/* Tables locked. */
static void close_open_port(struct domain *d, struct evtchn *chn)
{
    struct evtchn *peer = chn->state == EVTCHNSTAT_interdomain ? chn->peer : NULL;

    if (chn->state == EVTCHNSTAT_pirq)
        pirq_unbind(d, chn->pirq, chn->port);
    evtchn_lock_ends(chn);
    if (chn->state == EVTCHNSTAT_virq) {
        struct vcpu *v = domain_vcpu(d, virq_is_global(chn->virq) ? 0 : chn->vcpu);

        if (v)
            WRITE_ONCE(v->virq_to_port[chn->virq], 0);
    }
    if (peer) {
        peer->state = EVTCHNSTAT_unbound;
        peer->peer_dom = NULL;
        peer->peer = NULL;
        peer->remote = d->id;
    }
    shut_port(d, chn);
    evtchn_unlock_ends(chn, peer);
}

static int evtchn_close(struct domain *d, uint32_t port)
{
    struct evtchn *chn = evtchn_lookup(d->evtchn, port);
    struct domain *rd;
    int rc = -EINVAL;

    if (!chn)
        return -EINVAL;
    rd = lock_tables(d, chn);
    if (evtchn_is_open(chn)) {
        close_open_port(d, chn);
        rc = 0;
    }
    unlock_tables(d, rd);
    return rc;
}

/* Close all ports and go back to the 2-level layout. -ERESTART: not through yet; -EAGAIN: somebody
 * opens ports meanwhile. */
static int close_all(struct domain *d)
{
    struct evtchn_table *t = d->evtchn;

    for (uint32_t port = READ_ONCE(t->next_close); evtchn_lookup(t, port); port++) {
        if (port % 16 == 0 && port != READ_ONCE(t->next_close) && hypercall_preempt_needed()) {
            WRITE_ONCE(t->next_close, port);
            return -ERESTART;
        }
        if (READ_ONCE(evtchn_lookup(t, port)->state) != EVTCHNSTAT_closed)
            (void)evtchn_close(d, port);
    }
    spin_guard(&t->lock);
    t->next_close = 0;
    if (t->active)
        return -EAGAIN;
    evtchn_fifo_stop(d);
    return 0;
}

/* ---- life with the domain ---- */

int evtchn_domain_init(struct domain *d, unsigned int max_port)
{
    uint32_t highest = min(max_port, EVTCHN_FIFO_NR_CHANNELS - 1u);
    size_t buckets = highest / EVTCHNS_PER_BUCKET + 1;
    struct evtchn_table *t = heap_zalloc(sizeof(*t) + buckets * sizeof(t->bucket[0]));

    if (!t)
        return -ENOMEM;
    spin_lock_init(&t->lock, LOCK_EVTCHN);
    t->max_port = highest;
    t->hint = 1;
    d->evtchn = t;
    return add_bucket(t);
}

static bool is_closed(struct evtchn_table *t)
{
    spin_guard(&t->lock);
    return t->active == 0 && t->fifo_mode != FIFO_ON;
}

int evtchn_domain_destroy(struct domain *d)
{
    int rc;

    /* Later steps of a destruction that are preempted come by here again. */
    if (!d->evtchn || is_closed(d->evtchn))
        return 0;
    /* A dying domain opens no ports: a second pass finds what a racing reset hid. */
    do
        rc = close_all(d);
    while (rc == -EAGAIN);
    return rc;
}

void evtchn_domain_free(struct domain *d)
{
    struct evtchn_table *t = d->evtchn;

    if (!t)
        return;
    evtchn_fifo_free(d);
    for (uint32_t i = 0; i < t->nr_valid / EVTCHNS_PER_BUCKET; i++)
        heap_free(t->bucket[i]);
    d->evtchn = NULL;
    heap_free(t);
}

/* ---- the operations ---- */

static int op_alloc_unbound(struct evtchn_alloc_unbound *op)
{
    domid_t remote = op->remote_dom == DOMID_SELF ? current_domain()->id : op->remote_dom;
    struct domain *d __put_peer;

    TRY(domain_target(op->dom, &d));
    spin_guard(&d->evtchn->lock);
    return open_port(d, EVTCHNSTAT_unbound, 0, remote, &op->port);
}

/* Both tables locked. */
static int connect(struct domain *d, struct domain *rd, struct evtchn_bind_interdomain *op)
{
    struct evtchn *chn, *peer;

    TRY(find_free(d, &chn));
    peer = evtchn_lookup(rd->evtchn, op->remote_port);
    if (!peer || peer->state != EVTCHNSTAT_unbound || peer->remote != d->id)
        return -EINVAL;
    spin_lock_pair(&chn->lock, &peer->lock);
    open_found(d, chn, EVTCHNSTAT_interdomain, 0);
    chn->peer_dom = rd;
    chn->peer = peer;
    peer->state = EVTCHNSTAT_interdomain;
    peer->peer_dom = d;
    peer->peer = chn;
    /* The other side may have sent while nobody was bound. */
    set_pending(d, chn);
    spin_unlock_pair(&chn->lock, &peer->lock);
    op->local_port = chn->port;
    return 0;
}

static int op_bind_interdomain(struct evtchn_bind_interdomain *op)
{
    struct domain *d = current_domain(), *rd __put_peer = domain_peer(op->remote_dom);
    int rc;

    if (!rd)
        return -ESRCH;
    spin_lock_pair(&d->evtchn->lock, &rd->evtchn->lock);
    rc = connect(d, rd, op);
    spin_unlock_pair(&d->evtchn->lock, &rd->evtchn->lock);
    return rc;
}

static int op_bind_virq(struct evtchn_bind_virq *op)
{
    struct domain *d = current_domain();
    struct vcpu *v;
    int rc;

    if (op->virq >= NR_VIRQS || (virq_is_global(op->virq) && op->vcpu != 0))
        return -EINVAL;
    v = domain_vcpu(d, op->vcpu);
    if (!v)
        return -ENOENT;
    spin_guard(&d->evtchn->lock);
    if (v->virq_to_port[op->virq])
        return -EEXIST;
    rc = open_port(d, EVTCHNSTAT_virq, op->vcpu, op->virq, &op->port);
    if (rc == 0)
        WRITE_ONCE(v->virq_to_port[op->virq], op->port);
    return rc;
}

static int op_bind_ipi(struct evtchn_bind_ipi *op)
{
    struct domain *d = current_domain();

    if (!domain_vcpu(d, op->vcpu))
        return -ENOENT;
    spin_guard(&d->evtchn->lock);
    return open_port(d, EVTCHNSTAT_ipi, op->vcpu, 0, &op->port);
}

/* The interrupt may come as soon as it is bound: the port is open by then. */
static int op_bind_pirq(struct evtchn_bind_pirq *op)
{
    struct domain *d = current_domain();
    int rc;

    TRY(pirq_check(d, op->pirq));
    spin_guard(&d->evtchn->lock);
    TRY(open_port(d, EVTCHNSTAT_pirq, 0, op->pirq, &op->port));
    rc = pirq_bind(d, op->pirq, op->port);
    if (rc)
        close_open_port(d, evtchn_lookup(d->evtchn, op->port));
    return rc;
}

static void fill_status(const struct evtchn *chn, struct evtchn_status *op)
{
    op->vcpu = chn->vcpu;
    op->status = chn->state;
    if (chn->state == EVTCHNSTAT_unbound) {
        op->u.unbound.dom = chn->remote;
    } else if (chn->state == EVTCHNSTAT_interdomain) {
        op->u.interdomain.dom = chn->peer_dom->id;
        op->u.interdomain.port = chn->peer->port;
    } else if (chn->state == EVTCHNSTAT_pirq) {
        op->u.pirq = chn->pirq;
    } else if (chn->state == EVTCHNSTAT_virq) {
        op->u.virq = chn->virq;
    }
}

static int op_status(struct evtchn_status *op)
{
    struct domain *d __put_peer;
    struct evtchn *chn;

    TRY(domain_target(op->dom, &d));
    chn = evtchn_lookup(d->evtchn, op->port);
    if (!chn)
        return -EINVAL;
    spin_guard(&chn->lock);
    fill_status(chn, op);
    return 0;
}

static int op_bind_vcpu(const struct evtchn_bind_vcpu *op)
{
    struct domain *d = current_domain();
    uint32_t pirq = UINT32_MAX;
    struct evtchn *chn;

    if (!domain_vcpu(d, op->vcpu))
        return -ENOENT;
    chn = evtchn_lookup(d->evtchn, op->port);
    if (!chn)
        return -EINVAL;
    spin_lock(&chn->lock);
    if (chn->state == EVTCHNSTAT_unbound || chn->state == EVTCHNSTAT_interdomain ||
        chn->state == EVTCHNSTAT_pirq ||
        (chn->state == EVTCHNSTAT_virq && virq_is_global(chn->virq))) {
        WRITE_ONCE(chn->vcpu, op->vcpu);
        if (chn->state == EVTCHNSTAT_pirq)
            pirq = chn->pirq;
        spin_unlock(&chn->lock);
        if (pirq != UINT32_MAX)
            pirq_move(d, pirq, d->vcpu[op->vcpu]);
        return 0;
    }
    spin_unlock(&chn->lock);
    return -EINVAL;
}

int evtchn_unmask(struct domain *d, uint32_t port)
{
    struct evtchn *chn = evtchn_lookup(d->evtchn, port);

    if (!chn)
        return -EINVAL;
    spin_guard(&chn->lock);
    if (!evtchn_is_open(chn))
        return 0;
    if (evtchn_is_fifo(d->evtchn))
        evtchn_fifo_unmask(d, chn);
    else
        evtchn_2l_unmask(d, chn);
    return 0;
}

static int op_set_priority(const struct evtchn_set_priority *op)
{
    struct domain *d = current_domain();
    struct evtchn *chn = evtchn_lookup(d->evtchn, op->port);

    if (!chn)
        return -EINVAL;
    spin_guard(&chn->lock);
    if (!evtchn_is_fifo(d->evtchn))
        return -ENOSYS;
    if (!evtchn_is_open(chn))
        return -EACCES;
    if (op->priority > EVTCHN_FIFO_PRIORITY_MIN)
        return -EINVAL;
    WRITE_ONCE(chn->priority, op->priority);
    return 0;
}

static int op_reset(const struct evtchn_reset *op)
{
    struct domain *d __put_peer;

    TRY(domain_target(op->dom, &d));
    return d == current_domain() || READ_ONCE(d->pause_count) ? close_all(d) : -EINVAL;
}

#define OP(name, has_result, work)                                                                 \
    case EVTCHNOP_##name:                                                                          \
        return RUN_OP(arg, struct evtchn_##name, has_result, work)

static long event_channel_op(int cmd, guest_ptr_t arg)
{
    struct domain *d = current_domain();

    switch (cmd) {
        OP(bind_interdomain, true, op_bind_interdomain(&op));
        OP(bind_virq, true, op_bind_virq(&op));
        OP(bind_pirq, true, op_bind_pirq(&op));
        OP(close, false, evtchn_close(d, op.port));
        OP(status, true, op_status(&op));
        OP(alloc_unbound, true, op_alloc_unbound(&op));
        OP(bind_ipi, true, op_bind_ipi(&op));
        OP(bind_vcpu, false, op_bind_vcpu(&op));
        OP(unmask, false, evtchn_unmask(d, op.port));
        OP(reset, false, op_reset(&op));
        OP(init_control, true, evtchn_fifo_init_control(d, &op));
        OP(expand_array, false, evtchn_fifo_expand_array(d, gfn(op.array_gfn)));
        OP(set_priority, false, op_set_priority(&op));
    default:
        return -ENOSYS;
    }
}

long do_event_channel_op(int cmd, guest_ptr_t arg)
{
    long rc;

    if (likely(cmd == EVTCHNOP_send)) /* the one that must be fast */
        return RUN_OP(arg, struct evtchn_send, false, evtchn_send(current_domain(), op.port));
    rc = event_channel_op(cmd, arg);
    if (rc == -ERESTART)
        return hypercall_continue(__HYPERVISOR_event_channel_op, 2, (unsigned long)cmd, arg.va);
    return rc;
}

long do_event_channel_op_compat(guest_ptr_t uop)
{
    uint32_t cmd;

    if (copy_from_guest(&cmd, uop, sizeof(cmd)))
        return -EFAULT;
    if (cmd > EVTCHNOP_unmask)
        return -ENOSYS;
    return do_event_channel_op((int)cmd, guest_ptr(uop.va + offsetof(struct evtchn_op, u)));
}

/* ---- debugging ---- */

/* What a port is bound to is the number of a domain, virq or pirq. */
void evtchn_dump(struct domain *d)
{
    static const char *const name[] = {"closed", "unbound", "interdomain", "pirq", "virq", "ipi"};
    struct evtchn *chn;

    pr_info("d%u: %u event channels, %s", d->id, d->evtchn->active,
            evtchn_is_fifo(d->evtchn) ? "FIFO" : "2-level");
    for (uint32_t port = 0; (chn = evtchn_lookup(d->evtchn, port)); port++) {
        struct evtchn_status st = {0};

        spin_lock(&chn->lock);
        fill_status(chn, &st);
        spin_unlock(&chn->lock);
        if (st.status != EVTCHNSTAT_closed)
            pr_info("  %4u %s %u port %u, vcpu %u%s", port, name[st.status], st.u.virq,
                    st.u.interdomain.port, st.vcpu,
                    evtchn_port_pending(d, port) > 0 ? ", pending" : "");
    }
}

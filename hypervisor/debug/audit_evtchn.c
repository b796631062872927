/* SPDX-License-Identifier: MIT */
/* The auditor of event channels: do both ends of each, and vcpus and virqs, agree? */
#include <hv/evtchn_table.h>

static bool port_is_sound(struct domain *d, const struct evtchn *chn)
{
    struct vcpu *v;

    switch (chn->state) {
    case EVTCHNSTAT_interdomain:
        return chn->peer && chn->peer->state == EVTCHNSTAT_interdomain && chn->peer->peer == chn &&
               chn->peer->peer_dom == d;
    case EVTCHNSTAT_virq:
        v = chn->virq < NR_VIRQS ? domain_vcpu(d, virq_is_global(chn->virq) ? 0 : chn->vcpu) : NULL;
        return v && v->virq_to_port[chn->virq] == chn->port;
    default:
        return !chn->peer;
    }
}

unsigned int evtchn_audit(struct domain *d)
{
    struct evtchn_table *t = d->evtchn;
    unsigned int errors = 0, active = 0, bound = 0, virqs = 0;
    struct evtchn *chn;

    for (uint32_t port = 0; (chn = evtchn_lookup(t, port)); port++) {
        active += evtchn_is_open(chn);
        virqs += chn->state == EVTCHNSTAT_virq;
        if (!port_is_sound(d, chn) || chn->port != port || !domain_vcpu(d, chn->vcpu) ||
            (chn->state == EVTCHNSTAT_closed && port && port < t->hint)) {
            pr_err("audit: d%u port %u (state %u) is wrong", d->id, port, chn->state);
            errors++;
        }
    }
    for_each_vcpu (d, v) {
        for (unsigned int i = 0; i < NR_VIRQS; i++)
            bound += v->virq_to_port[i] != 0;
    }
    if (active != t->active || bound != virqs) {
        pr_err("audit: d%u has %u of %u ports, %u of %u virqs", d->id, active, t->active, virqs,
               bound);
        errors++;
    }
    return errors;
}

void evtchn_audit_refs(struct domain *d, void (*add)(void *ctx, mfn_t m, bool writable), void *ctx)
{
    const struct evtchn_fifo *f = d->evtchn->fifo;

    if (!evtchn_is_fifo(d->evtchn))
        return;
    for_each_vcpu (d, v) {
        const struct fifo_vcpu *fv = v->evtchn_fifo;

        if (fv && fv->control)
            add(ctx, virt_to_mfn(fv->control), true);
    }
    for (uint32_t i = 0; i < f->nr_words / WORDS_PER_PAGE; i++)
        add(ctx, virt_to_mfn(f->page[i]), true);
}

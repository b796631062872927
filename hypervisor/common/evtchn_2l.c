/* SPDX-License-Identifier: MIT */
/* The 2-level layout of event channels: one pending and one mask bit per port in shared_info, and
 * per vcpu a selector with a bit for each word that may hold something new.
 *
 * The guest clears a bit in the selector before it scans the word, and unmasks before it looks at
 * pending; we set pending before we look at the mask, and the selector before upcall_pending. So of
 * two racing sides at least one sees the other. All these words are the guest's to overwrite: each
 * is touched by single atomic operations, and what they hold is never believed for more than
 * whether to deliver. Ports of a former FIFO domain may lie beyond the bit maps (XSA-342): they are
 * not touched. */
#include <hv/evtchn_table.h>

static bool in_range(const struct evtchn *chn)
{
    return likely(chn->port < EVTCHN_2L_NR_CHANNELS);
}

static void select_word(struct domain *d, struct evtchn *chn)
{
    struct vcpu *v = d->vcpu[READ_ONCE(chn->vcpu)];

    if (!test_and_set_bit(chn->port / 64, &READ_ONCE(v->info)->evtchn_pending_sel))
        vcpu_mark_events_pending(v);
}

void evtchn_2l_set_pending(struct domain *d, struct evtchn *chn)
{
    struct shared_info *s = d->shared_info;

    if (!in_range(chn) || test_and_set_bit(chn->port, s->evtchn_pending))
        return;
    if (!test_bit(chn->port, s->evtchn_mask))
        select_word(d, chn);
    evtchn_wake_pollers(d, chn->port);
}

void evtchn_2l_clear_pending(struct domain *d, struct evtchn *chn)
{
    if (in_range(chn))
        clear_bit(chn->port, d->shared_info->evtchn_pending);
}

void evtchn_2l_unmask(struct domain *d, struct evtchn *chn)
{
    struct shared_info *s = d->shared_info;

    if (in_range(chn) && test_and_clear_bit(chn->port, s->evtchn_mask) &&
        test_bit(chn->port, s->evtchn_pending))
        select_word(d, chn);
}

bool evtchn_2l_is_pending(const struct domain *d, const struct evtchn *chn)
{
    return in_range(chn) && test_bit(chn->port, d->shared_info->evtchn_pending);
}

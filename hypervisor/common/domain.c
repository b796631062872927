/* SPDX-License-Identifier: MIT */
/* The life of domains: D1..D4 of <hv/domain.h>.
 *
 *   created -> published -> (shut down) -> dying -> dead -> freed
 *
 * The references to a domain are counted in the table of domains, not in the domain: so a lookup can
 * try to take one without a lock, however old the pointer that it sees. An id is free for another
 * domain when the last reference to the former one has gone and its memory has been freed.
 *
 * domain_kill() takes a domain down in steps that can all be repeated: it starts over after each
 * preemption. Nobody waits in it for a vcpu to stop running: two that do so on each other's pcpus would
 * wait for ever.
 * The last reference may go anywhere, with locks held; the memory is freed later by a tasklet, which
 * also waits until nobody maps what the domain shared with the hypervisor. */
#include <hv/evtchn.h>
#include <hv/gnttab.h>
#include <hv/heap.h>
#include <hv/irq.h>
#include <hv/softirq.h>
#include <hv/domain.h>
#include <xen/sched.h>

#define REAP_AGAIN MS(100)

struct domain *dom0;
struct domain *idle_domain;

/* ---- the table ---- */

_Static_assert((MAX_DOMAINS & (MAX_DOMAINS - 1)) == 0, "an index is bounded by a mask");
_Static_assert((MAX_VCPUS & (MAX_VCPUS - 1)) == 0, "an index is bounded by a mask");

static struct slot {
    struct domain *d; /* NULL: free; else changes only by free_domain() */
    int refs;         /* atomic; 0: nobody may refer to it any more */
    bool findable;
} slots[MAX_DOMAINS];

static struct slot *slot_of(domid_t id)
{
    return id < MAX_DOMAINS ? &slots[id & (MAX_DOMAINS - 1)] : NULL;
}

static bool slot_get(struct slot *s)
{
    int n = READ_ONCE(s->refs);

    do
        if (n <= 0)
            return false;
    while (!__atomic_compare_exchange_n(&s->refs, &n, n + 1, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_RELAXED));
    return true;
}

bool domain_get(struct domain *d)
{
    return slot_get(slot_of(d->id));
}

static void bury(struct domain *d);

void domain_put(struct domain *d)
{
    int left = __atomic_sub_fetch(&slot_of(d->id)->refs, 1, __ATOMIC_SEQ_CST);

    ASSERT(left >= 0);
    if (unlikely(left == 0))
        bury(d);
}

struct domain *domain_by_id(domid_t id)
{
    struct slot *s = slot_of(id);

    if (!s || !READ_ONCE(s->findable) || !slot_get(s))
        return NULL;
    if (likely(READ_ONCE(s->findable)))
        return s->d;
    domain_put(s->d);
    return NULL;
}

struct domain *domain_peer(domid_t id)
{
    struct domain *self = current_domain();

    return id == DOMID_SELF || id == self->id ? self : domain_by_id(id);
}

void domain_peer_put(struct domain *d)
{
    if (d && d != current_domain())
        domain_put(d);
}

int domain_target(domid_t id, struct domain **out)
{
    *out = domain_peer(id);
    if (!*out)
        return -ESRCH;
    if (*out == current_domain() || current_domain()->is_privileged)
        return 0;
    domain_put(*out);
    *out = NULL;
    return -EPERM;
}

struct domain *domain_next(struct domain *prev)
{
    unsigned int id = prev ? prev->id + 1u : 0;
    struct domain *d = NULL;

    if (prev)
        domain_put(prev);
    for (; id < MAX_DOMAINS && !d; id++)
        d = domain_by_id((domid_t)id);
    return d;
}

struct vcpu *domain_vcpu(struct domain *d, unsigned int id)
{
    return id < d->max_vcpus ? d->vcpu[id & (MAX_VCPUS - 1)] : NULL;
}

bool domain_id_is_free(domid_t id)
{
    return !READ_ONCE(slot_of(id)->d);
}

/* Domains are made one at a time: at boot, or under LOCK_DOMCTL. */
static int enter_in_table(struct domain *d)
{
    struct slot *s = slot_of(d->id);

    if (s->d)
        return -EEXIST;
    s->d = d;
    s->findable = false;
    __atomic_store_n(&s->refs, 1, __ATOMIC_RELEASE);
    return 0;
}

/* ---- making one ---- */

#define DOMAIN_ORDER order_for(sizeof(struct domain))

/* A frame names its owner by frame number, so a domain starts a page. */
static struct domain *alloc_domain(domid_t id)
{
    struct domain *d = page_alloc_virt(DOMAIN_ORDER, PA_ZERO);

    if (!d)
        return NULL;
    d->id = id;
    d->shutdown_code = ~0u;
    spin_lock_init(&d->lock, LOCK_DOMAIN);
    spin_lock_init(&d->page_lock, LOCK_PAGES);
    spin_lock_init(&d->watchdog_lock, LOCK_WATCHDOG);
    return d;
}

void domain_create_idle(void)
{
    idle_domain = alloc_domain(DOMID_IDLE);
    BUG_ON(!idle_domain);
    idle_domain->is_idle = true;
    hv_strlcpy(idle_domain->name, "idle", sizeof(idle_domain->name));
}

static int init_shared_info(struct domain *d)
{
    struct page *pg = page_alloc(0, PA_ZERO);

    if (!pg)
        return -ENOMEM;
    page_assign_shared(pg, d);
    d->shared_info = page_virt(pg);
    for (unsigned int i = 0; i < XEN_LEGACY_MAX_VCPUS; i++)
        d->shared_info->vcpu_info[i].evtchn_upcall_mask = 1;
    time_update_wallclock(d);
    return 0;
}

static void free_vcpu(struct vcpu *v)
{
    arch_vcpu_free(v);
    vcpu_stop_timers(v);
    if (v->id >= XEN_LEGACY_MAX_VCPUS)
        heap_free(v->own_info);
    heap_free(v);
}

static struct vcpu_info *private_info(void)
{
    struct vcpu_info *info = heap_new(struct vcpu_info);

    if (info)
        info->evtchn_upcall_mask = 1;
    return info;
}

static int create_vcpu(struct domain *d, unsigned int id)
{
    struct vcpu *v = heap_new(struct vcpu);

    if (!v)
        return -ENOMEM;
    v->id = id;
    v->domain = d;
    v->info_mfn = mfn(INVALID_MFN_N);
    v->pause_flags = 1UL << VPF_DOWN;
    v->pause_count = d->pause_count;
    v->own_info = id < XEN_LEGACY_MAX_VCPUS ? &d->shared_info->vcpu_info[id] : private_info();
    v->info = v->own_info;
    vcpu_init_timers(v);
    sched_vcpu_init(v);
    if (!v->own_info || arch_vcpu_init(v)) {
        free_vcpu(v);
        return -ENOMEM;
    }
    d->vcpu[id] = v;
    return 0;
}

static void kill_async(void *data);

static int init_domain(struct domain *d, const struct domain_params *p)
{
    int rc = init_shared_info(d);

    d->is_privileged = p->privileged;
    d->max_vcpus = p->max_vcpus;
    d->max_pages = p->max_pages;
    d->pause_count = 1;
    hv_strlcpy(d->name, p->name ? p->name : "", sizeof(d->name));
    sched_domain_init(d, p->weight, p->cap);
    domain_init_watchdogs(d);
    tasklet_init(&d->destroyer, kill_async, d);
    rc = rc ?: cpupool_join(d, p->cpupool);
    rc = rc ?: evtchn_domain_init(d, p->max_evtchn_port);
    rc = rc ?: gnttab_domain_init(d, p->max_grant_frames, p->max_maptrack_frames);
    rc = rc ?: arch_domain_init(d);
    for (unsigned int i = 0; !rc && i < d->max_vcpus; i++)
        rc = create_vcpu(d, i);
    return rc;
}

static void free_domain(struct domain *d);

struct domain *domain_create(const struct domain_params *p, int *err)
{
    struct domain *d;

    *err = -EINVAL;
    if (p->id >= MAX_DOMAINS || p->max_vcpus < 1 || p->max_vcpus > MAX_VCPUS)
        return NULL;
    *err = -ENOMEM;
    d = alloc_domain(p->id);
    if (!d)
        return NULL;
    *err = enter_in_table(d);
    if (*err) {
        page_free_virt(d, DOMAIN_ORDER);
        return NULL;
    }
    *err = init_domain(d, p);
    if (!*err)
        return d;
    slot_of(d->id)->refs = 0;
    free_domain(d);
    return NULL;
}

void domain_publish(struct domain *d)
{
    for_each_vcpu (d, v)
        if (v->is_initialised)
            clear_bit(VPF_DOWN, &v->pause_flags);
    __atomic_store_n(&slot_of(d->id)->findable, true, __ATOMIC_SEQ_CST);
}

/* ---- shutting down ---- */

static struct tasklet end_tasklet;
static uint32_t end_reason;

static void pause_all_domains(void)
{
    static bool done;

    if (done)
        return;
    done = true;
    for_each_domain (d)
        domain_pause_nosync(d);
}

/* Half-destroyed domains are to be finished by the pcpus that have begun. */
static bool destruction_under_way(void)
{
    for_each_domain (d)
        if (READ_ONCE(d->is_dying) == DOMDYING_DYING)
            return true;
    return false;
}

/* Nothing of any guest is to be live when the machine is taken down (and, in debug builds, audited): so
 * everybody stops, and the idle vcpu does it. */
static void end_machine(void *data __ignored)
{
    pause_all_domains();
    if (current_domain()->is_idle && !destruction_under_way())
        machine_shutdown(end_reason);
    softirq_raise(SOFTIRQ_SCHEDULE);
    tasklet_schedule(&end_tasklet);
}

/* True if it was not shutting down before. */
static bool begin_shutdown(struct domain *d, uint32_t reason)
{
    bool first;

    spin_guard(&d->lock);
    first = !d->is_shut_down;
    if (d->shutdown_code == ~0u)
        d->shutdown_code = reason;
    if (first)
        domain_pause_nosync(d);
    d->is_shut_down = true;
    return first;
}

void domain_shutdown(struct domain *d, uint32_t reason)
{
    if (!begin_shutdown(d, reason))
        return;
    reason = d->shutdown_code;
    if (d->is_privileged) {
        end_reason = reason;
        tasklet_init(&end_tasklet, end_machine, NULL);
        tasklet_schedule(&end_tasklet);
        return;
    }
    guest_printk(d, LOG_INFO, "shut down, reason %u", reason);
    evtchn_send_global_virq(dom0, VIRQ_DOM_EXC);
    if (reason == SHUTDOWN_suspend && READ_ONCE(d->suspend_port))
        (void)evtchn_send(d, d->suspend_port);
    if (d->on_shutdown == BOOT_DESTROY && reason != SHUTDOWN_suspend)
        domain_destroy_async(d);
}

void domain_resume(struct domain *d)
{
    bool was;

    spin_lock(&d->lock);
    was = d->is_shut_down && !d->is_dying;
    if (was) {
        d->is_shut_down = false;
        d->shutdown_code = ~0u;
    }
    spin_unlock(&d->lock);
    if (was)
        domain_unpause(d);
}

void domain_crash(struct domain *d, const char *why, ...)
{
    char text[160];
    va_list ap;

    if (READ_ONCE(d->is_shut_down))
        return;
    va_start(ap, why);
    hv_vsnprintf(text, sizeof(text), why, ap);
    va_end(ap);
    pr_err("d%u (%s) crashed: %s", d->id, d->name, text);
    if (d == current_domain())
        arch_dump_vcpu(current);
    else if (d->vcpu[0])
        arch_dump_vcpu(d->vcpu[0]);
    domain_shutdown(d, SHUTDOWN_crash);
}

/* ---- taking one down ---- */

static bool begin_dying(struct domain *d)
{
    spin_guard(&d->lock);
    if (d->is_dying != DOMDYING_ALIVE)
        return false;
    WRITE_ONCE(d->is_dying, DOMDYING_DYING);
    return true;
}

static bool runs_somewhere(const struct domain *d)
{
    for_each_vcpu (d, v)
        if (__atomic_load_n(&v->sched.on_cpu, __ATOMIC_ACQUIRE))
            return true;
    return false;
}

static void stop_timers(struct domain *d)
{
    for_each_vcpu (d, v)
        vcpu_stop_timers(v);
    for (unsigned int i = 0; i < ARRAY_SIZE(d->watchdog_timer); i++)
        timer_kill(&d->watchdog_timer[i]);
    sched_domain_destroy(d);
}

/* Ports and timers go before vcpu_info: they write to it. */
static int kill_steps(struct domain *d)
{
    if (begin_dying(d))
        domain_pause_nosync(d);
    if (runs_somewhere(d))
        return -ERESTART;
    spin_lock(&d->page_lock);
    page_unclaim(d, d->claimed_pages);
    spin_unlock(&d->page_lock);
    TRY(evtchn_domain_destroy(d));
    pirq_domain_destroy(d);
    TRY(gnttab_release_mappings(d));
    stop_timers(d);
    for_each_vcpu (d, v) {
        vcpu_unmap_info(v);
        sched_vcpu_destroy(v);
    }
    return arch_domain_relinquish(d);
}

int domain_kill(struct domain *d)
{
    bool was_dead;
    int rc;

    if (__atomic_exchange_n(&d->killing, 1, __ATOMIC_ACQUIRE))
        return -ERESTART;
    was_dead = d->is_dying == DOMDYING_DEAD;
    rc = was_dead ? 0 : kill_steps(d);
    if (rc == 0 && !was_dead) {
        WRITE_ONCE(d->is_dying, DOMDYING_DEAD);
        WRITE_ONCE(slot_of(d->id)->findable, false);
        evtchn_send_global_virq(dom0, VIRQ_DOM_EXC);
    }
    __atomic_store_n(&d->killing, 0, __ATOMIC_RELEASE);
    if (rc == 0 && !was_dead)
        domain_put(d); /* the creator's */
    return rc;
}

static void kill_async(void *data)
{
    struct domain *d = data;

    if (domain_kill(d) == -ERESTART)
        tasklet_schedule(&d->destroyer);
}

void domain_destroy_async(struct domain *d)
{
    tasklet_schedule(&d->destroyer);
}

/* ---- freeing ---- */

static void reap(void *data);
static void reap_again(void *data);
static struct tasklet reaper = {.fn = reap};
static struct timer reap_timer;
static struct domain *graves; /* domains without references; atomic */

static void lay(struct domain *d)
{
    d->next_dead = READ_ONCE(graves);
    while (!__atomic_compare_exchange_n(&graves, &d->next_dead, d, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_RELAXED))
        ;
}

static void bury(struct domain *d)
{
    lay(d);
    tasklet_schedule(&reaper);
}

static bool is_in_use(const struct domain *d)
{
    if (READ_ONCE(d->destroyer.running) || READ_ONCE(d->destroyer.scheduled))
        return true;
    if (d->shared_info &&
        (READ_ONCE(mfn_page(virt_to_mfn(d->shared_info))->count) & PGC_COUNT_MASK) > 1)
        return true;
    return sched_domain_is_leaving(d) || gnttab_is_mapped(d);
}

static void free_shared_info(struct domain *d)
{
    struct page *pg;

    if (!d->shared_info)
        return;
    pg = mfn_page(virt_to_mfn(d->shared_info));
    BUG_ON(page_unshare(pg));
    page_free(pg, 0);
}

static void free_domain(struct domain *d)
{
    struct slot *s = slot_of(d->id);

    evtchn_domain_free(d);
    gnttab_domain_free(d);
    stop_timers(d);
    for_each_vcpu (d, v)
        free_vcpu(v);
    heap_free(d->e820);
    arch_domain_free(d);
    free_shared_info(d);
    page_free_virt(d, DOMAIN_ORDER);
    __atomic_store_n(&s->d, NULL, __ATOMIC_RELEASE);
}

static void reap(void *data __ignored)
{
    struct domain *d = __atomic_exchange_n(&graves, NULL, __ATOMIC_SEQ_CST), *next;
    bool again = false;

    for (; d; d = next) {
        next = d->next_dead;
        if (is_in_use(d)) {
            lay(d);
            again = true;
        } else {
            free_domain(d);
        }
    }
    if (!again)
        return;
    if (!reap_timer.fn)
        timer_init(&reap_timer, reap_again, NULL, smp_processor_id());
    timer_set(&reap_timer, now() + REAP_AGAIN);
}

static void reap_again(void *data __ignored)
{
    tasklet_schedule(&reaper);
}

void domain_reap(void)
{
    for (struct domain *d = graves; d; d = d->next_dead)
        d->destroyer.scheduled = 0; /* on a pcpu that has stopped: it does not come any more */
    reap(NULL);
}

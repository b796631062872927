/* SPDX-License-Identifier: MIT */
/* Domains and vcpus.
 *
 * D1  struct domain lives as long as anybody refers to it: its creator until destruction has ended,
 *     each holder of domain_get(), and the set of its pages as a whole (one reference while any frame
 *     names it as owner).
 * D2  domain_by_id() finds a domain from when it is completely built until its destruction has ended.
 * D3  is_dying is set once, before anything is torn down; what would add resources to a dying domain
 *     re-checks it under the lock of the resource.
 * D4  d->vcpu[i], once not NULL, stays until the domain is freed. A domain that can be found has all
 *     of its max_vcpus.                                                                        */
#pragma once

#include <hv/config.h>
#include <hv/lock.h>
#include <hv/page.h>
#include <hv/sched.h>
#include <hv/softirq.h>
#include <hv/timer.h>
#include <xen/xen.h>
#include <xen/vcpu.h>
#include <asm/domain.h> /* struct arch_domain, struct arch_vcpu */

struct evtchn_table;
struct grant_table;

struct vcpu {
    struct arch_vcpu arch; /* first: the trap entry saves registers into it */

    unsigned int id;
    struct domain *domain;
    struct vcpu_info *info;     /* in the direct map: own_info, or in a registered frame */
    struct vcpu_info *own_info; /* inside shared_info; for ids >= 32: a private dummy */
    mfn_t info_mfn;             /* frame of a registered vcpu_info, INVALID_MFN_N none */

    unsigned long pause_flags; /* bits VPF_*; atomic */
    int pause_count;           /* atomic */
    uint32_t poll_port;        /* in SCHEDOP_poll for one port: that; 0: for any */
    struct sched_vcpu sched;

    bool is_initialised; /* has a context: set by VCPUOP_initialise or the builder */

    struct vcpu_runstate_info runstate; /* under the run-queue lock */
    guest_ptr_t runstate_guest;         /* registered area, guest linear address; va 0: none */
    guest_ptr_t time_guest;             /* registered secondary time area; va 0: none */

    struct timer singleshot_timer; /* set_timer_op, VCPUOP_set_singleshot_timer */
    struct timer periodic_timer;
    struct timer poll_timer;
    s_time_t periodic_period; /* ns, 0: none */
    s_time_t periodic_last;   /* when it ticked last */

    uint32_t virq_to_port[NR_VIRQS]; /* 0: not bound; under the domain's event lock */
    void *evtchn_fifo;               /* evtchn_fifo.c: control block state */
};

enum domain_dying { DOMDYING_ALIVE, DOMDYING_DYING, DOMDYING_DEAD };

struct domain {
    domid_t id;
    bool is_privileged; /* dom0: the control domain and owner of the hardware */
    bool is_idle;
    bool is_xenstore;       /* keeps the store for others: only shown to the tools */
    uint8_t is_dying;       /* enum domain_dying; under lock, read anywhere */
    bool is_shut_down;      /* under lock */
    uint32_t shutdown_code; /* SHUTDOWN_*, ~0 none */
    uint32_t suspend_port;  /* is sent on when it suspends; 0 none */
    int refcnt;             /* in unit tests, which have no table of domains */
    char name[32];
    uint8_t handle[16];

    spinlock_t lock; /* LOCK_DOMAIN */

    struct vcpu *vcpu[MAX_VCPUS]; /* D4 */
    unsigned int max_vcpus;
    struct sched_domain sched;
    int pause_count; /* pauses of the whole domain; under lock */
    int tool_pauses; /* those of them which a control tool may undo; under LOCK_DOMCTL */
    uint8_t killing; /* domain_kill() is at work; atomic */

    spinlock_t page_lock;   /* LOCK_PAGES: the next five */
    uint32_t page_list;     /* frame number of the first owned page, 0 none */
    uint64_t tot_pages;     /* frames with PGC_ALLOCATED or still referenced after release */
    uint64_t max_pages;     /* limit for tot_pages */
    uint64_t claimed_pages; /* set aside for it (page_claim()) */
    uint32_t uid;           /* never used again by another domain; page.c gives it out; 0 not yet */

    struct e820_entry *e820; /* XENMEM_set_memory_map; under page_lock */
    unsigned int nr_e820;

    struct shared_info *shared_info; /* a PGC_HV|PGC_SHARED frame in the direct map */

    struct evtchn_table *evtchn;
    struct grant_table *gnttab;

    unsigned long vm_assist; /* bits VMASST_TYPE_*; atomic */
    int64_t time_offset_seconds;
    struct timer watchdog_timer[2];
    uint8_t watchdog_inuse; /* under LOCK_WATCHDOG */
    spinlock_t watchdog_lock;
    unsigned long poll_mask[DIV_ROUND_UP(MAX_VCPUS, 64)]; /* vcpus in SCHEDOP_poll; atomic bits */

    unsigned int log_tokens; /* guest_printk()'s budget */
    s_time_t log_refill;
    spinlock_t console_lock; /* LOCK_DOMAIN rank: the line that console_io is collecting */
    unsigned int console_used;
    char console_line[160];

    uint8_t on_shutdown; /* boot-built domains: enum boot_action */
    struct tasklet destroyer;
    struct domain *next_dead; /* domain.c: the next one without references */

    struct arch_domain arch;
};

enum boot_action { BOOT_DESTROY, BOOT_PRESERVE };

extern struct domain *dom0;
extern struct domain *idle_domain;

/* ---- domain.c ---- */
struct domain_params {
    domid_t id;
    bool privileged;
    unsigned int max_vcpus; /* 1..MAX_VCPUS */
    uint64_t max_pages;
    unsigned int max_evtchn_port; /* highest port */
    unsigned int max_grant_frames, max_maptrack_frames;
    unsigned int weight, cap;
    unsigned int cpupool;
    const char *name;
};

/** domain_create - a domain without memory, its vcpus down; not yet findable (D2), paused once: domain_unpause()
 * starts it. NULL and *@err: -EINVAL, -EEXIST (the id is in use, or its last owner is not gone yet),
 * -ENOMEM, and what cpupool_join() says. */
struct domain *domain_create(const struct domain_params *p, int *err);
/** cpupool_join - @d shall run on the pcpus of that pool. -ESRCH: there is none; -ENODEV: it has none. */
int cpupool_join(struct domain *d, unsigned int id);
/** domain_id_is_free - for now; @id is below MAX_DOMAINS. */
bool domain_id_is_free(domid_t id);
/** domain_publish - from now on others can find it; its vcpus that have a context are up. */
void domain_publish(struct domain *d);

/** domain_kill - destroy; preemptible: -ERESTART until done, then 0. Never of the current domain. */
int domain_kill(struct domain *d);
/** domain_reap - free domains that nobody refers to now, not when the tasklet's turn comes: for the
 * auditor at the end, when all other pcpus have stopped, whatever they still had to do. */
void domain_reap(void);
/** domain_destroy_async - the same in the background, by a tasklet. */
void domain_destroy_async(struct domain *d);

/** domain_by_id - with a reference, or NULL. domain_put() afterwards. */
struct domain *domain_by_id(domid_t id);
/** domain_peer - the domain that the current one names, DOMID_SELF itself; or NULL. It has a reference
 * only if it is another one: the current domain does not end before its vcpu has left the hypervisor.
 * domain_peer_put() afterwards; it may be NULL. */
struct domain *domain_peer(domid_t id);
void domain_peer_put(struct domain *d);
/** domain_target - the same, if the current domain may operate on it: on itself, or on any if it is
 * privileged. 0, -ESRCH, -EPERM; *@out is NULL then. */
int domain_target(domid_t id, struct domain **out);
bool domain_get(struct domain *d);
void domain_put(struct domain *d);
/** domain_next - iterate over all domains in id order; NULL starts; drops @prev's reference. */
struct domain *domain_next(struct domain *prev);

/** __put_domain - of a local variable: the reference that it holds, if any, ends with its block. */
#define __put_domain __at_end(domain_put_at_end)
static inline void domain_put_at_end(struct domain **d)
{
    if (*d)
        domain_put(*d);
}

/** __put_peer - of what domain_peer() or domain_target() has found. */
#define __put_peer __at_end(domain_peer_put_at_end)
static inline void domain_peer_put_at_end(struct domain **d)
{
    domain_peer_put(*d);
}

/** for_each_domain - @d has a reference meanwhile; the loop may be left at any place. */
#define for_each_domain(d)                                                                         \
    for (struct domain *d __put_domain = domain_next(NULL); d; d = domain_next(d))

/** domain_vcpu - vcpu @id of @d or NULL; the index is bounded under speculation too. */
struct vcpu *domain_vcpu(struct domain *d, unsigned int id);
/** vcpu_from - the first vcpu of @d from *@at on, which moves there; NULL after the last. */
static inline struct vcpu *vcpu_from(const struct domain *d, struct vcpu *const **at)
{
    while (*at < d->vcpu + d->max_vcpus && !**at)
        ++*at;
    return *at < d->vcpu + d->max_vcpus ? **at : NULL;
}
/** for_each_vcpu - @v may be freed in the loop. */
#define for_each_vcpu(d, v)                                                                        \
    for (struct vcpu * v, *const *v##_at = (d)->vcpu; (v = vcpu_from(d, &v##_at)); v##_at++)

/** domain_shutdown - SCHEDOP_shutdown and kin: all vcpus stop, dom0 is told; dom0's own ends the machine. */
void domain_shutdown(struct domain *d, uint32_t reason);
/** domain_resume - undo a shutdown for suspend. */
void domain_resume(struct domain *d);

/** domain_crash - the guest cannot go on: dump its registers and stack with @why, shut it down with
 * SHUTDOWN_crash. Returns; the caller leaves by the normal path and the vcpu does not run again. */
void domain_crash(struct domain *d, const char *why, ...) __printf(2, 3);

void vcpu_unmap_info(struct vcpu *v);
void vcpu_init_timers(struct vcpu *v);
/** vcpu_resume_periodic_timer - it is about to run on this pcpu. */
void vcpu_resume_periodic_timer(struct vcpu *v);
/** vcpu_stop_timers - for good; waits until none of their functions runs. */
void vcpu_stop_timers(struct vcpu *v);
/** vcpu_init_poll, domain_init_watchdogs - their timers; sched_op.c. */
void vcpu_init_poll(struct vcpu *v);
void domain_init_watchdogs(struct domain *d);

/** domain_set_assists - all of vm_assist at once, while no vcpu runs; -EINVAL. */
int domain_set_assists(struct domain *d, uint64_t assists);
/** domain_create_idle - the idle domain, once at boot; its vcpus come with sched_init_cpu(). */
void domain_create_idle(void);

static inline struct domain *current_domain(void);

/* ---- what the architecture does for domains (arch/x86/domain.c) ---- */
int arch_domain_init(struct domain *d);
void arch_domain_free(struct domain *d);
int arch_vcpu_init(struct vcpu *v);
void arch_vcpu_free(struct vcpu *v);
/** arch_vcpu_set_context - VCPUOP_initialise and the domain builder: check every field of @ctxt as the
 * ABI demands and load it; -EINVAL, -EBUSY, -ERESTART. The vcpu is down. Uses @d->lock held by caller. */
int arch_vcpu_set_context(struct vcpu *v, const struct vcpu_guest_context *ctxt);
/** arch_vcpu_get_context - the inverse; @v does not run, @ctxt is zero. */
void arch_vcpu_get_context(const struct vcpu *v, struct vcpu_guest_context *ctxt);
/** arch_domain_relinquish - drop page-table roots, GDTs, LDTs, pins and then pages; -ERESTART. */
int arch_domain_relinquish(struct domain *d);
/** arch_dump_vcpu - registers and stack for domain_crash. */
void arch_dump_vcpu(struct vcpu *v);
/** arch_areas_open, arch_areas_close - between them, areas that the guest kernel has registered by linear
 * address can be written, though the vcpu, whose tables are loaded, may be in user mode. */
void arch_areas_open(struct vcpu *v);
void arch_areas_close(struct vcpu *v);
/** arch_vcpu_send_nmi - make the guest's NMI handler run on @v, if it has one. */
void arch_vcpu_send_nmi(struct vcpu *v);
/** arch_pcpu_physid - APIC id in bits 0-31, ACPI id in bits 32-63. */
uint64_t arch_pcpu_physid(unsigned int cpu);
/** machine_shutdown - end or restart the machine as SHUTDOWN_* says; from the idle vcpu. */
void machine_shutdown(uint32_t reason) __noreturn;
void machine_restart(void) __noreturn;

#include <hv/percpu.h>

static inline struct domain *current_domain(void)
{
    return current->domain;
}

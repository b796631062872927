/* SPDX-License-Identifier: MIT */
/* A machine for unit tests: frames with real memory behind them, pcpus, domains, guest memory, and
 * what the hypervisor would ask of its architecture. Everything here is a weak symbol, so that a
 * test (or the real module, when the test links it) can put its own in its place.
 *
 * Guest pointers are host pointers. A test starts with fake_init() and may then change the knobs.
 */
#ifndef FAKE_H
#define FAKE_H

#include <hv/domain.h>
#include <hv/memory.h>
#include <hv/page.h>
#include <hv/percpu.h>
#include <setjmp.h>

/** fake_init - a machine with @frames frames (0: 4096), all of RAM, none given to the allocator,
 * and
 * @cpus pcpus (0: 1); time 0; no domains but the idle one. Forgets everything from before. */
void fake_init(unsigned long frames, unsigned int cpus);
/** fake_init_alloc - the same, and the frames from 16 on go to the real page allocator. */
void fake_init_alloc(unsigned long frames, unsigned int cpus);

/** fake_domain - a domain of @vcpus vcpus in fake RAM, found by domain_by_id() from now on. Limits
 * are wide open; no event channels or grants: call the real module's init for these. */
struct domain *fake_domain(domid_t id, bool privileged, unsigned int vcpus);
/** fake_run - make @v the current vcpu of the calling thread's pcpu. */
void fake_run(struct vcpu *v);
/** fake_cpu - the calling thread is this pcpu from now on (each thread starts as pcpu 0). */
void fake_cpu(unsigned int cpu);

/* ---- RAM ---- */
/** m2p_get - what m2p_set() has set last. */
uint64_t m2p_get(mfn_t m);

/** fake_frame - frames straight from fake RAM, without an allocator, from the top down; zeroed. */
mfn_t fake_frame(unsigned int n);
extern uint64_t *fake_m2p;
/** fake_to_table, fake_from_table - make a domain's frame, which nobody uses, a page table, and an
 * ordinary one again. */
void fake_to_table(struct page *pg);
void fake_from_table(struct page *pg);

/* ---- guest memory ---- */
/* Copies to or from [fake_fault_start, fake_fault_end) fail with -EFAULT, as do null pages and the
 * hypervisor's part of the address space. fake_copies counts the successful ones. */
extern uintptr_t fake_fault_start, fake_fault_end;
extern unsigned long fake_copies;
/* If set, called before every copy: a guest that changes its memory at the worst moment. */
extern void (*fake_copy_hook)(uintptr_t va, size_t n, bool to_guest);

/* ---- preemption ---- */
/* hypercall_preempt_needed() says yes at the fake_preempt_every-th asking (0: never). */
extern unsigned int fake_preempt_every;
#define FAKE_CONTINUED (-8585L) /* what hypercall_continue() returns */
extern struct fake_continuation {
    unsigned int calls; /* how often it was called since fake_init() */
    unsigned int nr, nargs;
    unsigned long args[6];
} fake_continuation;

/* ---- panic ---- */
/* fake_panics(statement): true if the statement ended in panic(), BUG() or a failed ASSERT(). The
 * message is in fake_panic_text. A panic outside of it aborts the test program. */
extern __thread jmp_buf *fake_panic_jump;
extern char fake_panic_text[256];
#define fake_panics(statement)                                                                     \
    ({                                                                                             \
        jmp_buf fake_jump;                                                                         \
        volatile bool fake_did = true;                                                             \
        fake_panic_jump = &fake_jump;                                                              \
        if (!setjmp(fake_jump)) {                                                                  \
            statement;                                                                             \
            fake_did = false;                                                                      \
        }                                                                                          \
        fake_panic_jump = NULL;                                                                    \
        fake_did;                                                                                  \
    })

/* ---- what happened ---- */
extern s_time_t fake_now;                 /* what now() says; per-test */
extern uint32_t fake_tlb_clock;           /* what tlb_clock() says */
extern unsigned long fake_tlb_flushes;    /* calls of any tlb_flush_*() */
extern unsigned long fake_cache_flushed;  /* bytes, by cache_flush_range() */
extern unsigned long fake_kicks[NR_CPUS]; /* smp_kick() */
extern unsigned long fake_vcpu_kicks;     /* vcpu_kick(), vcpu_wake(), vcpu_unblock() */
extern struct vcpu *fake_last_kicked;
extern unsigned long fake_crashes; /* domain_crash() */
extern struct domain *fake_last_crashed;
extern char fake_log[4096]; /* last messages; also on stderr if FAKE_VERBOSE is set */
extern s_time_t fake_timer_deadline[NR_CPUS]; /* arch_timer_set() */

/* Grant mappings made through mmu_grant_map(): it takes one reference (and a WRITABLE one) for
 * each. */
#define FAKE_MAPPINGS 4096
extern struct fake_mapping {
    uint64_t addr;
    struct page *page;
    struct domain *d; /* whose address space */
    bool writable;
} fake_mappings[FAKE_MAPPINGS];
extern unsigned int fake_nr_mappings;
extern int fake_map_error; /* if not 0: the next mmu_grant_map() fails with it */

#endif

/** audit_all - the auditor's errors. */
static inline unsigned int audit_all(void)
{
    uint64_t frames;

    return audit_everything(&frames);
}

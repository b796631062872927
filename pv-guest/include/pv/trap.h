/* SPDX-License-Identifier: MIT */
/* Exceptions: who handles them, and how a test provokes one and survives.
 *
 * Order of handling for a trap from kernel mode: the hook of the vector, then an armed catch,
 * then a register dump and the end of the guest. A trap from user mode returns to user_run(),
 * see <pv/user.h>, unless the hook takes it. */
#ifndef PV_TRAP_H
#define PV_TRAP_H

#include <pv/types.h>

#define TRAP_DE       0
#define TRAP_DB       1
#define TRAP_NMI      2
#define TRAP_BP       3
#define TRAP_OF       4
#define TRAP_BR       5
#define TRAP_UD       6
#define TRAP_NM       7
#define TRAP_DF       8
#define TRAP_TS       10
#define TRAP_NP       11
#define TRAP_SS       12
#define TRAP_GP       13
#define TRAP_PF       14
#define TRAP_MF       16
#define TRAP_AC       17
#define TRAP_MC       18
#define TRAP_XM       19
#define TRAP_INT80    0x80
#define TRAP_SYSCALL  256 /* the entries below have no vector in the trap table */
#define TRAP_EVENT    257
#define TRAP_FAILSAFE 258
#define TRAP_SYSENTER 259
#define TRAP_NR       260

#define PFEC_P 0x01 /* error code of a page fault: the page was present */
#define PFEC_W 0x02 /* write */
#define PFEC_U 0x04 /* from user mode; not set for the guest kernel, ring 3 though it is */
#define PFEC_R 0x08 /* reserved bit */
#define PFEC_I 0x10 /* instruction fetch */

/** struct trap_regs - the interrupted context as entry.S saves it (order fixed there). */
struct trap_regs {
    uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
    uint64_t vector; /* TRAP_* */
    uint64_t error;  /* 0 where the vector has none */
    uint64_t rip;
    uint16_t cs; /* low two bits: 0 kernel, 3 user */
    uint16_t pad0;
    uint8_t saved_upcall_mask;
    uint8_t pad1[3];
    uint64_t rflags, rsp;
    uint16_t ss, pad2[3];
};

static inline bool trap_from_user(const struct trap_regs *r)
{
    return (r->cs & 3) == 3;
}

/** trap_handler_fn - returns true if the context in @r (perhaps changed) is to be resumed. */
typedef bool trap_handler_fn(struct trap_regs *r);

/** trap_set_handler - hook @fn to @vector (0..255 or TRAP_*) on all vcpus; NULL takes it away.
 * Returns the hook that was there. */
trap_handler_fn *trap_set_handler(unsigned vector, trap_handler_fn *fn);

/** trap_table - the table given to the hypervisor, 0-terminated, for those who change a row. */
struct trap_info *trap_table(void);

/** trap_name - "#PF page fault" and so on. */
const char *trap_name(unsigned vector);

/** trap_dump - print the registers of @r and the top of the stack. */
void trap_dump(const struct trap_regs *r);

/** trap_cr2 - fault address of the last page fault on this vcpu. */
uint64_t trap_cr2(void);

/* ---- faults that are expected ----
 *     struct fault f = FAULT_OF(*(volatile int *)p = 1);
 *     check(f.hit && f.vector == TRAP_PF && f.cr2 == (uint64_t)p);
 * The statements run with a catch armed; the first fault ends them. As with setjmp, a local
 * variable that they change must be volatile to have its new value afterwards. Catches nest,
 * each vcpu has its own. */
struct fault {
    bool hit; /* false: no fault, the other members are 0 */
    unsigned vector;
    uint64_t error;
    uint64_t cr2; /* for TRAP_PF */
    uint64_t rip;
};

struct fault_catch {
    uint64_t rbx, rbp, r12, r13, r14, r15, rsp, rip;
    struct fault_catch *outer;
    struct fault fault;
};

/** fault_arm - returns 0 after arming, 1 when a fault came; fault_disarm() takes it away. */
int fault_arm(struct fault_catch *c) __attribute__((returns_twice));
void fault_disarm(void);

#define FAULT_OF(...)                                                                              \
    __extension__({                                                                                \
        struct fault_catch catch_;                                                                 \
        catch_.fault = (struct fault){0};                                                          \
        if (fault_arm(&catch_) == 0) {                                                             \
            __VA_ARGS__;                                                                           \
            fault_disarm();                                                                        \
        }                                                                                          \
        catch_.fault;                                                                              \
    })

/* Probes: true if the access worked. */
bool probe_read(const void *va, uint8_t *value);
bool probe_write(void *va, uint8_t value);
/** probe_call - jump to @va as a function without arguments; *@f (if wanted) tells the fault. */
bool probe_call(void *va, struct fault *f);

/* Entry points of entry.S, to be put back after a test has registered its own. */
void entry_event(void);
void entry_failsafe(void);
void entry_syscall(void);
void entry_sysenter(void);

/** trap_init_vcpu - register trap table, callbacks and kernel stack for the calling vcpu. */
void trap_init_vcpu(void);

#endif

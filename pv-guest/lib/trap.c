/* SPDX-License-Identifier: MIT */
/* Traps: registration with the hypervisor, dispatch, expected faults, the last dump. */
#include <pv/trap.h>
#include <pv/cpu.h>
#include <pv/evtchn.h>
#include <pv/guest.h>
#include <pv/hypercall.h>
#include <pv/print.h>
#include <pv/smp.h>
#include <pv/string.h>
#include "internal.h"

_Static_assert(sizeof(struct trap_regs) == 22 * 8, "entry.S pushes 22 words");
_Static_assert(offsetof(struct trap_regs, vector) == 15 * 8, "entry.S: 15 general registers");
_Static_assert(offsetof(struct fault_catch, rip) == 56, "fault_arm() in entry.S");

extern void (*const entry_vectors[32])(void);
void entry_int80(void);

static trap_handler_fn *hooks[TRAP_NR];
static struct trap_info table[32 + 1 + 1];

struct trap_info *trap_table(void)
{
    return table;
}

trap_handler_fn *trap_set_handler(unsigned vector, trap_handler_fn *fn)
{
    return vector < TRAP_NR ? __atomic_exchange_n(&hooks[vector], fn, __ATOMIC_SEQ_CST) : NULL;
}

uint64_t trap_cr2(void)
{
    return this_vcpu()->info->arch.cr2;
}

const char *trap_name(unsigned vector)
{
    static const char *const names[] = {
        "#DE divide error",
        "#DB debug",
        "NMI",
        "#BP breakpoint",
        "#OF overflow",
        "#BR bound",
        "#UD invalid opcode",
        "#NM no FPU",
        "#DF double fault",
        "vector 9",
        "#TS invalid TSS",
        "#NP segment not present",
        "#SS stack",
        "#GP general protection",
        "#PF page fault",
        "vector 15",
        "#MF x87",
        "#AC alignment",
        "#MC machine check",
        "#XM SIMD",
    };

    switch (vector) {
    case 0 ... ARRAY_SIZE(names) - 1:
        return names[vector];
    case TRAP_INT80:
        return "int 0x80";
    case TRAP_SYSCALL:
        return "syscall";
    case TRAP_EVENT:
        return "event";
    case TRAP_FAILSAFE:
        return "failsafe";
    case TRAP_SYSENTER:
        return "sysenter";
    default:
        return "unnamed vector";
    }
}

/* ---- registration ---- */

static void fill_table(void)
{
    for (unsigned v = 0; v < 32; v++) {
        /* Handlers run with events masked; int3 and into may come from user mode. */
        table[v] = (struct trap_info){.vector = v,
                                      .flags = 4,
                                      .cs = FLAT_KERNEL_CS,
                                      .address = (unsigned long)entry_vectors[v]};
        if (v == TRAP_BP || v == TRAP_OF)
            table[v].flags |= 3;
    }
    table[32] = (struct trap_info){.vector = TRAP_INT80,
                                   .flags = 4 | 3,
                                   .cs = FLAT_KERNEL_CS,
                                   .address = (unsigned long)entry_int80};
}

static void must_register(unsigned type, void (*entry)(void))
{
    struct callback_register cb = {
        .type = type, .flags = CALLBACKF_mask_events, .address = (unsigned long)entry};
    long rc = hypercall_callback_op(CALLBACKOP_register, &cb);

    if (rc && type != CALLBACKTYPE_sysenter)
        panic("callback %u refused: %ld", type, rc);
}

void trap_init_vcpu(void)
{
    long rc;

    if (!table[0].address)
        fill_table();
    rc = hypercall_set_trap_table(table);
    if (rc)
        panic("trap table refused: %ld", rc);
    must_register(CALLBACKTYPE_event, entry_event);
    must_register(CALLBACKTYPE_failsafe, entry_failsafe);
    must_register(CALLBACKTYPE_syscall, entry_syscall);
    must_register(CALLBACKTYPE_sysenter, entry_sysenter);
    rc = hypercall_stack_switch(FLAT_KERNEL_SS, (unsigned long)this_vcpu() + VCPU_TRAP_STACK);
    if (rc)
        panic("kernel stack refused: %ld", rc);
}

/* ---- expected faults ---- */

int fault_arm_c(struct fault_catch *c);

/* Second half of fault_arm(), which has saved the registers. */
int fault_arm_c(struct fault_catch *c)
{
    struct vcpu_local *me = this_vcpu();

    c->outer = me->armed;
    c->fault = (struct fault){0};
    me->armed = c;
    return 0;
}

void fault_disarm(void)
{
    struct vcpu_local *me = this_vcpu();

    me->armed = me->armed->outer;
}

/* Make @r return from fault_arm() a second time. */
static bool catch_fault(struct trap_regs *r)
{
    struct fault_catch *c = this_vcpu()->armed;

    if (!c)
        return false;
    this_vcpu()->armed = c->outer;
    c->fault = (struct fault){.hit = true,
                              .vector = r->vector,
                              .error = r->error,
                              .cr2 = r->vector == TRAP_PF ? trap_cr2() : 0,
                              .rip = r->rip};
    r->rbx = c->rbx;
    r->rbp = c->rbp;
    r->r12 = c->r12;
    r->r13 = c->r13;
    r->r14 = c->r14;
    r->r15 = c->r15;
    r->rsp = c->rsp;
    r->rip = c->rip;
    r->rax = 1;
    r->rflags &= ~(uint64_t)(X86_EFLAGS_TF | X86_EFLAGS_AC | X86_EFLAGS_DF | X86_EFLAGS_NT);
    return true;
}

bool probe_read(const void *va, uint8_t *value)
{
    return !FAULT_OF(*value = *(const volatile uint8_t *)va).hit;
}

bool probe_write(void *va, uint8_t value)
{
    return !FAULT_OF(*(volatile uint8_t *)va = value).hit;
}

bool probe_call(void *va, struct fault *f)
{
    struct fault got = FAULT_OF(((void (*)(void))va)());

    if (f)
        *f = got;
    return !got.hit;
}

/* ---- dispatch ---- */

static void dump_stack(const struct trap_regs *r)
{
    const uint64_t *p = (const uint64_t *)r->rsp;

    /* Only the vcpu's own block is known to be mapped. */
    for (unsigned i = 0; i < 16; i++, p++) {
        if (((uint64_t)p ^ (uint64_t)this_vcpu()) >= VCPU_BLOCK || (uint64_t)p % 8)
            break;
        printk("%s%016lx%s", i % 4 ? " " : "  stack ", *p, i % 4 == 3 ? "\n" : "");
    }
    printk("\n");
}

void trap_dump(const struct trap_regs *r)
{
    printk("vcpu %u: %s, error code %#lx, cr2 %016lx\n", vcpu_id(), trap_name(r->vector), r->error,
           trap_cr2());
    printk("  rip %04x:%016lx rflags %lx mask %u\n  rsp %04x:%016lx\n", r->cs, r->rip, r->rflags,
           r->saved_upcall_mask, r->ss, r->rsp);
    printk("  rax %016lx rbx %016lx rcx %016lx rdx %016lx\n", r->rax, r->rbx, r->rcx, r->rdx);
    printk("  rsi %016lx rdi %016lx rbp %016lx r8  %016lx\n", r->rsi, r->rdi, r->rbp, r->r8);
    printk("  r9  %016lx r10 %016lx r11 %016lx r12 %016lx\n", r->r9, r->r10, r->r11, r->r12);
    printk("  r13 %016lx r14 %016lx r15 %016lx\n", r->r13, r->r14, r->r15);
    dump_stack(r);
}

static void handle(struct trap_regs *r)
{
    trap_handler_fn *hook = hooks[r->vector];

    if (hook && hook(r))
        return;
    if (trap_from_user(r) && this_vcpu()->user)
        user_exit(r);
    if (!trap_from_user(r) && catch_fault(r))
        return;
    trap_dump(r);
    panic("unexpected %s at %#lx", trap_name(r->vector), r->rip);
}

bool trap_dispatch(struct trap_regs *r);

/* Called by entry.S; true if a plain iretq may end the trap. */
bool trap_dispatch(struct trap_regs *r)
{
    if (r->vector == TRAP_EVENT && !hooks[TRAP_EVENT])
        evtchn_upcall();
    else
        handle(r);
    return !trap_from_user(r) && r->saved_upcall_mask == this_vcpu()->info->evtchn_upcall_mask;
}

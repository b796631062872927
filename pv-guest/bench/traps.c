/* SPDX-License-Identifier: MIT */
/* Bench rows: faults and system calls that the guest kernel answers itself. */
#include "bench.h"
#include <pv/hypercall.h>
#include <pv/mm.h>
#include <pv/string.h>
#include <pv/trap.h>
#include <pv/user.h>

void bench_fault_skip(void);
void bench_fault_map(void);
void bench_user_entry(void);
void bench_user_syscall(void);
extern const char bench_user_nothing[], bench_user_nothing_end[];
extern const char bench_user_do_syscall[], bench_user_do_syscall_end[];
extern const char bench_user_do_int80[], bench_user_do_int80_end[];

static uint64_t hole, mapping; /* an unmapped address, and the entry to map it with */
static void *page;

static void set_gate(unsigned vector, void (*entry)(void))
{
    struct trap_info t[2] = {{.vector = vector,
                              .flags = vector >= 32 ? 7 : 4,
                              .cs = FLAT_KERNEL_CS,
                              .address = (unsigned long)entry}};

    hypercall_set_trap_table(t);
}

static void set_syscall(void (*entry)(void))
{
    struct callback_register cb = {.type = CALLBACKTYPE_syscall,
                                   .flags = CALLBACKF_mask_events,
                                   .address = (unsigned long)entry};

    hypercall_callback_op(CALLBACKOP_register, &cb);
}

static bool prepare_fault(void (*entry)(void))
{
    hole = (uint64_t)vm_reserve(1);
    page = alloc_page();
    if (!hole || !page)
        return false;
    mapping = pte_make(virt_to_mfn(page), PROT_RW);
    set_gate(TRAP_PF, entry);
    return true;
}

static bool prepare_skip(void)
{
    return prepare_fault(bench_fault_skip);
}

static bool prepare_map(void)
{
    return prepare_fault(bench_fault_map);
}

static void release_fault(void)
{
    hypercall_set_trap_table(trap_table());
    free_page(page);
}

static uint64_t fault_skip(void)
{
    return TIMED(__asm__ volatile("lea 1f(%%rip), %%rdx; movl (%0), %%eax; 1:"
                                  :
                                  : "r"(hole)
                                  : "rax", "rdx", "rcx", "r11", "memory"));
}

static uint64_t fault_map(void)
{
    unsigned long va = hole, entry = mapping, flags = UVMF_NONE;
    uint64_t ticks = TIMED(__asm__ volatile("movl $0, (%0)"
                                            : "+D"(va), "+S"(entry), "+d"(flags)
                                            :
                                            : "rcx", "r8", "r10", "r11", "memory"));

    unmap_frame(hole);
    return ticks;
}

/* ---- user mode: a whole table of samples in one run ---- */

static struct user_space space;
static uint64_t *table;

static uint64_t run_user(void)
{
    struct trap_regs r = {
        .rip = USER_CODE, .rsp = USER_STACK_TOP, .r12 = BENCH_SAMPLES, .r13 = USER_DATA};

    user_run(&space, &r);
    return bench_median(table, BENCH_SAMPLES);
}

static uint64_t user_program(const char *start, const char *end)
{
    void *code = mfn_to_virt(pte_mfn(*pt_entry_in(space.root, USER_CODE, 1)));

    memcpy(code, start, end - start);
    return run_user();
}

static bool prepare_user(void)
{
    if (user_space_create(&space) ||
        user_map_code(&space, USER_CODE, bench_user_nothing, bench_user_nothing_end) ||
        user_map_page(&space, USER_DATA, PTE_RW, (void **)&table))
        return false;
    set_syscall(bench_user_syscall);
    set_gate(TRAP_INT80, bench_user_entry);
    return true;
}

static void release_user(void)
{
    set_syscall(entry_syscall);
    hypercall_set_trap_table(trap_table());
    user_space_destroy(&space);
}

/* Less the program around it, plus what bench.c will subtract for its own. */
static uint64_t net(const char *start, const char *end)
{
    uint64_t with = user_program(start, end);
    uint64_t without = user_program(bench_user_nothing, bench_user_nothing_end);

    return with - without + 1 + TIMED(barrier());
}

static uint64_t user_syscall(void)
{
    return net(bench_user_do_syscall, bench_user_do_syscall_end);
}

static uint64_t user_int80(void)
{
    return net(bench_user_do_int80, bench_user_do_int80_end);
}

const struct bench_row bench_traps[] = {
    {"page_fault", 1, prepare_skip, fault_skip, release_fault},
    {"page_fault_map", 1, prepare_map, fault_map, release_fault},
    {"user_syscall", 1, prepare_user, user_syscall, release_user},
    {"user_int80", 1, prepare_user, user_int80, release_user},
    {NULL, 0, NULL, NULL, NULL},
};

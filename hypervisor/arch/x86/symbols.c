/* SPDX-License-Identifier: MIT */
/* Names for addresses in stack traces, from the table that the build makes of the linked image
 * (hypervisor/symbols.awk); and the traces themselves. Code keeps no frame pointers: every word on
 * the stack that points into the text is shown, so some may be left over from earlier calls. */
#include <asm/system.h>
#include <hv/console.h>
#include <hv/lib.h>

#define MAX_SHOWN 24

extern const uint32_t symbol_count, symbol_offsets[];
extern const char symbol_names[];
extern const char image_start[], text_end[];

static void show(uintptr_t addr)
{
    uintptr_t at = addr - (uintptr_t)image_start;
    uint32_t low = 0, high = symbol_count;
    const char *name = symbol_names;

    if (addr < (uintptr_t)image_start || addr >= (uintptr_t)text_end)
        return;
    while (low < high) { /* the first that begins after it */
        uint32_t mid = (low + high) / 2;

        if (symbol_offsets[mid] <= at)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == 0)
        return;
    for (uint32_t i = 1; i < low; i++)
        name += strlen(name) + 1;
    pr_err("  [%#lx] %s+%#lx", addr, name, at - symbol_offsets[low - 1]);
}

/* Only words on the same stack are read: those up to the end of its page or, on the main stack, of
 * the block (asm/layout.h). */
void dump_stack(uintptr_t sp)
{
    uintptr_t base = ALIGN_DOWN(sp, STACK_SIZE);
    bool is_main = sp - base >= (STACK_GUARD_PAGE + 1) * PAGE_SIZE;
    uintptr_t end = is_main ? base + STACK_SIZE : ALIGN_UP(sp + 1, PAGE_SIZE);
    unsigned int shown = 0;

    pr_err("stack:");
    for (sp = ALIGN_UP(sp, sizeof(uintptr_t)); sp < end && shown < MAX_SHOWN; sp += sizeof(sp)) {
        uintptr_t word = *(const uintptr_t *)sp;

        if (word > (uintptr_t)image_start && word < (uintptr_t)text_end) {
            show(word);
            shown++;
        }
    }
}

void dump_regs(const struct cpu_regs *r)
{
    pr_err("rip %04lx:%016lx  rsp %04lx:%016lx  flags %08lx  trap %u, error %#x", r->cs & 0xffff,
           r->rip, r->ss & 0xffff, r->rsp, r->rflags, r->vector, r->error_code);
    pr_err("rax %016lx  rbx %016lx  rcx %016lx  rdx %016lx", r->rax, r->rbx, r->rcx, r->rdx);
    pr_err("rsi %016lx  rdi %016lx  rbp %016lx  r8  %016lx", r->rsi, r->rdi, r->rbp, r->r8);
    pr_err("r9  %016lx  r10 %016lx  r11 %016lx  r12 %016lx", r->r9, r->r10, r->r11, r->r12);
    pr_err("r13 %016lx  r14 %016lx  r15 %016lx", r->r13, r->r14, r->r15);
    if (!regs_guest_mode(r))
        show(r->rip);
}

void dump_last(const struct cpu_regs *r)
{
    console_force();
    dump_regs(r);
    if (!regs_guest_mode(r))
        dump_stack(r->rsp);
}

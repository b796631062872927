/* SPDX-License-Identifier: MIT */
/* The CPU's descriptor tables: one IDT for all, a GDT and a TSS for each pcpu, and the few
 * instructions that a SYSCALL or SYSENTER runs first.
 *
 * These stubs exist because both instructions come with the guest's stack pointer. They are made
 * for each pcpu, as the addresses of its TSS and scratch word are in them; all lie in sealed pages
 * of the image, which every pcpu maps in its own area, executable there only. */
#include <asm/boot.h>
#include <asm/switch.h>
#include <asm/system.h>
#include <asm/traps.h>

#define STUB_SIZE     128
#define STUBS_IN_PAGE (PAGE_SIZE / STUB_SIZE)
#define STUB_ENTRY    40 /* bytes for each of enum desc_stub */

#define DESC_CODE64_RING0 0x00af9b000000ffffUL
#define DESC_DATA_RING0   0x00cf93000000ffffUL
#define DESC_CODE32_RING3 0x00cffb000000ffffUL
#define DESC_DATA_RING3   0x00cff3000000ffffUL
#define DESC_CODE64_RING3 0x00affb000000ffffUL
#define DESC_DATA_BYTES   0x0000930000000000UL

#define GATE_INTERRUPT 0x8e
#define GATE_DPL3      0x60

struct gate {
    uint16_t offset_low, selector;
    uint8_t ist, type;
    uint16_t offset_mid;
    uint32_t offset_high, reserved;
};
_Static_assert(sizeof(struct gate) == 16, "SDM vol. 3, 6.14.1");

static struct gate idt[256] __section(".data.sealed") __aligned(16);
static uint8_t stubs[NR_CPUS * STUB_SIZE] __section(".data.sealed") __aligned(4096);

extern const char syscall_entry[], cstar_entry[], sysenter_entry[], entry_points[];

/* Stacks of their own for what may arrive at any instruction; numbers as in the stack block. */
static const uint8_t ist[256] = {[TRAP_MC] = 1, [TRAP_NMI] = 2, [TRAP_DB] = 3, [TRAP_DF] = 4};

void desc_init(void)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(idt); i++) {
        uintptr_t to = (uintptr_t)&entry_points[i * TRAP_ENTRY_SIZE];
        bool open = i == TRAP_BP || i == TRAP_OF || i == VECTOR_SYSCALL80;

        idt[i] = (struct gate){
            .offset_low = (uint16_t)to,
            .selector = SEL_HV_CS64,
            .ist = ist[i],
            .type = GATE_INTERRUPT | (open ? GATE_DPL3 : 0),
            .offset_mid = (uint16_t)(to >> 16),
            .offset_high = (uint32_t)(to >> 32),
        };
    }
}

/* ---- entry stubs ---- */

const char *desc_stub_page(unsigned int cpu)
{
    return (const char *)&stubs[cpu / STUBS_IN_PAGE * PAGE_SIZE];
}

uintptr_t desc_stub_entry(unsigned int cpu, enum desc_stub which)
{
    return percpu_area(cpu) + PERCPU_STUB + cpu % STUBS_IN_PAGE * STUB_SIZE + which * STUB_ENTRY;
}

struct emit {
    uint8_t *at;   /* where to write */
    uintptr_t rip; /* where it will run */
};

static void emit_bytes(struct emit *e, const void *bytes, size_t n)
{
    memcpy(e->at, bytes, n);
    e->at += n;
    e->rip += n;
}

/* An instruction that ends in a 32-bit displacement to @target. */
static void emit_relative(struct emit *e, const char *opcode, size_t n, uintptr_t target)
{
    int32_t disp;

    emit_bytes(e, opcode, n);
    disp = (int32_t)(target - (e->rip + sizeof(disp)));
    emit_bytes(e, &disp, sizeof(disp));
}

static void emit_push(struct emit *e, uint32_t value)
{
    emit_bytes(e, "\x68", 1);
    emit_bytes(e, &value, sizeof(value));
}

static void build_stub(unsigned int cpu, enum desc_stub which, const char *target)
{
    uintptr_t scratch = percpu_area(cpu) + PERCPU_STACK + STACK_SIZE - sizeof(uint64_t);
    uintptr_t rsp0 = percpu_area(cpu) + PERCPU_TSS + offsetof(struct tss, rsp0);
    bool has_rsp = which != STUB_SYSENTER; /* in %rsp is the guest's */
    struct emit e = {
        .at = &stubs[cpu * STUB_SIZE + which * STUB_ENTRY],
        .rip = desc_stub_entry(cpu, which),
    };

    if (has_rsp)
        emit_relative(&e, "\x48\x89\x25", 3, scratch); /* mov %rsp, scratch */
    emit_relative(&e, "\x48\x8b\x25", 3, rsp0);        /* mov rsp0, %rsp */
    emit_push(&e, SEL_RING3_DS32);
    if (has_rsp)
        emit_relative(&e, "\xff\x35", 2, scratch); /* push scratch */
    else
        emit_push(&e, 0);
    emit_relative(&e, "\xe9", 1, (uintptr_t)target);
}
_Static_assert(3 * STUB_ENTRY <= STUB_SIZE, "entry stubs");
_Static_assert(offsetof(struct stack_top, pad) == sizeof(struct stack_top) - sizeof(uint64_t),
               "the scratch word is the stack's last");

/* ---- GDT and TSS ---- */

void desc_set_system(uint64_t desc[2], uint64_t base, uint32_t limit, uint64_t type)
{
    desc[0] = (limit & 0xffff) | (base & 0xffffff) << 16 | type << 40 | (limit & 0xf0000UL) << 32 |
              (base >> 24 & 0xff) << 56;
    desc[1] = base >> 32;
}

#define SLOT(sel) (((sel)&0xfff) / 8)

void desc_build(unsigned int cpu)
{
    uintptr_t area = percpu_area(cpu), stack = area + PERCPU_STACK;
    struct pcpu *p = &pcpus[cpu];
    uint64_t *gdt = p->arch.gdt;

    gdt[SLOT(SEL_HV_CS64)] = DESC_CODE64_RING0;
    gdt[SLOT(SEL_HV_DS)] = DESC_DATA_RING0;
    gdt[SLOT(SEL_RING3_CS32)] = DESC_CODE32_RING3;
    gdt[SLOT(SEL_RING3_DS32)] = DESC_DATA_RING3;
    gdt[SLOT(SEL_RING3_CS64)] = DESC_CODE64_RING3;
    gdt[SLOT(SEL_PERCPU)] = DESC_DATA_BYTES | cpu;
    desc_set_system(&gdt[SLOT(SEL_TSS)], area + PERCPU_TSS, TSS_LIMIT, 0x89);

    for (unsigned int i = 1; i <= STACK_GUARD_PAGE; i++)
        p->arch.tss->ist[i - 1] = stack + i * PAGE_SIZE;
    p->arch.tss->rsp0 = stack + STACK_SIZE - sizeof(struct stack_top);
    ports_close(p);

    build_stub(cpu, STUB_SYSCALL, syscall_entry);
    build_stub(cpu, STUB_SYSCALL32, cstar_entry);
    build_stub(cpu, STUB_SYSENTER, sysenter_entry);
}

void desc_load(unsigned int cpu)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) gdtr = {15 * PAGE_SIZE - 1, percpu_area(cpu) + PERCPU_GDT},
                              idtr = {sizeof(idt) - 1, (uintptr_t)idt};

    asm volatile("lgdt %0\n\t"
                 "lidt %1\n\t"
                 "pushq %2\n\t"
                 "leaq 1f(%%rip), %%rax\n\t"
                 "pushq %%rax\n\t"
                 "lretq\n"
                 "1:\tmovl %3, %%eax\n\t"
                 "movl %%eax, %%ss\n\t"
                 "xorl %%eax, %%eax\n\t"
                 "movl %%eax, %%ds\n\t"
                 "movl %%eax, %%es\n\t"
                 "movl %%eax, %%fs\n\t"
                 "movl %%eax, %%gs\n\t"
                 "lldt %%ax\n\t"
                 "movl %4, %%eax\n\t"
                 "ltr %%ax"
                 :
                 : "m"(gdtr), "m"(idtr), "i"(SEL_HV_CS64), "i"(SEL_HV_DS), "i"(SEL_TSS)
                 : "rax", "memory");
}

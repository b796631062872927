/* SPDX-License-Identifier: MIT */
/* Local APICs: interrupts between pcpus, end of interrupt, the one-shot timer. The 8259: silent.
 * Intel SDM vol. 3, 11. */
#include <asm/boot.h>
#include <asm/cpu.h>
#include <asm/io.h>
#include <asm/irq.h>
#include <asm/processor.h>
#include <asm/system.h>
#include <hv/softirq.h>

#define APIC_ID        0x020
#define APIC_VERSION   0x030
#define APIC_TPR       0x080
#define APIC_EOI       0x0b0
#define APIC_SVR       0x0f0
#define APIC_ESR       0x280
#define APIC_ICR       0x300
#define APIC_ICR_HIGH  0x310
#define APIC_LVT_TIMER 0x320
#define APIC_LVT_THERM 0x330
#define APIC_LVT_PERF  0x340
#define APIC_LVT_LINT0 0x350
#define APIC_LVT_LINT1 0x360
#define APIC_LVT_ERROR 0x370
#define APIC_TIMER_SET 0x380
#define APIC_TIMER_NOW 0x390
#define APIC_TIMER_DIV 0x3e0

#define BASE_ENABLE    (1UL << 11)
#define BASE_X2APIC    (1UL << 10)
#define SVR_ENABLE     0x100
#define LVT_MASKED     0x10000
#define LVT_NMI        0x400
#define LVT_DEADLINE   0x40000
#define ICR_BUSY       0x1000
#define ICR_ASSERT     0x4000
#define ICR_LEVEL      0x8000
#define ICR_INIT       0x500
#define ICR_STARTUP    0x600
#define ICR_ALL_OTHERS 0xc0000
#define DIVIDE_BY_1    0xb

static volatile uint32_t *registers;
static bool x2apic;
static uint64_t timer_khz; /* 0: the timer takes TSC deadlines */

static uint32_t apic_read(unsigned int reg)
{
    return x2apic ? (uint32_t)rdmsr(MSR_X2APIC_BASE + reg / 16) : registers[reg / 4];
}

static void apic_write(unsigned int reg, uint32_t v)
{
    if (x2apic)
        wrmsr(MSR_X2APIC_BASE + reg / 16, v);
    else
        registers[reg / 4] = v;
}

void lapic_eoi(void)
{
    apic_write(APIC_EOI, 0);
}

static void send(uint32_t apic_id, uint32_t what)
{
    unsigned long flags = irqs_save(); /* a handler may send too: the two halves belong together */

    if (x2apic) {
        mb(); /* an MSR write does not wait for earlier stores */
        wrmsr(MSR_X2APIC_BASE + APIC_ICR / 16, (uint64_t)apic_id << 32 | what);
    } else {
        while (apic_read(APIC_ICR) & ICR_BUSY)
            cpu_relax();
        apic_write(APIC_ICR_HIGH, apic_id << 24);
        apic_write(APIC_ICR, what);
    }
    irqs_restore(flags);
}

void lapic_send_ipi(unsigned int cpu_nr, uint8_t vector)
{
    send(pcpus[cpu_nr].arch.apic_id, ICR_ASSERT | vector);
}

void apic_stop_others(void)
{
    if (registers || x2apic)
        send(0, ICR_ALL_OTHERS | ICR_ASSERT | VECTOR_STOP);
}

void apic_start_cpu(uint32_t apic_id, uint8_t page)
{
    send(apic_id, ICR_INIT | ICR_LEVEL | ICR_ASSERT);
    delay_us(200);
    if (!x2apic)
        send(apic_id, ICR_INIT | ICR_LEVEL);
    delay_us(10000);
    for (int i = 0; i < 2; i++) {
        send(apic_id, ICR_STARTUP | ICR_ASSERT | page);
        delay_us(300);
    }
}

void apic_init_this(void)
{
    uint64_t base = rdmsr(MSR_APIC_BASE) | BASE_ENABLE;
    uint32_t max_lvt;

    wrmsr(MSR_APIC_BASE, base);
    if (x2apic)
        wrmsr(MSR_APIC_BASE, base | BASE_X2APIC);
    max_lvt = apic_read(APIC_VERSION) >> 16 & 0xff;
    apic_write(APIC_TPR, 0);
    apic_write(APIC_LVT_TIMER, LVT_MASKED | VECTOR_TIMER);
    if (max_lvt >= 4)
        apic_write(APIC_LVT_PERF, LVT_MASKED);
    if (max_lvt >= 5)
        apic_write(APIC_LVT_THERM, LVT_MASKED);
    apic_write(APIC_LVT_LINT0, LVT_MASKED);
    apic_write(APIC_LVT_LINT1, LVT_NMI);
    apic_write(APIC_LVT_ERROR, VECTOR_ERROR);
    apic_write(APIC_SVR, SVR_ENABLE | VECTOR_SPURIOUS);
    apic_write(APIC_ESR, 0);
    apic_write(APIC_TIMER_DIV, DIVIDE_BY_1);
    pcpu_self()->arch.apic_id = x2apic ? apic_read(APIC_ID) : apic_read(APIC_ID) >> 24;
    pcpu_self()->arch.deadline = STIME_MAX;
}

/* ---- the timer ---- */

static void timer_interrupt(struct cpu_regs *regs __ignored)
{
    pcpu_self()->arch.deadline = STIME_MAX;
    softirq_raise(SOFTIRQ_TIMER);
}

void apic_timer_init_this(void)
{
    apic_write(APIC_LVT_TIMER, VECTOR_TIMER | (timer_khz ? 0 : LVT_DEADLINE));
    mb(); /* the mode must be there before the first write of the deadline MSR */
}

/* Count for 10 ms of system time. */
void apic_timer_init(void)
{
    irq_set_handler(VECTOR_TIMER, timer_interrupt);
    if (!cpu.tsc_deadline || !cpu.invariant_tsc) {
        s_time_t start, end;
        uint32_t left;

        apic_write(APIC_LVT_TIMER, LVT_MASKED | VECTOR_TIMER);
        apic_write(APIC_TIMER_SET, ~0u);
        start = now();
        do {
            end = now();
            left = apic_read(APIC_TIMER_NOW);
        } while (end - start < MS(10));
        apic_write(APIC_TIMER_SET, 0);
        timer_khz = muldiv64(~0u - left, 1000000, (uint64_t)(end - start));
        if (!timer_khz)
            panic("the local APIC's timer does not count");
    }
    apic_timer_init_this();
}

void arch_timer_set(s_time_t deadline)
{
    struct pcpu *p = pcpu_self();
    s_time_t delta;

    if (deadline == p->arch.deadline)
        return;
    p->arch.deadline = deadline;
    if (deadline == STIME_MAX) {
        if (timer_khz)
            apic_write(APIC_TIMER_SET, 0);
        else
            wrmsr(MSR_TSC_DEADLINE, 0);
        return;
    }
    delta = deadline - now();
    if (delta <= 0) {
        p->arch.deadline = STIME_MAX;
        softirq_raise(SOFTIRQ_TIMER);
    } else if (!timer_khz) {
        wrmsr(MSR_TSC_DEADLINE, rdtsc() + time_ns_to_tsc((uint64_t)delta));
    } else {
        /* Rounded up; what is too far away for the counter comes early and is armed again. */
        uint64_t count = delta < SECONDS(1) ? (uint64_t)delta * timer_khz / 1000000 + 1 : ~0u;

        apic_write(APIC_TIMER_SET, (uint32_t)min(count, 0xffffffffUL));
    }
}

/* ---- the two 8259, and the whole ---- */

/* Out of the way of the exceptions, and silent. */
static void mask_8259(void)
{
    static const uint8_t init[4][2] = {{0x11, 0x11}, {0x20, 0x28}, {0x04, 0x02}, {0x01, 0x01}};

    for (unsigned int i = 0; i < ARRAY_SIZE(init); i++) {
        outb(i ? 0x21 : 0x20, init[i][0]);
        outb(i ? 0xa1 : 0xa0, init[i][1]);
    }
    outb(0x21, 0xff);
    outb(0xa1, 0xff);
    port_reserve(0x20, 2);
    port_reserve(0xa0, 2);
    port_reserve(PIT_PORT, 2); /* counter 0: watchdog; counter 2 is dom0's (io.c) */
    port_reserve(PIT_CONTROL, 1);
}

static void error_interrupt(struct cpu_regs *regs __ignored)
{
    apic_write(APIC_ESR, 0);
    pr_warn("pcpu %u: local APIC error %#x", smp_processor_id(), apic_read(APIC_ESR));
}

void apic_init(void)
{
    uint64_t base = rdmsr(MSR_APIC_BASE);

    iomem_reserve(base & 0x000ffffffffff000UL, PAGE_SIZE, false);
    x2apic = cpu.x2apic;
    if (!x2apic)
        registers = map_device(base & 0x000ffffffffff000UL, PAGE_SIZE);
    mask_8259();
    irq_set_handler(VECTOR_ERROR, error_interrupt);
    apic_init_this();
    ioapic_init();
}

/* SPDX-License-Identifier: MIT */
/* The end: power off, reboot, halt, panic. Nothing here may depend on a healthy machine. */
#include <asm/boot.h>
#include <asm/processor.h>
#include <asm/system.h>
#include <asm/traps.h>
#include <hv/console.h>
#include <hv/memory.h>
#include <xen/sched.h>

#define PANIC_SECONDS 5

bool opt_noreboot;

static uint8_t s5_type_a, s5_type_b;
static bool have_s5, have_smi;
static volatile uint8_t *reset_memory;

void machine_init(void)
{
    have_s5 = acpi.have_fadt && acpi.fadt.pm1a_cnt.addr &&
              acpi.fadt.pm1a_cnt.space == ACPI_SPACE_IO &&
              acpi_pm1_sleep_type(&firmware_reader, &acpi, 5, &s5_type_a, &s5_type_b) == 0;
    have_smi = acpi.have_fadt && acpi.fadt.smi_cmd && acpi.fadt.acpi_enable;
    if (acpi.fadt.reset.addr && acpi.fadt.reset.space == ACPI_SPACE_MEMORY &&
        (acpi.fadt.flags & ACPI_FADT_RESET_REG_SUP))
        reset_memory = map_device(acpi.fadt.reset.addr, 1);
}

static __noreturn void halt(void)
{
    for (;;)
        asm volatile("cli; hlt");
}

/* ---- reset ---- */

static void reset_by_acpi(void)
{
    const struct acpi_reg *r = &acpi.fadt.reset;

    if (!acpi.have_fadt || !r->addr || !(acpi.fadt.flags & ACPI_FADT_RESET_REG_SUP))
        return;
    if (r->space == ACPI_SPACE_IO)
        outb((uint16_t)r->addr, acpi.fadt.reset_value);
    else if (reset_memory)
        *reset_memory = acpi.fadt.reset_value;
    delay_us(100000);
}

static void reset_by_keyboard(void)
{
    for (unsigned int i = 0; i < 10; i++) {
        for (unsigned int n = 0; n < 10000 && (inb(0x64) & 2); n++)
            cpu_relax();
        outb(0x64, 0xfe);
        delay_us(10000);
    }
}

static void reset_by_triple_fault(void)
{
    static const struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) none;

    asm volatile("lidt %0; int3" : : "m"(none));
}

void machine_restart(void)
{
    irq_disable();
    apic_stop_others();
    reset_by_acpi();
    reset_by_keyboard();
    reset_by_triple_fault();
    halt();
}

/* ---- power ---- */

#define PM1_SCI_EN     0x0001
#define PM1_SLP_EN     0x2000
#define PM1_SLP_TYP(t) ((uint16_t)((t) << 10))
#define PM1_SLP_MASK   0x1c00

void machine_set_power_off(uint16_t pm1a, uint16_t pm1b)
{
    s5_type_a = (pm1a & PM1_SLP_MASK) >> 10;
    s5_type_b = (pm1b & PM1_SLP_MASK) >> 10;
    have_s5 = acpi.have_fadt;
}

static void sleep(const struct acpi_reg *cnt, uint8_t type)
{
    uint16_t port = (uint16_t)cnt->addr;

    if (cnt->addr && cnt->space == ACPI_SPACE_IO)
        outw(port, (inw(port) & ~PM1_SLP_MASK) | PM1_SLP_TYP(type) | PM1_SLP_EN);
}

static void power_off(void)
{
    if (!have_s5) {
        pr_warn("the firmware does not say how to power off");
        return;
    }
    if (have_smi && !(inw((uint16_t)acpi.fadt.pm1a_cnt.addr) & PM1_SCI_EN)) {
        outb((uint16_t)acpi.fadt.smi_cmd, acpi.fadt.acpi_enable);
        delay_us(100000);
    }
    sleep(&acpi.fadt.pm1b_cnt, s5_type_b);
    sleep(&acpi.fadt.pm1a_cnt, s5_type_a);
    delay_us(1000000);
}

/* ---- the control domain has ended ---- */

void machine_shutdown(uint32_t reason)
{
    if (reason == SHUTDOWN_crash || reason == SHUTDOWN_watchdog) {
        for_each_vcpu (dom0, v)
            arch_dump_vcpu(v);
    }
    audit_at_shutdown();
    irq_disable();
    apic_stop_others();
    switch (reason) {
    case SHUTDOWN_poweroff:
        pr_info("dom0 powers off");
        power_off();
        break;
    case SHUTDOWN_reboot:
        pr_info("dom0 reboots");
        machine_restart();
    default:
        pr_err("dom0 ended with reason %u%s", reason, opt_noreboot ? "; halted" : "; rebooting");
        if (!opt_noreboot)
            machine_restart();
    }
    halt();
}

/* ---- we cannot go on ---- */

static __noreturn void die(void)
{
    if (opt_noreboot) {
        pr_err("halted (noreboot)");
        halt();
    }
    pr_err("rebooting in %u seconds", PANIC_SECONDS);
    for (unsigned int i = 0; i < PANIC_SECONDS * 1000; i++)
        delay_us(1000);
    machine_restart();
}

static void report(const char *prefix, const char *fmt, va_list ap)
{
    char text[200];

    irq_disable();
    traps_set_nmi_hook(NULL);
    console_force();
    vsnprintf(text, sizeof(text), fmt, ap);
    pr_err("%s%s", prefix, text);
}

void boot_fail(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    report("", fmt, ap);
    die();
}

void panic(const char *fmt, ...)
{
    static bool again;
    va_list ap;

    apic_stop_others();
    va_start(ap, fmt);
    report("panic: ", fmt, ap);
    if (!again) {
        again = true;
        pr_err("on pcpu %u", smp_processor_id());
        dump_stack((uintptr_t)__builtin_frame_address(0));
    }
    die();
}

/* SPDX-License-Identifier: MIT */
/* The machine's CPUs: starting them, waking them, stopping them. They are started one after the
 * other; each is told its stack, and by that who it is. */
#include <asm/boot.h>
#include <asm/cpu.h>
#include <asm/switch.h>
#include <asm/system.h>

struct pcpu pcpus[NR_CPUS];
cpumask_t cpu_online_map, cpu_present_map;

/* For boot.S. */
extern const char ap_trampoline[], ap_trampoline_end[];
struct stack_top *ap_stack;

static uint32_t booting = ~0u; /* the pcpu that has reported in */

void smp_kick(unsigned int cpu_nr)
{
    if (cpu_nr != smp_processor_id())
        lapic_send_ipi(cpu_nr, VECTOR_KICK);
}

static void kicked(struct cpu_regs *regs __ignored)
{
    /* the way out looks at the softirqs */
}

static void stopped(struct cpu_regs *regs __ignored)
{
    for (;;)
        asm volatile("cli; hlt");
}

void smp_init_boot_cpu(void)
{
    irq_set_handler(VECTOR_KICK, kicked);
    irq_set_handler(VECTOR_STOP, stopped);
    cpumask_set(&cpu_present_map, 0);
    cpumask_set(&cpu_online_map, 0);
}

/* The first C code of a further CPU, at the base of its own stack. */
void ap_start(void)
{
    struct pcpu *p = pcpu_self();

    cpu_init_this();
    apic_init_this();
    __atomic_store_n(&booting, p->id, __ATOMIC_RELEASE);
    time_init_this();
    apic_timer_init_this();
    cpumask_set(&cpu_online_map, p->id);
    idle_loop();
}

static bool wait_for(bool (*cond)(unsigned int), unsigned int cpu_nr)
{
    for (unsigned int i = 0; i < 20000; i++) { /* 2 s */
        if (cond(cpu_nr))
            return true;
        delay_us(100);
    }
    return false;
}

static bool has_reported(unsigned int cpu_nr)
{
    return __atomic_load_n(&booting, __ATOMIC_ACQUIRE) == cpu_nr;
}

static bool is_online(unsigned int cpu_nr)
{
    return cpumask_test(&cpu_online_map, cpu_nr);
}

static bool start(unsigned int cpu_nr, const struct acpi_cpu *info, uint8_t page)
{
    struct pcpu *p = &pcpus[cpu_nr];

    p->id = cpu_nr;
    p->arch.apic_id = info->apic_id;
    p->arch.acpi_id = info->uid;
    if (percpu_area_init(cpu_nr) || smp_prepare_cpu(cpu_nr)) {
        pr_err("pcpu %u: no memory", cpu_nr);
        return false;
    }
    ap_stack = (struct stack_top *)(percpu_area(cpu_nr) + PERCPU_STACK + STACK_SIZE) - 1;
    cpumask_set(&cpu_present_map, cpu_nr);
    apic_start_cpu(info->apic_id, page);
    if (!wait_for(has_reported, cpu_nr)) {
        pr_err("pcpu %u (APIC id %u) does not start", cpu_nr, info->apic_id);
        cpumask_clear(&cpu_present_map, cpu_nr);
        return false;
    }
    time_sync_cpu();
    if (!wait_for(is_online, cpu_nr))
        panic("pcpu %u stopped half way", cpu_nr);
    return true;
}

void smp_start_all(unsigned int limit)
{
    uint64_t low = bootmem_low_page();
    unsigned int nr = 1;

    limit = min(limit, (unsigned int)NR_CPUS);
    if (low)
        memcpy(paddr_to_virt(low), ap_trampoline, (size_t)(ap_trampoline_end - ap_trampoline));
    for (unsigned int i = 0; i < acpi.nr_cpus; i++) {
        if (acpi.cpu[i].apic_id == pcpus[0].arch.apic_id) {
            pcpus[0].arch.acpi_id = acpi.cpu[i].uid;
            continue;
        }
        if (nr < limit && low && start(nr, &acpi.cpu[i], (uint8_t)(low >> PAGE_SHIFT)))
            nr++;
    }
}

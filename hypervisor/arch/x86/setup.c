/* SPDX-License-Identifier: MIT */
/* Boot: from the first C code to the idle loop, one line a step. */
#include <asm/boot.h>
#include <asm/cpu.h>
#include <asm/cpu_policy.h>
#include <asm/io.h>
#include <asm/mmu.h>
#include <asm/serial.h>
#include <asm/switch.h>
#include <asm/system.h>
#include <hv/console.h>
#include <hv/hypercall.h>
#include <hv/memory.h>

#define VERSION "0.1"

extern const char image_start[], image_end[];

struct acpi_info acpi;
static struct boot_info boot;
struct e820_entry e820_map[BOOT_MAX_REGIONS];
unsigned int e820_nr;

/* ---- the command line ---- */

static char opt_console[32 + 1] = "com1,vga", opt_com1[40], opt_com2[40], opt_sched[16];
static char opt_log[32], opt_guest_log[32];
static unsigned int opt_maxcpus = NR_CPUS;
static bool opt_watchdog;

static const struct cmdline_option options[] = {
    {"console", CMDLINE_STRING, opt_console, 0, sizeof(opt_console) - 1},
    {"com1", CMDLINE_STRING, opt_com1, 0, sizeof(opt_com1)},
    {"com2", CMDLINE_STRING, opt_com2, 0, sizeof(opt_com2)},
    {"dom0_mem", CMDLINE_MEM, &opt_dom0_mem, 0, 0},
    {"dom0_max_vcpus", CMDLINE_UINT, &opt_dom0_max_vcpus, 1, MAX_VCPUS},
    {"maxcpus", CMDLINE_UINT, &opt_maxcpus, 1, NR_CPUS},
    {"sched", CMDLINE_STRING, opt_sched, 0, sizeof(opt_sched)},
    {"loglvl", CMDLINE_STRING, opt_log, 0, sizeof(opt_log)},
    {"guest_loglvl", CMDLINE_STRING, opt_guest_log, 0, sizeof(opt_guest_log)},
    {"noreboot", CMDLINE_BOOL, &opt_noreboot, 0, 0},
#ifdef SOCLE_DEBUG
    {"preempt", CMDLINE_UINT, &opt_preempt_every, 0, 0},
#endif
    {"watchdog", CMDLINE_BOOL, &opt_watchdog, 0, 0},
    {"smep", CMDLINE_BOOL, &opt_smep, 0, 0},
    {"smap", CMDLINE_UINT, &opt_smap, 0, 1},
};

/* none, error, warning, info, debug or all; what Xen has after a slash means nothing here. */
static void set_level(int *level, const char *name)
{
    static const char *const names[] = {"none", "error", "warning", "info", "debug", "all"};

    for (unsigned int i = 0; i < ARRAY_SIZE(names); i++)
        if (!strncmp(name, names[i], strlen(names[i])))
            *level = min((int)i - 1, LOG_DEBUG);
}

static void parse_command_line(void)
{
    const char *line = cmdline_skip_image(boot.cmdline, boot.loader);

    opt_dom0_max_vcpus = 0;
    hv_strlcpy(boot_cmdline, line, sizeof(boot_cmdline));
    cmdline_parse(line, options, ARRAY_SIZE(options), NULL, "command line");
    set_level(&opt_loglvl, opt_log);
    set_level(&opt_guest_loglvl, opt_guest_log);
}

/* ---- steps ---- */

/* Before there are tables of our own: the first ones map the first 4 GiB as the direct map. */
static const void *early_map(void *ctx __ignored, uint64_t paddr, size_t len)
{
    return paddr < 1UL << 32 && len <= (1UL << 32) - paddr ? paddr_to_virt(paddr) : NULL;
}

static void read_boot_info(uint32_t magic, uint32_t info)
{
    static const struct phys_reader reader = {.map = early_map};
    int rc = multiboot_parse(magic, info, &reader, &boot);

    if (rc == 0)
        parse_command_line();
}

static void start_console(void)
{
    if (opt_com1[0] && serial_configure("com1", opt_com1))
        pr_warn("com1=%s is not understood", opt_com1);
    if (opt_com2[0] && serial_configure("com2", opt_com2))
        pr_warn("com2=%s is not understood", opt_com2);
    for (char *c = opt_console, *name = c; *name; name = ++c) {
        while (*c && *c != ',')
            c++;
        *c = 0;
        if (!strcmp(name, "vga"))
            vga_console(&boot.display);
        else if (strcmp(name, "none"))
            (void)serial_console(name);
    }
}

static void check_boot_info(void)
{
    pr_info("Socle " VERSION
#ifdef SOCLE_DEBUG
            " (debug)"
#endif
    );
    if (boot.error)
        boot_fail("boot loader: %s", boot.error);
    if (boot.modules_lost || boot.regions_lost || boot.text_lost)
        pr_warn("boot loader: more information than there is room for; some of it is ignored");
    if (boot.map_is_guess)
        pr_warn("boot loader: no memory map");
}

static void read_acpi(void)
{
    uint64_t rsdp = boot.rsdp_len ? 0 : acpi_find_rsdp(&firmware_reader);

    if (acpi_parse(&firmware_reader, rsdp, boot.rsdp_len ? boot.rsdp : NULL, boot.rsdp_len, &acpi))
        pr_warn("ACPI: %s", acpi.error ? acpi.error : "not found");
}

static void show_machine(void)
{
    pr_info("CPU: %s family %u model %u stepping %u%s%s%s%s%s", cpu.vendor, cpu.family, cpu.model,
            cpu.stepping, cpu.smep ? " smep" : "", cpu.smap ? " smap" : "", cpu.umip ? " umip" : "",
            cpu.xsave ? " xsave" : "", cpu.x2apic ? " x2apic" : "");
    pr_info("memory: %lu MiB, %lu KiB for the hypervisor",
            DIV_ROUND_UP(total_pages, 1UL << (20 - PAGE_SHIFT)), hv_memory_used() >> 10);
}

/* As dom0 is to see it: what is behind the devices that it can not have, or configures PCI, is no
 * hole to put something into. */
static void save_memory_map(void)
{
    iomem_show_reserved(&boot);
    for (unsigned int i = 0; i < acpi.nr_mcfg; i++) {
        const struct acpi_mcfg *m = &acpi.mcfg[i];

        boot_region_add(&boot, m->base + ((uint64_t)m->start_bus << 20),
                        (m->end_bus - m->start_bus + 1UL) << 20, BOOT_RESERVED);
    }
    for (unsigned int i = 0; i < boot.nr_regions; i++)
        e820_map[i] =
            (struct e820_entry){boot.region[i].base, boot.region[i].len, boot.region[i].type};
    e820_nr = boot.nr_regions;
}

int smp_prepare_cpu(unsigned int cpu_nr)
{
    int rc = timer_init_cpu(cpu_nr);

    return rc ? rc : sched_init_cpu(cpu_nr);
}

static void start_scheduling(void)
{
    if (sched_init(opt_sched[0] ? opt_sched : NULL))
        pr_warn("sched=%s: there is no such scheduler", opt_sched);
    if (smp_prepare_cpu(0))
        panic("no memory");
}

static void start_cpus(void)
{
    unsigned int n;

    smp_start_all(opt_maxcpus);
    n = cpumask_weight(cpu_online_map);
    pr_info("CPUs: %u", n);
    if (!opt_dom0_max_vcpus)
        opt_dom0_max_vcpus = min(n, (unsigned int)MAX_VCPUS);
}

/* With accounts for the auditor of debug builds: all that domains take must be back in the end. */
static void build_domains(void)
{
    uint64_t before;

    m2p_share();
    audit_mark_free();
    domains_build_all(&boot);
    before = page_free_count();
    bootmem_release_modules();
    audit_expect_free(page_free_count() - before);
}

/* On the boot CPU's own stack now. */
static __noreturn void boot_rest(void)
{
    cpu_init_this();
    cpu_policy_init();
    show_machine();
    read_acpi();
    machine_init();
    platform_init(&boot);
    irq_init();
    pci_init();
    apic_init();
    tlb_init();
    smp_init_boot_cpu();
    time_init();
    apic_timer_init();
    console_init();
    start_scheduling();
    irq_enable();
    serial_start_input();
    start_cpus();
    save_memory_map();
    if (opt_watchdog)
        watchdog_init();
    paging_seal();
    build_domains();
    vga_release();
    idle_loop();
}

/** setup - from boot.S, on its stack, with its page tables. */
void setup(uint32_t magic, uint32_t info)
{
    uintptr_t stack = percpu_area(0) + PERCPU_STACK + STACK_SIZE - sizeof(struct stack_top);

    read_boot_info(magic, info);
    start_console();
    check_boot_info();
    cpu_detect();
    desc_init();
    bootmem_init(&boot, (uint64_t)(image_end - image_start));
    paging_init(&boot);
    vga_remap();
    if (percpu_area_init(0))
        panic("no memory");
    asm volatile("movq %0, %%rsp; call *%1" : : "r"(stack), "r"(boot_rest));
    __builtin_unreachable();
}

/* SPDX-License-Identifier: MIT */
/* Boot: what setup.c calls in turn. */
#pragma once

#include <asm/acpi_tables.h>
#include <asm/multiboot.h>
#include <hv/cmdline.h>

void domains_build_all(const struct boot_info *bi);

/* ---- bootmem.c: memory before there is an allocator ---- */

/** bootmem_init - all RAM of the map is free, but for the image and the modules. */
void bootmem_init(const struct boot_info *bi, uint64_t image_size);
/** bootmem_alloc - @size bytes, cleared, below @limit (0: anywhere in the direct map); machine
 * address. Panics when there is none. */
uint64_t bootmem_alloc(uint64_t size, uint64_t align, uint64_t limit);
/** bootmem_release - what is left goes to the page allocator; the frame table exists. */
void bootmem_release(void);
/** bootmem_release_modules - the modules' memory too: the domains have been built. */
void bootmem_release_modules(void);
/** bootmem_low_page - a page below 640 KiB for the start of further CPUs, or 0. */
uint64_t bootmem_low_page(void);
/** boot_mem - the map that bootmem_init() was given. */
extern const struct boot_info *boot_mem;

/* ---- paging.c ---- */

/** paging_init - our own page tables, frame table and machine-to-phys table; on the boot CPU. */
void paging_init(const struct boot_info *bi);
/** paging_seal - what was written during boot only is read-only from now on. */
void paging_seal(void);
/** hv_memory_used - bytes that the hypervisor itself has taken, image included. */
uint64_t hv_memory_used(void);

/* ---- desc.c ---- */
void desc_init(void);              /* the IDT */
void desc_build(unsigned int cpu); /* GDT, TSS and entry stubs of a pcpu whose area exists */
void desc_load(unsigned int cpu);  /* ... into the registers of this, the same, pcpu */
const char *desc_stub_page(unsigned int cpu); /* page of the image to be mapped at PERCPU_STUB */
/** desc_stub_entry - where this pcpu's stub begins; for the MSRs. */
enum desc_stub { STUB_SYSCALL, STUB_SYSCALL32, STUB_SYSENTER };
uintptr_t desc_stub_entry(unsigned int cpu, enum desc_stub which);

/* ---- machine.c ---- */
void machine_init(void); /* remember the ways to reset and to power off */
/** boot_fail - the machine or its configuration is not one to boot on: one line, then as `noreboot`
 * says. */
void boot_fail(const char *fmt, ...) __noreturn __printf(1, 2);
extern bool opt_noreboot;
/** machine_set_power_off - the PM1 control registers' values for S5, as dom0 has found them. */
void machine_set_power_off(uint16_t pm1a, uint16_t pm1b);

/** platform_init - what the firmware said that dom0 can no longer ask for. platform.c */
void platform_init(const struct boot_info *bi);

/* ---- apic.c, smp.c, time.c, irq.c ---- */
void irq_init(void);
void pci_init(void);       /* from now on its ports go by us */
void apic_init(void);      /* the boot CPU's, and the IO-APICs: all pins masked */
void apic_init_this(void); /* further CPUs */
void apic_start_cpu(uint32_t apic_id, uint8_t page); /* INIT, SIPI, SIPI */
void apic_stop_others(void);
void watchdog_init(void);   /* option `watchdog` */
void apic_timer_init(void); /* after the TSC is calibrated */
void apic_timer_init_this(void);
void tlb_init(void);
void smp_init_boot_cpu(void);
void smp_start_all(unsigned int limit);
void time_init(void);
void time_init_this(void); /* further CPUs; the boot CPU calls time_sync_cpu() meanwhile */
void time_sync_cpu(void);
uint64_t time_ns_to_tsc(uint64_t ns);
int smp_prepare_cpu(unsigned int cpu); /* setup.c: scheduler, timers and idle vcpu; -ENOMEM */
void delay_us(unsigned int us);        /* busy wait; before time_init() a guess */

extern struct acpi_info acpi; /* as read at boot */
extern const struct phys_reader firmware_reader;

extern struct cmdline_mem opt_dom0_mem;
extern unsigned int opt_dom0_max_vcpus; /* default: as many as pcpus, set by setup.c */

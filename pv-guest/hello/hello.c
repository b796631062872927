/* SPDX-License-Identifier: MIT */
/* The first guest to read: tells what it sees, then echoes lines from the console until `q`.
 * With `once` on its command line it stops after telling. */
#include <pv/console.h>
#include <pv/cpu.h>
#include <pv/evtchn.h>
#include <pv/guest.h>
#include <pv/hypercall.h>
#include <pv/mm.h>
#include <pv/print.h>
#include <pv/smp.h>
#include <pv/string.h>
#include <pv/time.h>

static void tell_version(void)
{
    long version = hypercall_xen_version(XENVER_version, NULL);
    xen_extraversion_t extra = "";

    hypercall_xen_version(XENVER_extraversion, extra);
    printk("hello from a paravirtual guest\n");
    printk("  hypervisor ABI  %ld.%ld%s (%s)\n", version >> 16, version & 0xffff, extra,
           start_info->magic);
    printk("  domain          %s%s\n", guest_is_initial() ? "control domain" : "ordinary domain",
           start_info->flags & SIF_PRIVILEGED ? ", privileged" : "");
}

static void tell_machine(void)
{
    struct cpuid id = cpuid_pv(0, 0);
    char vendor[13] = "";

    memcpy(vendor, &id.b, 4);
    memcpy(vendor + 4, &id.d, 4);
    memcpy(vendor + 8, &id.c, 4);
    printk("  memory          %lu MiB, %lu MiB unused\n", mm_nr_pages() >> 8,
           mm_unused_pages() >> 8);
    printk("  processors      %u, %s, %lu MHz\n", vcpu_count(), vendor, time_tsc_khz() / 1000);
    printk("  command line    \"%s\"\n", cmdline());
}

static void tell_time(void)
{
    uint64_t sec, up = time_now();
    uint32_t nsec;

    time_wallclock(&sec, &nsec);
    printk("  up              %lu.%03lu s\n", up / NS_PER_SEC, up / NS_PER_MS % 1000);
    printk("  time of day     %02lu:%02lu:%02lu UTC, day %lu since 1970\n", sec / 3600 % 24,
           sec / 60 % 60, sec % 60, sec / 86400);
}

static void echo_lines(void)
{
    char line[128];

    printk("Type something; q ends.\n");
    do {
        printk("> ");
        console_read_line(line, sizeof(line));
        printk("You typed %lu characters: %s\n", strlen(line), line);
    } while (strcmp(line, "q") != 0);
}

void guest_main(void)
{
    if (cmdline_has("tsc")) /* for who measures how long it took to get here */
        printk("tsc %lu\n", (unsigned long)__builtin_ia32_rdtsc());
    events_enable();
    tell_version();
    tell_machine();
    tell_time();
    if (!cmdline_has("once"))
        echo_lines();
    printk("bye\n");
}

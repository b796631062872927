/* SPDX-License-Identifier: MIT */
/* socle info: the machine and its hypervisor. */
#include "commands.h"
#include "domains.h"

#include <inttypes.h>
#include <stdarg.h>
#include <sys/utsname.h>

static void __attribute__((format(printf, 2, 3))) row(const char *key, const char *format, ...)
{
    va_list args;

    printf("%-23s: ", key);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}

static void print_machine(const struct xen_sysctl_physinfo *m)
{
    struct utsname os = {0};

    uname(&os);
    row("host", "%s", os.nodename);
    row("release", "%s", os.release);
    row("version", "%s", os.version);
    row("machine", "%s", os.machine);
    row("nr_cpus", "%u", m->nr_cpus);
    row("max_cpu_id", "%u", m->max_cpu_id);
    row("nr_nodes", "%u", m->nr_nodes);
    row("cores_per_socket", "%u", m->cores_per_socket);
    row("threads_per_core", "%u", m->threads_per_core);
    row("cpu_mhz", "%.3f", m->cpu_khz / 1000.0);
    row("hw_caps", "%08x:%08x:%08x:%08x:%08x:%08x:%08x:%08x", m->hw_cap[0], m->hw_cap[1],
        m->hw_cap[2], m->hw_cap[3], m->hw_cap[4], m->hw_cap[5], m->hw_cap[6], m->hw_cap[7]);
    row("virt_caps", "%s%s%s", m->capabilities & XEN_SYSCTL_PHYSCAP_pv ? "pv" : "",
        m->capabilities & XEN_SYSCTL_PHYSCAP_gnttab_v1 ? " gnttab-v1" : "",
        m->capabilities & XEN_SYSCTL_PHYSCAP_gnttab_v2 ? " gnttab-v2" : "");
    row("total_memory", "%" PRIu64, m->total_pages / 256);
    row("free_memory", "%" PRIu64, m->free_pages / 256);
}

static const char *scheduler_name(uint32_t id)
{
    static const char *const names[] = {
        [XEN_SCHEDULER_CREDIT] = "credit",     [XEN_SCHEDULER_CREDIT2] = "credit2",
        [XEN_SCHEDULER_ARINC653] = "arinc653", [XEN_SCHEDULER_RTDS] = "rtds",
        [XEN_SCHEDULER_NULL] = "null",
    };

    return id < sizeof(names) / sizeof(names[0]) && names[id] ? names[id] : "unknown";
}

static void text_row(const char *key, unsigned int what)
{
    char text[1024] = "";

    xc_version(what, text, sizeof(text) - 1);
    row(key, "%s", text);
}

static void print_hypervisor(void)
{
    struct xen_platform_parameters platform = {0};
    struct xen_compile_info built = {0};
    long version = xc_version(XENVER_version, NULL, 0);
    char extra[XEN_EXTRAVERSION_LEN + 1] = "";
    uint32_t scheduler = 0;

    xc_version(XENVER_extraversion, extra, XEN_EXTRAVERSION_LEN);
    xc_version(XENVER_platform_parameters, &platform, sizeof(platform));
    xc_version(XENVER_compile_info, &built, sizeof(built));
    xc_scheduler(&scheduler);
    row("xen_major", "%ld", version >> 16);
    row("xen_minor", "%ld", version & 0xffff);
    row("xen_extra", "%s", extra);
    row("xen_version", "%ld.%ld%s", version >> 16, version & 0xffff, extra);
    text_row("xen_caps", XENVER_capabilities);
    row("xen_scheduler", "%s", scheduler_name(scheduler));
    row("xen_pagesize", "%ld", xc_version(XENVER_pagesize, NULL, 0));
    row("platform_params", "virt_start=0x%lx", platform.virt_start);
    text_row("xen_changeset", XENVER_changeset);
    text_row("xen_commandline", XENVER_commandline);
    row("cc_compiler", "%.63s", built.compiler);
    row("cc_compile_by", "%.15s", built.compile_by);
    row("cc_compile_domain", "%.31s", built.compile_domain);
    row("cc_compile_date", "%.31s", built.compile_date);
}

int cmd_info(const struct command *self, int argc, char **argv)
{
    struct xen_sysctl_physinfo machine;
    int rc;

    (void)argv;
    if (argc > 1)
        return command_misuse(self);
    rc = hypervisor_open();
    if (rc)
        return rc;
    rc = xc_physinfo(&machine);
    if (rc)
        return fail("machine", rc);
    print_machine(&machine);
    print_hypervisor();
    return EXIT_OK;
}

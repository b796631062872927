/* SPDX-License-Identifier: MIT */
/* socle info: the machine and its hypervisor, as rows of a key and a value. */
#include "commands.h"
#include "domains.h"
#include "json.h"
#include "rows.h"
#include "scheduler.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <xen/memory.h>

static void virt_caps(struct rows *r, uint32_t capabilities)
{
    static const struct {
        uint32_t all; /* of these bits */
        const char *name;
    } caps[] = {
        {XEN_SYSCTL_PHYSCAP_pv, " pv"},
        {XEN_SYSCTL_PHYSCAP_hvm, " hvm"},
        {XEN_SYSCTL_PHYSCAP_hvm | XEN_SYSCTL_PHYSCAP_directio, " hvm_directio"},
        {XEN_SYSCTL_PHYSCAP_pv | XEN_SYSCTL_PHYSCAP_directio, " pv_directio"},
        {XEN_SYSCTL_PHYSCAP_hap, " hap"},
        {XEN_SYSCTL_PHYSCAP_shadow, " shadow"},
        {XEN_SYSCTL_PHYSCAP_iommu_hap_pt_share, " iommu_hap_pt_share"},
        {XEN_SYSCTL_PHYSCAP_vmtrace, " vmtrace"},
        {XEN_SYSCTL_PHYSCAP_vpmu, " vpmu"},
        {XEN_SYSCTL_PHYSCAP_gnttab_v1, " gnttab-v1"},
        {XEN_SYSCTL_PHYSCAP_gnttab_v2, " gnttab-v2"},
    };
    char text[128] = "";

    for (size_t i = 0; i < sizeof(caps) / sizeof(caps[0]); i++) {
        if ((capabilities & caps[i].all) == caps[i].all)
            strcat(text, caps[i].name);
    }
    row_text(r, "virt_caps", "%s", text[0] ? text + 1 : "");
}

static void machine_rows(struct rows *r, const struct xen_sysctl_physinfo *m)
{
    struct utsname os = {0};

    uname(&os);
    row_text(r, "host", "%s", os.nodename);
    row_text(r, "release", "%s", os.release);
    row_text(r, "version", "%s", os.version);
    row_text(r, "machine", "%s", os.machine);
    row_number(r, "nr_cpus", m->nr_cpus);
    row_number(r, "max_cpu_id", m->max_cpu_id);
    row_number(r, "nr_nodes", m->nr_nodes);
    row_number(r, "cores_per_socket", m->cores_per_socket);
    row_number(r, "threads_per_core", m->threads_per_core);
    row_real(r, "cpu_mhz", m->cpu_khz / 1000.0, 3);
    row_text(r, "hw_caps", "%08x:%08x:%08x:%08x:%08x:%08x:%08x:%08x", m->hw_cap[0], m->hw_cap[1],
             m->hw_cap[2], m->hw_cap[3], m->hw_cap[4], m->hw_cap[5], m->hw_cap[6], m->hw_cap[7]);
    virt_caps(r, m->capabilities);
}

/* In MiB, and pages that domains share with each other. */
static void memory_rows(struct rows *r, const struct xen_sysctl_physinfo *m)
{
    long freed = xc_memory_count(XENMEM_get_sharing_freed_pages);
    long used = xc_memory_count(XENMEM_get_sharing_shared_pages);

    row_number(r, "total_memory", m->total_pages / 256);
    row_number(r, "free_memory", m->free_pages / 256);
    row_number(r, "sharing_freed_memory", freed > 0 ? freed / 256 : 0);
    row_number(r, "sharing_used_memory", used > 0 ? used / 256 : 0);
    row_number(r, "outstanding_claims", m->outstanding_pages / 256);
}

static void cpu_rows(struct rows *r)
{
    unsigned int nr = 0;

    if (xc_free_cpus(&nr) == 0)
        row_number(r, "free_cpus", nr);
}

static void version_row(struct rows *r, const char *key, unsigned int what)
{
    char text[1024] = "";

    xc_version(what, text, sizeof(text) - 1);
    row_text(r, key, "%s", text);
}

static void hypervisor_rows(struct rows *r)
{
    struct xen_platform_parameters platform = {0};
    struct xen_compile_info built = {0};
    long version = xc_version(XENVER_version, NULL, 0);
    char extra[XEN_EXTRAVERSION_LEN + 1] = "", id[256];
    uint32_t scheduler = UINT32_MAX;

    xc_version(XENVER_extraversion, extra, XEN_EXTRAVERSION_LEN);
    xc_version(XENVER_platform_parameters, &platform, sizeof(platform));
    xc_version(XENVER_compile_info, &built, sizeof(built));
    xc_build_id(id, sizeof(id));
    xc_scheduler(&scheduler);
    row_number(r, "xen_major", version >> 16);
    row_number(r, "xen_minor", version & 0xffff);
    row_text(r, "xen_extra", "%s", extra);
    row_text(r, "xen_version", "%ld.%ld%s", version >> 16, version & 0xffff, extra);
    version_row(r, "xen_caps", XENVER_capabilities);
    row_text(r, "xen_scheduler", "%s", scheduler_name(scheduler));
    row_number(r, "xen_pagesize", xc_version(XENVER_pagesize, NULL, 0));
    row_text(r, "platform_params", "virt_start=0x%lx", platform.virt_start);
    version_row(r, "xen_changeset", XENVER_changeset);
    version_row(r, "xen_commandline", XENVER_commandline);
    row_text(r, "cc_compiler", "%.63s", built.compiler);
    row_text(r, "cc_compile_by", "%.15s", built.compile_by);
    row_text(r, "cc_compile_domain", "%.31s", built.compile_domain);
    row_text(r, "cc_compile_date", "%.31s", built.compile_date);
    row_text(r, "build_id", "%s", id);
    row_number(r, "xend_config_format", 4);
}

/* ---- with --numa: where CPUs and memory are ---- */

static int numa_tables(void)
{
    struct xen_sysctl_cputopo *topo;
    struct xen_sysctl_meminfo *mem;
    unsigned int nr;
    int rc = xc_cpu_topology(&topo, &nr);

    if (rc)
        return fail("topology", rc);
    printf("cpu_topology           :\ncpu:    core    socket     node\n");
    for (unsigned int i = 0; i < nr; i++) {
        if (topo[i].core != XEN_INVALID_CORE_ID)
            printf("%3u:    %4u     %4u     %4u\n", i, topo[i].core, topo[i].socket, topo[i].node);
    }
    free(topo);
    rc = xc_node_memory(&mem, &nr);
    if (rc)
        return fail("memory of nodes", rc);
    printf("numa_info              :\nnode:    memsize    memfree\n");
    for (unsigned int i = 0; i < nr; i++)
        printf("%4u:    %7" PRIu64 "    %7" PRIu64 "\n", i, mem[i].memsize >> 20,
               mem[i].memfree >> 20);
    free(mem);
    return EXIT_OK;
}

int cmd_info(const struct command *self, int argc, char **argv)
{
    bool json = false, numa = false;
    const struct command_option options[] = {{"json", 'j', &json}, {"numa", 'n', &numa}, {0}};
    int count = command_options(self, argc, argv, options, 0, 1);
    struct xen_sysctl_physinfo machine;
    struct rows r;
    int rc;

    if (count < 0)
        return EXIT_USAGE;
    rc = hypervisor_open();
    if (rc)
        return rc;
    rc = xc_physinfo(&machine);
    if (rc)
        return fail("machine", rc);
    rows_begin(&r, 23, json, count ? argv[1] : NULL);
    machine_rows(&r, &machine);
    memory_rows(&r, &machine);
    cpu_rows(&r);
    hypervisor_rows(&r);
    rc = rows_end(&r);
    if (rc == 0 && numa && !json && !count)
        rc = numa_tables();
    return rc;
}

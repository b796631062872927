/* SPDX-License-Identifier: MIT */
/* socle vcpu-list: a line for each vcpu, and where it may run. */
#include "commands.h"
#include "domains.h"

#include <stdlib.h>

static bool has(const struct xc_cpus *cpus, unsigned int cpu)
{
    return cpu < XC_MAX_CPUS && cpus->bits[cpu / 8] >> cpu % 8 & 1;
}

static void print_cpus(const struct xc_cpus *cpus, unsigned int nr)
{
    unsigned int count = 0;
    const char *comma = "";

    for (unsigned int cpu = 0; cpu < nr; cpu++)
        count += has(cpus, cpu);
    if (count == nr || count == 0) {
        printf("%s", count ? "all" : "none");
        return;
    }
    for (unsigned int cpu = 0; cpu < nr; cpu++) {
        unsigned int first = cpu;

        if (!has(cpus, cpu))
            continue;
        while (cpu + 1 < nr && has(cpus, cpu + 1))
            cpu++;
        printf("%s%u", comma, first);
        if (cpu > first)
            printf("-%u", cpu);
        comma = ",";
    }
}

static void print_vcpu(const char *name, domid_t id, unsigned int vcpu, unsigned int nr_cpus)
{
    struct xen_domctl_getvcpuinfo v;
    struct xc_cpus hard, soft;

    if (xc_vcpu_info(id, vcpu, &v) || xc_vcpu_affinity(id, vcpu, &hard, &soft))
        return; /* there is none, or no more */
    printf("%-32s %5u %5u", name, id, vcpu);
    if (v.online)
        printf("%5u %3c%c- ", v.cpu, v.running ? 'r' : '-', v.blocked ? 'b' : '-');
    else
        printf("%5c %3c%cp ", '-', '-', '-');
    printf("%9.1f  ", v.cpu_time / 1e9);
    print_cpus(&hard, nr_cpus);
    printf(" / ");
    print_cpus(&soft, nr_cpus);
    putchar('\n');
}

int cmd_vcpu_list(const struct command *self, int argc, char **argv)
{
    struct xen_domctl_getdomaininfo *d;
    struct xen_sysctl_physinfo machine;
    unsigned int nr, nr_cpus;
    int rc;

    if (argc > 2)
        return command_misuse(self);
    rc = domains_find(argv[1], &d, &nr);
    if (rc)
        return rc;
    rc = xc_physinfo(&machine);
    if (rc) {
        free(d);
        return fail("machine", rc);
    }
    nr_cpus = machine.max_cpu_id < XC_MAX_CPUS ? machine.max_cpu_id + 1 : XC_MAX_CPUS;
    printf("%-32s %5s %5s %5s %5s %9s %s\n", "Name", "ID", "VCPU", "CPU", "State", "Time(s)",
           "Affinity (Hard / Soft)");
    for (unsigned int i = 0; i < nr; i++) {
        char *name = domain_name(d[i].domain);

        for (unsigned int v = 0; v <= d[i].max_vcpu_id && v < 8192; v++)
            print_vcpu(name, d[i].domain, v, nr_cpus);
        free(name);
    }
    free(d);
    return EXIT_OK;
}

/* SPDX-License-Identifier: MIT */
/* socle trigger: what a button on a machine would do. */
#include "args.h"
#include "commands.h"
#include "domains.h"

#include <errno.h>
#include <string.h>

static const struct {
    const char *name;
    uint32_t number;
} triggers[] = {
    {"nmi", XEN_DOMCTL_SENDTRIGGER_NMI},     {"reset", XEN_DOMCTL_SENDTRIGGER_RESET},
    {"init", XEN_DOMCTL_SENDTRIGGER_INIT},   {"power", XEN_DOMCTL_SENDTRIGGER_POWER},
    {"sleep", XEN_DOMCTL_SENDTRIGGER_SLEEP},
};

int cmd_trigger(const struct command *self, int argc, char **argv)
{
    const struct command_option options[] = {{0}};
    int count = command_options(self, argc, argv, options, 2, 3);
    const size_t nr = sizeof(triggers) / sizeof(triggers[0]);
    struct xen_domctl_getdomaininfo d;
    uint64_t vcpu = 0;
    size_t i = 0;
    int rc;

    if (count < 0)
        return EXIT_USAGE;
    while (i < nr && strcmp(triggers[i].name, argv[2]) != 0)
        i++;
    if (i == nr)
        return wrong("expected nmi, reset, init, power or sleep, not %s", argv[2]);
    rc = domain_named(argv[1], &d);
    if (rc)
        return rc;
    if (count > 2 && !arg_number(argv[3], d.max_vcpu_id, &vcpu))
        return wrong("expected a vcpu from 0 to %u, not %s", d.max_vcpu_id, argv[3]);
    rc = xc_trigger(d.domain, triggers[i].number, vcpu);
    if (rc == -ENOSYS || rc == -EINVAL || rc == -EOPNOTSUPP)
        return refuse("%s: a paravirtual domain has no %s", argv[1], argv[2]);
    return rc ? fail(argv[1], rc) : EXIT_OK;
}

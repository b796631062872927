/* SPDX-License-Identifier: MIT */
/* socle shutdown, socle reboot, socle sysrq: ask guests to do something. */
#include "args.h"
#include "ask.h"
#include "commands.h"

#include <limits.h>
#include <stdlib.h>

#define CONTROL_DOMAIN "is shut down by its own commands, such as poweroff"

/* All guests that have not ended yet. */
static void keep_guests(struct xen_domctl_getdomaininfo *d, unsigned int *nr)
{
    unsigned int kept = 0;

    for (unsigned int i = 0; i < *nr; i++) {
        if (d[i].domain &&
            !(d[i].flags & (XEN_DOMINF_shutdown | XEN_DOMINF_dying | XEN_DOMINF_xs_domain)))
            d[kept++] = d[i];
    }
    *nr = kept;
}

static int check(const struct xen_domctl_getdomaininfo *d, const char *name)
{
    if (d->domain == 0)
        return refuse("%s: the control domain " CONTROL_DOMAIN, name);
    if (d->flags & (XEN_DOMINF_shutdown | XEN_DOMINF_dying))
        return refuse("%s: has ended already", name);
    return 0;
}

static int seconds_of(const char *text, unsigned int *seconds)
{
    uint64_t n;

    if (!arg_number(text, INT_MAX / 1000, &n))
        return refuse("--timeout: expected seconds, not %s", text);
    *seconds = n;
    return 0;
}

static int request(const struct command *self, int argc, char **argv, const char *value)
{
    const char *timeout = "10";
    bool all = false, wait = false;
    const struct command_option options[] = {
        {"all", 'a', &all}, {"wait", 'w', &wait}, {"timeout", 't', .value = &timeout}, {0}};
    int count = command_options(self, argc, argv, options, 0, INT_MAX);
    struct xen_domctl_getdomaininfo *d;
    unsigned int nr, seconds = 0;
    int rc = 0;

    if (count < 0)
        return EXIT_USAGE;
    if (all == (count > 0))
        return command_misuse(self);
    if (seconds_of(timeout, &seconds))
        return EXIT_USAGE;
    rc = domains_pick(argv + 1, count, &d, &nr);
    if (rc)
        return rc;
    if (all)
        keep_guests(d, &nr);
    for (unsigned int i = 0; i < nr && rc == 0 && !all; i++)
        rc = check(&d[i], argv[i + 1]);
    if (rc == 0)
        rc = ask_guests(d, nr, "shutdown", value, seconds, wait);
    free(d);
    return rc;
}

int cmd_shutdown(const struct command *self, int argc, char **argv)
{
    return request(self, argc, argv, "poweroff");
}

int cmd_reboot(const struct command *self, int argc, char **argv)
{
    return request(self, argc, argv, "reboot");
}

int cmd_sysrq(const struct command *self, int argc, char **argv)
{
    const char *timeout = "10";
    const struct command_option options[] = {{"timeout", 't', .value = &timeout}, {0}};
    int count = command_options(self, argc, argv, options, 2, 2);
    struct xen_domctl_getdomaininfo d;
    unsigned int seconds = 0;
    int rc;

    if (count < 0)
        return EXIT_USAGE;
    if (argv[2][0] <= ' ' || argv[2][0] >= 0x7f || argv[2][1])
        return wrong("expected one letter, not %s", argv[2]);
    if (seconds_of(timeout, &seconds))
        return EXIT_USAGE;
    rc = guest_named(argv[1], "has /proc/sysrq-trigger", &d);
    return rc ? rc : ask_guests(&d, 1, "sysrq", argv[2], seconds, false);
}

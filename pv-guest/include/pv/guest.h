/* SPDX-License-Identifier: MIT */
/* What every guest has: its start information, its command line, its end.
 *
 * A guest defines guest_main(). It is called on vcpu 0 with console, memory, traps and events
 * ready and events masked; returning from it powers the domain off. A guest that leaves it out
 * gets the one of the test framework (<pv/test.h>). */
#ifndef PV_GUEST_H
#define PV_GUEST_H

#include <pv/types.h>
#include <xen/xen.h>
#include <xen/sched.h>

/** What the domain builder handed over; valid from the first line of guest_main(). */
extern struct start_info *start_info;
/** The page shared with the hypervisor: event bits, time, wall clock. */
extern struct shared_info *shared_info;

void guest_main(void);

/** guest_is_initial - are we the control domain that the hypervisor booted? */
static inline bool guest_is_initial(void)
{
    return start_info->flags & SIF_INITDOMAIN;
}

/** guest_domid - our own number: grants and status calls tell it, nothing else does. */
domid_t guest_domid(void);

/** guest_shutdown - end this domain; @reason is SHUTDOWN_poweroff, _reboot, _crash ... On the
 * command line `shutdown=reboot` (or poweroff) replaces a poweroff. */
void guest_shutdown(unsigned reason) __noreturn;

/* ---- command line: words separated by blanks, `flag` or `key=value` ---- */

/** cmdline - the whole text. */
const char *cmdline(void);
/** cmdline_has - is the word @flag there? */
bool cmdline_has(const char *flag);
/** cmdline_get - value of @key into @buf; false (and @buf empty) if it is not there. */
bool cmdline_get(const char *key, char *buf, size_t size);
/** cmdline_u64 - number given for @key, or @otherwise. */
uint64_t cmdline_u64(const char *key, uint64_t otherwise);
/** cmdline_selects - does the list given for @key hold @word, or is no list given? Items are
 * parted by `+` or `,` (QEMU wants a comma in -initrd doubled, so `+` is handier). */
bool cmdline_selects(const char *key, const char *word);

#endif

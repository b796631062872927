/* SPDX-License-Identifier: MIT */
/* A hypervisor for tests of commands: domains that one may list, pause and destroy, and
 * a log. */
#ifndef FAKE_XCALL_H
#define FAKE_XCALL_H

#include <stdbool.h>
#include <xen/domctl.h>

#define FAKE_VCPUS 3 /* of each domain; the last one is off line, the second runs on CPU 1 */

extern bool fake_hypervisor; /* there is one */
extern struct xen_domctl_getdomaininfo *fake_domains_list;
extern unsigned int fake_nr_domains;
extern const char *fake_log;    /* cleared: "" */
extern char fake_keys[32];      /* debug keys pressed last */
extern unsigned int fake_again; /* times that destroydomain says -EAGAIN */
extern uint32_t fake_scheduler; /* and what it keeps of all domains alike: */
extern uint32_t fake_weight, fake_cap, fake_ratelimit;
extern uint8_t fake_pool_of[4]; /* of each CPU; FAKE_NO_POOL */
#define FAKE_NO_POOL 9
extern uint8_t fake_hard, fake_soft; /* affinities set last, of CPUs 0 to 7 */
extern bool fake_force;
extern unsigned int fake_end_after,
    fake_gone_after; /* lists in which the second domain lives, is */
extern uint32_t fake_end_reason;
extern uint32_t fake_trigger, fake_trigger_vcpu; /* sent last */

#endif

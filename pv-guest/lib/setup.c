/* SPDX-License-Identifier: MIT */
/* Start of day: from the start information to guest_main(), and the guest's end. */
#include <pv/guest.h>
#include <pv/console.h>
#include <pv/evtchn.h>
#include <pv/hypercall.h>
#include <pv/mm.h>
#include <pv/print.h>
#include <pv/smp.h>
#include <pv/string.h>
#include <pv/time.h>
#include <pv/trap.h>

struct start_info *start_info;
struct shared_info *shared_info;

char boot_vcpu_block[VCPU_BLOCK] __attribute__((aligned(VCPU_BLOCK), section(".bss.block")));

/* Its own frame is replaced by the shared-information frame. */
static char shared_info_page[PAGE_SIZE] __page_aligned;

static void map_shared_info(void)
{
    uint64_t pte = start_info->shared_info | PROT_RW;

    if (hypercall_update_va_mapping((unsigned long)shared_info_page, pte, UVMF_INVLPG))
        panic("cannot map the shared information page at %#lx", start_info->shared_info);
    shared_info = (struct shared_info *)shared_info_page;
}

void start_of_day(struct start_info *si);

void start_of_day(struct start_info *si)
{
    struct vcpu_local *me = this_vcpu();

    start_info = si;
    map_shared_info();
    me->id = 0;
    me->info = &shared_info->vcpu_info[0];
    events_disable();
    trap_init_vcpu();
    mm_init();
    evtchn_init();
    console_init();
    time_init_vcpu();
    guest_main();
    guest_shutdown(SHUTDOWN_poweroff);
}

/* A port that we offer to ourselves names the domain it is offered to. */
domid_t guest_domid(void)
{
    struct evtchn_status status;
    evtchn_port_t port;

    if (evtchn_alloc_unbound(DOMID_SELF, DOMID_SELF, &port))
        return DOMID_INVALID;
    if (evtchn_status(port, &status))
        status.u.unbound.dom = DOMID_INVALID;
    evtchn_close(port);
    return status.u.unbound.dom;
}

void guest_shutdown(unsigned reason)
{
    struct sched_shutdown op = {.reason = reason};
    char how[16];

    if (reason == SHUTDOWN_poweroff && cmdline_get("shutdown", how, sizeof(how)))
        op.reason = strcmp(how, "reboot") == 0 ? SHUTDOWN_reboot : SHUTDOWN_poweroff;
    for (;;)
        hypercall_sched_op(SCHEDOP_shutdown, &op);
}

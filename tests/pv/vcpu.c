/* SPDX-License-Identifier: MIT */
/* vcpu_op: bringing vcpus up and down, runstates, registered areas, NMI; good and refused. Timers have
 * a test of their own (timer.c). */
#include <pv/test.h>
#include <xen/vcpu.h>
#include <xen/nmi.h>
#include <xen/sched.h>

#define BAD_ADDRESS ((void *)HYPERVISOR_VIRT_START)

static long op(int cmd, unsigned vcpu, void *arg)
{
    return hypercall_vcpu_op(cmd, vcpu, arg);
}

static void check_runstate(const struct vcpu_runstate_info *r, uint64_t now)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < 4; i++)
        sum += r->time[i];
    check_le(r->state_entry_time, now);
    check_le(sum, now);
}

static bool is_stopped(unsigned vcpu)
{
    struct vcpu_runstate_info r;

    return op(VCPUOP_get_runstate_info, vcpu, &r) == 0 && r.state == RUNSTATE_offline;
}

/* Sleep until *@blocked has grown by @ns. More than one attempt: the machine below us may stand still just
 * before we block, and then the time is over. */
static bool sleep_until_seen(const volatile uint64_t *blocked, uint64_t ns)
{
    uint64_t before = *blocked;

    for (unsigned i = 0; i < 20 && *blocked < before + ns; i++)
        time_sleep(ns + NS_PER_MS);
    return *blocked >= before + ns;
}

TEST(no_such_vcpu)
{
    unsigned n = vcpu_count();

    for (int cmd = 0; cmd <= 13; cmd++) {
        check_eq(op(cmd, n, NULL), -ENOENT);
        check_eq(op(cmd, 8192, NULL), -ENOENT);
        check_eq(op(cmd, ~0u, NULL), -ENOENT);
    }
}

TEST(no_such_operation)
{
    check_eq(op(14, 0, NULL), -ENOSYS);
    check_eq(op(15, 0, NULL), -ENOSYS);
    check_eq(op(-1, 0, NULL), -ENOSYS);
    check_eq(op(-1, 1000, NULL), -ENOENT);
}

TEST(bad_pointers)
{
    static const int commands[] = {VCPUOP_get_runstate_info,
                                   VCPUOP_register_runstate_memory_area,
                                   VCPUOP_set_periodic_timer,
                                   VCPUOP_set_singleshot_timer,
                                   VCPUOP_register_vcpu_info,
                                   VCPUOP_register_vcpu_time_memory_area};
    void *unmapped = vm_reserve(1);

    for (unsigned i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        check_eq(op(commands[i], 0, unmapped), -EFAULT);
        check_eq(op(commands[i], 0, BAD_ADDRESS), -EFAULT);
        check_eq(op(commands[i], 0, (void *)~0ul), -EFAULT);
    }
}

TEST(we_are_up)
{
    check_eq(op(VCPUOP_is_up, 0, NULL), 1);
    check_eq(op(VCPUOP_up, 0, NULL), 0);
}

TEST(runstate)
{
    struct vcpu_runstate_info a = {0}, b = {0};

    check_eq(op(VCPUOP_get_runstate_info, 0, &a), 0);
    check_eq(a.state, RUNSTATE_running);
    check_runstate(&a, time_now());
    time_delay(5 * NS_PER_MS);
    check_eq(op(VCPUOP_get_runstate_info, 0, &b), 0);
    check_ge(b.time[RUNSTATE_running] + b.time[RUNSTATE_runnable],
             a.time[RUNSTATE_running] + a.time[RUNSTATE_runnable] + 5 * NS_PER_MS);
    check_eq(b.time[RUNSTATE_blocked], a.time[RUNSTATE_blocked]);
    for (unsigned i = 0; i < 20 && a.time[RUNSTATE_blocked] < b.time[RUNSTATE_blocked] + 4 * NS_PER_MS;
         i++) {
        time_sleep(5 * NS_PER_MS);
        check_eq(op(VCPUOP_get_runstate_info, 0, &a), 0);
    }
    check_ge(a.time[RUNSTATE_blocked], b.time[RUNSTATE_blocked] + 4 * NS_PER_MS);
    check_runstate(&a, time_now());
}

TEST(runstate_area)
{
    struct vcpu_runstate_info *area = alloc_page(), call;
    struct vcpu_register_runstate_memory_area reg = {.addr = {.v = area}};

    need(area);
    memset(area, 0xff, sizeof(*area));
    check_eq(op(VCPUOP_register_runstate_memory_area, 0, &reg), 0);
    check_eq(area->state, RUNSTATE_running); /* filled in at once */
    check_runstate(area, time_now());
    check_eq(op(VCPUOP_get_runstate_info, 0, &call), 0);
    check_eq(call.state_entry_time, area->state_entry_time);
    check(sleep_until_seen(&area->time[RUNSTATE_blocked], 4 * NS_PER_MS));
    check_eq(area->state, RUNSTATE_running);
    check_runstate(area, time_now());
    /* Taken away. */
    reg.addr.p = 0;
    check_eq(op(VCPUOP_register_runstate_memory_area, 0, &reg), 0);
    memset(area, 0, sizeof(*area));
    time_sleep(2 * NS_PER_MS);
    check_eq(area->state_entry_time, 0);
    free_page(area);
}

TEST(runstate_area_with_update_flag)
{
    struct vcpu_runstate_info *area = alloc_page();
    struct vcpu_register_runstate_memory_area reg = {.addr = {.v = area}};

    need(area);
    check_eq(hypercall_vm_assist(VMASST_CMD_enable, VMASST_TYPE_runstate_update_flag), 0);
    check_eq(op(VCPUOP_register_runstate_memory_area, 0, &reg), 0);
    for (unsigned i = 0; i < 5; i++) {
        time_sleep(NS_PER_MS);
        check_eq(area->state_entry_time & XEN_RUNSTATE_UPDATE, 0);
        check_runstate(area, time_now());
    }
    check_eq(hypercall_vm_assist(VMASST_CMD_disable, VMASST_TYPE_runstate_update_flag), 0);
    reg.addr.p = 0;
    check_eq(op(VCPUOP_register_runstate_memory_area, 0, &reg), 0);
    free_page(area);
}

/* An area that is not mapped (any more) disturbs nobody; one in the hypervisor's range is refused. */
TEST(runstate_area_in_bad_places)
{
    struct vcpu_register_runstate_memory_area reg;
    char *hole = vm_reserve(2), *page = alloc_page();

    need(page);
    reg.addr.p = HYPERVISOR_VIRT_START;
    check_eq(op(VCPUOP_register_runstate_memory_area, 0, &reg), -EFAULT);
    reg.addr.p = HYPERVISOR_VIRT_START - 8;
    check_eq(op(VCPUOP_register_runstate_memory_area, 0, &reg), -EFAULT);
    reg.addr.p = (uint64_t)hole;
    check_eq(op(VCPUOP_register_runstate_memory_area, 0, &reg), 0);
    time_sleep(2 * NS_PER_MS);
    /* Half mapped, half not. */
    need_eq(map_frame((uint64_t)hole, virt_to_mfn(page), PROT_RW), 0);
    reg.addr.p = (uint64_t)hole + 4096 - 16;
    check_eq(op(VCPUOP_register_runstate_memory_area, 0, &reg), 0);
    time_sleep(2 * NS_PER_MS);
    /* Read-only. */
    need_eq(map_frame((uint64_t)hole, virt_to_mfn(page), PROT_RO), 0);
    memset(page, 0, 4096);
    reg.addr.p = (uint64_t)hole;
    check_eq(op(VCPUOP_register_runstate_memory_area, 0, &reg), 0);
    time_sleep(2 * NS_PER_MS);
    for (unsigned i = 0; i < 64; i++)
        check_eq(page[i], 0);
    reg.addr.p = 0;
    check_eq(op(VCPUOP_register_runstate_memory_area, 0, &reg), 0);
    check_eq(unmap_frame((uint64_t)hole), 0);
    free_page(page);
}

TEST(time_area)
{
    struct vcpu_time_info *area = alloc_page(), *own = &this_vcpu()->info->time;
    struct vcpu_register_time_memory_area reg = {.addr = {.v = area}};

    need(area);
    check_eq(op(VCPUOP_register_vcpu_time_memory_area, 0, &reg), 0);
    time_sleep(NS_PER_MS);
    check_eq(area->tsc_to_system_mul, own->tsc_to_system_mul);
    check_eq(area->tsc_shift, own->tsc_shift);
    check_eq(area->version & 1, 0);
    check_ne(area->version, 0);
    check_ne(area->tsc_timestamp, 0);
    reg.addr.p = HYPERVISOR_VIRT_START + 4096;
    check_eq(op(VCPUOP_register_vcpu_time_memory_area, 0, &reg), -EFAULT);
    reg.addr.v = vm_reserve(1);
    check_eq(op(VCPUOP_register_vcpu_time_memory_area, 0, &reg), 0);
    time_sleep(NS_PER_MS);
    reg.addr.p = 0;
    check_eq(op(VCPUOP_register_vcpu_time_memory_area, 0, &reg), 0);
    free_page(area);
}

TEST(physid)
{
    struct vcpu_get_physid id = {~0ul};
    long rc = op(VCPUOP_get_physid, 0, &id);

    /* Refused unless the vcpu is pinned. */
    note("get_physid: %ld, id %#lx", rc, id.phys_id);
    check(rc == 0 || rc == -EINVAL);
}

/* ---- NMI ---- */

static volatile unsigned nmis;

static bool count_nmi(struct trap_regs *r)
{
    (void)r;
    nmis++;
    return true;
}

TEST(nmi_to_oneself)
{
    char c;

    check_eq(op(VCPUOP_send_nmi, 0, &c), -EINVAL);
    trap_set_handler(TRAP_NMI, count_nmi);
    nmis = 0;
    check_eq(op(VCPUOP_send_nmi, 0, NULL), 0);
    time_delay(NS_PER_MS);
    check_eq(nmis, 1);
    trap_set_handler(TRAP_NMI, NULL);
}

/* ---- the second vcpu ---- */

static struct vcpu_barrier meet = VCPU_BARRIER_INIT(2);
static volatile unsigned stage;

static void tell_stage(void *arg)
{
    stage = (unsigned)(unsigned long)arg;
}

TEST(initialise_refuses)
{
    struct vcpu_guest_context *c = kmalloc(sizeof(*c));
    void *unmapped = vm_reserve(2);

    need(c);
    if (vcpu_count() < 2)
        skip("one vcpu only");
    check_eq(op(VCPUOP_is_up, 1, NULL), 0);
    check_eq(op(VCPUOP_up, 1, NULL), -EINVAL); /* has no context */
    check_eq(op(VCPUOP_initialise, 1, unmapped), -EFAULT);
    check_eq(op(VCPUOP_initialise, 1, BAD_ADDRESS), -EFAULT);
    need_eq(vcpu_context(1, tell_stage, (void *)1, c), 0);
    c->user_regs.rip = c->event_callback_eip;

#define REFUSED(field, value)                                                                      \
    do {                                                                                           \
        __typeof__(c->field) was = c->field;                                                       \
        c->field = (value);                                                                        \
        check_lt(op(VCPUOP_initialise, 1, c), 0);                                                  \
        check_eq(op(VCPUOP_up, 1, NULL), -EINVAL);                                                 \
        c->field = was;                                                                            \
    } while (0)

    REFUSED(ctrlreg[3], 0);                               /* none; first, while it has none yet */
    REFUSED(ctrlreg[3], xen_pfn_to_cr3(virt_to_mfn(c)));  /* not a page table */
    REFUSED(ctrlreg[3], xen_pfn_to_cr3(0xffffffffful));   /* no such frame */
    REFUSED(ctrlreg[3], xen_pfn_to_cr3(1));               /* not ours */
    REFUSED(ctrlreg[1], xen_pfn_to_cr3(virt_to_mfn(c)));
    REFUSED(gdt_ents, FIRST_RESERVED_GDT_ENTRY + 1);
    REFUSED(ldt_ents, 8193);
    REFUSED(fs_base, 0x800000000000ul);                   /* XSA-193 */
    REFUSED(gs_base_kernel, 0x800000000000ul);
    REFUSED(gs_base_user, 0x8000000000000000ul);
    REFUSED(event_callback_eip, 0x800000000000ul);
    REFUSED(failsafe_callback_eip, 0x800000000000ul);
    REFUSED(syscall_callback_eip, 0x800000000000ul);
    REFUSED(trap_ctxt[14].address, 0x800000000000ul);
    c->gdt_ents = 1;
    REFUSED(gdt_frames[0], 1);
    c->gdt_ents = 0;
    check_eq(op(VCPUOP_is_up, 1, NULL), 0);
    kfree(c);
}

TEST(up_and_down)
{
    struct vcpu_guest_context *c = kmalloc(sizeof(*c));
    struct vcpu_runstate_info r;

    need(c);
    if (vcpu_count() < 2)
        skip("one vcpu only");
    check_eq(op(VCPUOP_get_runstate_info, 1, &r), 0);
    check_eq(r.state, RUNSTATE_offline);
    stage = 0;
    need_eq(vcpu_start(1, tell_stage, (void *)1), 0);
    vcpu_wait_down(1);
    check_eq(stage, 1);
    need_eq(vcpu_context(1, tell_stage, (void *)2, c), 0);
    check_eq(op(VCPUOP_initialise, 1, c), -EEXIST);
    check_eq(op(VCPUOP_is_up, 1, NULL), 0);
    check_eq(op(VCPUOP_down, 1, NULL), 0); /* it is down */
    check_eq(op(VCPUOP_up, 1, NULL), 0);
    vcpu_wait_down(1);
    check_eq(stage, 2);
    /* Down first, then off its processor. */
    check(eventually(is_stopped(1)));
    kfree(c);
}

static void count_for_ever(void *arg)
{
    (void)arg;
    stage = 1;
    while (stage != ~0u)
        WRITE_ONCE(stage, stage + 1);
}

/* Another vcpu can take it down in the middle of its work, and it goes on where it was. */
TEST(down_from_outside)
{
    unsigned at;

    if (vcpu_count() < 2)
        skip("one vcpu only");
    stage = 0;
    need_eq(vcpu_start(1, count_for_ever, NULL), 0);
    while (!stage)
        time_sleep(NS_PER_MS);
    check_eq(op(VCPUOP_is_up, 1, NULL), 1);
    check_eq(op(VCPUOP_down, 1, NULL), 0);
    check_eq(op(VCPUOP_is_up, 1, NULL), 0);
    check(eventually(is_stopped(1))); /* the call does not wait for it */
    at = stage;
    time_sleep(3 * NS_PER_MS);
    check_eq(stage, at);
    check_eq(op(VCPUOP_up, 1, NULL), 0);
    check(eventually(stage != at));
    /* A lost update of the plain counter is possible: say it until it is heard. */
    while (op(VCPUOP_is_up, 1, NULL) == 1)
        stage = ~0u;
}

static void pin_to_0(bool pin)
{
    struct sched_pin_override op_ = {.pcpu = pin ? 0 : -1};

    check_eq(hypercall_sched_op(SCHEDOP_pin_override, &op_), 0);
}

static void compete(void *arg)
{
    (void)arg;
    pin_to_0(true);
    stage = 1;
    while (stage == 1)
        cpu_relax();
    pin_to_0(false);
}

__asm__(".pushsection .user, \"ax\"\n"
        "spin_start: mov $60000000, %ecx; 1: dec %ecx; jnz 1b; syscall; ud2\n"
        "spin_end: .popsection\n");
extern const char spin_start[], spin_end[];

/* The area is the kernel's; it is up to date although the vcpu was interrupted in user mode, where it is
 * not mapped. Two vcpus share a processor for that. */
TEST(runstate_area_in_user_mode)
{
    struct vcpu_runstate_info *area = alloc_page(), before, r;
    struct vcpu_register_runstate_memory_area reg = {.addr = {.v = area}};
    struct trap_regs regs = {.rip = USER_CODE, .rsp = USER_STACK_TOP};
    struct user_space us;

    need(area);
    if (vcpu_count() < 2 || !guest_is_initial())
        skip("needs two vcpus in the control domain");
    need_eq(user_space_create(&us), 0);
    need_eq(user_map_code(&us, USER_CODE, spin_start, spin_end), 0);
    check_eq(op(VCPUOP_register_runstate_memory_area, 0, &reg), 0);
    pin_to_0(true);
    stage = 0;
    need_eq(vcpu_start(1, compete, NULL), 0);
    while (stage == 0)
        hypercall_sched_op(SCHEDOP_yield, NULL);
    check_eq(op(VCPUOP_get_runstate_info, 0, &before), 0);
    check_eq(user_run(&us, &regs), TRAP_SYSCALL);
    do { /* no switch between the two looks */
        check_eq(op(VCPUOP_get_runstate_info, 0, &r), 0);
    } while (r.state_entry_time < area->state_entry_time);
    check_eq(area->state_entry_time, r.state_entry_time);
    check_eq(area->time[RUNSTATE_runnable], r.time[RUNSTATE_runnable]);
    check_ge(r.time[RUNSTATE_runnable], before.time[RUNSTATE_runnable] + NS_PER_MS);
    stage = 2;
    vcpu_wait_down(1);
    pin_to_0(false);
    reg.addr.p = 0;
    check_eq(op(VCPUOP_register_runstate_memory_area, 0, &reg), 0);
    user_space_destroy(&us);
    free_page(area);
}

static void sit_and_wait(void *arg)
{
    vcpu_barrier_wait(&meet);
    evtchn_wait(arg);
}

static volatile unsigned wake_up;

static void set_flag(evtchn_port_t port, void *arg)
{
    (void)port;
    *(volatile unsigned *)arg = 1;
}

TEST(blocked_vcpu_is_seen_as_blocked)
{
    struct vcpu_runstate_info r;
    evtchn_port_t port;

    if (vcpu_count() < 2)
        skip("one vcpu only");
    need_eq(evtchn_bind_ipi(1, &port), 0);
    evtchn_set_handler(port, set_flag, (void *)&wake_up);
    need_eq(vcpu_start(1, sit_and_wait, (void *)&wake_up), 0);
    vcpu_barrier_wait(&meet);
    check(eventually(op(VCPUOP_get_runstate_info, 1, &r) != 0 || r.state == RUNSTATE_blocked));
    check_eq(op(VCPUOP_is_up, 1, NULL), 1);
    check_eq(evtchn_send(port), 0);
    vcpu_wait_down(1);
    check_eq(evtchn_close(port), 0);
}

TEST(nmi_to_another)
{
    if (vcpu_count() < 2)
        skip("one vcpu only");
    check_eq(op(VCPUOP_send_nmi, 1, NULL), 0);
}

TEST(singleshot_timer_is_for_oneself)
{
    struct vcpu_set_singleshot_timer t = {.timeout_abs_ns = 1};

    if (vcpu_count() < 2)
        skip("one vcpu only");
    check_eq(op(VCPUOP_set_singleshot_timer, 1, &t), -EINVAL);
    check_eq(op(VCPUOP_stop_singleshot_timer, 1, NULL), -EINVAL);
}

/* ---- vcpu_info; the last tests, for it can't be undone ---- */

static long register_info(unsigned vcpu, mfn_t mfn, unsigned offset)
{
    struct vcpu_register_vcpu_info reg = {.mfn = mfn, .offset = offset};

    return op(VCPUOP_register_vcpu_info, vcpu, &reg);
}

TEST(vcpu_info_refused)
{
    char *page = alloc_page();

    need(page);
    check_eq(register_info(0, virt_to_mfn(page), 4096 - 56), -ENXIO);
    check_eq(register_info(0, virt_to_mfn(page), 4096), -ENXIO);
    check_eq(register_info(0, virt_to_mfn(page), ~0u), -ENXIO);
    check_eq(register_info(0, virt_to_mfn(page), ~7u), -ENXIO);
    check_eq(register_info(0, virt_to_mfn(page), 4), -ENXIO);
    check_eq(register_info(0, virt_to_mfn(page), 65), -ENXIO);
    check_eq(register_info(0, ~0ul, 0), -EINVAL);
    check_eq(register_info(0, 1ul << 40, 0), -EINVAL);
    check_eq(register_info(0, 0, 0), -EINVAL);
    check_eq(register_info(0, pfn_to_mfn(pt_kernel_root()), 0), -EINVAL);
    free_page(page);
}

/* What was pending stays pending, and the page can not become a page table. */
TEST(vcpu_info_moves)
{
    char *page = alloc_page();
    struct vcpu_info *old = this_vcpu()->info, *new = (struct vcpu_info *)(page + 128);
    volatile unsigned seen = 0;
    evtchn_port_t port;

    need(page);
    need_eq(evtchn_bind_ipi(0, &port), 0);
    evtchn_set_handler(port, set_flag, (void *)&seen);
    check_eq(evtchn_send(port), 0);
    need_eq(register_info(0, virt_to_mfn(page), 128), 0);
    this_vcpu()->info = new;
    check_eq(new->evtchn_upcall_mask, 1);
    check_eq(new->evtchn_upcall_pending, 1);
    check_eq(new->evtchn_pending_sel, ~0ul);
    check_eq(new->time.tsc_to_system_mul, old->time.tsc_to_system_mul);
    check_eq(seen, 0);
    events_enable();
    check_eq(seen, 1);
    seen = 0;
    check_eq(evtchn_send(port), 0);
    check_eq(seen, 1);
    events_disable();
    time_sleep(2 * NS_PER_MS);
    check_eq(evtchn_close(port), 0);

    check_eq(register_info(0, virt_to_mfn(page), 128), -EINVAL); /* only once */
    check_eq(register_info(0, virt_to_mfn(page), 256), -EINVAL);
    need_eq(page_readonly(page), 0);
    check_lt(pt_pin(page, 1), 0);
    check_eq(page_writable(page), 0);
}

TEST(vcpu_info_of_another)
{
    char *page = alloc_page();

    need(page);
    if (vcpu_count() < 2)
        skip("one vcpu only");
    check_eq(op(VCPUOP_is_up, 1, NULL), 0);
    check_eq(register_info(1, virt_to_mfn(page), 64), 0); /* it is down */
    check_eq(((struct vcpu_info *)(page + 64))->evtchn_upcall_pending, 1);
    check_eq(register_info(1, virt_to_mfn(page), 64), -EINVAL);
}

/* SPDX-License-Identifier: MIT */
/* Can the control domain make, change and end domains by domctl, and does everything come back?
 * What is refused, and to whom? The children here are built from inside this guest (pv/control.h).
 */
// smp: 1,2
// cpu: max
// cmdline: dom0_mem=64M
#include <pv/test.h>
#include <pv/control.h>
#include <xen/memory.h>

#define NOBODY 77

static struct child kid;

#define need_child(vcpus)                                                                          \
    do {                                                                                           \
        if (!guest_is_initial())                                                                   \
            skip("not the control domain");                                                        \
        need_eq(child_create(&kid, (vcpus), CHILD_MAX_PAGES / 2), 0);                              \
    } while (0)

static void start(void)
{
    check_eq(domctl_plain(XEN_DOMCTL_unpausedomain, kid.id), 0);
}

static struct xen_domctl_getdomaininfo info_of(domid_t dom)
{
    struct xen_domctl op = {0};

    check_eq(domctl(XEN_DOMCTL_getdomaininfo, dom, &op), 0);
    return op.u.getdomaininfo;
}

/* Ended domains are freed a little later. What is free when that has been done. */
static uint64_t settled_pages(void)
{
    uint64_t before, pages = free_machine_pages();

    do {
        before = pages;
        time_sleep(100 * NS_PER_MS);
        pages = free_machine_pages();
    } while (pages != before);
    return pages;
}

static bool memory_is_back(uint64_t before)
{
    (void)eventually(free_machine_pages() == before);
    return check_eq(free_machine_pages(), before);
}

/* ---- createdomain ---- */

static long create_with(struct xen_domctl *op)
{
    long rc = domctl(XEN_DOMCTL_createdomain, 0, op);

    if (rc == 0)
        check_eq(domctl_plain(XEN_DOMCTL_destroydomain, op->domain), 0);
    return rc;
}

#define create_refuses(error, field, value)                                                        \
    do {                                                                                           \
        struct xen_domctl op_;                                                                     \
                                                                                                   \
        child_config(&op_, 1);                                                                     \
        op_.u.createdomain.field = (value);                                                        \
        check_eq(create_with(&op_), error);                                                        \
    } while (0)

TEST(createdomain_checks_every_field)
{
    uint64_t before = settled_pages();

    create_refuses(-EINVAL, flags, XEN_DOMCTL_CDF_hvm);
    create_refuses(-EINVAL, flags, XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap);
    create_refuses(-EINVAL, flags, XEN_DOMCTL_CDF_hap);
    create_refuses(-EINVAL, flags, XEN_DOMCTL_CDF_iommu);
    create_refuses(-EINVAL, flags, XEN_DOMCTL_CDF_nested_virt);
    create_refuses(-EINVAL, flags, XEN_DOMCTL_CDF_vpmu);
    create_refuses(-EINVAL, flags, XEN_DOMCTL_CDF_MAX << 1);
    create_refuses(-EINVAL, iommu_opts, 1);
    create_refuses(-EINVAL, max_vcpus, 0);
    create_refuses(-EINVAL, max_vcpus, 129);
    create_refuses(-EINVAL, max_vcpus, ~0u);
    create_refuses(-EINVAL, max_grant_frames, 0);
    create_refuses(-EINVAL, max_grant_frames, 65);
    create_refuses(-EINVAL, max_maptrack_frames, 1025);
    create_refuses(-EINVAL, grant_opts, 0);
    create_refuses(-EINVAL, grant_opts, 2);
    create_refuses(-EINVAL, grant_opts, 0x11);
    create_refuses(-EINVAL, vmtrace_size, 4096);
    create_refuses(-ESRCH, cpupool_id, 1);
    create_refuses(-EINVAL, arch.emulation_flags, XEN_X86_EMU_ALL + 1);
    create_refuses(-EOPNOTSUPP, arch.emulation_flags, XEN_X86_EMU_LAPIC);
    create_refuses(-EINVAL, arch.misc_flags, 2);
    check_eq(free_machine_pages(), before);
}

TEST(createdomain_takes_what_it_may)
{
    create_refuses(0, flags, XEN_DOMCTL_CDF_xs_domain | XEN_DOMCTL_CDF_oos_off);
    create_refuses(0, max_vcpus, 128);
    create_refuses(0, max_grant_frames, 4);
    create_refuses(0, max_maptrack_frames, 0);
    create_refuses(0, max_evtchn_port, 0);
    create_refuses(0, max_evtchn_port, ~0u);
    create_refuses(0, arch.emulation_flags, XEN_X86_EMU_PIT);
    create_refuses(0, arch.misc_flags, XEN_X86_MSR_RELAXED);
}

TEST(ids_are_given_once)
{
    struct xen_domctl op;
    domid_t first;

    child_config(&op, 1);
    need_eq(domctl(XEN_DOMCTL_createdomain, 500, &op), 0);
    check_eq(op.domain, 500);
    child_config(&op, 1);
    check_eq(domctl(XEN_DOMCTL_createdomain, 500, &op), -EEXIST);
    check_eq(domctl(XEN_DOMCTL_createdomain, 1024, &op), -EINVAL);
    check_eq(domctl(XEN_DOMCTL_createdomain, 0x7fef, &op), -EINVAL);
    need_eq(domctl(XEN_DOMCTL_createdomain, DOMID_INVALID, &op), 0);
    first = op.domain;
    check(first > 0 && first < 1024 && first != 500);
    child_config(&op, 1);
    need_eq(domctl(XEN_DOMCTL_createdomain, 0, &op), 0);
    check(op.domain > 0 && op.domain < 1024 && op.domain != 500 && op.domain != first);
    check_eq(domctl_plain(XEN_DOMCTL_destroydomain, op.domain), 0);
    check_eq(domctl_plain(XEN_DOMCTL_destroydomain, first), 0);
    check_eq(domctl_plain(XEN_DOMCTL_destroydomain, 500), 0);
    check_eq(domctl_plain(XEN_DOMCTL_destroydomain, 500), -ESRCH);
}

/* The argument can be read, but not written: nobody would learn the id. */
TEST(a_domain_whose_id_is_lost_is_not_made)
{
    struct xen_domctl *op = alloc_page();
    uint64_t before;

    need(op);
    child_config(op, 4);
    op->cmd = XEN_DOMCTL_createdomain;
    op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    need_eq(page_readonly(op), 0);
    hypercall_domctl(op); /* whatever is allocated once and kept */
    before = settled_pages();
    for (unsigned i = 0; i < 10; i++)
        check_eq(hypercall_domctl(op), -EFAULT);
    memory_is_back(before);
    check_eq(page_writable(op), 0);
    free_page(op);
}

/* ---- the whole life ---- */

TEST(a_child_lives)
{
    struct xen_domctl_getdomaininfo info;

    need_child(2);
    info = info_of(kid.id);
    check_eq(info.domain, kid.id);
    check_eq(info.flags & XEN_DOMINF_paused, XEN_DOMINF_paused);
    check_eq(info.tot_pages, kid.nr_pages);
    check_eq(info.max_pages, kid.nr_pages);
    check_eq(info.max_vcpu_id, 1);
    check_eq(info.nr_online_vcpus, 1);
    check_eq(info.handle[2], 3);
    check(child_is_still(&kid));
    start();
    check(child_is_running(&kid));
    check_eq(domctl_plain(XEN_DOMCTL_unpausedomain, kid.id), -EINVAL);
    check_eq(domctl_plain(XEN_DOMCTL_pausedomain, kid.id), 0);
    check_eq(domctl_plain(XEN_DOMCTL_pausedomain, kid.id), 0);
    check(child_is_still(&kid));
    check_eq(domctl_plain(XEN_DOMCTL_unpausedomain, kid.id), 0);
    check(child_is_still(&kid));
    check_eq(domctl_plain(XEN_DOMCTL_unpausedomain, kid.id), 0);
    check(child_is_running(&kid));
    check_ge(info_of(kid.id).cpu_time, 1);
    check_eq(child_destroy(&kid), 0);
    check_eq(domctl_plain(XEN_DOMCTL_pausedomain, kid.id), -ESRCH);
}

/* Who walks over all domains asks for the one after the last. */
TEST(the_next_domain_is_told)
{
    static const domid_t after[] = {1023, 1024, 0x7fef, DOMID_INVALID, 0xffff};
    struct xen_domctl op = {0};

    need_child(1);
    check_eq(domctl(XEN_DOMCTL_getdomaininfo, 1, &op), 0);
    check_eq(op.domain, kid.id);
    check_eq(op.u.getdomaininfo.domain, kid.id);
    check_eq(domctl(XEN_DOMCTL_getdomaininfo, kid.id + 1, &op), -ESRCH);
    for (unsigned i = 0; i < ARRAY_SIZE(after); i++)
        check_eq(domctl(XEN_DOMCTL_getdomaininfo, after[i], &op), -ESRCH);
    check_eq(child_destroy(&kid), 0);
}

TEST(two_hundred_children)
{
    uint64_t before = 0;

    if (!guest_is_initial())
        skip("not the control domain");
    for (unsigned i = 0; i < 201; i++) {
        need_eq(child_create(&kid, 1 + i % 4, CHILD_MIN_PAGES + i % 64), 0);
        start();
        if (i % 8 == 0)
            check(child_is_running(&kid));
        if (i % 3 == 0)
            check_eq(domctl_plain(XEN_DOMCTL_pausedomain, kid.id), 0);
        need_eq(child_destroy(&kid), 0);
        if (i == 0) /* what the first one made us keep */
            before = settled_pages();
    }
    memory_is_back(before);
}

/* A frame that somebody still maps stays, and the id with it. */
TEST(a_mapping_outlives_the_child)
{
    uint64_t before;
    struct xen_domctl op;
    domid_t id;

    need_child(1);
    before = settled_pages() + kid.nr_pages;
    id = kid.id;
    check_eq(domctl_plain(XEN_DOMCTL_destroydomain, id), 0);
    kid.data->count = 17;
    check_eq(kid.data->count, 17);
    child_config(&op, 1);
    check_eq(domctl(XEN_DOMCTL_createdomain, id, &op), -EEXIST);
    child_forget(&kid);
    check(eventually(free_machine_pages() >= before - 1));
}

TEST(it_ends_itself)
{
    struct sched_shutdown *how;
    struct xen_domctl_getdomaininfo info;

    need_child(1);
    start();
    how = (void *)kid.data->scratch;
    how->reason = SHUTDOWN_crash;
    kid.data->nr = __HYPERVISOR_sched_op;
    kid.data->arg[0] = SCHEDOP_shutdown;
    kid.data->arg[1] = child_scratch_va();
    kid.data->request = 1;
    check(eventually((info = info_of(kid.id)).flags & XEN_DOMINF_shutdown));
    check_eq(info.flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask, SHUTDOWN_crash);
    check_eq(info.flags & XEN_DOMINF_dying, 0); /* it stays until somebody takes it away */
    check_eq(domctl_plain(XEN_DOMCTL_resumedomain, kid.id), 0);
    check(child_is_running(&kid));
    check_eq(child_destroy(&kid), 0);
}

/* A page of address space for frames of others. */
static uint64_t *spare(void)
{
    static uint64_t *va;

    return va = va ? va : vm_reserve(1);
}

/* ---- contexts ---- */

static struct vcpu_guest_context ctxt;

static long context(unsigned cmd, unsigned vcpu, void *p)
{
    struct xen_domctl op = {.u.vcpucontext = {.vcpu = vcpu, .ctxt.p = p}};

    return domctl(cmd, kid.id, &op);
}

TEST(contexts_go_out_and_in)
{
    uint64_t count;

    need_child(2);
    start();
    check(child_is_running(&kid));
    check_eq(domctl_plain(XEN_DOMCTL_pausedomain, kid.id), 0);
    need_eq(context(XEN_DOMCTL_getvcpucontext, 0, &ctxt), 0);
    check_eq(ctxt.user_regs.rip & PAGE_MASK, CHILD_VA(CHILD_CODE));
    check_eq(ctxt.user_regs.rbx, CHILD_VA(CHILD_DATA));
    check_eq(ctxt.ctrlreg[3], xen_pfn_to_cr3(kid.mfn[CHILD_L4]));
    check_eq(ctxt.ctrlreg[1], 0);
    check_eq(ctxt.flags & (VGCF_in_kernel | VGCF_online | VGCF_i387_valid),
             VGCF_in_kernel | VGCF_online | VGCF_i387_valid);
    check_eq(ctxt.kernel_sp, CHILD_VA(CHILD_STACK + 1));
    ctxt.user_regs.rip = CHILD_VA(CHILD_CODE); /* from the beginning, with data elsewhere */
    ctxt.user_regs.rsi = CHILD_VA(CHILD_DATA) + 1024;
    check_eq(context(XEN_DOMCTL_setvcpucontext, 0, &ctxt), 0);
    check_eq(domctl_plain(XEN_DOMCTL_unpausedomain, kid.id), 0);
    count = kid.data->count;
    check(child_is_still(&kid));
    check_eq(kid.data->count, count);
    check_ge(((volatile uint64_t *)kid.data)[128], 1);
    check_eq(context(XEN_DOMCTL_getvcpucontext, 1, &ctxt), -ENODATA);
    check_eq(child_destroy(&kid), 0);
}

/* Builders clear the shared page, with the wall clock in it, before they start the first vcpu. */
TEST(the_wall_clock_is_there_from_the_start)
{
    struct shared_info *shared = (void *)spare();
    uint32_t now;

    need_child(1);
    need_eq(map_foreign(shared, info_of(kid.id).shared_info_frame, kid.id, PROT_RW), 0);
    now = shared->wc_sec;
    check_ge(now, 1000000000);
    memset(shared, 0, sizeof(*shared));
    child_context(&kid, &ctxt);
    check_eq(context(XEN_DOMCTL_setvcpucontext, 0, &ctxt), 0);
    check_eq(shared->wc_sec, now);
    check_eq(shared->wc_version & 1, 0);
    unmap_frame((uint64_t)shared);
    check_eq(child_destroy(&kid), 0);
}

TEST(a_second_vcpu_gets_its_context)
{
    need_child(2);
    start();
    child_context(&kid, &ctxt);
    ctxt.user_regs.rsi = CHILD_VA(CHILD_DATA) + 1024;
    ctxt.user_regs.rsp -= 1024;
    ctxt.flags &= ~VGCF_online;
    check_eq(context(XEN_DOMCTL_setvcpucontext, 1, &ctxt), 0);
    check_eq(info_of(kid.id).nr_online_vcpus, 1);
    ctxt.flags |= VGCF_online;
    check_eq(context(XEN_DOMCTL_setvcpucontext, 1, &ctxt), 0);
    check_eq(info_of(kid.id).nr_online_vcpus, 2);
    for (unsigned n = 0; n < 1000 && !((volatile uint64_t *)kid.data)[128]; n++)
        need(child_is_running(&kid)); /* its turn comes */
    check_ge(((volatile uint64_t *)kid.data)[128], 1);
    check_eq(context(XEN_DOMCTL_setvcpucontext, 1, NULL), 0); /* reset */
    check_eq(info_of(kid.id).nr_online_vcpus, 1);
    check_eq(context(XEN_DOMCTL_getvcpucontext, 1, &ctxt), -ENODATA);
    check(child_is_running(&kid));
    check_eq(child_destroy(&kid), 0);
}

#define context_fails(error, nr, field, value)                                                     \
    do {                                                                                           \
        child_context(&kid, &ctxt);                                                                \
        ctxt.field = (value);                                                                      \
        check_eq(context(XEN_DOMCTL_setvcpucontext, nr, &ctxt), error);                            \
    } while (0)
#define context_refused(field, value) context_fails(-EINVAL, 0, field, value)

TEST(bad_contexts_are_refused)
{
    struct xen_domctl op = {.u.vcpucontext.ctxt.p = &ctxt};

    need_child(2);
    context_refused(trap_ctxt[255].address, 0xffff830000000000);
    context_refused(event_callback_eip, 1ul << 63);
    context_refused(failsafe_callback_eip, 0xffff800000000000);
    context_refused(syscall_callback_eip, 0x0000800000000000);
    context_refused(fs_base, 1ul << 50);
    context_refused(gs_base_kernel, 1ul << 50);
    context_refused(gs_base_user, 1ul << 50);
    context_refused(gdt_ents, 14 * 512 + 1);
    context_fails(-EINVAL, 1, gdt_ents, 512); /* frame 0 is not its own */
    context_refused(ldt_ents, 8193);
    context_refused(ldt_base, 8);
    context_fails(-EINVAL, 1, ctrlreg[3], 0);
    context_fails(-EINVAL, 1, ctrlreg[3], ~0ul << 12);
    context_fails(-EINVAL, 1, ctrlreg[3],
                  xen_pfn_to_cr3(kid.mfn[CHILD_DATA])); /* mapped writable */
    context_fails(-EINVAL, 1, ctrlreg[3],
                  xen_pfn_to_cr3(virt_to_mfn(pfn_to_virt(pt_kernel_root()))));
    context_fails(-EINVAL, 1, ctrlreg[1], xen_pfn_to_cr3(kid.mfn[CHILD_L1]));
    context_refused(debugreg[0], 0xffff830000000000);
    child_context(&kid, &ctxt);
    check_eq(context(XEN_DOMCTL_setvcpucontext, 2, &ctxt), -EINVAL);
    check_eq(context(XEN_DOMCTL_setvcpucontext, ~0u, &ctxt), -EINVAL);
    ctxt.ctrlreg[3] = 0; /* for one that has none yet */
    check_eq(context(XEN_DOMCTL_setvcpucontext, 1, &ctxt), -EINVAL);
    ctxt.flags &= ~VGCF_in_kernel;
    check_eq(context(XEN_DOMCTL_setvcpucontext, 1, &ctxt), -EINVAL);
    check_eq(context(XEN_DOMCTL_setvcpucontext, 0, (void *)8), -EFAULT);
    check_eq(context(XEN_DOMCTL_setvcpucontext, 0, (void *)0xffff830000000000), -EFAULT);
    check_eq(context(XEN_DOMCTL_getvcpucontext, 1, &ctxt), -ENODATA);
    check_eq(context(XEN_DOMCTL_getvcpucontext, 2, &ctxt), -EINVAL);
    check_eq(context(XEN_DOMCTL_getvcpucontext, 0, (void *)8), -EFAULT);
    check_eq(domctl(XEN_DOMCTL_setvcpucontext, guest_domid(), &op), -EINVAL);
    check_eq(domctl(XEN_DOMCTL_getvcpucontext, guest_domid(), &op), -EINVAL);
    start(); /* none of this has done it any harm */
    check(child_is_running(&kid));
    check_eq(child_destroy(&kid), 0);
}

/* Only a reset takes tables away from a vcpu that has them. */
TEST(initialised_vcpus_keep_their_tables)
{
    uint64_t refs;

    need_child(2);
    context_fails(-EOPNOTSUPP, 0, ctrlreg[3], 0);
    context_fails(-EOPNOTSUPP, 0, ctrlreg[3], ~0ul << 12);
    context_fails(-EOPNOTSUPP, 0, ctrlreg[3], xen_pfn_to_cr3(kid.mfn[CHILD_DATA]));
    context_fails(-EOPNOTSUPP, 0, ctrlreg[1], xen_pfn_to_cr3(kid.mfn[CHILD_L4]));
    context_fails(-EOPNOTSUPP, 0, gdt_ents, 512);
    context_fails(-EOPNOTSUPP, 0, ldt_ents, 1);
    context_fails(0, 0, ldt_base, PAGE_SIZE); /* of no table */
    context_fails(0, 0, user_regs.rbx, CHILD_VA(CHILD_DATA));
    context_fails(0, 0, event_callback_eip, CHILD_VA(CHILD_CODE));
    check_eq(context(XEN_DOMCTL_getvcpucontext, 0, &ctxt), 0);
    check_eq(ctxt.event_callback_eip, CHILD_VA(CHILD_CODE));
    refs = settled_pages();
    for (unsigned i = 0; i < 100; i++) {
        check_eq(context(XEN_DOMCTL_setvcpucontext, 0, NULL), 0);
        check_eq(context(XEN_DOMCTL_getvcpucontext, 0, &ctxt), -ENODATA);
        child_context(&kid, &ctxt);
        ctxt.ctrlreg[1] = i & 1 ? xen_pfn_to_cr3(kid.mfn[CHILD_L4]) : 0;
        need_eq(context(XEN_DOMCTL_setvcpucontext, 0, &ctxt), 0);
    }
    check_eq(free_machine_pages(), refs);
    start();
    check(child_is_running(&kid));
    check_eq(child_destroy(&kid), 0);
}

/* They come with the first context of the first vcpu. */
TEST(assists_are_part_of_the_context)
{
    need_child(2);
    check_eq(context(XEN_DOMCTL_getvcpucontext, 0, &ctxt), 0);
    check_eq(ctxt.vm_assist, 0);
    context_fails(0, 0, vm_assist, 1ul << VMASST_TYPE_writable_pagetables);
    check_eq(context(XEN_DOMCTL_getvcpucontext, 0, &ctxt), 0);
    check_eq(ctxt.vm_assist, 0); /* too late */
    check_eq(context(XEN_DOMCTL_setvcpucontext, 0, NULL), 0);
    context_fails(-EINVAL, 0, vm_assist, ~0ul);
    context_fails(-EINVAL, 0, vm_assist, 1ul << 63);
    context_fails(0, 0, vm_assist,
                  1ul << VMASST_TYPE_writable_pagetables | 1ul << VMASST_TYPE_m2p_strict);
    context_fails(0, 1, vm_assist, 0);
    for (unsigned nr = 0; nr < 2; nr++) {
        check_eq(context(XEN_DOMCTL_getvcpucontext, nr, &ctxt), 0);
        check_eq(ctxt.vm_assist,
                 1ul << VMASST_TYPE_writable_pagetables | 1ul << VMASST_TYPE_m2p_strict);
    }
    start();
    check(child_is_running(&kid));
    check_eq(child_destroy(&kid), 0);
}

TEST(extended_contexts)
{
    struct xen_domctl op = {0};

    need_child(1);
    check_eq(domctl(XEN_DOMCTL_get_ext_vcpucontext, kid.id, &op), 0);
    check_eq(op.u.ext_vcpucontext.size, sizeof(op.u.ext_vcpucontext));
    op.u.ext_vcpucontext.sysenter_callback_eip = CHILD_BASE;
    op.u.ext_vcpucontext.syscall32_disables_events = 1;
    check_eq(domctl(XEN_DOMCTL_set_ext_vcpucontext, kid.id, &op), 0);
    op.u.ext_vcpucontext = (struct xen_domctl_ext_vcpucontext){0};
    check_eq(domctl(XEN_DOMCTL_get_ext_vcpucontext, kid.id, &op), 0);
    check_eq(op.u.ext_vcpucontext.sysenter_callback_eip, CHILD_BASE);
    check_eq(op.u.ext_vcpucontext.syscall32_disables_events, 1);
    op.u.ext_vcpucontext.sysenter_callback_eip = 0xffff830000000000;
    check_eq(domctl(XEN_DOMCTL_set_ext_vcpucontext, kid.id, &op), -EINVAL);
    op.u.ext_vcpucontext.sysenter_callback_eip = 0;
    op.u.ext_vcpucontext.size = 8;
    check_eq(domctl(XEN_DOMCTL_set_ext_vcpucontext, kid.id, &op), -EINVAL);
    op.u.ext_vcpucontext.vcpu = 1;
    check_eq(domctl(XEN_DOMCTL_get_ext_vcpucontext, kid.id, &op), -ESRCH);
    check_eq(child_destroy(&kid), 0);
}

static long extstate(unsigned cmd, uint64_t mask, uint64_t size, void *buf)
{
    struct xen_domctl op = {
        .u.vcpuextstate = {.xfeature_mask = mask, .size = size, .buffer.p = buf}};

    return domctl(cmd, kid.id, &op);
}

TEST(extended_registers)
{
    struct xen_domctl op = {0};
    uint64_t mask, size, *buf = alloc_pages(2);

    need_child(1);
    check_eq(domctl(XEN_DOMCTL_getvcpuextstate, kid.id, &op), 0);
    mask = op.u.vcpuextstate.xfeature_mask;
    size = op.u.vcpuextstate.size;
    note("extended state: mask %#lx, %lu bytes", mask, size);
    check(size == 16 || (size >= 592 && mask & 1));
    need(size <= 2 * PAGE_SIZE);
    check_eq(extstate(XEN_DOMCTL_getvcpuextstate, mask, size - 1, buf), -EINVAL);
    check_eq(extstate(XEN_DOMCTL_getvcpuextstate, ~mask, size, buf), -EINVAL);
    check_eq(extstate(XEN_DOMCTL_getvcpuextstate, mask, size, (void *)8), -EFAULT);
    need_eq(extstate(XEN_DOMCTL_getvcpuextstate, mask, size, buf), 0);
    check_eq(extstate(XEN_DOMCTL_setvcpuextstate, mask, size, buf), 0);
    check_eq(extstate(XEN_DOMCTL_setvcpuextstate, mask, 16, buf), 0);
    check_eq(extstate(XEN_DOMCTL_setvcpuextstate, mask, 8, buf), -EINVAL);
    check_eq(extstate(XEN_DOMCTL_setvcpuextstate, mask, size + 8, buf), -EINVAL);
    check_eq(extstate(XEN_DOMCTL_setvcpuextstate, mask, ~0ul, buf), -EINVAL);
    check_eq(extstate(XEN_DOMCTL_setvcpuextstate, mask, 16, (void *)8), -EFAULT);
    if (size > 16) {
        buf[0] ^= 1; /* no x87 */
        check_eq(extstate(XEN_DOMCTL_setvcpuextstate, mask, size, buf), -EINVAL);
        buf[0] ^= 1 | 1ul << 62;
        check_eq(extstate(XEN_DOMCTL_setvcpuextstate, mask, size, buf), -EINVAL);
        buf[0] ^= 1ul << 62;
        buf[2 + 64] |= 1ul << 62; /* a component that is not there */
        check_eq(extstate(XEN_DOMCTL_setvcpuextstate, mask, size, buf), -EINVAL);
        buf[2 + 64] &= ~(1ul << 62);
        buf[2 + 65] = 1ul << 63; /* compacted */
        check_eq(extstate(XEN_DOMCTL_setvcpuextstate, mask, size, buf), -EINVAL);
        buf[2 + 65] = 0;
        ((uint32_t *)buf)[4 + 6] = ~0u; /* an MXCSR that no CPU takes: it starts afresh */
        check_eq(extstate(XEN_DOMCTL_setvcpuextstate, mask, size, buf), 0);
    }
    start();
    check(child_is_running(&kid));
    check_eq(child_destroy(&kid), 0);
    free_pages(buf, 2);
}

/* ---- memory of others ---- */

TEST(frames_of_a_child_are_mapped)
{
    mfn_t own = virt_to_mfn(pfn_to_virt(pt_kernel_root()));

    need_child(1);
    need_eq(map_foreign(spare(), kid.mfn[CHILD_SPARE], kid.id, PROT_RW), 0);
    spare()[3] = 42;
    check_eq(map_foreign(spare(), kid.mfn[CHILD_SPARE], kid.id, PROT_RO), 0);
    check_eq(spare()[3], 42);
    check_fault(TRAP_PF, ((volatile uint64_t *)spare())[3] = 1);
    check_ne(map_foreign(spare(), kid.mfn[CHILD_L1], kid.id, PROT_RW), 0);
    check_eq(map_foreign(spare(), kid.mfn[CHILD_L1], kid.id, PROT_RO), 0);
    check_ne(map_foreign(spare(), own, kid.id, PROT_RO), 0);
    check_ne(map_foreign(spare(), ~0ul >> 24, kid.id, PROT_RO), 0);
    check_eq(map_foreign(spare(), kid.mfn[0], NOBODY, PROT_RO), -ESRCH);
    check_eq(map_foreign(spare(), info_of(kid.id).shared_info_frame, kid.id, PROT_RW), 0);
    check_eq(((struct shared_info *)spare())->vcpu_info[0].evtchn_upcall_mask, 1);
    unmap_frame((uint64_t)spare());
    check_eq(child_destroy(&kid), 0);
}

static long reserve(unsigned op, unsigned n, xen_pfn_t *list)
{
    struct xen_memory_reservation r = {.nr_extents = n, .extent_start.p = list, .domid = kid.id};

    return hypercall_memory_op(op, &r);
}

TEST(memory_of_a_child_is_given_and_taken)
{
    xen_pfn_t list[4] = {1000, 1001, 1002, 1003};
    struct xen_domctl op = {0};
    uint64_t before;

    need_child(1);
    before = settled_pages();
    check_eq(reserve(XENMEM_populate_physmap, 4, list), 0); /* its limit */
    op.u.max_mem.max_memkb = (kid.nr_pages + 3) * 4;
    check_eq(domctl(XEN_DOMCTL_max_mem, kid.id, &op), 0);
    check_eq(reserve(XENMEM_claim_pages, kid.nr_pages + 3, NULL), 0);
    check_eq(reserve(XENMEM_claim_pages, kid.nr_pages + 4, NULL), -EINVAL);
    check_eq(reserve(XENMEM_claim_pages, 0, NULL), 0);
    check_eq(reserve(XENMEM_populate_physmap, 4, list), 3);
    check_eq(info_of(kid.id).tot_pages, kid.nr_pages + 3);
    check_eq(m2p_raw(list[0]), 1000);
    check_eq(reserve(XENMEM_decrease_reservation, 3, list), 3);
    check_eq(info_of(kid.id).tot_pages, kid.nr_pages);
    check_eq(free_machine_pages(), before);
    check_eq(reserve(XENMEM_decrease_reservation, 1, list), 0);
    list[0] = virt_to_mfn(pfn_to_virt(pt_kernel_root()));
    check_eq(reserve(XENMEM_decrease_reservation, 1, list), 0);
    check_eq(child_destroy(&kid), 0);
    check_eq(reserve(XENMEM_populate_physmap, 1, list), 0);
}

TEST(memory_maps_are_set_for_a_child)
{
    struct {
        uint64_t addr, size;
        uint32_t type;
    } __attribute__((packed)) map[2] = {{0, 0x100000, 1}, {0x100000, 0x700000, 2}}, *seen;
    struct xen_foreign_memory_map f = {.map = {.nr_entries = 2, .buffer.p = map}};
    struct xen_memory_map *question;

    need_child(1);
    f.domid = kid.id;
    check_eq(hypercall_memory_op(XENMEM_set_memory_map, &f), 0);
    start();
    question = (void *)kid.data->scratch;
    question->nr_entries = 10;
    question->buffer.p = (void *)(child_scratch_va() + 64);
    check_eq(child_call(&kid, __HYPERVISOR_memory_op, XENMEM_memory_map, child_scratch_va(), 0), 0);
    seen = (void *)(kid.data->scratch + 64);
    check_eq(question->nr_entries, 2);
    check_eq(seen[1].size, 0x700000);
    check_eq(child_destroy(&kid), 0);
    check_eq(hypercall_memory_op(XENMEM_set_memory_map, &f), -ESRCH);
}

static uint64_t kind_of(mfn_t mfn)
{
    uint64_t list[1] = {mfn};
    struct xen_domctl op = {.u.getpageframeinfo3 = {.num = 1, .array.p = list}};

    check_eq(domctl(XEN_DOMCTL_getpageframeinfo3, kid.id, &op), 0);
    return list[0];
}

TEST(kinds_of_frames)
{
    struct xen_domctl op = {.u.getpageframeinfo3 = {.num = 1025}};

    need_child(1);
    check_eq(kind_of(kid.mfn[CHILD_L4]), XEN_DOMCTL_PFINFO_L4TAB | XEN_DOMCTL_PFINFO_LPINTAB);
    check_eq(kind_of(kid.mfn[CHILD_L3]), XEN_DOMCTL_PFINFO_L3TAB);
    check_eq(kind_of(kid.mfn[CHILD_L2]), XEN_DOMCTL_PFINFO_L2TAB);
    check_eq(kind_of(kid.mfn[CHILD_L1]), XEN_DOMCTL_PFINFO_L1TAB);
    check_eq(kind_of(kid.mfn[CHILD_DATA]), XEN_DOMCTL_PFINFO_NOTAB);
    check_eq(kind_of(virt_to_mfn(&kid)), XEN_DOMCTL_PFINFO_XTAB);
    check_eq(kind_of(~0ul), XEN_DOMCTL_PFINFO_XTAB);
    check_eq(kind_of(info_of(kid.id).shared_info_frame), XEN_DOMCTL_PFINFO_XTAB);
    check_eq(domctl(XEN_DOMCTL_getpageframeinfo3, kid.id, &op), -E2BIG);
    op.u.getpageframeinfo3.num = 1;
    op.u.getpageframeinfo3.array.p = (void *)8;
    check_eq(domctl(XEN_DOMCTL_getpageframeinfo3, kid.id, &op), -EFAULT);
    check_eq(child_destroy(&kid), 0);
}

TEST(hypercall_page_is_written)
{
    struct xen_domctl op = {0};

    need_child(1);
    op.u.hypercall_init.gmfn = kid.mfn[CHILD_SPARE];
    check_eq(domctl(XEN_DOMCTL_hypercall_init, kid.id, &op), 0);
    need_eq(map_foreign(spare(), kid.mfn[CHILD_SPARE], kid.id, PROT_RO), 0);
    check_ne(spare()[0], 0);
    check_eq(((uint32_t *)spare())[__HYPERVISOR_sched_op * 8] == ((uint32_t *)spare())[0], 1);
    unmap_frame((uint64_t)spare());
    op.u.hypercall_init.gmfn = kid.mfn[CHILD_L1];
    check_eq(domctl(XEN_DOMCTL_hypercall_init, kid.id, &op), -EINVAL);
    op.u.hypercall_init.gmfn = virt_to_mfn(&kid);
    check_eq(domctl(XEN_DOMCTL_hypercall_init, kid.id, &op), -EINVAL);
    op.u.hypercall_init.gmfn = ~0ul;
    check_eq(domctl(XEN_DOMCTL_hypercall_init, kid.id, &op), -EINVAL);
    check_eq(child_destroy(&kid), 0);
}

/* ---- claims ---- */

static long claim(unsigned long pages)
{
    struct xen_memory_reservation r = {.nr_extents = pages, .domid = kid.id};

    return hypercall_memory_op(XENMEM_claim_pages, &r);
}

static uint64_t all_claimed(void)
{
    struct xen_sysctl op = {0};

    check_eq(sysctl(XEN_SYSCTL_physinfo, &op), 0);
    return op.u.physinfo.outstanding_pages;
}

static void check_claimed(uint64_t pages)
{
    check_eq(info_of(kid.id).outstanding_pages, pages);
    check_eq(all_claimed(), pages);
}

static void set_max_pages(uint64_t pages)
{
    struct xen_domctl op = {.u.max_mem.max_memkb = pages * 4};

    check_eq(domctl(XEN_DOMCTL_max_mem, kid.id, &op), 0);
}

TEST(claims_are_checked_and_counted)
{
    xen_pfn_t list[8] = {0};
    unsigned has;

    need_child(1);
    has = kid.nr_pages;
    check_eq(claim(0), 0);
    check_eq(claim(has), -EINVAL);
    check_eq(claim(has + 1), -EINVAL); /* more than it may have */
    set_max_pages(1000);
    check_eq(claim(has - 1), -EINVAL);
    check_eq(claim(1001), -EINVAL);
    check_eq(claim(~0ul), -EINVAL);
    check_eq(claim(has + 40), 0);
    check_claimed(40);
    check_eq(claim(has + 50), -EINVAL); /* one at a time */
    check_eq(claim(0), 0);
    check_claimed(0);
    check_eq(claim(has + 5), 0);
    check_eq(reserve(XENMEM_increase_reservation, 4, list), 4);
    check_claimed(1);
    check_eq(reserve(XENMEM_increase_reservation, 4, list + 4), 4);
    check_claimed(0);
    check_eq(reserve(XENMEM_decrease_reservation, 8, list), 8);
    check_claimed(0); /* they do not come back */
    set_max_pages(~0ul >> 12);
    check_eq(claim(0x7fffffff), -ENOMEM);
    check_eq(claim(has + free_machine_pages() + 1), -ENOMEM);
    check_claimed(0);
    check_eq(claim(has + 7), 0);
    check_claimed(7);
    check_eq(child_destroy(&kid), 0);
    check_eq(all_claimed(), 0);
}

/* Of the memory that is claimed nobody else gets anything, and whoever has claimed it gets it all. */
TEST(claims_set_memory_aside)
{
    static xen_pfn_t list[512];
    struct xen_domctl op;
    uint64_t left, got = 0;
    domid_t own, other;
    long n;

    need_child(1);
    own = kid.id;
    set_max_pages(~0ul >> 12);
    left = free_machine_pages();
    need(left > 2000);
    need_eq(claim(kid.nr_pages + left - 600), 0); /* all but 600 */
    child_config(&op, 1);
    need_eq(domctl(XEN_DOMCTL_createdomain, 0, &op), 0); /* another one, which wants them */
    kid.id = other = op.domain;
    set_max_pages(~0ul >> 12);
    for (unsigned round = 0; round < 3; round++) {
        n = reserve(XENMEM_increase_reservation, ARRAY_SIZE(list), list);
        got += n > 0 ? (uint64_t)n : 0;
    }
    check_le(got, 600);
    check_ge(got, 300);
    child_config(&op, 1);
    check_eq(domctl(XEN_DOMCTL_createdomain, 0, &op), -ENOMEM);
    kid.id = own;
    for (got = 0; got < left - 700; got += (uint64_t)n)
        need((n = reserve(XENMEM_increase_reservation, ARRAY_SIZE(list), list)) > 0);
    check_ge(got, left - 700);
    check_eq(domctl_plain(XEN_DOMCTL_destroydomain, other), 0);
    check_eq(child_destroy(&kid), 0);
    check_eq(all_claimed(), 0);
}

/* ---- what a toolstack connects ---- */

static volatile unsigned rang;

static void ring(evtchn_port_t port, void *arg)
{
    (void)port, (void)arg;
    rang++;
}

TEST(ports_are_made_for_a_child)
{
    evtchn_port_t theirs, mine;
    struct evtchn_send *op;

    need_child(1);
    need_eq(evtchn_alloc_unbound(kid.id, guest_domid(), &theirs), 0);
    need_eq(evtchn_bind_interdomain(kid.id, theirs, &mine), 0);
    rang = 0;
    evtchn_set_handler(mine, ring, NULL);
    start();
    op = (void *)kid.data->scratch;
    op->port = theirs;
    check_eq(child_call(&kid, __HYPERVISOR_event_channel_op, EVTCHNOP_send, child_scratch_va(), 0),
             0);
    events_enable();
    events_disable();
    check_ge(rang, 1);
    check_eq(evtchn_send(mine), 0);
    check_eq(child_destroy(&kid), 0);
    check_eq(evtchn_close(mine), 0);
    check_eq(evtchn_alloc_unbound(kid.id, 0, &theirs), -ESRCH);
}

static void shut_down(unsigned reason)
{
    *(unsigned *)kid.data->scratch = reason;
    kid.data->nr = __HYPERVISOR_sched_op;
    kid.data->arg[0] = SCHEDOP_shutdown;
    kid.data->arg[1] = child_scratch_va();
    kid.data->request = 1;
    check(eventually(info_of(kid.id).flags & XEN_DOMINF_shutdown));
    kid.data->request = 0;
    check_eq(info_of(kid.id).flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask, reason);
}

/* It is said right after the state has changed, perhaps by another pcpu. */
static bool has_rung(void)
{
    return eventually(rang) && rang == 1;
}

TEST(who_subscribes_hears_of_suspension)
{
    struct xen_domctl op = {0};
    evtchn_port_t mine;

    need_child(1);
    need_eq(evtchn_alloc_unbound(kid.id, guest_domid(), &op.u.subscribe.port), 0);
    need_eq(evtchn_bind_interdomain(kid.id, op.u.subscribe.port, &mine), 0);
    rang = 0;
    evtchn_set_handler(mine, ring, NULL);
    check_eq(domctl(XEN_DOMCTL_subscribe, kid.id, &op), 0);
    start();
    check(child_is_running(&kid));
    events_enable();
    events_disable();
    rang = 0; /* binding rings once */
    shut_down(SHUTDOWN_suspend);
    check(has_rung());
    check_eq(domctl_plain(XEN_DOMCTL_resumedomain, kid.id), 0);
    check(child_is_running(&kid));
    shut_down(SHUTDOWN_poweroff); /* of this not */
    events_enable();
    events_disable();
    check_eq(rang, 1);
    check_eq(domctl_plain(XEN_DOMCTL_resumedomain, kid.id), 0);
    check(child_is_running(&kid));
    op.u.subscribe.port = ~0u; /* a port that it does not have harms nobody */
    check_eq(domctl(XEN_DOMCTL_subscribe, kid.id, &op), 0);
    shut_down(SHUTDOWN_suspend);
    check_eq(child_destroy(&kid), 0);
    check_eq(evtchn_close(mine), 0);
}

TEST(grants_are_made_for_a_child)
{
    xen_pfn_t frames[1];
    struct gnttab_setup_table setup = {.nr_frames = 1, .frame_list.p = frames};
    struct grant_entry_v1 *table = (void *)spare();
    static void *window;
    grant_handle_t handle;

    if (!window)
        window = vm_reserve(1);
    need_child(1);
    setup.dom = kid.id;
    need_eq(hypercall_grant_table_op(GNTTABOP_setup_table, &setup, 1), 0);
    need_eq(setup.status, GNTST_okay);
    need_eq(map_foreign(table, frames[0], kid.id, PROT_RW), 0);
    table[0].domid = guest_domid();
    table[0].frame = kid.mfn[CHILD_SPARE];
    WRITE_ONCE(table[0].flags, GTF_permit_access);
    need_eq(gnttab_map(kid.id, 0, window, 0, &handle), GNTST_okay);
    *(uint64_t *)window = 99;
    unmap_frame((uint64_t)table);
    check_eq(child_destroy(&kid), 0);
    check_eq(*(uint64_t *)window, 99); /* the grant outlives its giver */
    check_eq(gnttab_unmap(window, handle), GNTST_okay);
}

/* ---- small things ---- */

static long scheduler(unsigned cmd, unsigned weight, unsigned cap, struct xen_domctl *op)
{
    *op = (struct xen_domctl){.u.scheduler_op = {.sched_id = XEN_SCHEDULER_CREDIT2, .cmd = cmd}};
    op->u.scheduler_op.u.credit2.weight = weight;
    op->u.scheduler_op.u.credit2.cap = cap;
    return domctl(XEN_DOMCTL_scheduler_op, kid.id, op);
}

TEST(shares_of_the_cpu)
{
    struct xen_domctl op;

    need_child(1);
    check_eq(scheduler(XEN_DOMCTL_SCHEDOP_getinfo, 0, 0, &op), 0);
    check_eq(op.u.scheduler_op.u.credit2.weight, 256);
    check_eq(op.u.scheduler_op.u.credit2.cap, 0);
    check_eq(scheduler(XEN_DOMCTL_SCHEDOP_putinfo, 1024, 50, &op), 0);
    check_eq(scheduler(XEN_DOMCTL_SCHEDOP_putinfo, 0, 0xffff, &op), 0); /* neither */
    check_eq(scheduler(XEN_DOMCTL_SCHEDOP_getinfo, 0, 0, &op), 0);
    check_eq(op.u.scheduler_op.u.credit2.weight, 1024);
    check_eq(op.u.scheduler_op.u.credit2.cap, 50);
    check_eq(scheduler(XEN_DOMCTL_SCHEDOP_putvcpuinfo, 0, 0, &op), -EINVAL);
    check_eq(scheduler(XEN_DOMCTL_SCHEDOP_getvcpuinfo, 0, 0, &op), -EINVAL);
    check_eq(scheduler(99, 0, 0, &op), -EINVAL);
    start();
    check(child_is_running(&kid));
    check_eq(child_destroy(&kid), 0);
}

TEST(affinities)
{
    uint8_t hard[8] = {1}, soft[8] = {0xff};
    struct xen_domctl op = {
        .u.vcpuaffinity = {.flags = XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT,
                           .cpumap_hard = {{hard}, 64},
                           .cpumap_soft = {{soft}, 64}}};
    uint8_t nodes[1] = {0};
    struct xen_domctl node = {.u.nodeaffinity.nodemap = {{nodes}, 8}};

    need_child(1);
    check_eq(domctl(XEN_DOMCTL_setvcpuaffinity, kid.id, &op), 0);
    check_eq(hard[0], 1);
    hard[0] = 0;
    check_eq(domctl(XEN_DOMCTL_getvcpuaffinity, kid.id, &op), 0);
    check_eq(hard[0], 1);
    check_eq(soft[0], 0xff);
    hard[0] = 0;
    check_eq(domctl(XEN_DOMCTL_setvcpuaffinity, kid.id, &op), -EINVAL);
    op.u.vcpuaffinity.vcpu = 1;
    check_eq(domctl(XEN_DOMCTL_getvcpuaffinity, kid.id, &op), -ESRCH);
    check_eq(domctl(XEN_DOMCTL_getnodeaffinity, kid.id, &node), 0);
    check_eq(nodes[0], 1);
    check_eq(domctl(XEN_DOMCTL_setnodeaffinity, kid.id, &node), 0);
    nodes[0] = 2;
    check_eq(domctl(XEN_DOMCTL_setnodeaffinity, kid.id, &node), -EINVAL);
    check_eq(child_destroy(&kid), 0);
}

TEST(handle_time_and_trigger)
{
    struct xen_domctl op = {.u.setdomainhandle.handle = {9, 8, 7}};
    uint64_t sec;

    need_child(1);
    check_eq(domctl(XEN_DOMCTL_setdomainhandle, kid.id, &op), 0);
    check_eq(info_of(kid.id).handle[0], 9);
    need_eq(map_foreign(spare(), info_of(kid.id).shared_info_frame, kid.id, PROT_RO), 0);
    sec = ((struct shared_info *)spare())->wc_sec;
    op = (struct xen_domctl){.u.settimeoffset.time_offset_seconds = 3600};
    check_eq(domctl(XEN_DOMCTL_settimeoffset, kid.id, &op), 0);
    check_eq(((struct shared_info *)spare())->wc_sec, sec + 3600);
    unmap_frame((uint64_t)spare());
    op = (struct xen_domctl){.u.sendtrigger = {.trigger = XEN_DOMCTL_SENDTRIGGER_NMI}};
    check_eq(domctl(XEN_DOMCTL_sendtrigger, kid.id, &op), 0);
    op.u.sendtrigger.vcpu = 1;
    check_eq(domctl(XEN_DOMCTL_sendtrigger, kid.id, &op), -ESRCH);
    op.u.sendtrigger = (struct xen_domctl_sendtrigger){.trigger = XEN_DOMCTL_SENDTRIGGER_POWER};
    check_eq(domctl(XEN_DOMCTL_sendtrigger, kid.id, &op), -EINVAL);
    op.u.sendtrigger.trigger = XEN_DOMCTL_SENDTRIGGER_RESET;
    check_eq(domctl(XEN_DOMCTL_sendtrigger, kid.id, &op), -ENOSYS);
    op = (struct xen_domctl){0};
    check_eq(domctl(XEN_DOMCTL_getvcpuinfo, kid.id, &op), 0);
    check_eq(op.u.getvcpuinfo.online, 1);
    check_eq(op.u.getvcpuinfo.running, 0);
    op.u.getvcpuinfo.vcpu = 1;
    check_eq(domctl(XEN_DOMCTL_getvcpuinfo, kid.id, &op), -ESRCH);
    check_eq(child_destroy(&kid), 0);
}

TEST(cpu_policies)
{
    struct xen_domctl op = {0};
    xen_cpuid_leaf_t *leaf = alloc_page();
    unsigned n, i;

    need_child(1);
    check_eq(domctl(XEN_DOMCTL_get_cpu_policy, kid.id, &op), 0);
    n = op.u.cpu_policy.nr_leaves;
    need(n > 4 && n <= PAGE_SIZE / sizeof(*leaf));
    op.u.cpu_policy.leaves.p = leaf;
    op.u.cpu_policy.nr_leaves = n - 1;
    check_eq(domctl(XEN_DOMCTL_get_cpu_policy, kid.id, &op), -ENOBUFS);
    check_eq(op.u.cpu_policy.nr_leaves, n);
    check_eq(domctl(XEN_DOMCTL_get_cpu_policy, kid.id, &op), 0);
    op.u.cpu_policy.nr_msrs = 0;
    check_eq(domctl(XEN_DOMCTL_set_cpu_policy, kid.id, &op), -EEXIST); /* it has started */
    check_eq(context(XEN_DOMCTL_setvcpucontext, 0, NULL), 0);
    check_eq(domctl(XEN_DOMCTL_set_cpu_policy, kid.id, &op), 0);
    for (i = 0; i < n && leaf[i].leaf != 1; i++)
        ;
    need(i < n);
    check_eq(leaf[i].subleaf, XEN_CPUID_NO_SUBLEAF);
    check_eq(leaf[i].d & 1, 1);
    leaf[i].d &= ~(1u << 26); /* no SSE2 */
    leaf[i].c |= 1u << 3;     /* MONITOR: nobody can have it */
    check_eq(domctl(XEN_DOMCTL_set_cpu_policy, kid.id, &op), 0);
    memset(leaf, 0, PAGE_SIZE);
    check_eq(domctl(XEN_DOMCTL_get_cpu_policy, kid.id, &op), 0);
    check_eq(leaf[i].d >> 26 & 1, 0);
    check_eq(leaf[i].d & 1, 1);
    check_eq(leaf[i].c >> 3 & 1, 0);
    leaf[0].a = 0x20;
    check_eq(domctl(XEN_DOMCTL_set_cpu_policy, kid.id, &op), -EINVAL);
    check_eq(op.u.cpu_policy.err_leaf, 0);
    leaf[0].leaf = 0x12345;
    check_eq(domctl(XEN_DOMCTL_set_cpu_policy, kid.id, &op), -EINVAL);
    check_eq(op.u.cpu_policy.err_leaf, 0x12345);
    op.u.cpu_policy.nr_leaves = ~0u;
    check_eq(domctl(XEN_DOMCTL_set_cpu_policy, kid.id, &op), -E2BIG);
    op.u.cpu_policy.nr_leaves = 1;
    op.u.cpu_policy.leaves.p = (void *)8;
    check_eq(domctl(XEN_DOMCTL_set_cpu_policy, kid.id, &op), -EFAULT);
    check_eq(child_destroy(&kid), 0);
    free_page(leaf);
}

/* Operations whose answer depends on nothing but their argument. */
TEST(short_answers)
{
    static const struct {
        unsigned cmd;
        unsigned word[4];
        int error;
    } ask[] = {
        {XEN_DOMCTL_set_address_size, {64}, 0},
        {XEN_DOMCTL_set_address_size, {32}, -EOPNOTSUPP},
        {XEN_DOMCTL_set_address_size, {16}, -EINVAL},
        {XEN_DOMCTL_get_address_size, {0}, 0},
        {XEN_DOMCTL_shadow_op, {XEN_DOMCTL_SHADOW_OP_OFF}, -EINVAL},
        {XEN_DOMCTL_shadow_op, {XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY}, -EOPNOTSUPP},
        {XEN_DOMCTL_shadow_op, {XEN_DOMCTL_SHADOW_OP_CLEAN}, -EINVAL},
        {XEN_DOMCTL_shadow_op, {XEN_DOMCTL_SHADOW_OP_GET_ALLOCATION}, 0},
        {XEN_DOMCTL_shadow_op, {XEN_DOMCTL_SHADOW_OP_SET_ALLOCATION}, 0},
        {XEN_DOMCTL_shadow_op, {XEN_DOMCTL_SHADOW_OP_SET_ALLOCATION, 0, 1}, -EOPNOTSUPP},
        {XEN_DOMCTL_settscinfo, {0}, 0},
        {XEN_DOMCTL_settscinfo, {1}, -EOPNOTSUPP},
        {XEN_DOMCTL_settscinfo, {3}, -EINVAL},
        {XEN_DOMCTL_gettscinfo, {0}, 0},
        {XEN_DOMCTL_setdebugging, {0}, 0},
        {XEN_DOMCTL_setdebugging, {1}, -EOPNOTSUPP},
        {XEN_DOMCTL_irq_permission, {9, 1}, -EPERM}, /* more of them: physdev.c, permissions.c */
        {XEN_DOMCTL_irq_permission, {9999, 0}, -EINVAL},
        {XEN_DOMCTL_irq_permission, {~0u, 1}, -EINVAL},
        {XEN_DOMCTL_iomem_permission, {0xa0, 0, 32, 0}, 0},
        {XEN_DOMCTL_ioport_permission, {0x60, 4, 1}, 0},
        {XEN_DOMCTL_ioport_permission, {0x60, 4, 0}, 0},
        {XEN_DOMCTL_max_vcpus, {1}, 0},
        {XEN_DOMCTL_max_vcpus, {2}, -EINVAL},
        {XEN_DOMCTL_get_vcpu_msrs, {0}, 0},
        {XEN_DOMCTL_get_vcpu_msrs, {1}, -ESRCH},
        {XEN_DOMCTL_set_vcpu_msrs, {0, 0}, 0},
        {XEN_DOMCTL_set_vcpu_msrs, {0, 1}, -EINVAL},
        {XEN_DOMCTL_soft_reset, {0}, -EINVAL},
        {XEN_DOMCTL_get_paging_mempool_size, {0}, -EOPNOTSUPP},
        {XEN_DOMCTL_set_paging_mempool_size, {0}, -EOPNOTSUPP},
        {XEN_DOMCTL_assign_device, {0}, -EOPNOTSUPP},
        {XEN_DOMCTL_test_assign_device, {0}, -EOPNOTSUPP},
        {XEN_DOMCTL_subscribe, {0}, 0},
        {XEN_DOMCTL_subscribe, {~0u}, 0},
        {XEN_DOMCTL_set_virq_handler, {VIRQ_DOM_EXC}, -EOPNOTSUPP},
        {XEN_DOMCTL_set_virq_handler, {VIRQ_TIMER}, -EINVAL},
        {XEN_DOMCTL_set_virq_handler, {24}, -EINVAL},
        {XEN_DOMCTL_set_virq_handler, {~0u}, -EINVAL},
        {XEN_DOMCTL_set_target, {0}, -EOPNOTSUPP},
        {XEN_DOMCTL_gdbsx_guestmemio, {0}, -ENOSYS},
        {0xffffffff, {0}, -ENOSYS},
    };
    struct xen_domctl op;

    need_child(1);
    for (unsigned i = 0; i < ARRAY_SIZE(ask); i++) {
        op = (struct xen_domctl){0};
        memcpy(&op.u, ask[i].word, sizeof(ask[i].word));
        if (!check_eq(domctl(ask[i].cmd, kid.id, &op), ask[i].error))
            note("operation %u, row %u", ask[i].cmd, i);
    }
    op = (struct xen_domctl){0};
    check_eq(domctl(XEN_DOMCTL_get_address_size, kid.id, &op), 0);
    check_eq(op.u.address_size.size, 64);
    check_eq(child_destroy(&kid), 0);
}

static bool takes_no_domain(unsigned cmd)
{
    return cmd == XEN_DOMCTL_createdomain;
}

/* What a tool may not do to the domain that it runs in. */
TEST(not_to_oneself)
{
    static const unsigned cmds[] = {
        XEN_DOMCTL_destroydomain,  XEN_DOMCTL_pausedomain,         XEN_DOMCTL_resumedomain,
        XEN_DOMCTL_max_vcpus,      XEN_DOMCTL_setdebugging,        XEN_DOMCTL_soft_reset,
        XEN_DOMCTL_gettscinfo,          XEN_DOMCTL_get_vcpu_msrs,   XEN_DOMCTL_setvcpucontext,
        XEN_DOMCTL_set_ext_vcpucontext, XEN_DOMCTL_setvcpuextstate, XEN_DOMCTL_shadow_op,
        XEN_DOMCTL_settscinfo,          XEN_DOMCTL_set_cpu_policy};

    for (unsigned i = 0; i < ARRAY_SIZE(cmds); i++) {
        check_eq(domctl_plain(cmds[i], guest_domid()), -EINVAL);
        check_eq(domctl_plain(cmds[i], DOMID_SELF), -EINVAL);
    }
}

TEST(nobody_is_not_found)
{
    for (unsigned cmd = 0; cmd < 90; cmd++) {
        long rc = takes_no_domain(cmd) ? -ESRCH : domctl_plain(cmd, NOBODY);

        if (rc != -ESRCH && rc != -ENOSYS)
            check_eq(cmd, -1);
    }
}

TEST(arguments_are_checked_first)
{
    struct xen_domctl op = {.cmd = XEN_DOMCTL_getdomaininfo, .interface_version = 0x14};

    check_eq(hypercall_domctl(&op), -EACCES);
    op.interface_version = 0x16;
    check_eq(hypercall_domctl(&op), -EACCES);
    check_eq(hypercall_domctl((void *)8), -EFAULT);
    check_eq(hypercall_domctl((void *)0xffff830000000000), -EFAULT);
    op = (struct xen_domctl){0};
    check_eq(domctl(0, 0, &op), -ENOSYS);
    op = (struct xen_domctl){._pad = {0x4dc8, 1, 2}}; /* tools leave garbage there */
    check_eq(domctl(XEN_DOMCTL_getdomaininfo, 0, &op), 0);
    check_eq(op.u.getdomaininfo.domain, 0);
}

TEST(inside_a_multicall)
{
    struct xen_domctl op = {.cmd = XEN_DOMCTL_getdomaininfo,
                            .interface_version = XEN_DOMCTL_INTERFACE_VERSION};
    struct multicall_entry call = {.op = __HYPERVISOR_domctl, .args = {(unsigned long)&op}};

    check_eq(hypercall_multicall(&call, 1), 0);
    check_eq(call.result, 0);
    check_eq(op.u.getdomaininfo.domain, 0);
}

/* ---- to whom all this is refused ---- */

TEST(children_may_not)
{
    struct xen_domctl *op;
    struct xen_sysctl *sys;
    const domid_t whom[] = {0, DOMID_SELF, NOBODY};

    need_child(1);
    start();
    op = (void *)kid.data->scratch;
    for (unsigned cmd = 0; cmd < 90; cmd++)
        for (unsigned i = 0; i < ARRAY_SIZE(whom); i++) {
            memset(op, 0, sizeof(*op));
            op->cmd = cmd;
            op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
            op->domain = whom[i];
            if (child_call(&kid, __HYPERVISOR_domctl, child_scratch_va(), 0, 0) != -EPERM)
                check_eq(cmd, -1);
        }
    sys = (void *)kid.data->scratch;
    for (unsigned cmd = 0; cmd < 32; cmd++) {
        memset(sys, 0, sizeof(*sys));
        sys->cmd = cmd;
        sys->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
        if (child_call(&kid, __HYPERVISOR_sysctl, child_scratch_va(), 0, 0) != -EPERM)
            check_eq(cmd, -1);
    }
    check_eq(info_of(kid.id).tot_pages, kid.nr_pages);
    check_eq(child_destroy(&kid), 0);
}

static long child_memory_op(unsigned cmd, domid_t dom, uint64_t frame)
{
    struct xen_memory_reservation *r = (void *)kid.data->scratch;
    uint64_t *list = (void *)(kid.data->scratch + 128);

    *r = (struct xen_memory_reservation){.nr_extents = 1, .domid = dom};
    r->extent_start.p = (void *)(child_scratch_va() + 128);
    list[0] = frame;
    return child_call(&kid, __HYPERVISOR_memory_op, cmd, child_scratch_va(), 0);
}

TEST(children_touch_no_others)
{
    struct mmu_update *u;
    struct mmuext_op *x;
    struct evtchn_alloc_unbound *a;

    need_child(1);
    start();
    check_eq(child_memory_op(XENMEM_populate_physmap, 0, 5), 0); /* extents done */
    check_eq(child_memory_op(XENMEM_decrease_reservation, 0, virt_to_mfn(&kid)), 0);
    check_eq(child_memory_op(XENMEM_claim_pages, 0, 0), -EINVAL); /* it gives a list */
    memset(kid.data->scratch, 0, 16);                             /* domain 0 */
    check_eq(
        child_call(&kid, __HYPERVISOR_memory_op, XENMEM_current_reservation, child_scratch_va(), 0),
        -EPERM);
    u = (void *)kid.data->scratch;
    u->ptr = (kid.mfn[CHILD_L1] << PAGE_SHIFT) | pt_index(CHILD_VA(CHILD_SPARE), 1) * 8;
    u->val = pte_make(virt_to_mfn(&kid), PROT_RO | PTE_US);
    kid.data->arg[3] = 0; /* of domain 0 */
    check_lt(child_call(&kid, __HYPERVISOR_mmu_update, child_scratch_va(), 1, 0), 0);
    x = (void *)kid.data->scratch;
    *x = (struct mmuext_op){.cmd = MMUEXT_CLEAR_PAGE, .arg1.mfn = virt_to_mfn(&kid)};
    check_eq(child_call(&kid, __HYPERVISOR_mmuext_op, child_scratch_va(), 1, 0), -EPERM);
    a = (void *)kid.data->scratch;
    *a = (struct evtchn_alloc_unbound){.dom = 0, .remote_dom = kid.id};
    check_lt(child_call(&kid, __HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound,
                        child_scratch_va(), 0),
             0);
    check_eq(child_destroy(&kid), 0);
}

/* ---- two at once ---- */

static volatile bool stop;
static volatile domid_t victim;

/* On the second vcpu: everything that changes a domain, at whatever is being built or destroyed. */
static void meddle(void *arg)
{
    static struct vcpu_guest_context theirs;
    struct xen_domctl op;

    (void)arg;
    while (!stop) {
        domid_t dom = victim;

        theirs.flags = VGCF_in_kernel | VGCF_online;
        theirs.ctrlreg[3] = xen_pfn_to_cr3(kid.mfn[CHILD_L4]);
        op = (struct xen_domctl){.u.vcpucontext.ctxt.p = &theirs};
        domctl(XEN_DOMCTL_setvcpucontext, dom, &op);
        op = (struct xen_domctl){.u.vcpucontext = {.vcpu = 1}};
        domctl(XEN_DOMCTL_setvcpucontext, dom, &op);
        op = (struct xen_domctl){.u.vcpucontext.ctxt.p = &theirs};
        domctl(XEN_DOMCTL_getvcpucontext, dom, &op);
        op = (struct xen_domctl){.u.max_vcpus.max = 2};
        domctl(XEN_DOMCTL_max_vcpus, dom, &op);
        domctl_plain(XEN_DOMCTL_pausedomain, dom);
        domctl_plain(XEN_DOMCTL_unpausedomain, dom);
        domctl_plain(XEN_DOMCTL_getdomaininfo, dom);
        if (time_now() & 64)
            domctl_plain(XEN_DOMCTL_destroydomain, dom);
    }
}

TEST(two_vcpus_race_at_one_domain)
{
    uint64_t before;
    unsigned made = 0;

    if (!guest_is_initial() || vcpu_count() < 2)
        skip("one vcpu");
    need_eq(child_create(&kid, 2, CHILD_MIN_PAGES), 0);
    check_eq(child_destroy(&kid), 0);
    before = settled_pages();
    stop = false;
    victim = NOBODY;
    need_eq(vcpu_start(1, meddle, NULL), 0);
    for (unsigned i = 0; i < 100 || (made < 50 && i < 100000); i++) {
        struct xen_domctl op;

        child_config(&op, 2);
        if (domctl(XEN_DOMCTL_createdomain, 0, &op))
            continue;
        victim = op.domain;
        kid.id = op.domain;
        made++;
        op = (struct xen_domctl){.u.max_mem.max_memkb = 1024};
        domctl(XEN_DOMCTL_max_mem, kid.id, &op);
        for (unsigned k = 0; k < CHILD_MIN_PAGES; k++)
            kid.mfn[k] = k;
        if (reserve(XENMEM_populate_physmap, CHILD_MIN_PAGES, kid.mfn) == CHILD_MIN_PAGES)
            for (unsigned k = 0; k < 20; k++)
                domctl_plain(XEN_DOMCTL_getdomaininfo, kid.id);
        domctl_plain(XEN_DOMCTL_destroydomain, kid.id);
    }
    stop = true;
    vcpu_wait_down(1);
    check_ge(made, 50);
    note("%u domains made", made);
    memory_is_back(before);
}

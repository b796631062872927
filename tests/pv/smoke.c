/* SPDX-License-Identifier: MIT */
/* Does the ground hold? A few short tests of each part of the guest library that the other
 * test kernels build on, and so of the calls below it. */
#include <pv/test.h>

TEST(hypercall_answers)
{
    check_eq(hypercall_xen_version(XENVER_version, NULL), 4 << 16 | 17);
    check_eq(hypercall1(63, 0), -ENOSYS);
}

TEST(formats_and_strings)
{
    char s[64];

    snprintf(s, sizeof(s), "%5d|%-4u|%04x|%#lx|%s|%.2s|%c", -42, 7u, 0xabu, 0x10ul, "ab", "xyz",
             '!');
    check_str(s, "  -42|7   |00ab|0x10|ab|xy|!");
    check_eq(snprintf(s, 4, "123456"), 6);
    check_str(s, "123");
    check_eq(strtou64("0x1fg", NULL), 0x1f);
    check(strstr("needle in hay", "in h") != NULL);
}

TEST(frame_numbers_agree)
{
    void *page = alloc_page();
    pfn_t pfn = virt_to_pfn(page);

    need(page);
    check_eq(mfn_to_pfn(pfn_to_mfn(pfn)), pfn);
    check_eq(m2p_raw(virt_to_mfn(page)), pfn);
    check(mfn_to_virt(virt_to_mfn(page)) == page);
    check_eq(pte_mfn(*pt_entry((uint64_t)page, 1)), virt_to_mfn(page));
    free_page(page);
}

TEST(pages_come_and_go)
{
    size_t before = mm_unused_pages();
    uint64_t *p = alloc_pages(700), *q = alloc_pages(3);

    need(p && q);
    p[0] = p[700 * 512 - 1] = 1;
    check_eq(q[0] | q[3 * 512 - 1], 0);
    free_pages(p, 700);
    free_pages(q, 3);
    /* What is missing became page tables for the physmap. */
    check_le(before - mm_unused_pages(), 8);
    check(alloc_pages(MM_MAX_PAGES + 1) == NULL);
}

TEST(heap_gives_distinct_objects)
{
    char *p[64];

    for (unsigned i = 0; i < 64; i++) {
        p[i] = kmalloc(i * 100 + 1);
        need(p[i]);
        memset(p[i], i, i * 100 + 1);
    }
    for (unsigned i = 0; i < 64; i++) {
        check_eq(p[i][0], i);
        check_eq(p[i][i * 100], i);
        kfree(p[i]);
    }
}

TEST(faults_are_caught)
{
    volatile char *nowhere = vm_reserve(1);
    struct fault f;

    f = check_fault(TRAP_PF, *nowhere = 1);
    check_eq(f.cr2, (uint64_t)nowhere);
    check_eq(f.error & (PFEC_P | PFEC_W), PFEC_W);
    check_fault_err(TRAP_UD, 0, __asm__ volatile("ud2"));
    check_fault(TRAP_GP, __asm__ volatile("hlt"));
    check_fault(TRAP_BP, __asm__ volatile("int3"));
    check_no_fault(f.rip = 0);
    check(!events_enabled());
}

TEST(frames_can_be_mapped_twice)
{
    uint64_t *page = alloc_page(), *alias = vm_reserve(1);

    need(page && alias);
    need_eq(map_frame((uint64_t)alias, virt_to_mfn(page), PROT_RW), 0);
    alias[5] = 0x5a5a;
    check_eq(page[5], 0x5a5a);
    need_eq(map_frame((uint64_t)alias, virt_to_mfn(page), PROT_RO), 0);
    check_fault_err(TRAP_PF, PFEC_P | PFEC_W, alias[5] = 1);
    check_eq(unmap_frame((uint64_t)alias), 0);
    check_fault(TRAP_PF, (void)*(volatile uint64_t *)alias);
    free_page(page);
}

static bool skip_two_bytes(struct trap_regs *r)
{
    r->rip += 2;
    return true;
}

TEST(hooks_resume)
{
    check(trap_set_handler(TRAP_UD, skip_two_bytes) == NULL);
    __asm__ volatile("ud2");
    check(trap_set_handler(TRAP_UD, NULL) == skip_two_bytes);
}

static void count_event(evtchn_port_t port, void *arg)
{
    (void)port;
    ++*(volatile unsigned *)arg;
}

static void send_to_self(void)
{
    volatile unsigned seen = 0;
    evtchn_port_t port;

    need_eq(evtchn_bind_ipi(0, &port), 0);
    evtchn_set_handler(port, count_event, (void *)&seen);
    check_eq(evtchn_send(port), 0);
    check_eq(seen, 0); /* events are still off */
    events_enable();
    check_eq(seen, 1);
    check_eq(evtchn_send(port), 0);
    check_eq(seen, 2);
    evtchn_mask(port);
    check_eq(evtchn_send(port), 0);
    check_eq(seen, 2);
    check(evtchn_is_pending(port));
    evtchn_unmask(port);
    check_eq(seen, 3);
    events_disable();
    check_eq(evtchn_close(port), 0);
}

TEST(events_arrive)
{
    send_to_self();
}

TEST(timer_fires)
{
    unsigned before = time_timer_fired();
    uint64_t start = time_now();

    time_sleep(2 * NS_PER_MS);
    check_ge(time_now() - start, 2 * NS_PER_MS);
    check_ge(time_timer_fired(), before + 1);
}

__asm__(".pushsection .user, \"ax\"\n"
        "user_start: mov $7, %eax; syscall; inc %rax; int $0x80; mov %rax, 0x600000; ud2\n"
        "user_end: .popsection\n");
extern const char user_start[], user_end[];

TEST(user_mode_runs)
{
    struct user_space us;
    struct trap_regs r = {.rip = USER_CODE, .rsp = USER_STACK_TOP};
    uint64_t *data;

    need_eq(user_space_create(&us), 0);
    need_eq(user_map_code(&us, USER_CODE, user_start, user_end), 0);
    check_eq(user_run(&us, &r), TRAP_SYSCALL);
    check_eq(r.rax, 7);
    check_eq(user_run(&us, &r), TRAP_INT80);
    check_eq(r.rax, 8);
    check_eq(user_run(&us, &r), TRAP_PF);
    check_eq(trap_cr2(), USER_DATA);
    need_eq(user_map_page(&us, USER_DATA, PTE_RW, (void **)&data), 0);
    check_eq(user_run(&us, &r), TRAP_UD);
    check_eq(data[0], 8);
    user_space_destroy(&us);
}

TEST(own_page_is_granted_and_mapped)
{
    uint64_t *page = alloc_page(), *va = vm_reserve(1);
    grant_handle_t handle;
    grant_ref_t ref;

    need_eq(gnttab_init(1), 0);
    ref = gnttab_grant(0, virt_to_mfn(page), false);
    need(ref);
    need_eq(gnttab_map(0, ref, va, 0, &handle), GNTST_okay);
    check(gnttab_in_use(ref));
    check(!gnttab_end(ref));
    va[1] = 0x77;
    check_eq(page[1], 0x77);
    check_eq(gnttab_unmap(va, handle), GNTST_okay);
    check_fault(TRAP_PF, va[1] = 1);
    check(gnttab_end(ref));
    free_page(page);
}

static struct vcpu_barrier meet = VCPU_BARRIER_INIT(2);
static volatile unsigned remote_events, other_id;

static void other_vcpu(void *arg)
{
    other_id = vcpu_id();
    check(arg == (void *)0x1234);
    check_fault(TRAP_UD, __asm__ volatile("ud2"));
    time_sleep(NS_PER_MS);
    vcpu_barrier_wait(&meet);
    evtchn_wait(&remote_events);
}

TEST(second_vcpu_runs)
{
    evtchn_port_t port;

    if (vcpu_count() < 2)
        skip("one vcpu only");
    need_eq(evtchn_bind_ipi(1, &port), 0);
    evtchn_set_handler(port, count_event, (void *)&remote_events);
    for (unsigned round = 0; round < 3; round++) {
        remote_events = other_id = 0;
        need_eq(vcpu_start(1, other_vcpu, (void *)0x1234), 0);
        vcpu_barrier_wait(&meet);
        check_eq(other_id, 1);
        check_eq(evtchn_send(port), 0);
        vcpu_wait_down(1);
        check_eq(remote_events, 1);
    }
    check_eq(evtchn_close(port), 0);
}

static void serve_ourselves(void *arg)
{
    peer_serve((domid_t)(uintptr_t)arg);
}

static long add_up(long a, long b, long c, long d)
{
    *(long *)peer_data(peer_served()) = vcpu_id();
    return a + b + c + d;
}

TEST(peers_call_each_other)
{
    domid_t self = guest_domid();
    struct peer p;

    if (vcpu_count() < 2)
        skip("one vcpu only");
    need_eq(vcpu_start(1, serve_ourselves, (void *)(uintptr_t)self), 0);
    for (long round = 0; round < 3; round++) {
        need_eq(peer_connect(&p, self), 0);
        check_eq(peer_call(&p, add_up, 1, 2, 3, round), 6 + round);
        check_eq(*(long *)peer_data(&p), 1);
        if (round < 2)
            peer_disconnect(&p);
    }
    peer_end(&p);
    vcpu_wait_down(1);
}

TEST(fifo_events_arrive)
{
    unsigned before;

    need_eq(evtchn_use_fifo(1), 0);
    send_to_self();
    before = time_timer_fired();
    time_sleep(NS_PER_MS);
    check_ge(time_timer_fired(), before + 1);
}

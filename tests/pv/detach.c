/* SPDX-License-Identifier: MIT */
/* Runs of plain instructions that write to one level 1 table: after a few the hypervisor lets the
 * guest write to it directly, out of the reach of the CPU, until the table is needed. Does the
 * guest ever see anything but what an update of each entry would have done?
 *
 * The tables lie in the lower half of the address space, as those of user processes do. */
#include "tables.h"

#define LOW   0x0000004000000000ul /* below a level 1 table of its own */
#define PAGES 64u
#define RUN   32u /* writes in a row: enough for any patience of the hypervisor */

static char *pages[PAGES];

static volatile char *low(unsigned i)
{
    return (volatile char *)LOW + i * PAGE_SIZE;
}

static uint64_t *entry_of(unsigned i)
{
    return pt_entry(LOW + i * PAGE_SIZE, 1);
}

/* Is the table open to direct writes just now? */
static bool is_open(void)
{
    return *pt_entry((uint64_t)entry_of(0), 1) & PTE_RW;
}

static void set_up(void)
{
    for (unsigned i = 0; i < PAGES; i++) {
        pages[i] = new_page();
        need_eq(map_frame(LOW + i * PAGE_SIZE, virt_to_mfn(pages[i]), PROT_RW), 0);
        *low(i) = (char)i;
    }
}

static void tear_down(void)
{
    for (unsigned i = 0; i < PAGES; i++) {
        check_eq(unmap_frame(LOW + i * PAGE_SIZE), 0);
        free_page(pages[i]);
    }
    check(!is_open());
}

/* What fork does. */
static void protect(unsigned i)
{
    __asm__ volatile("lock andb $0xfd, %0"
                     : "+m"(*(volatile char *)entry_of(i))
                     :
                     : "memory", "cc");
}

/* What munmap does. */
static uint64_t take(unsigned i)
{
    uint64_t v = 0;

    __asm__ volatile("xchgq %0, %1"
                     : "+r"(v), "+m"(*(volatile uint64_t *)entry_of(i))
                     :
                     : "memory");
    return v;
}

static void protect_run(void)
{
    for (unsigned i = 0; i < RUN; i++)
        protect(i);
}

TEST(a_run_of_writes_opens_the_table)
{
    set_up();
    check(!is_open());
    protect_run();
    check(is_open());
    for (unsigned i = 0; i < RUN; i++)
        check(!(*entry_of(i) & PTE_RW));
    tear_down();
}

TEST(plain_stores_do_not)
{
    set_up();
    for (unsigned i = 0; i < RUN; i++)
        *(volatile uint64_t *)entry_of(i) = *entry_of(i) & ~PTE_RW;
    check(!is_open());
    tear_down();
}

TEST(access_closes_it)
{
    set_up();
    protect_run();
    tlb_flush_local();
    check_eq(*low(3), 3);
    check(!is_open());
    check_fault_err(TRAP_PF, PFEC_P | PFEC_W, *low(3) = 1);
    check_eq(*low(RUN - 1), RUN - 1);
    *low(RUN) = 77;
    check_eq(*low(RUN), 77);
    tear_down();
}

TEST(what_is_written_after_it_is_open_counts)
{
    char *other = new_page();

    other[0] = 'o';
    set_up();
    protect_run();
    need(is_open());
    *(volatile uint64_t *)entry_of(0) = ro_pte(other);
    *(volatile uint64_t *)entry_of(1) = 0;
    *(volatile uint64_t *)entry_of(2) = rw_pte(other);
    tlb_flush_local();
    check_eq(*low(0), 'o');
    check_fault(TRAP_PF, *low(1));
    *low(2) = 'n';
    check_eq(other[0], 'n');
    check_pte(*entry_of(0), ro_pte(other));
    check_pte(*entry_of(2), rw_pte(other));
    tear_down();
    free_page(other);
}

TEST(references_are_dropped_when_it_closes)
{
    set_up();
    for (unsigned i = 0; i < RUN; i++)
        check_eq(pte_mfn(take(i)), virt_to_mfn(pages[i]));
    need(is_open());
    /* No writable mapping is left but the kernel's: each may become a table at once. */
    for (unsigned i = 0; i < RUN; i++) {
        memset(pages[i], 0, PAGE_SIZE);
        check_eq(page_readonly(pages[i]), 0);
        check_eq(pt_pin(pages[i], 1), 0);
        check_eq(pt_unpin(pages[i]), 0);
        check_eq(page_writable(pages[i]), 0);
    }
    tear_down();
}

TEST(hypercalls_find_what_lies_behind_it)
{
    char *list;

    set_up();
    list = (char *)LOW + 40 * PAGE_SIZE;
    protect_run();
    need(is_open());
    *(struct xen_memory_domain *)pages[40] = (struct xen_memory_domain){.domid = DOMID_SELF};
    check(hypercall_memory_op(XENMEM_current_reservation, list) > 0);
    protect_run();
    check_eq(hypercall_mmu_update((void *)list, 0, NULL, DOMID_SELF), 0);
    tear_down();
}

TEST(updates_find_it_closed)
{
    set_up();
    protect_run();
    need(is_open());
    check_eq(update_entry(entry_of(0), 5, 0), 0);
    check(!is_open());
    check_eq(*entry_of(5), 0);
    protect_run();
    check_eq(map_at(LOW + 5 * PAGE_SIZE, rw_pte(pages[5])), 0);
    check(!is_open());
    *low(5) = 5;
    tear_down();
}

TEST(the_next_table_opens_as_well)
{
    uint64_t va = LOW + 512 * PAGE_SIZE;

    set_up();
    for (unsigned i = 0; i < PAGES; i++)
        need_eq(map_frame(va + i * PAGE_SIZE, virt_to_mfn(pages[i]), PROT_RW), 0);
    protect_run();
    need(is_open());
    for (unsigned i = 0; i < RUN; i++)
        __asm__ volatile("lock andb $0xfd, %0"
                         : "+m"(*(volatile char *)pt_entry(va + i * PAGE_SIZE, 1))
                         :
                         : "memory", "cc");
    check(!is_open());
    check(*pt_entry((uint64_t)pt_entry(va, 1), 1) & PTE_RW);
    check_fault(TRAP_PF, *(volatile char *)va = 1);
    for (unsigned i = 0; i < PAGES; i++)
        check_eq(unmap_frame(va + i * PAGE_SIZE), 0);
    tear_down();
}

/* A table that is linked twice can be reached in two ways: only one would be shut. */
TEST(a_table_with_two_links_stays_shut)
{
    uint64_t second = LOW + 512 * PAGE_SIZE * 8;
    uint64_t *l2;

    set_up();
    need(pt_ensure(second + (1ul << 21)));
    l2 = pt_entry(second, 2);
    check_eq(update_entry(l2 - ((uint64_t)l2 & 0xfff) / 8, pt_index(second, 2), *pt_entry(LOW, 2)),
             0);
    protect_run();
    check(!is_open());
    check_fault(TRAP_PF, *(volatile char *)second = 1);
    check_eq(update_entry(l2 - ((uint64_t)l2 & 0xfff) / 8, pt_index(second, 2), 0), 0);
    tlb_flush_local();
    tear_down();
}

/* ---- user mode must never run beside an open table ---- */

extern const char detach_user[], detach_user_end[];
__asm__(".pushsection .rodata\n"
        "detach_user: movzbl (%rdi), %eax; movb $9, (%rdi); ud2\n"
        "detach_user_end: .popsection\n");

TEST(user_mode_finds_it_closed)
{
    struct user_space us;
    struct trap_regs first = {.rip = USER_CODE, .rsp = USER_STACK_TOP, .rdi = USER_DATA}, r = first;

    set_up();
    need_eq(user_space_create(&us), 0);
    need_eq(user_map_code(&us, USER_CODE, detach_user, detach_user_end), 0);
    need_eq(user_map_frame(&us, USER_DATA, virt_to_mfn(pages[7]), PTE_RW), 0);
    check_eq(user_run(&us, &first),
             TRAP_UD); /* the next run does not change page tables any more */
    pages[7][0] = 7;
    for (unsigned n = 0; n < 20 && !is_open(); n++)
        protect_run(); /* after a refusal it takes longer */
    need(is_open());
    check_eq(user_run(&us, &r), TRAP_UD);
    check(!is_open());
    check_eq(r.rax, 7);
    check_eq(pages[7][0], 9);
    user_space_destroy(&us);
    tear_down();
}

/* ---- other vcpus ---- */

static volatile bool stop;
static volatile unsigned seen;

/* Another vcpu on the same tables: it must never see an entry that was not checked, nor find its
 * own accesses failing. */
static void read_all(void *arg)
{
    (void)arg;
    while (!stop)
        for (unsigned i = 0; i < PAGES; i++)
            if (*low(i) != (char)i)
                seen++;
}

TEST(other_vcpus_on_these_tables_keep_it_shut)
{
    if (vcpu_count() < 2)
        skip("one vcpu only");
    set_up();
    stop = false;
    seen = 0;
    need_eq(vcpu_start(1, read_all, NULL), 0);
    for (unsigned n = 0; n < 200; n++) {
        protect_run();
        check(!is_open());
        for (unsigned i = 0; i < RUN; i++)
            check_eq(update_entry(entry_of(0), i, rw_pte(pages[i])), 0);
    }
    stop = true;
    vcpu_wait_down(1);
    check_eq(seen, 0);
    tear_down();
}

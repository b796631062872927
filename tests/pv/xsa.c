/* SPDX-License-Identifier: MIT */
/* What hostile guests have done to page tables and memory operations of a hypervisor: each test
 * tries one such attack and wants to find the property that stops it. The numbers are those of the
 * Xen security advisories from which the lessons come. A hypervisor that falls for one usually dies
 * of it; the rest shows in counts: at the end of an attack, the pages used must be plain pages
 * again. */
#include "tables.h"

// cmdline: dom0_mem=400M
// domu: name=b mem=32M -- peer

#define RACE_NS (300 * NS_PER_MS)
#define FAR_PFN 0x1000000ul

/* ---- tools ---- */

/* Nobody refers to @page, neither as table nor by mapping: once given back it is gone at once. */
#define check_unused(page) check_unused_at(page, __LINE__)

static void check_unused_at(void *page, int line)
{
    xen_pfn_t mfn = virt_to_mfn(page), pfn = virt_to_pfn(page);
    long before = current_pages();

    check_eq(page_writable(page), 0);
    check_eq(unmap_frame((uint64_t)page), 0);
    check_eq(memory(XENMEM_decrease_reservation, &mfn, 1, 0), 1);
    if (!check_eq(current_pages(), before - 1))
        note("still in use: page %p, called in line %d", page, line);
    if (!check_eq(memory(XENMEM_populate_physmap, &pfn, 1, 0), 1))
        panic("a page is lost");
    p2m_set(virt_to_pfn(page), pfn);
    check_eq(page_writable(page), 0);
    free_page(page);
}

/* A refused validation may be undone at the vcpu's next call of this group. */
static void finish_refused(void)
{
    tlb_flush_local();
}

/* ---- two vcpus against each other ---- */

static volatile bool race_over;
static void (*volatile rival)(void);

static void rival_loop(void *arg)
{
    (void)arg;
    while (!race_over)
        rival();
    finish_refused();
}

/* Run @theirs on vcpu 1 and @mine here, again and again. False: there is only one vcpu. */
static bool race(void (*theirs)(void), void (*mine)(void))
{
    uint64_t until;

    if (vcpu_count() < 2)
        return false;
    rival = theirs;
    race_over = false;
    if (!check_eq(vcpu_start(1, rival_loop, NULL), 0))
        return true;
    for (until = time_now() + RACE_NS; time_now() < until;)
        mine();
    race_over = true;
    vcpu_wait_down(1);
    return true;
}

#define race_or_skip(theirs, mine)                                                                 \
    do {                                                                                           \
        if (!race((theirs), (mine)))                                                               \
            skip("one vcpu only");                                                                 \
    } while (0)

/* ---- a storm of timer events, so that long calls are interrupted everywhere ---- */

#define STORM_NS (20 * NS_PER_US)

static volatile unsigned long storm_events;

static void storm_again(evtchn_port_t port, void *arg)
{
    (void)port, (void)arg;
    storm_events++;
    time_set_timer(time_now() + STORM_NS);
}

static void storm_start(void)
{
    storm_events = 0;
    evtchn_set_handler(this_vcpu()->timer_port, storm_again, NULL);
    events_enable();
    time_set_timer(time_now() + STORM_NS);
}

static void storm_stop(void)
{
    events_disable();
    time_set_timer(0);
    evtchn_clear(this_vcpu()->timer_port);
    time_init_vcpu();
}

/* ---- a tree that takes long to check ----
 * 1 level 4, 1 level 3, 2 level 2 tables and 24 full ones of level 1. Slot 0 of the upper ones
 * stays empty: Xen 4.17 keeps a reference when what slot 0 names does not validate. */

#define TREE_L1 24

struct tree {
    uint64_t *l4, *l3, *l2[2], *l1[TREE_L1];
    uint64_t *leaf;
};

static void tree_make(struct tree *t)
{
    t->leaf = new_page();
    t->l4 = new_table();
    t->l3 = new_page();
    for (unsigned i = 0; i < TREE_L1; i++) {
        t->l1[i] = new_page();
        for (unsigned k = 0; k < 512; k++)
            t->l1[i][k] = k & 1 ? rw_pte(t->leaf) : ro_pte(t->leaf);
        if (page_readonly(t->l1[i]))
            panic("page cannot be made read-only");
    }
    for (unsigned h = 0; h < 2; h++) {
        t->l2[h] = new_page();
        for (unsigned i = 0; i < TREE_L1 / 2; i++)
            t->l2[h][1 + i * 40] = table_pte(t->l1[h * TREE_L1 / 2 + i]);
        if (page_readonly(t->l2[h]))
            panic("page cannot be made read-only");
        t->l3[1 + h * 510] = table_pte(t->l2[h]);
    }
    if (page_readonly(t->l3))
        panic("page cannot be made read-only");
    set_entry(t->l4, 7, table_pte(t->l3));
}

/* Nothing of the tree may be in use any more, the page that it maps included. */
static void tree_free(struct tree *t)
{
    finish_refused();
    check_unused(t->l4);
    check_unused(t->l3);
    for (unsigned h = 0; h < 2; h++)
        check_unused(t->l2[h]);
    for (unsigned i = 0; i < TREE_L1; i++)
        check_unused(t->l1[i]);
    check_unused(t->leaf);
}

/* ---- page tables, types, references, TLB ---- */

TEST(both_directions_of_a_frame_map_change_together) /* XSA-22 */
{
    xen_pfn_t *list = new_page();
    mfn_t end = hypercall_memory_op(XENMEM_maximum_ram_page, NULL);
    long before, gained, found = 0;

    list[0] = FAR_PFN + 0x2222;
    check_eq(page_readonly(list), 0); /* the frame cannot be told */
    before = current_pages();
    for (unsigned i = 0; i < 100; i++)
        check_eq(memory(XENMEM_populate_physmap, list, 1, 0), 0);
    gained = current_pages() - before;
    /* Those that are ours nevertheless, if any, are those of which the table says so. */
    for (xen_pfn_t mfn = 0; mfn < end; mfn++) {
        volatile uint64_t pfn = 0;

        if (!FAULT_OF(pfn = m2p_raw(mfn)).hit && pfn == FAR_PFN + 0x2222 &&
            memory(XENMEM_decrease_reservation, &mfn, 1, 0) == 1)
            found++;
    }
    check_eq(found, gained);
    check_eq(current_pages(), before);
    check_free_table(list);
}

TEST(frame_numbers_are_checked_before_use) /* XSA-32 */
{
    const uint64_t wrong[] = {hypercall_memory_op(XENMEM_maximum_ram_page, NULL) + 1,
                              FRAME_NOWHERE,
                              1ul << 36,
                              1ul << 39,
                              (1ul << 40) - 2,
                              1ul << 40,
                              1ul << 51,
                              1ul << 52,
                              1ul << 60,
                              ~0ul >> 12,
                              ~0ul - 1,
                              ~0ul};
    uint64_t *table = new_table();

    check_eq(pt_pin(table, 2), 0);
    for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++) {
        xen_pfn_t n = wrong[i];
        xen_ulong_t frame = n;

        check_lt(update(n << PAGE_SHIFT, 0), 0);
        check_lt(update(n << PAGE_SHIFT | MMU_MACHPHYS_UPDATE, 0), 0);
        check_lt(update_entry(table, 0, pte_make(n, PROT_TABLE)), 0);
        for (unsigned cmd = MMUEXT_PIN_L1_TABLE; cmd <= MMUEXT_NEW_BASEPTR; cmd++)
            check_eq(mmuext(cmd, n, 0), -EINVAL);
        check_eq(mmuext(MMUEXT_NEW_USER_BASEPTR, n, 0), -EINVAL);
        check_eq(mmuext(MMUEXT_CLEAR_PAGE, n, 0), -EINVAL);
        check_eq(mmuext(MMUEXT_COPY_PAGE, n, n), -EINVAL);
        check_eq(memory(XENMEM_decrease_reservation, &n, 1, 0), 0);
        check_eq(memory(XENMEM_decrease_reservation, &n, 1, 9), 0);
        check_lt(hypercall_set_gdt(&frame, 1), 0);
        check_lt(hypercall_update_descriptor(n << PAGE_SHIFT, 0), 0);
    }
    check_eq(pt_unpin(table), 0);
    check_unused(table);
}

/* ---- the attack on a page that changes between table and writable page ---- */

static uint64_t *prey; /* mapped read-only here; its contents never hold a present entry */
static uint64_t prey_value;
static volatile unsigned long pins, maps;

/* Map it writable, write, unmap without a flush, write by what is left in the TLB. */
static void write_prey(void)
{
    volatile uint64_t *p = (uint64_t *)window(1);

    if (hypercall_update_va_mapping(window(1), rw_pte(prey), UVMF_NONE) == 0)
        maps++;
    FAULT_OF(p[5] = prey_value += 2);
    hypercall_update_va_mapping(window(1), 0, UVMF_NONE);
    FAULT_OF(p[5] = prey_value += 2);
}

static void pin_prey(void)
{
    volatile uint64_t *p = prey;
    uint64_t seen;

    if (pt_pin(prey, 1 + pins % 3))
        return;
    pins++;
    seen = p[5];
    for (unsigned i = 0; i < 500; i++)
        if (p[5] != seen) { /* check() costs too much to be called so often */
            check_eq(p[5], seen);
            break;
        }
    check_eq(pt_unpin(prey), 0);
}

static void prey_start(void)
{
    prey = new_table();
    prey_value = pins = maps = 0;
}

static void prey_end(void)
{
    note("%lu pins, %lu writable mappings", pins, maps);
    check_eq(map_at(window(1), 0), 0);
    check_unused(prey);
}

TEST(busy_types_are_errors_not_assertions) /* XSA-37 */
{
    prey_start();
    for (unsigned i = 0; i < 50; i++) { /* one vcpu can be busy with itself, too */
        write_prey();
        pin_prey();
        check_eq(map_at(window(1), rw_pte(prey)), 0);
        check_eq(pt_pin(prey, 1), -EINVAL);
        check_eq(map_at(window(1), 0), 0);
        check_eq(pt_pin(prey, 2), 0);
        check_eq(map_at(window(1), rw_pte(prey)), -EBUSY);
        check_eq(pt_unpin(prey), 0);
    }
    prey_end();
}

/* ---- translations that outlive their page-table entry ----
 * Somebody keeps writing through window(1), with what is in the TLB; the entry is cleared without a
 * flush, and the page becomes something else. The writer is vcpu 1 where there is one. */

static volatile bool hammer_on;
static volatile unsigned long hammer_blows;
static volatile uint64_t *hammer_at;

static void hammer_once(void)
{
    static volatile uint64_t value;

    value += 2; /* even: no present entry, whatever the page becomes */
    if (!FAULT_OF(*hammer_at = value).hit)
        hammer_blows++;
}

static void hammer(void *arg)
{
    (void)arg;
    while (hammer_on)
        hammer_once();
}

static bool hammer_start(volatile uint64_t *at)
{
    hammer_at = at;
    hammer_blows = 0;
    hammer_on = true;
    if (vcpu_count() > 1 && !check_eq(vcpu_start(1, hammer, NULL), 0))
        return false;
    while (hammer_blows < 3)
        vcpu_count() > 1 ? (void)hypercall_sched_op(SCHEDOP_yield, NULL) : hammer_once();
    return true;
}

static void hammer_stop(void)
{
    hammer_on = false;
    if (vcpu_count() > 1)
        vcpu_wait_down(1);
}

/* No blow lands in @page any more. */
static void check_untouched(const volatile uint64_t *page)
{
    uint64_t was = page[7];
    unsigned n = vcpu_count() > 1 ? 3000 : 3;

    for (unsigned i = 0; i < n && page[7] == was; i++)
        vcpu_count() > 1 ? (void)hypercall_xen_version(XENVER_version, NULL) : hammer_once();
    check_eq(page[7], was);
}

/* Give the frame of @page, which is mapped nowhere, back until it comes again. */
static bool come_again(uint64_t *page, bool exchange)
{
    mfn_t mfn = virt_to_mfn(page);

    for (unsigned i = 0; i < 64; i++) {
        xen_pfn_t out = virt_to_mfn(page), in = virt_to_pfn(page);

        if (exchange) {
            struct xen_memory_exchange x = {.in = {.nr_extents = 1, .domid = DOMID_SELF},
                                            .out = {.nr_extents = 1, .domid = DOMID_SELF}};

            set_xen_guest_handle(x.in.extent_start, &out);
            set_xen_guest_handle(x.out.extent_start, &in);
            check_eq(hypercall_memory_op(XENMEM_exchange, &x), 0);
        } else {
            check_eq(memory(XENMEM_decrease_reservation, &out, 1, 0), 1);
            check_eq(memory(XENMEM_populate_physmap, &in, 1, 0), 1);
        }
        p2m_set(virt_to_pfn(page), in);
        if (in == mfn)
            return true;
    }
    return false;
}

/* The leaf's table hangs below FRAGILE_ADDR for one of the ways. */
static uint64_t *fragile[3];

static void fragile_start(uint64_t *page)
{
    uint64_t *root = pfn_to_virt(pt_kernel_root());

    for (unsigned i = 0; i < 3; i++)
        fragile[i] = new_table();
    set_entry(fragile[2], 0, rw_pte(page));
    set_entry(fragile[1], 0, table_pte(fragile[2]));
    set_entry(fragile[0], 0, table_pte(fragile[1]));
    check_eq(update_entry(root, pt_index(FRAGILE_ADDR, 4), table_pte(fragile[0])), 0);
}

static void fragile_end(void)
{
    uint64_t *root = pfn_to_virt(pt_kernel_root());

    check_eq(update_entry(root, pt_index(FRAGILE_ADDR, 4), 0), 0);
    tlb_flush_local();
    check_eq(page_writable(fragile[2]), 0);
    for (unsigned i = 0; i < 3; i++)
        check_unused(fragile[i]);
}

enum vanish { CLEARED, READ_ONLY, CHANGED, TABLE_GONE, GIVEN_BACK, EXCHANGED };

/* Take the writable mapping of @page away without a flush, and with it the page for a while if @how
 * says so. False: another frame came back. */
static bool vanish(uint64_t *page, enum vanish how)
{
    uint64_t *e = pt_entry(window(1), 1), *spare;
    bool same = true;

    switch (how) {
    case READ_ONLY:
        check_eq(pt_write(e, ro_pte(page)), 0);
        break;
    case CHANGED:
        spare = new_page();
        check_eq(pt_write(e, rw_pte(spare)), 0);
        free_page(spare); /* the window is closed at the end */
        break;
    case TABLE_GONE:
        check_eq(update_entry(fragile[1], 0, 0), 0);
        break;
    default:
        check_eq(pt_write(e, 0), 0);
        break;
    }
    if (how >= GIVEN_BACK) {
        check_eq(hypercall_update_va_mapping(HC_PTR(page), 0, UVMF_NONE), 0);
        same = come_again(page, how == EXCHANGED);
        check_eq(hypercall_update_va_mapping(HC_PTR(page), ro_pte(page), UVMF_NONE), 0);
    }
    return same;
}

#define DESCRIPTORS 5 /* as a level: a descriptor table */

static void become_table(uint64_t *page, unsigned level)
{
    if (level < DESCRIPTORS) {
        check_eq(pt_pin(page, level), 0);
    } else { /* it becomes one when it is first used */
        check_eq(mmuext(MMUEXT_SET_LDT, HC_PTR(page), 512), 0);
        FAULT_OF(__asm__ volatile("mov %0, %%es" : : "r"(511 * 8 + 7)));
    }
}

static void strike_over(uint64_t *page, unsigned level)
{
    hammer_stop();
    if (level < DESCRIPTORS) {
        check_eq(pt_unpin(page), 0);
    } else {
        __asm__ volatile("mov %0, %%es" : : "r"(0));
        check_eq(mmuext(MMUEXT_SET_LDT, 0, 0), 0);
    }
    check_eq(map_at(window(1), 0), 0);
    check_eq(page_writable(page), 0);
    memset(page, 0, PAGE_SIZE);
    check_unused(page);
}

static void strike_all_levels(enum vanish how)
{
    unsigned came = 0;

    /* A read-only view of a level 1 table may be written: as a checked update. */
    for (unsigned level = how == READ_ONLY ? 2 : 1; level <= DESCRIPTORS; level++) {
        uint64_t *page = new_table(), at = window(1);

        if (how == TABLE_GONE) {
            fragile_start(page);
            at = FRAGILE_ADDR;
        } else {
            check_eq(map_at(window(1), rw_pte(page)), 0);
        }
        if (hammer_start((uint64_t *)at + 7)) {
            came += vanish(page, how);
            become_table(page, level);
            check_untouched(page);
        }
        strike_over(page, level);
        if (how == TABLE_GONE)
            fragile_end();
    }
    if (how >= GIVEN_BACK)
        note("%u of 5 frames came back", came);
}

TEST(cleared_entry_cannot_write_a_table) /* XSA-401, XSA-408 */
{
    strike_all_levels(CLEARED);
}

TEST(read_only_entry_cannot_write_a_table) /* XSA-401 */
{
    strike_all_levels(READ_ONLY);
}

TEST(changed_entry_cannot_write_a_table) /* XSA-401 */
{
    strike_all_levels(CHANGED);
}

TEST(entry_of_a_dissolved_table_cannot_write_a_table) /* XSA-401, XSA-408 */
{
    strike_all_levels(TABLE_GONE);
}

TEST(frame_that_was_away_cannot_be_written_as_a_table) /* XSA-217, XSA-401 */
{
    strike_all_levels(GIVEN_BACK);
}

TEST(exchanged_frame_cannot_be_written_as_a_table) /* XSA-217, XSA-401 */
{
    strike_all_levels(EXCHANGED);
}

TEST(types_change_under_a_race_of_mappings) /* XSA-401, XSA-408, XSA-241 */
{
    prey_start();
    race_or_skip(write_prey, pin_prey);
    prey_end();
}

static void clear_prey(void)
{
    mmuext(MMUEXT_CLEAR_PAGE, virt_to_mfn(prey), 0);
    update_entry(prey, 5, prey_value += 2);
}

/* Writes by the hypervisor itself hold the page's type like any other. Updates of a table are
 * allowed, of course; they are what the second line above does half of the time. */
static void pin_prey_and_map(void)
{
    if (pt_pin(prey, 1) == 0) {
        pins++;
        check_eq(map_at(window(2), rw_pte(prey)), -EBUSY);
        check_eq(pt_unpin(prey), 0);
    }
}

TEST(pages_cleared_and_pinned_at_once) /* XSA-37, XSA-242 */
{
    prey_start();
    if (!race(clear_prey, pin_prey_and_map))
        for (unsigned i = 0; i < 500; i++) {
            clear_prey();
            pin_prey_and_map();
        }
    check_eq(map_at(window(2), 0), 0);
    prey_end();
}

static void pin_storm(void)
{
    for (unsigned level = 1; level <= 4; level++) {
        pt_pin(prey, level);
        pt_unpin(prey);
    }
}

TEST(pin_and_unpin_storm) /* XSA-242: the last reference is always dropped by who undoes */
{
    prey_start();
    race_or_skip(pin_storm, pin_storm);
    pt_unpin(prey);
    check_eq(page_writable(prey), 0);
    memset(prey, 0, PAGE_SIZE); /* level 4 leaves entries of the hypervisor behind */
    prey_end();
}

static void update_prey(void)
{
    update_entry(prey, 9, prey_value += 2);
    FAULT_OF(((volatile uint64_t *)prey)[10] = prey_value);
    update_entry(prey, 11, ro_pte(prey));
    update_entry(prey, 11, rw_pte(prey));
    update_entry(prey, 11, 0);
}

TEST(table_updated_while_it_stops_being_one) /* XSA-242 */
{
    prey_start();
    race_or_skip(update_prey, pin_prey_and_map);
    check_eq(map_at(window(2), 0), 0);
    prey_end();
}

/* ---- long operations ---- */

TEST(validation_is_interrupted_and_goes_on) /* XSA-45, XSA-264, XSA-290 */
{
    struct tree t;

    tree_make(&t);
    storm_start();
    for (unsigned round = 0; round < 6 || (!storm_events && round < 1000); round++) {
        check_eq(pt_pin(t.l4, 4), 0);
        check_eq(page_writable(t.l1[TREE_L1 - 1]), -EBUSY);
        check_eq(pt_pin(t.l2[1], 2), 0);
        check_eq(pt_unpin(t.l4), 0);
        check_eq(page_writable(t.l1[TREE_L1 - 1]), -EBUSY);
        check_eq(pt_unpin(t.l2[1]), 0);
        check_eq(pt_pin(t.l3, 3), 0);
        check_eq(pt_unpin(t.l3), 0);
    }
    storm_stop();
    note("%lu events meanwhile", storm_events);
    check_ge(storm_events, 1);
    check_eq(page_writable(t.l4), 0);
    memset(t.l4, 0, PAGE_SIZE);
    tree_free(&t);
}

TEST(table_that_refers_to_few_many_times) /* XSA-290: 512 entries each, all to the same table */
{
    uint64_t *l4 = new_page(), *l3 = new_page(), *l2 = new_page(), *l1 = new_page();

    for (unsigned i = 0; i < 512; i++) {
        l1[i] = ro_pte(l1);
        l2[i] = table_pte(l1);
        l3[i] = table_pte(l2);
        if (i < 256 || i >= 272)
            l4[i] = table_pte(l3);
    }
    check_eq(page_readonly(l1) | page_readonly(l2) | page_readonly(l3) | page_readonly(l4), 0);
    storm_start();
    for (unsigned round = 0; round < 3; round++) {
        check_eq(pt_pin(l4, 4), 0);
        check_eq(pt_unpin(l4), 0);
    }
    storm_stop();
    check_unused(l4);
    check_unused(l3);
    check_unused(l2);
    check_unused(l1);
}

/* Where a tree goes wrong: an entry late in it, so that much has been taken before. */
static void spoil(struct tree *t, unsigned how, bool bad)
{
    mfn_t other = foreign_frame();

    switch (how) {
    case 0: /* level 1 maps a frame that is not ours */
        set_entry(t->l1[TREE_L1 - 1], 500, bad ? pte_make(other, PROT_RO) : 0);
        break;
    case 1: /* level 1 makes a table of the tree writable */
        set_entry(t->l1[TREE_L1 - 3], 200, bad ? rw_pte(t->l2[0]) : 0);
        break;
    case 2: /* level 2 names a page that is no table */
        set_entry(t->l2[1], 400, bad ? table_pte(t->l3) : 0);
        break;
    case 3: /* level 3 with a superpage */
        set_entry(t->l3, 510, bad ? table_pte(t->l2[1]) | PTE_PS : 0);
        break;
    case 4: /* level 3 names a frame that does not exist */
        set_entry(t->l3, 300, bad ? pte_make(FRAME_NOWHERE, PROT_TABLE) : 0);
        break;
    default: /* level 1 with an address beyond the processor's */
        set_entry(t->l1[4], 511, bad ? rw_pte(t->leaf) | 1ul << 51 : 0);
        break;
    }
}

#define WAYS_TO_SPOIL 6

TEST(failed_validation_keeps_nothing) /* XSA-58, XSA-299, XSA-309, XSA-310 */
{
    for (unsigned how = 0; how < WAYS_TO_SPOIL; how++) {
        struct tree t;

        tree_make(&t);
        spoil(&t, how, true);
        storm_start();
        for (unsigned round = 0; round < 3; round++) {
            check_lt(pt_pin(t.l4, 4), 0);
            check_lt(pt_pin(t.l3, 3), 0);
        }
        storm_stop();
        tree_free(&t);
    }
}

static struct tree shared_tree;

/* Take parts of the tree while vcpu 0 fails to take it whole. */
static void pin_parts(void)
{
    pt_pin(shared_tree.l2[0], 2);
    pt_pin(shared_tree.l2[1], 2);
    pt_unpin(shared_tree.l2[0]);
    pt_unpin(shared_tree.l2[1]);
    update_entry(shared_tree.l2[0], 1, 0);
    update_entry(shared_tree.l2[0], 1, table_pte(shared_tree.l1[0]));
    update_entry(shared_tree.l3, 300, 0);
    update_entry(shared_tree.l3, 300, pte_make(FRAME_NOWHERE, PROT_TABLE));
}

static void pin_whole(void)
{
    storm_start();
    if (pt_pin(shared_tree.l4, 4) == 0)
        pt_unpin(shared_tree.l4);
    if (pt_pin(shared_tree.l3, 3) == 0)
        pt_unpin(shared_tree.l3);
    storm_stop();
}

TEST(half_checked_tables_that_change_meanwhile) /* XSA-58, XSA-299, XSA-310 */
{
    if (vcpu_count() < 2)
        skip("one vcpu only");
    tree_make(&shared_tree);
    spoil(&shared_tree, 4, true);
    race(pin_parts, pin_whole);
    pt_unpin(shared_tree.l2[0]);
    pt_unpin(shared_tree.l2[1]);
    check_eq(page_writable(shared_tree.l4), 0);
    memset(shared_tree.l4, 0, PAGE_SIZE);
    tree_free(&shared_tree);
}

static void pin_tree(void)
{
    if (pt_pin(shared_tree.l4, 4) == 0)
        pt_unpin(shared_tree.l4);
}

TEST(two_vcpus_pin_one_tree) /* XSA-45, XSA-299 */
{
    if (vcpu_count() < 2)
        skip("one vcpu only");
    tree_make(&shared_tree);
    race(pin_tree, pin_whole);
    pt_unpin(shared_tree.l4);
    check_eq(page_writable(shared_tree.l4), 0);
    memset(shared_tree.l4, 0, PAGE_SIZE);
    tree_free(&shared_tree);
}

TEST(only_paravirtual_domains_have_page_tables) /* XSA-109 */
{
    static const unsigned nobody[] = {DOMID_IO, DOMID_XEN, DOMID_COW, DOMID_INVALID, DOMID_IDLE};
    uint64_t at = pt_entry_maddr(pt_entry(window(0), 1));

    for (unsigned i = 0; i < ARRAY_SIZE(nobody); i++) {
        check_lt(update_for(at, 0, (nobody[i] + 1) << 16 | DOMID_SELF), 0);
        check_lt(update_for(at | MMU_MACHPHYS_UPDATE, 0, (nobody[i] + 1) << 16 | DOMID_SELF), 0);
        check_lt(mmuext_for(MMUEXT_PIN_L4_TABLE, virt_to_mfn(start_info), 0, nobody[i]), 0);
        check_lt(mmuext_for(MMUEXT_UNPIN_TABLE, pfn_to_mfn(pt_kernel_root()), 0, nobody[i]), 0);
    }
}

TEST(refused_updates_keep_no_reference) /* XSA-113 */
{
    uint64_t *page = new_page(), *table = new_table();
    uint64_t at = virt_to_maddr(page) | MMU_MACHPHYS_UPDATE;

    check_eq(pt_pin(table, 1), 0);
    for (unsigned i = 0; i < 200; i++) {
        check_lt(update_for(at, 1, DOMID_IO), 0);
        check_lt(update_for(at, 1, NO_DOMAIN), 0);
        check_lt(update(virt_to_maddr(page) | 4, 0), 0); /* no such command */
        check_lt(update_entry(table, 0, rw_pte(page) | 1ul << 51), 0);
        check_lt(update_entry(table, 0, rw_pte(table)), 0);
        check_lt(update_for(virt_to_maddr(table), rw_pte(page), DOMID_IO), 0);
        check_lt(pt_pin(page, 1), 0);
        check_lt(pt_pin(table, 2), 0);
        check_lt(pt_unpin(page), 0);
        check_lt(mmuext(MMUEXT_COPY_PAGE, virt_to_mfn(table), virt_to_mfn(page)), 0);
        check_lt(mmuext(MMUEXT_COPY_PAGE, FRAME_NOWHERE, virt_to_mfn(page)), 0);
        check_lt(mmuext(MMUEXT_NEW_BASEPTR, virt_to_mfn(page), 0), 0);
        check_lt(mmuext(MMUEXT_NEW_USER_BASEPTR, virt_to_mfn(table), 0), 0);
        check_lt(map_at(BAD_ADDR, rw_pte(page)), 0);
    }
    check_eq(pt_unpin(table), 0);
    check_unused(table);
    check_unused(page);
}

/* ---- shortcuts ---- */

static const unsigned update_commands[] = {MMU_NORMAL_PT_UPDATE, MMU_PT_UPDATE_PRESERVE_AD,
                                           MMU_PT_UPDATE_NO_TRANSLATE};

/* The large-page bit alone would turn a table into 2 MiB of memory, neighbours included. */
TEST(superpage_bit_never_gets_in) /* XSA-148, XSA-167, XSA-176 */
{
    uint64_t *l2 = new_table(), *l1 = new_table(), *l3 = new_table(), *l4 = new_table();
    uint64_t *up[3] = {l2, l3, l4}, *low[3] = {l1, l2, l3};

    set_entry(l2, 0, table_pte(l1));
    set_entry(l3, 0, table_pte(l2));
    set_entry(l4, 0, table_pte(l3));
    check_eq(pt_pin(l4, 4), 0);
    for (unsigned k = 0; k < 3; k++)
        for (unsigned c = 0; c < ARRAY_SIZE(update_commands); c++) {
            uint64_t at = virt_to_maddr(up[k]) | update_commands[c], e = table_pte(low[k]);

            check_eq(update(at, e | PTE_PS), -EINVAL);
            check_eq(update(at, e & ~PTE_RW), 0);
            check_eq(update(at, (e & ~PTE_RW) | PTE_PS), -EINVAL);
            check_eq(update(at, (e & ~(PTE_A | PTE_D)) | PTE_PS | PTE_SW0), -EINVAL);
            check_eq(update(at, pte_make(0, PROT_TABLE | PTE_PS)), -EINVAL);
            check_eq(update(at + 8, pte_make(virt_to_mfn(l1) & ~511ul, PROT_TABLE | PTE_PS)),
                     -EINVAL);
            check_eq(update(at, PTE_PS), 0); /* without the present bit it means nothing ... */
            check_eq(update(at, e | PTE_PS), -EINVAL); /* ... and does not help later */
            check_eq(update(at, e), 0);
            check_eq(up[k][0] & PTE_PS, 0);
        }
    check_lt(mmuext(MMUEXT_MARK_SUPER, virt_to_mfn(l1) & ~511ul, 0), 0);
    check_lt(mmuext(MMUEXT_MARK_SUPER, FRAME_NOWHERE, 0), 0);
    check_lt(mmuext(MMUEXT_UNMARK_SUPER, ~0ul, 0), 0);
    check_eq(pt_unpin(l4), 0);
    check_unused(l4);
    check_unused(l3);
    check_unused(l2);
    check_unused(l1);
}

/* No way to change an entry may leave one that makes @table writable. */
static void check_not_writable(uint64_t entry, const uint64_t *table)
{
    if (entry & PTE_P && pte_mfn(entry) == virt_to_mfn(table))
        check_eq(entry & PTE_RW, 0);
}

static void flip(uint64_t *table, unsigned slot, uint64_t bits)
{
    volatile uint64_t *e = &table[slot];

    for (unsigned c = 0; c < ARRAY_SIZE(update_commands); c++) {
        uint64_t was = *e;

        update(virt_to_maddr(&table[slot]) | update_commands[c], was ^ bits);
        check_not_writable(*e, table);
        update_entry(table, slot, was);
    }
    FAULT_OF(__asm__ volatile("lock xorq %1, %0" : "+m"(*e) : "r"(bits) : "memory", "cc"));
    check_not_writable(*e, table);
    update_entry(table, slot, ro_pte(table));
}

TEST(read_only_view_of_a_table_never_becomes_writable) /* XSA-182 */
{
    for (unsigned level = 1; level <= 4; level++) {
        uint64_t *t = new_table();

        set_entry(t, 3, level == 1 ? ro_pte(t) : 0);
        check_eq(pt_pin(t, level), 0);
        if (update_entry(t, 3, ro_pte(t))) { /* linear tables may be refused altogether */
            check_ge(level, 2);
            check_eq(t[3], 0);
        }
        for (unsigned a = 0; a < 64; a++) {
            flip(t, 3, 1ul << a);
            flip(t, 3, 1ul << a | PTE_RW);
            flip(t, 3, 1ul << a | PTE_RW | PTE_A | PTE_D);
        }
        update_entry(t, 3, 0);
        check_eq(pt_unpin(t), 0);
        check_unused(t);
    }
}

TEST(self_reference_is_read_only_or_refused) /* XSA-185 */
{
    for (unsigned level = 2; level <= 4; level++) {
        uint64_t *t = new_table();
        long rc;

        set_entry(t, 1, rw_pte(t));
        check_lt(pt_pin(t, level), 0);
        set_entry(t, 1, ro_pte(t));
        rc = pt_pin(t, level);
        if (rc == 0) {
            check_lt(update_entry(t, 2, rw_pte(t)), 0);
            check_eq(page_writable(t), -EBUSY);
            update_entry(t, 1, 0);
            check_eq(pt_unpin(t), 0);
        }
        check_unused(t);
    }
}

TEST(linear_tables_do_not_chain) /* XSA-240, XSA-309 */
{
    enum { LINKS = 12 };
    uint64_t *t[LINKS];
    bool pinned[LINKS];

    for (unsigned level = 2; level <= 4; level++) {
        for (unsigned i = 0; i < LINKS; i++)
            t[i] = new_table();
        for (unsigned i = 0; i + 1 < LINKS; i++)
            set_entry(t[i], 0, ro_pte(t[i + 1]));
        /* From the end: each refers to one that is pinned already, if that was not refused. */
        for (unsigned i = LINKS; i-- > 0;)
            pinned[i] = pt_pin(t[i], level) == 0;
        check(pinned[LINKS - 1]);
        for (unsigned i = 0; i + 2 < LINKS; i++)
            check(!(pinned[i] && pinned[i + 1] && pinned[i + 2]));
        for (unsigned i = 0; i < LINKS; i++)
            pt_unpin(t[i]);
        for (unsigned i = 0; i < LINKS; i++) {
            check_eq(page_writable(t[i]), 0);
            memset(t[i], 0, PAGE_SIZE);
            check_unused(t[i]);
        }
    }
}

/* ---- pages that leave ---- */

TEST(type_does_not_survive_the_page) /* XSA-214 */
{
    uint64_t *page = new_page();

    for (unsigned how = 0; how < 6; how++) {
        xen_pfn_t mfn = virt_to_mfn(page), pfn = virt_to_pfn(page);
        long before = current_pages();

        check_eq(page_readonly(page), 0);
        if (how == 0) {
            check_eq(mmuext(MMUEXT_SET_LDT, HC_PTR(page), 512), 0);
            FAULT_OF(__asm__ volatile("mov %0, %%es" : : "r"(7)));
            __asm__ volatile("mov %0, %%es" : : "r"(0));
            check_eq(mmuext(MMUEXT_SET_LDT, 0, 0), 0);
        } else if (how < 5) {
            check_eq(pt_pin(page, how), 0);
            check_eq(pt_unpin(page), 0);
        }
        check_eq(unmap_frame((uint64_t)page), 0);
        if (how % 2) {
            struct xen_memory_exchange x = {.in = {.nr_extents = 1, .domid = DOMID_SELF},
                                            .out = {.nr_extents = 1, .domid = DOMID_SELF}};

            set_xen_guest_handle(x.in.extent_start, &mfn);
            set_xen_guest_handle(x.out.extent_start, &pfn);
            check_eq(hypercall_memory_op(XENMEM_exchange, &x), 0);
        } else {
            check_eq(memory(XENMEM_decrease_reservation, &mfn, 1, 0), 1);
            check_eq(current_pages(), before - 1);
            check_eq(memory(XENMEM_populate_physmap, &pfn, 1, 0), 1);
        }
        p2m_set(virt_to_pfn(page), pfn);
        check_eq(page_writable(page), 0);
        memset(page, 0xfe, PAGE_SIZE);
        page[1] = rw_pte(page); /* unacceptable for every type: validation must look again */
        check_eq(page_readonly(page), 0);
        for (unsigned level = 1; level <= 4; level++)
            check_lt(pt_pin(page, level), 0);
        check_eq(page_writable(page), 0);
        memset(page, 0, PAGE_SIZE);
    }
    check_unused(page);
}

/* A page that is given back while a translation of it is left becomes somebody else's. */
#define TAKEN 64

static long take_and_watch(long a, long b, long c, long d)
{
    static xen_pfn_t mfn[TAKEN];
    uint64_t dirty = 0;
    long n;

    (void)a, (void)b, (void)c, (void)d;
    for (unsigned i = 0; i < TAKEN; i++)
        mfn[i] = FAR_PFN + i;
    n = memory(XENMEM_populate_physmap, mfn, TAKEN, 0);
    for (unsigned round = 0; round < 4; round++)
        for (long i = 0; i < n; i++) {
            map_at(window(2), pte_make(mfn[i], PROT_RO));
            for (unsigned k = 0; k < 512; k++)
                dirty |= ((volatile uint64_t *)window(2))[k];
        }
    map_at(window(2), 0);
    memory(XENMEM_decrease_reservation, mfn, n, 0);
    return dirty != 0;
}

/* Make room for the next one. */
static long give_some_back(long n, long b, long c, long d)
{
    (void)b, (void)c, (void)d;
    while (n--) {
        void *page = new_page();
        xen_pfn_t mfn = virt_to_mfn(page);

        if (unmap_frame((uint64_t)page) || memory(XENMEM_decrease_reservation, &mfn, 1, 0) != 1)
            return -1;
    }
    return 0;
}

TEST(page_that_changes_hands_has_no_old_translations) /* XSA-217 */
{
    struct peer peer;
    uint64_t *page;

    if (vcpu_count() < 2)
        skip("one vcpu only");
    if (!have_peer(&peer))
        skip("no second domain");
    check_eq(peer_call(&peer, give_some_back, TAKEN, 0, 0, 0), 0);
    for (unsigned round = 0; round < 8; round++) {
        xen_pfn_t mfn, pfn;

        page = new_page();
        mfn = virt_to_mfn(page), pfn = virt_to_pfn(page);
        check_eq(map_at(window(1), rw_pte(page)), 0);
        check_eq(unmap_frame((uint64_t)page), 0);
        if (!hammer_start((uint64_t *)window(1) + 7))
            break;
        /* No flush by us. */
        check_eq(hypercall_update_va_mapping(window(1), 0, UVMF_NONE), 0);
        check_eq(memory(XENMEM_decrease_reservation, &mfn, 1, 0), 1);
        check_eq(peer_call(&peer, take_and_watch, 0, 0, 0, 0), 0);
        hammer_stop();
        check_eq(memory(XENMEM_populate_physmap, &pfn, 1, 0), 1);
        p2m_set(virt_to_pfn(page), pfn);
        check_eq(page_writable(page), 0);
        free_page(page);
    }
    peer_disconnect(&peer);
}

TEST(frames_of_the_hypervisor_cannot_be_had) /* XSA-248 */
{
    const uint64_t *root = pfn_to_virt(pt_kernel_root());
    mfn_t end = hypercall_memory_op(XENMEM_maximum_ram_page, NULL), shared;
    unsigned wrong = 0, others = 0;

    shared = start_info->shared_info >> PAGE_SHIFT;
    for (mfn_t mfn = 0x100; mfn < end; mfn++) {
        if (frame_is_ours(mfn) || mfn == shared)
            continue;
        if (hypercall_update_va_mapping(window(0), pte_make(mfn, PROT_RO), 0) == -EBUSY) {
            others++;
            wrong += hypercall_update_va_mapping(window(0), pte_make(mfn, PROT_RW), 0) == 0;
            wrong += mmuext(MMUEXT_PIN_L1_TABLE, mfn, 0) != -EINVAL;
            wrong += mmuext(MMUEXT_CLEAR_PAGE, mfn, 0) != -EINVAL;
        }
        hypercall_update_va_mapping(window(0), 0, 0);
    }
    tlb_flush_local();
    note("%u frames of others", others);
    check_eq(wrong, 0);
    /* The tables that the hypervisor has put into our root. */
    for (unsigned slot = 256; slot < 272; slot++) {
        xen_pfn_t mfn = pte_mfn(root[slot]);

        if (!(root[slot] & PTE_P) || frame_is_ours(mfn)) /* the root itself may be among them */
            continue;
        check_eq(map_at(window(0), pte_make(mfn, PROT_RW)), -EBUSY);
        check_eq(update_entry(root, 100, pte_make(mfn, PROT_TABLE)), -EINVAL);
        check_eq(memory(XENMEM_decrease_reservation, &mfn, 1, 0), 0);
        check_eq(update(mfn << PAGE_SHIFT, 0), -EINVAL);
    }
}

TEST(pin_survives_the_release_of_the_page) /* XSA-252 */
{
    for (unsigned level = 1; level <= 4; level++) {
        uint64_t *table = new_table();
        xen_pfn_t mfn = virt_to_mfn(table), pfn = virt_to_pfn(table);
        long before = current_pages();

        check_eq(pt_pin(table, level), 0);
        check_eq(unmap_frame((uint64_t)table), 0);
        check_eq(memory(XENMEM_decrease_reservation, &mfn, 1, 0), 1);
        check_eq(memory(XENMEM_decrease_reservation, &mfn, 1, 0), 1);
        check_eq(current_pages(), before);
        check_lt(map_at(window(0), pte_make(mfn, PROT_RW)), 0);
        check_eq(mmuext(MMUEXT_UNPIN_TABLE, mfn, 0), 0);
        check_eq(current_pages(), before - 1);
        check_eq(mmuext(MMUEXT_UNPIN_TABLE, mfn, 0), -EINVAL);
        check_eq(memory(XENMEM_populate_physmap, &pfn, 1, 0), 1);
        p2m_set(virt_to_pfn(table), pfn);
        check_unused(table);
    }
}

TEST(addresses_are_canonical_before_instructions_see_them) /* XSA-279 */
{
    static const uint64_t bad[] = {BAD_ADDR, 0xffff7ffffffff000ul, 0x8000000000000000ul,
                                   0x7ffffffffffff000ul, 0x0001000000000000ul};
    static const unsigned long flags[] = {UVMF_INVLPG, UVMF_INVLPG | UVMF_ALL, UVMF_TLB_FLUSH};
    uint64_t mask = ~0ul;

    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        for (unsigned k = 0; k < ARRAY_SIZE(flags); k++) {
            check_eq(hypercall_update_va_mapping(bad[i], 0, flags[k]), -EINVAL);
            check_eq(hypercall_update_va_mapping(bad[i], rw_pte(start_info), flags[k]), -EINVAL);
            check_lt(hypercall_update_va_mapping_otherdomain(bad[i], 0, flags[k], NO_DOMAIN), 0);
        }
        check_lt(hypercall_update_va_mapping(bad[i], 0, UVMF_INVLPG | HC_PTR(&mask)), 0);
        check_eq(mmuext(MMUEXT_INVLPG_LOCAL, bad[i], 0), 0);
        check_eq(mmuext(MMUEXT_INVLPG_ALL, bad[i], 0), 0);
        check_eq(mmuext(MMUEXT_INVLPG_MULTI, bad[i], HC_PTR(&mask)), 0);
        check_eq(mmuext(MMUEXT_SET_LDT, bad[i], 1), -EINVAL);
    }
}

/* A tree below @slot of the kernel's root, three tables, one after the other at the addresses
 * t[0..2]. */
static void small_tree(uint64_t *t[3])
{
    for (unsigned i = 0; i < 3; i++)
        t[i] = new_table();
    set_entry(t[1], 0, table_pte(t[2]));
    set_entry(t[0], 0, table_pte(t[1]));
}

TEST(hypervisor_sees_new_upper_entries_at_once) /* XSA-286 */
{
    uint64_t *root = pfn_to_virt(pt_kernel_root()), *a[3], *b[3], *x = new_page(), *y = new_page();
    unsigned slot = pt_index(FRAGILE_ADDR, 4);

    small_tree(a);
    small_tree(b);
    x[0] = 1, y[0] = 2;
    check_eq(update_entry(root, slot, table_pte(a[0])), 0);
    check_eq(hypercall_update_va_mapping(FRAGILE_ADDR, ro_pte(x), UVMF_INVLPG), 0);
    check_eq(*(volatile uint64_t *)FRAGILE_ADDR, 1); /* now in every cache there is */
    for (unsigned level = 4; level >= 2; level--) {
        uint64_t *at = level == 4 ? &root[slot] : &a[4 - level - 1][0];

        /* Other tables below, no flush: the call must find the new level 1 table. */
        check_eq(pt_write(at, table_pte(b[4 - level])), 0);
        check_eq(hypercall_update_va_mapping(FRAGILE_ADDR, ro_pte(y), UVMF_NONE), 0);
        check_pte(b[2][0], ro_pte(y));
        check_eq(pte_mfn(a[2][0]), virt_to_mfn(x));
        check_eq(hypercall_update_va_mapping(FRAGILE_ADDR, 0, UVMF_NONE), 0);
        check_eq(b[2][0], 0);
        check_eq(pt_write(at, table_pte(a[4 - level])), 0);
    }
    check_eq(update_entry(root, slot, 0), 0);
    check_eq(hypercall_update_va_mapping(FRAGILE_ADDR, ro_pte(y), UVMF_NONE), -EINVAL);
    tlb_flush_local();
    for (unsigned i = 0; i < 3; i++) {
        check_unused(a[i]);
        check_unused(b[i]);
    }
    check_unused(x);
    check_unused(y);
}

/* ---- stealing ---- */

static volatile mfn_t contested;
static pfn_t contested_pfn;

static void grab_contested(void)
{
    mfn_t mfn = contested;

    mmuext(MMUEXT_CLEAR_PAGE, mfn, 0);
    hypercall_update_va_mapping(window(1), pte_make(mfn, PROT_RO), UVMF_INVLPG);
    hypercall_update_va_mapping(window(1), 0, UVMF_INVLPG);
    update(mfn << PAGE_SHIFT, 0);
    if (mmuext(MMUEXT_PIN_L1_TABLE, mfn, 0) == 0)
        mmuext(MMUEXT_UNPIN_TABLE, mfn, 0);
}

static void exchange_contested(void)
{
    xen_pfn_t in = contested, out = contested_pfn;
    struct xen_memory_exchange x = {.in = {.nr_extents = 1, .domid = DOMID_SELF},
                                    .out = {.nr_extents = 1, .domid = DOMID_SELF}};
    long rc;

    set_xen_guest_handle(x.in.extent_start, &in);
    set_xen_guest_handle(x.out.extent_start, &out);
    rc = hypercall_memory_op(XENMEM_exchange, &x);
    if (rc == 0) {
        pins++;
        contested = out;
    } else {
        check_eq(rc, -EINVAL);
    }
}

static void release_contested(void)
{
    xen_pfn_t x = contested;

    if (memory(XENMEM_decrease_reservation, &x, 1, 0) != 1)
        return;
    x = contested_pfn;
    if (check_eq(memory(XENMEM_populate_physmap, &x, 1, 0), 1))
        contested = x;
    pins++;
}

static void contest(void (*mine)(void))
{
    void *page = new_page();
    long before = current_pages();

    contested = virt_to_mfn(page);
    contested_pfn = virt_to_pfn(page);
    pins = 0;
    check_eq(unmap_frame((uint64_t)page), 0);
    race(grab_contested, mine);
    check_eq(map_at(window(1), 0), 0);
    note("%lu times gone", pins);
    check_eq(current_pages(), before);
    p2m_set(virt_to_pfn(page), contested);
    check_unused(page);
}

TEST(page_is_stolen_whole_or_not_at_all) /* XSA-287 */
{
    if (vcpu_count() < 2)
        skip("one vcpu only");
    contest(exchange_contested);
}

TEST(page_is_released_while_others_reach_for_it) /* XSA-287 */
{
    if (vcpu_count() < 2)
        skip("one vcpu only");
    contest(release_contested);
}

/* ---- roots ---- */

extern const char xsa_user[], xsa_user_end[];
__asm__(".pushsection .rodata\n"
        "xsa_user: movq (%rdi), %rax; int $0x80; jmp xsa_user\n"
        "xsa_user_end: .popsection\n");

TEST(translations_end_with_the_tables_they_came_from) /* XSA-292, XSA-294 */
{
    struct user_space us[2];
    struct trap_regs r[2];
    uint64_t *data[2], *page = new_page();

    page[0] = 99;
    for (unsigned i = 0; i < 2; i++) {
        r[i] = (struct trap_regs){.rip = USER_CODE, .rsp = USER_STACK_TOP, .rdi = USER_DATA};
        need_eq(user_space_create(&us[i]), 0);
        need_eq(user_map_code(&us[i], USER_CODE, xsa_user, xsa_user_end), 0);
        need_eq(user_map_page(&us[i], USER_DATA, PTE_RW, (void **)&data[i]), 0);
        data[i][0] = 10 + i;
    }
    for (unsigned round = 0; round < 12; round++) {
        unsigned i = round & 1;

        check_eq(user_run(&us[i], &r[i]), TRAP_INT80);
        check_eq(r[i].rax, 10 + i);
        if (round % 4 == 2) /* the kernel's tables change in between */
            check_eq(mmuext(MMUEXT_NEW_BASEPTR, pfn_to_mfn(pt_kernel_root()), 0), 0);
    }
    /* The page behind the address changes while the kernel runs. */
    check_eq(user_map_frame(&us[1], USER_DATA, virt_to_mfn(page), 0), 0);
    invlpg(USER_DATA);
    check_eq(user_run(&us[1], &r[1]), TRAP_INT80);
    check_eq(r[1].rax, 99);
    check_eq(pt_write(pt_entry_in(us[1].root, USER_DATA, 1), 0), 0);
    tlb_flush_local();
    check_eq(user_run(&us[1], &r[1]), TRAP_PF);
    for (unsigned i = 0; i < 2; i++) {
        user_space_destroy(&us[i]);
        free_page(data[i]);
    }
    check_unused(page);
}

static uint64_t *other_root;
static volatile unsigned long root_turn; /* odd: vcpu 1 runs on other_root for sure */

static void use_other_root(void)
{
    if (mmuext(MMUEXT_NEW_BASEPTR, virt_to_mfn(other_root), 0))
        return;
    __atomic_add_fetch(&root_turn, 1, __ATOMIC_SEQ_CST);
    for (unsigned i = 0; i < 20; i++)
        (void)*(volatile uint64_t *)start_info;
    __atomic_add_fetch(&root_turn, 1, __ATOMIC_SEQ_CST);
    mmuext(MMUEXT_NEW_BASEPTR, pfn_to_mfn(pt_kernel_root()), 0);
}

static void take_other_root(void)
{
    unsigned long turn = root_turn;
    long rc;

    if (pt_pin(other_root, 4) == 0)
        check_eq(pt_unpin(other_root), 0);
    rc = hypercall_update_va_mapping(HC_PTR(other_root), rw_pte(other_root), UVMF_INVLPG);
    if (rc == 0 && turn & 1 && root_turn == turn)
        check(false);
    if (rc == 0) {
        pins++;
        page_readonly(other_root);
    }
}

TEST(root_in_use_cannot_be_reclaimed) /* XSA-438, XSA-494 */
{
    const uint64_t *mine = pfn_to_virt(pt_kernel_root());

    if (vcpu_count() < 2)
        skip("one vcpu only");
    other_root = new_page();
    for (unsigned i = 0; i < 512; i++)
        if (i < 256 || i >= 272)
            other_root[i] = mine[i];
    check_eq(page_readonly(other_root), 0);
    root_turn = pins = 0;
    race(use_other_root, take_other_root);
    note("%lu times used, %lu times taken", root_turn / 2, pins);
    check_unused(other_root);
}

TEST(memory_is_mapped_one_way_only) /* XSA-402 */
{
    static const uint64_t kinds[] = {PTE_PWT, PTE_PCD, PTE_PWT | PTE_PCD, PTE_PAT,
                                     PTE_PAT | PTE_PWT};
    volatile uint64_t *p = (uint64_t *)window(0);
    uint64_t *page = new_table();

    for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
        long rc = map_at(window(0), rw_pte(page) | kinds[i]);

        /* Either it is refused, or what is written that way is what the validation finds. */
        if (rc == 0) {
            p[4] = pte_make(foreign_frame(), PROT_RW);
            check_eq(map_at(window(0), 0), 0);
            check_lt(pt_pin(page, 1), 0);
            check_eq(map_at(window(0), rw_pte(page) | kinds[i]), 0);
            p[4] = 0;
            check_eq(map_at(window(0), 0), 0);
            check_eq(pt_pin(page, 1), 0);
            check_eq(pt_unpin(page), 0);
        }
    }
    check_unused(page);
}

/* ---- memory operations ---- */

static long exchange_at(void *in, void *out, unsigned long start, unsigned long nr)
{
    struct xen_memory_exchange x = {.in = {.nr_extents = nr, .domid = DOMID_SELF},
                                    .out = {.nr_extents = nr, .domid = DOMID_SELF},
                                    .nr_exchanged = start};

    set_xen_guest_handle(x.in.extent_start, in);
    set_xen_guest_handle(x.out.extent_start, out);
    return hypercall_memory_op(XENMEM_exchange, &x);
}

TEST(lists_stay_in_guest_memory) /* XSA-29, XSA-212 */
{
    static const uint64_t hv[] = {HV_ADDR, 0xffff800000000000ul, 0xffff820000000000ul,
                                  0xffff87fffffffff8ul};
    xen_pfn_t list[2] = {virt_to_mfn(start_info), virt_to_pfn(start_info)};

    for (unsigned i = 0; i < ARRAY_SIZE(hv); i++) {
        const unsigned long skips[] = {
            0, 1, 8, 1ul << 20, hv[i] / 8, (hv[i] - 0x1000) / 8, (hv[i] - HC_PTR(list)) / 8};

        for (unsigned k = 0; k < ARRAY_SIZE(skips); k++) {
            unsigned long s = skips[k];
            void *base = (void *)(hv[i] - s * 8);

            check_lt(exchange_at(base, list, s, s + 1), 0);
            check_lt(exchange_at(list, base, s, s + 1), 0);
            check_lt(exchange_at(base, base, s, s + 1), 0);
            if (s < 1ul << 26) {
                check_le(memory(XENMEM_decrease_reservation | s << 6, base, s + 1, 0), s);
                check_le(memory(XENMEM_populate_physmap | s << 6, base, s + 1, 0), s);
                check_le(memory(XENMEM_increase_reservation | s << 6, base, s + 1, 0), s);
            }
        }
    }
    check_eq(list[0], virt_to_mfn(start_info));
}

TEST(orders_are_bounded) /* XSA-31, XSA-158 */
{
    xen_pfn_t x = 0;
    long before = current_pages();

    for (unsigned order = 19; order < 300; order += order < 70 ? 1 : 37) {
        check_eq(memory(XENMEM_increase_reservation, &x, 1, order), 0);
        check_eq(memory(XENMEM_decrease_reservation, &x, 1, order), 0);
        check_eq(memory(XENMEM_populate_physmap, &x, 1, order), 0);
    }
    check_eq(memory(XENMEM_decrease_reservation, &x, 1, 0x80000000), 0);
    check_eq(memory(XENMEM_decrease_reservation, &x, 1, ~0u), 0);
    check_eq(current_pages(), before);
}

/* Below 8 KiB there is nothing to be had: the exchange fails after it has taken its input. */
TEST(exchange_that_fails_half_way_gives_all_back) /* XSA-159 */
{
    xen_pfn_t in[4], out[4];
    char *pages = expect(alloc_pages(4));
    struct xen_memory_exchange x;
    long before = current_pages();

    for (unsigned i = 0; i < 4; i++) {
        in[i] = virt_to_mfn(pages + i * PAGE_SIZE);
        out[i] = virt_to_pfn(pages + i * PAGE_SIZE);
        check_eq(unmap_frame((uint64_t)pages + i * PAGE_SIZE), 0);
    }
    for (unsigned order = 0; order <= 2; order += 2)
        for (unsigned round = 0; round < 20; round++) {
            x = (struct xen_memory_exchange){.in = {.nr_extents = 4, .domid = DOMID_SELF},
                                             .out = {.nr_extents = 4 >> order,
                                                     .extent_order = order,
                                                     .mem_flags = XENMEMF_address_bits(13),
                                                     .domid = DOMID_SELF}};
            set_xen_guest_handle(x.in.extent_start, in);
            set_xen_guest_handle(x.out.extent_start, out);
            check_lt(hypercall_memory_op(XENMEM_exchange, &x), 0);
            check_eq(x.nr_exchanged, 0);
        }
    check_eq(current_pages(), before);
    for (unsigned i = 0; i < 4; i++)
        check_unused(pages + i * PAGE_SIZE);
}

TEST(mapped_frame_is_not_freed) /* XSA-222 */
{
    uint64_t *page = new_page();
    volatile uint64_t *p = (uint64_t *)window(0);
    xen_pfn_t mfn = virt_to_mfn(page), pfn = virt_to_pfn(page), grab[32];
    long before = current_pages(), n;

    check_eq(map_at(window(0), rw_pte(page)), 0);
    check_eq(unmap_frame((uint64_t)page), 0);
    check_eq(memory(XENMEM_decrease_reservation, &mfn, 1, 0), 1);
    p[0] = 0x4444;
    n = memory(XENMEM_increase_reservation, grab, 32, 0);
    for (long i = 0; i < n; i++)
        check_ne(grab[i], mfn);
    check_eq(memory(XENMEM_decrease_reservation, grab, n, 0), n);
    check_eq(p[0], 0x4444);
    check_eq(map_at(window(0), 0), 0);
    check_eq(current_pages(), before - 1);
    check_eq(memory(XENMEM_populate_physmap, &pfn, 1, 0), 1);
    p2m_set(virt_to_pfn(page), pfn);
    check_unused(page);
}

TEST(fields_of_flags_are_checked_one_by_one) /* XSA-231 */
{
    xen_pfn_t x;
    long before = current_pages();

    for (unsigned node = 1; node < 254; node++) {
        x = FAR_PFN;
        check_eq(
            memory_for(XENMEM_populate_physmap, &x, 1, 0, XENMEMF_exact_node(node), DOMID_SELF), 0);
        check_eq(x, FAR_PFN);
    }
    for (unsigned bit = 16; bit < 32; bit++) { /* known or not, nothing bad comes of it */
        x = FAR_PFN;
        if (memory_for(XENMEM_populate_physmap, &x, 1, 0, 1u << bit, DOMID_SELF) == 1)
            check_eq(memory(XENMEM_decrease_reservation, &x, 1, 0), 1);
    }
    check_eq(current_pages(), before);
}

TEST(nothing_is_populated_on_demand) /* XSA-246, XSA-247, XSA-388 */
{
    struct xen_pod_target target = {.target_pages = 1000, .domid = DOMID_SELF};
    xen_pfn_t x = FAR_PFN;

    check_eq(memory_for(XENMEM_populate_physmap, &x, 1, 0, XENMEMF_populate_on_demand, DOMID_SELF),
             0);
    check_eq(memory_for(XENMEM_populate_physmap, &x, 1, 9, XENMEMF_populate_on_demand, DOMID_SELF),
             0);
    check_lt(hypercall_memory_op(XENMEM_set_pod_target, &target), 0);
    check_lt(hypercall_memory_op(XENMEM_get_pod_target, &target), 0);
    check_eq(x, FAR_PFN);
}

TEST(frame_map_may_hold_anything) /* XSA-251 */
{
    static const uint64_t strange[] = {
        ~0ul, ~0ul - 1, 0x5555555555555555ul, 1ul << 63, 1ul << 52, 0x0000ffffffffffffl, 0};
    for (unsigned i = 0; i < ARRAY_SIZE(strange); i++) {
        uint64_t *page = new_page();
        uint64_t at = virt_to_maddr(page) | MMU_MACHPHYS_UPDATE;
        xen_pfn_t mfn = virt_to_mfn(page), x;

        check_eq(update(at, strange[i]), 0);
        check_eq(page_readonly(page), 0);
        check_eq(pt_pin(page, 1), 0);
        check_eq(pt_unpin(page), 0);
        check_eq(mmuext(MMUEXT_CLEAR_PAGE, mfn, 0), 0);
        check_eq(map_at(window(0), rw_pte(page)), 0);
        check_eq(map_at(window(0), 0), 0);
        check_unused(page);
        /* And as what is asked for. */
        x = strange[i];
        if (check_ge(memory(XENMEM_populate_physmap, &x, 1, 0), 0) && x != strange[i])
            check_eq(memory(XENMEM_decrease_reservation, &x, 1, 0), 1);
    }
}

TEST(totals_do_not_overflow) /* XSA-385 */
{
    static const struct {
        unsigned long nr;
        unsigned order;
    } wrap[] = {{1ul << 32, 0},  {(1ul << 32) + 1, 0}, {1ul << 31, 1},       {1ul << 55, 9},
                {1ul << 46, 18}, {1ul << 63, 1},       {(1ul << 26) + 1, 0}, {~0ul, 0}};
    xen_pfn_t x = FAR_PFN;
    long before = current_pages();

    for (unsigned i = 0; i < ARRAY_SIZE(wrap); i++) {
        check_eq(memory(XENMEM_increase_reservation, &x, wrap[i].nr, wrap[i].order), 0);
        check_eq(memory(XENMEM_populate_physmap, &x, wrap[i].nr, wrap[i].order), 0);
        check_eq(memory(XENMEM_decrease_reservation, &x, wrap[i].nr, wrap[i].order), 0);
    }
    check_eq(x, FAR_PFN);
    check_eq(current_pages(), before);
}

TEST(refused_calls_hold_no_lock) /* XSA-334 */
{
    struct xen_mem_acquire_resource r;
    struct xen_memory_reservation claim;
    long before = current_pages();
    uint64_t *page = new_page();

    for (unsigned i = 0; i < 100; i++) {
        r = (struct xen_mem_acquire_resource){.domid = i % 3 ? DOMID_SELF : NO_DOMAIN,
                                              .type = i % 5,
                                              .id = i * 77,
                                              .nr_frames = i % 2 ? 1 : ~0u,
                                              .frame = i % 4 ? 0 : ~0ul,
                                              .pad = i % 7 == 0};
        hypercall_memory_op(XENMEM_acquire_resource, i % 11 ? &r : (void *)HV_ADDR);
        claim = (struct xen_memory_reservation){.domid = i % 2 ? NO_DOMAIN : guest_domid(),
                                                .extent_order = 1};
        check_lt(hypercall_memory_op(XENMEM_claim_pages, &claim), 0);
        check_eq(hypercall_memory_op(XENMEM_set_memory_map, (void *)HV_ADDR), -EFAULT);
        check_lt(reservation_of(XENMEM_current_reservation, NO_DOMAIN), 0);
        check_lt(exchange_at((void *)HV_ADDR, page, 0, 1), 0);
    }
    check_eq(current_pages(), before);
    check_unused(page);
}

/* ---- both vcpus at everything ---- */

static uint64_t *pool[8];
static uint64_t dice = 0x9e3779b97f4a7c15ul;

static unsigned roll(unsigned n)
{
    uint64_t x = __atomic_add_fetch(&dice, 0x9e3779b97f4a7c15ul, __ATOMIC_RELAXED);

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ul;
    x = (x ^ x >> 27) * 0x94d049bb133111ebul;
    return (x >> 33) % n;
}

/* One random call on two pages of the pool. */
static void anything(void)
{
    uint64_t *a = pool[roll(8)], *b = pool[roll(8)], v[4];
    unsigned slot = 1 + roll(6);

    v[0] = rw_pte(b), v[1] = ro_pte(b), v[2] = table_pte(b), v[3] = 0;
    switch (roll(8)) {
    case 0:
    case 1:
        pt_pin(a, 1 + roll(4));
        break;
    case 2:
        pt_unpin(a);
        break;
    case 3:
    case 4:
        update_entry(a, slot, v[roll(4)]);
        break;
    case 5:
        hypercall_update_va_mapping(window(roll(6)), v[roll(4)], UVMF_INVLPG);
        break;
    case 6:
        FAULT_OF(((volatile uint64_t *)a)[slot] = v[roll(4)]);
        break;
    default:
        mmuext(roll(2) ? MMUEXT_CLEAR_PAGE : MMUEXT_NEW_USER_BASEPTR, virt_to_mfn(a), 0);
        break;
    }
}

/* Take apart what the dice have built. Tables may hold each other: hence several rounds. */
static void pool_free(void)
{
    mmuext(MMUEXT_NEW_USER_BASEPTR, 0, 0);
    for (unsigned i = 0; i < 6; i++)
        map_at(window(i), 0);
    for (unsigned i = 0; i < 8; i++)
        for (unsigned slot = 1; slot <= 6; slot++)
            update_entry(pool[i], slot, 0);
    for (unsigned i = 0; i < 8; i++)
        pt_unpin(pool[i]);
    finish_refused();
    for (unsigned i = 0; i < 8; i++)
        check_unused(pool[i]);
}

static void drop_user_root(void *arg)
{
    (void)arg;
    mmuext(MMUEXT_NEW_USER_BASEPTR, 0, 0);
}

TEST(random_page_table_calls)
{
    for (unsigned i = 0; i < 8; i++)
        pool[i] = new_table();
    if (!race(anything, anything))
        for (unsigned i = 0; i < 20000; i++)
            anything();
    else if (check_eq(vcpu_start(1, drop_user_root, NULL), 0))
        vcpu_wait_down(1);
    pool_free();
}

TEST(everything_was_put_back)
{
    for (unsigned i = 0; i < 8; i++)
        check_eq(*pt_entry(window(i), 1), 0);
    for (pfn_t pfn = 0; pfn < mm_nr_pages(); pfn++)
        if (pfn_to_mfn(pfn) != INVALID_MFN && m2p_raw(pfn_to_mfn(pfn)) != pfn)
            check_eq(m2p_raw(pfn_to_mfn(pfn)), pfn);
}

/* SPDX-License-Identifier: MIT */
/* One page-table entry: which bits it may have, what it may map, and which references it takes. */
#include "fake.h"

#include <asm/cpu.h>
#include <asm/mmu.h>
#include <asm/pt_check.h>
#include <hv/errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define FRAMES 256
#define DEVICE 7UL /* a frame that is no RAM */

static struct domain *control, *guest, *other;

bool iomem_permitted(struct domain *d, mfn_t m)
{
    return d->is_privileged && m.n != DEVICE + 1 && m.n < 1UL << 28;
}

static int setup(void **state)
{
    (void)state;
    fake_init_alloc(FRAMES, 1);
    control = fake_domain(0, true, 1);
    guest = fake_domain(1, false, 1);
    other = fake_domain(2, false, 1);
    frame_table[DEVICE].count = frame_table[DEVICE + 1].count = PGC_OFFLINE;
    fake_run(guest->vcpu[0]);
    return 0;
}

static struct page *page_of(struct domain *d)
{
    return page_alloc_domain(d, 0, 0, false);
}

/* What becomes of an L1 or upper entry with flags @in; 0 if it is refused. */
static uint64_t adjusted(const struct domain *d, int level, uint64_t in)
{
    pte_t e = in;

    return pt_adjust(d, level, &e) ? 0 : e;
}

static void flags_of_l1(void **state)
{
    const uint64_t base = PTE_P | PTE_A;

    (void)state;
    /* A kernel mapping is marked, a user mapping is global. */
    assert_int_equal(adjusted(guest, 1, base), base | PTE_U | PTE_GK);
    assert_int_equal(adjusted(guest, 1, base | PTE_U), base | PTE_U | PTE_G);
    assert_int_equal(adjusted(guest, 1, base | PTE_U | PTE_GK), base | PTE_U | PTE_GK);
    /* What user mode must not see is never global, whoever asks. */
    assert_int_equal(adjusted(guest, 1, base | PTE_G), base | PTE_U | PTE_GK);
    assert_int_equal(adjusted(guest, 1, base | PTE_G | PTE_GK | PTE_U), base | PTE_U | PTE_GK);
    /* Stored forms are fixed points: a shortcut compares them. */
    for (unsigned int i = 0; i < 1u << 9; i++) {
        uint64_t once = adjusted(control, 1, base | (uint64_t)i << 1);

        assert_int_equal(adjusted(control, 1, once), once);
    }
    for (unsigned int bit = 3; bit < 8; bit++)
        if (PTE_CACHE & 1UL << bit) {
            assert_int_equal(adjusted(guest, 1, base | 1UL << bit), 0);
            assert_int_not_equal(adjusted(control, 1, base | 1UL << bit), 0);
        }
    assert_int_equal(adjusted(guest, 1, base | PTE_NX), base | PTE_NX | PTE_U | PTE_GK);
}

static void flags_of_upper_levels(void **state)
{
    static const uint64_t refused[] = {PTE_PSE, PTE_PWT, PTE_PCD, PTE_G};

    (void)state;
    for (int level = 2; level <= 4; level++) {
        assert_int_equal(adjusted(guest, level, PTE_P | PTE_W), PTE_P | PTE_W | PTE_U);
        for (unsigned int i = 0; i < ARRAY_SIZE(refused); i++) {
            assert_int_equal(adjusted(guest, level, PTE_P | refused[i]), 0);
            assert_int_equal(adjusted(control, level, PTE_P | refused[i]), 0);
        }
    }
}

static int take(struct domain *d, struct domain *from, uint64_t frame, uint64_t flags, pte_t *out)
{
    struct pt_owner o = {d, from};
    pte_t e = pte_make(mfn(frame), PTE_P | flags);
    struct page *left;
    int rc;

    spin_lock(&d->arch.mmu_lock);
    rc = pt_get_entry(&o, 1, &e, &left);
    spin_unlock(&d->arch.mmu_lock);
    *out = e;
    return rc;
}

static void drop(struct domain *d, pte_t e)
{
    spin_lock(&d->arch.mmu_lock);
    assert_int_equal(pt_put_entry(d, 1, e), 0);
    spin_unlock(&d->arch.mmu_lock);
}

static void own_frame(void **state)
{
    struct page *pg = page_of(guest);
    pte_t e, w;

    (void)state;
    assert_int_equal(take(guest, guest, page_mfn(pg).n, 0, &e), 0);
    assert_int_equal(pg->count, PGC_ALLOCATED | 2);
    assert_int_equal(pgt_count(pg->type), 0);
    assert_int_equal(take(guest, guest, page_mfn(pg).n, PTE_W, &w), 0);
    assert_int_equal(pg->count, PGC_ALLOCATED | 3);
    assert_int_equal(pg->type, PGT(PGT_WRITABLE) | 1);
    drop(guest, e);
    drop(guest, w);
    assert_int_equal(pg->count, PGC_ALLOCATED | 1);
    assert_int_equal(pg->type, PGT(PGT_WRITABLE));
}

static void ram_is_cached(void **state)
{
    struct page *pg = page_of(control);
    pte_t e;

    (void)state;
    assert_int_equal(take(control, control, page_mfn(pg).n, PTE_CACHE, &e), 0);
    assert_int_equal(e & PTE_CACHE, 0);
    drop(control, e);
}

static void table_is_not_writable(void **state)
{
    struct page *pg = page_of(guest);
    pte_t e;

    (void)state;
    spin_lock(&guest->arch.mmu_lock);
    assert_int_equal(page_get_type(pg, PGT_L1), 0);
    spin_unlock(&guest->arch.mmu_lock);
    assert_int_equal(take(guest, guest, page_mfn(pg).n, PTE_W, &e), -EBUSY);
    assert_int_equal(pg->count, PGC_ALLOCATED | 1);
    assert_int_equal(take(guest, guest, page_mfn(pg).n, 0, &e), 0);
    drop(guest, e);
    spin_lock(&guest->arch.mmu_lock);
    page_put_type(pg);
    spin_unlock(&guest->arch.mmu_lock);
    assert_int_equal(take(guest, guest, page_mfn(pg).n, PTE_W, &e), 0);
    drop(guest, e);
}

static void frame_of_another(void **state)
{
    struct page *pg = page_of(other);
    pte_t e;

    (void)state;
    assert_int_equal(take(guest, guest, page_mfn(pg).n, 0, &e), -EBUSY);
    assert_int_equal(take(guest, NULL, page_mfn(pg).n, 0, &e), -EBUSY);
    assert_int_equal(pg->count, PGC_ALLOCATED | 1);
    assert_int_equal(take(control, other, page_mfn(pg).n, PTE_W, &e), 0);
    assert_int_equal(pg->type, PGT(PGT_WRITABLE) | PGT_FOREIGN | 1);
    drop(control, e);
    assert_int_equal(pg->type, PGT(PGT_WRITABLE) | PGT_FOREIGN);
    assert_int_equal(pg->count, PGC_ALLOCATED | 1);
}

static void frames_of_the_hypervisor(void **state)
{
    struct page *pg = page_alloc(0, 0);
    pte_t e;

    (void)state;
    assert_int_equal(take(guest, guest, page_mfn(pg).n, 0, &e), -EBUSY);
    pg->owner = (uint32_t)virt_to_mfn(guest).n; /* the owner says nothing (XSA-248) */
    assert_int_equal(take(guest, guest, page_mfn(pg).n, 0, &e), -EBUSY);
    pg->owner = 0;
    page_assign_shared(pg, guest);
    assert_int_equal(take(guest, guest, page_mfn(pg).n, PTE_W, &e), 0);
    spin_lock(&guest->arch.mmu_lock);
    assert_int_equal(page_get_type(pg, PGT_L1), -EINVAL);
    spin_unlock(&guest->arch.mmu_lock);
    assert_int_equal(page_unshare(pg), -EBUSY);
    drop(guest, e);
    spin_lock(&guest->arch.mmu_lock);
    assert_int_equal(page_get_type(pg, PGT_L1), -EINVAL); /* never a table */
    assert_int_equal(page_get_type(pg, PGT_SEGDESC), -EINVAL);
    spin_unlock(&guest->arch.mmu_lock);
    assert_int_equal(page_unshare(pg), 0);
    page_free(pg, 0);
}

static void device_memory(void **state)
{
    static const uint64_t frames[] = {DEVICE, FRAMES, FRAMES + 1000, (1UL << 28) - 1};
    pte_t e;

    (void)state;
    for (unsigned int i = 0; i < ARRAY_SIZE(frames); i++) {
        assert_int_equal(take(guest, guest, frames[i], 0, &e), -EPERM);
        assert_int_equal(take(guest, NULL, frames[i], 0, &e), -EPERM);
        assert_int_equal(take(control, control, frames[i], PTE_W | PTE_PCD, &e), 0);
        assert_int_equal(e & PTE_CACHE, PTE_PCD);
        drop(control, e);
    }
    assert_int_equal(frame_table[DEVICE].count, PGC_OFFLINE);
    assert_int_equal(frame_table[DEVICE].type, 0);
    assert_int_equal(take(control, control, DEVICE + 1, 0, &e), -EPERM);
    assert_int_equal(take(control, control, 1UL << 28, 0, &e), -EPERM);
    assert_int_equal(take(control, control, PTE_ADDR_MASK >> PAGE_SHIFT, 0, &e), -EINVAL);
}

static void counts_do_not_wrap(void **state)
{
    struct page *pg = page_of(guest);
    pte_t e;

    (void)state;
    pg->type = PGT(PGT_WRITABLE) | PGT_COUNT_MASK;
    assert_int_equal(take(guest, guest, page_mfn(pg).n, PTE_W, &e), -EBUSY);
    assert_int_equal(pg->type, PGT(PGT_WRITABLE) | PGT_COUNT_MASK);
    pg->type = PGT(PGT_L1) | PGT_VALIDATED | PGT_COUNT_MASK;
    spin_lock(&guest->arch.mmu_lock);
    assert_int_equal(page_get_type(pg, PGT_L1), -EINVAL);
    spin_unlock(&guest->arch.mmu_lock);
    pg->type = PGT(PGT_WRITABLE);
    pg->count = PGC_ALLOCATED | PGC_COUNT_MASK;
    assert_int_equal(take(guest, guest, page_mfn(pg).n, 0, &e), -EBUSY);
    pg->count = PGC_ALLOCATED | 1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(flags_of_l1, setup),
        cmocka_unit_test_setup(flags_of_upper_levels, setup),
        cmocka_unit_test_setup(own_frame, setup),
        cmocka_unit_test_setup(ram_is_cached, setup),
        cmocka_unit_test_setup(table_is_not_writable, setup),
        cmocka_unit_test_setup(frame_of_another, setup),
        cmocka_unit_test_setup(frames_of_the_hypervisor, setup),
        cmocka_unit_test_setup(device_memory, setup),
        cmocka_unit_test_setup(counts_do_not_wrap, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

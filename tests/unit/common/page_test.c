/* SPDX-License-Identifier: MIT */
/* Ownership and references of frames: a random walk of several domains beside a model that counts
 * everything a second time, single rules, and two threads that race for one frame. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "fake.h"
#include <hv/errno.h>
#include <hv/mmu.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#define FRAMES  2048
#define DOMAINS 3

static struct domain *dom[DOMAINS];

/* The model: what each frame should be. */
static struct frame {
    int owner; /* index in dom, -1 none */
    bool allocated, raw;
    unsigned int refs; /* ours, beside the owner's own */
} model[FRAMES];

static void start(unsigned int cpus)
{
    fake_init_alloc(FRAMES, cpus);
    for (int i = 0; i < DOMAINS; i++)
        dom[i] = fake_domain((domid_t)(i + 1), false, 1);
    for (int i = 0; i < FRAMES; i++)
        model[i] = (struct frame){.owner = -1};
}

static uint8_t *bytes(struct page *pg)
{
    return page_virt(pg);
}

static struct frame *model_of(struct page *pg)
{
    return &model[page_mfn(pg).n];
}

static void check_frame(struct page *pg)
{
    const struct frame *f = model_of(pg);
    uint64_t count = pg->count;

    if (f->owner < 0) {
        assert_int_equal(pg->owner, 0);
        assert_int_equal(count & PGC_COUNT_MASK, f->raw ? 0 : count & PGC_HV ? 1 : 0);
        return;
    }
    assert_ptr_equal(page_owner(pg), dom[f->owner]);
    assert_int_equal(count, (f->allocated ? PGC_ALLOCATED | 1 : 0) + f->refs);
}

static void check_accounts(void)
{
    uint64_t pages[DOMAINS] = {0};

    for (int i = 0; i < FRAMES; i++) {
        check_frame(&frame_table[i]);
        if (model[i].owner >= 0)
            pages[model[i].owner]++;
    }
    for (int i = 0; i < DOMAINS; i++) {
        uint64_t n = 0;

        assert_int_equal(dom[i]->tot_pages, pages[i]);
        for (uint32_t p = dom[i]->page_list, prev = 0; p; prev = p, p = frame_table[p].next, n++) {
            assert_int_equal(frame_table[p].prev, prev);
            assert_int_equal(model[p].owner, i);
        }
        assert_int_equal(n, pages[i]);
        assert_int_equal(dom[i]->refcnt, 1 + (pages[i] != 0));
    }
    assert_int_equal(page_alloc_check(), 0);
}

/* A domain writes its number into what it owns; it must never find another's. */
static void mark(struct page *pg, int i)
{
    memset(bytes(pg), 0x40 + i, PAGE_SIZE);
}

static void check_contents(struct page *pg, int i)
{
    for (unsigned int k = 0; k < PAGE_SIZE; k += 509)
        assert_true(bytes(pg)[k] == 0 || bytes(pg)[k] == 0x40 + i);
}

static void op_alloc(int i, unsigned int order)
{
    struct page *pg = page_alloc_domain(dom[i], order, 0, false);

    if (!pg)
        return;
    for (unsigned int k = 0; k < 1u << order; k++) {
        assert_true(model_of(&pg[k])->owner < 0 && !model_of(&pg[k])->raw);
        *model_of(&pg[k]) = (struct frame){.owner = i, .allocated = true};
        check_contents(&pg[k], i);
        mark(&pg[k], i);
    }
}

static void op_get(int i, struct page *pg)
{
    bool got = page_from_gfn(dom[i], gfn(page_mfn(pg).n)) != NULL;

    assert_int_equal(got, model_of(pg)->owner == i);
    if (got)
        model_of(pg)->refs++;
}

static void drop_ref(struct page *pg)
{
    struct frame *f = model_of(pg);

    page_put(pg);
    if (--f->refs == 0 && !f->allocated) {
        f->owner = -1;
        assert_true(pg->count & PGC_FREE);
        assert_int_equal(m2p_get(page_mfn(pg)), INVALID_M2P);
    }
}

static void op_release(int i, struct page *pg)
{
    struct frame *f = model_of(pg);

    if (!page_get(pg, dom[i]))
        return;
    f->refs++;
    assert_int_equal(page_release(pg), f->allocated);
    f->allocated = false;
    drop_ref(pg);
}

static void op_discard(int i, struct page *pg)
{
    struct frame *f = model_of(pg);
    bool gone = page_discard(pg, dom[i]);

    assert_int_equal(gone, f->owner == i && f->allocated && f->refs == 0);
    if (gone)
        *f = (struct frame){.owner = -1};
}

/* From i to the next domain, as a grant transfer does. */
static void op_transfer(int i, struct page *pg)
{
    struct frame *f = model_of(pg);
    int to = (i + 1) % DOMAINS, rc;

    if (!page_get(pg, dom[i]))
        return;
    f->refs++;
    rc = page_steal(pg, dom[i], false);
    assert_int_equal(rc == 0, f->allocated && f->refs == 1);
    if (rc) {
        assert_int_equal(rc, f->allocated ? -EBUSY : -EINVAL);
        drop_ref(pg);
        return;
    }
    *f = (struct frame){.owner = -1, .raw = true};
    check_frame(pg);
    for (int k = 0; k < DOMAINS; k++)
        assert_null(page_from_gfn(dom[k], gfn(page_mfn(pg).n)));
    for (unsigned int k = 0; k < PAGE_SIZE; k += 509) /* a gift keeps its contents */
        assert_int_equal(bytes(pg)[k], 0x40 + i);
    if (page_give(pg, dom[to])) {
        assert_true(dom[to]->tot_pages >= dom[to]->max_pages);
        page_free_raw(pg, 0);
        *f = (struct frame){.owner = -1};
        return;
    }
    for (unsigned int k = 0; k < PAGE_SIZE; k += 509)
        assert_int_equal(bytes(pg)[k], 0x40 + i);
    *f = (struct frame){.owner = to, .allocated = true};
    mark(pg, to);
}

/* Taken away and brought back, as a failed exchange does; the account must not move. */
static void op_exchange_back(int i, struct page *pg)
{
    uint64_t tot = dom[i]->tot_pages;
    struct frame *f = model_of(pg);

    if (!page_get(pg, dom[i]))
        return;
    f->refs++;
    if (page_steal(pg, dom[i], true)) {
        drop_ref(pg);
        return;
    }
    assert_int_equal(dom[i]->tot_pages, tot);
    page_prepare(pg, 0, dom[i]->uid);
    assert_int_equal(bytes(pg)[77], 0x40 + i);
    assert_int_equal(page_give_kept(pg, 0, dom[i]), 0);
    assert_int_equal(dom[i]->tot_pages, tot);
    f->refs = 0;
}

static void random_walk(void **state)
{
    unsigned int seed = 42;
    uint64_t free_before;

    (void)state;
    start(1);
    free_before = page_free_count();
    dom[2]->max_pages = 60;
    for (int step = 0; step < 300000; step++) {
        unsigned int r = (unsigned int)rand_r(&seed);
        struct page *pg = &frame_table[16 + (r >> 4) % (FRAMES - 16)];
        int i = (int)(r >> 16) % DOMAINS;

        switch (r % 11) {
        case 0:
            op_alloc(i, (r >> 8) % 50 == 0 ? 3 : 0);
            break;
        case 1:
        case 2:
            op_get(i, pg);
            break;
        case 3:
        case 4:
        case 5:
            if (model_of(pg)->refs)
                drop_ref(pg);
            break;
        case 6:
            op_release(i, pg);
            break;
        case 7:
            op_transfer(i, pg);
            break;
        case 9:
            op_discard(i, pg);
            break;
        case 8:
            op_exchange_back(i, pg);
            break;
        default: { /* the hypervisor uses pages too, and leaves dirt */
            struct page *hv = page_alloc(0, 0);

            if (hv) {
                memset(bytes(hv), 0xee, PAGE_SIZE);
                page_free(hv, 0);
            }
        }
        }
        check_frame(pg);
        if (step % 5000 == 0)
            check_accounts();
    }
    check_accounts();
    for (int n = 0; n < FRAMES; n++) {
        while (model[n].refs)
            drop_ref(&frame_table[n]);
        if (model[n].allocated)
            op_release(model[n].owner, &frame_table[n]);
    }
    check_accounts();
    assert_int_equal(page_free_count(), free_before);
}

static void limits(void **state)
{
    struct page *a, *b;

    (void)state;
    start(1);
    dom[0]->max_pages = 5;
    assert_non_null(page_alloc_domain(dom[0], 2, 0, false));
    assert_null(page_alloc_domain(dom[0], 1, 0, false));
    assert_non_null(a = page_alloc_domain(dom[0], 0, 0, false));
    assert_null(page_alloc_domain(dom[0], 0, 0, false));
    assert_non_null(b = page_alloc_domain(dom[0], 1, 0, true)); /* forced */
    assert_int_equal(dom[0]->tot_pages, 7);
    assert_null(page_alloc_domain(dom[0], MAX_ORDER + 1, 0, true));
    assert_null(page_alloc_domain(dom[0], 0, 12, true));

    /* still referenced: still counted, so a guest cannot hold more than its limit by mapping it */
    assert_true(page_get(a, dom[0]));
    assert_true(page_get(a, dom[0]));
    assert_true(page_release(a));
    assert_false(page_release(a));
    page_put(a);
    assert_int_equal(dom[0]->tot_pages, 7);
    page_put(a);
    assert_int_equal(dom[0]->tot_pages, 6);

    dom[1]->is_dying = DOMDYING_DYING;
    assert_null(page_alloc_domain(dom[1], 0, 0, true));
    assert_true(page_get(b, dom[0]));
    assert_int_equal(page_steal(b, dom[0], false), 0);
    assert_int_equal(page_give(b, dom[1]), -EINVAL);
    dom[1]->is_dying = DOMDYING_ALIVE;
    dom[1]->max_pages = 0;
    assert_int_equal(page_give(b, dom[1]), -E2BIG);
    dom[1]->max_pages = 1;
    assert_int_equal(page_give(b, dom[1]), 0);
    assert_int_equal(page_steal(b, dom[1], true), -EBUSY); /* one reference too few */
    assert_int_equal(page_steal(b, dom[0], false), -EINVAL);
}

static void typed_or_shared_frames_are_not_stolen(void **state)
{
    struct page *pg, *sh;

    (void)state;
    start(1);
    pg = page_alloc_domain(dom[0], 0, 0, false);
    for (int bit = 0; bit < 3; bit++) {
        pg->type = bit == 0 ? 1 : bit == 1 ? PGT_PINNED : PGT(PGT_L2) | PGT_PARTIAL;
        assert_true(page_get(pg, dom[0]));
        assert_int_equal(page_steal(pg, dom[0], false), -EBUSY);
        page_put(pg);
        assert_int_equal(pg->count, PGC_ALLOCATED | 1);
        assert_false(page_discard(pg, dom[0]));
        assert_int_equal(pg->count, PGC_ALLOCATED | 1);
    }
    pg->type = 0;

    sh = page_alloc(0, PA_ZERO);
    assert_null(page_from_gfn(dom[0], gfn(page_mfn(sh).n))); /* XSA-248 */
    page_assign_shared(sh, dom[0]);
    assert_non_null(page_from_gfn(dom[0], gfn(page_mfn(sh).n)));
    assert_null(page_from_gfn(dom[1], gfn(page_mfn(sh).n)));
    assert_int_equal(page_steal(sh, dom[0], false), -EINVAL);
    assert_false(page_release(sh));
    assert_false(page_discard(sh, dom[0]));
    assert_int_equal(page_unshare(sh), -EBUSY);
    page_put(sh);
    assert_int_equal(page_unshare(sh), 0);
    assert_null(page_from_gfn(dom[0], gfn(page_mfn(sh).n)));
    page_free(sh, 0);
    assert_int_equal(dom[0]->tot_pages, 1);
}

static void wild_frame_numbers(void **state)
{
    (void)state;
    start(1);
    assert_null(page_from_gfn(dom[0], gfn(~0UL)));
    assert_null(page_from_gfn(dom[0], gfn(max_page)));
    assert_null(page_from_gfn(dom[0], gfn(0)));
    assert_false(mfn_valid(mfn(max_page)));
    frame_table[5].count = PGC_OFFLINE;
    assert_false(mfn_valid(mfn(5)));
    assert_null(page_from_gfn(dom[0], gfn(5)));
}

/* A new domain in the same memory as a dead one is another domain. */
static void a_domain_that_comes_back_is_not_the_same(void **state)
{
    struct page *pg;

    (void)state;
    start(1);
    pg = page_alloc_domain(dom[0], 0, 0, false);
    memset(bytes(pg), 0x77, PAGE_SIZE);
    assert_true(page_get(pg, dom[0]));
    page_release(pg);
    page_put(pg);
    assert_ptr_equal(page_alloc_domain(dom[0], 0, 0, false), pg);
    assert_int_equal(bytes(pg)[9], 0x77); /* not cleared in vain */
    assert_true(page_get(pg, dom[0]));
    page_release(pg);
    page_put(pg);
    dom[0]->uid = 0; /* as after domain_create() in the old frame */
    assert_ptr_equal(page_alloc_domain(dom[0], 0, 0, false), pg);
    assert_int_equal(bytes(pg)[9], 0);
}

static void walking_owned_frames(void **state)
{
    struct page *pg, *prev = NULL;
    unsigned int n = 0;

    (void)state;
    start(1);
    for (int i = 0; i < 20; i++)
        assert_non_null(page_alloc_domain(dom[0], 0, 0, false));
    while ((pg = page_next_owned(dom[0], prev))) {
        if (prev) {
            page_release(prev);
            page_put(prev);
        }
        prev = pg;
        n++;
    }
    page_release(prev);
    page_put(prev);
    assert_int_equal(n, 20);
    assert_int_equal(dom[0]->tot_pages, 0);
    assert_int_equal(dom[0]->refcnt, 1);
}

/* XSA-287: while one domain gets and puts a frame as fast as it can, it changes hands and comes
 * back. Whoever got a reference owns it as long as the reference is held. */
static struct page *contested;
static volatile bool stop;

static void *getter(void *arg)
{
    unsigned long got = 0;
    int i = (int)(intptr_t)arg;

    fake_cpu(1 + (unsigned int)i);
    while (!stop) {
        if (!page_get(contested, dom[i]))
            continue;
        if (page_owner(contested) != dom[i] || !(contested->count & PGC_COUNT_MASK))
            abort();
        got++;
        page_put(contested);
    }
    return (void *)got;
}

static void racing_gets(void **state)
{
    pthread_t threads[2];
    unsigned long n, stolen = 0;
    int owner = 0;

    (void)state;
    start(4);
    stop = false;
    contested = page_alloc_domain(dom[0], 0, 0, false);
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, getter, (void *)(intptr_t)i);
    for (n = 0; n < 200000 || stolen < 1000; n++) {
        if (!page_get(contested, dom[owner]))
            fail();
        if (page_steal(contested, dom[owner], false) == 0) {
            owner = !owner;
            assert_int_equal(page_give(contested, dom[owner]), 0);
            stolen++;
        } else {
            page_put(contested);
            sched_yield(); /* it may be a getter that the host has stopped with a reference in hand */
        }
    }
    stop = true;
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(contested->count, PGC_ALLOCATED | 1);
    assert_int_equal(dom[owner]->tot_pages, 1);
    assert_int_equal(dom[!owner]->tot_pages, 0);
}

static void misuse_is_caught(void **state)
{
    struct page *pg;

    (void)state;
    start(1);
    pg = page_alloc_domain(dom[0], 0, 0, false);
    pg->type = PGT(PGT_WRITABLE) | 1; /* a type reference without a general one */
    assert_true(page_get(pg, dom[0]));
    page_release(pg);
    assert_true(fake_panics(page_put(pg)));
    pg = page_alloc(0, 0);
    assert_true(fake_panics(page_put(pg)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_walk),
        cmocka_unit_test(limits),
        cmocka_unit_test(typed_or_shared_frames_are_not_stolen),
        cmocka_unit_test(wild_frame_numbers),
        cmocka_unit_test(a_domain_that_comes_back_is_not_the_same),
        cmocka_unit_test(walking_owned_frames),
        cmocka_unit_test(racing_gets),
        cmocka_unit_test(misuse_is_caught),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

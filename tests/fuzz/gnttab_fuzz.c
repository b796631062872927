/* SPDX-License-Identifier: MIT */
/* Events and grants: three domains make hypercalls as the input says, with arguments that it
 * chooses, change their grant entries, event words and page-table entries at will, and die. After
 * each sequence the audits agree; after the end of the domains every frame and every byte is back.
 */
#include "fake.h"
#include <hv/evtchn_table.h>
#include <hv/gnttab_table.h>
#include <hv/heap.h>
#include <stdlib.h>

#define DOMS  3
#define PAGES 6

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct domain *dom[DOMS];
static struct page *page[DOMS][PAGES];
static mfn_t table[DOMS];
static const uint8_t *in, *end;

static void need(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "%s\n%s", what, fake_log);
        abort();
    }
}

static uint32_t byte(void)
{
    return in < end ? *in++ : 0;
}

/* Mostly small numbers, so that they mean something; sometimes wild ones. */
static uint32_t number(void)
{
    uint32_t b = byte();

    return b < 250 ? b % 24 : (byte() << 24 | byte() << 16 | byte() << 8 | b);
}

static uint64_t frame(void)
{
    uint32_t b = byte();

    if (b == 255)
        return number();
    if (b % 8 == 7)
        return table[b % DOMS].n;
    return page_mfn(page[b % DOMS][b / DOMS % PAGES]).n;
}

static domid_t domid(void)
{
    uint32_t b = byte();

    return b < 200 ? b % DOMS : b < 240 ? DOMID_SELF : (domid_t)(number());
}

static void events(void)
{
    union {
        struct evtchn_alloc_unbound alloc;
        struct evtchn_bind_interdomain bind;
        struct evtchn_init_control control;
        struct evtchn_expand_array expand;
        uint32_t word[8];
    } a = {0};
    int cmd = (int)(byte() % 15);

    for (unsigned int i = 0; i < 4; i++)
        a.word[i] = number();
    if (cmd == EVTCHNOP_alloc_unbound || cmd == EVTCHNOP_reset || cmd == EVTCHNOP_status) {
        a.alloc.dom = domid();
        a.alloc.remote_dom = domid();
    } else if (cmd == EVTCHNOP_bind_interdomain) {
        a.bind.remote_dom = domid();
    } else if (cmd == EVTCHNOP_init_control) {
        a.control = (struct evtchn_init_control){
            .control_gfn = frame(), .offset = number() * 8, .vcpu = number() % 3};
    } else if (cmd == EVTCHNOP_expand_array) {
        a.expand.array_gfn = frame();
    }
    do_event_channel_op(cmd, guest_ptr((uintptr_t)&a));
}

static void copies(void)
{
    struct gnttab_copy c[3];
    unsigned int n = byte() % 4;

    memset(c, 0, sizeof(c));
    for (unsigned int i = 0; i < n && i < 3; i++) {
        c[i].flags = (uint16_t)(byte() % 4);
        c[i].source.domid = domid();
        c[i].dest.domid = domid();
        c[i].source.u.gmfn = c[i].flags & GNTCOPY_source_gref ? number() : frame();
        c[i].dest.u.gmfn = c[i].flags & GNTCOPY_dest_gref ? number() : frame();
        c[i].len = (uint16_t)(byte() * 17);
        c[i].source.offset = (uint16_t)(byte() * 16);
        c[i].dest.offset = (uint16_t)(byte() * 16);
        c[i].status = 99;
    }
    if (do_grant_table_op(GNTTABOP_copy, guest_ptr((uintptr_t)c), min(n, 3u)) == 0)
        for (unsigned int i = 0; i < n && i < 3; i++)
            need(c[i].status <= 0, "a copy's status");
}

static void grants(void)
{
    union {
        struct gnttab_map_grant_ref map;
        struct gnttab_unmap_grant_ref unmap;
        struct gnttab_unmap_and_replace replace;
        struct gnttab_transfer transfer;
        struct gnttab_swap_grant_ref swap;
        struct gnttab_cache_flush flush;
        uint32_t word[12];
    } a = {0};
    unsigned int cmd = byte() % 14;
    uint64_t va = 0x1000 * (1 + byte() % 16);

    if (cmd == GNTTABOP_copy) {
        copies();
        return;
    }
    for (unsigned int i = 0; i < 6; i++)
        a.word[i] = number();
    if (cmd == GNTTABOP_map_grant_ref)
        a.map = (struct gnttab_map_grant_ref){
            .host_addr = va, .flags = byte() % 32, .ref = number(), .dom = domid(), .status = 99};
    else if (cmd == GNTTABOP_unmap_grant_ref)
        a.unmap =
            (struct gnttab_unmap_grant_ref){.host_addr = byte() % 8 ? va : 0,
                                            .status = 99,
                                            .dev_bus_addr = byte() % 2 ? frame() << PAGE_SHIFT : 0,
                                            .handle = number()};
    else if (cmd == GNTTABOP_unmap_and_replace)
        a.replace = (struct gnttab_unmap_and_replace){
            .host_addr = va, .new_addr = 0x1000 * number(), .handle = number()};
    else if (cmd == GNTTABOP_transfer)
        a.transfer = (struct gnttab_transfer){.mfn = frame(), .domid = domid(), .ref = number()};
    else if (cmd == GNTTABOP_cache_flush)
        a.flush.a.dev_bus_addr = frame() << PAGE_SHIFT;
    if (cmd == GNTTABOP_setup_table || cmd == GNTTABOP_get_status_frames)
        return; /* would write through a pointer made of numbers */
    do_grant_table_op(cmd, guest_ptr((uintptr_t)&a), 1);
    need(cmd != GNTTABOP_map_grant_ref || a.map.status <= 0, "a mapping's status");
}

/* What a guest may do without asking. */
static void scribble(unsigned int d)
{
    struct grant_entry_v1 *e = (struct grant_entry_v1 *)mfn_to_virt(table[d]) + number() % 24;

    switch (byte() % 4) {
    case 0:
        *e = (struct grant_entry_v1){(uint16_t)(byte() % 5), domid(), (uint32_t)frame()};
        break;
    case 1:
        e->flags = (uint16_t)number();
        break;
    case 2: /* its own pages: event words, control blocks */
        if (page_owner(page[d][byte() % PAGES]) == dom[d])
            memset((uint8_t *)page_virt(page[d][0]) + byte() % 16 * 4, (int)byte(), 4);
        break;
    default: /* an entry of its page tables */
        for (unsigned int i = 0, n = byte() % 8; i < FAKE_MAPPINGS && i < 64; i++) {
            struct fake_mapping *m = &fake_mappings[i];

            if (!m->page || m->d != dom[d] || n--)
                continue;
            if (m->writable)
                page_put_type(m->page);
            page_put(m->page);
            m->page = NULL;
            fake_nr_mappings--;
        }
    }
}

static void start(void)
{
    fake_init_alloc(1024, 2);
    for (unsigned int i = 0; i < DOMS; i++) {
        dom[i] = fake_domain((domid_t)i, i == 0, 2);
        need(evtchn_domain_init(dom[i], i ? 100 : ~0u) == 0, "ports");
        need(gnttab_domain_init(dom[i], 2, 1) == 0, "table");
        need(gnttab_get_shared_frame(dom[i], 0, &table[i]) == 0, "frame");
        for (unsigned int p = 0; p < PAGES; p++)
            page[i][p] = page_alloc_domain(dom[i], 0, 0, false);
    }
}

static void die(struct domain *d)
{
    fake_run(dom[0]->vcpu[0]);
    d->is_dying = DOMDYING_DYING;
    while (evtchn_domain_destroy(d) == -ERESTART)
        ;
    while (gnttab_release_mappings(d) == -ERESTART)
        ;
    for (unsigned int i = 0; i < FAKE_MAPPINGS; i++) {
        struct fake_mapping *m = &fake_mappings[i];

        if (!m->page || m->d != d)
            continue;
        if (m->writable)
            page_put_type(m->page);
        page_put(m->page);
        m->page = NULL;
    }
    for (unsigned int i = 0; i < DOMS * PAGES; i++) {
        struct page *pg = page[i / PAGES][i % PAGES];

        if (page_get(pg, d)) {
            page_release(pg);
            page_put(pg);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    in = data;
    end = data + size;
    start();
    fake_preempt_every = byte() % 8;
    while (in < end) {
        unsigned int b = byte(), d = b % DOMS;

        fake_run(dom[d]->vcpu[b / DOMS % 2]);
        if (dom[d]->is_dying)
            continue;
        if (b < 100)
            grants();
        else if (b < 180)
            events();
        else if (b < 250)
            scribble(d);
        else if (d)
            die(dom[d]);
    }
    fake_run(dom[0]->vcpu[0]);
    for (unsigned int i = 0; i < DOMS; i++)
        need(gnttab_audit(dom[i]) == 0 && evtchn_audit(dom[i]) == 0, "audit");
    for (unsigned int i = 0; i < DOMS; i++)
        die(dom[i]);
    for (unsigned int i = 0; i < DOMS; i++) {
        need(dom[i]->tot_pages == 0 && dom[i]->refcnt == 1, "all is given back");
        evtchn_domain_free(dom[i]);
        gnttab_domain_free(dom[i]);
    }
    need(heap_used() == 0, "heap");
    return 0;
}

/* SPDX-License-Identifier: MIT */
/* The builder: memory, what is in it at first, page tables, the state of vcpu 0. All pages that are
 * written are mapped at once, and each is written once. */
#include "build.h"

#include "stop.h"
#include "xcall.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAGIC        "xen-3.0-x86_64"
#define READ_AT_ONCE (1ul << 20) /* bytes between two reports of progress */

struct target {
    struct build *b;
    const struct build_layout *l;
    char *at;       /* page l->kernel of the domain */
    uint64_t pages; /* mapped from there on */
};

static void *page_of(const struct target *t, uint64_t page)
{
    return t->at + (page - t->l->kernel) * BUILD_PAGE;
}

static void report(const struct build *b, const char *what, uint64_t done, uint64_t all)
{
    if (b->progress)
        b->progress(b->ctx, what, done * 100 / (all ? all : 1));
}

/* ---- contents ---- */

/* Reads @size bytes of a file from @from on. */
static int read_part(int fd, char *to, uint64_t size, uint64_t from)
{
    for (uint64_t done = 0; done < size;) {
        ssize_t got = pread(fd, to + done, size - done, from + done);

        if (got < 0 && errno != EINTR)
            return -errno;
        if (got == 0)
            return -ENODATA;
        done += got > 0 ? got : 0;
    }
    return 0;
}

static int put_kernel(void *ctx, uint64_t offset, const void *src, uint64_t len)
{
    struct target *t = ctx;
    char *to = t->at + (t->l->elf.virt_kstart & (BUILD_PAGE - 1)) + offset;

    if (src && t->b->kernel_fd >= 0)
        return read_part(t->b->kernel_fd, to, len, (const uint8_t *)src - t->l->elf.image);
    if (src)
        memcpy(to, src, len);
    else
        memset(to, 0, len);
    return 0;
}

static int put_initrd(struct target *t, struct error *err)
{
    uint64_t size = t->l->initrd_size, step = READ_AT_ONCE;
    char *to = page_of(t, t->l->initrd);

    for (uint64_t done = 0; done < size; done += step) {
        int rc =
            read_part(t->b->initrd_fd, to + done, size - done < step ? size - done : step, done);

        if (rc)
            return error_set(err, rc, "ramdisk: %s",
                             rc == -ENODATA ? "its file has become shorter" : strerror(-rc));
        report(t->b, "ramdisk", done + step < size ? done + step : size, size);
        rc = stop_check(err);
        if (rc)
            return rc;
    }
    return 0;
}

static uint64_t frame(const struct target *t, uint64_t page)
{
    return t->b->p2m[page];
}

static void put_start_info(struct target *t, uint64_t shared_info)
{
    const struct build_layout *l = t->l;
    struct start_info *si = page_of(t, l->info);

    memset(si, 0, BUILD_PAGE);
    strcpy(si->magic, MAGIC);
    si->nr_pages = l->nr_pages;
    si->shared_info = shared_info * BUILD_PAGE;
    si->store_mfn = frame(t, l->store);
    si->store_evtchn = t->b->store_port;
    si->console.domU.mfn = frame(t, l->console);
    si->console.domU.evtchn = t->b->console_port;
    si->pt_base = build_va(l, l->tables);
    si->nr_pt_frames = l->nr_tables;
    si->mfn_list = l->p2m_va;
    si->first_p2m_pfn = l->p2m;
    si->nr_p2m_frames = l->nr_p2m;
    if (l->initrd_size) {
        si->mod_start = l->elf.mod_start_pfn ? l->initrd : build_va(l, l->initrd);
        si->mod_len = l->initrd_size;
        si->flags |= l->elf.mod_start_pfn ? SIF_MOD_START_PFN : 0;
    }
    strncpy((char *)si->cmd_line, t->b->cmdline, sizeof(si->cmd_line) - 1);
}

static int put_all(struct target *t, uint64_t shared_info, struct error *err)
{
    const struct build_layout *l = t->l;
    int rc = elf_pv_load(&l->elf, put_kernel, t);

    if (rc)
        return error_set(err, rc, "kernel: %s", strerror(-rc));
    rc = l->initrd_size ? put_initrd(t, err) : 0;
    memcpy(page_of(t, l->p2m), t->b->p2m, l->nr_pages * sizeof(uint64_t));
    put_start_info(t, shared_info);
    memset(page_of(t, l->store), 0, BUILD_PAGE);
    memset(page_of(t, l->console), 0, BUILD_PAGE);
    build_tables(l, page_of(t, l->tables), t->b->p2m);
    return rc;
}

/* ---- steps ---- */

/* One more than the last page that is written. The guest's first page tables map some MiB more,
 * which takes long here, too; only what is beyond its reach may follow behind those. */
static uint64_t end_of_contents(const struct build_layout *l)
{
    return l->used > l->mapped ? l->used : l->tables + l->nr_tables;
}

static int fill_memory(struct build *b, uint64_t shared_info, struct error *err)
{
    const struct build_layout *l = b->layout;
    struct target t = {.b = b, .l = l, .pages = end_of_contents(l) - l->kernel};
    int rc;

    t.at = xcall_map(b->id, b->p2m + l->kernel, t.pages);
    if (!t.at)
        return error_set(err, -errno, "memory of the domain can not be mapped: %s",
                         strerror(errno));
    rc = put_all(&t, shared_info, err);
    xcall_unmap(t.at, t.pages);
    return rc;
}

/* Events wait until the kernel is ready for them. */
static int mask_events(struct build *b, uint64_t frame_of_it, unsigned int max_vcpus)
{
    struct shared_info *shared = xcall_map(b->id, &frame_of_it, 1);

    if (!shared)
        return -errno;
    for (unsigned int i = 0; i < max_vcpus && i < XEN_LEGACY_MAX_VCPUS; i++)
        shared->vcpu_info[i].evtchn_upcall_mask = 1;
    xcall_unmap(shared, 1);
    return 0;
}

static int start_vcpu(struct build *b)
{
    const struct build_layout *l = b->layout;
    struct vcpu_guest_context *c = calloc(1, sizeof(*c));
    int rc;

    if (!c)
        return -ENOMEM;
    c->flags = VGCF_in_kernel | VGCF_online;
    c->user_regs.rip = l->elf.entry;
    c->user_regs.rsi = build_va(l, l->info);
    c->user_regs.rsp = c->kernel_sp = build_va(l, l->stack + 1);
    c->user_regs.cs = FLAT_KERNEL_CS;
    c->user_regs.ss = c->kernel_ss = FLAT_KERNEL_SS;
    c->user_regs.rflags = 1 << 9; /* interrupts on: events are what is masked */
    c->ctrlreg[3] = xen_pfn_to_cr3(b->p2m[l->tables]);
    rc = xc_set_context(b->id, 0, c);
    free(c);
    return rc;
}

static int failed(struct error *err, int rc, const char *what)
{
    return rc ? error_set(err, rc, "%s: %s", what, strerror(-rc)) : 0;
}

int build_domain(struct build *b, struct error *err)
{
    const struct build_layout *l = b->layout;
    struct xen_domctl_getdomaininfo info;
    int rc = failed(err, xc_info(b->id, &info), "the new domain");

    if (rc == 0)
        rc = failed(err, xc_populate(b->id, b->p2m, l->nr_pages), "memory for the domain");
    if (rc == 0)
        rc = fill_memory(b, info.shared_info_frame, err);
    if (rc == 0)
        rc = failed(err, mask_events(b, info.shared_info_frame, info.max_vcpu_id + 1),
                    "shared page");
    if (rc == 0 && l->elf.hypercall_page != ELF_NO_ADDR)
        rc = failed(err, xc_hypercall_page(b->id, b->p2m[build_pfn(l, l->elf.hypercall_page)]),
                    "hypercall page");
    if (rc == 0)
        rc = failed(err, xc_pin_root(b->id, b->p2m[l->tables]), "the first page tables");
    if (rc == 0)
        rc = failed(err, start_vcpu(b), "the first vcpu");
    return rc;
}

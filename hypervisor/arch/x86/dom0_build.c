/* SPDX-License-Identifier: MIT */
/* The domains that exist from boot on: dom0 from the first module, static domUs from those whose
 * command line begins with `domu`.
 *
 * A PV domain starts with a region of linear addresses that is mapped for it, in this order:
 * kernel, initrd, p2m list, start_info page, initial page tables, a stack page; padded by at least
 * 512 KiB to a multiple of 4 MiB (xen/xen.h, "start of day"). Pseudo-physical frame n of the domain
 * is the n-th one here; the region begins with frame 0. A kernel may ask for its p2m list at an
 * address of its own, and for an initrd that is not mapped. The tables that are built here go
 * through the same validation as any that a guest makes. */
#include <asm/boot.h>
#include <asm/mmu.h>
#include <asm/msr.h>
#include <asm/serial.h>
#include <hv/elf.h>
#include <hv/heap.h>
#include <xen/features.h>

#define MB              (1UL << 20)
#define INITIAL_ALIGN   (4 * MB)
#define INITIAL_PADDING (512UL << 10)
#define MAGIC           "xen-3.0-x86_64"

/* What a kernel may require: all of it is there, or does no harm to a kernel under these rules. */
#define FEATURES_OFFERED                                                                           \
    (1u << XENFEAT_pae_pgdir_above_4gb | 1u << XENFEAT_writable_page_tables |                      \
     1u << XENFEAT_mmu_pt_update_preserve_ad | 1u << XENFEAT_highmem_assist |                      \
     1u << XENFEAT_gnttab_map_avail_bits | 1u << XENFEAT_dom0 |                                    \
     1u << XENFEAT_supervisor_mode_kernel)

struct image {
    const void *kernel;
    size_t kernel_size;
    const void *initrd;
    size_t initrd_size;
    const char *cmdline;
    const struct boot_info *boot; /* dom0 only */
};

struct build {
    struct domain *d;
    const struct image *image;
    struct elf_pv_info elf;
    uint64_t nr_pages; /* of the domain */
    uint64_t *p2m;     /* our working copy: machine frame of each pseudo-physical one */
    unsigned int p2m_order;

    uint64_t v_start, v_initrd, v_p2m, v_info, v_tables, v_stack, v_end;
    uint64_t initrd_pfn;            /* when it is not mapped; else 0 */
    uint64_t p2m_pfn, p2m_pages;    /* p2m_pfn: first frame of the list */
    uint64_t nr_tables, next_table; /* frames for page tables; next_table counts those used */
    const char *error;
};

static uint64_t pages_of(uint64_t bytes)
{
    return DIV_ROUND_UP(bytes, PAGE_SIZE);
}

static bool own_p2m(const struct build *b)
{
    return b->elf.init_p2m != ELF_NO_ADDR;
}

static uint64_t va_pfn(const struct build *b, uint64_t va)
{
    return (va - b->v_start) >> PAGE_SHIFT;
}

static void *pfn_virt(const struct build *b, uint64_t n)
{
    return mfn_to_virt(mfn(b->p2m[n]));
}

/* ---- layout ---- */

/* Tables of level @level (1..3) needed to map [start, end). */
static uint64_t tables_for(uint64_t start, uint64_t end, int level)
{
    unsigned int shift = PAGE_SHIFT + 9 * level;

    return start < end ? ((end - 1) >> shift) - (start >> shift) + 1 : 0;
}

static uint64_t count_tables(const struct build *b, uint64_t v_end)
{
    uint64_t n = 1;

    for (int level = 1; level <= 3; level++) {
        n += tables_for(b->v_start, v_end, level);
        if (own_p2m(b))
            n += tables_for(b->elf.init_p2m, b->elf.init_p2m + b->p2m_pages * PAGE_SIZE, level);
    }
    return n;
}

/* The region must hold its own tables: add one until they fit. */
static void place_tables(struct build *b)
{
    for (b->nr_tables = 4;; b->nr_tables++) {
        b->v_stack = b->v_tables + b->nr_tables * PAGE_SIZE;
        b->v_end = ALIGN_UP(b->v_stack + PAGE_SIZE + INITIAL_PADDING, INITIAL_ALIGN);
        if (count_tables(b, b->v_end) <= b->nr_tables)
            return;
    }
}

static int lay_out(struct build *b)
{
    uint64_t initrd_pages = pages_of(b->image->initrd_size), need;
    uint64_t va = ALIGN_UP(b->elf.virt_kend, PAGE_SIZE);

    b->v_start = b->elf.virt_base & PAGE_MASK;
    b->p2m_pages = pages_of(b->nr_pages * sizeof(uint64_t));
    if (!b->elf.mod_start_pfn) {
        b->v_initrd = va;
        va += initrd_pages * PAGE_SIZE;
    }
    if (!own_p2m(b)) {
        b->v_p2m = va;
        b->p2m_pfn = va_pfn(b, va);
        va += b->p2m_pages * PAGE_SIZE;
    }
    b->v_info = va;
    b->v_tables = va + PAGE_SIZE;
    place_tables(b);

    need = va_pfn(b, b->v_end);
    if (own_p2m(b)) {
        b->p2m_pfn = need;
        need += b->p2m_pages;
    }
    if (b->elf.mod_start_pfn && initrd_pages) {
        b->initrd_pfn = need;
        need += initrd_pages;
    }
    if (b->v_end <= b->v_start || !guest_range_ok(guest_ptr(b->v_start), b->v_end - b->v_start))
        return fail_with(b, -EINVAL, "the kernel's address range is not one that a guest can have");
    if (need > b->nr_pages)
        return fail_with(b, -ENOMEM,
                         "the domain has too little memory for kernel, initrd and page tables");
    return 0;
}

/* ---- memory ---- */

static int allocate_memory(struct build *b)
{
    uint64_t n = 0;

    b->p2m_order = order_for(b->nr_pages * sizeof(uint64_t));
    b->p2m = page_alloc_virt(b->p2m_order, 0);
    if (!b->p2m)
        return -ENOMEM;
    while (n < b->nr_pages) {
        unsigned int order = min(9u, fls64(b->nr_pages - n) - 1);
        struct page *pg;

        while (!(pg = page_alloc_domain(b->d, order, 0, false)))
            if (order-- == 0)
                return -ENOMEM;
        for (uint64_t i = 0; i < 1UL << order; i++, n++) {
            b->p2m[n] = page_mfn(pg).n + i;
            m2p_set(mfn(b->p2m[n]), n);
        }
    }
    return 0;
}

/* Copy @len bytes to the domain's memory from frame @pfn_n on, at byte @offset; NULL clears. */
static void put_bytes(const struct build *b, uint64_t pfn_n, uint64_t offset, const void *src,
                      uint64_t len)
{
    while (len) {
        uint64_t in_page = offset & ~PAGE_MASK, n = min(len, PAGE_SIZE - in_page);
        char *dst = (char *)pfn_virt(b, pfn_n + (offset >> PAGE_SHIFT)) + in_page;

        if (src) {
            memcpy(dst, src, n);
            src = (const char *)src + n;
        } else {
            memset(dst, 0, n);
        }
        offset += n;
        len -= n;
    }
}

static int put_kernel(void *ctx, uint64_t offset, const void *src, uint64_t len)
{
    const struct build *b = ctx;

    put_bytes(b, 0, b->elf.virt_kstart - b->v_start + offset, src, len);
    return 0;
}

static void load_images(struct build *b)
{
    uint64_t first = b->initrd_pfn ? b->initrd_pfn : va_pfn(b, b->v_initrd);

    (void)elf_pv_load(&b->elf, put_kernel, b); /* put_kernel does not fail */
    if (b->image->initrd_size)
        put_bytes(b, first, 0, b->image->initrd, b->image->initrd_size);
    put_bytes(b, b->p2m_pfn, 0, b->p2m, b->nr_pages * sizeof(uint64_t));
    if (b->elf.hypercall_page != ELF_NO_ADDR)
        hypercall_page_fill(pfn_virt(b, va_pfn(b, b->elf.hypercall_page)));
}

/* ---- page tables ---- */

#define TABLE_FLAGS (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)

static uint64_t table_pfn(const struct build *b, uint64_t n)
{
    return va_pfn(b, b->v_tables) + n;
}

/* Map one page; tables are taken in order from those set aside. Page tables themselves are
 * read-only. */
static void map_page(struct build *b, uint64_t va, uint64_t pfn_n)
{
    uint64_t *table = pfn_virt(b, table_pfn(b, 0));
    bool is_table = pfn_n >= table_pfn(b, 0) && pfn_n < table_pfn(b, b->nr_tables);

    for (int level = 4; level > 1; level--) {
        uint64_t *e = &table[pt_index(va, level)];

        if (!*e) {
            uint64_t n = table_pfn(b, b->next_table++);

            memset(pfn_virt(b, n), 0, PAGE_SIZE);
            *e = pte_make(mfn(b->p2m[n]), TABLE_FLAGS);
        }
        table = mfn_to_virt(pte_mfn(*e));
    }
    table[pt_index(va, 1)] =
        pte_make(mfn(b->p2m[pfn_n]), is_table ? TABLE_FLAGS & ~PTE_W : TABLE_FLAGS);
}

static void build_tables(struct build *b)
{
    memset(pfn_virt(b, table_pfn(b, 0)), 0, PAGE_SIZE);
    b->next_table = 1;
    for (uint64_t va = b->v_start; va != b->v_end; va += PAGE_SIZE)
        map_page(b, va, va_pfn(b, va));
    for (uint64_t i = 0; own_p2m(b) && i < b->p2m_pages; i++)
        map_page(b, b->elf.init_p2m + i * PAGE_SIZE, b->p2m_pfn + i);
    for (uint64_t n = b->next_table; n < b->nr_tables; n++)
        memset(pfn_virt(b, table_pfn(b, n)), 0, PAGE_SIZE);
}

/* ---- start of day ---- */

static void fill_start_info(struct build *b)
{
    struct start_info *si = pfn_virt(b, va_pfn(b, b->v_info));

    memset(si, 0, PAGE_SIZE);
    hv_strlcpy(si->magic, MAGIC, sizeof(si->magic));
    si->nr_pages = b->nr_pages;
    si->shared_info = virt_to_mfn(b->d->shared_info).n << PAGE_SHIFT;
    si->flags = b->d->is_privileged ? SIF_PRIVILEGED | SIF_INITDOMAIN : 0;
    si->pt_base = b->v_tables;
    si->nr_pt_frames = b->nr_tables;
    si->mfn_list = own_p2m(b) ? b->elf.init_p2m : b->v_p2m;
    si->first_p2m_pfn = b->p2m_pfn;
    si->nr_p2m_frames = b->p2m_pages;
    if (b->image->initrd_size) {
        si->mod_start = b->initrd_pfn ? b->initrd_pfn : b->v_initrd;
        si->mod_len = b->image->initrd_size;
        si->flags |= b->initrd_pfn ? SIF_MOD_START_PFN : 0;
    }
    if (b->image->boot) {
        si->console.dom0.info_off = sizeof(*si);
        si->console.dom0.info_size = (uint32_t)vga_describe(b->image->boot, (void *)(si + 1));
    }
    hv_strlcpy((char *)si->cmd_line, b->image->cmdline, sizeof(si->cmd_line));
}

static int start_vcpu0(struct build *b)
{
    struct vcpu_guest_context *c = heap_new(struct vcpu_guest_context);
    struct vcpu *v = b->d->vcpu[0];
    int rc;

    if (!c)
        return -ENOMEM;
    c->flags = VGCF_in_kernel;
    c->user_regs.rip = b->elf.entry;
    c->user_regs.rsi = b->v_info;
    c->user_regs.rsp = b->v_stack + PAGE_SIZE;
    c->user_regs.cs = FLAT_KERNEL_CS;
    c->user_regs.ss = FLAT_KERNEL_SS;
    c->user_regs.rflags = X86_EFLAGS_IF;
    c->kernel_ss = FLAT_KERNEL_SS;
    c->kernel_sp = b->v_stack + PAGE_SIZE;
    c->ctrlreg[3] = xen_pfn_to_cr3(b->p2m[table_pfn(b, 0)]);
    do {
        rc = arch_vcpu_set_context(v, c);
    } while (rc == -ERESTART);
    heap_free(c);
    if (!rc) /* the ABI has the initial root pinned: kernels unpin it when they have their own */
        rc = mmu_pin_table(b->d, b->p2m[table_pfn(b, 0)], PGT_L4);
    if (rc)
        return fail_with(b, rc, "the initial page tables do not validate");
    WRITE_ONCE(v->info->evtchn_upcall_mask, 1);
    v->is_initialised = true;
    return 0;
}

static int check_kernel(struct build *b)
{
    int rc = elf_pv_parse(b->image->kernel, b->image->kernel_size, &b->elf);

    b->error = b->elf.error;
    if (rc)
        return rc;
    if (b->elf.no_pae)
        return fail_with(b, -EINVAL, "a kernel without PAE");
    if (b->elf.features_required & ~FEATURES_OFFERED)
        return fail_with(b, -EINVAL, "the kernel requires a feature that is not offered");
    if (b->d->is_privileged && b->elf.features_supported &&
        !(b->elf.features_supported & 1u << XENFEAT_dom0))
        return fail_with(b, -EINVAL, "the kernel can not be dom0");
    return 0;
}

/* Turn an empty domain with @nr_pages allowed into one that can be started. */
static int build_domain(struct domain *d, uint64_t nr_pages, const struct image *image,
                        const char **error)
{
    struct build *b = heap_new(struct build);
    int rc;

    *error = "no memory";
    if (!b)
        return -ENOMEM;
    b->d = d;
    b->image = image;
    b->nr_pages = nr_pages;
    rc = check_kernel(b) ?: lay_out(b) ?: allocate_memory(b);
    if (rc == 0) {
        load_images(b);
        build_tables(b);
        fill_start_info(b);
        rc = start_vcpu0(b);
    }
    if (b->error)
        *error = b->error;
    page_free_virt(b->p2m, b->p2m_order);
    heap_free(b);
    return rc;
}

/* ---- which domains ---- */

struct cmdline_mem opt_dom0_mem;
unsigned int opt_dom0_max_vcpus = 1;

/* All memory but a reserve for the hypervisor's own later needs and the page that is asked for. */
static uint64_t dom0_pages(uint64_t others)
{
    uint64_t avail = page_free_count(), reserve = max(avail / 128, 4 * MB >> PAGE_SHIFT);
    uint64_t want;

    reserve = min(reserve, 64 * MB >> PAGE_SHIFT) + others;
    avail = avail > reserve ? avail - reserve : 0;
    want = opt_dom0_mem.size ? opt_dom0_mem.size >> PAGE_SHIFT : avail;
    if (opt_dom0_mem.max)
        want = min(want, opt_dom0_mem.max >> PAGE_SHIFT);
    want = max(want, opt_dom0_mem.min >> PAGE_SHIFT);
    return min(want, avail);
}

static struct domain *create(const struct domain_params *p, const struct image *image)
{
    const char *error;
    struct domain *d;
    int rc;

    d = domain_create(p, &rc);
    if (!d) {
        pr_err("domain %u: not created: error %d", p->id, rc);
        return NULL;
    }
    if (build_domain(d, p->max_pages, image, &error)) {
        pr_err("domain %u (%s): %s", p->id, p->name, error);
        while (domain_kill(d) == -ERESTART)
            ;
        return NULL;
    }
    domain_publish(d);
    pr_info("domain %u (%s): %lu MiB, %u vcpu%s", d->id, p->name, d->tot_pages >> (20 - PAGE_SHIFT),
            p->max_vcpus, p->max_vcpus > 1 ? "s" : "");
    return d;
}

static const char *module_line(const struct boot_info *bi, unsigned int i)
{
    return cmdline_skip_image(bi->module[i].cmdline, bi->loader);
}

static struct image module_image(const struct boot_info *bi, unsigned int i, const char *cmdline)
{
    return (struct image){
        .kernel = paddr_to_virt(bi->module[i].start),
        .kernel_size = bi->module[i].end - bi->module[i].start,
        .cmdline = cmdline,
    };
}

static struct domain *create_domu(const struct boot_info *bi, unsigned int i, domid_t id)
{
    struct cmdline_domu opts;
    struct image image;
    struct domain *d;
    char who[16];
    struct domain_params p = {
        .id = id,
        .max_evtchn_port = 1023,
        .max_grant_frames = 64,
        .max_maptrack_frames = 1024,
    };

    snprintf(who, sizeof(who), "module %u", i);
    if (cmdline_parse_domu(module_line(bi, i), &opts, who))
        return NULL;
    image = module_image(bi, i, opts.args);
    p.max_vcpus = opts.vcpus;
    p.max_pages = opts.mem >> PAGE_SHIFT;
    p.weight = opts.weight;
    p.cap = opts.cap;
    p.name = opts.name;
    d = create(&p, &image);
    for (unsigned int n = 0; d && n < d->max_vcpus; n++) {
        cpumask_t hard = {opts.cpus};

        if (sched_set_affinity(d->vcpu[n], &hard, NULL))
            pr_err("domain %u: none of its cpus= is there", id);
    }
    return d;
}

static struct domain *create_dom0(const struct boot_info *bi, int initrd, uint64_t others)
{
    struct image image = module_image(bi, 0, module_line(bi, 0));
    struct domain_params p = {
        .id = 0,
        .privileged = true,
        .max_vcpus = opt_dom0_max_vcpus,
        .max_pages = dom0_pages(others),
        .max_evtchn_port = ~0u,
        .max_grant_frames = 64,
        .max_maptrack_frames = 1024,
        .weight = 256,
        .name = "dom0",
    };
    struct domain *d;

    if (initrd >= 0) {
        image.initrd = paddr_to_virt(bi->module[initrd].start);
        image.initrd_size = bi->module[initrd].end - bi->module[initrd].start;
    }
    image.boot = bi;
    page_keep_contents = true;
    d = create(&p, &image);
    page_keep_contents = false;
    /* What it gets at first is no limit to what it may ask for, unless max: says so. */
    if (d)
        d->max_pages = opt_dom0_mem.max ? opt_dom0_mem.max >> PAGE_SHIFT : UINT32_MAX;
    return d;
}

/** domains_build_all - build dom0 and the static domUs, and start them. */
void domains_build_all(const struct boot_info *bi)
{
    struct domain *domu[BOOT_MAX_MODULES];
    unsigned int nr = 0;
    uint64_t others = 0;
    int initrd = -1;

    if (bi->nr_modules == 0)
        boot_fail("no module: the first one must be the kernel of dom0");
    for (unsigned int i = 1; i < bi->nr_modules; i++) {
        struct cmdline_domu opts;

        if (!cmdline_is_domu(module_line(bi, i))) {
            if (initrd < 0)
                initrd = (int)i;
            continue;
        }
        if (!cmdline_parse_domu(module_line(bi, i), &opts, NULL))
            others += (opts.mem >> PAGE_SHIFT) + (2 * MB >> PAGE_SHIFT);
    }
    dom0 = create_dom0(bi, initrd, others);
    if (!dom0)
        boot_fail("no dom0");
    for (unsigned int i = 1; i < bi->nr_modules; i++)
        if (cmdline_is_domu(module_line(bi, i)) &&
            (domu[nr] = create_domu(bi, i, (domid_t)(nr + 1))))
            nr++;
    for (unsigned int i = 0; i < nr; i++)
        domain_unpause(domu[i]);
    domain_unpause(dom0);
}

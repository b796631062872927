/* SPDX-License-Identifier: MIT */
/* Control operations, and children: domains made by this one. */
#include <pv/control.h>
#include <pv/errno.h>
#include <pv/hypercall.h>
#include <pv/mm.h>
#include <pv/string.h>
#include <pv/time.h>
#include <xen/memory.h>
#include <xen/sched.h>

#define PATIENCE 60000000000ul /* ns until a child is given up */

long domctl(unsigned cmd, unsigned domain, struct xen_domctl *op)
{
    op->cmd = cmd;
    op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    op->domain = domain;
    return hypercall_domctl(op);
}

long domctl_plain(unsigned cmd, unsigned domain)
{
    struct xen_domctl op = {0};

    return domctl(cmd, domain, &op);
}

long sysctl(unsigned cmd, struct xen_sysctl *op)
{
    op->cmd = cmd;
    op->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    return hypercall_sysctl(op);
}

uint64_t free_machine_pages(void)
{
    struct xen_sysctl op = {.u.availheap.node = -1};

    return sysctl(XEN_SYSCTL_availheap, &op) ? 0 : op.u.availheap.avail_bytes >> PAGE_SHIFT;
}

int map_foreign(void *va, mfn_t mfn, domid_t dom, uint64_t flags)
{
    struct mmu_update u = {.val = pte_make(mfn, flags)};
    uint64_t *entry = pt_ensure((uint64_t)va);
    int rc;

    if (!entry)
        return -ENOMEM;
    u.ptr = pt_entry_maddr(entry) | MMU_NORMAL_PT_UPDATE;
    rc = hypercall_mmu_update(&u, 1, NULL, dom);
    invlpg((uint64_t)va);
    return rc;
}

/* ---- the child's kernel: rsi points at its data ---- */

extern const char child_kernel[], child_kernel_end[];

asm(".pushsection .text\n"
    "child_kernel:\n"
    "        mov     %rsi, %rbx\n"
    "1:      lock incq (%rbx)\n"
    "        cmpq    $0, 8(%rbx)\n"
    "        je      2f\n"
    "        mov     16(%rbx), %rax\n"
    "        mov     24(%rbx), %rdi\n"
    "        mov     32(%rbx), %rsi\n"
    "        mov     40(%rbx), %rdx\n"
    "        mov     48(%rbx), %r10\n"
    "        syscall\n"
    "        mov     %rax, 56(%rbx)\n"
    "        movq    $0, 8(%rbx)\n"
    "        jmp     1b\n"
    "2:      mov     $29, %eax\n" /* sched_op yield */
    "        xor     %edi, %edi\n"
    "        xor     %esi, %esi\n"
    "        syscall\n"
    "        jmp     1b\n"
    "child_kernel_end:\n"
    ".popsection");
_Static_assert(__HYPERVISOR_sched_op == 29 && SCHEDOP_yield == 0, "child_kernel says so");
_Static_assert(offsetof(struct child_data, result) == 56, "child_kernel says so");

/* ---- building ---- */

static void *window(void)
{
    static void *va;

    if (!va)
        va = vm_reserve(1);
    return va;
}

/* Page @pfn of the child, cleared, at window(). */
static uint64_t *open_page(const struct child *c, unsigned pfn)
{
    if (map_foreign(window(), c->mfn[pfn], c->id, PROT_RW))
        return NULL;
    memset(window(), 0, PAGE_SIZE);
    return window();
}

static void close_page(void)
{
    unmap_frame((uint64_t)window());
}

static int fill_table(const struct child *c, unsigned pfn, unsigned level)
{
    uint64_t *table = open_page(c, pfn);

    if (!table)
        return -EIO;
    if (level > 1)
        table[pt_index(CHILD_BASE, level)] = pte_make(c->mfn[pfn - 1], PROT_TABLE);
    for (unsigned i = 0; level == 1 && i < CHILD_MIN_PAGES; i++)
        table[pt_index(CHILD_VA(i), 1)] =
            pte_make(c->mfn[i], (i >= CHILD_L1 && i <= CHILD_L4 ? PROT_RO : PROT_RW) | PTE_US);
    close_page();
    return 0;
}

static int fill(struct child *c)
{
    struct mmuext_op pin = {.cmd = MMUEXT_PIN_L4_TABLE, .arg1.mfn = c->mfn[CHILD_L4]};
    void *code = open_page(c, CHILD_CODE);
    int rc;

    if (!code)
        return -EIO;
    memcpy(code, child_kernel, child_kernel_end - child_kernel);
    close_page();
    for (unsigned level = 1; level <= 4; level++) {
        rc = fill_table(c, CHILD_L1 + level - 1, level);
        if (rc)
            return rc;
    }
    if (!c->data)
        c->data = vm_reserve(1);
    rc = map_foreign(c->data, c->mfn[CHILD_DATA], c->id, PROT_RW);
    if (rc)
        return rc;
    memset(c->data, 0, PAGE_SIZE);
    return hypercall_mmuext_op(&pin, 1, NULL, c->id);
}

static int populate(struct child *c)
{
    struct xen_memory_reservation r = {.nr_extents = c->nr_pages, .domid = c->id};
    struct xen_domctl op = {.u.max_mem.max_memkb = c->nr_pages * 4};
    int rc = domctl(XEN_DOMCTL_max_mem, c->id, &op);

    if (rc)
        return rc;
    for (unsigned i = 0; i < c->nr_pages; i++)
        c->mfn[i] = i;
    r.extent_start.p = c->mfn;
    return hypercall_memory_op(XENMEM_populate_physmap, &r) == (long)c->nr_pages ? 0 : -ENOMEM;
}

void child_config(struct xen_domctl *op, unsigned vcpus)
{
    *op = (struct xen_domctl){
        .u.createdomain =
            {
                .handle = {1, 2, 3},
                .max_vcpus = vcpus,
                .max_evtchn_port = 1023,
                .max_grant_frames = -1,
                .max_maptrack_frames = -1,
                .grant_opts = XEN_DOMCTL_GRANT_version(1),
            },
    };
}

void child_context(const struct child *c, struct vcpu_guest_context *ctxt)
{
    memset(ctxt, 0, sizeof(*ctxt));
    ctxt->flags = VGCF_in_kernel | VGCF_online;
    ctxt->user_regs.rip = CHILD_VA(CHILD_CODE);
    ctxt->user_regs.rsi = CHILD_VA(CHILD_DATA);
    ctxt->user_regs.rsp = CHILD_VA(CHILD_STACK + 1);
    ctxt->user_regs.cs = FLAT_KERNEL_CS;
    ctxt->user_regs.ss = FLAT_KERNEL_SS;
    ctxt->kernel_ss = FLAT_KERNEL_SS;
    ctxt->kernel_sp = CHILD_VA(CHILD_STACK + 1);
    ctxt->ctrlreg[3] = xen_pfn_to_cr3(c->mfn[CHILD_L4]);
}

static int start_vcpu0(const struct child *c)
{
    struct vcpu_guest_context *ctxt = kmalloc(sizeof(*ctxt));
    struct xen_domctl op = {.u.vcpucontext.ctxt.p = ctxt};
    int rc = -ENOMEM;

    if (ctxt) {
        child_context(c, ctxt);
        rc = domctl(XEN_DOMCTL_setvcpucontext, c->id, &op);
    }
    kfree(ctxt);
    return rc;
}

int child_create(struct child *c, unsigned vcpus, unsigned pages)
{
    struct xen_domctl op;
    int rc;

    child_config(&op, vcpus);
    *c = (struct child){.nr_pages = pages, .data = c->data};
    rc = domctl(XEN_DOMCTL_createdomain, 0, &op);
    if (rc)
        return rc;
    c->id = op.domain;
    op = (struct xen_domctl){.u.max_vcpus.max = vcpus};
    rc = domctl(XEN_DOMCTL_max_vcpus, c->id, &op);
    rc = rc ? rc : populate(c);
    rc = rc ? rc : fill(c);
    rc = rc ? rc : start_vcpu0(c);
    if (rc)
        child_destroy(c);
    return rc;
}

/* ---- living with it ---- */

/* Until @word is not @was any more. */
static bool wait_change(volatile uint64_t *word, uint64_t was)
{
    uint64_t end = time_now() + PATIENCE;

    while (*word == was && time_now() < end)
        hypercall_sched_op(SCHEDOP_yield, NULL);
    return *word != was;
}

bool child_is_running(struct child *c)
{
    return wait_change(&c->data->count, c->data->count);
}

bool child_is_still(struct child *c)
{
    uint64_t was = c->data->count, end = time_now() + 20000000;

    while (time_now() < end)
        hypercall_sched_op(SCHEDOP_yield, NULL);
    return c->data->count == was;
}

long child_call(struct child *c, unsigned long nr, unsigned long a1, unsigned long a2,
                unsigned long a3)
{
    c->data->nr = nr;
    c->data->arg[0] = a1;
    c->data->arg[1] = a2;
    c->data->arg[2] = a3;
    __atomic_store_n(&c->data->request, 1, __ATOMIC_SEQ_CST);
    return wait_change(&c->data->request, 1) ? c->data->result : -ETIMEDOUT;
}

void child_forget(struct child *c)
{
    if (c->data)
        unmap_frame((uint64_t)c->data);
}

long child_destroy(struct child *c)
{
    child_forget(c);
    return domctl_plain(XEN_DOMCTL_destroydomain, c->id);
}

/* SPDX-License-Identifier: MIT */
/* Is everything that only the control domain may do refused to another domain, call by call?
 *
 * The tests run in the control domain and have domain 1 make the calls. Domain 2 only is there, so
 * that domain 1 can reach for a domain that is as unprivileged as itself. The errors expected are
 * those of the ABI: -ESRCH for a domain that does not exist, -EPERM for one that does. */
// domu: name=b mem=32M vcpus=1 -- peer
// domu: name=c mem=16M vcpus=1 -- peer
#include <pv/test.h>
#include <xen/domctl.h>
#include <xen/platform.h>
#include <xen/sysctl.h>

#define SECRET 0x5ec4e7
#define NOBODY 99 /* a domain number that is not in use */

static struct peer peer;
static domid_t me;
static uint64_t *page; /* ours, and what domain 1 would like to get at */
static mfn_t frame;

/* Connected once; the tests leave it so. */
static bool ready(void)
{
    static bool tried, done;

    if (!tried) {
        tried = true;
        me = guest_domid();
        page = alloc_page();
        page[0] = SECRET;
        frame = virt_to_mfn(page);
        done = guest_is_initial() && peer_connect(&peer, 1) == 0;
    }
    return done;
}

#define need_peer()                                                                                \
    do {                                                                                           \
        if (!ready())                                                                              \
            skip("no second domain");                                                              \
    } while (0)

#define IN_PEER(...) IN_PEER_(__VA_ARGS__, 0, 0, 0, 0)
#define IN_PEER_(fn, a, b, c, d, ...)                                                              \
    peer_call(&peer, (fn), (long)(a), (long)(b), (long)(c), (long)(d))

/* Domains to name, and what a call on them must say. */
static const struct {
    unsigned id;
    int rc;
} targets[] = {{0, -EPERM}, {2, -EPERM}, {NOBODY, -ESRCH}};

#define for_each_target(t) for (unsigned t = 0; t < ARRAY_SIZE(targets); t++)

/* ---- what it is told ---- */

static long is_privileged(long a, long b, long c, long d)
{
    (void)a, (void)b, (void)c, (void)d;
    return start_info->flags & (SIF_PRIVILEGED | SIF_INITDOMAIN);
}

static long features(long a, long b, long c, long d)
{
    struct xen_feature_info f = {.submap_idx = 0};

    (void)a, (void)b, (void)c, (void)d;
    return hypercall_xen_version(XENVER_get_features, &f) ? -1 : (long)f.submap;
}

static long command_line(long a, long b, long c, long d)
{
    char *text = peer_data(peer_served());

    (void)a, (void)b, (void)c, (void)d;
    return hypercall_xen_version(XENVER_commandline, text);
}

TEST(domain_knows_that_it_is_not_privileged)
{
    need_peer();
    check_eq(IN_PEER(is_privileged), 0);
    check_eq(IN_PEER(features) & 1 << XENFEAT_dom0, 0);
    check_ne(features(0, 0, 0, 0) & 1 << XENFEAT_dom0, 0);
    check_eq(IN_PEER(command_line), 0);
    check_str((char *)peer_data(&peer), "<denied>");
}

/* ---- the tools' calls: not even their arguments are looked at ---- */

static long domctl(long cmd, long domain, long version, long d)
{
    struct xen_domctl op = {.cmd = cmd, .interface_version = version, .domain = domain};

    (void)d;
    return hypercall_domctl(&op);
}

static long sysctl(long cmd, long version, long c, long d)
{
    struct xen_sysctl op = {.cmd = cmd, .interface_version = version};

    (void)c, (void)d;
    return hypercall_sysctl(&op);
}

static long platform_op(long cmd, long version, long c, long d)
{
    struct xen_platform_op op = {.cmd = cmd, .interface_version = version};

    (void)c, (void)d;
    return hypercall_platform_op(&op);
}

static long all_domctls(long domain, long b, long c, long d)
{
    long unexpected = 0;

    (void)b, (void)c, (void)d;
    for (long cmd = 1; cmd < 1010; cmd += cmd == 90 ? 905 : 1)
        if (domctl(cmd, domain, XEN_DOMCTL_INTERFACE_VERSION, 0) != -EPERM)
            unexpected = unexpected ? unexpected : cmd;
    return unexpected;
}

TEST(domctl_is_refused)
{
    need_peer();
    check_eq(IN_PEER(domctl, XEN_DOMCTL_destroydomain, me, XEN_DOMCTL_INTERFACE_VERSION), -EPERM);
    check_eq(IN_PEER(domctl, XEN_DOMCTL_pausedomain, 2, XEN_DOMCTL_INTERFACE_VERSION), -EPERM);
    check_eq(IN_PEER(all_domctls, me), 0);
    check_eq(IN_PEER(all_domctls, DOMID_SELF), 0);
    check_eq(IN_PEER(all_domctls, 1), 0);
    check_eq(IN_PEER(all_domctls, 2), 0);
    check_eq(IN_PEER(all_domctls, NOBODY), 0);
    check_lt(IN_PEER(domctl, XEN_DOMCTL_pausedomain, 2, 1), 0);
}

static long all_sysctls(long a, long b, long c, long d)
{
    (void)a, (void)b, (void)c, (void)d;
    for (long cmd = 1; cmd < 40; cmd++)
        if (sysctl(cmd, XEN_SYSCTL_INTERFACE_VERSION, 0, 0) != -EPERM)
            return cmd;
    return 0;
}

static long all_platform_ops(long a, long b, long c, long d)
{
    (void)a, (void)b, (void)c, (void)d;
    for (long cmd = 1; cmd < 70; cmd++)
        if (platform_op(cmd, XENPF_INTERFACE_VERSION, 0, 0) != -EPERM)
            return cmd;
    return 0;
}

TEST(sysctl_and_platform_op_are_refused)
{
    need_peer();
    check_eq(IN_PEER(all_sysctls), 0);
    check_eq(IN_PEER(all_platform_ops), 0);
    check_lt(IN_PEER(sysctl, XEN_SYSCTL_debug_keys, 1), 0);
    check_lt(IN_PEER(platform_op, XENPF_settime64, 1), 0);
}

/* ---- hardware ---- */

static long physdev(long cmd, long b, long c, long d)
{
    uint64_t argument[8] = {DOMID_SELF | MAP_PIRQ_TYPE_GSI << 16, 4 | 4ul << 32};

    (void)b, (void)c, (void)d;
    return hypercall_physdev_op(cmd, argument);
}

TEST(physdev_op_is_refused)
{
    static const uint8_t cmds[] = {PHYSDEVOP_apic_read,       PHYSDEVOP_apic_write,
                                   PHYSDEVOP_map_pirq,        PHYSDEVOP_unmap_pirq,
                                   PHYSDEVOP_manage_pci_add,  PHYSDEVOP_manage_pci_remove,
                                   PHYSDEVOP_restore_msi,     PHYSDEVOP_manage_pci_add_ext,
                                   PHYSDEVOP_setup_gsi,       PHYSDEVOP_pci_mmcfg_reserved,
                                   PHYSDEVOP_pci_device_add,  PHYSDEVOP_pci_device_remove,
                                   PHYSDEVOP_restore_msi_ext, PHYSDEVOP_dbgp_op,
                                   PHYSDEVOP_prepare_msix,    PHYSDEVOP_release_msix};

    need_peer();
    for (unsigned i = 0; i < ARRAY_SIZE(cmds); i++)
        if (!check_eq(IN_PEER(physdev, cmds[i]), -EPERM))
            note("command %u", cmds[i]);
    check_lt(IN_PEER(physdev, PHYSDEVOP_eoi), 0);
    check_lt(IN_PEER(physdev, PHYSDEVOP_irq_status_query), 0);
}

static long bind_pirq(long pirq, long b, long c, long d)
{
    struct evtchn_bind_pirq op = {.pirq = pirq};

    (void)b, (void)c, (void)d;
    return hypercall_event_channel_op(EVTCHNOP_bind_pirq, &op);
}

/* The vector of the fault, or 256 and what was read. */
static long port_io(long port, long write, long c, long d)
{
    volatile uint8_t value = 0;
    struct fault f = write ? FAULT_OF(outb(port, 0)) : FAULT_OF(value = inb(port));

    (void)c, (void)d;
    return f.hit ? (long)f.vector : 256 + value;
}

/* I/O privilege level and bit map of the guest: what it opens for itself. */
static long open_ports(long level, long b, long c, long d)
{
    static uint8_t none[8192];
    struct physdev_set_iopl l = {level};
    struct physdev_set_iobitmap m = {.nr_ports = level ? 65536 : 0};
    long rc;

    (void)b, (void)c, (void)d;
    m.bitmap.p = none;
    rc = hypercall_physdev_op(PHYSDEVOP_set_iopl, &l);
    return rc ? rc : hypercall_physdev_op(PHYSDEVOP_set_iobitmap, &m);
}

/* Ports that would show or do something; timer and speaker are emulated for everybody. To a guest
 * that has opened them for itself they look like ports where no device is. */
TEST(ports_are_closed)
{
    static const uint16_t ports[] = {0x20, 0x21, 0x60, 0x64, 0x80, 0x3f8, 0x3d4, 0xb004, 0xffff};

    need_peer();
    for (unsigned i = 0; i < ARRAY_SIZE(ports); i++) {
        check_eq(IN_PEER(port_io, ports[i], 0), TRAP_GP);
        check_eq(IN_PEER(port_io, ports[i], 1), TRAP_GP);
    }
    check_eq(IN_PEER(open_ports, 3), 0);
    check_eq(IN_PEER(port_io, 0x3fd, 0), 256 + 0xff); /* the real one is never all ones */
    check_eq(IN_PEER(port_io, 0x21, 0), 256 + 0xff);
    IN_PEER(port_io, 0xcf9, 1); /* reset control */
    IN_PEER(port_io, 0x20, 1);
    check_eq(IN_PEER(open_ports, 0), 0);
    check_eq(IN_PEER(port_io, 0x3fd, 0), TRAP_GP);
    for (unsigned pirq = 0; pirq < 24; pirq++)
        check_lt(IN_PEER(bind_pirq, pirq), 0);
}

static long msr(long number, long write, long c, long d)
{
    struct fault f = write ? FAULT_OF(wrmsr(number, 0)) : FAULT_OF((void)rdmsr(number));

    (void)c, (void)d;
    return f.hit ? (long)f.vector : -1;
}

static long efer_after_write(long a, long b, long c, long d)
{
    uint64_t before = rdmsr(0xc0000080);

    (void)a, (void)b, (void)c, (void)d;
    (void)FAULT_OF(wrmsr(0xc0000080, 0));
    return rdmsr(0xc0000080) == before;
}

/* A write may fault or vanish; it has no effect. */
TEST(machine_registers_are_out_of_reach)
{
    need_peer();
    check_eq(IN_PEER(msr, 0x12345678, 0), TRAP_GP);
    check_eq(IN_PEER(msr, 0x12345678, 1), TRAP_GP);
    check_eq(IN_PEER(efer_after_write), 1);
    IN_PEER(msr, 0xc0000082, 1); /* LSTAR: were it taken, the next hypercall would be the last */
    IN_PEER(msr, 0x1b, 1);       /* local APIC base */
    check_eq(IN_PEER(is_privileged), 0);
}

/* ---- memory of others ---- */

static long reservation(long op, long domain, long order, long d)
{
    xen_pfn_t list[1] = {op == XENMEM_populate_physmap ? mm_nr_pages() - 1 : ~0ul};
    struct xen_memory_reservation r = {.nr_extents = 1, .extent_order = order, .domid = domain};

    (void)d;
    r.extent_start.p = list;
    return hypercall_memory_op(op, &r);
}

static long exchange(long domain, long mfn, long c, long d)
{
    xen_pfn_t in[1] = {mfn}, out[1] = {0};
    struct xen_memory_exchange e = {.in = {.nr_extents = 1, .domid = domain},
                                    .out = {.nr_extents = 1, .domid = domain}};

    (void)c, (void)d;
    e.in.extent_start.p = in;
    e.out.extent_start.p = out;
    return hypercall_memory_op(XENMEM_exchange, &e);
}

static long decrease(long domain, long mfn, long c, long d)
{
    xen_pfn_t list[1] = {mfn};
    struct xen_memory_reservation r = {.nr_extents = 1, .domid = domain};

    (void)c, (void)d;
    r.extent_start.p = list;
    return hypercall_memory_op(XENMEM_decrease_reservation, &r);
}

/* These answer how many extents are done when the domain is not there. */
TEST(memory_of_other_domains_does_not_change)
{
    static const uint8_t ops[] = {XENMEM_increase_reservation, XENMEM_decrease_reservation,
                                  XENMEM_populate_physmap};

    need_peer();
    for (unsigned i = 0; i < ARRAY_SIZE(ops); i++)
        for_each_target(t) check_le(IN_PEER(reservation, ops[i], targets[t].id, 0), 0);
    for_each_target(t) check_eq(IN_PEER(exchange, targets[t].id, frame), targets[t].rc);
    check_le(IN_PEER(decrease, me, frame), 0);
    check_eq(IN_PEER(decrease, DOMID_SELF, frame), 0); /* not its frame */
    check_lt(IN_PEER(exchange, DOMID_SELF, frame), 0);
    check_eq(page[0], SECRET);
    check_eq(m2p_raw(frame), virt_to_pfn(page));
}

static long ask_about(long op, long domain, long c, long d)
{
    struct xen_memory_domain arg = {domain};

    (void)c, (void)d;
    return hypercall_memory_op(op, &arg);
}

static long set_memory_map(long domain, long b, long c, long d)
{
    struct xen_foreign_memory_map m = {.domid = domain, .map = {.nr_entries = 0}};

    (void)b, (void)c, (void)d;
    return hypercall_memory_op(XENMEM_set_memory_map, &m);
}

static long machine_map(long a, long b, long c, long d)
{
    static char buffer[128 * 20];
    struct xen_memory_map m = {.nr_entries = 128};

    (void)a, (void)b, (void)c, (void)d;
    m.buffer.p = buffer;
    return hypercall_memory_op(XENMEM_machine_memory_map, &m);
}

static long acquire(long domain, long b, long c, long d)
{
    xen_pfn_t list[1] = {0};
    struct xen_mem_acquire_resource r = {
        .domid = domain, .type = XENMEM_resource_grant_table, .nr_frames = 1};

    (void)b, (void)c, (void)d;
    r.frame_list.p = list;
    return hypercall_memory_op(XENMEM_acquire_resource, &r);
}

static long claim(long domain, long b, long c, long d)
{
    struct xen_memory_reservation r = {.nr_extents = 1 << 20, .domid = domain};

    (void)b, (void)c, (void)d;
    return hypercall_memory_op(XENMEM_claim_pages, &r);
}

static long to_physmap(long domain, long space, long mfn, long d)
{
    struct xen_add_to_physmap a = {.domid = domain, .space = space, .idx = mfn};

    (void)d;
    return hypercall_memory_op(XENMEM_add_to_physmap, &a);
}

/* The others whose argument names a domain, and where. */
static long memory_op_on(long op, long domain, long at, long d)
{
    uint64_t argument[8] = {0};

    (void)d;
    ((domid_t *)argument)[at] = domain;
    return hypercall_memory_op(op, argument);
}

TEST(every_memory_op_on_other_domains_is_refused)
{
    static const struct {
        uint8_t op, at;
    } ops[] = {{XENMEM_current_reservation, 0}, {XENMEM_maximum_reservation, 0},
               {XENMEM_maximum_gpfn, 0},        {XENMEM_add_to_physmap, 0},
               {XENMEM_remove_from_physmap, 0}, {XENMEM_add_to_physmap_batch, 0},
               {XENMEM_set_memory_map, 0},      {XENMEM_get_vnumainfo, 0},
               {XENMEM_acquire_resource, 0},    {XENMEM_set_pod_target, 16},
               {XENMEM_get_pod_target, 16}};

    need_peer();
    for (unsigned i = 0; i < ARRAY_SIZE(ops); i++)
        for_each_target(t) if (!check_eq(IN_PEER(memory_op_on, ops[i].op, targets[t].id, ops[i].at),
                                         targets[t].rc))
            note("operation %u on domain %u", ops[i].op, targets[t].id);
    for (unsigned op = XENMEM_acquire_resource + 1; op < 64; op++)
        check_eq(IN_PEER(memory_op_on, op, me, 0), -ENOSYS);
}

TEST(memory_of_other_domains_is_not_told)
{
    static const uint8_t ops[] = {XENMEM_current_reservation, XENMEM_maximum_reservation,
                                  XENMEM_maximum_gpfn};

    need_peer();
    for (unsigned i = 0; i < ARRAY_SIZE(ops); i++) {
        for_each_target(t) check_eq(IN_PEER(ask_about, ops[i], targets[t].id), targets[t].rc);
        check_ge(IN_PEER(ask_about, ops[i], DOMID_SELF), 0);
        check_ge(IN_PEER(ask_about, ops[i], 1), 0);
    }
    for_each_target(t)
    {
        check_eq(IN_PEER(set_memory_map, targets[t].id), targets[t].rc);
        check_eq(IN_PEER(acquire, targets[t].id), targets[t].rc);
        check_lt(IN_PEER(claim, targets[t].id), 0);
        for (unsigned space = 0; space < 7; space++)
            check_lt(IN_PEER(to_physmap, targets[t].id, space, frame), 0);
    }
    check_eq(IN_PEER(machine_map), -EPERM);
    check_eq(IN_PEER(claim, 1), -EPERM);
}

/* ---- page tables: frames that are not its own ---- */

static uint64_t *spare(void)
{
    static uint64_t *va;

    if (!va)
        va = vm_reserve(1);
    return va;
}

static long map_foreign(long mfn, long flags, long whose, long how)
{
    uint64_t va = (uint64_t)spare(), pte = pte_make(mfn, flags);
    struct mmu_update u = {.ptr = pt_entry_maddr(pt_entry(va, 1)), .val = pte};
    long rc;

    if (how == 0)
        rc = hypercall_mmu_update(&u, 1, NULL, whose);
    else if (how == 1 && whose == DOMID_SELF)
        rc = hypercall_update_va_mapping(va, pte, UVMF_INVLPG);
    else
        rc = hypercall_update_va_mapping_otherdomain(va, pte, UVMF_INVLPG, whose);
    if (rc == 0)
        unmap_frame(va);
    return rc;
}

/* @mfn must not become mapped in domain 1, whoever it says the frame belongs to. */
static void nobody_maps(mfn_t mfn, uint64_t flags)
{
    static const unsigned whose[] = {0,          2,         1,         DOMID_SELF,
                                     DOMID_IO,   DOMID_XEN, DOMID_COW, DOMID_INVALID,
                                     DOMID_IDLE, NOBODY,    0x7fef,    0xffff};

    for (unsigned i = 0; i < ARRAY_SIZE(whose); i++)
        for (unsigned how = 0; how < 2; how++)
            if (!check_lt(IN_PEER(map_foreign, mfn, flags, whose[i], how), 0))
                note("mfn %#lx as of domain %u, way %u", mfn, whose[i], how);
}

TEST(frames_of_others_are_not_mapped)
{
    need_peer();
    nobody_maps(frame, PROT_RW);
    nobody_maps(frame, PROT_RO);
    nobody_maps(pfn_to_mfn(pt_kernel_root()), PROT_RO);
    nobody_maps(start_info->shared_info >> PAGE_SHIFT, PROT_RW);
    nobody_maps(0xb8, PROT_RW);    /* screen */
    nobody_maps(0xfee00, PROT_RW); /* local APIC */
    nobody_maps(0xfec00, PROT_RW);
    nobody_maps(0xfed00, PROT_RO);
    nobody_maps(0x100, PROT_RW); /* the hypervisor */
    nobody_maps(PTE_MFN_MASK >> PAGE_SHIFT, PROT_RW);
    check_eq(IN_PEER(map_foreign, frame, PROT_RW, me, 0), -EPERM);
    check_eq(IN_PEER(map_foreign, frame, PROT_RW, 2, 0), -EPERM);
    check_eq(IN_PEER(map_foreign, frame, PROT_RW, NOBODY, 1), -EPERM);
    check_eq(IN_PEER(map_foreign, frame, PROT_RW, DOMID_XEN, 0), -EPERM);
}

static long write_entry(long maddr, long value, long domains, long d)
{
    struct mmu_update u = {.ptr = maddr, .val = value};

    (void)d;
    return hypercall_mmu_update(&u, 1, NULL, domains);
}

/* Tables of other domains: the upper half of the last argument names whose table it is, plus one.
 */
TEST(tables_of_others_are_not_written)
{
    uint64_t root = pfn_to_mfn(pt_kernel_root()) << PAGE_SHIFT, ours = frame << PAGE_SHIFT;
    uint64_t before = *pt_entry((uint64_t)page, 1);

    need_peer();
    for_each_target(t)
    {
        unsigned both = (targets[t].id + 1) << 16;

        check_eq(IN_PEER(write_entry, ours, 0, both | DOMID_SELF), -EPERM);
        check_lt(IN_PEER(write_entry, ours | MMU_MACHPHYS_UPDATE, 0, both | targets[t].id), 0);
        check_lt(IN_PEER(write_entry, ours | MMU_MACHPHYS_UPDATE, 0, targets[t].id), 0);
    }
    check_lt(IN_PEER(write_entry, root + 8, 0, DOMID_SELF), 0);
    check_lt(IN_PEER(write_entry, ours, 0, DOMID_SELF), 0);
    check_lt(IN_PEER(write_entry, ours | MMU_MACHPHYS_UPDATE, 0, DOMID_SELF), 0);
    check_lt(IN_PEER(write_entry, 0x100000, 0, DOMID_SELF), 0);
    check_eq(page[0], SECRET);
    check_eq(m2p_raw(frame), virt_to_pfn(page));
    check_eq(*pt_entry((uint64_t)page, 1), before);
}

static long mmuext_on(long cmd, long mfn, long domain, long src)
{
    struct mmuext_op op = {.cmd = cmd, .arg1.mfn = mfn, .arg2.src_mfn = src};

    return hypercall_mmuext_op(&op, 1, NULL, domain);
}

TEST(mmuext_op_on_others_is_refused)
{
    mfn_t root = pfn_to_mfn(pt_kernel_root());

    need_peer();
    for (unsigned cmd = 0; cmd <= MMUEXT_UNMARK_SUPER; cmd++) {
        check_eq(IN_PEER(mmuext_on, cmd, frame, me, frame), -EPERM);
        check_eq(IN_PEER(mmuext_on, cmd, frame, 2, frame), -EPERM);
    }
    for (unsigned level = 0; level < 4; level++)
        check_lt(IN_PEER(mmuext_on, MMUEXT_PIN_L1_TABLE + level, frame, DOMID_SELF), 0);
    check_lt(IN_PEER(mmuext_on, MMUEXT_UNPIN_TABLE, root, DOMID_SELF), 0);
    check_lt(IN_PEER(mmuext_on, MMUEXT_NEW_BASEPTR, root, DOMID_SELF), 0);
    check_lt(IN_PEER(mmuext_on, MMUEXT_NEW_USER_BASEPTR, root, DOMID_SELF), 0);
    check_lt(IN_PEER(mmuext_on, MMUEXT_CLEAR_PAGE, frame, DOMID_SELF), 0);
    check_lt(IN_PEER(mmuext_on, MMUEXT_COPY_PAGE, frame, DOMID_SELF, frame), 0);
    check_lt(IN_PEER(mmuext_on, MMUEXT_FLUSH_CACHE, 0, DOMID_SELF), 0);
    check_lt(IN_PEER(mmuext_on, MMUEXT_FLUSH_CACHE_GLOBAL, 0, DOMID_SELF), 0);
    check_eq(page[0], SECRET);
}

static long copy_to_own(long mfn, long b, long c, long d)
{
    uint64_t *own = alloc_page();
    long rc = mmuext_on(MMUEXT_COPY_PAGE, virt_to_mfn(own), DOMID_SELF, mfn);
    long seen = own[0];

    (void)b, (void)c, (void)d;
    free_page(own);
    return rc ? rc : seen;
}

static long descriptors_from(long mfn, long b, long c, long d)
{
    xen_ulong_t list[1] = {mfn};
    long rc = hypercall_set_gdt(list, 8);

    (void)b, (void)c, (void)d;
    return rc ? rc : hypercall_update_descriptor((uint64_t)mfn << PAGE_SHIFT, 0);
}

static long place_vcpu_info(long mfn, long b, long c, long d)
{
    struct vcpu_register_vcpu_info r = {.mfn = mfn};

    (void)b, (void)c, (void)d;
    return hypercall_vcpu_op(VCPUOP_register_vcpu_info, 0, &r);
}

static long fifo_block(long mfn, long expand, long c, long d)
{
    struct evtchn_init_control i = {.control_gfn = mfn};
    struct evtchn_expand_array e = {.array_gfn = mfn};

    (void)c, (void)d;
    return expand ? hypercall_event_channel_op(EVTCHNOP_expand_array, &e)
                  : hypercall_event_channel_op(EVTCHNOP_init_control, &i);
}

TEST(frames_of_others_are_not_used)
{
    need_peer();
    check_lt(IN_PEER(copy_to_own, frame), 0);
    check_lt(IN_PEER(descriptors_from, frame), 0);
    check_lt(IN_PEER(place_vcpu_info, frame), 0);
    check_lt(IN_PEER(fifo_block, frame, 0), 0);
    check_lt(IN_PEER(fifo_block, frame, 1), 0);
    check_eq(page[0], SECRET);
}

/* ---- events and grants ---- */

static long alloc_port(long dom, long remote, long c, long d)
{
    struct evtchn_alloc_unbound op = {.dom = dom, .remote_dom = remote};

    (void)c, (void)d;
    return hypercall_event_channel_op(EVTCHNOP_alloc_unbound, &op);
}

static long bind_to(long dom, long port, long c, long d)
{
    struct evtchn_bind_interdomain op = {.remote_dom = dom, .remote_port = port};

    (void)c, (void)d;
    return hypercall_event_channel_op(EVTCHNOP_bind_interdomain, &op);
}

static long look_at_port(long dom, long port, long c, long d)
{
    struct evtchn_status op = {.dom = dom, .port = port};

    (void)c, (void)d;
    return hypercall_event_channel_op(EVTCHNOP_status, &op);
}

static long reset_ports(long dom, long b, long c, long d)
{
    struct evtchn_reset op = {.dom = dom};

    (void)b, (void)c, (void)d;
    return hypercall_event_channel_op(EVTCHNOP_reset, &op);
}

TEST(events_of_others_are_out_of_reach)
{
    evtchn_port_t for_two, mine;

    need_peer();
    for_each_target(t)
    {
        check_eq(IN_PEER(alloc_port, targets[t].id, 1), targets[t].rc);
        check_eq(IN_PEER(look_at_port, targets[t].id, 1), targets[t].rc);
        check_eq(IN_PEER(reset_ports, targets[t].id), targets[t].rc);
    }
    need_eq(evtchn_alloc_unbound(DOMID_SELF, 2, &for_two), 0);
    need_eq(evtchn_bind_ipi(0, &mine), 0);
    check_eq(IN_PEER(bind_to, me, for_two), -EINVAL);
    check_eq(IN_PEER(bind_to, me, mine), -EINVAL);
    check_eq(IN_PEER(bind_to, me, 4000), -EINVAL);
    check_eq(IN_PEER(bind_to, 2, 1), -EINVAL);
    check_eq(IN_PEER(bind_to, NOBODY, 1), -ESRCH);
    for (unsigned d = DOMID_IO; d <= DOMID_IDLE; d++) {
        check_lt(IN_PEER(bind_to, d, 1), 0);
        check_lt(IN_PEER(alloc_port, d, 1), 0);
        check_lt(IN_PEER(look_at_port, d, 1), 0);
    }
    check_eq(evtchn_close(for_two), 0);
    check_eq(evtchn_close(mine), 0);
}

/* Returns the status, or the call's error less 100. */
static long grant_query(long op, long dom, long c, long d)
{
    union {
        struct gnttab_query_size size;
        struct gnttab_setup_table setup;
        struct gnttab_dump_table dump;
        struct gnttab_get_status_frames frames;
    } u;
    xen_pfn_t list[4];
    long rc;

    (void)c, (void)d;
    memset(&u, 0, sizeof(u));
    if (op == GNTTABOP_setup_table)
        u.setup = (struct gnttab_setup_table){.dom = dom, .nr_frames = 1, .frame_list.p = list};
    else
        u.size.dom = dom; /* comes first in the others, too; get_status_frames is not asked */
    rc = hypercall_grant_table_op(op, &u, 1);
    if (rc)
        return rc - 100;
    return op == GNTTABOP_setup_table  ? u.setup.status
           : op == GNTTABOP_dump_table ? u.dump.status
                                       : u.size.status;
}

static long grant_map(long dom, long ref, long c, long d)
{
    struct gnttab_map_grant_ref m = {
        .host_addr = (uint64_t)spare(), .flags = GNTMAP_host_map, .ref = ref, .dom = dom};
    long rc = hypercall_grant_table_op(GNTTABOP_map_grant_ref, &m, 1);

    (void)c, (void)d;
    return rc ? rc - 100 : m.status;
}

static long copy_from(long dom, long mfn_or_ref, long flags, long d)
{
    uint64_t *own = alloc_page();
    struct gnttab_copy c = {.len = 64, .flags = flags};
    long rc;

    (void)d;
    c.source.domid = dom;
    if (flags & GNTCOPY_source_gref)
        c.source.u.ref = mfn_or_ref;
    else
        c.source.u.gmfn = mfn_or_ref;
    c.dest.domid = DOMID_SELF;
    c.dest.u.gmfn = virt_to_mfn(own);
    rc = hypercall_grant_table_op(GNTTABOP_copy, &c, 1);
    rc = rc ? rc - 100 : c.status ? c.status : (long)own[0];
    free_page(own);
    return rc;
}

static long copy_into(long dom, long mfn, long c, long d)
{
    uint64_t *own = alloc_page();
    struct gnttab_copy op = {.len = 64};
    long rc;

    (void)c, (void)d;
    op.source.domid = DOMID_SELF;
    op.source.u.gmfn = virt_to_mfn(own);
    op.dest.domid = dom;
    op.dest.u.gmfn = mfn;
    rc = hypercall_grant_table_op(GNTTABOP_copy, &op, 1);
    free_page(own);
    return rc ? rc - 100 : op.status;
}

static long give_page(long dom, long ref, long mfn, long d)
{
    struct gnttab_transfer t = {.mfn = mfn, .domid = dom, .ref = ref};
    long rc = hypercall_grant_table_op(GNTTABOP_transfer, &t, 1);

    (void)d;
    return rc ? rc - 100 : t.status;
}

TEST(grants_of_others_are_out_of_reach)
{
    grant_ref_t for_two;

    need_peer();
    need_eq(gnttab_init(1), 0);
    for_two = gnttab_grant(2, frame, false);
    need(for_two);
    for_each_target(t)
    {
        long expected = targets[t].rc == -EPERM ? GNTST_permission_denied : GNTST_bad_domain;

        check_eq(IN_PEER(grant_query, GNTTABOP_setup_table, targets[t].id), expected);
        check_eq(IN_PEER(grant_query, GNTTABOP_query_size, targets[t].id), expected);
        check_lt(IN_PEER(grant_query, GNTTABOP_dump_table, targets[t].id), 0);
        /* By frame number it may only copy its own. */
        check_eq(IN_PEER(copy_from, targets[t].id, frame, 0), GNTST_permission_denied);
        check_eq(IN_PEER(copy_into, targets[t].id, frame), GNTST_permission_denied);
        check_lt(IN_PEER(copy_from, targets[t].id, for_two, GNTCOPY_source_gref), 0);
        check_lt(IN_PEER(grant_map, targets[t].id, for_two), 0);
        check_lt(IN_PEER(grant_map, targets[t].id, 5), 0);
        check_lt(IN_PEER(grant_map, targets[t].id, 1 << 30), 0);
        check_lt(IN_PEER(give_page, targets[t].id, for_two, frame), 0);
    }
    for (unsigned d = DOMID_IO; d <= DOMID_IDLE; d++) {
        check_lt(IN_PEER(grant_map, d, 0), 0);
        check_lt(IN_PEER(copy_from, d, frame, 0), 0);
        check_lt(IN_PEER(copy_into, d, frame), 0);
        check_lt(IN_PEER(grant_query, GNTTABOP_query_size, d), 0);
        check_lt(IN_PEER(give_page, d, 8, frame), 0);
    }
    check_lt(IN_PEER(copy_from, DOMID_SELF, frame, 0), 0);
    check_lt(IN_PEER(copy_into, DOMID_SELF, frame), 0);
    check(!gnttab_in_use(for_two));
    check(gnttab_end(for_two));
    check_eq(page[0], SECRET);
}

/* ---- scheduling, vcpus, console ---- */

static long remote_shutdown(long dom, long b, long c, long d)
{
    struct sched_remote_shutdown op = {.domain_id = dom, .reason = SHUTDOWN_crash};

    (void)b, (void)c, (void)d;
    return hypercall_sched_op(SCHEDOP_remote_shutdown, &op);
}

static long pin_override(long pcpu, long b, long c, long d)
{
    struct sched_pin_override op = {.pcpu = pcpu};

    (void)b, (void)c, (void)d;
    return hypercall_sched_op(SCHEDOP_pin_override, &op);
}

TEST(others_go_on_running)
{
    need_peer();
    for_each_target(t) check_eq(IN_PEER(remote_shutdown, targets[t].id), targets[t].rc);
    for (unsigned d = DOMID_IO; d <= DOMID_IDLE; d++)
        check_eq(IN_PEER(remote_shutdown, d), -ESRCH);
    check_eq(IN_PEER(pin_override, 0), -EPERM);
    check_eq(IN_PEER(pin_override, -1), -EPERM);
}

static long vcpu(long op, long id, long c, long d)
{
    static struct vcpu_guest_context argument;

    (void)c, (void)d;
    return hypercall_vcpu_op(op, id, &argument);
}

TEST(absent_vcpus_cannot_be_named)
{
    static const uint8_t ops[] = {VCPUOP_initialise,
                                  VCPUOP_up,
                                  VCPUOP_down,
                                  VCPUOP_is_up,
                                  VCPUOP_get_runstate_info,
                                  VCPUOP_register_runstate_memory_area,
                                  VCPUOP_set_periodic_timer,
                                  VCPUOP_stop_periodic_timer,
                                  VCPUOP_set_singleshot_timer,
                                  VCPUOP_stop_singleshot_timer,
                                  VCPUOP_register_vcpu_info,
                                  VCPUOP_send_nmi,
                                  VCPUOP_get_physid,
                                  VCPUOP_register_vcpu_time_memory_area};
    static const unsigned absent[] = {1, 31, 32, 63, 64, 8191, 8192, 0x7fffffff, 0xffffffff};

    need_peer();
    for (unsigned i = 0; i < ARRAY_SIZE(ops); i++)
        for (unsigned v = 0; v < ARRAY_SIZE(absent); v++)
            if (!check_eq(IN_PEER(vcpu, ops[i], absent[v]), -ENOENT))
                note("vcpu %u, operation %u", absent[v], ops[i]);
    check_lt(IN_PEER(vcpu, VCPUOP_get_physid, 0), 0);
}

static long console(long cmd, long b, long c, long d)
{
    static char text[] = "hello from domain 1\n";

    (void)b, (void)c, (void)d;
    return hypercall_console_io(cmd, sizeof(text) - 1, text);
}

TEST(console_input_is_not_for_everybody)
{
    need_peer();
    check_eq(IN_PEER(console, CONSOLEIO_read), -EPERM);
    check_lt(IN_PEER(console, 77), 0);
}

static long plain(long nr, long a, long b, long c)
{
    return hypercall5(nr, a, b, c, 0, 0);
}

TEST(other_calls_are_not_there)
{
    static const uint8_t nr[] = {__HYPERVISOR_xsm_op,   __HYPERVISOR_xenoprof_op,
                                 __HYPERVISOR_kexec_op, __HYPERVISOR_tmem_op,
                                 __HYPERVISOR_argo_op,  __HYPERVISOR_xenpmu_op,
                                 __HYPERVISOR_dm_op,    __HYPERVISOR_hypfs_op,
                                 __HYPERVISOR_arch_0,   __HYPERVISOR_arch_1};

    need_peer();
    for (unsigned i = 0; i < ARRAY_SIZE(nr); i++)
        for (unsigned cmd = 0; cmd < 8; cmd++)
            check_lt(IN_PEER(plain, nr[i], cmd, 0, 0), 0);
}

/* After all of that both are as they were. */
TEST(nothing_has_happened)
{
    struct peer other;

    need_peer();
    check_eq(page[0], SECRET);
    check_eq(m2p_raw(frame), virt_to_pfn(page));
    peer_disconnect(&peer);
    need_eq(peer_connect(&other, 2), 0);
    check_eq(peer_call(&other, is_privileged, 0, 0, 0, 0), 0);
    peer_disconnect(&other);
}

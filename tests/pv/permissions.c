/* SPDX-License-Identifier: MIT */
/* What does another domain get of the machine's device memory and ports when it is permitted to, and what
 * never? (Interrupts: physdev.c.)
 *
 * The device is `edu`, whose first word says who it is, and whose second one, when it is written, turns all
 * bits over. The ports are the page registers of the DMA controller, which keep what is written. */
// smp: 1,2
// qemu: -device edu
// domu: name=b mem=16M vcpus=2 -- peer
#include <pv/test.h>
#include <pv/control.h>
#include <xen/physdev.h>

#define PEER   1
#define EDU_ID 0x010000edu
#define PORT   0x87 /* of channel 0; 0x83, 0x81, 0x82: of the others */

static struct peer peer;
static mfn_t edu; /* its first frame */

static uint32_t config(unsigned at, unsigned reg, uint32_t set)
{
    uint32_t v;

    outl(0xcf8, 0x80000000 | at << 8 | reg);
    v = inl(0xcfc);
    if (set)
        outl(0xcfc, v | set);
    return v;
}

static int set_iopl(unsigned level)
{
    return (int)hypercall_physdev_op(PHYSDEVOP_set_iopl, &(struct physdev_set_iopl){level});
}

/* Connected once; the tests leave it so. */
static bool ready(void)
{
    static bool tried;

    if (tried || !guest_is_initial())
        return edu;
    tried = true;
    if (set_iopl(1) || peer_connect(&peer, PEER))
        return false;
    for (unsigned at = 0; at < 256 && !edu; at++) {
        if (config(at, 0, 0) == 0x11e81234) {
            config(at, 4, 2); /* it answers */
            edu = config(at, 0x10, 0) >> PAGE_SHIFT;
        }
    }
    return edu;
}

#define need_peer()                                                                                \
    do {                                                                                           \
        if (!ready())                                                                              \
            skip("no second domain, or no device");                                                \
    } while (0)

#define IN_PEER(...) IN_PEER_(__VA_ARGS__, 0, 0, 0, 0)
#define IN_PEER_(fn, a, b, c, d, ...)                                                              \
    peer_call(&peer, (fn), (long)(a), (long)(b), (long)(c), (long)(d))

static long permit_frames(unsigned dom, uint64_t first, uint64_t n, bool allow)
{
    struct xen_domctl op = {
        .u.iomem_permission = {.first_mfn = first, .nr_mfns = n, .allow_access = allow}};

    return domctl(XEN_DOMCTL_iomem_permission, dom, &op);
}

static long permit_ports(unsigned dom, unsigned first, unsigned n, bool allow)
{
    struct xen_domctl op = {
        .u.ioport_permission = {.first_port = first, .nr_ports = n, .allow_access = allow}};

    return domctl(XEN_DOMCTL_ioport_permission, dom, &op);
}

/* ---- device memory ---- */

static volatile uint32_t *window(void)
{
    static volatile uint32_t *va;

    return va = va ? va : vm_reserve(1);
}

static long map(long frame, long flags, long c, long d)
{
    (void)c, (void)d;
    return map_frame((uint64_t)window(), (mfn_t)frame, (uint64_t)flags);
}

static long unmap(long a, long b, long c, long d)
{
    (void)a, (void)b, (void)c, (void)d;
    return unmap_frame((uint64_t)window());
}

/* What the device says; of the word, if there is one to write. */
static long use(long word, long b, long c, long d)
{
    (void)b, (void)c, (void)d;
    if (!word)
        return window()[0];
    window()[1] = (uint32_t)word;
    return window()[1];
}

static long flags_there(long a, long b, long c, long d)
{
    (void)a, (void)b, (void)c, (void)d;
    return (long)(*pt_entry((uint64_t)window(), 1) & (PTE_PCD | PTE_PWT | PTE_PAT));
}

#define DEVICE (PROT_RW | PTE_PCD)

TEST(a_device_is_mapped_when_it_is_permitted)
{
    need_peer();
    check_eq(IN_PEER(map, edu, DEVICE), -EINVAL); /* it has no use for uncached memory */
    check_eq(IN_PEER(map, edu, PROT_RW), -EPERM);
    need_eq(permit_frames(PEER, edu, 1, true), 0);
    need_eq(permit_frames(PEER, edu, 1, true), 0); /* again: the same */
    need_eq(IN_PEER(map, edu, DEVICE), 0);
    check_eq(IN_PEER(use, 0), EDU_ID);
    check_eq(IN_PEER(use, 0x12345678), 0xedcba987);
    check_eq(IN_PEER(flags_there), PTE_PCD);
    check_eq(IN_PEER(map, edu + 1, PROT_RW), -EPERM);
    check_eq(IN_PEER(map, edu - 1, PROT_RW), -EPERM);
    check_eq(IN_PEER(use, 0), EDU_ID);
    check_eq(IN_PEER(unmap), 0);
}

/* What is mapped stays; what is to be changed is asked for anew. */
TEST(withdrawal_is_for_what_comes_after)
{
    need_peer();
    need_eq(permit_frames(PEER, edu, 2, true), 0);
    need_eq(IN_PEER(map, edu, DEVICE), 0);
    check_eq(permit_frames(PEER, edu, 1, false), 0);
    check_eq(IN_PEER(use, 0), EDU_ID);
    check_eq(IN_PEER(map, edu, PROT_RO), -EPERM);
    check_eq(IN_PEER(use, 0x1), 0xfffffffe);
    check_eq(IN_PEER(map, edu + 1, DEVICE), 0);
    check_eq(IN_PEER(map, edu, DEVICE), -EPERM);
    check_eq(permit_frames(PEER, edu, 2, false), 0);
    check_eq(IN_PEER(unmap), 0);
    check_eq(IN_PEER(map, edu + 1, DEVICE), -EINVAL);
}

static long own_frame(long flags, long b, long c, long d)
{
    static void *page;

    (void)b, (void)c, (void)d;
    page = page ? page : alloc_page();
    return map((long)virt_to_mfn(page), flags, 0, 0);
}

static long flush(long cmd, long b, long c, long d)
{
    (void)b, (void)c, (void)d;
    return mmuext((unsigned)cmd, 0, 0);
}

/* Memory stays cached, whatever is asked for. */
TEST(who_has_a_device_has_its_caches)
{
    need_peer();
    check_eq(IN_PEER(own_frame, DEVICE), -EINVAL);
    check_eq(IN_PEER(flush, MMUEXT_FLUSH_CACHE), -EACCES);
    need_eq(permit_frames(PEER, edu, 1, true), 0);
    check_eq(IN_PEER(own_frame, DEVICE | PTE_PWT | PTE_PAT), 0);
    check_eq(IN_PEER(flags_there), 0);
    check_eq(IN_PEER(unmap), 0);
    check_eq(IN_PEER(flush, MMUEXT_FLUSH_CACHE), 0);
    check_eq(IN_PEER(flush, MMUEXT_FLUSH_CACHE_GLOBAL), 0);
    check_eq(permit_frames(PEER, edu, 1, false), 0);
    check_eq(IN_PEER(flush, MMUEXT_FLUSH_CACHE_GLOBAL), -EACCES);
}

TEST(hypervisors_devices_are_nobodys)
{
    static const mfn_t kept[] = {0xfec00, 0xfee00, 0xfed00}; /* IO-APIC, local APIC, HPET */

    need_peer();
    for (unsigned i = 0; i < ARRAY_SIZE(kept); i++) {
        check_eq(permit_frames(PEER, kept[i], 1, true), -EPERM);
        check_eq(permit_frames(PEER, kept[i] - 1, 2, true), -EPERM);
        check_eq(permit_frames(PEER, kept[i], 1, false), -EPERM);
        check_lt(IN_PEER(map, kept[i], PROT_RO), 0);
    }
    check_eq(permit_frames(PEER, 0, 1 << 20, true), -EPERM);
    check_eq(permit_frames(PEER, 0, ~0ul, true), -EPERM);
    check_eq(permit_frames(PEER, 0, 0, true), -EPERM); /* that is all there are */
    check_eq(permit_frames(PEER, 2, ~0ul, true), -EINVAL);
    check_eq(permit_frames(PEER, 9, 0, true), -EINVAL);
    check_eq(permit_frames(PEER, ~0ul - 1, 2, true), -EPERM); /* beyond what there can be */
    check_eq(permit_frames(PEER, 1ul << 40, 1, true), -EPERM);
    check_eq(permit_frames(99, edu, 1, true), -ESRCH);
    check_eq(IN_PEER(map, 0xfebff, PROT_RO), -EPERM);
}

/* Permission is for what is no memory: that has an owner. */
TEST(memory_is_not_device_memory)
{
    void *page = alloc_page();

    need_peer();
    need(page);
    need_eq(permit_frames(PEER, virt_to_mfn(page), 1, true), 0);
    check_eq(IN_PEER(map, virt_to_mfn(page), PROT_RO), -EBUSY);
    check_eq(IN_PEER(map, virt_to_mfn(page), DEVICE), -EBUSY);
    need_eq(permit_frames(PEER, virt_to_mfn(page), 1, false), 0);
    free_page(page);
}

/* ---- ports ---- */

/* A byte that is read; the vector of the fault, negative. */
static long read_port(long port, long size, long c, long d)
{
    volatile long value = 0;
    struct fault f = FAULT_OF(value = size == 4   ? (long)inl((uint16_t)port)
                                      : size == 2 ? inw((uint16_t)port)
                                                  : inb((uint16_t)port));

    (void)c, (void)d;
    return f.hit ? -(long)f.vector : value;
}

static long write_port(long port, long value, long c, long d)
{
    struct fault f = FAULT_OF(outb((uint16_t)port, (uint8_t)value));

    (void)c, (void)d;
    return f.hit ? -(long)f.vector : 0;
}

static long read_string(long port, long b, long c, long d)
{
    uint8_t got[2] = {0};
    void *to = got;
    long n = 2;

    (void)b, (void)c, (void)d;
    __asm__ volatile("rep insb" : "+D"(to), "+c"(n) : "d"((uint16_t)port) : "memory");
    return got[0] | got[1] << 8;
}

static long iopl(long level, long b, long c, long d)
{
    (void)b, (void)c, (void)d;
    return set_iopl((unsigned)level);
}

/* The kernel's own bitmap: all ports open. */
static long iobitmap(long n, long b, long c, long d)
{
    static uint8_t bits[8192];
    struct physdev_set_iobitmap map = {.nr_ports = (uint32_t)n};

    (void)b, (void)c, (void)d;
    map.bitmap.p = bits;
    return hypercall_physdev_op(PHYSDEVOP_set_iobitmap, &map);
}

TEST(a_port_is_reached_when_it_is_permitted)
{
    need_peer();
    outb(PORT, 0x5a);
    need_eq(permit_ports(PEER, PORT, 1, true), 0);
    check_eq(IN_PEER(read_port, PORT, 1), -TRAP_GP); /* its kernel must want it too */
    need_eq(IN_PEER(iopl, 1), 0);
    check_eq(IN_PEER(read_port, PORT, 1), 0x5a);
    check_eq(IN_PEER(write_port, PORT, 0xa5), 0);
    check_eq(inb(PORT), 0xa5);
    check_eq(IN_PEER(read_string, PORT), 0xa5a5);
    check_eq(IN_PEER(read_port, PORT, 2), 0xffff); /* all of them, or none */
    check_eq(IN_PEER(read_port, PORT - 1, 2), 0xffff);
    check_eq(IN_PEER(read_port, PORT - 1, 4), 0xffffffff);
    check_eq(IN_PEER(read_port, PORT - 1, 1), 0xff);
    check_eq(IN_PEER(write_port, 0x83, 0x11), 0);
    check_ne(inb(0x83), 0x11);
    check_eq(permit_ports(PEER, PORT, 1, false), 0);
    check_eq(IN_PEER(read_port, PORT, 1), 0xff);
    check_eq(IN_PEER(write_port, PORT, 0x33), 0);
    check_eq(inb(PORT), 0xa5);
    check_eq(IN_PEER(iopl, 0), 0);
}

TEST(a_port_is_reached_by_a_bitmap)
{
    need_peer();
    outb(PORT, 0x5a);
    need_eq(IN_PEER(iobitmap, 65536), 0);
    check_eq(IN_PEER(read_port, PORT, 1), 0xff);
    need_eq(permit_ports(PEER, PORT - 4, 5, true), 0);
    check_eq(IN_PEER(read_port, PORT, 1), 0x5a);
    need_eq(IN_PEER(iobitmap, PORT), 0);
    check_eq(IN_PEER(read_port, PORT, 1), -TRAP_GP);
    check_eq(permit_ports(PEER, PORT - 4, 5, false), 0);
    need_eq(IN_PEER(iobitmap, 0), 0);
}

TEST(hypervisors_ports_are_nobodys)
{
    static const uint16_t kept[] = {0x20, 0xa1, 0x40, 0x43, 0x3f8, 0xcf8, 0xcfc};

    need_peer();
    for (unsigned i = 0; i < ARRAY_SIZE(kept); i++) {
        check_eq(permit_ports(PEER, kept[i], 1, true), -EPERM);
        check_eq(permit_ports(PEER, kept[i] - 1u, 2, true), -EPERM);
        check_eq(permit_ports(PEER, kept[i], 1, false), -EPERM);
    }
    check_eq(permit_ports(PEER, 0, 65536, true), -EPERM);
    check_eq(permit_ports(PEER, 65536, 1, true), -EINVAL);
    check_eq(permit_ports(PEER, 65535, 2, true), -EINVAL);
    check_eq(permit_ports(PEER, PORT, 0, true), -EINVAL);
    check_eq(permit_ports(PEER, PORT, ~0u, true), -EINVAL);
    check_eq(permit_ports(99, PORT, 1, true), -ESRCH);
}

/* ---- how much of it ---- */

static struct child kid;

TEST(ranges_are_bounded_and_end_with_the_domain)
{
    unsigned n = 0;
    uint64_t before, end;
    long rc = 0;

    need_peer();
    need_eq(child_create(&kid, 1, CHILD_MIN_PAGES), 0);
    child_destroy(&kid);
    hypercall_sched_op(SCHEDOP_yield, NULL);
    before = free_machine_pages();
    need_eq(child_create(&kid, 1, CHILD_MIN_PAGES), 0);
    while (n < 4096 && !rc)
        rc = permit_ports(kid.id, 0x1000 + 2 * n++, 1, true);
    check_eq(rc, -ENOMEM);
    check_eq(n, 257);
    check_eq(permit_ports(kid.id, 0x2000, 1, true), -ENOMEM);
    check_eq(permit_ports(kid.id, 0x1001, 1, true), 0); /* joins two, and makes room */
    check_eq(permit_ports(kid.id, 0x2000, 1, true), 0);
    check_eq(permit_ports(kid.id, 0x1000, 3, false), 0);
    check_eq(permit_frames(kid.id, edu, 1, true), 0);
    check_eq(child_destroy(&kid), 0);
    end = time_now() + 5000000000;
    while (free_machine_pages() < before && time_now() < end)
        hypercall_sched_op(SCHEDOP_yield, NULL);
    check_ge(free_machine_pages(), before);
}

/* The control domain may lose what it has, and then cannot give it, not even to itself. The last test: its
 * ports all trap from now on. */
TEST(the_control_domain_asks_as_well)
{
    need_peer();
    check_eq(permit_ports(0, PORT, 1, false), 0);
    check_eq(inb(PORT), 0xff);
    check_eq(permit_ports(0, PORT, 1, true), -EPERM);
    check_eq(permit_ports(PEER, PORT, 1, true), -EPERM);
    outb(0x83, 0x77);
    check_eq(inb(0x83), 0x77);
    check_eq(permit_frames(0, edu, 1, false), 0);
    check_eq(map((long)edu, DEVICE, 0, 0), -EPERM);
    check_eq(map((long)edu + 1, DEVICE, 0, 0), 0);
    check_eq(permit_frames(PEER, edu, 1, true), -EPERM);
    check_eq(unmap(0, 0, 0, 0), 0);
    peer_end(&peer);
}

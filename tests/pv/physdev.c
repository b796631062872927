/* SPDX-License-Identifier: MIT */
/* Do the machine's interrupts reach the control domain: once for each time they are raised, as long
 * as it wants them, where it wants them, and nobody else?
 *
 * Two devices raise them by a register: `edu` by its line (a level) or by MSI, `e1000e` by MSI-X.
 * The clock's interrupt is an edge. */
// smp: 1,2
// qemu: -device edu -device e1000e -device nec-usb-xhci,msi=on,msix=off
// qemu: -icount shift=4,sleep=off -rtc clock=vm
// domu: name=b mem=16M vcpus=1 -- peer
#include <pv/test.h>
#include <pv/control.h>
#include <xen/physdev.h>

#define NR_PIRQS  1024
#define CLOCK_GSI 8
#define NOWHERE   0x1f7 /* bus 1, which is not there, device 30, function 7 */

/* ---- configuration space; a function is bus * 256 + devfn ---- */

static uint32_t config_read(unsigned at, unsigned reg)
{
    outl(0xcf8, 0x80000000 | at << 8 | reg);
    return inl(0xcfc);
}

static void config_write(unsigned at, unsigned reg, uint32_t v)
{
    outl(0xcf8, 0x80000000 | at << 8 | reg);
    outl(0xcfc, v);
}

static unsigned find_capability(unsigned at, unsigned id)
{
    unsigned pos = config_read(at, 0x34) & 0xfc;

    while (pos && (config_read(at, pos) & 0xff) != id)
        pos = config_read(at, pos) >> 8 & 0xfc;
    return pos;
}

/* ---- the devices ---- */

struct device {
    bool ready;
    unsigned at, gsi, msi, msix;
    volatile uint32_t *regs;
};

static struct device edu, nic, usb;
static volatile uint32_t *table; /* of the nic's MSI-X */

#define EDU_STATUS (0x24 / 4)
#define EDU_RAISE  (0x60 / 4)
#define EDU_ACK    (0x64 / 4)

#define NIC_ICS  (0xc8 / 4)
#define NIC_IMS  (0xd0 / 4)
#define NIC_EIAC (0xdc / 4)
#define NIC_IVAR (0xe4 / 4)
#define RXQ0     (1u << 20) /* entry 0 */
#define TXQ0     (1u << 22) /* entry 1 */

static int op(int cmd, void *arg)
{
    return (int)hypercall_physdev_op(cmd, arg);
}

static volatile uint32_t *map_bar(unsigned at, unsigned bar)
{
    uint64_t va = (uint64_t)vm_reserve(1);
    uint32_t base = config_read(at, 0x10 + 4 * bar) & ~0xfu;

    return map_frame(va, base >> PAGE_SHIFT, PROT_RW | PTE_PCD) ? NULL : (void *)va;
}

static int add_device(unsigned at)
{
    struct physdev_pci_device_add add = {.bus = at >> 8, .devfn = at & 0xff};

    return op(PHYSDEVOP_pci_device_add, &add);
}

static void find_device(struct device *dev, uint32_t id)
{
    for (unsigned at = 0; at < 256 && !dev->ready; at++) {
        if (config_read(at, 0) != id)
            continue;
        config_write(at, 4, config_read(at, 4) | 6); /* memory, bus master */
        dev->at = at;
        dev->gsi = config_read(at, 0x3c) & 0xff; /* as the firmware has wired it */
        dev->msi = find_capability(at, 5);
        dev->msix = find_capability(at, 0x11);
        dev->regs = map_bar(at, 0);
        dev->ready = dev->regs && add_device(at) == 0;
    }
}

static bool ready(void)
{
    static bool tried;
    struct physdev_set_iopl iopl = {.iopl = 1};

    if (!tried) {
        tried = true;
        (void)op(PHYSDEVOP_set_iopl, &iopl);
        find_device(&edu, 0x11e81234);
        find_device(&nic, 0x10d38086);
        find_device(&usb, 0x01941033);
        if (nic.ready)
            table = map_bar(nic.at, config_read(nic.at, nic.msix + 4) & 7);
        events_enable();
    }
    return edu.ready && nic.ready && table;
}

/* ---- interrupts ---- */

static int map(int type, int index, int bus, int devfn, int entry, uint64_t base)
{
    struct physdev_map_pirq m = {.domid = DOMID_SELF,
                                 .type = type,
                                 .index = index,
                                 .pirq = type == MAP_PIRQ_TYPE_GSI ? index : -1,
                                 .bus = bus,
                                 .devfn = devfn,
                                 .entry_nr = entry,
                                 .table_base = base};
    int rc = op(PHYSDEVOP_map_pirq, &m);

    return rc ? rc : m.pirq;
}

static int map_gsi(int gsi)
{
    return map(MAP_PIRQ_TYPE_GSI, gsi, 0, 0, 0, 0);
}

static int map_msi(const struct device *dev)
{
    return map(MAP_PIRQ_TYPE_MSI_SEG, -1, 0, dev->at, 0, 0);
}

static int map_msix(const struct device *dev, int entry)
{
    return map(MAP_PIRQ_TYPE_MSI_SEG, -1, 0, dev->at, entry,
               1); /* any base: it has one of its own */
}

static int unmap(int pirq)
{
    struct physdev_unmap_pirq u = {.domid = DOMID_SELF, .pirq = pirq};

    return op(PHYSDEVOP_unmap_pirq, &u);
}

static int eoi(unsigned pirq)
{
    struct physdev_eoi e = {.irq = pirq};

    return op(PHYSDEVOP_eoi, &e);
}

static int status(unsigned pirq)
{
    struct physdev_irq_status_query q = {.irq = pirq, .flags = ~0u};
    int rc = op(PHYSDEVOP_irq_status_query, &q);

    return rc ? rc : (int)q.flags;
}

/* A bound interrupt. */
struct line {
    evtchn_port_t port;
    volatile unsigned came, vcpu;
};

static void arrived(evtchn_port_t port, void *arg)
{
    struct line *l = arg;

    (void)port;
    l->vcpu = vcpu_id();
    l->came++;
}

static int bind(struct line *l, unsigned pirq)
{
    struct evtchn_bind_pirq b = {.pirq = pirq};
    int rc = (int)hypercall_event_channel_op(EVTCHNOP_bind_pirq, &b);

    if (rc)
        return rc;
    l->port = b.port;
    l->came = 0;
    evtchn_set_handler(l->port, arrived, l);
    return 0;
}

static void release(struct line *l, int pirq)
{
    evtchn_set_handler(l->port, NULL, NULL);
    check_eq(evtchn_close(l->port), 0);
    check_eq(unmap(pirq), 0);
}

/* It comes, and no more often than @n times. */
static bool comes(struct line *l, unsigned n)
{
    if (!n)
        time_sleep(20 * NS_PER_MS);
    (void)eventually(l->came >= n);
    time_delay(NS_PER_MS);
    return check_eq(l->came, n);
}

static void edu_raise(void)
{
    edu.regs[EDU_RAISE] = 1;
}

static void edu_ack(void)
{
    edu.regs[EDU_ACK] = ~0u;
}

static void nic_raise(uint32_t cause)
{
    nic.regs[NIC_IMS] = RXQ0 | TXQ0; /* each one switches itself off */
    nic.regs[NIC_ICS] = cause;
}

#define need_devices()                                                                             \
    do {                                                                                           \
        if (!ready())                                                                              \
            skip("no edu or e1000e here");                                                         \
    } while (0)

/* ---- lines ---- */

TEST(level_comes_once_until_it_is_ended)
{
    struct line l;
    int pirq;

    need_devices();
    pirq = map_gsi(edu.gsi);
    need_eq(pirq, edu.gsi);
    check_eq(map_gsi(edu.gsi), pirq); /* again: the same */
    need_eq(bind(&l, pirq), 0);
    check_eq(status(pirq), XENIRQSTAT_needs_eoi);
    edu_raise();
    comes(&l, 1); /* the line is still up */
    check_eq(eoi(pirq), 0);
    comes(&l, 2); /* and up */
    edu_ack();
    check_eq(eoi(pirq), 0);
    comes(&l, 2);
    check_eq(eoi(pirq), 0); /* one too many does nothing */
    edu_raise();
    comes(&l, 3);
    edu_ack();
    release(&l, pirq);
}

/* A line that nobody looks after: each time it is bound it asks once, and is quiet. */
TEST(unbound_level_is_silent)
{
    struct line l;
    int pirq;

    need_devices();
    pirq = map_gsi(edu.gsi);
    edu_raise();
    for (unsigned i = 0; i < 3; i++) {
        need_eq(bind(&l, pirq), 0);
        comes(&l, 1);
        evtchn_set_handler(l.port, NULL, NULL);
        check_eq(evtchn_close(l.port), 0);
        check_eq(eoi(pirq), 0); /* nobody's */
    }
    need_eq(bind(&l, pirq), 0);
    comes(&l, 1);
    edu_ack();
    release(&l, pirq);
    check_eq(eoi(pirq), -EINVAL);
}

TEST(edge_comes_without_an_end)
{
    struct line l;
    int pirq;

    need_devices();
    pirq = map_gsi(CLOCK_GSI);
    need_eq(pirq, CLOCK_GSI);
    need_eq(bind(&l, pirq), 0);
    check_eq(status(pirq), 0);
    outb(0x70, 0x0a);
    outb(0x71, 0x26); /* 1024 times a second */
    outb(0x70, 0x0b);
    outb(0x71, 0x42);
    for (unsigned i = 1; i <= 4; i++) {
        l.came = 0;
        outb(0x70, 0x0c);
        (void)inb(0x71); /* lets the next one come */
        check(eventually(l.came));
    }
    outb(0x70, 0x0b);
    outb(0x71, 0x02);
    outb(0x70, 0x0c);
    (void)inb(0x71);
    release(&l, pirq);
}

/* A page where the kernel looks instead of asking. */
TEST(page_says_what_needs_an_end)
{
    static uint64_t *page;
    struct physdev_pirq_eoi_gmfn g = {.gmfn = INVALID_MFN};
    struct line l, c;

    need_devices();
    check_eq(op(PHYSDEVOP_pirq_eoi_gmfn_v2, &g), -EINVAL);
    g.gmfn = pfn_to_mfn(pt_kernel_root()); /* not to be written */
    check_eq(op(PHYSDEVOP_pirq_eoi_gmfn_v2, &g), -EINVAL);
    need_eq(bind(&l, map_gsi(edu.gsi)), 0);
    page = alloc_page();
    g.gmfn = virt_to_mfn(page);
    need_eq(op(PHYSDEVOP_pirq_eoi_gmfn_v2, &g), 0);
    check_eq(op(PHYSDEVOP_pirq_eoi_gmfn_v2, &g), -EBUSY);
    check_eq(page[0], 1ul << edu.gsi); /* bound before */
    need_eq(bind(&c, map_gsi(CLOCK_GSI)), 0);
    check_eq(page[0], 1ul << edu.gsi);
    check_lt(page_readonly(page) ? -1 : pt_pin(page, 1), 0); /* it stays writable */
    page_writable(page);
    release(&l, edu.gsi);
    check_eq(page[0], 0);
    release(&c, CLOCK_GSI);
}

TEST(trigger_is_set_before_use_only)
{
    struct physdev_setup_gsi s = {.gsi = CLOCK_GSI, .triggering = 1, .polarity = 1};
    struct line l;

    need_devices();
    check_eq(op(PHYSDEVOP_setup_gsi, &s), 0);
    need_eq(bind(&l, map_gsi(CLOCK_GSI)), 0);
    check_eq(status(CLOCK_GSI), XENIRQSTAT_needs_eoi);
    s.triggering = s.polarity = 0;
    check_eq(op(PHYSDEVOP_setup_gsi, &s), 0 - EEXIST);
    release(&l, CLOCK_GSI);
    check_eq(op(PHYSDEVOP_setup_gsi, &s), 0);
    s.gsi = -1;
    check_eq(op(PHYSDEVOP_setup_gsi, &s), -EINVAL);
    s.gsi = 24;
    check_eq(op(PHYSDEVOP_setup_gsi, &s), -EINVAL);
    s.gsi = 4; /* the console's */
    check_eq(op(PHYSDEVOP_setup_gsi, &s), -EEXIST);
}

TEST(hypervisors_pin_stays_its_own)
{
    struct line l;

    need_devices();
    need_eq(map_gsi(4), 4); /* a number, no more */
    check_eq(bind(&l, 4), -EBUSY);
    check_eq(bind(&l, 4), -EBUSY);
    check_eq(eoi(4), 0);
    check_eq(unmap(4), 0);
}

/* ---- IO-APIC registers ---- */

static int apic(int cmd, uint64_t base, unsigned reg, uint32_t *value)
{
    struct physdev_apic a = {.apic_physbase = base, .reg = reg, .value = *value};
    int rc = op(cmd, &a);

    *value = a.value;
    return rc;
}

TEST(io_apic_registers_are_seen_but_not_changed)
{
    uint32_t v = 0, before = 0, entry = 0x10 + 2 * CLOCK_GSI;
    struct line l;

    need_devices();
    check_eq(apic(PHYSDEVOP_apic_read, 0xfec00000, 1, &v), 0);
    check_eq(v >> 16 & 0xff, 23);
    check_eq(apic(PHYSDEVOP_apic_read, 0xfec01000, 1, &v), -EINVAL);
    check_eq(apic(PHYSDEVOP_apic_write, 0xfee00000, 1, &v), -EINVAL);
    check_eq(apic(PHYSDEVOP_apic_read, 0xfec00000, ~0u, &v), 0);
    need_eq(bind(&l, map_gsi(CLOCK_GSI)), 0);
    check_eq(apic(PHYSDEVOP_apic_read, 0xfec00000, entry, &before), 0);
    for (unsigned reg = 0; reg < 0x300; reg++) {
        v = 0x80ff; /* level, vector 0xff, not masked */
        if (reg < 0x10 || reg == entry || reg == entry + 1 || reg >= 0x40)
            check_eq(apic(PHYSDEVOP_apic_write, 0xfec00000, reg, &v), 0);
    }
    check_eq(apic(PHYSDEVOP_apic_read, 0xfec00000, entry, &v), 0);
    check_eq(v, before);
    release(&l, CLOCK_GSI);
    v = 0x80ff;
    check_eq(apic(PHYSDEVOP_apic_write, 0xfec00000, entry, &v), 0); /* the trigger of an idle one */
    check_eq(apic(PHYSDEVOP_apic_read, 0xfec00000, entry, &v), 0);
    check_eq(v & 0x18000, 0x18000);
    check_ne(v & 0xff, 0xff);
    v = 0;
    check_eq(apic(PHYSDEVOP_apic_write, 0xfec00000, entry, &v), 0);
}

/* ---- MSI ---- */

static void msi_enable(const struct device *dev, bool on)
{
    uint32_t c = config_read(dev->at, dev->msi) & ~0x10000u;

    config_write(dev->at, dev->msi, c | (uint32_t)on << 16);
}

TEST(msi_comes_each_time)
{
    struct line l;
    int pirq;

    need_devices();
    pirq = map_msi(&edu);
    need(pirq >= 24);
    check_eq(map_msi(&edu), -EEXIST);
    msi_enable(&edu, true);
    edu_raise(); /* nobody listens yet: lost */
    edu_ack();
    time_delay(NS_PER_MS);
    need_eq(bind(&l, pirq), 0);
    check_eq(status(pirq), 0);
    for (unsigned i = 1; i <= 3; i++) {
        edu_raise();
        comes(&l, i);
        check_eq(eoi(pirq), 0); /* may be said, need not */
        edu_ack();
    }
    release(&l, pirq);
    check_eq(config_read(edu.at, edu.msi) & 0x10000, 0); /* turned off */
    check_eq(bind(&l, pirq), -EINVAL);
}

/* Messages of one address, and data in a row. It asks for three and has four. */
TEST(group_of_msis_stays_together)
{
    int pirq;

    need_devices();
    if (!usb.ready)
        skip("no xhci here");
    pirq = map(MAP_PIRQ_TYPE_MULTI_MSI, -1, 0, usb.at, 3, 0);
    need(pirq >= 24);
    check_eq(config_read(usb.at, usb.msi) >> 20 & 7, 2);
    check_eq(config_read(usb.at, usb.msi + 12) & 3, 0); /* the device counts in these bits */
    check_eq(map_msi(&usb), -EEXIST);
    for (int i = 0; i < 4; i++) {
        struct line l;

        check_eq(bind(&l, pirq + i), 0);
        check_eq(evtchn_close(l.port), 0);
        check_eq(i ? unmap(pirq + i) : -EINVAL, -EINVAL); /* by its first one only */
    }
    check_eq(unmap(pirq), 0);
    for (int i = 0; i < 4; i++)
        check_eq(unmap(pirq + i), -EINVAL);
    check_eq(map(MAP_PIRQ_TYPE_MULTI_MSI, -1, 0, usb.at, 32, 0), -EINVAL); /* more than it can */
}

TEST(lost_messages_are_written_again)
{
    struct physdev_pci_device d = {.devfn = edu.at};
    struct line l;
    int pirq;

    need_devices();
    pirq = map_msi(&edu);
    need(pirq >= 0);
    need_eq(bind(&l, pirq), 0);
    config_write(edu.at, edu.msi + 4, 0);
    config_write(edu.at, edu.msi + 12, 0);
    check_eq(op(PHYSDEVOP_restore_msi_ext, &d), 0);
    msi_enable(&edu, true);
    edu_raise();
    comes(&l, 1);
    edu_ack();
    d.bus = 1;
    check_eq(op(PHYSDEVOP_restore_msi_ext, &d), -ENODEV);
    release(&l, pirq);
}

TEST(unmapped_interrupt_is_silent)
{
    struct line l;
    int pirq;

    need_devices();
    pirq = map_msi(&edu);
    need(pirq >= 0);
    need_eq(bind(&l, pirq), 0);
    check_eq(bind(&(struct line){}, pirq), -EEXIST);
    check_eq(unmap(pirq), 0);
    msi_enable(&edu, true);
    edu_raise();
    comes(&l, 0);
    edu_ack();
    msi_enable(&edu, false);
    check_eq(unmap(pirq), -EINVAL);
    check_eq(map_msi(&edu), pirq); /* the same number, but not the old port's */
    msi_enable(&edu, true);
    edu_raise();
    comes(&l, 0);
    edu_ack();
    release(&l, pirq);
}

static void idle(void *arg)
{
    volatile unsigned *end = arg;

    evtchn_wait(end);
}

TEST(interrupt_moves_to_another_vcpu)
{
    static volatile unsigned end;
    evtchn_port_t wake;
    struct line l, w;
    uint32_t address[2];
    int pirq;

    need_devices();
    if (vcpu_count() < 2)
        skip("one vcpu");
    pirq = map_msi(&edu);
    need_eq(bind(&l, pirq), 0);
    msi_enable(&edu, true);
    need_eq(vcpu_start(1, idle, (void *)&end), 0);
    for (unsigned i = 0; i < 6; i++) {
        check_eq(evtchn_bind_vcpu(l.port, i & 1), 0);
        address[i & 1] = config_read(edu.at, edu.msi + 4);
        l.came = 0;
        edu_raise();
        comes(&l, 1);
        check_eq(l.vcpu, i & 1);
        edu_ack();
    }
    check_eq(address[0] >> 20, 0xfee);
    check_eq(address[1] >> 20, 0xfee);
    check_eq(evtchn_bind_vcpu(l.port, 99), -ENOENT);
    release(&l, pirq);
    end = 1;
    need_eq(evtchn_bind_ipi(1, &wake), 0);
    evtchn_set_handler(wake, arrived, &w);
    evtchn_send(wake);
    vcpu_wait_down(1);
    evtchn_close(wake);
}

/* ---- MSI-X ---- */

static void nic_on(void)
{
    config_write(nic.at, nic.msix, 0x80000000 | (config_read(nic.at, nic.msix) & 0x3fffffff));
    nic.regs[NIC_IVAR] = 0x8 | 0x9 << 8;
    nic.regs[NIC_EIAC] = RXQ0 | TXQ0;
}

TEST(msix_entries_are_told_apart)
{
    struct line rx, tx;
    int a, b;

    need_devices();
    nic_on();
    a = map_msix(&nic, 0);
    b = map_msix(&nic, 1);
    need(a >= 24 && b >= 24 && a != b);
    check_eq(map_msix(&nic, 1), -EEXIST);
    check_eq(map_msi(&nic), -EEXIST);
    check_eq(table[3] & 1, 1); /* masked as long as nobody listens */
    need_eq(bind(&rx, a), 0);
    need_eq(bind(&tx, b), 0);
    check_eq(table[3] & 1, 0);
    for (unsigned i = 1; i <= 3; i++) {
        nic_raise(RXQ0);
        comes(&rx, i);
        check_eq(tx.came, i - 1);
        nic_raise(TXQ0);
        comes(&tx, i);
        check_eq(rx.came, i);
    }
    check_eq(evtchn_close(rx.port), 0);
    nic_raise(RXQ0); /* waits in the device */
    comes(&tx, 3);
    need_eq(bind(&rx, a), 0);
    comes(&rx, 1);
    release(&rx, a);
    release(&tx, b);
    check_eq(table[3] & 1, 1);
}

TEST(msix_entries_are_bounded)
{
    static const int entries[] = {5, 6, 2047, 2048, 65536, -1, INT32_MIN, INT32_MAX};

    need_devices();
    for (unsigned i = 0; i < ARRAY_SIZE(entries); i++)
        check_eq(map_msix(&nic, entries[i]), -EINVAL);
    check_eq(map_msix(&edu, 0), -ENODEV); /* it has none */
}

/* The table is moved onto memory, ours or the hypervisor's, and onto the interrupt controllers. */
TEST(table_is_never_written_to_memory)
{
    unsigned bar = 0x10 + 4 * (config_read(nic.at, nic.msix + 4) & 7);
    uint32_t old, command;
    uint64_t *page;

    need_devices();
    page = alloc_page();
    old = config_read(nic.at, bar);
    command = config_read(nic.at, 4);
    nic_on();
    for (unsigned i = 0; i < 5; i++) {
        /* BARs of this device are 16 KiB. */
        uint32_t to[] = {virt_to_maddr(page) & ~0x3fffu, 0x200000, 0xfee00000, 0xfec00000, 0};

        config_write(nic.at, bar, to[i]);
        check_eq(map_msix(&nic, 0), -ENXIO);
        config_write(nic.at, bar, old);
    }
    for (unsigned i = 0; i < PAGE_SIZE / 8; i++)
        if (!check_eq(page[i], 0))
            break;
    config_write(nic.at, 4, command & 0xffff & ~2u); /* memory decoding off */
    check_eq(map_msix(&nic, 0), -ENXIO);
    config_write(nic.at, 4, command & 0xffff);
    check_eq(unmap(map_msix(&nic, 0)), 0);
    free_page(page);
}

/* A virtual function cannot tell where its table is: that is ours to say. */
TEST(table_of_a_virtual_function_is_checked_too)
{
    struct physdev_pci_device d = {.devfn = nic.at};
    struct physdev_pci_device_add v = {
        .devfn = nic.at, .flags = XEN_PCI_DEV_VIRTFN, .physfn.devfn = edu.at};
    uint64_t at[] = {virt_to_maddr(alloc_page()),
                     0x200000,
                     0xfee00000,
                     0xfec00000,
                     0xfed00000,
                     0xfee00fff,
                     1ul << 40,
                     1ul << 52,
                     1ul << 63,
                     0xfffffffffe000,
                     ~0ul};

    need_devices();
    check_eq(op(PHYSDEVOP_pci_device_remove, &d), 0);
    need_eq(op(PHYSDEVOP_pci_device_add, &v), 0);
    for (unsigned i = 0; i < ARRAY_SIZE(at); i++) {
        if (!check_eq(map(MAP_PIRQ_TYPE_MSI_SEG, -1, 0, nic.at, 0, at[i]), -ENXIO))
            note("table at %#lx", at[i]);
    }
    check_eq(op(PHYSDEVOP_pci_device_remove, &d), 0);
    check_eq(add_device(nic.at), 0);
}

TEST(msix_table_is_lent_once)
{
    struct physdev_pci_device d = {.devfn = nic.at}, e = {.devfn = edu.at};
    int pirq;

    need_devices();
    check_eq(op(PHYSDEVOP_prepare_msix, &e), -ENODEV);
    check_eq(op(PHYSDEVOP_release_msix, &d), -EBUSY);
    check_eq(op(PHYSDEVOP_prepare_msix, &d), 0);
    check_eq(op(PHYSDEVOP_prepare_msix, &d), -EBUSY);
    check_eq(op(PHYSDEVOP_release_msix, &d), 0);
    pirq = map_msix(&nic, 0);
    check_eq(op(PHYSDEVOP_prepare_msix, &d), -EBUSY);
    check_eq(unmap(pirq), 0);
}

/* ---- functions ---- */

TEST(functions_come_and_go)
{
    struct physdev_manage_pci old = {.bus = 0, .devfn = edu.at};
    struct physdev_manage_pci_ext ext = {.devfn = edu.at, .is_extfn = 2};
    struct physdev_pci_device d = {.devfn = edu.at};
    struct physdev_pci_device_add virtual = {.bus = 1, .devfn = 0xf7, .flags = XEN_PCI_DEV_VIRTFN};
    struct line l;
    int pirq;

    need_devices();
    check_eq(add_device(edu.at), 0); /* known already */
    check_eq(add_device(NOWHERE), -ENODEV);
    virtual.physfn.bus = 1;
    check_eq(op(PHYSDEVOP_pci_device_add, &virtual), -ENODEV);
    check_eq(map(MAP_PIRQ_TYPE_MSI, -1, NOWHERE >> 8, NOWHERE & 0xff, 0, 0), -ENODEV);
    check_eq(map(MAP_PIRQ_TYPE_MSI_SEG, -1, 0xffff0000, edu.at, 0, 0), -ENODEV);
    pirq = map_msi(&edu);
    need_eq(bind(&l, pirq), 0);
    check_eq(op(PHYSDEVOP_pci_device_remove, &d), 0);
    check_eq(op(PHYSDEVOP_pci_device_remove, &d), -ENODEV);
    check_eq(unmap(pirq), -EINVAL); /* went with it */
    check_eq(evtchn_close(l.port), 0);
    check_eq(map_msi(&edu), -ENODEV);
    check_eq(op(PHYSDEVOP_manage_pci_add, &old), 0);
    check_eq(op(PHYSDEVOP_manage_pci_remove, &old), 0);
    check_eq(op(PHYSDEVOP_manage_pci_add_ext, &ext), -EINVAL);
    ext.is_extfn = 0;
    check_eq(op(PHYSDEVOP_manage_pci_add_ext, &ext), 0);
}

/* The hypervisor's own accesses leave no trace in the address register. */
TEST(address_register_is_our_own)
{
    need_devices();
    outl(0xcf8, 0x80000000 | edu.at << 8);
    check_eq(unmap(map_msi(&edu)), 0);
    check_eq(inl(0xcf8), 0x80000000 | edu.at << 8);
    check_eq(inl(0xcfc), 0x11e81234);
    check_eq(inb(0xcfd), 0x12);
    check_eq(inb(0xcff), 0x11);
    outb(0xcf8, 0); /* not an access to it */
    check_eq(inl(0xcfc), 0x11e81234);
    outl(0xcf8, edu.at << 8); /* not enabled */
    check_ne(inl(0xcfc), 0x11e81234);
    check_eq(inl(0xcfd), 0xffffffff);
}

TEST(memory_configuration_space_is_what_firmware_said)
{
    struct physdev_pci_mmcfg_reserved r = {.address = 0xb0000000, .end_bus = 255, .flags = 1};

    need_devices();
    check_eq(op(PHYSDEVOP_pci_mmcfg_reserved, &r), -ENODEV); /* this machine has none */
}

/* ---- numbers ---- */

static int get_free(int type)
{
    struct physdev_get_free_pirq f = {.type = type};
    int rc = op(PHYSDEVOP_get_free_pirq, &f);

    return rc ? rc : (int)f.pirq;
}

TEST(numbers_out_of_range)
{
    static const unsigned odd[] = {24,    NR_PIRQS - 1, NR_PIRQS, 4096, 32768,
                                   65536, INT32_MAX,    1u << 31, ~0u};
    struct physdev_map_pirq m = {
        .domid = DOMID_SELF, .type = MAP_PIRQ_TYPE_GSI, .index = CLOCK_GSI};
    struct line l;

    need_devices();
    for (unsigned i = 0; i < ARRAY_SIZE(odd); i++) {
        check_eq(map_gsi((int)odd[i]), -EINVAL);
        check_eq(unmap((int)odd[i]), -EINVAL);
        check_eq(eoi(odd[i]), -EINVAL);
        check_eq(bind(&l, odd[i]), -EINVAL);
        if (odd[i] >= NR_PIRQS)
            check_eq(status(odd[i]), -EINVAL);
    }
    m.pirq = NR_PIRQS;
    check_eq(op(PHYSDEVOP_map_pirq, &m), -EINVAL);
    m.pirq = NR_PIRQS - 1;
    check_eq(op(PHYSDEVOP_map_pirq, &m), 0);
    m.pirq = CLOCK_GSI; /* it has a number */
    check_eq(op(PHYSDEVOP_map_pirq, &m), -EEXIST);
    m.index = CLOCK_GSI + 1;
    m.pirq = NR_PIRQS - 1; /* it has an interrupt */
    check_eq(op(PHYSDEVOP_map_pirq, &m), -EEXIST);
    check_eq(unmap(NR_PIRQS - 1), 0);
    check_eq(map(MAP_PIRQ_TYPE_UNKNOWN, 0, 0, 0, 0, 0), -EINVAL);
    check_eq(map(-1, 0, 0, 0, 0, 0), -EINVAL);
    check_eq(map(MAP_PIRQ_TYPE_MULTI_MSI, -1, 0, edu.at, 0, 0), -EINVAL);
    check_eq(map(MAP_PIRQ_TYPE_MULTI_MSI, -1, 0, edu.at, 33, 0), -EINVAL);
    check_eq(map(MAP_PIRQ_TYPE_MULTI_MSI, -1, 0, edu.at, 2, 0), -EINVAL); /* it can do one */
    check_eq(map(MAP_PIRQ_TYPE_MULTI_MSI, -1, 0, nic.at, 1, 1),
             -EINVAL); /* no such thing as MSI-X */
    check_eq(get_free(MAP_PIRQ_TYPE_GSI), 16);
    check_eq(get_free(MAP_PIRQ_TYPE_MSI), 24);
    check_eq(get_free(7), -EINVAL);
}

TEST(no_port_left)
{
    evtchn_port_t *ports = kmalloc(4096 * sizeof(*ports));
    unsigned n = 0;
    struct line l;
    int pirq;

    need_devices();
    pirq = map_msi(&edu);
    while (n < 4096 && evtchn_alloc_unbound(DOMID_SELF, 0, &ports[n]) == 0)
        n++;
    check_eq(bind(&l, pirq), -ENOSPC);
    while (n)
        evtchn_close(ports[--n]);
    check_eq(bind(&l, pirq), 0);
    release(&l, pirq);
    kfree(ports);
}

/* All ports at once; those of interrupts among them. */
TEST(closed_with_everything_else)
{
    struct evtchn_status st;
    struct line l;
    int pirq;

    need_devices();
    pirq = map_gsi(edu.gsi);
    need_eq(bind(&l, pirq), 0);
    check_eq(evtchn_status(l.port, &st), 0);
    check_eq(st.status, EVTCHNSTAT_pirq);
    check_eq(st.u.pirq, pirq);
    check_eq(evtchn_send(l.port), -EINVAL);
    edu_raise();
    comes(&l, 1);
    evtchn_set_handler(l.port, NULL, NULL);
    check_eq(evtchn_close(l.port), 0);
    check_eq(evtchn_status(l.port, &st), 0);
    check_eq(st.status, EVTCHNSTAT_closed);
    edu_ack();
    check_eq(unmap(pirq), 0);
}

/* ---- arguments that cannot be read ---- */

TEST(nothing_readable)
{
    need_devices();
    for (int cmd = 0; cmd < 40; cmd++) {
        int rc = op(cmd, (void *)HYPERVISOR_VIRT_START);

        if (rc != -ENOSYS && !check_eq(rc, -EFAULT))
            note("command %d", cmd);
    }
    check_eq(op(PHYSDEVOP_free_irq_vector, &(struct physdev_irq){}), -ENOSYS);
}

/* ---- another domain ---- */

static long refused(long cmd, long b, long c, long d)
{
    uint64_t argument[8] = {DOMID_SELF | MAP_PIRQ_TYPE_GSI << 16,
                            CLOCK_GSI | (uint64_t)CLOCK_GSI << 32};

    (void)b, (void)c, (void)d;
    return op(cmd, argument);
}

static long refused_bind(long pirq, long b, long c, long d)
{
    (void)b, (void)c, (void)d;
    return bind(&(struct line){}, pirq);
}

TEST(nobody_else_has_any)
{
    struct physdev_map_pirq m = {
        .domid = 1, .type = MAP_PIRQ_TYPE_MSI, .index = -1, .pirq = -1, .devfn = (int)edu.at};
    struct physdev_unmap_pirq u = {.domid = 1, .pirq = CLOCK_GSI};
    struct peer p;

    need_devices();
    if (peer_connect(&p, 1))
        skip("no second domain");
    need_eq(map_gsi(CLOCK_GSI), CLOCK_GSI);
    for (int cmd = 0; cmd < 40; cmd++)
        if (cmd != PHYSDEVOP_set_iopl && cmd != PHYSDEVOP_set_iobitmap &&
            !check_eq(peer_call(&p, refused, cmd, 0, 0, 0),
                      cmd == PHYSDEVOP_eoi || cmd == PHYSDEVOP_irq_status_query ? -EINVAL : -EPERM))
            note("command %d", cmd);
    check_eq(peer_call(&p, refused_bind, CLOCK_GSI, 0, 0, 0), -EPERM);
    check_eq(peer_call(&p, refused_bind, NR_PIRQS, 0, 0, 0), -EPERM);
    check_eq(unmap(CLOCK_GSI), 0);
    check_eq(op(PHYSDEVOP_map_pirq, &m), -EPERM); /* not for it either */
    check_eq(op(PHYSDEVOP_unmap_pirq, &u), -EINVAL);
    m.domid = u.domid = 99;
    check_eq(op(PHYSDEVOP_map_pirq, &m), -ESRCH);
    check_eq(op(PHYSDEVOP_unmap_pirq, &u), -ESRCH);
    peer_disconnect(&p);
}

static struct line peers;

static long bind_there(long pirq, long b, long c, long d)
{
    (void)b, (void)c, (void)d;
    events_enable();
    return bind(&peers, (unsigned)pirq);
}

static long came_there(long n, long b, long c, long d)
{
    (void)b, (void)c, (void)d;
    evtchn_wait_until(&peers.came, time_now() + 20 * NS_PER_MS);
    time_delay(NS_PER_MS);
    return peers.came - n;
}

static long close_there(long a, long b, long c, long d)
{
    (void)a, (void)b, (void)c, (void)d;
    evtchn_set_handler(peers.port, NULL, NULL);
    return evtchn_close(peers.port);
}

static long eoi_there(long pirq, long b, long c, long d)
{
    (void)b, (void)c, (void)d;
    return eoi((unsigned)pirq);
}

static long status_there(long pirq, long b, long c, long d)
{
    (void)b, (void)c, (void)d;
    return status((unsigned)pirq);
}

static long map_for_peer(int gsi, int pirq)
{
    struct physdev_map_pirq m = {.domid = 1, .type = MAP_PIRQ_TYPE_GSI, .index = gsi, .pirq = pirq};
    int rc = op(PHYSDEVOP_map_pirq, &m);

    return rc ? rc : m.pirq;
}

static long unmap_for_peer(int gsi)
{
    return op(PHYSDEVOP_unmap_pirq, &(struct physdev_unmap_pirq){.domid = 1, .pirq = gsi});
}

static long permit(unsigned pirq, bool allow)
{
    struct xen_domctl op = {.u.irq_permission = {.pirq = pirq, .allow_access = allow}};

    return domctl(XEN_DOMCTL_irq_permission, 1, &op);
}

#define IN_PEER(fn, arg) peer_call(&p, (fn), (long)(arg), 0, 0, 0)

TEST(a_line_is_given_to_another_domain)
{
    struct line l;
    struct peer p;

    need_devices();
    if (peer_connect(&p, 1))
        skip("no second domain");
    check_eq(permit(edu.gsi, true), -EPERM); /* not mapped: not ours to give */
    check_eq(permit(NR_PIRQS, true), -EINVAL);
    check_eq(map_for_peer(edu.gsi, 99), -EINVAL);
    check_eq(map_for_peer(-1, -1), -EINVAL);
    check_eq(map_for_peer(9999, -1), -EINVAL);
    need_eq(map_for_peer(edu.gsi, edu.gsi), edu.gsi);
    check_eq(permit(edu.gsi, true), 0);
    need_eq(IN_PEER(bind_there, edu.gsi), 0);
    check_eq(IN_PEER(bind_there, edu.gsi), -EEXIST);
    check_eq(IN_PEER(status_there, edu.gsi), XENIRQSTAT_needs_eoi);
    check_eq(bind(&l, edu.gsi), -EBUSY); /* the first who comes has it */
    edu_raise();
    check_eq(IN_PEER(came_there, 1), 0);
    check_eq(eoi(edu.gsi), 0); /* somebody else's end is none */
    check_eq(IN_PEER(came_there, 1), 0);
    check_eq(IN_PEER(eoi_there, edu.gsi), 0);
    check_eq(IN_PEER(came_there, 2), 0);
    edu_ack();
    check_eq(permit(edu.gsi, false), 0); /* what is bound stays so */
    check_eq(IN_PEER(eoi_there, edu.gsi), 0);
    edu_raise();
    check_eq(IN_PEER(came_there, 3), 0);
    edu_ack();
    check_eq(IN_PEER(eoi_there, edu.gsi), 0);
    check_eq(IN_PEER(close_there, 0), 0);
    check_eq(IN_PEER(bind_there, edu.gsi), -EPERM);
    check_eq(IN_PEER(eoi_there, edu.gsi), -EINVAL);
    need_eq(bind(&l, edu.gsi), 0); /* free for whoever may have it */
    edu_raise();
    comes(&l, 1);
    edu_ack();
    check_eq(permit(edu.gsi, true), 0);
    check_eq(IN_PEER(bind_there, edu.gsi), -EBUSY);
    release(&l, edu.gsi);
    check_eq(IN_PEER(bind_there, edu.gsi), -EINVAL); /* it may, but there is none */
    peer_disconnect(&p);
}

TEST(a_line_is_taken_away_while_it_is_bound)
{
    struct line l;
    struct peer p;

    need_devices();
    if (peer_connect(&p, 1))
        skip("no second domain");
    need_eq(map_for_peer(edu.gsi, -1), edu.gsi);
    need_eq(IN_PEER(bind_there, edu.gsi), 0);
    check_eq(unmap_for_peer(edu.gsi), 0); /* its port is silent */
    check_eq(unmap_for_peer(edu.gsi), -EINVAL);
    edu_raise();
    check_eq(IN_PEER(came_there, 0), 0);
    need_eq(bind(&l, edu.gsi), 0);
    comes(&l, 1);
    check_eq(IN_PEER(close_there, 0), 0); /* which does not end ours */
    edu_ack();
    check_eq(eoi(edu.gsi), 0);
    edu_raise();
    comes(&l, 2);
    edu_ack();
    release(&l, edu.gsi);
    need_eq(map_for_peer(edu.gsi, -1), edu.gsi);
    need_eq(IN_PEER(bind_there, edu.gsi), 0);
    check_eq(unmap(edu.gsi), 0); /* under its feet */
    edu_raise();
    check_eq(IN_PEER(came_there, 0), 0);
    edu_ack();
    check_eq(IN_PEER(close_there, 0), 0);
    check_eq(map_for_peer(CLOCK_GSI, -1), CLOCK_GSI);
    need_eq(IN_PEER(bind_there, CLOCK_GSI), 0); /* it ends with it */
    peer_end(&p);
}

/* Left as it is at the end: the auditor finds that nothing of it is left behind. */
TEST(the_end_finds_them_bound)
{
    struct line l, rx;
    int pirq;

    need_devices();
    need_eq(bind(&l, map_gsi(edu.gsi)), 0);
    pirq = map_msix(&nic, 0);
    need_eq(bind(&rx, pirq), 0);
    edu_raise();
    comes(&l, 1);
}

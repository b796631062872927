/* SPDX-License-Identifier: MIT */
/* Does the control domain's kernel reach the machine's ports without a trap, and only it, and only
 * those that are not the hypervisor's own? */
// smp: 1,2
// qemu: -icount shift=0,sleep=off
// domu: name=b mem=16M vcpus=1 -- peer
#include <pv/test.h>
#include <xen/physdev.h>

#define FREE  0x80  /* POST codes: nobody minds */
#define TIMER 0x608 /* the ACPI timer on machine `pc` */

static int set_iopl(unsigned level)
{
    struct physdev_set_iopl op = {.iopl = level};

    return (int)hypercall_physdev_op(PHYSDEVOP_set_iopl, &op);
}

/* Instructions from here to there, as the TSC is one tick an instruction here. */
static uint64_t cost_of_reading(uint16_t port)
{
    uint64_t start;

    (void)inb(port);
    start = rdtsc();
    for (int i = 0; i < 100; i++)
        (void)inb(port);
    return (rdtsc() - start) / 100;
}

TEST(kernel_does_its_own_port_io)
{
    uint32_t before;

    need_eq(set_iopl(1), 0);
    check_lt(cost_of_reading(FREE) * 1000000 / time_tsc_khz(), 60); /* ns, that is instructions */
    before = inl(TIMER);
    time_delay(NS_PER_MS);
    check_ne(inl(TIMER), before);
    check_eq(set_iopl(0), 0);
}

/* Each of them when the bitmap is open already, and as the first one. */
TEST(hypervisors_ports_stay_its_own)
{
    need_eq(set_iopl(1), 0);
    for (int open = 0; open < 2; open++) {
        check_eq(inb(0x3fd), 0xff); /* the serial line; idle, it would say 0x60 */
        check_eq(inb(0x21), 0xff);
        check_eq(inb(0xa1), 0xff);
        check_eq(inw(0x20), 0xffff);
        check_eq(inl(0x1e), 0xffffffff); /* two of four */
        check_eq(inw(0x3f7), 0xffff);
        check_eq(inl(0x3ff), 0xffffffff);
        check_eq(inw(0xffff), 0xffff); /* nothing wraps around */
        check_eq(inl(0xfffe), 0xffffffff);
        outb(0x21, 0xff);
        (void)inb(FREE);
    }
    check_eq(set_iopl(0), 0);
}

TEST(level_zero_closes_them_at_once)
{
    check_fault(TRAP_GP, inb(FREE));
    need_eq(set_iopl(1), 0);
    (void)inb(FREE);
    check_eq(set_iopl(0), 0);
    check_fault(TRAP_GP, inb(FREE));
    check_fault(TRAP_GP, outb(FREE, 0));
}

/* ---- user mode ---- */

extern const char user_code[], user_code_end[];
__asm__(".pushsection .text\n"
        "user_code: mov $0x80, %dx\n"
        "inb %dx, %al\n"
        "outb %al, %dx\n"
        "syscall\n"
        "user_code_end:\n"
        ".popsection");

/* How the user's access ends: TRAP_SYSCALL, or the fault. */
static unsigned user_access(void)
{
    static struct user_space us;
    static bool made;
    struct trap_regs r = {.rip = USER_CODE, .rsp = USER_STACK_TOP - 64};

    if (!made) {
        if (user_space_create(&us) || user_map_code(&us, USER_CODE, user_code, user_code_end) ||
            user_map_page(&us, USER_STACK_TOP - PAGE_SIZE, PTE_RW | PTE_NX, NULL))
            return 0;
        made = true;
    }
    return user_run(&us, &r);
}

TEST(user_mode_reaches_none_behind_the_kernels_back)
{
    static uint8_t bits[8192];
    struct physdev_set_iobitmap map = {.nr_ports = 0};

    need_eq(set_iopl(1), 0);
    (void)inb(FREE);
    check_eq(user_access(), TRAP_GP);
    check_no_fault(inb(FREE));
    check_eq(user_access(), TRAP_GP);
    need_eq(set_iopl(3), 0); /* what the kernel allows is emulated */
    check_eq(user_access(), TRAP_SYSCALL);
    need_eq(set_iopl(1), 0);
    map.nr_ports = 256;
    map.bitmap.p = bits;
    need_eq(hypercall_physdev_op(PHYSDEVOP_set_iobitmap, &map), 0);
    (void)inb(FREE);
    check_eq(user_access(), TRAP_SYSCALL);
    bits[FREE / 8] = 1;
    (void)inb(FREE);
    check_eq(user_access(), TRAP_GP);
    map.nr_ports = 0;
    need_eq(hypercall_physdev_op(PHYSDEVOP_set_iobitmap, &map), 0);
    check_eq(set_iopl(0), 0);
}

/* ---- other vcpus, other domains ---- */

static void access_on_vcpu1(void *faults)
{
    for (int i = 0; i < 100; i++)
        *(volatile long *)faults += FAULT_OF((void)inb(FREE)).hit;
}

TEST(each_vcpu_has_its_own_level)
{
    static volatile long faults;

    if (vcpu_count() < 2)
        skip("one vcpu");
    need_eq(set_iopl(1), 0);
    need_eq(vcpu_start(1, access_on_vcpu1, (void *)&faults), 0);
    for (int i = 0; i < 1000; i++)
        (void)inb(FREE);
    vcpu_wait_down(1);
    check_eq(faults, 100);
    check_eq(set_iopl(0), 0);
}

/* The vector of the fault, or what was read. */
static long port_of_peer(long port, long b, long c, long d)
{
    volatile long value = 0;
    struct fault f = FAULT_OF(value = inb((uint16_t)port));

    (void)b, (void)c, (void)d;
    return f.hit ? -(long)f.vector : value;
}

static long peer_iopl(long level, long b, long c, long d)
{
    (void)b, (void)c, (void)d;
    return set_iopl((unsigned)level);
}

TEST(another_domain_reaches_none)
{
    struct peer peer;

    if (peer_connect(&peer, 1))
        skip("no second domain");
    need_eq(set_iopl(1), 0);
    for (int i = 0; i < 20; i++) {
        (void)inb(FREE); /* open here when the other domain takes over */
        check_eq(peer_call(&peer, port_of_peer, FREE, 0, 0, 0), -TRAP_GP);
    }
    check_eq(peer_call(&peer, peer_iopl, 3, 0, 0, 0), 0);
    for (int i = 0; i < 20; i++) {
        (void)inb(FREE);
        check_eq(peer_call(&peer, port_of_peer, 0x71, 0, 0, 0), 0xff);
        check_eq(peer_call(&peer, port_of_peer, 0x64, 0, 0, 0), 0xff);
    }
    peer_end(&peer);
    check_eq(set_iopl(0), 0);
}

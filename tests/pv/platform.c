/* SPDX-License-Identifier: MIT */
/* Does the control domain's kernel learn and get from platform_op and mca what a stock kernel asks
 * of them, and an error where it must not insist? */
// smp: 2
#include <pv/test.h>
#include <xen/arch-x86/xen-mca.h>
#include <xen/memory.h>
#include <xen/platform.h>
#include <xen/sysctl.h>

static long platform_op(struct xen_platform_op *op, unsigned cmd)
{
    op->cmd = cmd;
    op->interface_version = XENPF_INTERFACE_VERSION;
    return hypercall_platform_op(op);
}

TEST(arguments_are_checked_first)
{
    struct xen_platform_op op = {.cmd = XENPF_get_cpuinfo, .interface_version = 1};

    check_eq(hypercall_platform_op(&op), -EACCES);
    check_eq(hypercall_platform_op((void *)8), -EFAULT);
    check_eq(hypercall_platform_op((void *)0xffff830000000000), -EFAULT);
    check_eq(platform_op(&op, 0), -ENOSYS);
    check_eq(platform_op(&op, 38), -ENOSYS);
    check_eq(platform_op(&op, ~0u), -ENOSYS);
}

/* ---- firmware ---- */

static long firmware(struct xen_platform_op *op, unsigned type, unsigned index)
{
    memset(op, 0, sizeof(*op));
    op->u.firmware_info.type = type;
    op->u.firmware_info.index = index;
    return platform_op(op, XENPF_firmware_info);
}

TEST(firmware_says_what_it_has)
{
    struct xen_platform_op op;

    check_eq(firmware(&op, XEN_FW_KBD_SHIFT_FLAGS, 0), 0);
    check_eq(op.u.firmware_info.u.kbd_shift_flags & 0xf, 0); /* nobody holds a shift key */
    check_eq(firmware(&op, XEN_FW_KBD_SHIFT_FLAGS, 1), -ESRCH);
    check_eq(firmware(&op, XEN_FW_DISK_INFO, 77), -ESRCH);
    check_eq(firmware(&op, XEN_FW_DISK_MBR_SIGNATURE, 77), -ESRCH);
    check_eq(firmware(&op, XEN_FW_VBEDDC_INFO, 1), -ESRCH);
    check_eq(firmware(&op, XEN_FW_EFI_INFO, XEN_FW_EFI_CONFIG_TABLE), -ENOSYS);
    check_eq(firmware(&op, 99, 0), -EINVAL);
}

TEST(there_are_no_efi_services)
{
    struct xen_platform_op op = {.u.efi_runtime_call.function = XEN_EFI_get_time};

    check_eq(platform_op(&op, XENPF_efi_runtime_call), -ENOSYS);
}

/* ---- the wall clock ---- */

static uint64_t wallclock_time(void)
{
    uint64_t sec;
    uint32_t nsec;

    time_wallclock(&sec, &nsec);
    return sec * NS_PER_SEC + nsec;
}

static long settime64(uint64_t secs, uint32_t nsecs, uint32_t mbz)
{
    struct xen_platform_op op = {
        .u.settime64 = {.secs = secs, .nsecs = nsecs, .mbz = mbz, .system_time = time_now()}};

    return platform_op(&op, XENPF_settime64);
}

static long settime32(uint32_t secs, uint32_t nsecs)
{
    struct xen_platform_op op = {
        .u.settime32 = {.secs = secs, .nsecs = nsecs, .system_time = time_now()}};

    return platform_op(&op, XENPF_settime32);
}

TEST(the_wall_clock_can_be_set)
{
    uint64_t before = wallclock_time(), late = 5000000000u;

    check_eq(settime64(late, 5, 0), 0);
    check_ge(wallclock_time(), late * 1000000000 + 5);
    check_lt(wallclock_time(), (late + 10) * 1000000000);
    check_eq(settime64(late, 0, 1), -EINVAL);
    check_eq(settime32(1000000000, 0), 0);
    check_ge(wallclock_time(), 1000000000ul * 1000000000);
    check_lt(wallclock_time(), 1000000010ul * 1000000000);
    check_eq(settime64(before / 1000000000, before % 1000000000, 0), 0);
    check_ge(wallclock_time(), before);
    check_lt(wallclock_time(), before + 10000000000);
}

/* ---- physical CPUs ---- */

TEST(physical_cpus_can_be_listed)
{
    struct xen_platform_op op = {.u.pcpu_info.xen_cpuid = 0};

    need_eq(platform_op(&op, XENPF_get_cpuinfo), 0);
    check_eq(op.u.pcpu_info.flags, XEN_PCPU_FLAGS_ONLINE);
    check_eq(op.u.pcpu_info.max_present, 1);
    check_eq(op.u.pcpu_info.apic_id, 0);
    check_eq(op.u.pcpu_info.acpi_id, 0);
    op.u.pcpu_info.xen_cpuid = 1;
    need_eq(platform_op(&op, XENPF_get_cpuinfo), 0);
    check_eq(op.u.pcpu_info.flags, XEN_PCPU_FLAGS_ONLINE);
    check_eq(op.u.pcpu_info.apic_id, 1);
    for (unsigned n = 2; n; n = n < 0x80000000 ? n * 8 + 2 : 0) {
        op.u.pcpu_info.xen_cpuid = n;
        check_eq(platform_op(&op, XENPF_get_cpuinfo), 0);
        check_eq(op.u.pcpu_info.flags, XEN_PCPU_FLAGS_INVALID);
    }
}

TEST(their_version_is_told)
{
    struct xen_platform_op op = {.u.pcpu_version.xen_cpuid = 1};
    struct cpuid id = cpuid_native(0, 0);

    need_eq(platform_op(&op, XENPF_get_cpu_version), 0);
    check_eq(memcmp(op.u.pcpu_version.vendor_id, &id.b, 4), 0);
    check_eq(op.u.pcpu_version.stepping, cpuid_native(1, 0).a & 15);
    check_eq(op.u.pcpu_version.max_present, 1);
    op.u.pcpu_version.xen_cpuid = 0xffffffff;
    check_eq(platform_op(&op, XENPF_get_cpu_version), 0);
    check_eq(op.u.pcpu_version.vendor_id[0], 0);
    check_eq(op.u.pcpu_version.family, 0);
}

static long cpu_op(unsigned cmd, uint32_t cpu)
{
    struct xen_platform_op op = {.u.cpu_ol.cpuid = cpu};

    return platform_op(&op, cmd);
}

static bool is_online(uint32_t cpu)
{
    struct xen_platform_op op = {.u.pcpu_info.xen_cpuid = cpu};

    return check_eq(platform_op(&op, XENPF_get_cpuinfo), 0) &&
           op.u.pcpu_info.flags == XEN_PCPU_FLAGS_ONLINE;
}

static uint32_t cpus_working(void)
{
    struct xen_sysctl op = {.cmd = XEN_SYSCTL_physinfo,
                            .interface_version = XEN_SYSCTL_INTERFACE_VERSION};

    return check_eq(hypercall_sysctl(&op), 0) ? op.u.physinfo.nr_cpus : 0;
}

static void on_it(void *arg)
{
    WRITE_ONCE(*(bool *)arg, true);
}

/* A vcpu that may run on either goes on, on the one that is left. */
TEST(one_goes_off_line_and_comes_back)
{
    bool ran = false;

    need_eq(vcpu_start(1, on_it, &ran), 0);
    vcpu_wait_down(1);
    check(ran);
    for (unsigned i = 0; i < 20; i++) {
        need_eq(cpu_op(XENPF_cpu_offline, 1), 0);
        check(!is_online(1));
        check_eq(cpus_working(), 1);
        check_eq(cpu_op(XENPF_cpu_offline, 1), 0);
        ran = false;
        need_eq(vcpu_start(1, on_it, &ran), 0);
        if (i % 2)
            vcpu_wait_down(1);
        check_eq(cpu_op(XENPF_cpu_online, 1), 0);
        vcpu_wait_down(1);
        check(ran);
        check(is_online(1));
        check_eq(cpus_working(), 2);
    }
}

TEST(those_that_cannot_be_switched)
{
    check_eq(cpu_op(XENPF_cpu_online, 1), 0);
    check_eq(cpu_op(XENPF_cpu_online, 2), -EINVAL);
    check_eq(cpu_op(XENPF_cpu_online, 0xffffffff), -EINVAL);
    check_eq(cpu_op(XENPF_cpu_offline, 0), -EOPNOTSUPP);
    check_eq(cpu_op(XENPF_cpu_offline, 2), -EINVAL);
    check_eq(cpu_op(XENPF_cpu_offline, 0xffffffff), -EINVAL);
}

/* ---- power ---- */

static long sleep_state(uint32_t state, uint32_t flags)
{
    struct xen_platform_op op = {.u.enter_acpi_sleep = {.sleep_state = state, .flags = flags}};

    return platform_op(&op, XENPF_enter_acpi_sleep);
}

TEST(states_of_sleep_that_do_not_exist)
{
    check_eq(sleep_state(0, 0), -EINVAL);
    check_eq(sleep_state(6, 0), -EINVAL);
    check_eq(sleep_state(~0u, 0), -EINVAL);
    check_eq(sleep_state(5, 2), -EINVAL);
}

TEST(frequencies_are_not_the_kernels)
{
    struct xen_platform_op op = {.u.change_freq = {.freq = 1000000000}};

    check_eq(platform_op(&op, XENPF_change_freq), -ENOSYS);
    memset(&op, 0, sizeof(op));
    check_eq(platform_op(&op, XENPF_getidletime), -ENOSYS);
    memset(&op, 0, sizeof(op));
    op.u.set_pminfo.type = 99;
    check_eq(platform_op(&op, XENPF_set_processor_pminfo), -EINVAL);
    memset(&op, 0, sizeof(op));
    op.u.set_pminfo.type = XEN_PM_PDC; // what it says to the firmware is its own affair
    check_eq(platform_op(&op, XENPF_set_processor_pminfo), 0);
}

TEST(no_runtime_services_without_efi)
{
    struct xen_platform_op op = {.u.efi_runtime_call.function = XEN_EFI_get_variable};

    check_eq(platform_op(&op, XENPF_efi_runtime_call), -ENOSYS);
    memset(&op, 0, sizeof(op));
    op.u.firmware_info.type = XEN_FW_EFI_INFO;
    op.u.firmware_info.index = XEN_FW_EFI_MEM_INFO;
    check_eq(platform_op(&op, XENPF_firmware_info), -ENOSYS);
}

/* ---- machine checks ---- */

static long mca(struct xen_mc *op, unsigned cmd)
{
    op->cmd = cmd;
    op->interface_version = XEN_MCA_INTERFACE_VERSION;
    return hypercall1(__HYPERVISOR_mca, (unsigned long)op);
}

TEST(machine_checks_there_are_none)
{
    static struct mcinfo_logical_cpu info[3];
    struct xen_mc op = {.u.mc_physcpuinfo = {.ncpus = 0}};

    check_eq(hypercall1(__HYPERVISOR_mca, (unsigned long)&op), -EACCES);
    need_eq(mca(&op, XEN_MC_physcpuinfo), 0);
    check_eq(op.u.mc_physcpuinfo.ncpus, 2);
    set_xen_guest_handle(op.u.mc_physcpuinfo.info, info);
    op.u.mc_physcpuinfo.ncpus = 3;
    need_eq(mca(&op, XEN_MC_physcpuinfo), 0);
    check_eq(op.u.mc_physcpuinfo.ncpus, 2);
    check_eq(info[1].mc_cpunr, 1);
    check_eq(info[1].mc_apicid, 1);
    check_eq(info[2].mc_ncores, 0);
    op.u.mc_physcpuinfo.info.p = (void *)8;
    check_eq(mca(&op, XEN_MC_physcpuinfo), -EFAULT);

    memset(&op, 0, sizeof(op));
    op.u.mc_fetch.data.p = info;
    op.u.mc_fetch.flags = XEN_MC_URGENT;
    check_eq(mca(&op, XEN_MC_fetch), 0);
    check_eq(op.u.mc_fetch.flags, XEN_MC_NODATA);
    op.u.mc_fetch.flags = XEN_MC_URGENT | XEN_MC_NONURGENT;
    check_eq(mca(&op, XEN_MC_fetch), -EINVAL);
    check_eq(mca(&op, 77), -EINVAL);
}

/* ---- the screen ---- */

TEST(kernel_is_told_about_the_screen)
{
    uint32_t off = start_info->console.dom0.info_off;
    const struct dom0_vga_console_info *info = (const void *)((const char *)start_info + off);

    need_eq(start_info->console.dom0.info_size, sizeof(*info));
    check_ge(off, sizeof(*start_info));
    check_le(off + sizeof(*info), PAGE_SIZE);
    check_eq(info->video_type, XEN_VGATYPE_TEXT_MODE_3);
    check_eq(info->u.text_mode_3.rows, 25);
    check_eq(info->u.text_mode_3.columns, 80);
    check_lt(info->u.text_mode_3.cursor_x, 80);
    check_lt(info->u.text_mode_3.cursor_y, 25);
}

/* ---- the memory map ---- */

#define LAPIC  0xfee00000
#define IOAPIC 0xfec00000
#define HPET   0xfed00000

TEST(memory_map_shows_the_devices_that_are_not_dom0s)
{
    static struct __attribute__((packed)) {
        uint64_t addr, size;
        uint32_t type;
    } map[64];
    struct xen_memory_map m = {.nr_entries = ARRAY_SIZE(map)};
    unsigned reserved = 0;
    uint64_t end = 0;

    set_xen_guest_handle(m.buffer, map);
    need_eq(hypercall_memory_op(XENMEM_machine_memory_map, &m), 0);
    for (unsigned i = 0; i < m.nr_entries; i++) {
        check(map[i].addr >= end && map[i].size);
        end = map[i].addr + map[i].size;
        for (unsigned n = 0; map[i].type == 2 && n < 3; n++) {
            uint64_t device = (uint64_t[]){LAPIC, IOAPIC, HPET}[n];

            reserved += map[i].addr <= device && end > device;
        }
    }
    check_eq(reserved, 3);
}

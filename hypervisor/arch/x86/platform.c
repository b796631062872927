/* SPDX-License-Identifier: MIT */
/* platform_op: what the control domain's kernel asks about the machine or wants done with it; and
 * mca, its way to reports of machine checks. There are none: the hypervisor panics on a machine
 * check. ABI: xen/platform.h, xen/arch-x86/xen-mca.h. */
#include <asm/boot.h>
#include <asm/cpu.h>
#include <hv/control.h>
#include <hv/evtchn.h>
#include <hv/hypercall.h>
#include <hv/memory.h>
#include <xen/arch-x86/xen-mca.h>
#include <xen/platform.h>
#include <xen/sched.h>

#define EFI_MEMORY_WB   8
#define EFI_UNSUPPORTED 0x8000000000000003
#define EFI_NOT_FOUND   0x800000000000000e
#define BIOS_KBD_FLAGS  0x417 /* in the BIOS data area: what INT 16h, AH=2 returns */

/* ---- what the firmware told ---- */

/* UEFI specification, 4.3: the part of the system table that lasts. */
struct efi_system_table {
    char signature[8];
    uint32_t revision, header_size, crc, reserved;
    uint64_t vendor;
    uint32_t vendor_revision, pad;
    uint64_t handles[8];
    uint64_t nr_tables, tables;
};
_Static_assert(sizeof(struct efi_system_table) == 120, "UEFI specification, 4.3");

static struct efi_system_table efi; /* nr_tables 0: not booted by EFI */
static uint8_t kbd_flags;

void platform_init(const struct boot_info *bi)
{
    const void *p = firmware_reader.map(NULL, BIOS_KBD_FLAGS, sizeof(kbd_flags));

    if (bi->efi_system_table) {
        p = firmware_reader.map(NULL, bi->efi_system_table, sizeof(efi));
        if (p && !memcmp(p, "IBI SYST", 8))
            memcpy(&efi, p, sizeof(efi));
    } else if (p) {
        memcpy(&kbd_flags, p, sizeof(kbd_flags));
    }
}

/* The kernel asks whether a table lies where nobody overwrites it. The map of memory that GRUB made
 * of EFI's tells as much: types of UEFI (specification, 7.2) by types of the map. */
static long efi_memory(union xenpf_efi_info *info)
{
    static const uint8_t types[] = {0, 7, 0, 9, 10, 8};

    for (const struct e820_entry *e = e820_map; e < e820_map + e820_nr; e++) {
        uint64_t left = e->addr + e->size - info->mem.addr;

        if (info->mem.addr < e->addr || info->mem.addr - e->addr >= e->size)
            continue;
        info->mem.type = e->type < ARRAY_SIZE(types) ? types[e->type] : 0;
        info->mem.attr = EFI_MEMORY_WB;
        info->mem.size = min(info->mem.size, left);
        return 0;
    }
    return -ESRCH;
}

/* The firmware's services stay unused: ours is a machine without variables. */
static long efi_runtime_call(struct xen_platform_op *op)
{
    uint32_t function = op->u.efi_runtime_call.function;

    if (!efi.nr_tables)
        return -ENOSYS;
    op->u.efi_runtime_call.status =
        function == XEN_EFI_get_variable || function == XEN_EFI_get_next_variable_name
            ? EFI_NOT_FOUND
            : EFI_UNSUPPORTED;
    return 0;
}

static long efi_info(uint32_t index, union xenpf_efi_info *info)
{
    if (!efi.nr_tables)
        return -ENOSYS;
    switch (index) {
    case XEN_FW_EFI_VERSION:
        info->version = efi.revision;
        return 0;
    case XEN_FW_EFI_CONFIG_TABLE:
        info->cfg.addr = efi.tables;
        info->cfg.nent = (uint32_t)efi.nr_tables;
        return 0;
    case XEN_FW_EFI_MEM_INFO:
        return efi_memory(info);
    default:
        return -EINVAL;
    }
}

/* Disks and screens: nobody has asked the BIOS about them, so each list is empty. */
static long firmware_info(struct xen_platform_op *op)
{
    struct xenpf_firmware_info *f = &op->u.firmware_info;

    switch (f->type) {
    case XEN_FW_DISK_INFO:
    case XEN_FW_DISK_MBR_SIGNATURE:
    case XEN_FW_VBEDDC_INFO:
        return -ESRCH;
    case XEN_FW_EFI_INFO:
        return efi_info(f->index, &f->u.efi_info);
    case XEN_FW_KBD_SHIFT_FLAGS:
        f->u.kbd_shift_flags = kbd_flags;
        return f->index ? -ESRCH : 0;
    default:
        return -EINVAL;
    }
}

/* ---- time, power ---- */

static long settime32(struct xen_platform_op *op)
{
    const struct xenpf_settime32 *t = &op->u.settime32;

    time_set_wallclock(t->secs, t->nsecs, t->system_time);
    return 0;
}

static long settime64(struct xen_platform_op *op)
{
    const struct xenpf_settime64 *t = &op->u.settime64;

    if (t->mbz || t->nsecs >= 1000000000)
        return -EINVAL;
    time_set_wallclock(t->secs, t->nsecs, t->system_time);
    return 0;
}

/* The kernel has run the firmware's methods and leaves the last step, to the registers, to us.
 * Power off is the only state that the machine comes back from as we know it. */
static long enter_acpi_sleep(struct xen_platform_op *op)
{
    const struct xenpf_enter_acpi_sleep *s = &op->u.enter_acpi_sleep;

    if (s->flags || s->sleep_state < 1 || s->sleep_state > 5)
        return -EINVAL;
    if (s->sleep_state != 5)
        return -EOPNOTSUPP;
    machine_set_power_off(s->val_a, s->val_b);
    domain_shutdown(current_domain(), SHUTDOWN_poweroff);
    return 0;
}

/* ---- physical CPUs ---- */

static uint32_t last_present(void)
{
    return 63 - (uint32_t)__builtin_clzl(cpu_present_map.bits | 1);
}

static long get_cpuinfo(struct xen_platform_op *op)
{
    struct xenpf_pcpuinfo *i = &op->u.pcpu_info;
    cpumask_t working = cpupool_working();

    i->max_present = last_present();
    i->flags = XEN_PCPU_FLAGS_INVALID;
    if (cpumask_has(&cpu_present_map, i->xen_cpuid)) {
        i->flags = cpumask_has(&working, i->xen_cpuid) ? XEN_PCPU_FLAGS_ONLINE : 0;
        i->apic_id = pcpus[i->xen_cpuid].arch.apic_id;
        i->acpi_id = pcpus[i->xen_cpuid].arch.acpi_id;
    }
    return 0;
}

static long get_cpu_version(struct xen_platform_op *op)
{
    struct xenpf_pcpu_version *v = &op->u.pcpu_version;

    *v = (struct xenpf_pcpu_version){.xen_cpuid = v->xen_cpuid, .max_present = last_present()};
    if (cpumask_has(&cpu_online_map, v->xen_cpuid)) { /* all are alike */
        memcpy(v->vendor_id, cpu.vendor, sizeof(v->vendor_id));
        v->family = cpu.family;
        v->model = cpu.model;
        v->stepping = cpu.stepping;
    }
    return 0;
}

/* A CPU that goes off line is parked. The boot CPU stays. */
static long cpu_switch(struct xen_platform_op *op, bool on)
{
    uint32_t nr = op->u.cpu_ol.cpuid;
    long rc = 0;

    if (!on && !nr)
        return -EOPNOTSUPP;
    if (!cpumask_has(&cpu_present_map, nr))
        return -EINVAL;
    if (!cpumask_has(&cpu_online_map, nr)) /* it never came up */
        return on ? -EOPNOTSUPP : 0;
    if (!spin_trylock(&domctl_lock))
        return -ERESTART;
    if (on)
        cpupool_unpark(nr);
    else
        rc = cpupool_park(nr);
    spin_unlock(&domctl_lock);
    if (!rc)
        evtchn_send_global_virq(current_domain(), VIRQ_PCPU_STATE);
    return rc;
}

static long cpu_online(struct xen_platform_op *op)
{
    return cpu_switch(op, true);
}

static long cpu_offline(struct xen_platform_op *op)
{
    return cpu_switch(op, false);
}

/* Frequencies and idle states are the hypervisor's, which uses no others than HLT. What the kernel
 * is about to tell the firmware that it can do, it may tell. */
static long set_pminfo(struct xen_platform_op *op)
{
    uint32_t type = op->u.set_pminfo.type;

    return type == XEN_PM_PDC ? 0 : type <= XEN_PM_PX ? -ENOSYS : -EINVAL;
}

/* ---- dispatch ---- */

static const struct row {
    uint32_t cmd;
    bool has_result;
    long (*fn)(struct xen_platform_op *op); /* NULL: -EOPNOTSUPP */
} ops[] = {
    {XENPF_settime32, false, settime32},
    {XENPF_settime64, false, settime64},
    {XENPF_firmware_info, true, firmware_info},
    {XENPF_efi_runtime_call, true, efi_runtime_call},
    {XENPF_enter_acpi_sleep, false, enter_acpi_sleep},
    {XENPF_set_processor_pminfo, false, set_pminfo},
    {XENPF_get_cpuinfo, true, get_cpuinfo},
    {XENPF_get_cpu_version, true, get_cpu_version},
    {XENPF_cpu_online, false, cpu_online},
    {XENPF_cpu_offline, false, cpu_offline},
    {XENPF_cpu_hotadd, false, NULL},
    {XENPF_mem_hotadd, false, NULL},
    {XENPF_core_parking, false, NULL},
    {XENPF_resource_op, false, NULL},
    {0},
};

long do_platform_op(guest_ptr_t arg)
{
    struct xen_platform_op op;
    const struct row *row;
    long rc;

    TRY(control_begin(&op, sizeof(op), arg, XENPF_INTERFACE_VERSION));
    row = find_row(ops, op.cmd);
    if (!row)
        return -ENOSYS;
    rc = row->fn ? row->fn(&op) : -EOPNOTSUPP;
    if (rc == -ERESTART)
        return hypercall_continue(__HYPERVISOR_platform_op, 1, (unsigned long)arg.va);
    return rc || !row->has_result ? rc : copy_to_guest(arg, &op, sizeof(op));
}

/* ---- machine checks ---- */

static long mc_fetch(struct xen_mc_fetch *f)
{
    uint32_t which = f->flags & (XEN_MC_NONURGENT | XEN_MC_URGENT);

    if (which != XEN_MC_NONURGENT && which != XEN_MC_URGENT)
        return -EINVAL;
    if (f->flags & XEN_MC_ACK) {
        f->flags = XEN_MC_OK;
    } else {
        f->flags = XEN_MC_NODATA;
        f->fetch_id = 0;
    }
    return 0;
}

static long mc_physcpuinfo(struct xen_mc_physcpuinfo *p)
{
    guest_ptr_t to = guest_ptr_of(p->info);
    uint32_t room = to.va ? p->ncpus : 0;

    p->ncpus = 0;
    for_each_cpu (n, cpu_online_map) {
        struct mcinfo_logical_cpu c = {
            .mc_cpunr = n,
            .mc_chipid = n,
            .mc_apicid = pcpus[n].arch.apic_id,
            .mc_ncores = 1,
            .mc_ncores_active = 1,
            .mc_nthreads = 1,
            .mc_cpuid_level = (int32_t)cpu.max_basic,
            .mc_family = cpu.family,
            .mc_model = cpu.model,
            .mc_step = cpu.stepping,
            .mc_cpu_caps = {[MC_CAPS_STD_EDX] = cpu.leaf1_edx, [MC_CAPS_STD_ECX] = cpu.leaf1_ecx},
        };

        memcpy(c.mc_vendorid, cpu.vendor, sizeof(cpu.vendor));
        if (p->ncpus < room &&
            copy_to_guest(guest_ptr_index(to, p->ncpus, sizeof(c)), &c, sizeof(c)))
            return -EFAULT;
        if (!to.va || p->ncpus < room)
            p->ncpus++;
    }
    return 0;
}

long do_mca(guest_ptr_t arg)
{
    struct xen_mc op;
    long rc = -EINVAL;

    TRY(control_begin(&op, sizeof(op), arg, XEN_MCA_INTERFACE_VERSION));
    if (op.cmd == XEN_MC_fetch)
        rc = mc_fetch(&op.u.mc_fetch);
    else if (op.cmd == XEN_MC_physcpuinfo)
        rc = mc_physcpuinfo(&op.u.mc_physcpuinfo);
    return rc ? rc : copy_to_guest(arg, &op, sizeof(op));
}

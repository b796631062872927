/* SPDX-License-Identifier: MIT */
/* xen_version and vm_assist: what this hypervisor says of itself, and the choices of a domain that are
 * one bit each. ABI: xen/version.h. Everything copied out is cleared to its full size first (XSA-122). */
#include <hv/hypercall.h>
#include <xen/version.h>

#define XEN_MAJOR 4
#define XEN_MINOR 17

char boot_cmdline[1024];

/* Copy out a string as an array of @size bytes. */
static long put_string(guest_ptr_t arg, const char *s, size_t size)
{
    char buf[1024];

    hv_strlcpy(buf, s, size);
    return copy_to_guest(arg, buf, size);
}

static long put_compile_info(guest_ptr_t arg)
{
    struct xen_compile_info info = {.compiler = "gcc " __VERSION__}; /* builds are reproducible */

    return copy_to_guest(arg, &info, sizeof(info));
}

/* "Direct mapped" is said of all paravirtual domains: their frame numbers are the machine's. */
static uint32_t features(const struct domain *d)
{
    uint32_t f = 1u << XENFEAT_mmu_pt_update_preserve_ad | 1u << XENFEAT_highmem_assist |
                 1u << XENFEAT_gnttab_map_avail_bits | 1u << XENFEAT_direct_mapped;

    if (d->vm_assist & 1UL << VMASST_TYPE_pae_extended_cr3)
        f |= 1u << XENFEAT_pae_pgdir_above_4gb;
    return d->is_privileged ? f | 1u << XENFEAT_dom0 : f;
}

static long get_features(struct xen_feature_info *info)
{
    if (info->submap_idx >= XENFEAT_NR_SUBMAPS)
        return -EINVAL;
    info->submap = features(current_domain());
    return 0;
}

static long platform_parameters(guest_ptr_t arg)
{
    struct xen_platform_parameters p = {.virt_start = HYPERVISOR_VIRT_START};

    return copy_to_guest(arg, &p, sizeof(p));
}

static long version_of(int cmd, guest_ptr_t arg)
{
    struct domain *d = current_domain();

    switch (cmd) {
    case XENVER_extraversion:
        return put_string(arg, ".0-socle", XEN_EXTRAVERSION_LEN);
    case XENVER_compile_info:
        return put_compile_info(arg);
    case XENVER_capabilities:
        return put_string(arg, "xen-3.0-x86_64 ", XEN_CAPABILITIES_INFO_LEN);
    case XENVER_changeset:
        return put_string(arg, "", XEN_CHANGESET_INFO_LEN);
    case XENVER_platform_parameters:
        return platform_parameters(arg);
    case XENVER_get_features:
        return RUN_OP(arg, struct xen_feature_info, true, get_features(&op));
    case XENVER_pagesize:
        return arg.va ? -EINVAL : (long)PAGE_SIZE;
    case XENVER_guest_handle:
        return copy_to_guest(arg, d->handle, sizeof(d->handle));
    case XENVER_commandline:
        return put_string(arg, d->is_privileged ? boot_cmdline : "<denied>",
                          sizeof(xen_commandline_t));
    case XENVER_build_id:
        return d->is_privileged ? -ENODATA : -EPERM;
    default:
        return -ENOSYS;
    }
}

long do_xen_version(int cmd, guest_ptr_t arg)
{
    if (likely(cmd == XENVER_version))
        return XEN_MAJOR << 16 | XEN_MINOR;
    return version_of(cmd, arg);
}

/* ---- vm_assist ---- */

#define ASSISTS                                                                                    \
    (1UL << VMASST_TYPE_4gb_segments | 1UL << VMASST_TYPE_4gb_segments_notify |                    \
     1UL << VMASST_TYPE_writable_pagetables | 1UL << VMASST_TYPE_pae_extended_cr3 |                \
     1UL << VMASST_TYPE_architectural_iopl | 1UL << VMASST_TYPE_runstate_update_flag |             \
     1UL << VMASST_TYPE_m2p_strict)

int domain_set_assists(struct domain *d, uint64_t assists)
{
    if (assists & ~ASSISTS)
        return -EINVAL;
    d->vm_assist = assists;
    d->arch.strict_m2p = assists >> VMASST_TYPE_m2p_strict & 1;
    return 0;
}

long do_vm_assist(unsigned int cmd, unsigned int type)
{
    struct domain *d = current_domain();
    bool on = cmd == VMASST_CMD_enable;

    if (type >= 64 || !(ASSISTS >> type & 1))
        return -EINVAL;
    if (!on && cmd != VMASST_CMD_disable)
        return -ENOSYS;
    if (on)
        set_bit(type, &d->vm_assist);
    else
        clear_bit(type, &d->vm_assist);
    if (type == VMASST_TYPE_m2p_strict)
        d->arch.strict_m2p = on;
    return 0;
}

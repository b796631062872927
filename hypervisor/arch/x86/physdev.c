/* SPDX-License-Identifier: MIT */
/* physdev_op: the guest's virtual IOPL and I/O bitmap, which any domain may set for itself. What
 * concerns the machine's interrupts and devices is the control domain's (XSA-87): refused by default. */
#include <asm/switch.h>
#include <asm/traps.h>
#include <hv/errno.h>
#include <hv/guest_access.h>
#include <hv/hypercall.h>
#include <xen/physdev.h>

static long set_iopl(guest_ptr_t arg)
{
    struct physdev_set_iopl op;

    if (copy_from_guest(&op, arg, sizeof(op)))
        return -EFAULT;
    if (op.iopl > 3)
        return -EINVAL;
    current->arch.iopl = (uint8_t)op.iopl;
    ports_close(pcpu_self());
    return 0;
}

static long set_iobitmap(guest_ptr_t arg)
{
    struct physdev_set_iobitmap op;

    if (copy_from_guest(&op, arg, sizeof(op)))
        return -EFAULT;
    if (op.nr_ports > 65536 ||
        (op.nr_ports && !guest_range_ok(guest_ptr_of(op.bitmap), DIV_ROUND_UP(op.nr_ports, 8))))
        return -EINVAL;
    current->arch.iobmp = guest_ptr_of(op.bitmap).va;
    current->arch.iobmp_limit = op.nr_ports;
    return 0;
}

long do_physdev_op(int cmd, guest_ptr_t arg)
{
    switch (cmd) {
    case PHYSDEVOP_set_iopl:
        return set_iopl(arg);
    case PHYSDEVOP_set_iobitmap:
        return set_iobitmap(arg);
    default:
        return current_domain()->is_privileged ? -ENOSYS : -EPERM;
    }
}

/* SPDX-License-Identifier: MIT */
/* Range checks in front of the copies to and from guest memory (hv/guest_access.h, usercopy.S). */
#include <hv/guest_access.h>

bool guest_range_ok(guest_ptr_t p, size_t n)
{
    return guest_range_ok_inline(p.va, n);
}

int(copy_from_guest)(void *dst, guest_ptr_t src, size_t n)
{
    if (unlikely(!guest_range_ok(src, n)) || unlikely(raw_copy_guest(dst, (void *)src.va, n)))
        return -EFAULT;
    return 0;
}

int(copy_to_guest)(guest_ptr_t dst, const void *src, size_t n)
{
    if (unlikely(!guest_range_ok(dst, n)) || unlikely(raw_copy_guest((void *)dst.va, src, n)))
        return -EFAULT;
    return 0;
}

int clear_guest(guest_ptr_t dst, size_t n)
{
    if (unlikely(!guest_range_ok(dst, n)) || unlikely(raw_clear_guest((void *)dst.va, n)))
        return -EFAULT;
    return 0;
}

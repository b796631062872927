/* SPDX-License-Identifier: MIT */
/* Access to the memory of the current guest, at its virtual addresses, with fault recovery.
 *
 * Every value is copied once into private memory and then checked (XSA-155). The range is checked on
 * every copy against the part of the address space that is the guest's, over exactly the bytes
 * touched (XSA-29, XSA-212). All return 0 or -EFAULT; after a failure the destination's contents are
 * undefined. They may be called with locks held and never sleep. */
#pragma once

#include <hv/types.h>

int __must_check copy_from_guest(void *dst, guest_ptr_t src, size_t n);
int __must_check copy_to_guest(guest_ptr_t dst, const void *src, size_t n);
int __must_check clear_guest(guest_ptr_t dst, size_t n);

#ifndef SOCLE_HOST
#include <asm/usercopy.h>

/* Small sizes known at compile time are copied in line. */
#define copy_from_guest(dst, src, n)                                                               \
    (GUEST_COPY_INLINE(n) ? copy_from_guest_fast(dst, src, n) : (copy_from_guest)(dst, src, n))
#define copy_to_guest(dst, src, n)                                                                 \
    (GUEST_COPY_INLINE(n) ? copy_to_guest_fast(dst, src, n) : (copy_to_guest)(dst, src, n))
#endif

/** put_element, get_element - element @i, which is *@p, of the array that @handle, a XEN_GUEST_HANDLE,
 * names. */
#define put_element(handle, i, p)                                                                  \
    copy_to_guest(guest_ptr_index(guest_ptr_of(handle), i, sizeof(*(p))), p, sizeof(*(p)))
#define get_element(handle, i, p)                                                                  \
    copy_from_guest(p, guest_ptr_index(guest_ptr_of(handle), i, sizeof(*(p))), sizeof(*(p)))

/** guest_range_ok - [p, p+n) lies wholly in the guest's part of the address space. */
bool guest_range_ok(guest_ptr_t p, size_t n);

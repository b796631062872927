/* SPDX-License-Identifier: MIT */
/* The routines of usercopy.S, and their short forms in line: a hot hypercall copies a few words of a
 * size known when it is compiled. Ranges are checked by their callers. */
#pragma once

#include <hv/errno.h>
#include <hv/types.h>
#include <asm/layout.h>

/** raw_copy_guest, raw_clear_guest - 0, or 1 after a fault. */
int raw_copy_guest(void *dst, const void *src, size_t n);
int raw_clear_guest(void *dst, size_t n);

/** load_ds .. load_gs_user - load a selector register; 1 if it did not load and is null now. */
int load_ds(unsigned int sel);
int load_es(unsigned int sel);
int load_fs(unsigned int sel);
int load_gs(unsigned int sel);
int load_gs_user(unsigned int sel);

/** fpu_xrstor, fpu_fxrstor - load FPU state; -EFAULT if the image is not acceptable to the CPU. */
int fpu_xrstor(const void *area, uint64_t mask);
int fpu_fxrstor(const void *area);

/* ---- in line ---- */

#define GUEST_LOW_END 0x0000800000000000UL

static inline bool guest_range_ok_inline(uintptr_t va, size_t n)
{
    if (likely(va >= HV_VIRT_END))
        return n <= -va;
    return va <= GUEST_LOW_END && n <= GUEST_LOW_END - va;
}

/* Three bytes that become stac (1) or clac (0) on CPUs with SMAP. */
#define SMAP_PATCH(kind)                                                                           \
    asm volatile("661: .byte 0x0f, 0x1f, 0x00\n"                                                   \
                 ".pushsection .smap_patch, \"a\"\n"                                               \
                 ".quad 661b, " #kind "\n"                                                         \
                 ".popsection"                                                                     \
                 :                                                                                 \
                 :                                                                                 \
                 : "memory")

#define RECOVER_TO(label)                                                                          \
    ".pushsection .ex_table, \"a\"\n"                                                              \
    ".quad 661b, %l[" #label "]\n"                                                                 \
    ".popsection"

/* Copy @n bytes, known at compile time: 4, or a few words. -EFAULT after a fault. What nobody reads of
 * @dst the compiler may leave where it is, and its fault with it: to try an address, use what is there. */
static inline __attribute__((always_inline)) int get_guest_inline(void *dst, const void *src,
                                                                  size_t n)
{
    SMAP_PATCH(1);
    if (n == 4) {
        uint32_t w;

        asm goto("661: movl %1, %0\n" RECOVER_TO(fault)
                 : "=r"(w)
                 : "m"(*(const uint32_t *)src)
                 :
                 : fault);
        *(uint32_t *)dst = w;
    }
#pragma GCC unroll 11
    for (size_t i = 0; i < n / 8; i++) {
        uint64_t w;

        asm goto("661: movq %1, %0\n" RECOVER_TO(fault)
                 : "=r"(w)
                 : "m"(((const uint64_t *)src)[i])
                 :
                 : fault);
        ((uint64_t *)dst)[i] = w;
    }
    SMAP_PATCH(0);
    return 0;
fault:
    SMAP_PATCH(0);
    return -EFAULT;
}

static inline __attribute__((always_inline)) int put_guest_inline(void *dst, const void *src,
                                                                  size_t n)
{
    SMAP_PATCH(1);
    if (n == 4)
        asm goto("661: movl %0, %1\n" RECOVER_TO(fault)
                 :
                 : "r"(*(const uint32_t *)src), "m"(*(uint32_t *)dst)
                 : "memory"
                 : fault);
#pragma GCC unroll 11
    for (size_t i = 0; i < n / 8; i++)
        asm goto("661: movq %0, %1\n" RECOVER_TO(fault)
                 :
                 : "r"(((const uint64_t *)src)[i]), "m"(((uint64_t *)dst)[i])
                 : "memory"
                 : fault);
    SMAP_PATCH(0);
    return 0;
fault:
    SMAP_PATCH(0);
    return -EFAULT;
}

/* A size that is copied in line. */
#define GUEST_COPY_INLINE(n) (__builtin_constant_p(n) && ((n) == 4 || ((n) % 8 == 0 && (n) <= 88)))

static inline __attribute__((always_inline)) int copy_from_guest_fast(void *dst, guest_ptr_t src,
                                                                      size_t n)
{
    return unlikely(!guest_range_ok_inline(src.va, n))
               ? -EFAULT
               : get_guest_inline(dst, (const void *)src.va, n);
}

static inline __attribute__((always_inline)) int copy_to_guest_fast(guest_ptr_t dst,
                                                                    const void *src, size_t n)
{
    return unlikely(!guest_range_ok_inline(dst.va, n)) ? -EFAULT
                                                       : put_guest_inline((void *)dst.va, src, n);
}

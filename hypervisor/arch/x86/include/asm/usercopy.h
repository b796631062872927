/* SPDX-License-Identifier: MIT */
/* The routines of usercopy.S. Ranges are checked by their callers. */
#ifndef ASM_USERCOPY_H
#define ASM_USERCOPY_H

#include <hv/types.h>

/** raw_copy_guest, raw_clear_guest - 0, or 1 after a fault. */
int raw_copy_guest(void *dst, const void *src, size_t n);
int raw_clear_guest(void *dst, size_t n);
/** raw_cmpxchg_guest - locked, 8 bytes; *@seen is what was there. 0, or 1 after a fault. */
int raw_cmpxchg_guest(uint64_t *p, uint64_t old, uint64_t new, uint64_t *seen);

/** load_ds .. load_gs_user - load a selector register; 1 if it did not load and is null now. */
int load_ds(unsigned int sel);
int load_es(unsigned int sel);
int load_fs(unsigned int sel);
int load_gs(unsigned int sel);
int load_gs_user(unsigned int sel);

/** fpu_xrstor, fpu_fxrstor - load FPU state; -EFAULT if the image is not acceptable to the CPU. */
int fpu_xrstor(const void *area, uint64_t mask);
int fpu_fxrstor(const void *area);

#endif

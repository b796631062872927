/* SPDX-License-Identifier: MIT */
/* Boot: what setup.c calls in turn. */
#ifndef ASM_BOOT_H
#define ASM_BOOT_H

#include <asm/multiboot.h>
#include <hv/cmdline.h>

void domains_build_all(const struct boot_info *bi);

extern struct cmdline_mem opt_dom0_mem;
extern unsigned int opt_dom0_max_vcpus; /* default: as many as pcpus, set by setup.c */

#endif

/* SPDX-License-Identifier: MIT */
/* I/O ports and device memory on behalf of a guest. */
#pragma once

#include <hv/types.h>

struct boot_info;

/** port_read, port_write - @size 1, 2 or 4 bytes. The control domain reaches every port that the
 * hypervisor does not use itself; others read all ones and write nothing. */
uint32_t port_read(struct domain *d, uint16_t port, unsigned int size);
void port_write(struct domain *d, uint16_t port, unsigned int size, uint32_t val);

#define PIT_PORT    0x40
#define PIT_CONTROL 0x43

/** port_in, port_out - the same by ourselves. */
uint32_t port_in(uint16_t port, unsigned int size);
void port_out(uint16_t port, unsigned int size, uint32_t val);

/** port_reserve - keep @n ports from @first for the hypervisor; boot only. */
void port_reserve(uint16_t first, unsigned int n);
/** port_bitmap_page - page 0 or 1 of the bitmap that port_reserve() fills, for each pcpu's TSS. */
const char *port_bitmap_page(unsigned int n);

/** iomem_reserve - keep the pages of [@paddr, @paddr + @len) for the hypervisor; boot only.
 * @readable: the control domain may look (the DSDT of some machines reads the HPET). Who may map
 * the rest: iomem_permitted() of asm/mmu.h. */
void iomem_reserve(uint64_t paddr, uint64_t len, bool readable);
/** iomem_show_reserved - add them to a memory map. */
void iomem_show_reserved(struct boot_info *map);

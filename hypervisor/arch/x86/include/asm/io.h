/* SPDX-License-Identifier: MIT */
/* I/O ports and device memory on behalf of a guest. */
#pragma once

#include <hv/types.h>

struct boot_info;

/** io_domain_init - the control domain may have all ports, frames and interrupts, others none: for now.
 * -ENOMEM. */
int io_domain_init(struct domain *d);
void io_domain_free(struct domain *d);

/** port_read, port_write - @size 1, 2 or 4 bytes. What is not permitted reads as all ones, and is not
 * written. */
uint32_t port_read(struct domain *d, uint16_t port, unsigned int size);
void port_write(struct domain *d, uint16_t port, unsigned int size, uint32_t val);

#define IO_PORTS    65536
#define PIT_PORT    0x40
#define PIT_CONTROL 0x43

/** port_in, port_out - the same by ourselves. */
uint32_t port_in(uint16_t port, unsigned int size);
void port_out(uint16_t port, unsigned int size, uint32_t val);

/** ports_permitted - may @d use all of them? Never those that the hypervisor uses itself. */
bool ports_permitted(struct domain *d, uint32_t first, uint32_t last);

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

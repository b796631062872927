/* SPDX-License-Identifier: MIT */
/* Pages that a domain shares with a daemon here for a ring. */
#ifndef LIBSOCLE_RING_PAGE_H
#define LIBSOCLE_RING_PAGE_H

#include <stdint.h>
#include <xen/xen.h>

/** ring_page_open - once, before all others; 0 or a negative errno. */
int ring_page_open(void);

/** ring_page_map - the page that domain @id offers: by its reserved grant @gref, or else by its frame
 * Returns NULL when neither can be mapped, errno says why. */
void *ring_page_map(domid_t id, uint32_t gref, uint64_t frame);

/** ring_page_unmap - as long as a page is mapped, its domain cannot go. */
void ring_page_unmap(void *page);

#endif

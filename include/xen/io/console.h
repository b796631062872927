/* SPDX-License-Identifier: MIT */
/* Guest ABI: the page of a PV console. Indexes count on freely; each has one writer. */
#ifndef __XEN_PUBLIC_IO_CONSOLE_H__
#define __XEN_PUBLIC_IO_CONSOLE_H__

#ifndef __ASSEMBLY__
#include <stdint.h>

typedef uint32_t XENCONS_RING_IDX;

/* From a counting index to a place in a ring. */
#define MASK_XENCONS_IDX(idx, ring) ((idx) & (sizeof(ring) - 1))

struct xencons_interface {
    char in[1024];  /* back end to guest */
    char out[2048]; /* guest to back end */
    XENCONS_RING_IDX in_cons, in_prod;
    XENCONS_RING_IDX out_cons, out_prod;
};
_Static_assert(sizeof(struct xencons_interface) == 3088, "guest ABI: console ring");
#endif /* !__ASSEMBLY__ */

#endif

/* SPDX-License-Identifier: MIT */
/* MSRs as a guest sees them: an explicit list (XSA-333, XSA-351); everything else is #GP. */
#pragma once

#include <hv/types.h>

/** guest_rdmsr, guest_wrmsr - 0, or -EPERM: the guest gets #GP. */
int guest_rdmsr(uint32_t msr, uint64_t *val);
int guest_wrmsr(struct vcpu *v, uint32_t msr, uint64_t val);

/** hypercall_page_fill - write the ABI's hypercall page at @page (a page in the direct map). */
void hypercall_page_fill(void *page);
/** hypercall_page_write - likewise in frame @g of @d; -EINVAL: it can not be written to. */
int hypercall_page_write(struct domain *d, gfn_t g);

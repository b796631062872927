/* SPDX-License-Identifier: MIT */
/* Physical interrupts on their way to a domain: what event channels and the life of domains ask of
 * the architecture. The control domain knows an interrupt by its pirq, a number that it has mapped; others
 * those pins that they may have, by their GSI. */
#pragma once

#include <hv/types.h>

/** pirq_check - could @d bind @pirq? -EPERM, -EINVAL. */
int pirq_check(struct domain *d, uint32_t pirq);
/** pirq_bind - from now on the interrupt comes to @port of @d, which is open. -EINVAL: not mapped;
 * -EEXIST: bound already; -EBUSY: by another domain, or the hypervisor's own. Takes LOCK_PIRQ. */
int pirq_bind(struct domain *d, uint32_t pirq, uint32_t port);
/** pirq_unbind - and now no more; when it returns, nobody is sending to @port. */
void pirq_unbind(struct domain *d, uint32_t pirq, uint32_t port);
/** pirq_move - have it delivered where @v runs. */
void pirq_move(struct domain *d, uint32_t pirq, const struct vcpu *v);

/** pirq_domain_destroy - its ports are closed; release everything. */
void pirq_domain_destroy(struct domain *d);
void irq_dump(void); /* debug key */
/** pirq_audit_refs - report each frame that is held (general and WRITABLE). */
void pirq_audit_refs(struct domain *d, void (*add)(void *ctx, mfn_t m, bool writable), void *ctx);

/* SPDX-License-Identifier: MIT */
/* Grant tables: what other parts of the hypervisor use of them. ABI: xen/grant_table.h. */
#pragma once

#include <hv/types.h>

struct grant_table;

/** gnttab_domain_init - an empty table. Limits in frames of 512 entries and of 256 handles; clipped
 * to what the heap can index. 0 or -ENOMEM. */
int gnttab_domain_init(struct domain *d, unsigned int max_grant_frames,
                       unsigned int max_maptrack_frames);
/** gnttab_release_mappings - drop the references of all grant mappings that a dying domain holds;
 * what its page-table entries hold goes with the tables. Preemptible: -ERESTART. */
int gnttab_release_mappings(struct domain *d);
/** gnttab_is_mapped - a guest still maps frames of d's table. */
bool gnttab_is_mapped(const struct domain *d);
/** gnttab_domain_free - last step: nobody has a reference to the domain, nor a mapping of its
 * table. */
void gnttab_domain_free(struct domain *d);

/** gnttab_get_shared_frame - frame @idx of d's table for XENMAPSPACE_grant_table and
 * acquire_resource; grows the table as far as its limit. The frame stays the hypervisor's, shared
 * with d. */
uint32_t gnttab_max_frames(const struct domain *d);
int gnttab_get_shared_frame(struct domain *d, unsigned long idx, mfn_t *out);

void gnttab_dump(struct domain *d); /* debug key */

/** gnttab_audit - recount the pins of @d's entries from the maptracks of all domains, and compare
 * with active entries and status bits; number of errors found. All domains paused. */
unsigned int gnttab_audit(struct domain *d);
/** gnttab_audit_refs - report each reference that grant mappings of @d hold besides its page
 * tables: one general one per call, and a WRITABLE one if @writable. */
void gnttab_audit_refs(struct domain *d, void (*add)(void *ctx, mfn_t m, bool writable), void *ctx);

/* SPDX-License-Identifier: MIT */
/* Grant tables: what other parts of the hypervisor use of them. ABI: xen/grant_table.h. */
#ifndef HV_GNTTAB_H
#define HV_GNTTAB_H

#include <hv/types.h>

struct domain;
struct page;
struct grant_table;

int gnttab_domain_init(struct domain *d, unsigned int max_grant_frames, unsigned int max_maptrack_frames);
/** gnttab_release_mappings - drop all grant mappings that a dying domain holds; preemptible. */
int gnttab_release_mappings(struct domain *d);
void gnttab_domain_free(struct domain *d);

/** gnttab_get_shared_frame - frame @idx of d's table for XENMAPSPACE_grant_table and acquire_resource;
 * grows the table as far as its limit. The frame stays the hypervisor's, shared with d. */
int gnttab_get_shared_frame(struct domain *d, unsigned long idx, mfn_t *out);

void gnttab_dump(struct domain *d);
/** gnttab_audit - check active entries against maptrack; number of errors found. */
unsigned int gnttab_audit(struct domain *d);

#endif

/* SPDX-License-Identifier: MIT */
/* Grant tables, version 1: offering our pages to other domains, mapping theirs. */
#ifndef PV_GNTTAB_H
#define PV_GNTTAB_H

#include <pv/types.h>
#include <xen/xen.h>
#include <xen/grant_table.h>

/** gnttab_init - set up @nr_frames frames of entries (512 each), map them. 0 or -errno, also
 * when a second call wants to grow the table. */
int gnttab_init(unsigned nr_frames);
/** gnttab_entries - our table, shared with the hypervisor. */
struct grant_entry_v1 *gnttab_entries(void);
unsigned gnttab_nr_entries(void);

/** gnttab_alloc_ref - a free entry's index, 0 if there is none; entries below 8 are reserved. */
grant_ref_t gnttab_alloc_ref(void);
void gnttab_free_ref(grant_ref_t ref);

/** gnttab_grant - let @dom map or copy @mfn; 0 if no entry is free. */
grant_ref_t gnttab_grant(domid_t dom, mfn_t mfn, bool readonly);
/** gnttab_grant_at - the same in an entry that is ours already. */
void gnttab_grant_at(grant_ref_t ref, domid_t dom, mfn_t mfn, bool readonly);
/** gnttab_end - take the grant back and free the entry; false (nothing done) while in use. */
bool gnttab_end(grant_ref_t ref);
/** gnttab_in_use - is @ref mapped or being copied by the other side now? */
bool gnttab_in_use(grant_ref_t ref);

/** gnttab_map - map @ref of @dom at @va, where level 1 tables must exist (vm_reserve()).
 * @flags: GNTMAP_host_map is added. Returns GNTST_*; *@handle on GNTST_okay. */
int gnttab_map(domid_t dom, grant_ref_t ref, void *va, unsigned flags, grant_handle_t *handle);
/** gnttab_unmap - returns GNTST_*. */
int gnttab_unmap(void *va, grant_handle_t handle);

#endif

/* SPDX-License-Identifier: MIT */
/* What domctl and sysctl share. */
#pragma once

#include <hv/cpumask.h>
#include <xen/domctl.h>

/** cpumask_from_guest, cpumask_to_guest - a bitmap in the guest's memory: what it lacks counts as 0,
 * what it has too much is ignored, or cleared. -EFAULT. */
int cpumask_from_guest(cpumask_t *mask, const struct xenctl_bitmap *map);
int cpumask_to_guest(const struct xenctl_bitmap *map, cpumask_t mask);

/** domain_get_info - all fields. */
void domain_get_info(struct domain *d, struct xen_domctl_getdomaininfo *info);

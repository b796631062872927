/* SPDX-License-Identifier: MIT */
/* What the hypervisor does for tools: a function for each domctl and sysctl that they need. All
 * return 0 or a negative errno, after xcall_open(). */
#ifndef LIBSOCLE_XC_H
#define LIBSOCLE_XC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xen/domctl.h>
#include <xen/sysctl.h>
#include <xen/version.h>

#define XC_MAX_CPUS 1024

int xc_pause(domid_t id);
int xc_unpause(domid_t id);
/** xc_destroy - end a domain and give its memory back; goes on where it was interrupted. */
int xc_destroy(domid_t id);

/** xc_domains - all domains, by id
 * @list  from malloc(), the caller's to free */
int xc_domains(struct xen_domctl_getdomaininfo **list, unsigned int *nr);

/** xc_vcpu_info - -ESRCH: there is no such vcpu. */
int xc_vcpu_info(domid_t id, unsigned int vcpu, struct xen_domctl_getvcpuinfo *info);

struct xc_cpus {
    uint8_t bits[XC_MAX_CPUS / 8];
};

/** xc_vcpu_affinity - where a vcpu may run, and where it would like to. */
int xc_vcpu_affinity(domid_t id, unsigned int vcpu, struct xc_cpus *hard, struct xc_cpus *soft);

int xc_physinfo(struct xen_sysctl_physinfo *info);
int xc_scheduler(uint32_t *id);
int xc_debug_keys(const char *keys);

/** xc_read_log - the next part of the hypervisor's log
 * @index  0 at first; where the next part begins   @len  in: room; out: bytes, 0 at the end */
int xc_read_log(uint32_t *index, char *buf, uint32_t *len, bool clear);

/** xc_version - xen_version, XENVER_@what
 * @size  bytes that are copied to @buf; 0: there is nothing but the result */
long xc_version(unsigned int what, void *buf, size_t size);

#endif

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

/** xc_set_vcpu_affinity - the opposite; NULL: as it is
 * @force  even if it is pinned for the time being
 * -EINVAL: none of the CPUs is on line. */
int xc_set_vcpu_affinity(domid_t id, unsigned int vcpu, const struct xc_cpus *hard,
                         const struct xc_cpus *soft, bool force);

/** xc_trigger - XEN_DOMCTL_SENDTRIGGER_... to a vcpu; -ENOSYS, -EINVAL: not to such a domain. */
int xc_trigger(domid_t id, uint32_t trigger, uint32_t vcpu);

#define XC_SAME UINT32_MAX /* a weight or cap that shall be as it is */

/** xc_domain_shares, xc_set_domain_shares - weight and cap, in per cent of a CPU
 * @scheduler  as of xc_scheduler(); -EOPNOTSUPP: one that has none. */
int xc_domain_shares(domid_t id, uint32_t scheduler, uint32_t *weight, uint32_t *cap);
int xc_set_domain_shares(domid_t id, uint32_t scheduler, uint32_t weight, uint32_t cap);

/** xc_pool_sched, xc_set_pool_sched - what the scheduler of pool 0 does for all
 * The caller knows by @scheduler which member of @s is meant. */
int xc_pool_sched(uint32_t scheduler, struct xen_sysctl_scheduler_op *s);
int xc_set_pool_sched(uint32_t scheduler, struct xen_sysctl_scheduler_op *s);

/** xc_free_cpus - how many CPUs no pool has. */
int xc_free_cpus(unsigned int *nr);

struct xc_pool { /* of CPUs */
    uint32_t id, scheduler;
    unsigned int domains; /* that run there */
    struct xc_cpus cpus;
};

/** xc_pools - all pools, by id
 * @list  from malloc(), the caller's to free */
int xc_pools(struct xc_pool **list, unsigned int *nr);

/** xc_pool_create - an empty one; xc_pool_destroy - -EBUSY: it has CPUs, or domains. */
int xc_pool_create(uint32_t scheduler, uint32_t *id);
int xc_pool_destroy(uint32_t id);

/** xc_pool_add_cpu - -ENODEV: it is in a pool already; xc_pool_remove_cpu - -EADDRNOTAVAIL: it is not there;
 * -EINVAL: the boot CPU, which stays; -EBUSY: the last one for domains. */
int xc_pool_add_cpu(uint32_t id, uint32_t cpu);
int xc_pool_remove_cpu(uint32_t id, uint32_t cpu);

/** xc_pool_move - a domain runs there from now on; -ENOENT: it has no CPUs. */
int xc_pool_move(domid_t domain, uint32_t id);

/** xc_cpu_topology, xc_node_memory - of the machine, from malloc() */
int xc_cpu_topology(struct xen_sysctl_cputopo **topo, unsigned int *nr);
int xc_node_memory(struct xen_sysctl_meminfo **mem, unsigned int *nr);

/* ---- making domains ---- */

/** xc_create - an empty domain with that id, paused, in a pool of CPUs; -EEXIST: the id is taken; -ESRCH:
 * there is no such pool; -ENODEV: it has no CPUs. */
int xc_create(domid_t id, const uint8_t uuid[16], unsigned int max_vcpus, uint32_t pool);

/** xc_set_handle - the domain has another uuid from now on. */
int xc_set_handle(domid_t id, const uint8_t uuid[16]);

/** xc_max_vcpus - make its vcpus, as many as were announced. */
int xc_max_vcpus(domid_t id, unsigned int max);

/** xc_info - -ESRCH: there is no such domain. */
int xc_info(domid_t id, struct xen_domctl_getdomaininfo *info);

/** xc_max_mem - how much it may have, in KiB. */
int xc_max_mem(domid_t id, uint64_t kib);

/** xc_memory_map - what it is told of its memory: one range from 0 on, in bytes. */
int xc_memory_map(domid_t id, uint64_t size);

/** xc_populate - give it memory, in pieces as large as there are
 * @p2m  out: the frame of each of its @nr pages
 * Returns -ENOMEM when there is not so much; it has a part then. */
int xc_populate(domid_t id, uint64_t *p2m, uint64_t nr);

/** xc_new_port - a port of the domain that dom0 may bind itself to. */
int xc_new_port(domid_t id, evtchn_port_t *port);

/** xc_hypercall_page - fill a frame with the way into the hypervisor. */
int xc_hypercall_page(domid_t id, uint64_t frame);

/** xc_pin_root - make a frame a root of page tables, for as long as it is not unpinned. */
int xc_pin_root(domid_t id, uint64_t frame);

int xc_set_context(domid_t id, unsigned int vcpu, const struct vcpu_guest_context *context);

int xc_physinfo(struct xen_sysctl_physinfo *info);
int xc_scheduler(uint32_t *id);
int xc_debug_keys(const char *keys);

/** xc_read_log - the next part of the hypervisor's log
 * @index  0 at first; where the next part begins   @len  in: room; out: bytes, 0 at the end */
int xc_read_log(uint32_t *index, char *buf, uint32_t *len, bool clear);

/** xc_version - xen_version, XENVER_@what
 * @size  bytes that are copied to @buf; 0: there is nothing but the result */
long xc_version(unsigned int what, void *buf, size_t size);

/** xc_build_id - that of the hypervisor's image, in hexadecimal; "" without one. */
void xc_build_id(char *text, size_t room);

/** xc_memory_count - memory_op without an argument, such as XENMEM_get_sharing_freed_pages. */
long xc_memory_count(unsigned int what);

#endif

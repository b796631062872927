/* SPDX-License-Identifier: MIT */
/* What the parts of domctl and sysctl share. An operation is a row of a table: common/domctl.c
 * finds the row and the domain, keeps the rules that its flags name, and copies the result back. */
#pragma once

#include <hv/cpumask.h>
#include <hv/domain.h>
#include <xen/domctl.h>
#include <xen/sysctl.h>

struct domctl_call {
    struct domain *d;     /* domain_peer(); NULL: DOMCTL_NO_DOMAIN */
    struct vcpu *v;       /* for rows with no_vcpu */
    struct xen_domctl op; /* our copy */
    guest_ptr_t arg;      /* the caller's */
};

struct domctl_row {
    uint32_t cmd;
    uint8_t flags;   /* DOMCTL_* */
    int16_t no_vcpu; /* not 0: the argument begins with a vcpu's number; what is returned if it is
                        not there */
    int16_t answer;  /* without fn: all there is to say */
    long (*fn)(struct domctl_call *c);
};

#define DOMCTL_RESULT    1  /* the argument is an answer too */
#define DOMCTL_TELLS     2  /* ... even after an error */
#define DOMCTL_NO_DOMAIN 4  /* makes one */
#define DOMCTL_NEXT      8  /* the domain with this id or a higher one */
#define DOMCTL_OTHER     16 /* -EINVAL for the caller's own domain */
#define DOMCTL_STOPPED   32 /* the vcpu is paused meanwhile; -EINVAL for the caller itself */

struct sysctl_row {
    uint32_t cmd;
    int16_t result; /* copied back; 2: after an error too */
    long (*fn)(struct xen_sysctl *op);
};

/** find_row - the one for @wanted in a table that ends with a cmd of 0; NULL. */
#define find_row(rows, wanted)                                                                     \
    ({                                                                                             \
        __typeof__(&(rows)[0]) row_at = (rows);                                                    \
        while (row_at->cmd && row_at->cmd != (wanted))                                             \
            row_at++;                                                                              \
        row_at->cmd ? row_at : NULL;                                                               \
    })

/** arch_domctl, arch_sysctl - the architecture's rows, up to one with cmd 0. */
extern const struct domctl_row arch_domctl[];
extern const struct sysctl_row arch_sysctl[];

/** control_begin - copy in an operation of the control domain, of @size bytes, which begins with its
 * command and with the @version of the interface that the caller knows. 0; -EPERM, -EFAULT, -EACCES. */
int control_begin(void *op, size_t size, guest_ptr_t arg, uint32_t version);

/** cpumask_to_guest - a bitmap in the guest's memory: what it lacks counts as
 * 0, what it has too much is ignored, or cleared. -EFAULT. */
int cpumask_to_guest(const struct xenctl_bitmap *map, cpumask_t mask);

/** domctl_lock - one control operation at a time: tried, and if another one is under way, -ERESTART. */
extern spinlock_t domctl_lock;

/** cpupool_park - a pcpu that is on line runs no vcpu any more, though it still answers interrupts and
 * flushes. -EBUSY: it is not in pool 0; -EINVAL: it is the boot CPU. cpupool_unpark - it is in pool 0 again.
 * Both with domctl_lock held. cpupool_working - those on line that are not parked. */
long cpupool_park(unsigned int cpu);
void cpupool_unpark(unsigned int cpu);
cpumask_t cpupool_working(void);
/** cpupool_exists - there is such a pool of pcpus. cpupool_op - of sysctl, with domctl_lock held. */
bool cpupool_exists(unsigned int id);
long cpupool_op(struct xen_sysctl_cpupool_op *op);

/** domain_get_info - all fields. */
void domain_get_info(struct domain *d, struct xen_domctl_getdomaininfo *info);

/** arch_domain_config_check - the architecture's part of createdomain: 0, -EINVAL, -EOPNOTSUPP. */
int arch_domain_config_check(const struct xen_arch_domainconfig *config);
/** arch_physinfo - the architecture's fields. */
void arch_physinfo(struct xen_sysctl_physinfo *p);

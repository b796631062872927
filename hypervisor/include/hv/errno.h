/* SPDX-License-Identifier: MIT */
/* The error numbers of the guest ABI that are in use (they are Linux' on x86), without their prefix. */
#pragma once

#ifdef SOCLE_HOST
#include <errno.h>
#else
#define EPERM         1
#define ENOENT        2
#define ESRCH         3
#define ENXIO         6
#define E2BIG         7
#define ENOEXEC       8
#define EAGAIN        11
#define ENOMEM        12
#define EACCES        13
#define EFAULT        14
#define EBUSY         16
#define EEXIST        17
#define ENODEV        19
#define EINVAL        22
#define ENOSPC        28
#define EDOM          33
#define ERANGE        34
#define ENOSYS        38
#define ENODATA       61
#define ETIME         62
#define EOVERFLOW     75
#define EOPNOTSUPP    95
#define EADDRNOTAVAIL 99
#define ENOBUFS       105
#endif

/* Internal: the operation was preempted and its progress is recorded; a caller that can build a
 * continuation does so, nobody hands this number to a guest. */
#define ERESTART 85

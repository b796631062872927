/* SPDX-License-Identifier: MIT */
/* Guest ABI: error numbers. A hypercall that fails returns the negative of one of these. */
#ifndef __XEN_PUBLIC_ERRNO_H__
#define __XEN_PUBLIC_ERRNO_H__

#define XEN_EPERM         1   /* not allowed */
#define XEN_ENOENT        2   /* no such thing */
#define XEN_ESRCH         3   /* no such domain */
#define XEN_EIO           5   /* input or output failed */
#define XEN_ENXIO         6   /* no such device or address */
#define XEN_E2BIG         7   /* list too long */
#define XEN_ENOEXEC       8   /* not an executable */
#define XEN_EBADF         9   /* bad handle */
#define XEN_ECHILD        10  /* no child */
#define XEN_EAGAIN        11  /* try again */
#define XEN_EWOULDBLOCK   11  /* another name for EAGAIN */
#define XEN_ENOMEM        12  /* out of memory */
#define XEN_EACCES        13  /* access denied */
#define XEN_EFAULT        14  /* bad guest address */
#define XEN_EBUSY         16  /* in use */
#define XEN_EEXIST        17  /* exists already */
#define XEN_EXDEV         18  /* wrong kind of thing for this */
#define XEN_ENODEV        19  /* no such device */
#define XEN_ENOTDIR       20  /* not a directory */
#define XEN_EISDIR        21  /* is a directory */
#define XEN_EINVAL        22  /* invalid argument */
#define XEN_ENFILE        23  /* table full */
#define XEN_EMFILE        24  /* too many open */
#define XEN_ENOSPC        28  /* no space left */
#define XEN_EROFS         30  /* read-only */
#define XEN_EMLINK        31  /* too many links */
#define XEN_EDOM          33  /* argument outside the function's domain */
#define XEN_ERANGE        34  /* result does not fit */
#define XEN_EDEADLK       35  /* would deadlock */
#define XEN_EDEADLOCK     35  /* another name for EDEADLK */
#define XEN_ENAMETOOLONG  36  /* name too long */
#define XEN_ENOLCK        37  /* no lock left */
#define XEN_ENOSYS        38  /* not implemented */
#define XEN_ENOTEMPTY     39  /* not empty */
#define XEN_ENODATA       61  /* no data */
#define XEN_ETIME         62  /* timer ran out */
#define XEN_EBADMSG       74  /* malformed message */
#define XEN_EOVERFLOW     75  /* value too large for its type */
#define XEN_EILSEQ        84  /* illegal byte sequence */
#define XEN_ENOTSOCK      88  /* not a socket */
#define XEN_EMSGSIZE      90  /* message too long */
#define XEN_EOPNOTSUPP    95  /* not supported here */
#define XEN_EADDRINUSE    98  /* address in use */
#define XEN_EADDRNOTAVAIL 99  /* address not available */
#define XEN_ENOBUFS       105 /* no buffer space */
#define XEN_EISCONN       106 /* connected already */
#define XEN_ENOTCONN      107 /* not connected */
#define XEN_ETIMEDOUT     110 /* took too long */
#define XEN_ECONNREFUSED  111 /* refused by the other side */

#endif

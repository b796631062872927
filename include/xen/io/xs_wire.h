/* SPDX-License-Identifier: MIT */
/* Guest ABI: the store's wire protocol, on the daemon's socket and on each domain's ring page.
 *
 * A message is a header and then `len` bytes. What a request carries is strings, each ended by a
 * NUL and written <s> here, then perhaps raw bytes. The reply has the type of the request, its
 * req_id and tx_id, and what is right of the arrow, where `ok` is the three bytes "OK\0". If the
 * request failed, the reply is of type XS_ERROR and carries the name of an errno (xsd_errors).
 * Watch events come of themselves, with zeros for both ids. */
#ifndef _XS_WIRE_H
#define _XS_WIRE_H

#ifndef __ASSEMBLY__
#include <stdint.h>

enum xsd_sockmsg_type {
    XS_CONTROL,              /* <command> <argument>... -> text */
    XS_DEBUG = XS_CONTROL,   /* its old name */
    XS_DIRECTORY,            /* <path> -> <child>...; E2BIG if they do not fit */
    XS_READ,                 /* <path> -> value */
    XS_GET_PERMS,            /* <path> -> <perm>...: letter n, r, w or b and a domain's id; the
                              * first has the owner and what everybody else may do */
    XS_WATCH,                /* <path> <token> [<depth>] -> ok, and an event at once */
    XS_UNWATCH,              /* <path> <token> -> ok */
    XS_TRANSACTION_START,    /* <> -> <id> */
    XS_TRANSACTION_END,      /* <T or F> -> ok; EAGAIN if another one came first */
    XS_INTRODUCE,            /* <domain> <frame> <port> -> ok */
    XS_RELEASE,              /* <domain> -> ok */
    XS_GET_DOMAIN_PATH,      /* <domain> -> <path> */
    XS_WRITE,                /* <path> value -> ok; makes what is missing */
    XS_MKDIR,                /* <path> -> ok */
    XS_RM,                   /* <path> -> ok; with all below it */
    XS_SET_PERMS,            /* <path> <perm>... -> ok */
    XS_WATCH_EVENT,          /* from the daemon: <path> <token> */
    XS_ERROR,                /* from the daemon: <name of an errno> */
    XS_IS_DOMAIN_INTRODUCED, /* <domain> -> <T or F> */
    XS_RESUME,               /* <domain> -> ok */
    XS_SET_TARGET, /* <domain> <its target> -> ok; the domain may do what the target may */
    XS_RESET_WATCHES = XS_SET_TARGET + 2, /* <> -> ok; transactions go as well */
    XS_DIRECTORY_PART, /* <path> <offset> -> <generation> <child>...; <> after the last one */

    XS_TYPE_COUNT,

    XS_INVALID = 0xffff
};

#define XS_WRITE_NONE        "NONE" /* of an older protocol */
#define XS_WRITE_CREATE      "CREATE"
#define XS_WRITE_CREATE_EXCL "CREATE|EXCL"

/* All errors that a reply can name; a client takes an unknown name for EINVAL. */
struct xsd_errors {
    int errnum;
    const char *errstring;
};

#ifdef EINVAL /* after <errno.h> */
#define XSD_ERROR(x)                                                                               \
    {                                                                                              \
        x, #x                                                                                      \
    }
static const struct xsd_errors xsd_errors[] __attribute__((unused)) = {
    XSD_ERROR(EINVAL),    XSD_ERROR(EACCES),  XSD_ERROR(EEXIST), XSD_ERROR(EISDIR),
    XSD_ERROR(ENOENT),    XSD_ERROR(ENOMEM),  XSD_ERROR(ENOSPC), XSD_ERROR(EIO),
    XSD_ERROR(ENOTEMPTY), XSD_ERROR(ENOSYS),  XSD_ERROR(EROFS),  XSD_ERROR(EBUSY),
    XSD_ERROR(EAGAIN),    XSD_ERROR(EISCONN), XSD_ERROR(E2BIG),  XSD_ERROR(EPERM),
};
#endif

struct xsd_sockmsg {
    uint32_t type;   /* xsd_sockmsg_type */
    uint32_t req_id; /* comes back in the reply */
    uint32_t tx_id;  /* 0 outside of transactions */
    uint32_t len;    /* bytes that follow */
};
_Static_assert(sizeof(struct xsd_sockmsg) == 16, "store protocol");

/* The strings of a watch event. */
enum xs_watch_type { XS_WATCH_PATH = 0, XS_WATCH_TOKEN };

#define XENSTORE_RING_SIZE 1024
typedef uint32_t XENSTORE_RING_IDX;
/* From a counting index to a place in a ring. */
#define MASK_XENSTORE_IDX(idx) ((idx) & (XENSTORE_RING_SIZE - 1))

/* The page that a domain shares with the daemon. Indexes count on freely; each has one writer. */
struct xenstore_domain_interface {
    char req[XENSTORE_RING_SIZE]; /* from the domain */
    char rsp[XENSTORE_RING_SIZE]; /* from the daemon */
    XENSTORE_RING_IDX req_cons, req_prod;
    XENSTORE_RING_IDX rsp_cons, rsp_prod;
    uint32_t server_features; /* XENSTORE_SERVER_FEATURE_* */
    uint32_t connection;      /* the domain sets XENSTORE_RECONNECT, the daemon answers */
    uint32_t error;           /* why the daemon has given up on this ring */
};
_Static_assert(sizeof(struct xenstore_domain_interface) == 2076, "store protocol");
#endif /* !__ASSEMBLY__ */

#define XENSTORE_PAYLOAD_MAX  4096 /* beyond that the connection ends */
#define XENSTORE_ABS_PATH_MAX 3072 /* bytes without the NUL; beyond that EINVAL */
#define XENSTORE_REL_PATH_MAX 2048

#define XENSTORE_SERVER_FEATURE_RECONNECTION 1
#define XENSTORE_SERVER_FEATURE_ERROR        2 /* there is a member `error` */

#define XENSTORE_CONNECTED 0
#define XENSTORE_RECONNECT 1

#define XENSTORE_ERROR_NONE    0
#define XENSTORE_ERROR_COMM    1
#define XENSTORE_ERROR_RINGIDX 2 /* indexes further apart than the ring is large */
#define XENSTORE_ERROR_PROTO   3 /* a payload that is too long */

#endif

/* SPDX-License-Identifier: MIT */
/* Each request: a row in the table and a function that looks at its strings and asks tree.c. */
#include <errno.h> /* first: the protocol has names for what is in it */

#include "proto.h"
#include "domain.h"
#include "journal.h"
#include "quota.h"
#include "tree.h"
#include "watch.h"

#include "../libsocle/alloc.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct request {
    struct conn *conn;
    struct txn *txn;
    const char *arg[4]; /* the first strings; the rest of the payload may be anything */
    unsigned int nr_args;
    const uint8_t *rest; /* what follows after the first string */
    size_t rest_len;
    struct txn *ended;  /* a transaction that is over with this request */
    bool commit;        /* and how */
    struct bytes reply; /* empty: the answer is "OK" */
};

/* ---- arguments and answers ---- */

/* The path that an argument means; a relative one begins at the domain's own.
 * @strip, if not NULL: how many bytes were added. */
static int get_path(const struct request *r, bool special, char path[PATH_ROOM], uint32_t *strip)
{
    const char *arg = r->arg[0];
    int at = 0;

    if (arg[0] == '@') {
        if (!special || strlen(arg) > XENSTORE_ABS_PATH_MAX)
            return -EINVAL;
        strcpy(path, arg);
    } else {
        if (arg[0] != '/') {
            if (strlen(arg) > XENSTORE_REL_PATH_MAX)
                return -EINVAL;
            at = sprintf(path, "/local/domain/%u/", r->conn->who.id);
        }
        if (strlen(arg) > (size_t)(XENSTORE_ABS_PATH_MAX - at))
            return -EINVAL;
        strcpy(path + at, arg);
        if (!path_ok(path))
            return -EINVAL;
    }
    if (strip)
        *strip = at;
    return 0;
}

static int get_number(const char *text, uint64_t max, uint64_t *val)
{
    char *end;

    errno = 0;
    *val = strtoull(text, &end, 10);
    return errno || *text < '0' || *text > '9' || *end || *val > max ? -EINVAL : 0;
}

static int get_domid(const struct request *r, unsigned int arg, domid_t *id)
{
    uint64_t val;
    int rc = get_number(r->arg[arg], DOMID_FIRST_RESERVED - 1, &val);

    if (rc == 0)
        *id = val;
    return rc;
}

static void reply(struct request *r, const void *data, size_t len)
{
    must_have(bytes_append(&r->reply, data, len, SIZE_MAX / 2));
}

static void reply_text(struct request *r, const char *text)
{
    reply(r, text, strlen(text) + 1);
}

static void __attribute__((format(printf, 2, 3)))
reply_line(struct request *r, const char *format, ...)
{
    char line[256];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    reply(r, line, strlen(line));
}

/* ---- nodes ---- */

static int find(struct request *r, bool special, struct node **n)
{
    char path[PATH_ROOM];
    int rc = get_path(r, special, path, NULL);

    return rc ? rc : tree_find(r->txn, &r->conn->who, path, PERM_READ, n);
}

static int op_directory(struct request *r)
{
    struct node *n;
    int rc = find(r, false, &n);

    if (rc == 0)
        reply(r, n->names, n->names_len);
    return rc;
}

/* As many names as fit, then an empty one after the last. */
static int op_directory_part(struct request *r)
{
    char generation[24];
    uint64_t offset;
    struct node *n;
    size_t len;
    int rc = get_number(r->arg[1], UINT32_MAX, &offset);

    if (rc == 0)
        rc = find(r, false, &n);
    if (rc)
        return rc;
    if (offset > n->names_len || (offset && n->names[offset - 1]))
        return -EINVAL;
    snprintf(generation, sizeof(generation), "%" PRIu64, n->generation);
    reply_text(r, generation);
    len = n->names_len - offset;
    if (len + r->reply.len + 1 > XENSTORE_PAYLOAD_MAX) {
        len = XENSTORE_PAYLOAD_MAX - r->reply.len;
        while (n->names[offset + len - 1]) /* a path, and so a name, is shorter than this */
            len--;
        reply(r, n->names + offset, len);
    } else {
        reply(r, n->names + offset, len);
        reply(r, "", 1);
    }
    return 0;
}

static int op_read(struct request *r)
{
    struct node *n;
    int rc = find(r, false, &n);

    if (rc == 0)
        reply(r, n->value, n->value_len);
    return rc;
}

static int op_get_perms(struct request *r)
{
    struct node *n;
    int rc = find(r, true, &n);

    if (rc == 0)
        perms_format(n->perms, n->nr_perms, &r->reply);
    return rc;
}

static int op_write(struct request *r)
{
    char path[PATH_ROOM];
    int rc = get_path(r, false, path, NULL);

    return rc ? rc : tree_write(r->txn, &r->conn->who, path, r->rest, r->rest_len);
}

static int op_mkdir(struct request *r)
{
    char path[PATH_ROOM];
    int rc = get_path(r, false, path, NULL);

    return rc ? rc : tree_mkdir(r->txn, &r->conn->who, path);
}

static int op_rm(struct request *r)
{
    char path[PATH_ROOM];
    int rc = get_path(r, false, path, NULL);

    return rc ? rc : tree_rm(r->txn, &r->conn->who, path);
}

static int op_set_perms(struct request *r)
{
    struct perm perms[PERMS_MAX];
    char path[PATH_ROOM];
    int rc = get_path(r, true, path, NULL), nr;

    if (rc)
        return rc;
    if (r->rest_len == 0 || r->rest[r->rest_len - 1])
        return -EINVAL;
    nr = perms_parse((const char *)r->rest, r->rest_len, perms);
    return nr < 0 ? nr : tree_set_perms(r->txn, &r->conn->who, path, perms, nr);
}

/* ---- watches and transactions ---- */

static int op_watch(struct request *r)
{
    uint64_t depth = WATCH_ANY_DEPTH;
    char path[PATH_ROOM];
    uint32_t strip;
    int rc = get_path(r, true, path, &strip);

    if (rc == 0 && r->nr_args > 2)
        rc = get_number(r->arg[2], WATCH_ANY_DEPTH - 1, &depth);
    return rc ? rc : watch_add(r->conn, path, strip, r->arg[1], depth);
}

static int op_unwatch(struct request *r)
{
    char path[PATH_ROOM];
    int rc = get_path(r, true, path, NULL);

    return rc ? rc : watch_remove(r->conn, path, r->arg[1]);
}

static int op_reset_watches(struct request *r)
{
    if (r->txn->id) /* it would end with the others */
        return -EBUSY;
    watch_remove_all(r->conn);
    conn_drop_txns(r->conn);
    return 0;
}

static int op_transaction_start(struct request *r)
{
    static uint32_t last;
    struct conn *c = r->conn;
    char text[16];

    if (r->txn->id)
        return -EBUSY; /* they do not nest */
    if (!c->who.privileged && c->nr_txns >= quota.transactions)
        return -ENOSPC;
    do {
        last++;
    } while (last == 0 || conn_find_txn(c, last));
    conn_start_txn(c, last);
    snprintf(text, sizeof(text), "%u", last);
    reply_text(r, text);
    return 0;
}

static int op_transaction_end(struct request *r)
{
    int rc;

    if (!r->txn->id)
        return -ENOENT;
    if (strcmp(r->arg[0], "T") && strcmp(r->arg[0], "F"))
        return -EINVAL;
    r->ended = r->txn;
    r->commit = r->arg[0][0] == 'T';
    if (!r->commit)
        return 0;
    rc = txn_commit(r->txn, &r->conn->who);
    conn_committed(r->conn, rc == -EAGAIN, r->txn->culprit);
    return rc;
}

/* ---- domains ---- */

static int op_introduce(struct request *r)
{
    uint64_t frame, port;
    domid_t id;

    if (get_domid(r, 0, &id) || get_number(r->arg[1], UINT64_MAX, &frame) ||
        get_number(r->arg[2], UINT32_MAX, &port))
        return -EINVAL;
    if (r->conn->domain && r->conn->domain->id == id) /* the ring that this came by */
        return -EINVAL;
    return domain_introduce(id, frame, port);
}

static int op_release(struct request *r)
{
    domid_t id;

    return get_domid(r, 0, &id) || id == 0 ? -EINVAL : domain_release(id);
}

static int op_resume(struct request *r)
{
    struct domain *d;
    domid_t id;

    if (get_domid(r, 0, &id))
        return -EINVAL;
    d = domain_find(id);
    if (!d)
        return -ENOENT;
    d->shut_down = false;
    return 0;
}

static int op_set_target(struct request *r)
{
    struct domain *d;
    domid_t id, target;

    if (get_domid(r, 0, &id) || get_domid(r, 1, &target))
        return -EINVAL;
    d = domain_find(id);
    if (!d || !domain_find(target))
        return -ENOENT;
    domain_set_target(d, target);
    return 0;
}

static int op_get_domain_path(struct request *r)
{
    char text[32];
    domid_t id;

    if (get_domid(r, 0, &id))
        return -EINVAL;
    snprintf(text, sizeof(text), "/local/domain/%u", id);
    reply_text(r, text);
    return 0;
}

static int op_is_domain_introduced(struct request *r)
{
    domid_t id;

    if (get_domid(r, 0, &id))
        return -EINVAL;
    reply_text(r, id == 0 || domain_find(id) ? "T" : "F");
    return 0;
}

/* ---- control ---- */

static int control_quota(struct request *r)
{
    unsigned int *limit = r->nr_args > 1 ? quota_find(r->arg[1]) : NULL;
    uint64_t val;

    if (r->nr_args > 1) {
        if (!limit || r->nr_args != 3 || get_number(r->arg[2], UINT32_MAX, &val))
            return -EINVAL;
        *limit = val;
        journal_quotas();
        return 0;
    }
    for (unsigned int i = 0; quota_name(i); i++)
        reply_line(r, "%-13s %u\n", quota_name(i), *quota_find(quota_name(i)));
    return 0;
}

static int control_info(struct request *r)
{
    size_t connections = 0, watches = 0, txns = 0, domains = 0, queued = 0;

    for (const struct conn *c = conn_list; c; c = c->next) {
        connections++;
        watches += c->nr_watches;
        txns += c->nr_txns;
        queued += c->out_len;
    }
    for (const struct domain *d = domain_list; d; d = d->next)
        domains++;
    reply_line(r, "nodes         %zu\nconnections   %zu\ndomains       %zu\n", store_nodes.nr,
               connections, domains);
    reply_line(r, "watches       %zu\ntransactions  %zu\nbytes queued  %zu\n", watches, txns,
               queued);
    return 0;
}

static int control_check(struct request *r)
{
    unsigned int bad = store_check();

    if (bad)
        reply_line(r, "%u faults\n", bad);
    else
        reply_line(r, "the store is consistent\n");
    return 0;
}

static int control_help(struct request *r);

static const struct {
    const char *name;
    int (*run)(struct request *r);
    const char *usage;
} controls[] = {
    {"check", control_check, "check                 is the store consistent?"},
    {"help", control_help, "help                  this list"},
    {"info", control_info, "info                  how much there is of what"},
    {"quota", control_quota, "quota [NAME NUMBER]   show limits, or set one"},
};
enum { NR_CONTROLS = sizeof(controls) / sizeof(controls[0]) };

static int control_help(struct request *r)
{
    for (unsigned int i = 0; i < NR_CONTROLS; i++)
        reply_line(r, "%s\n", controls[i].usage);
    return 0;
}

static int op_control(struct request *r)
{
    for (unsigned int i = 0; i < NR_CONTROLS; i++) {
        if (strcmp(r->arg[0], controls[i].name) == 0) {
            int rc = controls[i].run(r);

            if (rc == 0 && r->reply.len)
                reply(r, "", 1);
            return rc;
        }
    }
    return -EINVAL;
}

/* ---- the table ---- */

static const struct op {
    int (*run)(struct request *r);
    unsigned int args; /* strings that must be there */
    bool privileged;
    bool empty; /* an answer of no bytes is an answer, not "OK" */
} ops[XS_TYPE_COUNT] = {
    [XS_CONTROL] = {op_control, 1, .privileged = true},
    [XS_DIRECTORY] = {op_directory, 1, .empty = true},
    [XS_READ] = {op_read, 1, .empty = true},
    [XS_GET_PERMS] = {op_get_perms, 1},
    [XS_WATCH] = {op_watch, 2},
    [XS_UNWATCH] = {op_unwatch, 2},
    [XS_TRANSACTION_START] = {op_transaction_start, 0},
    [XS_TRANSACTION_END] = {op_transaction_end, 1},
    [XS_INTRODUCE] = {op_introduce, 3, .privileged = true},
    [XS_RELEASE] = {op_release, 1, .privileged = true},
    [XS_GET_DOMAIN_PATH] = {op_get_domain_path, 1},
    [XS_WRITE] = {op_write, 1},
    [XS_MKDIR] = {op_mkdir, 1},
    [XS_RM] = {op_rm, 1},
    [XS_SET_PERMS] = {op_set_perms, 2},
    [XS_IS_DOMAIN_INTRODUCED] = {op_is_domain_introduced, 1},
    [XS_RESUME] = {op_resume, 1, .privileged = true},
    [XS_SET_TARGET] = {op_set_target, 2, .privileged = true},
    [XS_RESET_WATCHES] = {op_reset_watches, 0},
    [XS_DIRECTORY_PART] = {op_directory_part, 2, .empty = true},
};

static const char *error_name(int err)
{
    for (unsigned int i = 0; i < sizeof(xsd_errors) / sizeof(xsd_errors[0]); i++) {
        if (xsd_errors[i].errnum == err)
            return xsd_errors[i].errstring;
    }
    return "EINVAL";
}

static void split(struct request *r, const uint8_t *payload, size_t len)
{
    const uint8_t *end = payload + len, *nul;

    while (r->nr_args < 4 && payload < end && (nul = memchr(payload, 0, end - payload))) {
        r->arg[r->nr_args++] = (const char *)payload;
        payload = nul + 1;
        if (r->nr_args == 1) {
            r->rest = payload;
            r->rest_len = end - payload;
        }
    }
}

static int run(const struct op *op, struct request *r)
{
    const struct conn *c = r->conn;
    int rc;

    if (!op || !op->run)
        return -ENOSYS;
    if (!r->txn)
        return -ENOENT;
    if (op->privileged && !c->who.privileged)
        return -EACCES;
    if (r->nr_args < op->args)
        return -EINVAL;
    if (!c->who.privileged && txn_size(r->txn) >= quota.txn_nodes && op->run != op_transaction_end)
        return -ENOSPC;
    rc = op->run(r);
    if (rc == 0 && r->txn->id == 0)
        rc = txn_commit(r->txn, &c->who);
    return rc == 0 && r->reply.len > XENSTORE_PAYLOAD_MAX ? -E2BIG : rc;
}

static void answer(struct request *r, const struct op *op, const struct xsd_sockmsg *h, int rc)
{
    const char *name = rc ? error_name(-rc) : "OK";
    bool text = rc || (r->reply.len == 0 && !op->empty);

    conn_send(r->conn, rc ? XS_ERROR : h->type, h->req_id, h->tx_id,
              text ? (const void *)name : r->reply.data, text ? strlen(name) + 1 : r->reply.len);
}

void proto_request(struct conn *c, const struct xsd_sockmsg *h, const uint8_t *payload)
{
    const struct op *op = h->type < XS_TYPE_COUNT ? &ops[h->type] : NULL;
    struct request r = {.conn = c};
    struct txn own;
    int rc;

    txn_init(&own, 0);
    split(&r, payload, h->len);
    r.txn = h->tx_id ? conn_find_txn(c, h->tx_id) : &own;
    rc = run(op, &r);
    answer(&r, op, h, rc);
    if (rc == 0) /* the answer comes before what it causes */
        txn_fire(r.ended && r.commit ? r.ended : &own);
    if (rc == 0 && h->type == XS_WATCH)
        conn_event(c, r.arg[0], r.arg[1]);
    if (r.ended)
        conn_end_txn(c, r.ended);
    txn_clear(&own);
    bytes_free(&r.reply);
}

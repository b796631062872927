/* SPDX-License-Identifier: MIT */
/* A guest that attacks the store's daemon in all ways that a ring gives it, one after the other and
 * again, until its node data/end is there. After each attack it must be served like anybody else, and
 * have no more than it may. It counts rounds in data/rounds and what was wrong in data/faults.
 * (tests/system/hostile.sh) */
#include <pv/cpu.h>
#include <pv/evtchn.h>
#include <pv/guest.h>
#include <pv/mm.h>
#include <pv/print.h>
#include <pv/store.h>
#include <pv/string.h>
#include <pv/time.h>
#include <xen/sched.h>

static struct xenstore_domain_interface *page;
static evtchn_port_t port;
static unsigned faults;
static const char *attack;
static char text[XENSTORE_PAYLOAD_MAX + 1];

static void fault(const char *what)
{
    faults++;
    printk("attacker: %s: %s\n", attack, what);
}

static uint32_t ask(uint32_t tx, uint32_t type, uint32_t len)
{
    return store_ask(tx, type, text, len);
}

static uint32_t roll(uint32_t n)
{
    static uint32_t seed = 1;

    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % n;
}

/* All that was under way is forgotten, on both sides. */
static void reconnect(void)
{
    WRITE_ONCE(page->connection, XENSTORE_RECONNECT);
    while (READ_ONCE(page->connection) != XENSTORE_CONNECTED)
        store_wait();
    store_use(page, port);
}

/* As many bytes as there is room for, without looking for an answer. */
static size_t pour(const void *data, size_t len)
{
    uint32_t prod = page->req_prod;
    size_t n = 0;

    while (n < len && prod - READ_ONCE(page->req_cons) < XENSTORE_RING_SIZE)
        page->req[prod++ % XENSTORE_RING_SIZE] = ((const char *)data)[n++];
    wmb();
    WRITE_ONCE(page->req_prod, prod);
    evtchn_send(port);
    return n;
}

static void expect_error(uint32_t error)
{
    for (unsigned i = 0; i < 600 && READ_ONCE(page->error) != error; i++)
        store_wait();
    if (READ_ONCE(page->error) != error)
        fault("the daemon has not complained");
    reconnect();
    if (READ_ONCE(page->error) != XENSTORE_ERROR_NONE)
        fault("it complains still");
}

static void bad_indexes(void)
{
    WRITE_ONCE(page->req_prod, page->req_cons + XENSTORE_RING_SIZE + 1);
    expect_error(XENSTORE_ERROR_RINGIDX);
    WRITE_ONCE(page->req_prod, page->req_cons - 1);
    expect_error(XENSTORE_ERROR_RINGIDX);
    WRITE_ONCE(page->rsp_cons, page->rsp_prod + 5);
    pour(&(struct xsd_sockmsg){.type = XS_READ}, sizeof(struct xsd_sockmsg));
    expect_error(XENSTORE_ERROR_RINGIDX);
    WRITE_ONCE(page->req_cons, 77); /* the daemon's own ones are of no use to it */
    WRITE_ONCE(page->rsp_prod, 99);
    evtchn_send(port);
    reconnect();
}

static void too_long(void)
{
    pour(&(struct xsd_sockmsg){.type = XS_WRITE, .len = XENSTORE_PAYLOAD_MAX + 1},
         sizeof(struct xsd_sockmsg));
    expect_error(XENSTORE_ERROR_PROTO);
    pour(&(struct xsd_sockmsg){.type = XS_WRITE, .len = UINT32_MAX}, sizeof(struct xsd_sockmsg));
    expect_error(XENSTORE_ERROR_PROTO);
}

/* Requests of any type with any payload; answers pile up until the daemon takes no more. */
static void nonsense(void)
{
    for (unsigned i = 0; i < 300; i++) {
        struct xsd_sockmsg h = {
            .type = roll(24), .req_id = roll(9), .tx_id = roll(3), .len = roll(60)};

        for (unsigned at = 0; at < h.len; at++)
            text[at] = "/@abn0\0\0"[roll(8)];
        if (pour(&h, sizeof(h)) < sizeof(h) || pour(text, h.len) < h.len) {
            store_wait();
            if (roll(20) == 0)
                reconnect();
        }
    }
    reconnect();
}

static void unread_answers(void)
{
    struct xsd_sockmsg h = {.type = XS_READ, .len = 9};

    memset(text, 'v', 1900);
    memcpy(text, "data/big", 9);
    if (ask(0, XS_WRITE, 1900) != XS_WRITE)
        fault("no large value");
    for (unsigned i = 0, full = 0; i < 500 && full < 20; i++) {
        if (pour(&h, sizeof(h)) == sizeof(h) && pour(text, 9) == 9) {
            full = 0;
        } else {
            store_wait();
            full++;
        }
    }
    reconnect();
}

static void bell(void)
{
    for (unsigned i = 0; i < 20000; i++)
        evtchn_send(port);
    for (unsigned i = 0; i < 100; i++)
        reconnect();
}

/* As deep as a path can be, and away with all of it. */
static void deep_paths(void)
{
    for (unsigned i = 0; i < 5; i++) {
        int len = snprintf(text, sizeof(text), "data");

        while (len < 1900)
            len += snprintf(text + len, sizeof(text) - len, "/%c", 'a' + i);
        if (ask(0, XS_MKDIR, len + 1) != XS_MKDIR)
            fault("no deep path");
        memcpy(text, "data/a", 7);
        text[5] = 'a' + i;
        if (ask(0, XS_RM, 7) != XS_RM)
            fault("it is not removed");
    }
}

static void many_nodes(void)
{
    unsigned nr = 0;

    for (; nr < 5000; nr++) {
        int len = snprintf(text, sizeof(text), "data/many/%u/%u", nr / 30, nr) + 1;

        memset(text + len, 'v', 1500);
        if (ask(0, XS_WRITE, len + 1500) != XS_WRITE)
            break;
    }
    if (strcmp(store_answer, "ENOSPC") || nr < 500)
        fault("no limit of nodes");
    memset(text, 'v', 3000);
    memcpy(text, "data/many/0/0", 14);
    if (ask(0, XS_WRITE, 3000) != XS_ERROR)
        fault("no limit of a node's size");
    memcpy(text, "data/many", 10);
    if (ask(0, XS_RM, 10) != XS_RM)
        fault("they are not removed");
}

/* Each on all that it may see, and each change tells all of them. */
static void many_watches(void)
{
    unsigned nr = 0;

    for (; nr < 5000; nr++) {
        int len = snprintf(text, sizeof(text), "/") + 1;

        len += snprintf(text + len, sizeof(text) - len, "token-%u", nr) + 1;
        if (ask(0, XS_WATCH, len) != XS_WATCH)
            break;
    }
    if (nr >= 5000)
        fault("no limit of watches");
    for (unsigned i = 0; i < 100; i++) { /* events that nobody fetches */
        struct xsd_sockmsg h = {.type = XS_WRITE};

        h.len = snprintf(text, sizeof(text), "data/w%u", i % 10) + 1;
        if (pour(&h, sizeof(h)) < sizeof(h) || pour(text, h.len) < h.len)
            break;
    }
    for (unsigned i = 0; i < 10; i++)
        store_wait();
    reconnect();
}

static void many_transactions(void)
{
    uint32_t tx[64], nr = 0;

    for (; nr < 64; nr++) {
        text[0] = 0;
        if (ask(0, XS_TRANSACTION_START, 1) != XS_TRANSACTION_START)
            break;
        tx[nr] = 0;
        for (const char *p = store_answer; *p >= '0' && *p <= '9'; p++)
            tx[nr] = tx[nr] * 10 + *p - '0';
    }
    if (nr == 64)
        fault("no limit of transactions");
    for (unsigned i = 0; i < 1500; i++)
        ask(tx[0], XS_READ, snprintf(text, sizeof(text), "data/none/%u", i) + 1);
    if (strcmp(store_answer, "ENOSPC"))
        fault("no limit of a transaction");
    for (unsigned i = 0; i < nr; i++) {
        memcpy(text, "data/t\0v", 8);
        ask(tx[i], XS_WRITE, 8);
        memcpy(text, "T", 2);
        ask(tx[i], XS_TRANSACTION_END, 2);
    }
    reconnect();
}

static void forbidden(void)
{
#define STRINGS(s) sizeof(s), s
    static const struct {
        uint32_t type, len;
        const char *data;
    } requests[] = {
        {XS_READ, STRINGS("/local/domain/0/name")},
        {XS_WRITE, STRINGS("/tool/xenstored\0mine")},
        {XS_RM, STRINGS("/local/domain/0")},
        {XS_INTRODUCE, STRINGS("7\0"
                               "77\0"
                               "5")},
        {XS_RELEASE, STRINGS("0")},
        {XS_RESUME, STRINGS("1")},
        {XS_SET_TARGET, STRINGS("1\0"
                                "0")},
        {XS_CONTROL, STRINGS("check")},
        {XS_SET_PERMS, STRINGS("/tool\0n7")},
    };

    for (unsigned i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        if (store_ask(0, requests[i].type, requests[i].data, requests[i].len) != XS_ERROR)
            fault(requests[i].data);
    }
}

/* Like anybody else. */
static void check_served(unsigned round)
{
    char value[16];

    snprintf(value, sizeof(value), "%u", round);
    if (!store_write("data/served", value) || strcmp(store_read("data/served"), value))
        fault("not served afterwards");
    faults += store_faults;
    store_faults = 0;
}

static const struct {
    const char *name;
    void (*run)(void);
} attacks[] = {
    {"bad indexes", bad_indexes},
    {"too long", too_long},
    {"nonsense", nonsense},
    {"unread answers", unread_answers},
    {"bell", bell},
    {"deep paths", deep_paths},
    {"many nodes", many_nodes},
    {"many watches", many_watches},
    {"transactions", many_transactions},
    {"forbidden", forbidden},
};

void guest_main(void)
{
    char number[16];

    if (!store_init())
        guest_shutdown(SHUTDOWN_crash);
    page = mfn_to_virt(start_info->store_mfn);
    port = start_info->store_evtchn;
    events_enable();
    for (unsigned round = 1;; round++) {
        for (unsigned i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++) {
            attack = attacks[i].name;
            store_write("data/attack", attack);
            attacks[i].run();
            check_served(round);
        }
        snprintf(number, sizeof(number), "%u", faults);
        store_write("data/faults", number);
        snprintf(number, sizeof(number), "%u", round);
        store_write("data/rounds", number);
        if (store_read("data/end")[0])
            guest_shutdown(SHUTDOWN_poweroff);
    }
}

/* SPDX-License-Identifier: MIT */
/* A domain that uses the store: it writes and reads back, a round of requests each after the other,
 * then spoils its ring and connects again. What it thinks of it all it writes to data/result.
 * (tests/system/store.sh) */
#include <pv/evtchn.h>
#include <pv/gnttab.h>
#include <pv/guest.h>
#include <pv/mm.h>
#include <pv/print.h>
#include <pv/string.h>
#include <pv/time.h>
#include <xen/grant_table.h>
#include <xen/io/xs_wire.h>

#include "../../../ring-protocol/byte_ring.h"

enum { ROUNDS = 150, DOM0 = 0 };

static struct xenstore_domain_interface *page;
static struct byte_ring to, from;
static evtchn_port_t port;
static volatile unsigned event;
static unsigned events, faults;

static void on_event(evtchn_port_t p, void *arg)
{
    (void)p, (void)arg;
    event = 1;
}

/* The daemon may be away: so from time to time look without being told. */
static void wait(void)
{
    evtchn_send(port);
    evtchn_wait_until(&event, time_now() + 100 * NS_PER_MS);
    event = 0;
}

static void put(const void *data, size_t len)
{
    while (len) {
        long n = byte_ring_write(&to, data, len);

        if (n < 0) {
            faults++;
            return;
        }
        byte_ring_produced(&to);
        data = (const uint8_t *)data + n;
        len -= n;
        if (len)
            wait();
    }
    evtchn_send(port);
}

static void get(void *data, size_t len)
{
    while (len) {
        long n = byte_ring_read(&from, data, len);

        if (n < 0) {
            faults++;
            return;
        }
        byte_ring_consumed(&from);
        data = (uint8_t *)data + n;
        len -= n;
        if (n == 0)
            wait();
    }
}

static char answer[XENSTORE_PAYLOAD_MAX + 1];

/* Its answer, with a NUL; watch events before it are counted. */
static uint32_t ask(uint32_t type, const void *data, uint32_t len)
{
    static uint32_t id;
    struct xsd_sockmsg h = {.type = type, .req_id = ++id, .len = len};

    put(&h, sizeof(h));
    put(data, len);
    for (;;) {
        get(&h, sizeof(h));
        if (h.len > XENSTORE_PAYLOAD_MAX) {
            faults++;
            return XS_ERROR;
        }
        get(answer, h.len);
        answer[h.len] = 0;
        if (h.type != XS_WATCH_EVENT)
            break;
        events++;
    }
    faults += h.req_id != id;
    return h.type;
}

static void connect(void)
{
    to = (struct byte_ring){(uint8_t *)page->req, XENSTORE_RING_SIZE, &page->req_cons,
                            &page->req_prod, 0};
    from = (struct byte_ring){(uint8_t *)page->rsp, XENSTORE_RING_SIZE, &page->rsp_cons,
                              &page->rsp_prod, 0};
}

static void write_and_read(unsigned round)
{
    static char text[3000];
    int len = snprintf(text, sizeof(text), "data/round") + 1;
    int value = snprintf(text + len, sizeof(text) - len, "%u", round);
    uint32_t size = len + value + (round % 10 == 0 ? 1500 : 0); /* longer than the ring */

    if (ask(XS_WRITE, text, size) != XS_WRITE)
        faults++;
    if (ask(XS_READ, "data/round", 11) != XS_READ || memcmp(answer, text + len, value))
        faults++;
}

/* An index that cannot be: the daemon gives the ring up, says why, and begins anew when asked. */
static void break_ring(void)
{
    page->req_prod += 5000;
    while (page->error != XENSTORE_ERROR_RINGIDX)
        wait();
    page->connection = XENSTORE_RECONNECT;
    while (page->connection != XENSTORE_CONNECTED)
        wait();
    connect();
}

void guest_main(void)
{
    char text[100] = "data/result";

    events_enable();
    page = alloc_page();
    if (!page || gnttab_init(1) || evtchn_alloc_unbound(DOMID_SELF, DOM0, &port))
        return;
    gnttab_grant_at(GNTTAB_RESERVED_XENSTORE, DOM0, virt_to_mfn(page), false);
    evtchn_set_handler(port, on_event, NULL);
    connect();
    printk("store: port %u\n", port);
    if (ask(XS_WATCH, "data/round\0t", 13) != XS_WATCH)
        faults++;
    for (unsigned i = 1; i <= ROUNDS; i++)
        write_and_read(i);
    if (ask(XS_WRITE, "/elsewhere", 11) != XS_ERROR || memcmp(answer, "EACCES", 6))
        faults++;
    break_ring();
    if (ask(XS_READ, "data/round", 11) != XS_READ || memcmp(answer, "150", 3))
        faults++;
    snprintf(text + 12, sizeof(text) - 12, "%u rounds, %u events, %u faults", ROUNDS, events,
             faults);
    ask(XS_WRITE, text, 12 + strlen(text + 12));
    printk("store: %s\n", text + 12);
    for (;;) /* with the domain its nodes would go */
        time_sleep(NS_PER_SEC);
}

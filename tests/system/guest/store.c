/* SPDX-License-Identifier: MIT */
/* A domain that uses the store: it writes and reads back, a round of requests each after the other,
 * then spoils its ring and connects again. What it thinks of it all it writes to data/result.
 * (tests/system/store.sh) */
#include <pv/evtchn.h>
#include <pv/gnttab.h>
#include <pv/guest.h>
#include <pv/mm.h>
#include <pv/print.h>
#include <pv/store.h>
#include <pv/string.h>
#include <pv/time.h>
#include <xen/grant_table.h>

enum { ROUNDS = 150, DOM0 = 0 };

static struct xenstore_domain_interface *page;
static evtchn_port_t port;
static unsigned faults;

static uint32_t ask(uint32_t type, const void *data, uint32_t len)
{
    return store_ask(0, type, data, len);
}

static void write_and_read(unsigned round)
{
    static char text[3000];
    int len = snprintf(text, sizeof(text), "data/round") + 1;
    int value = snprintf(text + len, sizeof(text) - len, "%u", round);
    uint32_t size = len + value + (round % 10 == 0 ? 1500 : 0); /* longer than the ring */

    if (ask(XS_WRITE, text, size) != XS_WRITE)
        faults++;
    if (ask(XS_READ, "data/round", 11) != XS_READ || memcmp(store_answer, text + len, value))
        faults++;
}

/* An index that cannot be: the daemon gives the ring up, says why, and begins anew when asked. */
static void break_ring(void)
{
    page->req_prod += 5000;
    while (page->error != XENSTORE_ERROR_RINGIDX)
        store_wait();
    page->connection = XENSTORE_RECONNECT;
    while (page->connection != XENSTORE_CONNECTED)
        store_wait();
    store_use(page, port);
}

void guest_main(void)
{
    char text[100] = "data/result";

    events_enable();
    page = alloc_page();
    if (!page || gnttab_init(1) || evtchn_alloc_unbound(DOMID_SELF, DOM0, &port))
        return;
    gnttab_grant_at(GNTTAB_RESERVED_XENSTORE, DOM0, virt_to_mfn(page), false);
    store_use(page, port);
    printk("store: port %u\n", port);
    if (ask(XS_WATCH, "data/round\0t", 13) != XS_WATCH)
        faults++;
    for (unsigned i = 1; i <= ROUNDS; i++)
        write_and_read(i);
    if (ask(XS_WRITE, "/elsewhere", 11) != XS_ERROR || memcmp(store_answer, "EACCES", 6))
        faults++;
    break_ring();
    if (ask(XS_READ, "data/round", 11) != XS_READ || memcmp(store_answer, "150", 3))
        faults++;
    snprintf(text + 12, sizeof(text) - 12, "%u rounds, %u events, %u faults", ROUNDS, store_events,
             faults + store_faults);
    ask(XS_WRITE, text, 12 + strlen(text + 12));
    printk("store: %s\n", text + 12);
    for (;;) /* with the domain its nodes would go */
        time_sleep(NS_PER_SEC);
}

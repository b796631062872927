/* SPDX-License-Identifier: MIT */
/* The store's ring, from the domain's end. */
#include <pv/evtchn.h>
#include <pv/guest.h>
#include <pv/mm.h>
#include <pv/store.h>
#include <pv/string.h>
#include <pv/time.h>

#include "../../ring-protocol/byte_ring.h"

unsigned store_faults, store_events;
uint32_t store_len;
char store_answer[XENSTORE_PAYLOAD_MAX + 1];

static struct byte_ring to, from;
static evtchn_port_t port;
static volatile unsigned event;

static void on_event(evtchn_port_t p, void *arg)
{
    (void)p, (void)arg;
    event = 1;
}

void store_use(struct xenstore_domain_interface *page, evtchn_port_t p)
{
    port = p;
    evtchn_set_handler(port, on_event, NULL);
    to = (struct byte_ring){(uint8_t *)page->req, XENSTORE_RING_SIZE, &page->req_cons,
                            &page->req_prod, page->req_prod};
    from = (struct byte_ring){(uint8_t *)page->rsp, XENSTORE_RING_SIZE, &page->rsp_cons,
                              &page->rsp_prod, page->rsp_cons};
}

bool store_init(void)
{
    if (guest_is_initial() || !start_info->store_mfn)
        return false;
    store_use(mfn_to_virt(start_info->store_mfn), start_info->store_evtchn);
    return true;
}

/* The daemon may be away: so from time to time look without being told. */
void store_wait(void)
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
            store_faults++;
            return;
        }
        byte_ring_produced(&to);
        data = (const uint8_t *)data + n;
        len -= n;
        if (len)
            store_wait();
    }
    evtchn_send(port);
}

static void get(void *data, size_t len)
{
    while (len) {
        long n = byte_ring_read(&from, data, len);

        if (n < 0) {
            store_faults++;
            return;
        }
        byte_ring_consumed(&from);
        data = (uint8_t *)data + n;
        len -= n;
        if (n == 0)
            store_wait();
    }
}

uint32_t store_ask(uint32_t tx, uint32_t type, const void *data, uint32_t len)
{
    static uint32_t id;
    struct xsd_sockmsg h = {.type = type, .req_id = ++id, .tx_id = tx, .len = len};

    put(&h, sizeof(h));
    put(data, len);
    for (;;) {
        get(&h, sizeof(h));
        if (h.len > XENSTORE_PAYLOAD_MAX) {
            store_faults++;
            return XS_ERROR;
        }
        get(store_answer, h.len);
        store_answer[h.len] = 0;
        store_len = h.len;
        if (h.type != XS_WATCH_EVENT)
            break;
        store_events++;
    }
    store_faults += h.req_id != id || (h.type != type && h.type != XS_ERROR);
    return h.type;
}

bool store_write(const char *path, const char *value)
{
    static char text[XENSTORE_PAYLOAD_MAX];
    size_t path_len = strlen(path) + 1, len = strlen(value);

    if (path_len + len > sizeof(text))
        return false;
    memcpy(text, path, path_len);
    memcpy(text + path_len, value, len);
    return store_ask(0, XS_WRITE, text, path_len + len) == XS_WRITE;
}

const char *store_read(const char *path)
{
    return store_ask(0, XS_READ, path, strlen(path) + 1) == XS_READ ? store_answer : "";
}

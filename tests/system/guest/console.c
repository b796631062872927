/* SPDX-License-Identifier: MIT */
/* A domain that does with its console what it is told there, a line each: good and bad. It goes by
 * the ring itself, so that it knows what has been taken. (tests/system/console.sh) */
#include <pv/console.h>
#include <pv/cpu.h>
#include <pv/evtchn.h>
#include <pv/guest.h>
#include <pv/mm.h>
#include <pv/print.h>
#include <pv/string.h>
#include <pv/time.h>
#include <xen/io/console.h>

static struct xencons_interface *ring;
static evtchn_port_t port;

static uint32_t put_some(const char *text, uint32_t len)
{
    uint32_t prod = ring->out_prod, n = 0;

    while (n < len && prod - READ_ONCE(ring->out_cons) < sizeof(ring->out))
        ring->out[prod++ % sizeof(ring->out)] = text[n++];
    wmb();
    WRITE_ONCE(ring->out_prod, prod);
    evtchn_send(port);
    return n;
}

/* Nothing is left out, however long nobody takes it. */
static void put(const char *text, uint32_t len)
{
    while (len) {
        uint32_t n = put_some(text, len);

        text += n;
        len -= n;
        if (len)
            time_sleep(NS_PER_MS);
    }
}

static void put_lines(unsigned nr)
{
    char line[40];

    for (unsigned i = 1; i <= nr; i++) {
        snprintf(line, sizeof(line), "line %06u abcdefghijklmnopqrs\n", i);
        put(line, strlen(line));
    }
}

/* As fast as it goes, with an event for each piece, and events for nothing. */
static void flood(void)
{
    static const char text[] = "All work and no play makes a dull guest.\n";

    for (;;)
        put_some(text, sizeof(text) - 1);
}

static void obey(const char *line)
{
    if (strncmp(line, "lines ", 6) == 0) {
        unsigned nr = 0;

        for (const char *c = line + 6; *c >= '0' && *c <= '9'; c++)
            nr = nr * 10 + *c - '0';
        put_lines(nr);
        printk("done\n");
    } else if (strcmp(line, "flood") == 0) {
        flood();
    } else if (strcmp(line, "bad out") == 0) {
        ring->out_prod = ring->out_cons + 5000;
        evtchn_send(port);
    } else if (strcmp(line, "bad in") == 0) {
        ring->in_cons = ring->in_prod + 5000;
        evtchn_send(port);
    } else {
        printk("what is %s?\n", line);
    }
}

void guest_main(void)
{
    char line[80];

    events_enable();
    ring = mfn_to_virt(start_info->console.domU.mfn);
    port = start_info->console.domU.evtchn;
    printk("ready\n");
    for (;;) {
        console_read_line(line, sizeof(line));
        obey(line);
    }
}

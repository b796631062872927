/* SPDX-License-Identifier: MIT */
/* Console output and input, and printk().
 *
 * Two ways out: the console_io hypercall, or the byte ring in the page of start_info->console.
 * The ring is used by domains that are not the control domain and were given one. */
#include <pv/console.h>
#include <pv/cpu.h>
#include <pv/evtchn.h>
#include <pv/guest.h>
#include <pv/hypercall.h>
#include <pv/mm.h>
#include <pv/print.h>
#include <pv/spinlock.h>
#include <pv/string.h>
#include <xen/io/console.h>

static struct xencons_interface *ring;
static evtchn_port_t ring_port;
static struct spinlock write_lock = SPINLOCK_INIT;
static volatile unsigned input_came;

void (*panic_hook)(const char *why);

static void input_event(evtchn_port_t port, void *arg)
{
    (void)port, (void)arg;
    input_came = 1;
}

void console_init(void)
{
    evtchn_port_t port;

    if (guest_is_initial()) {
        if (evtchn_bind_virq(VIRQ_CONSOLE, 0, &port) == 0)
            evtchn_set_handler(port, input_event, NULL);
        return;
    }
    if (!start_info->console.domU.mfn)
        return;
    ring = mfn_to_virt(start_info->console.domU.mfn);
    ring_port = start_info->console.domU.evtchn;
    if (ring && ring_port)
        evtchn_set_handler(ring_port, input_event, NULL);
}

/* Copy what fits; the other side may change the indexes at any time, so trust only sizes. */
static size_t ring_put(const char *text, size_t len)
{
    uint32_t prod = READ_ONCE(ring->out_prod);
    size_t n = 0;

    while (n < len && prod - READ_ONCE(ring->out_cons) < sizeof(ring->out))
        ring->out[prod++ % sizeof(ring->out)] = text[n++];
    wmb();
    WRITE_ONCE(ring->out_prod, prod);
    if (n)
        evtchn_send(ring_port);
    return n;
}

/* A full ring is given time to drain; once that was in vain, no further write waits long. */
static void ring_write(const char *text, size_t len)
{
    static unsigned patience = 1000;

    for (unsigned idle = 0; len && idle < patience;) {
        size_t n = ring_put(text, len);

        text += n;
        len -= n;
        idle = n ? 0 : idle + 1;
        if (!n)
            hypercall_sched_op(SCHEDOP_yield, NULL);
    }
    patience = len ? 1 : 1000;
}

void console_write(const char *text, size_t len)
{
    if (ring)
        ring_write(text, len);
    else
        hypercall_console_io(CONSOLEIO_write, len, (void *)text);
}

static size_t ring_get(char *buf, size_t len)
{
    uint32_t cons = READ_ONCE(ring->in_cons);
    size_t n = 0;

    while (n < len && READ_ONCE(ring->in_prod) - cons - 1 < sizeof(ring->in))
        buf[n++] = ring->in[cons++ % sizeof(ring->in)];
    mb();
    WRITE_ONCE(ring->in_cons, cons);
    if (n)
        evtchn_send(ring_port);
    return n;
}

size_t console_read(char *buf, size_t len)
{
    long n;

    if (ring)
        return ring_get(buf, len);
    n = hypercall_console_io(CONSOLEIO_read, len, buf);
    return n > 0 ? n : 0;
}

static char read_char(void)
{
    char c;

    for (;;) {
        input_came = 0;
        if (console_read(&c, 1))
            return c;
        evtchn_wait(&input_came);
    }
}

size_t console_read_line(char *buf, size_t size)
{
    size_t len = 0;
    char c;

    while ((c = read_char()) != '\r' && c != '\n') {
        if ((c == '\b' || c == 0x7f) && len) {
            len--;
            console_write("\b \b", 3);
        } else if (c >= ' ' && c < 0x7f && len + 1 < size) {
            buf[len++] = c;
            console_write(&c, 1);
        }
    }
    console_write("\n", 1);
    buf[len] = 0;
    return len;
}

int vprintk(const char *fmt, va_list ap)
{
    char text[1024];
    int len = vsnprintf(text, sizeof(text), fmt, ap);
    bool events = spin_lock_events(&write_lock);

    console_write(text, len < (int)sizeof(text) ? len : (int)sizeof(text) - 1);
    spin_unlock_events(&write_lock, events);
    return len;
}

int printk(const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vprintk(fmt, ap);
    va_end(ap);
    return n;
}

void panic(const char *fmt, ...)
{
    struct sched_shutdown op = {.reason = SHUTDOWN_crash};
    char why[256];
    va_list ap;

    write_lock.held = 0; /* its holder may be the one who panics */
    va_start(ap, fmt);
    vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
    printk("panic: %s\n", why);
    if (panic_hook)
        panic_hook(why);
    for (;;)
        hypercall_sched_op(SCHEDOP_shutdown, &op);
}

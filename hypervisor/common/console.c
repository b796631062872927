/* SPDX-License-Identifier: MIT */
/* The console: a ring that keeps the log, sinks that show it, input that goes to dom0 or, after
 * three times Ctrl-A, to the debug keys; and console_io, the emergency console of guests.
 *
 * LOCK_CONSOLE guards ring, sinks and input; it is taken with interrupts off, as printk may be
 * called anywhere. A dying machine breaks it (console_force). */
#include <hv/console.h>
#include <hv/evtchn.h>
#include <hv/hypercall.h>
#include <hv/softirq.h>

#define RING_SIZE  16384 /* a power of two */
#define INPUT_SIZE 256   /* likewise */
#define CTRL_A     0x01

static spinlock_t lock = SPINLOCK_INIT(LOCK_CONSOLE);
static bool forced;
static struct console_sink *sinks;

static char ring[RING_SIZE];
static uint32_t ring_prod; /* runs freely */

static char input[INPUT_SIZE];
static uint32_t input_prod, input_cons;
static unsigned int ctrl_a_seen;
static bool keys_to_hypervisor;

static struct tasklet key_tasklet, input_tasklet, ring_tasklet;

static unsigned long console_lock(void)
{
    return forced ? 0 : spin_lock_irqsave(&lock);
}

static void console_unlock(unsigned long flags)
{
    if (!forced)
        spin_unlock_irqrestore(&lock, flags);
}

void console_force(void)
{
    forced = true;
}

/* A new sink is shown first what came before it. */
void console_add_sink(struct console_sink *sink)
{
    unsigned long flags = console_lock();

    for (uint32_t i = ring_prod > RING_SIZE ? ring_prod - RING_SIZE : 0; i != ring_prod; i++)
        sink->write(&ring[i % RING_SIZE], 1);
    sink->next = sinks;
    sinks = sink;
    console_unlock(flags);
}

static void show(const char *s, size_t n)
{
    static char last = '\n';

    if (!s && last == '\n')
        return;
    last = s ? s[n - 1] : '\n';
    for (struct console_sink *sink = sinks; sink; sink = sink->next)
        sink->write(s ? s : "\n", s ? n : 1);
}

void console_write(const char *s, size_t n)
{
    unsigned long flags = console_lock();

    show(s, n);
    console_unlock(flags);
}

void console_write_line(const char *s, size_t n)
{
    unsigned long flags = console_lock();

    show(NULL, 0);
    show(s, n);
    for (size_t i = 0; i < n; i++)
        ring[ring_prod++ % RING_SIZE] = s[i];
    console_unlock(flags);
    if (dom0)
        tasklet_schedule(&ring_tasklet);
}

size_t console_read_ring(char *dst, size_t size, uint32_t *index, bool incremental, bool clear)
{
    unsigned long flags = console_lock();
    static uint32_t cleared;
    uint32_t from = ring_prod > RING_SIZE ? ring_prod - RING_SIZE : 0;
    size_t n = 0;

    if ((int32_t)(cleared - from) > 0)
        from = cleared;
    if (incremental && *index - from <= ring_prod - from)
        from = *index;
    while (from != ring_prod && n < size)
        dst[n++] = ring[from++ % RING_SIZE];
    *index = from;
    if (clear)
        cleared = ring_prod;
    console_unlock(flags);
    return n;
}

/* ---- debug keys ---- */

static unsigned long keys_pending[2]; /* a bit per key, set in interrupts */

static void run_pending_keys(void *unused __ignored)
{
    for (unsigned int k = 0; k < 128; k++)
        if (test_and_clear_bit(k, keys_pending))
            debugkey_handle((char)k);
}

/* ---- input ---- */

static void tell_dom0(void *virq)
{
    evtchn_send_global_virq(dom0, (unsigned int)(uintptr_t)virq);
}

void console_init(void)
{
    tasklet_init(&key_tasklet, run_pending_keys, NULL);
    tasklet_init(&input_tasklet, tell_dom0, (void *)VIRQ_CONSOLE);
    tasklet_init(&ring_tasklet, tell_dom0, (void *)VIRQ_CON_RING);
}

/* Three Ctrl-A in a row turn the input over. True if the byte was one of them. */
static bool switch_input(uint8_t c)
{
    if (c != CTRL_A) {
        ctrl_a_seen = 0;
        return false;
    }
    if (++ctrl_a_seen == 3) {
        ctrl_a_seen = 0;
        keys_to_hypervisor = !keys_to_hypervisor;
        pr_info("serial input goes to %s (three times Ctrl-A changes)",
                keys_to_hypervisor ? "the hypervisor's debug keys" : "dom0");
    }
    return true;
}

void console_input(uint8_t c)
{
    unsigned long flags;

    if (switch_input(c))
        return;
    if (keys_to_hypervisor) {
        set_bit(c & 127, keys_pending);
        tasklet_schedule(&key_tasklet);
        return;
    }
    flags = console_lock();
    if (input_prod - input_cons < INPUT_SIZE)
        input[input_prod++ % INPUT_SIZE] = (char)c;
    console_unlock(flags);
    tasklet_schedule(&input_tasklet);
}

static size_t take_input(char *buf, size_t size)
{
    unsigned long flags = console_lock();
    size_t n = 0;

    while (n < size && input_cons != input_prod)
        buf[n++] = input[input_cons++ % INPUT_SIZE];
    console_unlock(flags);
    return n;
}

/* ---- console_io ---- */

#define CHUNK 128

/* Other domains' text is shown line by line, marked, and within their budget of messages. */
static void write_guest_text(struct domain *d, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char c = text[i];

        if (c != '\n')
            d->console_line[d->console_used++] = c >= ' ' || c == '\t' ? c : '.';
        if (c == '\n' || d->console_used == sizeof(d->console_line)) {
            guest_printk(d, LOG_INFO, "%.*s", (int)d->console_used, d->console_line);
            d->console_used = 0;
        }
    }
}

static long console_io_write(guest_ptr_t buffer, unsigned int count)
{
    struct domain *d = current_domain();

    for (bool first = true; count; first = false) {
        char text[CHUNK];
        unsigned int n = min(count, (unsigned int)CHUNK);

        if (!first && hypercall_preempt_needed())
            return hypercall_continue(__HYPERVISOR_console_io, 3, (unsigned long)CONSOLEIO_write,
                                      (unsigned long)count, buffer.va);
        if (copy_from_guest(text, buffer, n))
            return -EFAULT;
        if (d->is_privileged) {
            console_write(text, n);
        } else {
            spin_lock(&d->console_lock);
            write_guest_text(d, text, n);
            spin_unlock(&d->console_lock);
        }
        buffer = guest_ptr_index(buffer, n, 1);
        count -= n;
    }
    return 0;
}

static long console_io_read(guest_ptr_t buffer, unsigned int count)
{
    unsigned int done = 0;

    while (done < count) {
        char text[CHUNK];
        size_t n = take_input(text, min(count - done, (unsigned int)CHUNK));

        if (!n)
            break;
        if (copy_to_guest(guest_ptr_index(buffer, done, 1), text, n))
            return -EFAULT;
        done += (unsigned int)n;
    }
    return done;
}

/** do_console_io - write: any domain (others than dom0 marked and rationed); read: dom0 only. */
long do_console_io(unsigned int cmd, unsigned int count, guest_ptr_t buffer)
{
    switch (cmd) {
    case CONSOLEIO_write:
        return console_io_write(buffer, count);
    case CONSOLEIO_read:
        return current_domain()->is_privileged ? console_io_read(buffer, min(count, 65536u))
                                               : -EPERM;
    default:
        return -ENOSYS;
    }
}

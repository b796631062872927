/* SPDX-License-Identifier: MIT */
/* Serial lines: 16550 and its descendants. Output waits for the device, input comes by interrupt.
 */
#include <asm/irq.h>
#include <asm/io.h>
#include <asm/processor.h>
#include <asm/serial.h>
#include <asm/system.h>
#include <hv/console.h>
#include <hv/percpu.h>

#define DATA 0 /* divisor low while LCR_DLAB is set */
#define IER  1 /* divisor high likewise */
#define FCR  2
#define LCR  3
#define MCR  4
#define LSR  5
#define SCR  7

#define IER_RX   0x01
#define FCR_ON   0x07 /* enable and clear both */
#define LCR_DLAB 0x80
#define MCR_ON   0x0b /* DTR, RTS and OUT2, which lets the interrupt out */
#define LSR_RX   0x01
#define LSR_TX   0x20
#define FIFO     16
#define BASE_HZ  115200

static struct line {
    const char *name;
    uint16_t port;
    uint8_t irq;
    uint8_t lcr;
    uint32_t baud; /* 0: as the firmware left it */
} lines[] = {{"com1", 0x3f8, 4, 3, 115200}, {"com2", 0x2f8, 3, 3, 115200}};

static struct line *console; /* NULL: none */

static struct line *by_name(const char *name)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(lines); i++)
        if (!strcmp(lines[i].name, name))
            return &lines[i];
    return NULL;
}

/* 8n1 and the like. */
static int parse_format(struct line *l, const char *s)
{
    int parity = s[1] == 'n' ? 0 : s[1] == 'o' ? 0x08 : s[1] == 'e' ? 0x18 : -1;

    if (s[0] < '5' || s[0] > '8' || parity < 0 || (s[2] != '1' && s[2] != '2'))
        return -EINVAL;
    l->lcr = (uint8_t)((s[0] - '5') | parity | (s[2] == '2' ? 4 : 0));
    return 0;
}

int serial_configure(const char *name, const char *how)
{
    struct line *l = by_name(name), want;
    const char *s = how;

    if (!l)
        return -ENODEV;
    want = *l;
    if (!strncmp(s, "auto", 4)) {
        want.baud = 0;
        s += 4;
    } else if (*s && *s != ',') {
        want.baud = (uint32_t)hv_strtoul(s, &s, 10);
        if (!want.baud || want.baud > BASE_HZ || BASE_HZ % want.baud)
            return -EINVAL;
    }
    if (*s == ',') {
        if (s[1] != ',' && (strnlen(s, 4) < 4 || parse_format(&want, s + 1)))
            return -EINVAL;
        s += s[1] == ',' ? 1 : 4;
    }
    if (*s == ',')
        want.port = (uint16_t)hv_strtoul(s + 1, &s, 0);
    if (*s == ',')
        want.irq = (uint8_t)hv_strtoul(s + 1, &s, 0);
    if (*s)
        return -EINVAL;
    *l = want;
    return 0;
}

/* ---- output ---- */

/* Bounded: a line without a device, or one that is held up for good, must not stop the machine. */
static void wait_tx(uint16_t port)
{
    for (unsigned int i = 0; i < 1000000 && !(inb(port + LSR) & LSR_TX); i++)
        cpu_relax();
}

static void serial_write(const char *s, size_t n)
{
    unsigned int room = 0;

    for (size_t i = 0; i < n; i++) {
        if (room < 2) {
            wait_tx(console->port);
            room = FIFO;
        }
        if (s[i] == '\n') {
            outb(console->port + DATA, '\r');
            room--;
        }
        outb(console->port + DATA, (uint8_t)s[i]);
        room--;
    }
}

static struct console_sink sink = {.write = serial_write};

static bool is_there(uint16_t port)
{
    outb(port + SCR, 0x5a);
    if (inb(port + SCR) != 0x5a)
        return false;
    outb(port + SCR, 0xa5);
    return inb(port + SCR) == 0xa5;
}

int serial_console(const char *name)
{
    struct line *l = by_name(name);

    if (!l)
        return -EINVAL;
    if (!is_there(l->port))
        return -ENODEV;
    if (console)
        return -EBUSY;
    port_reserve(l->port, 8);
    outb(l->port + IER, 0);
    if (l->baud) {
        outb(l->port + LCR, LCR_DLAB | l->lcr);
        outb(l->port + DATA, (uint8_t)(BASE_HZ / l->baud));
        outb(l->port + IER, (uint8_t)(BASE_HZ / l->baud >> 8));
    }
    outb(l->port + LCR, l->lcr);
    outb(l->port + FCR, FCR_ON);
    outb(l->port + MCR, MCR_ON);
    console = l;
    console_add_sink(&sink);
    return 0;
}

/* ---- input ---- */

static void serial_interrupt(struct cpu_regs *regs __ignored)
{
    for (unsigned int i = 0; i < 256 && (inb(console->port + LSR) & LSR_RX); i++)
        console_input(inb(console->port + DATA));
}

void serial_start_input(void)
{
    if (!console)
        return;
    irq_set_handler(VECTOR_SERIAL, serial_interrupt);
    if (ioapic_route(console->irq, pcpus[0].arch.apic_id, VECTOR_SERIAL)) {
        pr_warn("%s: no way for its interrupt %u: output only", console->name, console->irq);
        return;
    }
    outb(console->port + IER, IER_RX); /* what has come already raises the interrupt now */
}

/* SPDX-License-Identifier: MIT */
/* The console: log ring, serial line and VGA text behind printk and console_io. */
#pragma once

#include <hv/types.h>

/* A way out: serial, VGA. Called under the console lock with interrupts off, or from panic(). */
struct console_sink {
    void (*write)(const char *s, size_t n);
    struct console_sink *next;
};
void console_add_sink(struct console_sink *sink);

/** console_input - one byte from the serial line; interrupt context. Goes to dom0's input buffer or,
 * after three Ctrl-A, to the debug keys. */
void console_input(uint8_t c);
/** console_read_ring - copy out of the log ring for readconsole; see sysctl. Returns bytes. */
size_t console_read_ring(char *dst, size_t size, uint32_t *index, bool incremental, bool clear);
/** console_force - break locks: the machine is dying. */
void console_force(void);
/** console_write - dom0's text, as it is: to all sinks. @n is not 0. */
void console_write(const char *s, size_t n);
/** console_write_line - a message, to all sinks, at the beginning of a line, and to the log ring, of which
 * dom0 is told by VIRQ_CON_RING. */
void console_write_line(const char *s, size_t n);
void console_init(void);

/** debugkey_handle - do what the debug key @key stands for (debug.c). */
void debugkey_handle(char key);

extern int opt_loglvl, opt_guest_loglvl; /* highest enum log_level that is printed */

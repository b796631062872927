/* SPDX-License-Identifier: MIT */
/* Formatted output: %d %i %u %x %X %o %c %s %p %% with the flags - 0 + # and space, a
 * width, a precision (also *), and the lengths hh h l ll z j t. */
#ifndef PV_PRINT_H
#define PV_PRINT_H

#include <pv/types.h>

/** vsnprintf, snprintf - as in C: returns the length the whole text would have. */
int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap);
int snprintf(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);

/** printk - formatted text to the console, at most 1023 characters a call. Callable from any
 * context; the texts of several vcpus do not mix within one call. */
int printk(const char *fmt, ...) __printf(1, 2);
int vprintk(const char *fmt, va_list ap);

/** panic - the guest cannot go on: print why, then shut down with SHUTDOWN_crash. */
void panic(const char *fmt, ...) __printf(1, 2) __noreturn;

/** panic_hook - called by panic() before the shutdown, with the text; NULL for none. */
extern void (*panic_hook)(const char *why);

#endif

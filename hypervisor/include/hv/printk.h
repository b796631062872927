/* SPDX-License-Identifier: MIT */
/* Messages of the hypervisor, and its own death.
 *
 * Levels: 0 error, 1 warning, 2 info, 3 debug. Messages that a guest can provoke go through
 * guest_printk(), which is rate-limited (XSA-146, XSA-152) and names the domain. */
#pragma once

#include <hv/types.h>

enum log_level { LOG_ERR, LOG_WARN, LOG_INFO, LOG_DEBUG };

void printk(enum log_level level, const char *fmt, ...) __printf(2, 3);
void guest_printk(const struct domain *d, enum log_level level, const char *fmt, ...)
    __printf(3, 4);

#define pr_err(...)  printk(LOG_ERR, __VA_ARGS__)
#define pr_warn(...) printk(LOG_WARN, __VA_ARGS__)
#define pr_info(...) printk(LOG_INFO, __VA_ARGS__)

/** panic - we are wrong or the machine is: message, symbolized stack of this CPU, stop all CPUs,
 * then halt or reboot as `noreboot` says. */
void panic(const char *fmt, ...) __noreturn __printf(1, 2);

/* BUG: an invariant of the hypervisor itself is broken. Never on anything that a guest chose. */
#define BUG() panic("BUG at %s:%d", __FILE__, __LINE__)
#define BUG_ON(c)                                                                                  \
    do {                                                                                           \
        if (unlikely(c))                                                                           \
            BUG();                                                                                 \
    } while (0)

#ifdef SOCLE_DEBUG
#define DEBUG_BUILD true
#else
#define DEBUG_BUILD false
#endif
#define ASSERT(c) BUG_ON(DEBUG_BUILD && !(c))

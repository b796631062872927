/* SPDX-License-Identifier: MIT */
/* Messages of the hypervisor: levels, line prefixes, and a budget for what guests can provoke. */
#include <hv/console.h>
#include <hv/domain.h>

#define LINE_MAX_BYTES 256
#define GUEST_BURST    50      /* lines that a domain may cause at once ... */
#define GUEST_REFILL   MS(100) /* ... and how often it gets another one */

int opt_loglvl = LOG_INFO;
int opt_guest_loglvl = LOG_INFO;

static void emit(const char *prefix, const char *fmt, va_list ap)
{
    char line[LINE_MAX_BYTES];
    size_t n = hv_strlcpy(line, prefix, sizeof(line));

    n += (size_t)vsnprintf(line + n, sizeof(line) - n - 1, fmt, ap);
    n = min(n, sizeof(line) - 2);
    line[n++] = '\n';
    console_write_line(line, n);
}

void printk(enum log_level level, const char *fmt, ...)
{
    va_list ap;

    if ((int)level > opt_loglvl)
        return;
    va_start(ap, fmt);
    emit("(socle) ", fmt, ap);
    va_end(ap);
}

/* A token bucket for each domain: whatever it does, it can't flood the log. The fields are not
 * locked; a race costs or gives a line. */
static bool guest_may_log(struct domain *d)
{
    s_time_t t = now();

    if (!d->log_refill) { /* a new domain */
        d->log_tokens = GUEST_BURST;
        d->log_refill = t;
    } else if (t - d->log_refill >= GUEST_REFILL) {
        d->log_tokens = (unsigned int)min((s_time_t)GUEST_BURST,
                                          d->log_tokens + (t - d->log_refill) / GUEST_REFILL);
        d->log_refill = t;
    }
    if (!d->log_tokens)
        return false;
    d->log_tokens--;
    return true;
}

void guest_printk(const struct domain *d, enum log_level level, const char *fmt, ...)
{
    char prefix[24];
    va_list ap;

    if ((int)level > opt_guest_loglvl || !guest_may_log((struct domain *)d))
        return;
    snprintf(prefix, sizeof(prefix), "(d%u) ", d->id);
    va_start(ap, fmt);
    emit(prefix, fmt, ap);
    va_end(ap);
}

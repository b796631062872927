/* SPDX-License-Identifier: MIT */
/* Formatted output, number parsing, bit searches: the part of hv/lib.h that is the same in ring 0
 * and in host tests. No allocation, no locks, no floating point. */
#include <hv/lib.h>
#include <asm/div.h>

/* ---- formatted output ---- */

struct out {
    char *buf;
    size_t size; /* room in buf */
    size_t len;  /* length so far, also of what found no room */
};

/* One conversion: %[0#][width][.*][length]letter */
struct conv {
    bool zero, alt;
    bool wide;       /* l, z: 64 bits */
    int width, most; /* most: of a string's characters; -1: all */
};

static void put(struct out *o, char c)
{
    if (o->len + 1 < o->size)
        o->buf[o->len] = c;
    o->len++;
}

static void put_n(struct out *o, char c, int n)
{
    while (n-- > 0)
        put(o, c);
}

static void put_text(struct out *o, const struct conv *cv, const char *s, size_t n)
{
    put_n(o, ' ', cv->width - (int)n);
    for (size_t i = 0; i < n; i++)
        put(o, s[i]);
}

static void put_number(struct out *o, const struct conv *cv, uint64_t v, unsigned int base,
                       const char *prefix)
{
    char text[24];
    int n = 0, pad;

    do
        text[n++] = "0123456789abcdef"[v % base];
    while (v /= base);
    pad = cv->width - n - (int)strlen(prefix);
    if (!cv->zero)
        put_n(o, ' ', pad);
    while (*prefix)
        put(o, *prefix++);
    if (cv->zero)
        put_n(o, '0', pad);
    while (n)
        put(o, text[--n]);
}

/* The arguments, in a structure so that their place moves on through calls. */
struct args {
    va_list ap;
};

/* Everything between the percent sign and the letter. */
static const char *parse_conv(const char *f, struct conv *cv, struct args *a)
{
    for (; *f == '0' || *f == '#'; f++) {
        cv->zero |= *f == '0';
        cv->alt |= *f == '#';
    }
    for (; *f >= '0' && *f <= '9'; f++)
        cv->width = cv->width * 10 + (*f - '0');
    if (f[0] == '.' && f[1] == '*') {
        cv->most = va_arg(a->ap, int);
        f += 2;
    }
    for (; *f == 'l' || *f == 'z'; f++)
        cv->wide = true;
    return f;
}

/* One conversion; false if there is none of this letter. */
static bool convert(struct out *o, const struct conv *cv, char letter, struct args *a)
{
    const char *s;
    int64_t v;
    char c;

    switch (letter) {
    case 'd':
        v = cv->wide ? va_arg(a->ap, int64_t) : va_arg(a->ap, int);
        put_number(o, cv, v < 0 ? -(uint64_t)v : (uint64_t)v, 10, v < 0 ? "-" : "");
        return true;
    case 'u':
    case 'x':
        v = cv->wide ? va_arg(a->ap, int64_t) : va_arg(a->ap, unsigned int);
        put_number(o, cv, (uint64_t)v, letter == 'x' ? 16 : 10, cv->alt && v ? "0x" : "");
        return true;
    case 'p':
        put_number(o, cv, (uintptr_t)va_arg(a->ap, void *), 16, "0x");
        return true;
    case 's':
        s = va_arg(a->ap, const char *);
        s = s ? s : "(null)";
        put_text(o, cv, s, strnlen(s, cv->most < 0 ? SIZE_MAX : (size_t)cv->most));
        return true;
    case 'c':
        c = (char)va_arg(a->ap, int);
        put_text(o, cv, &c, 1);
        return true;
    case '%':
        put(o, '%');
        return true;
    default:
        return false;
    }
}

int hv_vsnprintf(char *buf, size_t size, const char *fmt, va_list ap)
{
    struct out o = {buf, size, 0};
    struct args a;

    va_copy(a.ap, ap);
    while (*fmt) {
        struct conv cv = {.most = -1};
        const char *start = fmt;

        if (*fmt != '%') {
            put(&o, *fmt++);
            continue;
        }
        fmt = parse_conv(fmt + 1, &cv, &a);
        if (*fmt && convert(&o, &cv, *fmt, &a)) {
            fmt++;
            continue;
        }
        while (start < fmt) /* unknown: as it stands, so that it is seen */
            put(&o, *start++);
    }
    va_end(a.ap);
    if (size)
        buf[min(o.len, size - 1)] = '\0';
    return (int)min(o.len, (size_t)INT32_MAX);
}

int hv_snprintf(char *buf, size_t size, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = hv_vsnprintf(buf, size, fmt, ap);
    va_end(ap);
    return n;
}

/* ---- strings ---- */

size_t hv_strlcpy(char *dst, const char *src, size_t size)
{
    size_t len = strlen(src), n;

    if (size == 0)
        return len;
    n = min(len, size - 1);
    memcpy(dst, src, n);
    memset(dst + n, 0, size - n);
    return len;
}

static unsigned int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned int)(c - '0');
    c |= 0x20;
    return c >= 'a' && c <= 'z' ? (unsigned int)(c - 'a') + 10 : 99;
}

unsigned long hv_strtoul(const char *s, const char **end, unsigned int base)
{
    bool hex = s[0] == '0' && (s[1] | 0x20) == 'x' && digit_of(s[2]) < 16, over = false;
    unsigned long v = 0;

    if (hex && (base == 0 || base == 16)) {
        s += 2;
        base = 16;
    } else if (base == 0) {
        base = s[0] == '0' ? 8 : 10;
    }
    for (; digit_of(*s) < base; s++)
        over |= __builtin_mul_overflow(v, base, &v) || __builtin_add_overflow(v, digit_of(*s), &v);
    *end = s;
    return over ? UINT64_MAX : v;
}

/* ---- bits and numbers ---- */

unsigned long find_next_bit(const unsigned long *map, unsigned long size, unsigned long from)
{
    unsigned long mask = ~0UL << (from % 64);

    for (unsigned long i = from / 64; i * 64 < size && from < size; i++, mask = ~0UL) {
        unsigned long w = READ_ONCE(map[i]) & mask;

        if (w)
            return min(i * 64 + ffs64(w), size);
    }
    return size;
}

uint64_t muldiv64(uint64_t a, uint64_t b, uint64_t c)
{
    unsigned __int128 p = (unsigned __int128)a * b;
    uint64_t hi = (uint64_t)(p >> 64);

    return hi < c ? div128by64(hi, (uint64_t)p, c) : UINT64_MAX;
}

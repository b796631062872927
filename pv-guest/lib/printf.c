/* SPDX-License-Identifier: MIT */
/* Formatted text: one pass over the format, output clipped to the buffer but counted whole. */
#include <pv/print.h>
#include <pv/string.h>

struct sink {
    char *buf;
    size_t size, len;
};

struct spec {
    bool left, zero, plus, space, alt;
    int width, precision; /* precision -1: not given */
    int bytes;            /* of the integer argument */
};

static void put(struct sink *s, char c)
{
    if (s->len + 1 < s->size)
        s->buf[s->len] = c;
    s->len++;
}

static void put_many(struct sink *s, char c, int n)
{
    while (n-- > 0)
        put(s, c);
}

/* @prefix (sign, 0x), zeros up to precision or width, then the text. */
static void put_field(struct sink *s, const struct spec *f, const char *prefix, const char *text,
                      int len, int zeros)
{
    int pad = f->width - len - zeros - (int)strlen(prefix);

    if (!f->left)
        put_many(s, ' ', pad);
    while (*prefix)
        put(s, *prefix++);
    put_many(s, '0', zeros);
    for (int i = 0; i < len; i++)
        put(s, text[i]);
    if (f->left)
        put_many(s, ' ', pad);
}

static void put_number(struct sink *s, const struct spec *f, uint64_t n, unsigned base, bool upper,
                       const char *prefix)
{
    const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    char text[24], *p = text + sizeof(text);
    int len, zeros = 0;

    for (uint64_t rest = n; rest || (n == 0 && p == text + sizeof(text) && f->precision != 0);
         rest /= base)
        *--p = digits[rest % base];
    len = text + sizeof(text) - p;
    if (f->precision >= 0)
        zeros = f->precision - len;
    else if (f->zero && !f->left)
        zeros = f->width - len - (int)strlen(prefix);
    put_field(s, f, prefix, p, len, zeros > 0 ? zeros : 0);
}

static void put_string(struct sink *s, const struct spec *f, const char *text)
{
    if (!text)
        text = "(null)";
    put_field(s, f, "", text, strnlen(text, f->precision < 0 ? SIZE_MAX : (size_t)f->precision), 0);
}

static const char *parse_flags(const char *p, struct spec *f)
{
    for (;; p++) {
        switch (*p) {
        case '-':
            f->left = true;
            break;
        case '0':
            f->zero = true;
            break;
        case '+':
            f->plus = true;
            break;
        case ' ':
            f->space = true;
            break;
        case '#':
            f->alt = true;
            break;
        default:
            return p;
        }
    }
}

static const char *parse_length(const char *p, struct spec *f)
{
    f->bytes = sizeof(int);
    for (;; p++) {
        switch (*p) {
        case 'h':
            f->bytes /= 2;
            break;
        case 'l':
        case 'z':
        case 'j':
        case 't':
            f->bytes = 8;
            break;
        default:
            return p;
        }
    }
}

static int parse_count(const char **p, va_list *ap)
{
    const char *end;
    int n;

    if (**p == '*') {
        ++*p;
        return va_arg(*ap, int);
    }
    n = strtou64(*p, &end);
    *p = end;
    return n;
}

static uint64_t unsigned_arg(const struct spec *f, va_list *ap)
{
    if (f->bytes == 8)
        return va_arg(*ap, uint64_t);
    return va_arg(*ap, unsigned) & (f->bytes == 1 ? 0xffu : f->bytes == 2 ? 0xffffu : ~0u);
}

static void put_signed(struct sink *s, const struct spec *f, va_list *ap)
{
    int64_t n = f->bytes == 8 ? va_arg(*ap, int64_t) : va_arg(*ap, int);
    const char *sign = n < 0 ? "-" : f->plus ? "+" : f->space ? " " : "";

    if (f->bytes == 1)
        n = (int8_t)n;
    else if (f->bytes == 2)
        n = (int16_t)n;
    put_number(s, f, n < 0 ? -(uint64_t)n : (uint64_t)n, 10, false, sign);
}

static void put_conversion(struct sink *s, struct spec *f, char kind, va_list *ap)
{
    uint64_t n;
    char c;

    switch (kind) {
    case 'd':
    case 'i':
        put_signed(s, f, ap);
        break;
    case 'u':
        put_number(s, f, unsigned_arg(f, ap), 10, false, "");
        break;
    case 'o':
        put_number(s, f, unsigned_arg(f, ap), 8, false, f->alt ? "0" : "");
        break;
    case 'x':
    case 'X':
        n = unsigned_arg(f, ap);
        put_number(s, f, n, 16, kind == 'X', f->alt && n ? "0x" : "");
        break;
    case 'p':
        put_number(s, f, (uintptr_t)va_arg(*ap, void *), 16, false, "0x");
        break;
    case 'c':
        c = va_arg(*ap, int);
        put_field(s, f, "", &c, 1, 0);
        break;
    case 's':
        put_string(s, f, va_arg(*ap, const char *));
        break;
    default: /* %% and what we do not know: show it */
        put(s, kind);
    }
}

int vsnprintf(char *buf, size_t size, const char *fmt, va_list args)
{
    struct sink s = {buf, size, 0};
    va_list ap;

    va_copy(ap, args);
    for (const char *p = fmt; *p; p++) {
        struct spec f = {.precision = -1};

        if (*p != '%') {
            put(&s, *p);
            continue;
        }
        p = parse_flags(p + 1, &f);
        f.width = parse_count(&p, &ap);
        if (f.width < 0) {
            f.left = true;
            f.width = -f.width;
        }
        if (*p == '.') {
            p++;
            f.precision = parse_count(&p, &ap);
        }
        p = parse_length(p, &f);
        if (!*p)
            break;
        put_conversion(&s, &f, *p, &ap);
    }
    va_end(ap);
    if (size)
        buf[s.len < size ? s.len : size - 1] = 0;
    return s.len;
}

int snprintf(char *buf, size_t size, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(buf, size, fmt, ap);
    va_end(ap);
    return n;
}

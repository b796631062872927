/* SPDX-License-Identifier: MIT */
/* The basics, with errors and messages, and the small C library of ring 0: memory and string functions (names and meaning as in ISO C),
 * formatted output and bit searches. */
#pragma once

#include <hv/errno.h>
#include <hv/printk.h>
#include <stdarg.h>

#ifdef SOCLE_HOST
#include <string.h>
#include <stdio.h>
#else
void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *s, int c, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
#define snprintf  hv_snprintf
#define vsnprintf hv_vsnprintf
#endif

/** hv_vsnprintf - formatted output: %d %u %x %p %s %c %% with flags 0 and #, a width, for %s also .*,
 * lengths l ll z. Always terminated if @size > 0; returns the length that the whole text would have. In
 * ring 0 vsnprintf() and snprintf() are these. */
int hv_vsnprintf(char *buf, size_t size, const char *fmt, va_list ap) __printf(3, 0);
int hv_snprintf(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);

/** hv_strlcpy - copy with truncation, always terminated; the rest of @dst is cleared so that
 * nothing stale can leak when the whole buffer is copied out. Returns strlen(@src). */
size_t hv_strlcpy(char *dst, const char *src, size_t size);

/** hv_strtoul - parse an unsigned number; base 0 recognises 0x and 0. @end is never NULL-checked:
 * pass a valid pointer. Saturates at ULONG_MAX. */
unsigned long hv_strtoul(const char *s, const char **end, unsigned int base);

/* Bit searches: all are defined for an empty word or range and then return @size (XSA-307). */
static inline unsigned int ffs64(uint64_t w) /* index of the lowest set bit, 64 if none */
{
    return w ? (unsigned int)__builtin_ctzl(w) : 64;
}

static inline unsigned int fls64(uint64_t w) /* index of the highest set bit + 1, 0 if none */
{
    return w ? 64u - (unsigned int)__builtin_clzl(w) : 0;
}

unsigned long find_next_bit(const unsigned long *map, unsigned long size, unsigned long from);

static inline bool test_bit(unsigned long nr, const void *addr)
{
    return (READ_ONCE(((const unsigned long *)addr)[nr / 64]) >> (nr % 64)) & 1;
}

/* Atomic; return the old value of the bit. */
static inline bool test_and_set_bit(unsigned long nr, void *addr)
{
    unsigned long m = 1UL << (nr % 64);
    return __atomic_fetch_or(&((unsigned long *)addr)[nr / 64], m, __ATOMIC_SEQ_CST) & m;
}

static inline bool test_and_clear_bit(unsigned long nr, void *addr)
{
    unsigned long m = 1UL << (nr % 64);
    return __atomic_fetch_and(&((unsigned long *)addr)[nr / 64], ~m, __ATOMIC_SEQ_CST) & m;
}

static inline void set_bit(unsigned long nr, void *addr)
{
    (void)test_and_set_bit(nr, addr);
}

static inline void clear_bit(unsigned long nr, void *addr)
{
    (void)test_and_clear_bit(nr, addr);
}

static inline unsigned int popcount64(uint64_t w)
{
    unsigned int n = 0;
    for (; w; w &= w - 1)
        n++;
    return n;
}

/** fail_with - of a parser: note in @info why, and return @err. */
#define fail_with(info, err, why) ((info)->error = (why), (err))

/** muldiv64 - a * b / c with a 128-bit intermediate; saturates at UINT64_MAX. c != 0. */
uint64_t muldiv64(uint64_t a, uint64_t b, uint64_t c);

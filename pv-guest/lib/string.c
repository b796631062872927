/* SPDX-License-Identifier: MIT */
/* String functions. The compiler itself calls the mem* ones. */
#include <pv/string.h>

void *memset(void *to, int byte, size_t len)
{
    void *d = to;

    __asm__ volatile("rep stosb" : "+D"(d), "+c"(len) : "a"(byte) : "memory");
    return to;
}

void *memcpy(void *to, const void *from, size_t len)
{
    void *d = to;

    __asm__ volatile("rep movsb" : "+D"(d), "+S"(from), "+c"(len) : : "memory");
    return to;
}

void *memmove(void *to, const void *from, size_t len)
{
    char *d = (char *)to + len;
    const char *s = (const char *)from + len;

    if ((uintptr_t)to - (uintptr_t)from >= len)
        return memcpy(to, from, len);
    while (len--)
        *--d = *--s;
    return to;
}

int memcmp(const void *a, const void *b, size_t len)
{
    const uint8_t *x = a, *y = b;

    for (; len; len--, x++, y++)
        if (*x != *y)
            return *x - *y;
    return 0;
}

size_t strnlen(const char *s, size_t max)
{
    size_t n = 0;

    while (n < max && s[n])
        n++;
    return n;
}

size_t strlen(const char *s)
{
    return strnlen(s, SIZE_MAX);
}

int strncmp(const char *a, const char *b, size_t len)
{
    for (; len; len--, a++, b++)
        if (*a != *b || !*a)
            return (uint8_t)*a - (uint8_t)*b;
    return 0;
}

int strcmp(const char *a, const char *b)
{
    return strncmp(a, b, SIZE_MAX);
}

char *strchr(const char *s, int c)
{
    for (;; s++) {
        if (*s == (char)c)
            return (char *)s;
        if (!*s)
            return NULL;
    }
}

char *strstr(const char *s, const char *part)
{
    size_t len = strlen(part);

    for (; strncmp(s, part, len); s++)
        if (!*s)
            return NULL;
    return (char *)s;
}

void strscpy(char *to, const char *from, size_t size)
{
    size_t len = strnlen(from, size - 1);

    memcpy(to, from, len);
    to[len] = 0;
}

static unsigned digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if ((c | 32) >= 'a' && (c | 32) <= 'f')
        return (c | 32) - 'a' + 10;
    return 16;
}

uint64_t strtou64(const char *s, const char **end)
{
    unsigned base = 10;
    uint64_t n = 0;

    if (s[0] == '0' && (s[1] | 32) == 'x' && digit_value(s[2]) < 16) {
        base = 16;
        s += 2;
    }
    for (; digit_value(*s) < base; s++)
        n = n * base + digit_value(*s);
    if (end)
        *end = s;
    return n;
}

/* SPDX-License-Identifier: MIT */
/* The part of the C library's string functions that a small guest needs. */
#ifndef PV_STRING_H
#define PV_STRING_H

#include <pv/types.h>

void *memset(void *to, int byte, size_t len);
void *memcpy(void *to, const void *from, size_t len);
void *memmove(void *to, const void *from, size_t len);
int memcmp(const void *a, const void *b, size_t len);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t len);
char *strchr(const char *s, int c);
char *strstr(const char *s, const char *part);

/** strscpy - copy at most @size - 1 characters and always end with a zero. */
void strscpy(char *to, const char *from, size_t size);

/** strtou64 - number at @s: decimal, 0x hexadecimal; *@end (if wanted) is where it stops. */
uint64_t strtou64(const char *s, const char **end);

#endif

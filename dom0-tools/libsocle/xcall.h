/* SPDX-License-Identifier: MIT */
/* The way to the hypervisor: dom0's kernel passes calls on. */
#ifndef LIBSOCLE_XCALL_H
#define LIBSOCLE_XCALL_H

#include <stddef.h>

/** xcall_open - before all others; a negative errno where there is no hypervisor. */
int xcall_open(void);

/** xcall - a hypercall with two arguments; its result, or a negative errno. */
long xcall(unsigned int number, unsigned long arg1, unsigned long arg2);

/** xcall_alloc - zeroed memory that arguments may point to; there is some, or the process ends. */
void *xcall_alloc(size_t size);
void xcall_free(void *p);

#endif

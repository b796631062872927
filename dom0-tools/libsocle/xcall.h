/* SPDX-License-Identifier: MIT */
/* The way to the hypervisor: dom0's kernel passes calls on, and maps memory of other domains. */
#ifndef LIBSOCLE_XCALL_H
#define LIBSOCLE_XCALL_H

#include <stddef.h>
#include <stdint.h>

/** xcall_open - before all others; a negative errno where there is no hypervisor. */
int xcall_open(void);

/** xcall - a hypercall with two arguments; its result, or a negative errno. */
long xcall(unsigned int number, unsigned long arg1, unsigned long arg2);

/** xcall4 - the same with four. */
long xcall4(unsigned int number, unsigned long arg1, unsigned long arg2, unsigned long arg3,
            unsigned long arg4);

/** xcall_alloc - zeroed memory that arguments may point to; there is some, or the process ends. */
void *xcall_alloc(size_t size);
void xcall_free(void *p);

/** xcall_map - map @nr frames of domain @id in a row, to be read and written
 * Returns NULL and sets errno if one of them can not be mapped. */
void *xcall_map(unsigned int id, const uint64_t *frames, size_t nr);
void xcall_unmap(void *p, size_t nr);

/** xcall_map_grants - the first page of a domain's grant table; NULL with errno. */
void *xcall_map_grants(unsigned int id);
void xcall_unmap_grants(void *p);

#endif

/* SPDX-License-Identifier: MIT */
/* The kernel that a domain starts with, as an ELF file, whatever it came as. */
#ifndef LIBSOCLE_BUILD_KERNEL_H
#define LIBSOCLE_BUILD_KERNEL_H

#include "build_cache.h"
#include "error.h"

struct build_kernel {
    const uint8_t *data;
    size_t size;
    int fd; /* the file whose bytes these are, cheaper to read(2) from; -1: there is none */
};

/** build_kernel_open - read a kernel, or find it unpacked in the cache, or unpack it
 * Returns 0 or a negative errno; @err does not repeat the file's name. */
int build_kernel_open(struct build_kernel *k, const char *path, struct error *err);
void build_kernel_close(struct build_kernel *k);

#endif

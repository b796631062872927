/* SPDX-License-Identifier: MIT */
/* Unpacked kernels, in /var/cache/socle ($SOCLE_CACHE_DIR): a few of them, the oldest goes first.
 * Where there is no such folder, little room, or others may write, nothing is kept or found. */
#ifndef LIBSOCLE_BUILD_CACHE_H
#define LIBSOCLE_BUILD_CACHE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

/** build_cache_find - what that file unpacks to
 * @of    the packed file: its identity, size and times
 * @data  mapped; the caller's to unmap
 * Returns a descriptor of the same bytes, the caller's to close; -1: it is not there. */
int build_cache_find(const struct stat *of, const uint8_t **data, size_t *size);

/** build_cache_keep - keep it, if that is possible. */
void build_cache_keep(const struct stat *of, const uint8_t *data, size_t size);

#endif

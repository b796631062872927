/* SPDX-License-Identifier: MIT */
/* Decompression of whatever kernels are compressed with. */
#ifndef LIBSOCLE_UNPACK_H
#define LIBSOCLE_UNPACK_H

#include "image.h"

/** unpack - decompress @len bytes
 * @src    one stream, or several of this format, one after the other; then nothing, or the four
 *         bytes with the unpacked size which the build of a kernel appends: they are checked
 * @limit  refuse to make more bytes than this
 * @out    the caller's to free; written only on success
 * Returns 0; -EINVAL when the data are damaged or end too early, -EFBIG beyond the limit, -ENOMEM;
 * -EINTR (stop.h).
 * The decompressors themselves take up to 256 MiB for a hostile stream. */
int unpack(enum image_format format, const uint8_t *src, size_t len, size_t limit,
           struct bytes *out, struct error *err);

/** unpack_watch - be told from now on how far it is, in per cent of the input; NULL: no longer. */
typedef void unpack_watch_fn(void *ctx, unsigned int percent);
void unpack_watch(unpack_watch_fn *fn, void *ctx);

#endif

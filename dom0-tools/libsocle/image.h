/* SPDX-License-Identifier: MIT */
/* Files that kernels come in: a bzImage, which has a compressed ELF file in it, that ELF file, or
 * the ELF file compressed by itself. They are untrusted: whoever asks for a domain names one. */
#ifndef LIBSOCLE_IMAGE_H
#define LIBSOCLE_IMAGE_H

#include "bytes.h"
#include "error.h"

#include <stdbool.h>

#define IMAGE_MAX ((size_t)1 << 30) /* bytes, packed and unpacked; no kernel is near this */

enum image_format {
    IMAGE_UNKNOWN,
    IMAGE_ELF,
    IMAGE_GZIP,
    IMAGE_BZIP2,
    IMAGE_LZMA,
    IMAGE_XZ,
    IMAGE_LZO,
    IMAGE_LZ4_LEGACY, /* what `lz4 -l` writes */
    IMAGE_LZ4,
    IMAGE_ZSTD,
};

/** image_format_name - "gzip", "ELF" ... */
const char *image_format_name(enum image_format format);

/** image_detect - what begins here, by its first bytes. */
enum image_format image_detect(const uint8_t *data, size_t len);

struct image {
    bool bzimage;
    uint16_t protocol;   /* boot protocol of a bzImage, 0x20f is 2.15 */
    size_t offset, size; /* of the payload in the file; otherwise all of the file */
    enum image_format format;
};

/** image_parse - find the kernel in a file that was read into memory
 * Returns 0; -ENOEXEC when this is nothing known; -EINVAL when it claims to be and is damaged.
 * The payload lies inside of the file. Nothing else of it has been checked. */
int image_parse(const uint8_t *file, size_t len, struct image *image, struct error *err);

/** image_unpack - the ELF file in a file that was read into memory
 * @out  the caller's to free; unchanged on failure
 * Returns 0; the errors of image_parse() and unpack(); -ENOEXEC when there is no ELF file in it. */
int image_unpack(const uint8_t *file, size_t len, struct bytes *out, struct error *err);

/** image_read_file - the whole file as it is, at most IMAGE_MAX bytes
 * Returns 0, -EFBIG, -ENOMEM, or what open(2) and read(2) said. */
int image_read_file(const char *path, struct bytes *file, struct error *err);

/** image_load - read a file and unpack the ELF file in it, whatever it comes as
 * @buf, @len  from malloc(); written only on success
 * Returns 0 or a negative errno; @err does not repeat the file's name. */
int image_load(const char *path, void **buf, size_t *len, struct error *err);

#endif

/* SPDX-License-Identifier: MIT */
/* Finds the ELF file in what a distribution calls vmlinuz. Layout of a bzImage: Linux'
 * Documentation/x86/boot.rst, "The Real-Mode Kernel Header". */
#include "image.h"
#include "stop.h"
#include "unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SECTOR = 512,
    SETUP_SECTS = 0x1f1,    /* u8: sectors of real-mode code after the first; 0 means 4 */
    BOOT_FLAG = 0x1fe,      /* u16: 0xaa55 */
    HEADER = 0x202,         /* "HdrS" */
    PROTOCOL = 0x206,       /* u16 */
    PAYLOAD_OFFSET = 0x248, /* u32: from the end of the real-mode code; since protocol 2.08 */
    PAYLOAD_LENGTH = 0x24c, /* u32 */
    HEADER_END = 0x250,
};

static const struct magic {
    enum image_format format;
    const char *name;
    unsigned int len;
    uint8_t bytes[9];
} magics[] = {
    {IMAGE_ELF, "ELF", 4, {0x7f, 'E', 'L', 'F'}},
    {IMAGE_GZIP, "gzip", 3, {0x1f, 0x8b, 8}},
    {IMAGE_BZIP2, "bzip2", 3, {'B', 'Z', 'h'}},
    {IMAGE_LZMA, "lzma", 3, {0x5d, 0, 0}}, /* no magic, but these are its usual parameters */
    {IMAGE_XZ, "xz", 6, {0xfd, '7', 'z', 'X', 'Z', 0}},
    {IMAGE_LZO, "lzo", 9, {0x89, 'L', 'Z', 'O', 0, '\r', '\n', 0x1a, '\n'}},
    {IMAGE_LZ4_LEGACY, "lz4 (legacy)", 4, {0x02, 0x21, 0x4c, 0x18}},
    {IMAGE_LZ4, "lz4", 4, {0x04, 0x22, 0x4d, 0x18}},
    {IMAGE_ZSTD, "zstd", 4, {0x28, 0xb5, 0x2f, 0xfd}},
};
#define NR_MAGICS (sizeof(magics) / sizeof(magics[0]))

const char *image_format_name(enum image_format format)
{
    for (unsigned int i = 0; i < NR_MAGICS; i++) {
        if (magics[i].format == format)
            return magics[i].name;
    }
    return "unknown";
}

enum image_format image_detect(const uint8_t *data, size_t len)
{
    for (unsigned int i = 0; i < NR_MAGICS; i++) {
        if (len >= magics[i].len && memcmp(data, magics[i].bytes, magics[i].len) == 0)
            return magics[i].format;
    }
    return IMAGE_UNKNOWN;
}

static uint32_t le16(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8;
}

static uint32_t le32(const uint8_t *p)
{
    return le16(p) | le16(p + 2) << 16;
}

static bool is_bzimage(const uint8_t *file, size_t len)
{
    return len >= PROTOCOL + 2 && le16(file + BOOT_FLAG) == 0xaa55 &&
           memcmp(file + HEADER, "HdrS", 4) == 0;
}

static int parse_bzimage(const uint8_t *file, size_t len, struct image *image, struct error *err)
{
    uint64_t start, size;

    image->bzimage = true;
    image->protocol = le16(file + PROTOCOL);
    if (image->protocol < 0x208)
        return error_set(err, -EINVAL, "boot protocol %u.%02u is too old (2.08 is needed)",
                         image->protocol >> 8, image->protocol & 0xff);
    if (len < HEADER_END)
        return error_set(err, -EINVAL, "bzImage ends inside of its header");
    start = ((file[SETUP_SECTS] ? file[SETUP_SECTS] : 4) + 1) * SECTOR;
    start += le32(file + PAYLOAD_OFFSET);
    size = le32(file + PAYLOAD_LENGTH);
    if (size == 0)
        return error_set(err, -EINVAL, "bzImage without a payload");
    if (start > len || size > len - start)
        return error_set(err, -EINVAL, "payload lies outside of the file (truncated bzImage?)");
    image->offset = start;
    image->size = size;
    image->format = image_detect(file + start, size);
    if (image->format == IMAGE_UNKNOWN)
        return error_set(err, -EINVAL, "payload of the bzImage is of an unknown format");
    return 0;
}

int image_parse(const uint8_t *file, size_t len, struct image *image, struct error *err)
{
    *image = (struct image){.size = len, .format = image_detect(file, len)};
    if (len == 0)
        return error_set(err, -ENOEXEC, "file is empty");
    if (image->format != IMAGE_UNKNOWN)
        return 0;
    if (is_bzimage(file, len))
        return parse_bzimage(file, len, image, err);
    return error_set(err, -ENOEXEC, "neither a bzImage nor an ELF file nor a compressed one");
}

int image_unpack(const uint8_t *file, size_t len, struct bytes *out, struct error *err)
{
    struct bytes elf = {0};
    struct image image;
    int rc = image_parse(file, len, &image, err);

    if (rc)
        return rc;
    rc = unpack(image.format, file + image.offset, image.size, IMAGE_MAX, &elf, err);
    if (rc == 0 && image_detect(elf.data, elf.len) != IMAGE_ELF)
        rc = error_set(err, -ENOEXEC, "what is in it (%s) is no ELF file",
                       image_format_name(image.format));
    if (rc)
        bytes_free(&elf);
    else
        *out = elf;
    return rc;
}

int image_read_file(const char *path, struct bytes *file, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct bytes b = {0};
    ssize_t got = 1;
    int rc = 0;

    if (fd < 0)
        return error_set(err, -errno, "%s", strerror(errno));
    while (rc == 0 && got != 0) {
        rc = stop_check(err);
        if (rc)
            break;
        rc = bytes_grow(&b, 1, IMAGE_MAX);
        if (rc)
            error_set(err, rc, rc == -EFBIG ? "file is too large" : "out of memory");
        else if ((got = read(fd, b.data + b.len, b.room - b.len)) > 0)
            b.len += got;
        else if (got < 0 && errno != EINTR)
            rc = error_set(err, -errno, "%s", strerror(errno));
    }
    close(fd);
    if (rc)
        bytes_free(&b);
    else
        *file = b;
    return rc;
}

int image_load(const char *path, void **buf, size_t *len, struct error *err)
{
    struct bytes file = {0}, elf = {0};
    int rc = image_read_file(path, &file, err);

    if (rc)
        return rc;
    rc = image_unpack(file.data, file.len, &elf, err);
    bytes_free(&file);
    if (rc)
        return rc;
    *buf = elf.data;
    *len = elf.len;
    return 0;
}

/* SPDX-License-Identifier: MIT */
/* Each decompressor here takes one stream from an input in memory and adds to an output that grows
 * up to a limit. The input is untrusted. That the work ends: each turn of a loop either takes input
 * or makes output, and both are bounded. */
#include "unpack.h"

#include "stop.h"

#include <bzlib.h>
#include <errno.h>
#include <lz4.h>
#include <lz4frame.h>
#include <lzma.h>
#include <lzo/lzo1x.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#define MEMORY_MAX ((uint64_t)256 << 20) /* bytes that a stream may make a decompressor take */

#define STEP ((size_t)1 << 20) /* bytes of output between two looks at progress */

struct job {
    const uint8_t *in;
    size_t left, all; /* bytes of input */
    struct bytes out;
    size_t limit;
    struct error *err;
};

static int no_memory(struct job *j)
{
    return error_set(j->err, -ENOMEM, "out of memory");
}

static int damaged(struct job *j)
{
    return error_set(j->err, -EINVAL, "compressed data are damaged");
}

static int ends_early(struct job *j)
{
    return error_set(j->err, -EINVAL, "compressed data end too early");
}

/* Room for @want bytes of output, at least; for each step of the work. */
static int make_room(struct job *j, size_t want)
{
    int rc = stop_check(j->err);

    if (rc)
        return rc;
    rc = bytes_grow(&j->out, want, j->limit);
    if (rc == -EFBIG)
        error_set(j->err, rc, "unpacks to more than %zu MiB", j->limit >> 20);
    else if (rc)
        no_memory(j);
    return rc;
}

static uint8_t *out_at(struct job *j)
{
    return j->out.data + j->out.len;
}

/* Not all at once: whoever watches wants to hear something. */
static size_t out_room(struct job *j)
{
    size_t room = j->out.room - j->out.len;

    return room < STEP ? room : STEP;
}

static unpack_watch_fn *watch;
static void *watch_ctx;

void unpack_watch(unpack_watch_fn *fn, void *ctx)
{
    watch = fn;
    watch_ctx = ctx;
}

static void progress(struct job *j, size_t in, size_t out)
{
    j->in += in;
    j->left -= in;
    j->out.len += out;
    if (watch && j->all)
        watch(watch_ctx, (j->all - j->left) * 100 / j->all);
}

static int run_gzip(struct job *j)
{
    z_stream z = {0};
    int rc, got = Z_OK;

    if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK)
        return no_memory(j);
    while ((rc = make_room(j, 1)) == 0 && got == Z_OK) {
        uint32_t in = j->left, out = out_room(j); /* both fit: IMAGE_MAX */

        z.next_in = (uint8_t *)j->in;
        z.avail_in = in;
        z.next_out = out_at(j);
        z.avail_out = out;
        got = inflate(&z, Z_NO_FLUSH);
        progress(j, in - z.avail_in, out - z.avail_out);
    }
    inflateEnd(&z);
    if (got == Z_STREAM_END)
        return 0;
    if (rc)
        return rc;
    return got == Z_BUF_ERROR ? ends_early(j) : got == Z_MEM_ERROR ? no_memory(j) : damaged(j);
}

static int run_bzip2(struct job *j)
{
    bz_stream z = {0};
    int rc, got = BZ_OK;

    if (BZ2_bzDecompressInit(&z, 0, 0) != BZ_OK)
        return no_memory(j);
    while ((rc = make_room(j, 1)) == 0 && got == BZ_OK) {
        uint32_t in = j->left, out = out_room(j);

        z.next_in = (char *)j->in;
        z.avail_in = in;
        z.next_out = (char *)out_at(j);
        z.avail_out = out;
        got = BZ2_bzDecompress(&z);
        progress(j, in - z.avail_in, out - z.avail_out);
        if (got == BZ_OK && z.avail_in == in && z.avail_out == out)
            got = BZ_UNEXPECTED_EOF;
    }
    BZ2_bzDecompressEnd(&z);
    if (got == BZ_STREAM_END)
        return 0;
    if (rc)
        return rc;
    return got == BZ_UNEXPECTED_EOF ? ends_early(j)
           : got == BZ_MEM_ERROR    ? no_memory(j)
                                    : damaged(j);
}

static int run_liblzma(struct job *j, lzma_stream *z)
{
    lzma_ret got = LZMA_OK;
    int rc;

    while ((rc = make_room(j, 1)) == 0 && got == LZMA_OK) {
        size_t in = j->left, out = out_room(j);

        z->next_in = j->in;
        z->avail_in = in;
        z->next_out = out_at(j);
        z->avail_out = out;
        got = lzma_code(z, LZMA_RUN);
        progress(j, in - z->avail_in, out - z->avail_out);
    }
    lzma_end(z);
    if (got == LZMA_STREAM_END)
        return 0;
    if (rc)
        return rc;
    if (got == LZMA_MEMLIMIT_ERROR)
        return error_set(j->err, -EFBIG, "needs too much memory to unpack");
    return got == LZMA_BUF_ERROR   ? ends_early(j)
           : got == LZMA_MEM_ERROR ? no_memory(j)
                                   : damaged(j);
}

static int run_xz(struct job *j)
{
    lzma_stream z = LZMA_STREAM_INIT;

    if (lzma_stream_decoder(&z, MEMORY_MAX, 0) != LZMA_OK)
        return no_memory(j);
    return run_liblzma(j, &z);
}

static int run_lzma(struct job *j)
{
    lzma_stream z = LZMA_STREAM_INIT;

    if (lzma_alone_decoder(&z, MEMORY_MAX) != LZMA_OK)
        return no_memory(j);
    return run_liblzma(j, &z);
}

static int run_zstd(struct job *j)
{
    ZSTD_DStream *z = ZSTD_createDStream(); /* takes windows up to 128 MiB */
    size_t got = 1;
    int rc;

    if (!z)
        return no_memory(j);
    while ((rc = make_room(j, 1)) == 0 && got != 0 && !ZSTD_isError(got)) {
        ZSTD_inBuffer in = {j->in, j->left, 0};
        ZSTD_outBuffer out = {out_at(j), out_room(j), 0};

        got = ZSTD_decompressStream(z, &out, &in);
        progress(j, in.pos, out.pos);
        if (got != 0 && in.pos == 0 && out.pos == 0)
            break;
    }
    ZSTD_freeDStream(z);
    if (got == 0)
        return 0;
    if (rc)
        return rc;
    return ZSTD_isError(got) ? damaged(j) : ends_early(j);
}

static int run_lz4(struct job *j)
{
    LZ4F_dctx *z;
    size_t got = 1;
    int rc;

    if (LZ4F_isError(LZ4F_createDecompressionContext(&z, LZ4F_VERSION)))
        return no_memory(j);
    while ((rc = make_room(j, 1)) == 0 && got != 0 && !LZ4F_isError(got)) {
        size_t in = j->left, out = out_room(j);

        got = LZ4F_decompress(z, out_at(j), &out, j->in, &in, NULL);
        progress(j, in, out);
        if (got != 0 && in == 0 && out == 0)
            break;
    }
    LZ4F_freeDecompressionContext(z);
    if (got == 0)
        return 0;
    if (rc)
        return rc;
    return LZ4F_isError(got) ? damaged(j) : ends_early(j);
}

static uint32_t le32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint32_t be32(const uint8_t *p)
{
    return __builtin_bswap32(le32(p));
}

/* The legacy format has a magic number, then blocks (u32 length, data) of 8 MiB unpacked each but
 * for the last one, and no end mark. So the last four bytes may be the appended size: that would be
 * a block without data. */
static int run_lz4_legacy(struct job *j)
{
    enum { BLOCK = 8 << 20, MAGIC = 0x184c2102 };

    progress(j, 4, 0);
    while (j->left > 4) {
        uint32_t len = le32(j->in);
        size_t most;
        int got, rc;

        if (len == MAGIC)
            return 0; /* the next stream */
        if (len == 0 || len > LZ4_COMPRESSBOUND(BLOCK))
            return damaged(j);
        if (len > j->left - 4)
            return ends_early(j);
        most = (size_t)len * 255 < BLOCK ? (size_t)len * 255 : BLOCK; /* a byte makes up to 255 */
        rc = make_room(j, most);
        if (rc)
            return rc;
        got = LZ4_decompress_safe((const char *)j->in + 4, (char *)out_at(j), len, most);
        if (got < 0)
            return damaged(j);
        progress(j, 4 + len, got);
        if (got < BLOCK && j->left > 4 && le32(j->in) != MAGIC)
            return damaged(j);
    }
    return 0;
}

/* ---- lzop's container, for which there is no library ---- */

enum {
    LZOP_ADLER32_D = 0x1, /* checksums of a block: unpacked, packed; as Adler-32 or CRC-32 */
    LZOP_ADLER32_C = 0x2,
    LZOP_EXTRA = 0x40,
    LZOP_CRC32_D = 0x100,
    LZOP_CRC32_C = 0x200,
    LZOP_MULTIPART = 0x400,
    LZOP_FILTER = 0x800,
    LZOP_HEADER_CRC32 = 0x1000,
    LZOP_BLOCK_MAX = 64 << 20,
};

static bool take_be32(struct job *j, uint32_t *val)
{
    if (j->left < 4)
        return false;
    *val = be32(j->in);
    progress(j, 4, 0);
    return true;
}

static bool skip(struct job *j, size_t len)
{
    if (j->left < len)
        return false;
    progress(j, len, 0);
    return true;
}

/* Header, all big-endian: magic 9, version 2, library version 2, version needed 2, method 1,
 * level 1, flags 4, mode 4, time 8, name length 1 and name, checksum 4 of all but the magic. */
static int lzop_header(struct job *j, uint32_t *flags)
{
    enum { VERSION = 9, METHOD = 15, FLAGS = 17, NAME = 33, LZO1X_LAST = 3 };
    const uint8_t *h = j->in;
    uint32_t sum, said, len;

    if (j->left <= NAME || j->left - NAME - 1 < h[NAME])
        return ends_early(j);
    if ((h[VERSION] << 8 | h[VERSION + 1]) < 0x0940 || h[METHOD] == 0 || h[METHOD] > LZO1X_LAST)
        return error_set(j->err, -EINVAL, "lzop file of an unknown kind");
    *flags = be32(h + FLAGS);
    if (*flags & (LZOP_FILTER | LZOP_MULTIPART))
        return error_set(j->err, -EINVAL, "lzop file with filters or parts");
    len = NAME + 1 + h[NAME] - VERSION;
    sum = *flags & LZOP_HEADER_CRC32 ? crc32(0, h + VERSION, len) : adler32(1, h + VERSION, len);
    progress(j, VERSION + len, 0);
    if (!take_be32(j, &said))
        return ends_early(j);
    if (said != sum)
        return damaged(j);
    if (*flags & LZOP_EXTRA && !(take_be32(j, &len) && skip(j, len) && skip(j, 4)))
        return ends_early(j);
    return 0;
}

static int lzop_block(struct job *j, uint32_t flags, uint32_t unpacked, uint32_t packed)
{
    uint32_t adler = 0, crc = 0;
    lzo_uint got = unpacked;
    int rc;

    if (unpacked > LZOP_BLOCK_MAX || packed > unpacked || packed == 0)
        return damaged(j);
    if ((flags & LZOP_ADLER32_D && !take_be32(j, &adler)) ||
        (flags & LZOP_CRC32_D && !take_be32(j, &crc)) ||
        (packed < unpacked && flags & LZOP_ADLER32_C && !skip(j, 4)) ||
        (packed < unpacked && flags & LZOP_CRC32_C && !skip(j, 4)) || j->left < packed)
        return ends_early(j);
    rc = make_room(j, unpacked);
    if (rc)
        return rc;
    if (packed == unpacked)
        memcpy(out_at(j), j->in, packed);
    else if (lzo1x_decompress_safe(j->in, packed, out_at(j), &got, NULL) != LZO_E_OK)
        return damaged(j);
    if (got != unpacked || (flags & LZOP_ADLER32_D && adler32(1, out_at(j), got) != adler) ||
        (flags & LZOP_CRC32_D && crc32(0, out_at(j), got) != crc))
        return damaged(j);
    progress(j, packed, unpacked);
    return 0;
}

static int run_lzo(struct job *j)
{
    uint32_t flags = 0, unpacked, packed;
    int rc = lzop_header(j, &flags);

    while (rc == 0) {
        if (!take_be32(j, &unpacked))
            return ends_early(j);
        if (unpacked == 0)
            return 0;
        if (!take_be32(j, &packed))
            return ends_early(j);
        rc = lzop_block(j, flags, unpacked, packed);
    }
    return rc;
}

/* ---- the one entry ---- */

static int run_none(struct job *j)
{
    int rc = make_room(j, j->left);

    if (rc == 0) {
        memcpy(out_at(j), j->in, j->left);
        progress(j, j->left, j->left);
    }
    return rc;
}

static int (*const run[])(struct job *j) = {
    [IMAGE_ELF] = run_none,
    [IMAGE_GZIP] = run_gzip,
    [IMAGE_BZIP2] = run_bzip2,
    [IMAGE_LZMA] = run_lzma,
    [IMAGE_XZ] = run_xz,
    [IMAGE_LZO] = run_lzo,
    [IMAGE_LZ4_LEGACY] = run_lz4_legacy,
    [IMAGE_LZ4] = run_lz4,
    [IMAGE_ZSTD] = run_zstd,
};

/* After all streams: nothing, or the size. */
static int check_rest(struct job *j)
{
    if (j->left == 0 || (j->left == 4 && le32(j->in) == (uint32_t)j->out.len))
        return 0;
    if (j->left == 4)
        return error_set(j->err, -EINVAL, "unpacks to %zu bytes where %u were announced",
                         j->out.len, le32(j->in));
    return error_set(j->err, -EINVAL, "%zu bytes follow after the compressed data", j->left);
}

int unpack(enum image_format format, const uint8_t *src, size_t len, size_t limit,
           struct bytes *out, struct error *err)
{
    struct job j = {.in = src, .left = len, .all = len, .limit = limit, .err = err};
    int rc;

    if (format == IMAGE_UNKNOWN || format >= sizeof(run) / sizeof(run[0]))
        return error_set(err, -EINVAL, "of an unknown format");
    if (len > IMAGE_MAX || limit > IMAGE_MAX)
        return error_set(err, -EFBIG, "file is too large");
    do {
        rc = run[format](&j);
    } while (rc == 0 && j.left > 4 && image_detect(j.in, j.left) == format);
    if (rc == 0)
        rc = check_rest(&j);
    if (rc)
        bytes_free(&j.out);
    else
        *out = j.out;
    return rc;
}

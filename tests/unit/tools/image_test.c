/* SPDX-License-Identifier: MIT */
/* Kernel images: made here by the compression libraries, then cut and bent in every place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dom0-tools/libsocle/image.h"
#include "dom0-tools/libsocle/stop.h"
#include "dom0-tools/libsocle/unpack.h"

#include <bzlib.h>
#include <errno.h>
#include <lz4.h>
#include <lz4frame.h>
#include <lzma.h>
#include <lzo/lzo1x.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

enum { ELF_SIZE = 1500, MAX = 4096 };

static uint8_t elf[ELF_SIZE];

/* Bytes that begin as an ELF file does and compress somewhat. */
static int make_elf(void **state)
{
    uint32_t seed = 1;

    (void)state;
    for (unsigned int i = 0; i < ELF_SIZE; i++) {
        seed = seed * 1664525 + 1013904223;
        elf[i] = i % 16 < 10 ? i / 16 : seed >> 24;
    }
    memcpy(elf, "\177ELF\2\1\1", 7);
    return 0;
}

struct packed {
    enum image_format format;
    size_t len;
    uint8_t data[MAX];
};

static void put(struct packed *p, const void *src, size_t len)
{
    assert_true(len <= MAX - p->len);
    memcpy(p->data + p->len, src, len);
    p->len += len;
}

static void put_le32(struct packed *p, uint32_t v)
{
    put(p, &v, 4);
}

static void put_be32(struct packed *p, uint32_t v)
{
    put_le32(p, __builtin_bswap32(v));
}

static void pack_gzip(struct packed *p)
{
    z_stream z = {.next_in = elf, .avail_in = ELF_SIZE, .next_out = p->data, .avail_out = MAX};

    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 16 + 15, 8, 0), Z_OK);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    p->len = z.total_out;
    deflateEnd(&z);
}

static void pack_bzip2(struct packed *p)
{
    unsigned int len = MAX;

    assert_int_equal(
        BZ2_bzBuffToBuffCompress((char *)p->data, &len, (char *)elf, ELF_SIZE, 1, 0, 0), BZ_OK);
    p->len = len;
}

static void pack_xz(struct packed *p)
{
    assert_int_equal(
        lzma_easy_buffer_encode(0, LZMA_CHECK_CRC32, NULL, elf, ELF_SIZE, p->data, &p->len, MAX),
        LZMA_OK);
}

static void pack_lzma(struct packed *p)
{
    lzma_stream z = LZMA_STREAM_INIT;
    lzma_options_lzma o;

    lzma_lzma_preset(&o, 0);
    assert_int_equal(lzma_alone_encoder(&z, &o), LZMA_OK);
    z.next_in = elf;
    z.avail_in = ELF_SIZE;
    z.next_out = p->data;
    z.avail_out = MAX;
    assert_int_equal(lzma_code(&z, LZMA_FINISH), LZMA_STREAM_END);
    p->len = z.total_out;
    lzma_end(&z);
}

static void pack_lz4_legacy(struct packed *p)
{
    char block[MAX];
    int len = LZ4_compress_default((char *)elf, block, ELF_SIZE, MAX);

    put_le32(p, 0x184c2102);
    put_le32(p, len);
    put(p, block, len);
}

static void pack_lz4(struct packed *p)
{
    LZ4F_preferences_t o = {.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled};

    p->len = LZ4F_compressFrame(p->data, MAX, elf, ELF_SIZE, &o);
    assert_false(LZ4F_isError(p->len));
}

static void pack_zstd(struct packed *p)
{
    ZSTD_CCtx *z = ZSTD_createCCtx();

    ZSTD_CCtx_setParameter(z, ZSTD_c_checksumFlag, 1);
    p->len = ZSTD_compress2(z, p->data, MAX, elf, ELF_SIZE);
    assert_false(ZSTD_isError(p->len));
    ZSTD_freeCCtx(z);
}

/* Two blocks, the second one stored, with checksums of what is unpacked. */
static void pack_lzo(struct packed *p)
{
    static const uint8_t magic[9] = {0x89, 'L', 'Z', 'O', 0, '\r', '\n', 0x1a, '\n'};
    static const uint8_t header[25] = {0x10, 0x40, 0x20, 0xa0, 0x09, 0x40, 1, 5, 0, 0, 0, 1};
    static uint8_t work[LZO1X_1_MEM_COMPRESS];
    enum { FIRST = 1400 };
    uint8_t block[MAX];
    lzo_uint len = MAX;

    put(p, magic, 9);
    put(p, header, 25); /* mode, time and an empty name are zeros */
    put_be32(p, adler32(1, header, 25));
    assert_int_equal(lzo1x_1_compress(elf, FIRST, block, &len, work), LZO_E_OK);
    put_be32(p, FIRST);
    put_be32(p, len);
    put_be32(p, adler32(1, elf, FIRST));
    put(p, block, len);
    put_be32(p, ELF_SIZE - FIRST);
    put_be32(p, ELF_SIZE - FIRST);
    put_be32(p, adler32(1, elf + FIRST, ELF_SIZE - FIRST));
    put(p, elf + FIRST, ELF_SIZE - FIRST);
    put_be32(p, 0);
}

static void (*const pack[])(struct packed *p) = {
    [IMAGE_GZIP] = pack_gzip, [IMAGE_BZIP2] = pack_bzip2, [IMAGE_LZMA] = pack_lzma,
    [IMAGE_XZ] = pack_xz,     [IMAGE_LZO] = pack_lzo,     [IMAGE_LZ4_LEGACY] = pack_lz4_legacy,
    [IMAGE_LZ4] = pack_lz4,   [IMAGE_ZSTD] = pack_zstd,
};
#define FORMATS(f)                                                                                 \
    for (enum image_format f = IMAGE_GZIP; f <= IMAGE_ZSTD; f++) /* without the plain one */

static struct packed packed_elf(enum image_format format)
{
    struct packed p = {.format = format};

    pack[format](&p);
    assert_int_equal(image_detect(p.data, p.len), format);
    return p;
}

/* A copy of exactly this size, so that the sanitizer sees each byte read too far. */
static int unpack_exact(enum image_format format, const uint8_t *data, size_t len, size_t limit,
                        struct bytes *out, struct error *err)
{
    uint8_t *copy = malloc(len ? len : 1);
    int rc;

    memcpy(copy, data, len);
    rc = unpack(format, copy, len, limit, out, err);
    free(copy);
    return rc;
}

static void good(enum image_format format, const uint8_t *data, size_t len, unsigned int copies)
{
    struct bytes out = {0};
    struct error err = {""};

    assert_int_equal(unpack_exact(format, data, len, IMAGE_MAX, &out, &err), 0);
    assert_string_equal(err.text, "");
    assert_int_equal(out.len, copies * ELF_SIZE);
    for (unsigned int i = 0; i < copies; i++)
        assert_memory_equal(out.data + i * ELF_SIZE, elf, ELF_SIZE);
    bytes_free(&out);
}

static void bad(enum image_format format, const uint8_t *data, size_t len, int rc, const char *why)
{
    struct bytes out = {0};
    struct error err = {""};

    assert_int_equal(unpack_exact(format, data, len, IMAGE_MAX, &out, &err), rc);
    assert_non_null(strstr(err.text, why));
    assert_null(out.data);
}

static void each_format_unpacks(void **state)
{
    (void)state;
    good(IMAGE_ELF, elf, ELF_SIZE, 1);
    FORMATS(f)
    {
        struct packed p = packed_elf(f);
        size_t len = p.len;

        good(f, p.data, p.len, 1);
        put_le32(&p, ELF_SIZE);
        good(f, p.data, p.len, 1); /* as kernels have it */
        p.data[len] ^= 1;
        bad(f, p.data, p.len, -EINVAL, "were announced");
    }
}

static void several_streams_follow_one_another(void **state)
{
    (void)state;
    FORMATS(f)
    {
        struct packed p = packed_elf(f), one = p;

        if (p.len * 2 > MAX)
            continue;
        put(&p, one.data, one.len);
        good(f, p.data, p.len, 2);
    }
}

static volatile sig_atomic_t told_to_stop;

static void stop_now(void *ctx, unsigned int percent)
{
    (void)ctx;
    (void)percent;
    told_to_stop = 1;
}

/* In the middle of the work, which only then begins a second stream. */
static void it_stops_when_told_to(void **state)
{
    (void)state;
    unpack_watch(stop_now, NULL);
    stop_on(&told_to_stop);
    FORMATS(f)
    {
        struct packed p = packed_elf(f), one = p;
        struct bytes out = {0};
        struct error err;

        told_to_stop = 0;
        put(&p, one.data, one.len);
        assert_int_equal(unpack_exact(f, p.data, p.len, IMAGE_MAX, &out, &err), -EINTR);
        assert_string_equal(err.text, "interrupted");
        assert_null(out.data);
    }
    stop_on(NULL);
    unpack_watch(NULL, NULL);
}

static void each_truncation_is_told(void **state)
{
    (void)state;
    FORMATS(f)
    {
        struct packed p = packed_elf(f);

        /* The legacy lz4 format has no end mark: cut between blocks it is a shorter file. */
        for (size_t len = f == IMAGE_LZ4_LEGACY ? 5 : 0; len < p.len; len++)
            bad(f, p.data, len, -EINVAL, "");
    }
}

static void what_follows_is_told(void **state)
{
    (void)state;
    FORMATS(f)
    {
        struct packed p = packed_elf(f);

        put(&p, "\0more", 5);
        bad(f, p.data, p.len, -EINVAL, f == IMAGE_LZ4_LEGACY ? "" : "5 bytes follow");
    }
}

/* Which bits matter depends on the format. With a checksum no flip may go unnoticed, but for bits
 * that say nothing about the contents (times, names, hints); without one nothing may go wild. */
static void flipped_bits_do_no_harm(void **state)
{
    (void)state;
    FORMATS(f)
    {
        struct packed p = packed_elf(f);
        bool sums = f != IMAGE_LZ4_LEGACY && f != IMAGE_LZMA;

        for (size_t bit = 0; bit < p.len * 8; bit += bit < 800 ? 1 : 3) {
            struct bytes out = {0};
            struct error err = {""};
            int rc;

            p.data[bit / 8] ^= 1 << bit % 8;
            rc = unpack_exact(f, p.data, p.len, 1 << 20, &out, &err);
            p.data[bit / 8] ^= 1 << bit % 8;
            if (rc == 0 && sums) {
                assert_int_equal(out.len, ELF_SIZE);
                assert_memory_equal(out.data, elf, ELF_SIZE);
            }
            assert_true(rc ? err.text[0] && !out.data : !err.text[0]);
            bytes_free(&out);
        }
    }
}

static void output_is_bounded(void **state)
{
    (void)state;
    FORMATS(f)
    {
        struct packed p = packed_elf(f);
        struct bytes out = {0};
        struct error err = {""};

        assert_int_equal(unpack_exact(f, p.data, p.len, ELF_SIZE - 1, &out, &err), -EFBIG);
        assert_non_null(strstr(err.text, "unpacks to more than"));
        assert_null(out.data);
    }
}

/* ---- bzImage ---- */

enum { SETUP = 3, START = (SETUP + 1) * 512, AT = 40 }; /* the payload: AT bytes after START */

struct bzimage {
    size_t len;
    uint8_t data[START + AT + MAX + 1000];
};

static void set32(struct bzimage *b, unsigned int at, uint32_t val)
{
    memcpy(b->data + at, &val, 4);
}

static struct bzimage *bzimage(const struct packed *p)
{
    static struct bzimage image;
    struct bzimage *b = &image;

    memset(b, 0, sizeof(*b));
    b->data[0x1f1] = SETUP;
    b->data[0x1fe] = 0x55;
    b->data[0x1ff] = 0xaa;
    memcpy(b->data + 0x202, "HdrS\x0f\x02", 6);
    set32(b, 0x248, AT);
    set32(b, 0x24c, p->len);
    memcpy(b->data + START + AT, p->data, p->len);
    b->len = START + AT + p->len + 1000; /* code follows */
    return b;
}

static int from_bzimage(const struct bzimage *b, struct error *err)
{
    uint8_t *copy = malloc(b->len ? b->len : 1);
    struct bytes out = {0};
    int rc;

    memcpy(copy, b->data, b->len);
    err->text[0] = 0;
    rc = image_unpack(copy, b->len, &out, err);
    free(copy);
    if (rc == 0) {
        assert_int_equal(out.len, ELF_SIZE);
        assert_memory_equal(out.data, elf, ELF_SIZE);
    } else {
        assert_null(out.data);
        assert_true(err->text[0]);
    }
    bytes_free(&out);
    return rc;
}

static void bzimages_of_each_format(void **state)
{
    struct packed plain = {.format = IMAGE_ELF};
    struct error err;

    (void)state;
    put(&plain, elf, ELF_SIZE);
    assert_int_equal(from_bzimage(bzimage(&plain), &err), 0);
    FORMATS(f)
    {
        struct packed p = packed_elf(f);
        struct image image;
        struct bzimage *b;

        put_le32(&p, ELF_SIZE);
        b = bzimage(&p);
        assert_int_equal(from_bzimage(b, &err), 0);
        assert_int_equal(image_parse(b->data, b->len, &image, &err), 0);
        assert_true(image.bzimage);
        assert_int_equal(image.format, f);
        assert_int_equal(image.protocol, 0x20f);
        assert_int_equal(image.offset, START + AT);
        assert_int_equal(image.size, p.len);
    }
}

static void bzimage_cut_anywhere(void **state)
{
    struct packed p = packed_elf(IMAGE_GZIP);
    struct bzimage *b = bzimage(&p);
    size_t whole = START + AT + p.len;
    struct error err;

    (void)state;
    for (b->len = 0; b->len < whole; b->len++)
        assert_int_not_equal(from_bzimage(b, &err), 0);
    assert_int_equal(from_bzimage(b, &err), 0);
}

static void bzimage_headers_that_lie(void **state)
{
    struct packed p = packed_elf(IMAGE_XZ), text = {.len = 0};
    struct bzimage *b;
    struct error err;

    (void)state;
    (b = bzimage(&p))->data[0x206] = 7;
    assert_int_equal(from_bzimage(b, &err), -EINVAL);
    assert_string_equal(err.text, "boot protocol 2.07 is too old (2.08 is needed)");

    set32(b = bzimage(&p), 0x24c, 0);
    assert_int_equal(from_bzimage(b, &err), -EINVAL);
    assert_string_equal(err.text, "bzImage without a payload");

    set32(b = bzimage(&p), 0x248, UINT32_MAX);
    assert_int_equal(from_bzimage(b, &err), -EINVAL);
    assert_non_null(strstr(err.text, "outside of the file"));
    set32(b = bzimage(&p), 0x24c, UINT32_MAX);
    assert_int_equal(from_bzimage(b, &err), -EINVAL);
    assert_non_null(strstr(err.text, "outside of the file"));

    (b = bzimage(&p))->data[0x1f1] = 0; /* means 4: the payload is missed */
    assert_int_equal(from_bzimage(b, &err), -EINVAL);
    assert_non_null(strstr(err.text, "unknown format"));
    b->data[0x1f1] = 255;
    assert_int_equal(from_bzimage(b, &err), -EINVAL);
    assert_non_null(strstr(err.text, "outside of the file"));

    put(&text, "hello, world", 12);
    assert_int_equal(from_bzimage(bzimage(&text), &err), -EINVAL);
    assert_non_null(strstr(err.text, "unknown format"));
}

static void other_files(void **state)
{
    struct error err;
    struct bytes out = {0};
    uint8_t zip[100];
    unsigned int len = sizeof(zip);

    (void)state;
    assert_int_equal(image_unpack(elf, 0, &out, &err), -ENOEXEC);
    assert_string_equal(err.text, "file is empty");
    assert_int_equal(image_unpack((uint8_t *)"hello", 5, &out, &err), -ENOEXEC);
    assert_int_equal(BZ2_bzBuffToBuffCompress((char *)zip, &len, (char *)"text", 4, 9, 0, 0), 0);
    assert_int_equal(image_unpack(zip, len, &out, &err), -ENOEXEC);
    assert_string_equal(err.text, "what is in it (bzip2) is no ELF file");
    assert_null(out.data);
}

static void load_from_disk(void **state)
{
    char path[] = "/tmp/image_test.XXXXXX";
    struct packed p = packed_elf(IMAGE_ZSTD);
    struct bzimage *b = bzimage(&p);
    int fd = mkstemp(path);
    void *buf = NULL;
    struct error err;
    size_t len = 0;

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, b->data, b->len), b->len);
    close(fd);
    assert_int_equal(image_load(path, &buf, &len, &err), 0);
    assert_int_equal(len, ELF_SIZE);
    assert_memory_equal(buf, elf, len);
    free(buf);
    buf = NULL;
    unlink(path);
    assert_int_equal(image_load(path, &buf, &len, &err), -ENOENT);
    assert_string_equal(err.text, "No such file or directory");
    assert_int_equal(image_load("/tmp", &buf, &len, &err), -EISDIR);
    assert_int_equal(image_load("/dev/null", &buf, &len, NULL), -ENOEXEC);
    assert_null(buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_format_unpacks),
        cmocka_unit_test(several_streams_follow_one_another),
        cmocka_unit_test(it_stops_when_told_to),
        cmocka_unit_test(each_truncation_is_told),
        cmocka_unit_test(what_follows_is_told),
        cmocka_unit_test(flipped_bits_do_no_harm),
        cmocka_unit_test(output_is_bounded),
        cmocka_unit_test(bzimages_of_each_format),
        cmocka_unit_test(bzimage_cut_anywhere),
        cmocka_unit_test(bzimage_headers_that_lie),
        cmocka_unit_test(other_files),
        cmocka_unit_test(load_from_disk),
    };

    return cmocka_run_group_tests(tests, make_elf, NULL);
}

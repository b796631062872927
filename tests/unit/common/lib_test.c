/* SPDX-License-Identifier: MIT */
/* The small C library beside the host's: formatted output, parsing, bit searches, strings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <hv/lib.h>
#include <limits.h>
#include <stdlib.h>

/* string.c under other names, beside the C library's own. */
#define memcmp  our_memcmp
#define memchr  our_memchr
#define strnlen our_strnlen
#define strlen  our_strlen
#define strncmp our_strncmp
#define strcmp  our_strcmp
#define STRING_UNDER_TEST
#include "../../../hypervisor/common/string.c"
#undef memcmp
#undef memchr
#undef strnlen
#undef strlen
#undef strncmp
#undef strcmp

/* The same format and arguments through ours and the C library's. */
#define SAME(...)                                                                                  \
    do {                                                                                           \
        char ours_[256], theirs_[256];                                                             \
        for (size_t room_ = 0; room_ < 70; room_++) {                                              \
            int o_, t_;                                                                            \
            memset(ours_, 'q', sizeof(ours_));                                                     \
            memset(theirs_, 'q', sizeof(theirs_));                                                 \
            o_ = hv_snprintf(ours_, room_, __VA_ARGS__);                                           \
            t_ = snprintf(theirs_, room_, __VA_ARGS__);                                            \
            assert_int_equal(o_, t_);                                                              \
            assert_string_equal(room_ ? ours_ : "", room_ ? theirs_ : "");                         \
            assert_int_equal(ours_[room_], 'q');                                                   \
        }                                                                                          \
    } while (0)

#pragma GCC diagnostic ignored "-Wformat"
#pragma GCC diagnostic ignored "-Wformat-truncation"
#pragma GCC diagnostic ignored "-Wformat-overflow"

static void formats(void **state)
{
    static const long long values[] = {0,
                                       1,
                                       -1,
                                       9,
                                       10,
                                       255,
                                       -256,
                                       INT_MAX,
                                       INT_MIN,
                                       UINT_MAX,
                                       LLONG_MAX,
                                       LLONG_MIN,
                                       0x123456789abcdef};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        long long v = values[i];

        SAME("%d|%u|%x", (int)v, (unsigned)v, (unsigned)v);
        SAME("%ld|%lu|%lx", (long)v, (unsigned long)v, (unsigned long)v);
        SAME("%lld|%llu|%llx", v, v, v);
        SAME("%zu|%zx", (size_t)v, (size_t)v);
        SAME("%5d|%05d|%05x", (int)v, (int)v, (int)v);
        SAME("%#x|%#10x|%#010x|%#lx", (unsigned)v, (unsigned)v, (unsigned)v, (unsigned long)v);
        SAME("%7d|%016lx", (int)v, (unsigned long)v);
    }
    SAME("%s|%10s|%.*s|%5.*s", "abc", "abc", 2, "xyz", 1, "xyz");
    SAME("%c|%3c|%%", 'a', 'b');
    SAME("%p", (void *)0x1234abcd);
    SAME("plain");
}

static void odd_formats(void **state)
{
    char buf[64];

    (void)state;
    hv_snprintf(buf, sizeof(buf), "%s", (char *)NULL);
    assert_string_equal(buf, "(null)");
    hv_snprintf(buf, sizeof(buf), "a%qb");
    assert_string_equal(buf, "a%qb");
    hv_snprintf(buf, sizeof(buf), "end%");
    assert_string_equal(buf, "end%");
    hv_snprintf(buf, sizeof(buf), "end%05l");
    assert_string_equal(buf, "end%05l");
    hv_snprintf(buf, sizeof(buf), "%p", NULL);
    assert_string_equal(buf, "0x0");
    hv_snprintf(buf, sizeof(buf), "%+d %hd %X %-3d", 1, 2, 3,
                4); /* what nobody uses is not there */
    assert_string_equal(buf, "%+d %hd %X %-3d");
}

static void copying_and_parsing(void **state)
{
    char buf[8];
    const char *end;

    (void)state;
    memset(buf, 'x', sizeof(buf));
    assert_int_equal(hv_strlcpy(buf, "abc", sizeof(buf)), 3);
    assert_memory_equal(buf, "abc\0\0\0\0\0", 8);
    assert_int_equal(hv_strlcpy(buf, "0123456789", sizeof(buf)), 10);
    assert_string_equal(buf, "0123456");
    assert_int_equal(hv_strlcpy(buf, "zz", 0), 2);
    assert_string_equal(buf, "0123456");

    assert_int_equal(hv_strtoul("123abc", &end, 10), 123);
    assert_string_equal(end, "abc");
    assert_int_equal(hv_strtoul("0x1fG", &end, 0), 0x1f);
    assert_string_equal(end, "G");
    assert_int_equal(hv_strtoul("0X1F", &end, 16), 0x1f);
    assert_int_equal(hv_strtoul("017", &end, 0), 15);
    assert_int_equal(hv_strtoul("0x", &end, 0), 0);
    assert_string_equal(end, "x");
    assert_int_equal(hv_strtoul("18446744073709551615", &end, 10), ULONG_MAX);
    assert_int_equal(hv_strtoul("18446744073709551616z", &end, 10), ULONG_MAX);
    assert_string_equal(end, "z");
    assert_int_equal(hv_strtoul("99999999999999999999999k", &end, 0), ULONG_MAX);
    assert_string_equal(end, "k");
    assert_int_equal(hv_strtoul("", &end, 0), 0);
}

static void bit_searches(void **state)
{
    unsigned long map[4];
    unsigned int seed = 1;

    (void)state;
    for (int round = 0; round < 2000; round++) {
        unsigned long size = (unsigned long)rand_r(&seed) % 257;

        for (int i = 0; i < 4; i++) {
            int kind = rand_r(&seed) % 4;

            map[i] = kind == 0 ? 0 : kind == 1 ? ~0UL : 1UL << (rand_r(&seed) % 64);
        }
        for (unsigned long from = 0; from < 260; from++) {
            unsigned long one = size;

            for (unsigned long i = size; i-- > from;) {
                if (map[i / 64] >> (i % 64) & 1)
                    one = i;
            }
            assert_int_equal(find_next_bit(map, size, from), one);
        }
    }
    assert_int_equal(ffs64(0), 64);
    assert_int_equal(fls64(0), 0);
    assert_int_equal(ffs64(1UL << 63), 63);
    assert_int_equal(fls64(1UL << 63), 64);
    assert_int_equal(popcount64(0xf0f0), 8);
}

static void multiplying_and_dividing(void **state)
{
    unsigned int seed = 5;

    (void)state;
    for (int i = 0; i < 100000; i++) {
        uint64_t v[3];
        unsigned __int128 r;

        for (int k = 0; k < 3; k++) {
            v[k] = (uint64_t)rand_r(&seed) << 33 ^ (uint64_t)rand_r(&seed) << 11 ^ 1;
            v[k] >>= rand_r(&seed) % 63;
        }
        v[2] |= 1;
        r = (unsigned __int128)v[0] * v[1] / v[2];
        assert_true(muldiv64(v[0], v[1], v[2]) == (r > UINT64_MAX ? UINT64_MAX : (uint64_t)r));
    }
    assert_true(muldiv64(UINT64_MAX, UINT64_MAX, 1) == UINT64_MAX);
    assert_true(muldiv64(UINT64_MAX, UINT64_MAX, UINT64_MAX) == UINT64_MAX);
}

static int sign(int v)
{
    return (v > 0) - (v < 0);
}

static void strings(void **state)
{
    static const char *const s[] = {"", "a", "ab", "abc", "b", "\xff", "abab", "bab", "aab"};
    char buf[16];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(s); i++) {
        assert_int_equal(our_strlen(s[i]), strlen(s[i]));
        assert_int_equal(our_strnlen(s[i], 2), strnlen(s[i], 2));
        for (int c = 0; c < 256; c++) {
            assert_ptr_equal(our_memchr(s[i], c, strlen(s[i])), memchr(s[i], c, strlen(s[i])));
        }
        for (size_t k = 0; k < ARRAY_SIZE(s); k++) {
            size_t n = strlen(s[i]) < strlen(s[k]) ? strlen(s[i]) : strlen(s[k]);

            assert_int_equal(sign(our_strcmp(s[i], s[k])), sign(strcmp(s[i], s[k])));
            assert_int_equal(sign(our_strncmp(s[i], s[k], 2)), sign(strncmp(s[i], s[k], 2)));
            assert_int_equal(sign(our_memcmp(s[i], s[k], n)), sign(memcmp(s[i], s[k], n)));
        }
    }
    assert_int_equal(hv_snprintf(buf, sizeof(buf), "%u-%s", 7u, "x"), 3);
    assert_string_equal(buf, "7-x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats),
        cmocka_unit_test(odd_formats),
        cmocka_unit_test(copying_and_parsing),
        cmocka_unit_test(bit_searches),
        cmocka_unit_test(multiplying_and_dividing),
        cmocka_unit_test(strings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Rings of bytes: two ends that behave, in any rhythm and across the wrap of the indexes, also on
 * two threads; and one that does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ring-protocol/byte_ring.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

enum { SIZE = 64 };

static struct {
    uint8_t before[8], data[SIZE], after[8]; /* the neighbours must not change */
    uint32_t cons, prod;
} page;
static struct byte_ring producer, consumer;

static void begin_at(uint32_t index)
{
    memset(&page, 0xee, sizeof(page));
    page.cons = page.prod = index;
    producer = (struct byte_ring){page.data, SIZE, &page.cons, &page.prod, index};
    consumer = producer;
}

static int start(void **state)
{
    (void)state;
    begin_at(UINT32_MAX - 1000);
    return 0;
}

static void what_goes_in_comes_out(void **state)
{
    uint32_t seed = 1, in = 0, out = 0;

    (void)state;
    for (unsigned int i = 0; i < 100000; i++) {
        uint8_t buf[SIZE + 8];
        size_t want;
        long n;

        seed = seed * 1664525 + 1013904223;
        want = (seed >> 16) % sizeof(buf);
        if (seed >> 31) {
            for (size_t k = 0; k < want; k++)
                buf[k] = (in + k) * 7;
            n = byte_ring_write(&producer, buf, want);
            assert_int_equal(n, want < SIZE - (in - out) ? want : SIZE - (in - out));
            in += n;
            byte_ring_produced(&producer);
        } else {
            n = byte_ring_read(&consumer, buf, want);
            assert_int_equal(n, want < in - out ? want : in - out);
            for (long k = 0; k < n; k++)
                assert_int_equal(buf[k], (uint8_t)((out + k) * 7));
            out += n;
            byte_ring_consumed(&consumer);
        }
    }
    assert_true(page.prod < UINT32_MAX / 2); /* it has wrapped */
    for (unsigned int i = 0; i < 8; i++)
        assert_int_equal(page.before[i] + page.after[i], 2 * 0xee);
}

static void nothing_shows_before_it_is_shown(void **state)
{
    uint8_t buf[SIZE] = "abc";

    (void)state;
    assert_int_equal(byte_ring_write(&producer, buf, 3), 3);
    assert_int_equal(byte_ring_read(&consumer, buf, SIZE), 0);
    byte_ring_produced(&producer);
    assert_int_equal(byte_ring_read(&consumer, buf, SIZE), 3);
    assert_int_equal(byte_ring_write(&producer, buf, SIZE), SIZE - 3);
    byte_ring_consumed(&consumer);
    assert_int_equal(byte_ring_write(&producer, buf, SIZE), 3);
    assert_int_equal(byte_ring_write(&producer, buf, SIZE), 0);
}

/* Whatever stands in the page: an error, or bytes of the ring. */
static void hostile_indexes(void **state)
{
    static const uint32_t odd[] = {
        0,         1, SIZE, SIZE + 1, 1u << 31, UINT32_MAX, UINT32_MAX - 1000, UINT32_MAX - 999,
        0xeeeeeeee};

    (void)state;
    for (unsigned int c = 0; c < sizeof(odd) / 4; c++) {
        for (unsigned int p = 0; p < sizeof(odd) / 4; p++) {
            uint8_t buf[2 * SIZE];
            long n;

            begin_at(UINT32_MAX - 1000);
            page.cons = odd[c];
            page.prod = odd[p];
            n = byte_ring_read(&consumer, buf, sizeof(buf));
            if (odd[p] - (UINT32_MAX - 1000) > SIZE)
                assert_int_equal(n, BYTE_RING_BROKEN);
            else
                assert_int_equal(n, odd[p] - (UINT32_MAX - 1000));
            n = byte_ring_write(&producer, buf, sizeof(buf));
            if (UINT32_MAX - 1000 - odd[c] > SIZE)
                assert_int_equal(n, BYTE_RING_BROKEN);
            else
                assert_int_equal(n, SIZE - (UINT32_MAX - 1000 - odd[c]));
            if (n == BYTE_RING_BROKEN)
                assert_int_equal(page.data[0], 0xee);
        }
    }
    page.prod = 0;
    page.cons = 0;
    consumer.pos = 0;
    page.prod = 5;
    assert_int_equal(byte_ring_read(&consumer, (uint8_t[8]){0}, 8), 5);
    page.cons = 77; /* ours, spoiled: it is not read */
    page.prod = 7;
    assert_int_equal(byte_ring_read(&consumer, (uint8_t[8]){0}, 8), 2);
    byte_ring_consumed(&consumer);
    assert_int_equal(page.cons, 7);
}

static void room(void **state)
{
    (void)state;
    assert_int_equal(byte_ring_room(&producer), SIZE);
    assert_int_equal(byte_ring_write(&producer, "hello", 5), 5);
    assert_int_equal(byte_ring_room(&producer), SIZE - 5);
    page.cons += 6; /* more than there was */
    assert_int_equal(byte_ring_room(&producer), BYTE_RING_BROKEN);
    page.cons -= 1;
    assert_int_equal(byte_ring_room(&producer), SIZE);
    page.cons -= SIZE + 1;
    assert_int_equal(byte_ring_room(&producer), BYTE_RING_BROKEN);
}

enum { TOTAL = 1 << 20 };

static void *produce(void *arg)
{
    uint32_t done = 0;

    while (done < TOTAL) {
        uint8_t buf[37];
        size_t want = TOTAL - done < sizeof(buf) ? TOTAL - done : sizeof(buf);
        long n;

        for (size_t k = 0; k < want; k++)
            buf[k] = (done + k) * 13;
        n = byte_ring_write(&producer, buf, want);
        if (n == 0)
            sched_yield();
        byte_ring_produced(&producer);
        done += n;
    }
    return arg;
}

static void two_threads(void **state)
{
    uint32_t done = 0, wrong = 0;
    pthread_t thread;

    (void)state;
    pthread_create(&thread, NULL, produce, NULL);
    while (done < TOTAL) {
        uint8_t buf[29];
        long n = byte_ring_read(&consumer, buf, sizeof(buf));

        if (n == 0)
            sched_yield();
        for (long k = 0; k < n; k++)
            wrong += buf[k] != (uint8_t)((done + k) * 13);
        byte_ring_consumed(&consumer);
        done += n;
    }
    pthread_join(thread, NULL);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_goes_in_comes_out, start),
        cmocka_unit_test_setup(nothing_shows_before_it_is_shown, start),
        cmocka_unit_test_setup(hostile_indexes, start),
        cmocka_unit_test_setup(two_threads, start),
        cmocka_unit_test_setup(room, start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* The console: log ring, sinks, input, debug keys, and console_io as domains see it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <hv/console.h>
#include <hv/errno.h>
#include <hv/hypercall.h>
#include <hv/printk.h>
#include <hv/softirq.h>
#include "fake.h"

static char shown[65536];
static size_t nr_shown;
static unsigned int keys_seen;

static void show(const char *s, size_t n)
{
    assert_true(nr_shown + n < sizeof(shown));
    memcpy(shown + nr_shown, s, n);
    nr_shown += n;
    shown[nr_shown] = '\0';
}

static struct console_sink sink = {.write = show};

void debugkey_handle(char key)
{
    keys_seen += key == 'x';
}

/* Tasklets are what interrupts leave behind; here they run at once. */
void tasklet_schedule(struct tasklet *t)
{
    t->fn(t->data);
}

static int setup(void **state)
{
    static bool added;

    (void)state;
    fake_init(0, 1);
    fake_now = SECONDS(1);
    if (!added) {
        console_init();
        console_write_line("early\n", 6);
        console_add_sink(&sink);
        added = true;
        assert_string_equal(shown, "early\n"); /* a new sink is told what came before */
    }
    nr_shown = 0;
    shown[0] = '\0';
    return 0;
}

static struct domain *run_domain(domid_t id, bool privileged)
{
    struct domain *d = fake_domain(id, privileged, 1);

    spin_lock_init(&d->console_lock, LOCK_DOMAIN);
    fake_run(d->vcpu[0]);
    return d;
}

static long write_text(const char *s)
{
    return do_console_io(CONSOLEIO_write, (unsigned int)strlen(s), guest_ptr((uintptr_t)s));
}

static void messages_begin_a_line(void **state)
{
    (void)state;
    console_write("half", 4);
    printk(LOG_ERR, "number %d", 7);
    assert_string_equal(shown, "half\n(socle) number 7\n");
}

static void long_messages_are_cut(void **state)
{
    (void)state;
    printk(LOG_ERR, "%0400d", 1);
    assert_true(nr_shown < 300);
    assert_int_equal(shown[nr_shown - 1], '\n');
}

static void levels_hold_back(void **state)
{
    (void)state;
    opt_loglvl = LOG_WARN;
    printk(LOG_INFO, "no");
    printk(LOG_WARN, "yes");
    opt_loglvl = LOG_INFO;
    assert_string_equal(shown, "(socle) yes\n");
}

static void ring_is_read_in_pieces(void **state)
{
    char buf[32];
    uint32_t index = 0;

    (void)state;
    (void)console_read_ring(buf, 0, &index, false, true);
    console_write_line("abcdef", 6);
    assert_int_equal(console_read_ring(buf, 4, &index, false, false), 4);
    assert_memory_equal(buf, "abcd", 4);
    assert_int_equal(console_read_ring(buf, 32, &index, true, false), 2);
    assert_memory_equal(buf, "ef", 2);
    assert_int_equal(console_read_ring(buf, 32, &index, true, false), 0);
    index = 0xdeadbeef; /* nonsense of the caller's means: from the beginning */
    assert_int_equal(console_read_ring(buf, 32, &index, true, false), 6);
    index = 0;
    assert_int_equal(console_read_ring(buf, 32, &index, false, true), 6);
    assert_int_equal(console_read_ring(buf, 32, &index, false, false), 0);
}

static void ring_keeps_the_latest(void **state)
{
    static char all[65536];
    uint32_t index = 0;
    size_t n;

    (void)state;
    for (unsigned int i = 0; i < 3000; i++) {
        char line[8];

        snprintf(line, sizeof(line), "%06u\n", i);
        nr_shown = 0;
        console_write_line(line, 7);
    }
    n = console_read_ring(all, sizeof(all), &index, false, false);
    assert_true(n >= 8192 && n <= 3000 * 7);
    assert_memory_equal(all + n - 7, "002999\n", 7);
}

static void dom0_writes_raw(void **state)
{
    (void)state;
    run_domain(0, true);
    assert_int_equal(write_text("ok 1\n\x1b[m\n"), 0);
    assert_string_equal(shown, "ok 1\n\x1b[m\n");
}

static void others_write_marked_lines(void **state)
{
    (void)state;
    run_domain(3, false);
    assert_int_equal(write_text("one\ntwo"), 0);
    assert_string_equal(shown, "(d3) one\n");
    assert_int_equal(write_text(" and \x1b[31m\n"), 0);
    assert_string_equal(shown, "(d3) one\n(d3) two and .[31m\n");
}

static void others_cannot_flood(void **state)
{
    size_t before;

    (void)state;
    run_domain(3, false);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(write_text("line\n"), 0);
    before = nr_shown;
    assert_true(before < 100 * strlen("(d3) line\n"));
    fake_now += SECONDS(10);
    assert_int_equal(write_text("line\n"), 0);
    assert_true(nr_shown > before);
}

static void a_line_without_end_is_cut(void **state)
{
    (void)state;
    run_domain(3, false);
    for (int i = 0; i < 100; i++)
        assert_int_equal(write_text("0123456789"), 0);
    assert_true(strchr(shown, '\n') != NULL);
}

static void bad_calls_are_refused(void **state)
{
    char buf[8];

    (void)state;
    run_domain(3, false);
    assert_int_equal(do_console_io(CONSOLEIO_write, 5, guest_ptr(8)), -EFAULT);
    assert_int_equal(do_console_io(CONSOLEIO_read, 8, guest_ptr((uintptr_t)buf)), -EPERM);
    assert_int_equal(do_console_io(77, 8, guest_ptr((uintptr_t)buf)), -ENOSYS);
    assert_int_equal(do_console_io(CONSOLEIO_write, 0, guest_ptr(8)), 0);
}

static void long_writes_are_preempted(void **state)
{
    static char text[4096];

    (void)state;
    run_domain(0, true);
    memset(text, 'x', sizeof(text));
    fake_preempt_every = 4;
    assert_int_equal(do_console_io(CONSOLEIO_write, sizeof(text), guest_ptr((uintptr_t)text)),
                     FAKE_CONTINUED);
    assert_int_equal(fake_continuation.args[0], CONSOLEIO_write);
    assert_int_equal(fake_continuation.args[1] + nr_shown, sizeof(text));
    assert_int_equal(fake_continuation.args[2], (uintptr_t)text + nr_shown);
}

static void input_goes_to_dom0(void **state)
{
    char buf[512];

    (void)state;
    run_domain(0, true);
    for (const char *s = "hello"; *s; s++)
        console_input((uint8_t)*s);
    assert_int_equal(do_console_io(CONSOLEIO_read, 3, guest_ptr((uintptr_t)buf)), 3);
    assert_memory_equal(buf, "hel", 3);
    assert_int_equal(do_console_io(CONSOLEIO_read, 8, guest_ptr((uintptr_t)buf)), 2);
    assert_int_equal(do_console_io(CONSOLEIO_read, 8, guest_ptr((uintptr_t)buf)), 0);
    for (int i = 0; i < 2000; i++) /* nobody reads: the rest is lost */
        console_input('y');
    assert_in_range(do_console_io(CONSOLEIO_read, 512, guest_ptr((uintptr_t)buf)), 1, 512);
}

static void three_ctrl_a_reach_the_keys(void **state)
{
    char buf[8];

    (void)state;
    run_domain(0, true);
    keys_seen = 0;
    console_input(1);
    console_input(1);
    console_input('x'); /* only two: dom0's */
    assert_int_equal(do_console_io(CONSOLEIO_read, 8, guest_ptr((uintptr_t)buf)), 1);
    for (int i = 0; i < 3; i++)
        console_input(1);
    console_input('x');
    console_input('h');
    console_input(0xff);
    assert_int_equal(keys_seen, 1);
    assert_int_equal(do_console_io(CONSOLEIO_read, 8, guest_ptr((uintptr_t)buf)), 0);
    for (int i = 0; i < 3; i++)
        console_input(1);
    console_input('z');
    assert_int_equal(do_console_io(CONSOLEIO_read, 8, guest_ptr((uintptr_t)buf)), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(messages_begin_a_line, setup),
        cmocka_unit_test_setup(long_messages_are_cut, setup),
        cmocka_unit_test_setup(levels_hold_back, setup),
        cmocka_unit_test_setup(ring_is_read_in_pieces, setup),
        cmocka_unit_test_setup(ring_keeps_the_latest, setup),
        cmocka_unit_test_setup(dom0_writes_raw, setup),
        cmocka_unit_test_setup(others_write_marked_lines, setup),
        cmocka_unit_test_setup(others_cannot_flood, setup),
        cmocka_unit_test_setup(a_line_without_end_is_cut, setup),
        cmocka_unit_test_setup(bad_calls_are_refused, setup),
        cmocka_unit_test_setup(long_writes_are_preempted, setup),
        cmocka_unit_test_setup(input_goes_to_dom0, setup),
        cmocka_unit_test_setup(three_ctrl_a_reach_the_keys, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* The console daemon: what a guest writes is in the log and with each reader once, whoever is slow,
 * killed, or hostile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "consoled_kit.h"
#include "dom0-tools/consoled/hypervisor.h"
#include "dom0-tools/consoled/stream.h"
#include "fake_xcall.h"

#include <errno.h>
#include <sys/wait.h>
#include <termios.h>

static const uint8_t key[HISTORY_KEY] = "one", other_key[HISTORY_KEY] = "two";

static int start(void **state)
{
    (void)state;
    kit_start();
    return 0;
}

static int stop(void **state)
{
    (void)state;
    kit_stop();
    return 0;
}

/* A stream of bytes that tell their place. */
static void fill(uint8_t *buf, uint64_t from, size_t len)
{
    for (size_t i = 0; i < len; i++)
        buf[i] = (from + i) * 31 + (from + i) / 251;
}

static void check_bytes(const void *data, uint64_t from, size_t len)
{
    uint8_t *want = malloc(len + 1);

    fill(want, from, len);
    assert_memory_equal(data, want, len);
    free(want);
}

/* ---- history ---- */

static void add(struct history *h, size_t len)
{
    uint8_t buf[HISTORY_STEP];

    fill(buf, history_end(h), len);
    history_append(h, buf, len);
}

static void check_all(const struct history *h)
{
    uint64_t pos = 0, missed;
    const uint8_t *data;
    size_t len;

    len = history_peek(h, &pos, &data, &missed);
    assert_int_equal(pos, history_start(h));
    assert_int_equal(missed, history_start(h));
    while (len) {
        check_bytes(data, pos, len);
        pos += len;
        len = history_peek(h, &pos, &data, &missed);
        assert_int_equal(missed, 0);
    }
    assert_int_equal(pos, history_end(h));
}

static void history_has_the_last_part(void **state)
{
    uint32_t seed = 1;
    struct history h;

    (void)state;
    assert_int_equal(history_open(&h, kit_path("h"), 1, key, 8192), 0);
    for (unsigned int i = 0; i < 300; i++) {
        seed = seed * 1664525 + 1013904223;
        add(&h, (seed >> 16) % (HISTORY_STEP + 1));
        check_all(&h);
        assert_true(history_end(&h) - history_start(&h) <= 8192 - HISTORY_STEP);
    }
    assert_true(history_start(&h) > 100000);
    assert_int_equal(history_end(&h) - history_start(&h), 8192 - HISTORY_STEP);
    history_close(&h);
}

static void history_goes_on(void **state)
{
    struct history h;
    struct stat st;

    (void)state;
    assert_int_equal(history_open(&h, kit_path("h"), 1, key, 8192), 0);
    for (unsigned int i = 0; i < 10; i++)
        add(&h, 1000);
    history_close(&h);
    assert_int_equal(stat(kit_path("h"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(history_open(&h, kit_path("h"), 1, key, 8192), 1);
    assert_int_equal(history_end(&h), 10000);
    check_all(&h);
    history_close(&h);
    assert_int_equal(history_open(&h, kit_path("h"), 1, other_key, 8192), 0);
    assert_int_equal(history_end(&h), 0);
    add(&h, 5);
    history_close(&h);
    assert_int_equal(history_open(&h, kit_path("h"), 2, other_key, 8192), 0); /* another id */
    history_close(&h);
    assert_int_equal(history_open(&h, kit_path("h"), 2, other_key, 16384), 0); /* another size */
    history_forget(&h);
    assert_int_equal(stat(kit_path("h"), &st), -1);
    history_close(&h);
}

static void history_without_a_file(void **state)
{
    struct history h;

    (void)state;
    assert_int_equal(history_open(&h, "/nonexistent/h", 1, key, 8192), -ENOENT);
    add(&h, 100);
    check_all(&h);
    history_close(&h);
}

/* ---- log files ---- */

static void names_stay_in_the_folder(void **state)
{
    static const struct {
        const char *name, *file;
    } table[] = {
        {"debian", "/d/debian.log"},
        {"a/b", "/d/a%2Fb.log"},
        {"../../etc/passwd", "/d/%2E.%2F..%2Fetc%2Fpasswd.log"},
        {"..", "/d/%2E..log"},
        {".", "/d/%2E.log"},
        {"a%2Fb", "/d/a%252Fb.log"},
        {"a\nb c", "/d/a%0Ab%20c.log"},
        {"hypervisor", "/d/%68ypervisor.log"},
        {"hypervisor2", "/d/hypervisor2.log"},
        {"", "/d/.log"},
    };

    (void)state;
    for (unsigned int i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        char *path = logfile_name("/d", table[i].name);

        assert_string_equal(path, table[i].file);
        free(path);
    }
}

static void log_is_rotated(void **state)
{
    struct logfile l;
    struct stat st;
    size_t len;
    char *text;

    (void)state;
    assert_int_equal(logfile_open(&l, kit_path("l"), 10, 2), 0);
    assert_int_equal(logfile_write(&l, "first", 5), 5);
    assert_int_equal(logfile_room(&l), 5);
    for (unsigned int i = 0; i < 4; i++) {
        char c[2] = {'a' + i};

        assert_int_equal(logfile_rotate(&l), 0);
        assert_int_equal(logfile_write(&l, c, 1), 1);
    }
    assert_int_equal(stat(kit_path("l.3"), &st), -1);
    assert_int_equal(stat(kit_path("l"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    text = kit_read_logs(kit_path("l"), &len);
    assert_string_equal(text, "bcd");
    free(text);
    logfile_close(&l);
    assert_int_equal(logfile_open(&l, kit_path("l"), 10, 0), 0);
    assert_int_equal(logfile_room(&l), 9);
    assert_int_equal(logfile_rotate(&l), 0);
    assert_int_equal(logfile_room(&l), 10);
    logfile_close(&l);
}

static void log_is_a_file(void **state)
{
    struct logfile l;

    (void)state;
    assert_int_equal(symlink("/dev/null", kit_path("l")), 0);
    assert_int_equal(logfile_open(&l, kit_path("l"), 10, 2), -ELOOP);
    logfile_close(&l);
    assert_int_equal(logfile_open(&l, "/dev/null", 10, 2), -EINVAL);
    logfile_close(&l);
}

/* ---- streams: killed at each point, the log has each byte once ---- */

static void open_stream(struct stream *s)
{
    stream_open(s, kit_path("s.history"), 1, key, 8192);
    stream_log_to(s, kit_path("s.log"), 4096, 99);
}

static void append(struct stream *s, size_t len)
{
    uint8_t buf[HISTORY_STEP];

    fill(buf, history_end(&s->history), len);
    stream_append(s, buf, len);
}

/* The process is gone, at this point. */
static void killed(struct stream *s)
{
    logfile_close(&s->log);
    history_close(&s->history);
    open_stream(s);
}

static void check_log(uint64_t want)
{
    size_t len;
    char *text = kit_read_logs(kit_path("s.log"), &len);

    assert_int_equal(len, want);
    check_bytes(text, 0, len);
    free(text);
}

static void killed_before_the_log_has_it(void **state)
{
    struct stream s;

    (void)state;
    open_stream(&s);
    append(&s, 1000);
    for (unsigned int i = 1; i <= 20; i++) { /* also where the log is full */
        add(&s.history, i * 70);
        killed(&s);
        check_log(history_end(&s.history));
        append(&s, 11);
    }
    check_log(history_end(&s.history));
    stream_close(&s);
}

static void killed_when_the_log_has_a_part(void **state)
{
    uint8_t buf[HISTORY_STEP];
    struct stream s;

    (void)state;
    open_stream(&s);
    append(&s, 500);
    for (unsigned int part = 0; part <= 300; part += 50) {
        fill(buf, history_end(&s.history), 300);
        history_append(&s.history, buf, 300);
        assert_int_equal(logfile_write(&s.log, buf, part), part);
        killed(&s);
        check_log(history_end(&s.history));
    }
    stream_close(&s);
}

static void killed_while_the_log_is_rotated(void **state)
{
    struct stream s;

    (void)state;
    open_stream(&s);
    append(&s, 2048);
    append(&s, 2048); /* full */
    add(&s.history, 100);
    s.history.head->rotating = s.logged;
    killed(&s); /* before the rename */
    check_log(4196);
    append(&s, 2000);
    append(&s, 1996); /* full again */
    add(&s.history, 100);
    s.history.head->rotating = s.logged;
    assert_int_equal(rename(kit_path("s.log.1"), kit_path("s.log.2")), 0);
    assert_int_equal(rename(kit_path("s.log"), kit_path("s.log.1")), 0);
    killed(&s); /* after it */
    check_log(history_end(&s.history));
    append(&s, 100);
    assert_int_equal(logfile_rotate(&s.log), 0); /* the new one is there, but not noted */
    s.history.head->rotating = s.logged;
    add(&s.history, 100);
    killed(&s);
    check_log(history_end(&s.history));
    stream_close(&s);
}

static void log_that_is_put_aside(void **state)
{
    struct stream s;

    (void)state;
    open_stream(&s);
    append(&s, 100);
    assert_int_equal(rename(kit_path("s.log"), kit_path("s.log.1")), 0);
    append(&s, 100); /* still goes to the old file */
    stream_reopen_log(&s);
    append(&s, 100);
    check_log(300);
    killed(&s);
    append(&s, 100);
    check_log(400);
    stream_close(&s);
}

/* No room, or no folder: what the history still has is made up for later, the rest is told of. */
static void log_that_cannot_be_written(void **state)
{
    struct stream s;
    size_t len;
    char *text;

    (void)state;
    stream_open(&s, kit_path("s.history"), 1, key, 8192);
    stream_log_to(&s, kit_path("sub.log/s.log"), 100000, 99);
    append(&s, 1000);
    append(&s, 1000);
    assert_non_null(strstr(fake_told, "/sub.log/s.log: No such file or directory"));
    assert_int_equal(mkdir(kit_path("sub.log"), 0700), 0);
    append(&s, 1000);
    text = kit_read(kit_path("sub.log/s.log"), &len);
    assert_int_equal(len, 3000);
    check_bytes(text, 0, len);
    free(text);
    unlink(kit_path("sub.log/s.log"));
    rmdir(kit_path("sub.log"));
    stream_reopen_log(&s);
    for (unsigned int i = 0; i < 7; i++)
        append(&s, 1000);
    assert_int_equal(mkdir(kit_path("sub.log"), 0700), 0);
    append(&s, 1000);
    text = kit_read(kit_path("sub.log/s.log"), &len);
    assert_string_equal(strtok(text, "\n"), "[socle-consoled: 1856 bytes missed]");
    check_bytes(text + 37, history_start(&s.history), 8192 - HISTORY_STEP);
    assert_int_equal(len, 37 + 8192 - HISTORY_STEP);
    free(text);
    unlink(kit_path("sub.log/s.log"));
    rmdir(kit_path("sub.log"));
    stream_close(&s);
}

/* ---- the hypervisor's log ---- */

static void check_hypervisor_log(const char *want)
{
    size_t len;
    char *text = kit_read_logs(kit_path("hypervisor.log"), &len);

    assert_string_equal(text, want);
    free(text);
}

static void the_hypervisors_log(void **state)
{
    (void)state;
    fake_hypervisor = true;
    fake_log = "booting\n";
    hypervisor_log_start(kit_now);
    assert_int_equal(hypervisor_log_turn(kit_now), INT64_MAX);
    check_hypervisor_log("booting\n");
    fake_log = "booting\nrunning\n";
    assert_int_equal(hypervisor_log_turn(kit_now), INT64_MAX);
    check_hypervisor_log("booting\n"); /* it does not look without being told */
    assert_false(hypervisor_log_event(FAKE_LOG_PORT + 1));
    assert_true(hypervisor_log_event(FAKE_LOG_PORT));
    hypervisor_log_turn(kit_now);
    check_hypervisor_log("booting\nrunning\n");
    hypervisor_log_stop();
    fake_log = "booting\nrunning\nstill\n";
    hypervisor_log_start(kit_now); /* another daemon */
    hypervisor_log_turn(kit_now);
    check_hypervisor_log("booting\nrunning\nstill\n");
    hypervisor_log_reopen();
    hypervisor_log_stop();
}

/* ---- consoles ---- */

static struct console_message got;

/* Data bytes of the next message, or -1: none waits, -2: the end. */
static long receive(int fd)
{
    ssize_t n = recv(fd, &got, sizeof(got), MSG_DONTWAIT);

    if (n < 0)
        return -1;
    return n ? n - (long)CONSOLE_HEAD : -2;
}

/* All that waits for a reader, in one string. */
static const char *receive_all(int fd)
{
    static char text[100000];
    size_t len = 0;
    long n;

    while ((n = receive(fd)) >= 0) {
        memcpy(text + len, got.data, n);
        len += n;
    }
    text[len] = 0;
    return text;
}

static void found(domid_t id)
{
    struct console_spec s = kit_spec(id);

    console_found(&s, kit_now);
}

static void gone(domid_t id)
{
    struct console_spec s = kit_spec(id);

    fake_guests[id].gone = true;
    console_gone(id, s.handle, kit_now);
}

static void event(domid_t id)
{
    assert_true(console_event(fake_port(id), kit_now));
}

static void says(domid_t id, const char *text)
{
    assert_int_equal(kit_write(id, text, strlen(text)), strlen(text));
    event(id);
    kit_now += EVENT_COST;
}

static void check_guest_log(const char *name, const char *want)
{
    size_t len;
    char *text = kit_read(kit_path(name), &len);

    assert_string_equal(text, want);
    free(text);
}

static void what_a_guest_says(void **state)
{
    struct fake_guest *g = &fake_guests[1];
    int early, late;

    (void)state;
    kit_write(1, "before ", 7); /* before the daemon sees it */
    found(1);
    assert_int_equal(g->page.out_cons, 7);
    assert_int_equal(g->notified, 2);
    assert_int_equal(g->connected, 1);
    early = kit_connect("1", 0);
    kit_turn();
    kit_turn();
    assert_string_equal(receive_all(early), "before ");
    says(1, "hello ");
    says(1, "world");
    assert_int_equal(g->unmasked, 2);
    late = kit_connect("1", 0);
    kit_turn();
    kit_turn();
    assert_string_equal(receive_all(early), "hello world");
    assert_string_equal(receive_all(late), "before hello world");
    check_guest_log("guest1.log", "before hello world");
    kit_write(1, ", bye", 5);
    gone(1);
    assert_int_equal(g->mapped, 0);
    assert_int_equal(g->bound, 0);
    assert_int_equal(receive(early), 5);
    assert_memory_equal(got.data, ", bye", 5);
    assert_int_equal(got.kind, CONSOLE_DATA);
    assert_int_equal(receive(early), 0);
    assert_int_equal(got.kind, CONSOLE_END);
    assert_int_equal(got.offset, 23);
    kit_turn();
    assert_int_equal(receive(early), -2);
    assert_int_equal(console_count(), 0);
    check_guest_log("guest1.log", "before hello world, bye");
    assert_int_equal(access(kit_path("1"), F_OK), -1);
    assert_int_equal(access(kit_path("1.history"), F_OK), -1);
    close(early);
    close(late);
}

static void what_a_guest_hears(void **state)
{
    static char text[600], heard[4096];
    int a, b;

    (void)state;
    found(1);
    a = kit_connect("1", 0);
    b = kit_connect("1", 0);
    kit_turn();
    send(a, "from a ", 7, 0);
    kit_turn();
    kit_turn();
    send(b, "from b", 6, 0);
    kit_turn();
    assert_int_equal(fake_guests[1].notified, 3);
    assert_int_equal(kit_input(1, heard, sizeof(heard)), 13);
    assert_memory_equal(heard, "from a from b", 13);
    /* One who has left is heard, and what finds no room waits with who sent it. */
    for (unsigned int i = 0; i < 4; i++) {
        memset(text, 'a' + i, CONSOLE_INPUT_MAX);
        assert_int_equal(send(a, text, CONSOLE_INPUT_MAX, 0), CONSOLE_INPUT_MAX);
    }
    close(a);
    for (unsigned int i = 0; i < 10; i++)
        kit_turn();
    assert_int_equal(kit_input(1, heard, sizeof(heard)), 1024);
    for (unsigned int i = 0; i < 10; i++)
        kit_turn();
    assert_int_equal(kit_input(1, heard + 1024, sizeof(heard) - 1024), 1024);
    for (unsigned int i = 0; i < 2048; i++)
        assert_int_equal(heard[i], 'a' + i / CONSOLE_INPUT_MAX);
    /* And no more than it may send at once. */
    send(b, text, sizeof(text), 0);
    kit_turn();
    kit_turn();
    assert_int_equal(kit_input(1, heard, sizeof(heard)), 0);
    assert_int_equal(receive(b), 0); /* that it may begin */
    assert_true(receive(b) > 0);
    assert_int_equal(got.kind, CONSOLE_REFUSED);
    assert_int_equal(receive(b), -2);
    close(b);
}

static void readers_that_are_refused(void **state)
{
    int fd[STREAM_READERS + 1], bad;

    (void)state;
    found(1);
    bad = kit_connect("1", 0);
    kit_turn();
    close(bad);
    for (unsigned int i = 0; i < STREAM_READERS + 1; i++) {
        fd[i] = kit_connect("1", 0);
        kit_turn();
        kit_turn();
    }
    kit_turn();
    assert_true(receive(fd[STREAM_READERS]) > 0);
    assert_int_equal(got.kind, CONSOLE_REFUSED);
    says(1, "x");
    kit_turn();
    for (unsigned int i = 0; i < STREAM_READERS; i++)
        assert_string_equal(receive_all(fd[i]), "x");
    for (unsigned int i = 0; i < STREAM_READERS + 1; i++)
        close(fd[i]);
    kit_turn();
    kit_turn();
    bad = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    close(bad);
    bad = kit_connect("1", UINT64_MAX); /* a stream that was longer */
    kit_turn();
    kit_turn();
    says(1, "y");
    kit_turn();
    assert_string_equal(receive_all(bad), "y");
    close(bad);
}

static void a_reader_that_begins_wrongly(void **state)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

    (void)state;
    found(1);
    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", kit_path("1"));
    assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    send(fd, "reboot\n", 7, 0);
    for (unsigned int i = 0; i < 3; i++)
        kit_turn();
    assert_true(receive(fd) > 0);
    assert_int_equal(got.kind, CONSOLE_REFUSED);
    assert_int_equal(fake_guests[1].page.in_prod, 0);
    close(fd);
}

/* It stands still while much is said; then it gets what there is, and can tell what is missing. */
static void a_slow_reader(void **state)
{
    uint64_t next = 0, missed = 0;
    char text[1000];
    int slow, quick;
    long n;

    (void)state;
    memset(text, 'x', sizeof(text));
    found(1);
    slow = kit_connect("1", 0);
    quick = kit_connect("1", 0);
    kit_turn();
    kit_turn();
    for (unsigned int i = 0; i < 200; i++) {
        kit_write(1, text, sizeof(text));
        event(1);
        kit_now += EVENT_COST;
        kit_turn();
        assert_int_equal(strlen(receive_all(quick)), sizeof(text));
    }
    for (unsigned int i = 0; i < 20; i++) {
        while ((n = receive(slow)) >= 0) {
            assert_true(got.offset >= next);
            missed += got.offset - next;
            next = got.offset + n;
        }
        kit_turn();
    }
    assert_int_equal(next, 200 * sizeof(text));
    assert_true(missed > 100000);
    gone(1);
    kit_turn();
    assert_int_equal(receive(slow), 0);
    assert_int_equal(got.kind, CONSOLE_END);
    close(slow);
    close(quick);
}

/* It gets all of a long history without anything else that happens. */
static void a_late_reader(void **state)
{
    char text[1000];
    size_t all = 0;
    int fd;
    long n;

    (void)state;
    memset(text, 'x', sizeof(text));
    console_settings.history = 1 << 20;
    found(1);
    for (unsigned int i = 0; i < 1000; i++) {
        kit_write(1, text, sizeof(text));
        event(1);
        kit_now += EVENT_COST;
    }
    kit_turn();
    fd = kit_connect("1", 0);
    while (kit_wait()) {
        while ((n = receive(fd)) >= 0)
            all += n;
    }
    assert_int_equal(all, 1000 * sizeof(text));
    gone(1);
    kit_turn();
    assert_int_equal(receive(fd), 0);
    assert_int_equal(got.kind, CONSOLE_END);
    close(fd);
}

/* It came while the domain was still there; nobody has looked at it before the end. */
static void a_reader_in_the_last_moment(void **state)
{
    int fd;

    (void)state;
    found(1);
    says(1, "famous last words");
    fd = kit_connect("1", 0);
    gone(1);
    kit_turn();
    kit_turn();
    assert_string_equal(receive_all(fd), "famous last words");
    assert_int_equal(got.kind, CONSOLE_END);
    assert_int_equal(console_count(), 0);
    close(fd);
}

/* One that never reads does not keep the console for ever. */
static void the_end_does_not_wait(void **state)
{
    char text[1000];
    int slow;

    (void)state;
    memset(text, 'x', sizeof(text));
    found(1);
    slow = kit_connect("1", 0);
    kit_turn();
    for (unsigned int i = 0; i < 200; i++) {
        kit_write(1, text, sizeof(text));
        event(1);
        kit_now += EVENT_COST;
        kit_turn();
    }
    gone(1);
    kit_turn();
    assert_int_equal(console_count(), 1);
    assert_int_equal(fake_guests[1].mapped, 0);
    kit_now += 11 * SECOND;
    kit_turn();
    assert_int_equal(console_count(), 0);
    close(slow);
}

/* Its events stay masked when its budget is spent; from time to time it is heard nevertheless. */
static void a_flood(void **state)
{
    struct fake_guest *g = &fake_guests[1];
    unsigned int heard = 0;
    int64_t end;

    (void)state;
    found(1);
    found(2);
    for (unsigned int i = 0; i < EVENT_BURST; i++)
        event(1);
    assert_int_equal(g->unmasked, EVENT_BURST);
    kit_write(1, "too much", 8);
    event(1);
    assert_int_equal(g->unmasked, EVENT_BURST); /* masked */
    assert_int_equal(g->page.out_cons, 0);
    kit_turn();
    assert_true(kit_wake <= kit_now + EVENT_COST);
    says(2, "others go on");
    check_guest_log("guest2.log", "others go on");
    kit_now += EVENT_COST;
    kit_turn();
    assert_int_equal(g->unmasked, EVENT_BURST + 1);
    check_guest_log("guest1.log", "too much");
    /* For a second it sends an event whenever it can. */
    for (end = kit_now + SECOND; kit_now < end; kit_now += 100000) {
        if (g->unmasked > heard) {
            heard = g->unmasked;
            event(1);
        }
        kit_turn();
    }
    assert_true(g->unmasked < EVENT_BURST + 2 + SECOND / EVENT_COST + 5);
    assert_true(g->unmasked > SECOND / EVENT_COST / 2);
    kit_now += 10 * SECOND;
    kit_turn();
    heard = g->unmasked;
    event(1); /* it has its budget again */
    assert_int_equal(g->unmasked, heard + 1);
}

static void spoiled_indexes(void **state)
{
    int fd;

    (void)state;
    for (unsigned int i = 1; i <= 3; i++)
        found(i);
    fd = kit_connect("1", 0);
    kit_turn();
    says(1, "good ");
    fake_guests[1].page.out_prod = fake_guests[1].page.out_cons + 2049;
    event(1);
    assert_int_equal(fake_guests[1].mapped, 0);
    assert_int_equal(fake_guests[1].bound, 0);
    assert_false(console_event(fake_port(1), kit_now));
    assert_string_equal(
        fake_told, "domain 1 (guest1): the indexes of its console make no sense; it is left alone");
    kit_turn();
    kit_turn();
    assert_non_null(strstr(receive_all(fd), "good \r\n[socle-consoled: the ring's indexes"));
    send(fd, "x", 1, 0);
    kit_turn();
    assert_int_equal(fake_guests[1].page.in_prod, 0);
    found(1); /* whatever the store says */
    assert_int_equal(fake_guests[1].mapped, 0);
    close(fd);
    fake_guests[2].page.in_cons = 5;
    fd = kit_connect("2", 0);
    kit_turn();
    kit_turn();
    send(fd, "x", 1, 0);
    kit_turn();
    assert_int_equal(fake_guests[2].mapped, 0);
    assert_non_null(
        strstr(receive_all(fd), "the ring's indexes")); /* at once: nothing else may come */
    close(fd);
    says(3, "others go on");
    check_guest_log("guest3.log", "others go on");
    gone(1);
    gone(2);
    kit_turn();
    assert_int_equal(console_count(), 1);
}

/* Our own indexes stand in the page; what a guest writes there changes nothing here. */
static void our_indexes_overwritten(void **state)
{
    struct xencons_interface *p = &fake_guests[1].page;
    int fd;

    (void)state;
    found(1);
    says(1, "one ");
    p->out_cons = 12345;
    p->in_prod = 54321;
    memcpy(p->out + 4, "two", 3);
    p->out_prod = 7;
    event(1);
    check_guest_log("guest1.log", "one two");
    assert_int_equal(p->out_cons, 7);
    fd = kit_connect("1", 0);
    kit_turn();
    send(fd, "x", 1, 0);
    kit_turn();
    kit_turn();
    assert_int_equal(p->in_prod, 1);
    assert_int_equal(p->in[0], 'x');
    close(fd);
}

static void the_ring_stays(void **state)
{
    struct console_spec s = kit_spec(1);

    (void)state;
    found(1);
    s.port = 4711;
    s.frame = 815;
    console_found(&s, kit_now);
    assert_int_equal(fake_guests[1].mapped, 1);
    assert_int_equal(fake_guests[1].bound, 1);
    assert_int_equal(fake_guests[1].connected, 1);
    s.handle[0] = 99; /* another domain with that id: the first one must be gone */
    console_found(&s, kit_now);
    assert_int_equal(fake_guests[1].mapped, 1);
    assert_int_equal(fake_guests[1].connected, 2);
    kit_turn();
    kit_turn();
    assert_int_equal(console_count(), 1);
    assert_int_equal(access(kit_path("1.history"), F_OK), 0);
    console_gone(1, kit_spec(1).handle, kit_now); /* that was the first one */
    assert_int_equal(fake_guests[1].mapped, 1);
}

static void a_ring_that_comes_later(void **state)
{
    int fd;

    (void)state;
    fake_guests[1].taken = true;
    kit_write(1, "patience", 8);
    found(1);
    assert_int_equal(fake_guests[1].mapped, 0);
    assert_string_equal(fake_told,
                        "domain 1 (guest1): its console cannot be had: Invalid argument; "
                        "another daemon may have it");
    fd = kit_connect("1", 0);
    send(fd, "input", 5, 0);
    kit_turn();
    kit_turn();
    assert_int_equal(receive(fd), 0); /* it may begin */
    assert_int_equal(receive(fd), -1);
    fake_guests[1].taken = false;
    kit_now += 6 * SECOND;
    kit_turn();
    kit_turn();
    assert_string_equal(receive_all(fd), "patience");
    kit_turn();
    assert_int_equal(fake_guests[1].page.in_prod, 5);
    close(fd);
}

/* The daemon is killed: the next one goes on, and a reader does, too. */
static void another_daemon(void **state)
{
    struct xencons_interface *p = &fake_guests[1].page;
    int fd;

    (void)state;
    found(1);
    says(1, "one ");
    console_close_all();
    kit_write(1, "two ", 4);
    found(1);
    check_guest_log("guest1.log", "one two ");
    fd = kit_connect("1", 4);
    kit_turn();
    kit_turn();
    assert_string_equal(receive_all(fd), "two ");
    close(fd);
    console_close_all();
    p->out_cons -= 4; /* it was killed before it said how far it had read */
    fake_guests[1].notified = 0;
    found(1);
    assert_int_equal(p->out_cons, p->out_prod); /* or else a guest may wait for room for ever */
    assert_int_equal(fake_guests[1].notified, 1);
    says(1, "three ");
    check_guest_log("guest1.log", "one two three ");
    console_close_all();
    kit_write(1, "four ", 5);
    p->out_cons = p->out_prod - 2; /* another one has read from the ring meanwhile */
    found(1);
    check_guest_log("guest1.log", "one two three r "); /* that is its now */
    console_close_all();
    p->out_cons = p->out_prod += 100000;
    found(1);
    says(1, "five");
    check_guest_log("guest1.log", "one two three r five");
    gone(1);
}

static void files_of_domains_that_are_gone(void **state)
{
    (void)state;
    found(1);
    close(open(kit_path("17.history"), O_CREAT | O_WRONLY, 0600));
    close(open(kit_path("17"), O_CREAT | O_WRONLY, 0600));
    close(open(kit_path("17x"), O_CREAT | O_WRONLY, 0600));
    close(open(kit_path("hypervisor.history"), O_CREAT | O_WRONLY, 0600));
    console_sweep();
    assert_int_equal(access(kit_path("17"), F_OK), -1);
    assert_int_equal(access(kit_path("17.history"), F_OK), -1);
    assert_int_equal(access(kit_path("17x"), F_OK), 0);
    assert_int_equal(access(kit_path("hypervisor.history"), F_OK), 0);
    assert_int_equal(access(kit_path("1"), F_OK), 0);
    assert_int_equal(access(kit_path("1.history"), F_OK), 0);
}

static void a_log_of_its_own(void **state)
{
    struct console_spec s = kit_spec(1);

    (void)state;
    snprintf(s.log, sizeof(s.log), "%s/elsewhere", kit_dir);
    s.log_size = 5000;
    console_found(&s, kit_now);
    for (unsigned int i = 0; i < 6; i++)
        says(1, "a line of the log");
    assert_int_equal(access(kit_path("guest1.log"), F_OK), -1);
    assert_int_equal(access(kit_path("elsewhere"), F_OK), 0);
    console_reopen_logs();
}

static void a_terminal(void **state)
{
    char buf[8192], text[1000], *note;
    uint64_t all = 0;
    ssize_t n;
    int fd;

    (void)state;
    found(1);
    fd = open(fake_guests[1].tty, O_RDWR | O_NOCTTY | O_NONBLOCK);
    assert_true(fd >= 0);
    says(1, "login: ");
    kit_turn();
    assert_int_equal(read(fd, buf, sizeof(buf)), 7);
    assert_memory_equal(buf, "login: ", 7);
    assert_int_equal(write(fd, "root\r", 5), 5);
    n = 0;
    while (n < 5) { /* the kernel passes it on in its own time */
        kit_turn();
        n += kit_input(1, buf + n, sizeof(buf) - n);
    }
    assert_memory_equal(buf, "root\r", 5);
    /* Nobody reads it for long. */
    memset(text, 'x', sizeof(text));
    for (unsigned int i = 0; i < 200; i++) {
        kit_write(1, text, sizeof(text));
        event(1);
        kit_now += EVENT_COST;
        kit_turn();
    }
    note = NULL;
    for (unsigned int i = 0; i < 200; i++) {
        n = read(fd, buf, sizeof(buf) - 1);
        if (n > 0) {
            buf[n] = 0;
            all += n;
            note = note ? note : strstr(buf, "bytes missed]");
        }
        kit_turn();
    }
    assert_non_null(note);
    assert_true(all < 100000);
    close(fd);
    gone(1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(history_has_the_last_part, start, stop),
        cmocka_unit_test_setup_teardown(history_goes_on, start, stop),
        cmocka_unit_test_setup_teardown(history_without_a_file, start, stop),
        cmocka_unit_test(names_stay_in_the_folder),
        cmocka_unit_test_setup_teardown(log_is_rotated, start, stop),
        cmocka_unit_test_setup_teardown(log_is_a_file, start, stop),
        cmocka_unit_test_setup_teardown(killed_before_the_log_has_it, start, stop),
        cmocka_unit_test_setup_teardown(killed_when_the_log_has_a_part, start, stop),
        cmocka_unit_test_setup_teardown(killed_while_the_log_is_rotated, start, stop),
        cmocka_unit_test_setup_teardown(log_that_is_put_aside, start, stop),
        cmocka_unit_test_setup_teardown(log_that_cannot_be_written, start, stop),
        cmocka_unit_test_setup_teardown(the_hypervisors_log, start, stop),
        cmocka_unit_test_setup_teardown(what_a_guest_says, start, stop),
        cmocka_unit_test_setup_teardown(what_a_guest_hears, start, stop),
        cmocka_unit_test_setup_teardown(readers_that_are_refused, start, stop),
        cmocka_unit_test_setup_teardown(a_reader_that_begins_wrongly, start, stop),
        cmocka_unit_test_setup_teardown(a_slow_reader, start, stop),
        cmocka_unit_test_setup_teardown(a_late_reader, start, stop),
        cmocka_unit_test_setup_teardown(a_reader_in_the_last_moment, start, stop),
        cmocka_unit_test_setup_teardown(the_end_does_not_wait, start, stop),
        cmocka_unit_test_setup_teardown(a_flood, start, stop),
        cmocka_unit_test_setup_teardown(spoiled_indexes, start, stop),
        cmocka_unit_test_setup_teardown(our_indexes_overwritten, start, stop),
        cmocka_unit_test_setup_teardown(the_ring_stays, start, stop),
        cmocka_unit_test_setup_teardown(a_ring_that_comes_later, start, stop),
        cmocka_unit_test_setup_teardown(another_daemon, start, stop),
        cmocka_unit_test_setup_teardown(files_of_domains_that_are_gone, start, stop),
        cmocka_unit_test_setup_teardown(a_log_of_its_own, start, stop),
        cmocka_unit_test_setup_teardown(a_terminal, start, stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

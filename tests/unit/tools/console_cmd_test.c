/* SPDX-License-Identifier: MIT */
/* socle console, on a terminal and without one, against the console daemon's own code. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "consoled_kit.h"
#include "dom0-tools/socle/commands.h"
#include "fake_xcall.h"

#include <errno.h>
#include <pty.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>

static struct xen_domctl_getdomaininfo *domains; /* the client sees them, too */
static pid_t client;
static int terminal; /* our end of its terminal, or of its pipes */
static int input = -1;
static char shown[100000];
static size_t nr_shown;

static int start(void **state)
{
    (void)state;
    kit_start();
    console_settings.ptys = false;
    setenv("SOCLE_CONSOLE_DIR", kit_dir, 1);
    setenv("XENSTORED_PATH", "/nonexistent", 1);
    if (!domains)
        domains = mmap(NULL, 3 * sizeof(*domains), PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (unsigned int i = 0; i < 3; i++)
        domains[i] = (struct xen_domctl_getdomaininfo){.domain = i, .handle = {i, 1}};
    fake_hypervisor = true;
    fake_domains_list = domains;
    fake_nr_domains = 3;
    memset(shown, 0, sizeof(shown));
    nr_shown = 0;
    input = -1;
    return 0;
}

static int stop(void **state)
{
    (void)state;
    close(terminal);
    kit_stop();
    return 0;
}

static void run_command(const char *option, const char *value)
{
    char *argv[] = {"socle", "console", "1", (char *)option, (char *)value, NULL};

    exit(command_run(value ? 5 : option ? 4 : 3, argv));
}

static void run_on_terminal(const char *option, const char *value)
{
    client = forkpty(&terminal, NULL, NULL, NULL);
    if (client == 0)
        run_command(option, value);
    fcntl(terminal, F_SETFL, O_NONBLOCK);
}

/* With all of its output in one. */
static void run_with_pipes(void)
{
    int in[2], out[2];

    assert_int_equal(pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC), 0);
    client = fork();
    if (client == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        dup2(out[1], 2);
        close(in[1]);
        run_command(NULL, NULL);
    }
    close(in[0]);
    close(out[1]);
    terminal = out[0];
    input = in[1];
    fcntl(terminal, F_SETFL, O_NONBLOCK);
}

static void turn(void)
{
    ssize_t n;

    kit_turn();
    while ((n = read(terminal, shown + nr_shown, sizeof(shown) - 1 - nr_shown)) > 0)
        nr_shown += (size_t)n;
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

/* Waits until the client has shown it; a minute at most. */
static void wait_for(const char *text)
{
    for (unsigned int i = 0; i < 60000 && !strstr(shown, text); i++)
        turn();
    if (!strstr(shown, text))
        fprintf(stderr, "shown: %s\n", shown);
    assert_non_null(strstr(shown, text));
}

/* Waits for what the guest reads. */
static void wait_for_input(const char *text)
{
    char buf[256] = "";
    size_t n = 0;

    for (unsigned int i = 0; i < 60000 && n < strlen(text); i++) {
        turn();
        n += kit_input(1, buf + n, sizeof(buf) - 1 - n);
    }
    assert_string_equal(buf, text);
}

static int wait_for_end(void)
{
    int status;

    for (unsigned int i = 0; i < 60000; i++) {
        turn();
        if (waitpid(client, &status, WNOHANG) == client) {
            turn();
            return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        }
    }
    kill(client, SIGKILL);
    waitpid(client, &status, 0);
    return -2;
}

static void found(domid_t id)
{
    struct console_spec s = kit_spec(id);

    console_found(&s, kit_now);
}

static void says(const char *text)
{
    kit_write(1, text, strlen(text));
    console_event(fake_port(1), kit_now);
    kit_now += EVENT_COST;
}

static void type(const char *text)
{
    int fd = input >= 0 ? input : terminal;

    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static bool is_raw(void)
{
    struct termios t;

    assert_int_equal(tcgetattr(terminal, &t), 0);
    return !(t.c_lflag & (ECHO | ICANON | ISIG));
}

static void on_a_terminal(void **state)
{
    (void)state;
    found(1);
    says("booting\r\n");
    run_on_terminal(NULL, NULL);
    wait_for("Ctrl-] leaves");
    wait_for("booting\r\n");
    assert_true(is_raw());
    type("ls\r\x03");
    wait_for_input("ls\r\x03");
    says("more");
    wait_for("more");
    type("\x1d");
    assert_int_equal(wait_for_end(), 0);
    assert_false(is_raw());
    assert_int_equal(kit_input(1, shown, 10), 0);
}

static void another_key(void **state)
{
    (void)state;
    found(1);
    run_on_terminal("--escape", "^A");
    wait_for("Ctrl-A leaves");
    type("\x1d");
    wait_for_input("\x1d");
    type("\x01");
    assert_int_equal(wait_for_end(), 0);
}

/* Nobody reads what is typed: leaving works nevertheless. */
static void leaving_a_guest_that_hangs(void **state)
{
    char line[400];

    (void)state;
    memset(line, 'x', sizeof(line) - 1);
    line[sizeof(line) - 1] = 0;
    found(1);
    says("up");
    run_on_terminal(NULL, NULL);
    wait_for("up");
    for (unsigned int i = 0; i < 50; i++) {
        type(line);
        turn();
        turn();
    }
    type("\x1d");
    assert_int_equal(wait_for_end(), 0);
}

/* The next one of its name is shown from its beginning. */
static void follow(void **state)
{
    struct console_spec next = kit_spec(2);

    (void)state;
    found(1);
    says("first");
    run_on_terminal("--follow", NULL);
    wait_for("first");
    console_found(&next, kit_now);
    kit_write(2, "second", 6);
    console_event(fake_port(2), kit_now);
    domains[1].flags = XEN_DOMINF_dying;
    console_gone(1, kit_spec(1).handle, kit_now);
    wait_for("waiting for the next one");
    wait_for("domain 2");
    wait_for("second");
    type("\x1d");
    assert_int_equal(wait_for_end(), 0);
}

/* It runs when nothing of it can be missed any more. */
static void unpause(void **state)
{
    (void)state;
    domains[1].flags = XEN_DOMINF_paused;
    found(1);
    run_on_terminal("--unpause", NULL);
    wait_for("leaves");
    for (unsigned int i = 0; i < 60000 && domains[1].flags; i++)
        turn();
    assert_int_equal(domains[1].flags, 0);
    says("hello");
    wait_for("hello");
    type("\x1d");
    assert_int_equal(wait_for_end(), 0);
}

static void told_to_end(void **state)
{
    (void)state;
    found(1);
    says("up");
    run_on_terminal(NULL, NULL);
    wait_for("up");
    kill(client, SIGTERM);
    assert_int_equal(wait_for_end(), 0);
    assert_false(is_raw());
}

static void the_domain_ends(void **state)
{
    (void)state;
    found(1);
    says("up");
    run_on_terminal(NULL, NULL);
    wait_for("up");
    kit_write(1, "bye", 3);
    console_gone(1, kit_spec(1).handle, kit_now);
    assert_int_equal(wait_for_end(), 0);
    assert_non_null(strstr(shown, "bye"));
    assert_non_null(strstr(shown, "has ended"));
}

static void without_a_terminal(void **state)
{
    (void)state;
    found(1);
    says("up\r\n");
    run_with_pipes();
    type("a\x1d"
         "b");
    wait_for_input("a\x1d"
                   "b");
    close(input);
    turn();
    says("goes on");
    wait_for("goes on");
    console_gone(1, kit_spec(1).handle, kit_now);
    assert_int_equal(wait_for_end(), 0);
    assert_string_equal(shown, "up\r\ngoes on");
}

/* It is killed and started again: the reader goes on, nothing is there twice. */
static void the_daemon_is_away(void **state)
{
    (void)state;
    found(1);
    says("one ");
    run_with_pipes();
    wait_for("one ");
    console_close_all();
    unlink(kit_path("1"));
    kit_write(1, "two ", 4);
    for (unsigned int i = 0; i < 300; i++)
        turn();
    found(1);
    says("three");
    wait_for("three");
    assert_string_equal(shown, "one two three");
    type("x");
    wait_for_input("x");
    close(input);
    console_gone(1, kit_spec(1).handle, kit_now);
    assert_int_equal(wait_for_end(), 0);
}

static void what_was_missed(void **state)
{
    static char text[1000];

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    found(1);
    for (unsigned int i = 0; i < 20; i++)
        says(text);
    says("end");
    run_with_pipes();
    wait_for("end");
    wait_for("bytes are missing here");
    close(input);
    console_gone(1, kit_spec(1).handle, kit_now);
    assert_int_equal(wait_for_end(), 0);
}

static void nobody_serves_it(void **state)
{
    (void)state;
    run_with_pipes();
    close(input);
    assert_int_equal(wait_for_end(), 1);
    assert_string_equal(shown, "socle: console of (null): No such file or directory; does "
                               "socle-consoled run?\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(on_a_terminal, start, stop),
        cmocka_unit_test_setup_teardown(another_key, start, stop),
        cmocka_unit_test_setup_teardown(leaving_a_guest_that_hangs, start, stop),
        cmocka_unit_test_setup_teardown(follow, start, stop),
        cmocka_unit_test_setup_teardown(unpause, start, stop),
        cmocka_unit_test_setup_teardown(told_to_end, start, stop),
        cmocka_unit_test_setup_teardown(the_domain_ends, start, stop),
        cmocka_unit_test_setup_teardown(without_a_terminal, start, stop),
        cmocka_unit_test_setup_teardown(the_daemon_is_away, start, stop),
        cmocka_unit_test_setup_teardown(what_was_missed, start, stop),
        cmocka_unit_test_setup_teardown(nobody_serves_it, start, stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

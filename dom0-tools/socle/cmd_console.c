/* SPDX-License-Identifier: MIT */
/* socle console: a domain's console on this terminal, by way of socle-consoled. */
#include "commands.h"
#include "domains.h"

#include "../libsocle/console.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_AGAIN = 200, PATIENCE = 50 }; /* ms; so many times that */

enum outcome { GOES_ON, LEFT, DOMAIN_ENDED, DAEMON_GONE, FAILED };

static struct session {
    domid_t id;
    uint8_t handle[16];
    char *name;
    int fd;        /* -1: not connected */
    uint64_t next; /* the byte that comes next */
    bool unpause;  /* the domain, as soon as nothing of it can be missed */
    bool typed;    /* standard input is a terminal */
    bool input_over;
    char escape;
    size_t in_len; /* input that the daemon has not taken */
    char in[CONSOLE_INPUT_MAX];
} s;

/* ---- the terminal ---- */

static struct termios before;
static bool is_raw;
static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
    stop = sig;
}

static void cook_again(void)
{
    if (is_raw)
        tcsetattr(STDIN_FILENO, TCSANOW, &before);
    is_raw = false;
}

static void make_raw(void)
{
    const int signals[] = {SIGTERM, SIGHUP, SIGINT};
    struct sigaction action = {.sa_handler = on_signal};
    struct termios t;

    sigset_t set;

    s.typed = tcgetattr(STDIN_FILENO, &before) == 0;
    if (!s.typed)
        return;
    sigemptyset(&set);
    for (unsigned int i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        sigaction(signals[i], &action, NULL);
        sigaddset(&set, signals[i]);
    }
    sigprocmask(SIG_BLOCK, &set, NULL); /* until ppoll(2) */
    signal(SIGPIPE, SIG_IGN);
    t = before;
    cfmakeraw(&t);
    is_raw = tcsetattr(STDIN_FILENO, TCSANOW, &t) == 0;
    atexit(cook_again);
}

/* What we say ourselves; the line is whole even on a raw terminal. */
static void __attribute__((format(printf, 1, 2))) say(const char *format, ...)
{
    va_list args;

    fflush(stdout);
    fputs(is_raw ? "\r\nsocle: " : "socle: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputs(is_raw ? "\r\n" : "\n", stderr);
}

static void say_how_to_leave(void)
{
    char key[8] = {s.escape};

    if (!s.typed)
        return;
    if ((unsigned char)s.escape < ' ')
        snprintf(key, sizeof(key), "Ctrl-%c", s.escape | 0x40);
    say("console of %s (domain %u); %s leaves", s.name, s.id, key);
}

/* ---- the connection ---- */

static int connect_once(void)
{
    struct console_hello hello = {.magic = CONSOLE_MAGIC, .from = s.next};
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    const char *dir = getenv("SOCLE_CONSOLE_DIR");
    int rc = 0;

    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/%u", dir ? dir : CONSOLE_DIR, s.id);
    s.fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (s.fd < 0)
        return -errno;
    if (connect(s.fd, (struct sockaddr *)&addr, sizeof(addr)) ||
        send(s.fd, &hello, sizeof(hello), MSG_NOSIGNAL) < 0)
        rc = -errno;
    if (rc) {
        close(s.fd);
        s.fd = -1;
    } else if (s.input_over && !s.in_len) {
        shutdown(s.fd, SHUT_WR);
    }
    return rc;
}

/* The domain of this id, or of this name; what is being destroyed does not count. */
static bool look_up(bool by_name)
{
    struct xen_domctl_getdomaininfo *list;
    bool found = false;
    unsigned int nr;

    if (xc_domains(&list, &nr))
        return false;
    for (unsigned int i = 0; i < nr && !found; i++) {
        const struct xen_domctl_getdomaininfo *d = &list[i];
        char *name;

        if (d->flags & XEN_DOMINF_dying || d->domain == 0)
            continue;
        if (!by_name) {
            found = d->domain == s.id && memcmp(d->handle, s.handle, sizeof(s.handle)) == 0;
            continue;
        }
        name = domain_name(d->domain);
        found = strcmp(name, s.name) == 0;
        free(name);
        if (found) {
            s.id = d->domain;
            memcpy(s.handle, d->handle, sizeof(s.handle));
        }
    }
    free(list);
    return found;
}

/* ---- input ---- */

static void pass_input(void)
{
    ssize_t n = s.in_len ? send(s.fd, s.in, s.in_len, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;

    if (n > 0)
        s.in_len = 0;
    if (!s.in_len && s.input_over)
        shutdown(s.fd, SHUT_WR);
}

/* While input waits, what is typed is looked at for the key that leaves, and then is lost. */
static enum outcome take_input(void)
{
    char buf[CONSOLE_INPUT_MAX];
    ssize_t n = read(STDIN_FILENO, buf, sizeof(buf));

    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? GOES_ON : LEFT;
    if (n == 0 && s.typed)
        return LEFT;
    if (s.typed && memchr(buf, s.escape, n))
        return LEFT;
    s.input_over = n == 0;
    if (!s.in_len) {
        memcpy(s.in, buf, n);
        s.in_len = n;
        if (s.fd >= 0)
            pass_input();
    }
    return GOES_ON;
}

/* ---- output ---- */

static bool put(const char *data, size_t len)
{
    while (len) {
        ssize_t n = write(STDOUT_FILENO, data, len);

        if (n < 0 && errno != EINTR)
            return false;
        data += n > 0 ? n : 0;
        len -= n > 0 ? n : 0;
    }
    return true;
}

static void let_go(void)
{
    int rc = s.unpause ? xc_unpause(s.id) : 0;

    s.unpause = false;
    if (rc)
        say("%s: %s", s.name, strerror(-rc));
}

static enum outcome take_output(void)
{
    struct console_message m;
    ssize_t n = recv(s.fd, &m, sizeof(m), MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return GOES_ON;
    if (n < (ssize_t)CONSOLE_HEAD)
        return DAEMON_GONE;
    let_go();
    n -= CONSOLE_HEAD;
    if (m.kind == CONSOLE_REFUSED) {
        say("console of %s: %.*s", s.name, (int)n, m.data);
        return FAILED;
    }
    if (m.offset > s.next)
        say("%" PRIu64 " bytes are missing here", m.offset - s.next);
    s.next = m.offset + n;
    if (!put(m.data, n))
        return FAILED;
    return m.kind == CONSOLE_END ? DOMAIN_ENDED : GOES_ON;
}

/* ---- together ---- */

/* Waits for the terminal, and for the daemon where there is a connection, or for a while. */
static enum outcome step(int timeout)
{
    bool listen = !s.input_over && (s.typed || !s.in_len);
    struct pollfd fds[] = {{listen ? STDIN_FILENO : -1, POLLIN},
                           {s.fd, POLLIN | (s.in_len ? POLLOUT : 0)}};
    struct timespec t = {.tv_nsec = timeout * 1000000l};
    enum outcome o = GOES_ON;
    sigset_t none;
    int n;

    sigemptyset(&none);
    n = ppoll(fds, 2, timeout < 0 ? NULL : &t, &none);
    if (stop)
        return LEFT;
    if (n <= 0)
        return GOES_ON;
    if (fds[0].revents)
        o = take_input();
    if (o == GOES_ON && fds[1].revents & POLLOUT)
        pass_input();
    if (o == GOES_ON && fds[1].revents & (POLLIN | POLLHUP | POLLERR))
        o = take_output();
    return o;
}

/* The daemon may have been started a moment ago, or be away for a moment. */
static enum outcome attach(void)
{
    for (int tries = PATIENCE;; tries--) {
        int rc = connect_once();
        enum outcome o;

        if (rc == 0)
            return GOES_ON;
        if (!look_up(false))
            return DOMAIN_ENDED;
        if ((rc != -ENOENT && rc != -ECONNREFUSED) || !tries) {
            say("console of %s: %s; does socle-consoled run?", s.name, strerror(-rc));
            return FAILED;
        }
        o = step(LOOK_AGAIN);
        if (o != GOES_ON)
            return o;
    }
}

static enum outcome one_domain(void)
{
    enum outcome o;

    s.next = 0;
    do {
        o = attach();
        while (o == GOES_ON)
            o = step(-1);
        if (s.fd >= 0)
            close(s.fd);
        s.fd = -1;
    } while (o == DAEMON_GONE);
    let_go();
    return o;
}

static enum outcome wait_for_next(void)
{
    enum outcome o = GOES_ON;

    while (o == GOES_ON && !look_up(true))
        o = step(LOOK_AGAIN);
    return o;
}

static int console(bool follow)
{
    enum outcome o;

    make_raw();
    say_how_to_leave();
    while ((o = one_domain()) == DOMAIN_ENDED && follow) {
        say("%s has ended; waiting for the next one", s.name);
        o = wait_for_next();
        if (o != GOES_ON)
            break;
        say_how_to_leave();
    }
    if (o == DOMAIN_ENDED && s.typed)
        say("%s has ended", s.name);
    else if (is_raw)
        fputs("\r\n", stderr);
    cook_again();
    return o == FAILED ? EXIT_FAILED : EXIT_OK;
}

/* A character, or ^X. */
static bool take_escape(const char *text)
{
    if (text[0] == '^' && text[1] && !text[2])
        s.escape = text[1] & 0x1f;
    else if (text[0] && !text[1])
        s.escape = text[0];
    else
        return false;
    return true;
}

int cmd_console(const struct command *self, int argc, char **argv)
{
    static const struct option options[] = {{"escape", required_argument, NULL, 'e'},
                                            {"follow", no_argument, NULL, 'f'},
                                            {"unpause", no_argument, NULL, 'u'},
                                            {0}};
    struct xen_domctl_getdomaininfo *d;
    bool follow = false;
    unsigned int nr;
    int c, rc;

    s = (struct session){.fd = -1, .escape = ']' & 0x1f};
    optind = 0; /* from the start, whoever called getopt before */
    while ((c = getopt_long(argc, argv, "e:fu", options, NULL)) != -1) {
        if (c == 'f')
            follow = true;
        else if (c == 'u')
            s.unpause = true;
        else if (c != 'e' || !take_escape(optarg))
            return command_misuse(self);
    }
    if (argc != optind + 1)
        return command_misuse(self);
    rc = domains_find(argv[optind], &d, &nr);
    if (rc)
        return rc;
    s.id = d->domain;
    memcpy(s.handle, d->handle, sizeof(s.handle));
    free(d);
    if (s.id == 0) {
        fprintf(stderr, "socle: %s: this domain's console is the machine's\n", argv[optind]);
        return EXIT_FAILED;
    }
    s.name = domain_name(s.id);
    rc = console(follow);
    free(s.name);
    return rc;
}

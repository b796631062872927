/* SPDX-License-Identifier: MIT */
/* socle-consoled: the consoles of the domains. See socle-consoled(8).
 *
 * One loop serves all; nothing in it waits for a domain, a reader, or the store. */
#include "console.h"
#include "host.h"
#include "hypervisor.h"

#include "../libsocle/console.h"
#include "../libsocle/daemon.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define NAME "socle-consoled"

static const char usage[] =
    "usage: " NAME " [--daemon] [--hypervisor-log] [--no-pty] [--log-dir DIR] [--log-size KIB]\n"
    "    [--log-keep N] [--history KIB] [--run-dir DIR] [--pid-file FILE]\n";

static int64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * SECOND + t.tv_nsec;
}

static int complain(const char *what, int rc)
{
    daemon_log("%s: %s", what, strerror(-rc));
    return 1;
}

/* With those above it; only for the owner. */
static int make_dir(const char *path)
{
    char *copy = strdup(path);

    for (char *c = copy + 1; copy && *c; c++) {
        if (*c == '/') {
            *c = 0;
            mkdir(copy, 0755);
            *c = '/';
        }
    }
    free(copy);
    return mkdir(path, 0700) && errno != EEXIST ? -errno : 0;
}

static void take_messages(void)
{
    struct finder_message m;

    while (finder_next(&m)) {
        if (m.kind == FINDER_FOUND)
            console_found(&m.spec, now());
        else if (m.kind == FINDER_GONE)
            console_gone(m.spec.id, m.spec.handle, now());
        else
            console_sweep();
    }
}

static void take_events(void)
{
    int port;

    while ((port = host_event()) >= 0) {
        if (!hypervisor_log_event(port) && !console_event(port, now()))
            host_unmask(port); /* of a console that is closed by now */
    }
}

/* One turn of the loop. Descriptors: events, messages, then those of consoles. */
static void turn(int events, int messages)
{
    static struct pollset set;
    int64_t until, log_until, start = now();

    set.nr = 0;
    pollset_add(&set, events, POLLIN);
    pollset_add(&set, messages, POLLIN);
    until = console_poll(&set);
    log_until = hypervisor_log_turn(start);
    if (log_until < until)
        until = log_until;
    daemon_poll(set.fds, set.nr, until == INT64_MAX ? -1 : until > start ? until - start : 0);
    if (pollset_events(&set, 0))
        take_events();
    if (pollset_events(&set, 1))
        take_messages();
    console_turn(&set, now());
    if (daemon_reopen()) {
        console_reopen_logs();
        hypervisor_log_reopen();
    }
}

static int serve(const char *pid_file, bool hypervisor_log)
{
    int rc, events, messages;

    if ((rc = make_dir(console_settings.run_dir)))
        return complain(console_settings.run_dir, rc);
    if ((rc = make_dir(console_settings.log_dir)))
        return complain(console_settings.log_dir, rc);
    rc = daemon_pid_file(pid_file);
    if (rc)
        return complain(rc == -EBUSY ? "it runs already" : pid_file, rc);
    umask(077);
    if ((events = host_open()) < 0)
        return complain("no way to the hypervisor", events);
    if (hypervisor_log)
        hypervisor_log_start(now());
    if ((messages = finder_start()) < 0)
        return complain("no thread", messages);
    daemon_ready();
    while (!daemon_stopped())
        turn(events, messages);
    console_close_all();
    hypervisor_log_stop();
    return 0;
}

/* A number of KiB, or of files. */
static bool number(const char *text, unsigned long min, unsigned long max, unsigned long *value)
{
    char *end;

    errno = 0;
    *value = strtoul(text, &end, 10);
    if (text[0] >= '0' && text[0] <= '9' && !*end && !errno && *value >= min && *value <= max)
        return true;
    fprintf(stderr, NAME ": %s: expected a number from %lu to %lu\n", text, min, max);
    return false;
}

/* The size of a history is a power of two. */
static uint32_t round_up(unsigned long kib)
{
    uint32_t size = 4096;

    while (size < kib * 1024)
        size *= 2;
    return size;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"daemon", no_argument, NULL, 'd'},         {"hypervisor-log", no_argument, NULL, 'H'},
        {"no-pty", no_argument, NULL, 'P'},         {"log-dir", required_argument, NULL, 'l'},
        {"log-size", required_argument, NULL, 's'}, {"log-keep", required_argument, NULL, 'k'},
        {"history", required_argument, NULL, 'y'},  {"run-dir", required_argument, NULL, 'r'},
        {"pid-file", required_argument, NULL, 'p'}, {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},        {0},
    };
    const char *pid_file = "/run/socle/consoled.pid";
    bool detach = false, hypervisor_log = false;
    unsigned long n;
    int c;

    console_settings = (struct console_settings){
        .run_dir = CONSOLE_DIR,
        .log_dir = "/var/log/socle",
        .history = 128 << 10,
        .log_size = 1 << 20,
        .log_keep = 4,
        .ptys = true,
    };
    while ((c = getopt_long(argc, argv, "dHPl:s:k:y:r:p:hV", options, NULL)) != -1) {
        switch (c) {
        case 'd':
            detach = true;
            break;
        case 'H':
            hypervisor_log = true;
            break;
        case 'P':
            console_settings.ptys = false;
            break;
        case 'l':
            console_settings.log_dir = optarg;
            break;
        case 's':
            if (!number(optarg, 4, 1 << 20, &n))
                return 2;
            console_settings.log_size = n * 1024;
            break;
        case 'k':
            if (!number(optarg, 0, 99, &n))
                return 2;
            console_settings.log_keep = n;
            break;
        case 'y':
            if (!number(optarg, 4, 16384, &n))
                return 2;
            console_settings.history = round_up(n);
            break;
        case 'r':
            console_settings.run_dir = optarg;
            break;
        case 'p':
            pid_file = optarg;
            break;
        case 'h':
            fputs(usage, stdout);
            return 0;
        case 'V':
            puts(NAME " " SOCLE_VERSION);
            return 0;
        default:
            fputs(usage, stderr);
            return 2;
        }
    }
    if (optind != argc) {
        fputs(usage, stderr);
        return 2;
    }
    daemon_begin(NAME, detach);
    return serve(pid_file, hypervisor_log);
}

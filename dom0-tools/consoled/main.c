/* SPDX-License-Identifier: MIT */
/* socle-consoled: the consoles of the domains. See socle-consoled(8).
 *
 * One loop serves all; nothing in it waits for a domain, a reader, or the store. */
#include "console.h"
#include "host.h"
#include "hypervisor.h"

#include "../libsocle/console.h"
#include "../libsocle/daemon.h"
#include "../libsocle/options.h"

#include <errno.h>
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

/* One turn of the loop. */
static void turn(int events, int messages)
{
    static struct pollset set;
    int64_t until, log_until, start = now();
    size_t events_place, messages_place;

    pollset_begin(&set);
    events_place = pollset_add(&set, events, POLLIN);
    messages_place = pollset_add(&set, messages, POLLIN);
    until = console_poll(&set);
    log_until = hypervisor_log_turn(start);
    if (log_until < until)
        until = log_until;
    pollset_wait(&set, until == INT64_MAX ? -1 : until > start ? until - start : 0);
    if (pollset_events(&set, events_place))
        take_events();
    if (pollset_events(&set, messages_place))
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

/* The size of a history is a power of two. */
static uint32_t round_up(unsigned long kib)
{
    uint32_t size = 4096;

    while (size < kib * 1024)
        size *= 2;
    return size;
}

struct options {
    bool detach, hypervisor_log;
    const char *pid_file;
};

/* Returns as options_take(). */
static int read_options(struct options *o, int argc, char **argv, int *status)
{
    struct console_settings *to = &console_settings;
    unsigned long log_size = 1024, log_keep = 4, history = 128; /* KiB, files, KiB */
    bool no_ptys = false;
    const struct option_row rows[] = {
        {"daemon", 'd', .flag = &o->detach},
        {"hypervisor-log", 'H', .flag = &o->hypervisor_log},
        {"no-pty", 'P', .flag = &no_ptys},
        {"log-dir", 'l', .text = &to->log_dir},
        {"log-size", 's', .number = &log_size, 4, 1 << 20},
        {"log-keep", 'k', .number = &log_keep, 0, 99},
        {"history", 'y', .number = &history, 4, 16384},
        {"run-dir", 'r', .text = &to->run_dir},
        {"pid-file", 'p', .text = &o->pid_file},
        {0},
    };
    const struct option_table table = {NAME, usage, rows};
    int rc;

    *to = (struct console_settings){.run_dir = CONSOLE_DIR, .log_dir = "/var/log/socle"};
    rc = options_take(&table, argc, argv, 0, 0, status);
    to->history = round_up(history);
    to->log_size = log_size * 1024;
    to->log_keep = log_keep;
    to->ptys = !no_ptys;
    return rc;
}

int main(int argc, char **argv)
{
    struct options o = {.pid_file = "/run/socle/consoled.pid"};
    int status;

    if (read_options(&o, argc, argv, &status) < 0)
        return status;
    daemon_begin(NAME, o.detach);
    return serve(o.pid_file, o.hypervisor_log);
}

/* SPDX-License-Identifier: MIT */
/* socle-stored: the store of the domains. See socle-stored(8).
 *
 * One process, one thread, one loop: each connection that may have something to do gets a turn,
 * then poll(2) tells which ones may next. Nothing here waits for anybody. */
#include "conn.h"
#include "domain.h"
#include "journal.h"
#include "xenio.h"

#include "../libsocle/alloc.h"
#include "../libsocle/daemon.h"
#include "../libsocle/options.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NAME "socle-stored"

enum { ACCEPT_PAUSE = 100 }; /* ms */
enum { MOST_EVENTS = 256 };  /* in a turn: who rings all the time must not keep us from the rest */

static const char usage[] =
    "usage: " NAME " [--daemon] [--socket PATH] [--state FILE | --no-state] [--no-domains]"
    " [--pid-file FILE]\n";

static int complain(const char *what, int rc)
{
    daemon_log("%s: %s", what, strerror(-rc));
    return rc;
}

/* Where clients look: they go by the same variables. */
static const char *default_socket(void)
{
    static char path[256];
    const char *dir = getenv("XENSTORED_RUNDIR"), *file = getenv("XENSTORED_PATH");

    if (file)
        return file;
    snprintf(path, sizeof(path), "%s/socket", dir ? dir : "/run/xenstored");
    return path;
}

static void make_dir_of(const char *path)
{
    char *dir = must_copy(path, strlen(path)), *slash = strrchr(dir, '/');

    if (slash && slash > dir) {
        *slash = 0;
        mkdir(dir, 0755);
    }
    free(dir);
}

/* The state of the one before, if it was killed, and a file for this one's. */
static void start_journal(const char *path)
{
    struct error err;

    make_dir_of(path);
    if (journal_load(path, &err))
        daemon_log("%s: %s", path, err.text);
    domain_restore();
    if (journal_start(path, &err))
        daemon_log("%s: %s", path, err.text);
}

/* Beside the socket. */
static char *default_state(const char *socket)
{
    const char *slash = strrchr(socket, '/');
    size_t len = slash ? slash + 1 - socket : 0;
    char *path = must_alloc(len + sizeof("state"));

    memcpy(path, socket, len);
    strcpy(path + len, "state");
    return path;
}

/* The kernel of this domain has a ring as well. */
static void introduce_self(void)
{
    uint64_t frame;
    uint32_t port;
    int rc = domain_find(0) ? 0 : xenio_dom0(&frame, &port);

    if (rc == 0 && !domain_find(0))
        rc = domain_introduce(0, frame, port);
    if (rc)
        complain("the kernel's own ring", rc);
    else /* it has been waiting for a store, and begins to look after back ends */
        xenio_notify(domain_find(0)->port);
}

static uint64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * UINT64_C(1000) + t.tv_nsec / 1000000;
}

/* Milliseconds until somebody may have their turn without being told; -1: nobody. */
static int patience(uint64_t accept_at)
{
    int least = accept_at > conn_clock ? accept_at - conn_clock : INT_MAX;

    for (const struct conn *c = conn_list; c; c = c->next) {
        if (c->more && (int)conn_wait(c) < least)
            least = conn_wait(c);
    }
    return least == INT_MAX ? -1 : least;
}

/* One turn of the loop. Descriptors: the socket, events, then clients in the order of the list.
 * While we can have no more clients, those who knock are let wait. */
static void turn(int listener, int events)
{
    static struct pollfd *fds;
    static size_t room;
    static uint64_t accept_at;
    size_t nr = 2;
    int port;

    conn_clock = now();
    for (const struct conn *c = conn_list; c; c = c->next)
        nr += c->fd >= 0;
    if (nr > room) {
        room = nr * 2;
        free(fds);
        fds = must_alloc(room * sizeof(*fds));
    }
    fds[0] = (struct pollfd){.fd = accept_at > conn_clock ? -1 : listener, .events = POLLIN};
    fds[1] = (struct pollfd){.fd = events, .events = POLLIN};
    nr = 2;
    for (const struct conn *c = conn_list; c; c = c->next) {
        short want = (conn_blocked(c) ? POLLOUT : 0) | (c->out_len < OUT_PAUSE ? POLLIN : 0);

        if (c->fd >= 0)
            fds[nr++] = (struct pollfd){.fd = c->fd, .events = want};
    }
    if (daemon_poll(fds, nr, patience(accept_at) * 1000000ll) < 0)
        return;
    conn_clock = now();

    nr = 2;
    for (struct conn *c = conn_list; c; c = c->next) {
        if (c->fd >= 0 && fds[nr++].revents)
            c->more = true;
    }
    for (unsigned int i = 0; fds[1].revents && i < MOST_EVENTS; i++) {
        port = xenio_event();
        if (port < 0)
            break;
        if (port == XENIO_DOMAINS)
            domain_check_all();
        else
            domain_event(port);
    }
    journal_commit(); /* C2 */
    for (struct conn *c = conn_list; c; c = c->next) {
        if (c->more && !c->dead && conn_wait(c) == 0)
            conn_service(c);
    }
    conn_reap();
    journal_commit();
    if (fds[0].revents && conn_accept(listener) < 0)
        accept_at = conn_clock + ACCEPT_PAUSE;
}

struct options {
    bool detach, no_domains, no_state;
    const char *socket, *state, *pid_file;
};

/* Returns the socket that listens, or a negative errno after telling. */
static int begin(const struct options *o, int *events)
{
    int rc = 0, listener;

    if (o->pid_file) {
        make_dir_of(o->pid_file);
        rc = daemon_pid_file(o->pid_file);
    }
    if (rc)
        return complain(o->pid_file, rc);
    if (!o->no_domains && (*events = xenio_open()) < 0)
        return complain("event channels", *events);
    store_init();
    if (!o->no_state)
        start_journal(o->state ? o->state : default_state(o->socket));
    if (!o->no_domains)
        introduce_self();
    journal_commit();
    make_dir_of(o->socket);
    listener = conn_listen(o->socket);
    return listener < 0 ? complain(o->socket, listener) : listener;
}

int main(int argc, char **argv)
{
    struct options o = {.socket = default_socket()};
    const struct option_row rows[] = {
        {"socket", 's', .text = &o.socket},
        {"no-domains", 'n', .flag = &o.no_domains},
        {"state", 't', .text = &o.state},
        {"no-state", 'N', .flag = &o.no_state},
        {"pid-file", 'p', .text = &o.pid_file},
        {"daemon", 'd', .flag = &o.detach},
        {0},
    };
    const struct option_table options = {NAME, usage, rows};
    int status, listener, events = -1;

    if (options_take(&options, argc, argv, 0, 0, &status) < 0)
        return status;
    daemon_begin(NAME, o.detach);
    listener = begin(&o, &events);
    if (listener < 0)
        return 1;
    daemon_ready();
    while (!daemon_stopped())
        turn(listener, events);
    unlink(o.socket);
    journal_stop();
    return 0;
}

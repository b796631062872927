/* SPDX-License-Identifier: MIT */
/* The life of a daemon. Signals are blocked but while it sleeps, so none is missed in between. */
#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

static const char *daemon_name = "daemon";
static int parent = -1, pid_fd = -1;
static bool in_background;
static volatile sig_atomic_t stop, reopen;

static void on_signal(int sig)
{
    if (sig == SIGHUP)
        reopen = 1;
    else
        stop = 1;
}

static void hold_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    const int wanted[] = {SIGTERM, SIGINT, SIGHUP};
    sigset_t set;

    sigemptyset(&set);
    for (unsigned int i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        sigaddset(&set, wanted[i]);
        sigaction(wanted[i], &action, NULL);
    }
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* As many descriptors as we are allowed to have. */
static void raise_limit(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

/* The parent: a byte says that the daemon is ready, an end without one that it has failed. */
static void await(int fd, pid_t child)
{
    char byte;
    ssize_t n;
    int status;

    do
        n = read(fd, &byte, 1);
    while (n < 0 && errno == EINTR);
    if (n == 1)
        _exit(0);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

void daemon_begin(const char *name, bool detach)
{
    int fds[2];
    pid_t pid;

    daemon_name = name;
    if (detach) {
        if (pipe2(fds, O_CLOEXEC) || (pid = fork()) < 0) {
            daemon_log("no way to the background: %s", strerror(errno));
            exit(1);
        }
        if (pid) {
            close(fds[1]);
            await(fds[0], pid);
        }
        close(fds[0]);
        parent = fds[1];
        setsid();
    }
    hold_signals();
    raise_limit();
}

int daemon_pid_file(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644), rc;

    if (fd < 0)
        return -errno;
    if (flock(fd, LOCK_EX | LOCK_NB) || ftruncate(fd, 0)) {
        rc = errno == EWOULDBLOCK ? -EBUSY : -errno;
        close(fd);
        return rc;
    }
    pid_fd = fd;
    return 0;
}

void daemon_ready(void)
{
    if (pid_fd >= 0 && dprintf(pid_fd, "%d\n", getpid()) < 0)
        daemon_log("pid file: %s", strerror(errno));
    if (parent >= 0) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);

        openlog(daemon_name, LOG_PID, LOG_DAEMON);
        in_background = true;
        for (int fd = 0; fd <= 2 && null >= 0; fd++)
            dup2(null, fd);
        if (null > 2)
            close(null);
        if (write(parent, "", 1) < 0)
            daemon_log("who started this is gone");
        close(parent);
        parent = -1;
    }
}

void daemon_log(const char *format, ...)
{
    char line[512];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    for (char *c = line; *c; c++)
        *c = (unsigned char)*c < ' ' || *c == 0x7f ? '?' : *c;
    if (in_background)
        syslog(LOG_WARNING, "%s", line);
    else
        fprintf(stderr, "%s: %s\n", daemon_name, line);
}

int daemon_poll(struct pollfd *fds, unsigned int nr, int64_t timeout)
{
    struct timespec t = {.tv_sec = timeout / 1000000000, .tv_nsec = timeout % 1000000000};
    sigset_t none;
    int n;

    sigemptyset(&none);
    n = ppoll(fds, nr, timeout < 0 ? NULL : &t, &none);
    for (unsigned int i = 0; n < 0 && i < nr; i++)
        fds[i].revents = 0;
    return n;
}

bool daemon_stopped(void)
{
    return stop;
}

bool daemon_reopen(void)
{
    bool was = reopen;

    reopen = 0;
    return was;
}

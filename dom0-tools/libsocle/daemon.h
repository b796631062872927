/* SPDX-License-Identifier: MIT */
/* What every daemon does: it takes a pid file, goes to the background when asked to, says what goes
 * wrong, and ends when it is told to. */
#ifndef LIBSOCLE_DAEMON_H
#define LIBSOCLE_DAEMON_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

/** daemon_begin - first of all: from now on signals wait for daemon_poll(), and there may be many files
 * @detach  go on in the background; the caller of the program waits until daemon_ready(), or gets
 *          the exit status of what ends before */
void daemon_begin(const char *name, bool detach);

/** daemon_pid_file - take @path for this process, as long as it lives
 * The number is in it once the daemon is ready. Returns 0; -EBUSY: another process has it. */
int daemon_pid_file(const char *path);

/** daemon_ready - what it serves can be used. */
void daemon_ready(void);

/** daemon_log - a line, without newline: to standard error, in the background to the system's log
 * Control characters become '?'. */
void daemon_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** daemon_poll - poll(2), during which signals come
 * @timeout  nanoseconds; negative: none
 * Returns as poll does; nobody is ready when a signal came. */
int daemon_poll(struct pollfd *fds, unsigned int nr, int64_t timeout);

/** daemon_stopped - has it been told to end (SIGTERM, SIGINT)? */
bool daemon_stopped(void);

/** daemon_reopen - has it been told to open its files anew (SIGHUP), since this was asked last? */
bool daemon_reopen(void);

#endif

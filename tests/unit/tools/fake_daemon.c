/* SPDX-License-Identifier: MIT */
/* What daemons have from daemon.c, for tests. */
#include "fake_daemon.h"

#include "dom0-tools/libsocle/daemon.h"

#include <stdarg.h>
#include <stdio.h>

char fake_told[512];

void daemon_log(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(fake_told, sizeof(fake_told), format, args);
    va_end(args);
}

int daemon_poll(struct pollfd *fds, unsigned int nr, int64_t timeout)
{
    return poll(fds, nr, timeout < 0 ? -1 : (int)(timeout / 1000000));
}

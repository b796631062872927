/* SPDX-License-Identifier: MIT */
/* A daemon's log, for tests. */
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

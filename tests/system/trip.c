/* SPDX-License-Identifier: MIT */
/* For LD_PRELOAD: counts what a tool asks of hypervisor (by the kernel) and store, and lets it trip over the
 * TRIP_AT-th time. TRIP is what happens then: fail (that call does), kill (the process is killed
 * before it), or int (somebody presses Ctrl-C). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool trips(void)
{
    const char *at = getenv("TRIP_AT"), *how = getenv("TRIP");
    static unsigned long calls;

    if (!at || !how || ++calls != strtoul(at, NULL, 10))
        return false;
    if (strcmp(how, "kill") == 0)
        kill(getpid(), SIGKILL);
    if (strcmp(how, "int") == 0)
        kill(getpid(), SIGINT);
    errno = ENOMEM;
    return strcmp(how, "fail") == 0;
}

/* All arguments are words, and all functions have at most seven. */
typedef long fn(long, long, long, long, long, long, long);

#define TRIP(name, bad)                                                                            \
    long name(long a, long b, long c, long d, long e, long f, long g)                              \
    {                                                                                              \
        static fn *real;                                                                           \
                                                                                                   \
        real = real ? real : (fn *)dlsym(RTLD_NEXT, #name);                                        \
        return trips() ? bad : real(a, b, c, d, e, f, g);                                          \
    }

TRIP(ioctl, -1)
TRIP(send, -1)
TRIP(recv, -1)

// SPDX-License-Identifier: MIT
#include "stop.h"

#include <errno.h>
#include <stddef.h>

static const volatile sig_atomic_t *stop;

void stop_on(const volatile sig_atomic_t *flag)
{
    stop = flag;
}

int stop_check(struct error *err)
{
    return stop && *stop ? error_set(err, -EINTR, "interrupted") : 0;
}

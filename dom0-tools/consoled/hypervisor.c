/* SPDX-License-Identifier: MIT */
/* The hypervisor's log. An event says that it has grown; where somebody else has that event, we look
 * from time to time. */
#include "hypervisor.h"

#include "../libsocle/alloc.h"
#include "../libsocle/daemon.h"
#include "../libsocle/xc.h"
#include "console.h"
#include "host.h"
#include "stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TURN = 16 };

static struct stream stream;
static bool in_use, more;
static int port = -1, error;
static int64_t wake;

void hypervisor_log_start(int64_t now)
{
    static const uint8_t no_key[HISTORY_KEY];
    const struct console_settings *s = &console_settings;
    char *path = must_alloc(strlen(s->run_dir) + strlen(s->log_dir) + 32);

    sprintf(path, "%s/hypervisor.history", s->run_dir);
    stream_open(&stream, path, 0, no_key, s->history);
    sprintf(path, "%s/hypervisor.log", s->log_dir);
    stream_log_to(&stream, path, s->log_size, s->log_keep);
    free(path);
    port = host_bind_log();
    in_use = more = true;
    wake = now;
}

bool hypervisor_log_event(uint32_t event)
{
    if (!in_use || port < 0 || event != (uint32_t)port)
        return false;
    host_unmask(event);
    return more = true;
}

/* Returns whether there was something. What is not in the log any more is skipped. */
static bool take(void)
{
    uint32_t pos = stream_position(&stream), index = pos, len = HISTORY_STEP;
    char buf[HISTORY_STEP];
    int rc = xc_read_log(&index, buf, &len, false);

    if (rc && rc != error)
        daemon_log("the hypervisor's log: %s", strerror(-rc));
    error = rc;
    if (rc || len == 0)
        return false;
    if (index - len != pos)
        stream_set_position(&stream, index - len);
    stream_append(&stream, buf, len);
    return true;
}

int64_t hypervisor_log_turn(int64_t now)
{
    if (!in_use)
        return INT64_MAX;
    if (port < 0 && wake <= now) {
        more = true;
        wake = now + SECOND;
    }
    for (unsigned int i = 0; i < TURN && more; i++)
        more = take();
    if (more)
        return now;
    return port < 0 ? wake : INT64_MAX;
}

void hypervisor_log_reopen(void)
{
    if (in_use)
        stream_reopen_log(&stream);
}

void hypervisor_log_stop(void)
{
    if (in_use)
        stream_close(&stream);
    in_use = false;
}

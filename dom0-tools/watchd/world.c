/* SPDX-License-Identifier: MIT */
/* Domains, the store and the clock. */
#include "world.h"

#include "../libsocle/create.h"
#include "../libsocle/device.h"
#include "../libsocle/xc.h"
#include "../libsocle/xs.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>
#include <xenstore.h>

static bool to_syslog;

void world_log_to_syslog(void)
{
    openlog("socle-watchd", LOG_PID, LOG_DAEMON);
    to_syslog = true;
}

static void put_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void put_line(const char *format, ...)
{
    char line[512];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    if (to_syslog)
        syslog(LOG_WARNING, "%s", line);
    else
        fprintf(stderr, "socle-watchd: %s\n", line);
}

static int create(const struct domain_config *c, domid_t *id, struct error *err)
{
    const struct create_options usual = {0};

    return domain_create(c, &usual, id, err);
}

static bool put_node(struct xs_handle *xs, xs_transaction_t t, const char *value,
                     const char *format, ...) __attribute__((format(printf, 4, 5)));
static bool put_node(struct xs_handle *xs, xs_transaction_t t, const char *value,
                     const char *format, ...)
{
    char path[128];
    va_list args;

    va_start(args, format);
    vsnprintf(path, sizeof(path), format, args);
    va_end(args);
    return xs_write(xs, t, path, value, strlen(value));
}

static void uuid_text(const uint8_t uuid[16], char text[40])
{
    for (unsigned int i = 0; i < 16; i++)
        text += sprintf(text, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", uuid[i]);
}

/* The old node below /vm stays: it becomes that of the next life. */
static int put_names(struct xs_handle *xs, domid_t id, const struct domain_config *c)
{
    char uuid[40], vm[48];
    xs_transaction_t t;
    bool good, done;

    uuid_text(c->uuid, uuid);
    snprintf(vm, sizeof(vm), "/vm/%s", uuid);
    do {
        t = xs_transaction_start(xs);
        if (!t)
            return -errno;
        good = put_node(xs, t, uuid, "%s/uuid", vm) && put_node(xs, t, c->name, "%s/name", vm) &&
               put_node(xs, t, vm, "/local/domain/%u/vm", id) &&
               put_node(xs, t, c->name, "/local/domain/%u/name", id);
        done = xs_transaction_end(xs, t, !good);
    } while (!done && errno == EAGAIN);
    return good && done ? 0 : -EIO;
}

static int rename_domain(domid_t id, const struct domain_config *c, struct error *err)
{
    struct xs_handle *xs = xs_open(0);
    int rc;

    if (!xs)
        return error_set(err, -errno, "the store is not there");
    rc = devices_remove(xs, id, err);
    if (rc) {
        xs_close(xs);
        return rc;
    }
    rc = put_names(xs, id, c);
    if (rc == 0)
        rc = xc_set_handle(id, c->uuid);
    xs_close(xs);
    return rc ? error_set(err, rc, "%s", strerror(-rc)) : 0;
}

static char *name_of(domid_t id)
{
    char path[64];

    snprintf(path, sizeof(path), "/local/domain/%u/name", id);
    return xs_get(path);
}

static uint64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_BOOTTIME, &t);
    return t.tv_sec;
}

static void wait_seconds(unsigned int seconds)
{
    sleep(seconds);
}

const struct life_world real_world = {
    .info = xc_info,
    .domains = xc_domains,
    .end = domain_end,
    .create = create,
    .unpause = xc_unpause,
    .rename = rename_domain,
    .now = now,
    .wait = wait_seconds,
    .name = name_of,
    .log = put_line,
};

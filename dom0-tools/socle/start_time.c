/* SPDX-License-Identifier: MIT */
/* When domains were started. */
#include "start_time.h"

#include "../libsocle/alloc.h"
#include "../libsocle/xs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t of_this_kernel(void)
{
    struct timespec up, now;

    clock_gettime(CLOCK_BOOTTIME, &up);
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec - up.tv_sec;
}

/* "1700000000.25": seconds, and what we do not want to know. */
static int64_t parse(const char *text)
{
    char *end;
    long long t = text ? strtoll(text, &end, 10) : -1;

    return text && end != text && (*end == 0 || *end == '.') && t >= 0 ? t : -1;
}

int64_t *start_times(const struct xen_domctl_getdomaininfo *d, unsigned int nr)
{
    char(*path)[sizeof("/vm//start_time") + UUID_ROOM] = must_alloc((nr + 1) * sizeof(*path));
    const char **at = must_alloc((nr + 1) * sizeof(*at));
    char **text = must_alloc((nr + 1) * sizeof(*text));
    int64_t *start = must_alloc((nr + 1) * sizeof(*start));

    for (unsigned int i = 0; i < nr; i++) {
        char uuid[UUID_ROOM];

        domain_uuid(&d[i], uuid);
        sprintf(path[i], "/vm/%s/start_time", uuid);
        at[i] = path[i];
    }
    xs_get_all(at, nr, text);
    for (unsigned int i = 0; i < nr; i++) {
        start[i] = d[i].domain ? parse(text[i]) : of_this_kernel();
        free(text[i]);
    }
    free(path);
    free(at);
    free(text);
    return start;
}

int64_t start_time_age(int64_t start)
{
    int64_t age = time(NULL) - start;

    return start < 0 ? -1 : age < 0 ? 0 : age;
}

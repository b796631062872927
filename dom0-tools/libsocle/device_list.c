// SPDX-License-Identifier: MIT
/* Finding devices in the store, by what the guests cannot write. */
#include "device.h"
#include "device_nodes.h"

#include "alloc.h"
#include "xs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *device_read(struct xs_handle *xs, xs_transaction_t t, const char *dir, const char *name)
{
    unsigned int len;
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return xs_read(xs, t, path, &len);
}

long device_number(struct xs_handle *xs, const char *dir, const char *name, long otherwise)
{
    char *value = device_read(xs, XBT_NULL, dir, name), *end;
    long n = otherwise;

    if (value && value[0]) {
        n = strtol(value, &end, 10);
        if (*end)
            n = otherwise;
    }
    free(value);
    return n;
}

void device_name(struct xs_handle *xs, const struct device *d, char *name, size_t size)
{
    bool disk = strcmp(d->kind, "vbd") == 0;
    char *dev = disk ? device_read(xs, XBT_NULL, d->back, "dev") : NULL;

    if (dev)
        snprintf(name, size, "disk %s", dev);
    else
        snprintf(name, size, "%s %u",
                 disk                          ? "disk"
                 : strcmp(d->kind, "vif") == 0 ? "nic"
                                               : d->kind,
                 d->id);
    free(dev);
}

void device_init(struct device *d, const char *kind, domid_t domid, unsigned int id)
{
    *d = (struct device){.domid = domid, .id = id};
    snprintf(d->kind, sizeof(d->kind), "%s", kind);
    snprintf(d->back, sizeof(d->back), BACK_ENDS "/%s/%u/%u", d->kind, domid, id);
    snprintf(d->front, sizeof(d->front), "/local/domain/%u/device/%s/%u", domid, d->kind, id);
}

bool is_number(const char *s, unsigned int *n)
{
    char *end;
    unsigned long value;

    if (s[0] < '0' || s[0] > '9')
        return false;
    errno = 0;
    value = strtoul(s, &end, 10);
    *n = value;
    return !*end && !errno && value <= UINT32_MAX;
}

/* Adds those of one kind. */
static int add_kind(struct xs_handle *xs, xs_transaction_t t, domid_t id, const char *kind,
                    struct device **list, size_t *nr)
{
    unsigned int count, number;
    char path[256];
    char **names;

    if (strlen(kind) >= sizeof((*list)->kind))
        return 0;
    snprintf(path, sizeof(path), BACK_ENDS "/%s/%u", kind, id);
    names = xs_directory(xs, t, path, &count);
    if (!names)
        return errno == ENOENT ? 0 : -errno;
    *list = realloc(*list, (*nr + count + 1) * sizeof(**list));
    must_have(*list ? 0 : -ENOMEM);
    for (unsigned int i = 0; i < count; i++) {
        if (is_number(names[i], &number))
            device_init(&(*list)[(*nr)++], kind, id, number);
    }
    free(names);
    return 0;
}

static int by_kind_and_id(const void *a, const void *b)
{
    const struct device *x = a, *y = b;
    int kinds = strcmp(x->kind, y->kind);

    return kinds ? kinds : (x->id > y->id) - (x->id < y->id);
}

int devices_list(struct xs_handle *xs, xs_transaction_t t, domid_t id, const char *kind,
                 struct device **list, size_t *nr)
{
    unsigned int count = 0;
    char **kinds = NULL;
    int rc = 0;

    *list = NULL;
    *nr = 0;
    if (!kind) {
        kinds = xs_directory(xs, t, BACK_ENDS, &count);
        if (!kinds && errno != ENOENT)
            return -errno;
    } else {
        rc = add_kind(xs, t, id, kind, list, nr);
    }
    for (unsigned int i = 0; kinds && i < count && rc == 0; i++)
        rc = add_kind(xs, t, id, kinds[i], list, nr);
    free(kinds);
    if (rc) {
        free(*list);
        *list = NULL;
        *nr = 0;
    }
    if (*nr)
        qsort(*list, *nr, sizeof(**list), by_kind_and_id);
    return rc;
}

/* Asked of the store by all kinds at once. */
bool devices_any(domid_t id)
{
    const char *top = BACK_ENDS, **at;
    char *kinds, **found;
    size_t nr = 0, i = 0;
    bool any = false;
    char(*path)[256];

    if (xs_list_all(&top, 1, &kinds))
        return true;
    for (const char *k = kinds; k && *k; k += strlen(k) + 1)
        nr++;
    path = must_alloc((nr + 1) * sizeof(*path));
    at = must_alloc((nr + 1) * sizeof(*at));
    found = must_alloc((nr + 1) * sizeof(*found));
    for (const char *k = kinds; k && *k; k += strlen(k) + 1, i++) {
        snprintf(path[i], sizeof(path[i]), BACK_ENDS "/%s/%u", k, id);
        at[i] = path[i];
    }
    any = xs_list_all(at, nr, found) != 0;
    for (i = 0; i < nr; i++) {
        any |= found[i] != NULL;
        free(found[i]);
    }
    free(path);
    free(at);
    free(found);
    free(kinds);
    return any;
}

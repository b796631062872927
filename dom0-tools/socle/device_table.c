/* SPDX-License-Identifier: MIT */
/* Tables of a domain's devices. */
#include "device_table.h"

#include "domains.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

void put_number(yajl_gen g, const char *key, long n)
{
    yajl_gen_string(g, (const unsigned char *)key, strlen(key));
    yajl_gen_integer(g, n);
}

void put_text(yajl_gen g, const char *key, struct xs_handle *xs, const char *dir, const char *node)
{
    char *text = device_read(xs, XBT_NULL, dir, node);

    if (text && text[0]) {
        yajl_gen_string(g, (const unsigned char *)key, strlen(key));
        yajl_gen_string(g, (const unsigned char *)text, strlen(text));
    }
    free(text);
}

static void print_json(const struct device_table *t, struct xs_handle *xs,
                       const struct device *list, size_t nr)
{
    yajl_gen g = yajl_gen_alloc(NULL);
    const unsigned char *text;
    size_t len;

    yajl_gen_config(g, yajl_gen_beautify, 1);
    yajl_gen_config(g, yajl_gen_indent_string, "  ");
    yajl_gen_array_open(g);
    for (size_t i = 0; i < nr; i++) {
        yajl_gen_map_open(g);
        put_number(g, "id", list[i].id);
        t->put_object(xs, &list[i], g);
        put_number(g, "state", device_number(xs, list[i].front, "state", -1));
        yajl_gen_map_close(g);
    }
    yajl_gen_array_close(g);
    yajl_gen_get_buf(g, &text, &len);
    fwrite(text, 1, len, stdout);
    yajl_gen_free(g);
}

static void print_text(const struct device_table *t, struct xs_handle *xs,
                       const struct device *list, size_t nr)
{
    puts(t->header);
    for (size_t i = 0; i < nr; i++)
        t->print_line(xs, &list[i]);
}

static int print(const struct device_table *t, domid_t id, bool json)
{
    struct xs_handle *xs = xs_open(XS_OPEN_SOCKETONLY);
    struct device *list;
    size_t nr;
    int rc;

    if (!xs)
        return fail("no way to the store", errno ? -errno : -ENOENT);
    rc = devices_list(xs, XBT_NULL, id, t->kind, &list, &nr);
    if (rc)
        rc = fail("store", rc);
    else
        (json ? print_json : print_text)(t, xs, list, nr);
    free(list);
    xs_close(xs);
    return rc;
}

int device_table_run(const struct device_table *t, const struct command *self, int argc,
                     char **argv)
{
    static const struct option options[] = {{"json", no_argument, NULL, 'j'}, {0}};
    struct xen_domctl_getdomaininfo *d;
    unsigned int nr;
    bool json = false;
    int c, rc;

    optind = 0; /* from the start, whoever called getopt before */
    while ((c = getopt_long(argc, argv, "j", options, NULL)) != -1) {
        if (c != 'j')
            return command_misuse(self);
        json = true;
    }
    if (argc != optind + 1)
        return command_misuse(self);
    rc = domains_find(argv[optind], &d, &nr);
    if (rc)
        return rc;
    rc = print(t, d->domain, json);
    free(d);
    return rc;
}

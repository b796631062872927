/* SPDX-License-Identifier: MIT */
/* Configurations: reading a file, whichever language it is in, and writing one. */
#include "config_check.h"

#include "alloc.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yajl/yajl_gen.h>

/* ---- reading ---- */

static bool is_json(const char *path, const char *text, size_t len)
{
    size_t name = strlen(path);

    if (name > 5 && strcmp(path + name - 5, ".json") == 0)
        return true;
    while (len && isspace((unsigned char)*text))
        text++, len--;
    return len && *text == '{';
}

static int override_all(struct node *root, bool json, char *const *overrides, size_t nr,
                        const struct source *from, struct config_notes *notes)
{
    int rc = 0;

    for (size_t i = 0; i < nr && rc == 0; i++) {
        size_t len = strcspn(overrides[i], "=");
        char *key;

        if (!len || !overrides[i][len]) {
            note_error(notes, from, 0, "", "expected KEY=VALUE, not \"%s\"", overrides[i]);
            return -EINVAL;
        }
        key = must_copy(overrides[i], len);
        rc = (json ? json_override : cfg_override)(root, from, key, overrides[i] + len + 1, notes);
        free(key);
    }
    return rc;
}

int config_parse(const char *path, const char *text, size_t len, char *const *overrides, size_t nr,
                 struct domain_config *c, struct config_notes *notes)
{
    static const struct source command_line = {.name = "command line"};
    bool json = is_json(path, text, len);
    char *copy = must_copy(path, strlen(path));
    struct source file = {.name = path, .dir = json ? dirname(copy) : NULL};
    unsigned int before = notes->errors;
    struct node *root = (json ? json_parse : cfg_parse)(&file, text, len, notes);
    int rc = root ? 0 : -EINVAL;

    if (root && root->type == NODE_OBJECT)
        rc = override_all(root, json, overrides, nr, &command_line, notes);
    if (rc == 0 && !json)
        cfg_translate(root, notes);
    if (rc == 0)
        rc = config_check(root, c, notes);
    if (rc == 0 && notes->errors != before) {
        config_free(c);
        rc = -EINVAL;
    }
    node_free(root);
    free(copy);
    return rc;
}

static int read_text(const char *path, struct bytes *text)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY), rc;
    ssize_t n = 1;

    if (fd < 0)
        return -errno;
    do {
        rc = bytes_grow(text, 4096, CONFIG_MAX_SIZE + 4096);
        if (rc == 0)
            n = read(fd, text->data + text->len, 4096);
        if (n < 0 && errno != EINTR)
            rc = -errno;
        text->len += n > 0 ? n : 0;
    } while (rc == 0 && n);
    close(fd);
    return rc == 0 && text->len > CONFIG_MAX_SIZE ? -EFBIG : rc;
}

int config_load(const char *path, char *const *overrides, size_t nr, struct domain_config *c,
                struct config_notes *notes)
{
    struct source file = {.name = path};
    struct bytes text = {0};
    int rc = read_text(path, &text);

    if (rc) {
        note_error(notes, &file, 0, "", "%s", strerror(-rc));
        rc = -EINVAL;
    } else {
        rc = config_parse(path, (const char *)text.data, text.len, overrides, nr, c, notes);
    }
    bytes_free(&text);
    return rc;
}

void config_free(struct domain_config *c)
{
    for (size_t i = 0; i < c->nr_disks; i++) {
        free(c->disks[i].path);
        free(c->disks[i].vdev);
        free(c->disks[i].script);
    }
    for (size_t i = 0; i < c->nr_nics; i++) {
        free(c->nics[i].bridge);
        free(c->nics[i].ifname);
        free(c->nics[i].ip);
        free(c->nics[i].script);
        free(c->nics[i].rate);
    }
    free(c->disks);
    free(c->nics);
    free(c->vcpu_cpus);
    free(c->name);
    free(c->kernel);
    free(c->ramdisk);
    free(c->cmdline);
    free(c->pool);
    free(c->console_log);
    *c = (struct domain_config){0};
}

const char *config_action_name(enum config_action action)
{
    static const char *const names[] = {
        [CONFIG_DESTROY] = "destroy",
        [CONFIG_RESTART] = "restart",
        [CONFIG_RENAME_RESTART] = "rename-restart",
        [CONFIG_PRESERVE] = "preserve",
    };

    return names[action];
}

/* ---- writing ---- */

static void put_text(yajl_gen g, const char *text)
{
    yajl_gen_string(g, (const unsigned char *)text, strlen(text));
}

static void row_text(yajl_gen g, const char *key, const char *text)
{
    if (!text || !text[0])
        return;
    put_text(g, key);
    put_text(g, text);
}

static void row_number(yajl_gen g, const char *key, unsigned int n, unsigned int usual)
{
    if (n == usual)
        return;
    put_text(g, key);
    yajl_gen_integer(g, n);
}

static void row_uuid(yajl_gen g, const struct domain_config *c)
{
    char text[40];
    size_t len = 0;

    for (unsigned int i = 0; i < 16; i++)
        len += sprintf(text + len, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x",
                       c->uuid[i]);
    row_text(g, "uuid", c->has_uuid ? text : NULL);
}

struct config_cpus config_cpus_all(void)
{
    struct config_cpus all;

    memset(&all, 0xff, sizeof(all));
    return all;
}

static bool has_cpu(const struct config_cpus *c, unsigned int cpu)
{
    return cpu < CONFIG_MAX_CPUS && c->bits[cpu / 64] >> cpu % 64 & 1;
}

/* As ranges: each pair of a comma and a CPU takes five bytes at most. */
static void put_cpus(yajl_gen g, const struct config_cpus *c)
{
    char text[CONFIG_MAX_CPUS * 5 + 1] = "";
    size_t len = 0;

    for (unsigned int cpu = 0, last; cpu < CONFIG_MAX_CPUS; cpu = last + 1) {
        for (last = cpu; has_cpu(c, last + 1) && has_cpu(c, cpu);)
            last++;
        if (has_cpu(c, cpu))
            len += sprintf(text + len, "%s%u", len ? "," : "", cpu);
        if (last > cpu)
            len += sprintf(text + len, "-%u", last);
    }
    put_text(g, text);
}

static void row_cpus(yajl_gen g, const struct domain_config *c)
{
    struct config_cpus all = config_cpus_all();

    if (!c->has_cpus && !c->nr_vcpu_cpus)
        return;
    put_text(g, "cpus");
    if (c->has_cpus) {
        put_cpus(g, &c->cpus);
        return;
    }
    yajl_gen_array_open(g);
    for (size_t i = 0; i < c->nr_vcpu_cpus; i++) {
        if (memcmp(&c->vcpu_cpus[i], &all, sizeof(all)) == 0)
            put_text(g, "all");
        else
            put_cpus(g, &c->vcpu_cpus[i]);
    }
    yajl_gen_array_close(g);
}

static void row_disks(yajl_gen g, const struct domain_config *c)
{
    if (!c->nr_disks)
        return;
    put_text(g, "disks");
    yajl_gen_array_open(g);
    for (const struct config_disk *d = c->disks; d < c->disks + c->nr_disks; d++) {
        yajl_gen_map_open(g);
        row_text(g, "path", d->path);
        row_text(g, "vdev", d->vdev);
        row_text(g, "script", d->script);
        if (d->readonly) {
            put_text(g, "readonly");
            yajl_gen_bool(g, 1);
        }
        yajl_gen_map_close(g);
    }
    yajl_gen_array_close(g);
}

static void row_nics(yajl_gen g, const struct domain_config *c)
{
    if (!c->nr_nics)
        return;
    put_text(g, "nics");
    yajl_gen_array_open(g);
    for (const struct config_nic *n = c->nics; n < c->nics + c->nr_nics; n++) {
        char mac[20];

        sprintf(mac, "%02x:%02x:%02x:%02x:%02x:%02x", n->mac[0], n->mac[1], n->mac[2], n->mac[3],
                n->mac[4], n->mac[5]);
        yajl_gen_map_open(g);
        row_text(g, "mac", n->has_mac ? mac : NULL);
        row_text(g, "bridge", n->bridge);
        row_text(g, "ifname", n->ifname);
        row_text(g, "ip", n->ip);
        if (n->any_mac) {
            put_text(g, "mac_filter");
            yajl_gen_bool(g, 0);
        }
        row_text(g, "rate", n->rate);
        row_text(g, "script", n->script);
        yajl_gen_map_close(g);
    }
    yajl_gen_array_close(g);
}

static void row_console(yajl_gen g, const struct domain_config *c)
{
    if (!c->console_log && !c->console_log_size)
        return;
    put_text(g, "console");
    yajl_gen_map_open(g);
    row_text(g, "log", c->console_log);
    row_number(g, "log_size", c->console_log_size, 0);
    yajl_gen_map_close(g);
}

static void row_action(yajl_gen g, const char *key, enum config_action action,
                       enum config_action usual)
{
    row_text(g, key, action == usual ? NULL : config_action_name(action));
}

void config_generate(const struct domain_config *c, yajl_gen g)
{
    yajl_gen_map_open(g);
    row_text(g, "name", c->name);
    row_uuid(g, c);
    row_text(g, "kernel", c->kernel);
    row_text(g, "ramdisk", c->ramdisk);
    row_text(g, "cmdline", c->cmdline);
    row_number(g, "memory", c->memory, 0);
    row_number(g, "maxmem", c->maxmem, c->memory);
    row_number(g, "vcpus", c->vcpus, 1);
    row_number(g, "maxvcpus", c->maxvcpus, c->vcpus);
    row_cpus(g, c);
    row_text(g, "pool", c->pool);
    row_number(g, "weight", c->weight, 256);
    row_number(g, "cap", c->cap, 0);
    row_disks(g, c);
    row_nics(g, c);
    row_console(g, c);
    row_action(g, "on_poweroff", c->on_poweroff, CONFIG_DESTROY);
    row_action(g, "on_reboot", c->on_reboot, CONFIG_RESTART);
    row_action(g, "on_crash", c->on_crash, CONFIG_DESTROY);
    yajl_gen_map_close(g);
}

void config_print(const struct domain_config *c, FILE *to)
{
    yajl_gen g = yajl_gen_alloc(NULL);
    const unsigned char *text;
    size_t len;

    must_have(g ? 0 : -ENOMEM);
    yajl_gen_config(g, yajl_gen_beautify, 1);
    yajl_gen_config(g, yajl_gen_indent_string, "  ");
    config_generate(c, g);
    yajl_gen_get_buf(g, &text, &len);
    fwrite(text, 1, len, to);
    yajl_gen_free(g);
}

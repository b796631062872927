/* SPDX-License-Identifier: MIT */
/* From the tree of what a file says to a domain_config: one row for each key, one function for each
 * kind of value. What config/socle.schema.json says of a file is said here again; a test compares
 * them. */
#include "config_check.h"

#include "alloc.h"
#include "cpus.h"
#include "nearest.h"
#include "number.h"
#include "pools.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

struct key {
    const char *name;
    const char *expects; /* "expected ..., not ..." */
    /* Puts the value to where it belongs; false: it is not what the row expects. */
    bool (*take)(const struct node *n, const struct key *k, void *object,
                 struct config_notes *notes);
    size_t offset; /* in the object */
    unsigned int min, max;
    bool required;
};

/* ---- values ---- */

static bool is_text(const struct node *n)
{
    return n->type == NODE_TEXT || n->type == NODE_WORD;
}

static char **text_at(void *object, const struct key *k)
{
    return (char **)((char *)object + k->offset);
}

static bool keep_text(const struct node *n, const struct key *k, void *object)
{
    *text_at(object, k) = must_copy(n->text, strlen(n->text));
    return true;
}

/* JSON knows no integers: 64, 64.0 and 6.4e1 are the same. Words are as in C. */
static bool integer(const struct node *n, double *value)
{
    char *end;

    if (n->type == NODE_NUMBER) {
        *value = strtod(n->text, &end);
        return *value >= 0 && *value < 1e15 && *value == (double)(long long)*value;
    }
    if (n->type != NODE_WORD || !isdigit((unsigned char)n->text[0]))
        return false;
    *value = strtoull(n->text, &end, 0);
    return !*end;
}

static bool take_number(const struct node *n, const struct key *k, void *object,
                        struct config_notes *notes)
{
    double value;

    (void)notes;
    if (!integer(n, &value) || value < k->min || value > k->max)
        return false;
    *(unsigned int *)((char *)object + k->offset) = value;
    return true;
}

static bool take_bool(const struct node *n, const struct key *k, void *object,
                      struct config_notes *notes)
{
    (void)notes;
    *(bool *)((char *)object + k->offset) = n->type == NODE_TRUE;
    return n->type == NODE_TRUE || n->type == NODE_FALSE;
}

/* Nothing but letters, digits and @others; @min to @max of them. */
static bool made_of(const char *text, const char *others, size_t min, size_t max)
{
    size_t len = 0;

    for (const char *c = text; *c; c++, len++) {
        if (!isalnum((unsigned char)*c) && !strchr(others, *c))
            return false;
    }
    return len >= min && len <= max;
}

bool config_name_ok(const char *name)
{
    return made_of(name, "_.+:-", 1, 63) && isalnum((unsigned char)name[0]) &&
           name[strspn(name, "0123456789")];
}

static bool take_name(const struct node *n, const struct key *k, void *object,
                      struct config_notes *notes)
{
    (void)notes;
    return is_text(n) && config_name_ok(n->text) && keep_text(n, k, object);
}

/* Names of network interfaces. */
static bool take_interface(const struct node *n, const struct key *k, void *object,
                           struct config_notes *notes)
{
    (void)notes;
    return is_text(n) && made_of(n->text, "_.-", 1, 15) && n->text[0] != '.' &&
           keep_text(n, k, object);
}

/* Bytes in hexadecimal; what @form has that is no x stands between them. */
static bool hex_bytes(const char *text, const char *form, uint8_t *bytes)
{
    unsigned int digits = 0;

    for (; *form && *text; form++, text++) {
        if (*form != 'x' && *text == *form)
            continue;
        if (*form != 'x' || !isxdigit((unsigned char)*text))
            return false;
        bytes[digits / 2] = bytes[digits / 2] << 4 |
                            (isdigit((unsigned char)*text) ? *text - '0' : (*text | 32) - 'a' + 10);
        digits++;
    }
    return !*form && !*text;
}

static bool take_uuid(const struct node *n, const struct key *k, void *object,
                      struct config_notes *notes)
{
    struct domain_config *c = object;

    (void)k;
    (void)notes;
    c->has_uuid = is_text(n) && hex_bytes(n->text, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", c->uuid);
    return c->has_uuid;
}

/* One card's own address: not a group's, not all zero. */
static bool take_mac(const struct node *n, const struct key *k, void *object,
                     struct config_notes *notes)
{
    static const uint8_t zero[6];
    struct config_nic *nic = object;

    (void)k;
    (void)notes;
    nic->has_mac = is_text(n) && hex_bytes(n->text, "xx:xx:xx:xx:xx:xx", nic->mac) &&
                   !(nic->mac[0] & 1) && memcmp(nic->mac, zero, 6) != 0;
    return nic->has_mac;
}

/* What ends up in the start info page of a guest. */
static bool take_cmdline(const struct node *n, const struct key *k, void *object,
                         struct config_notes *notes)
{
    (void)notes;
    if (!is_text(n) || strlen(n->text) > 1023)
        return false;
    for (const char *c = n->text; *c; c++) {
        if (*c < ' ' || *c > '~')
            return false;
    }
    return keep_text(n, k, object);
}

/* A path as it is found from where we are. */
static bool is_path(const struct node *n)
{
    if (!is_text(n) || !n->text[0] || strlen(n->text) >= PATH_MAX / 2)
        return false;
    for (const char *c = n->text; *c; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            return false;
    }
    return true;
}

static char *absolute(const struct node *n)
{
    char dir[PATH_MAX] = "", path[2 * PATH_MAX];

    if (n->text[0] == '/')
        return must_copy(n->text, strlen(n->text));
    if (!realpath(n->from->dir ? n->from->dir : ".", dir))
        snprintf(dir, sizeof(dir), "%s", n->from->dir ? n->from->dir : ".");
    snprintf(path, sizeof(path), "%s/%s", dir, n->text);
    return must_copy(path, strlen(path));
}

static bool take_path(const struct node *n, const struct key *k, void *object,
                      struct config_notes *notes)
{
    (void)notes;
    if (!is_path(n))
        return false;
    *text_at(object, k) = absolute(n);
    return true;
}

static bool lacks(const struct node *n, struct config_notes *notes, const char *what,
                  const char *why)
{
    char shown[64];

    if (notes->of_the_past)
        return true;
    node_show(n, shown, sizeof(shown));
    node_error(n, notes, "expected %s, but %s: %s", what, shown, why);
    return true;
}

static bool take_file(const struct node *n, const struct key *k, void *object,
                      struct config_notes *notes)
{
    int mode = strcmp(k->name, "script") == 0 ? X_OK : R_OK;
    struct stat st;
    const char *path;

    if (!take_path(n, k, object, notes))
        return false;
    path = *text_at(object, k);
    if (stat(path, &st) || access(path, mode))
        return lacks(n, notes, k->expects, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return lacks(n, notes, k->expects, "not a file");
    return true;
}

static bool take_action(const struct node *n, const struct key *k, void *object,
                        struct config_notes *notes)
{
    (void)notes;
    if (!is_text(n))
        return false;
    for (unsigned int i = 0; i <= CONFIG_PRESERVE; i++) {
        if (strcmp(n->text, config_action_name(i)) == 0) {
            *(enum config_action *)((char *)object + k->offset) = i;
            return true;
        }
    }
    return false;
}

#define CPUS_FORM "numbers of CPUs below 1024, such as 0-3,^1"

/* A text for each vcpu. */
static bool take_vcpu_cpus(const struct node *list, struct domain_config *c,
                           struct config_notes *notes)
{
    char shown[64];

    for (const struct node *n = list->child; n; n = n->next)
        c->nr_vcpu_cpus += !n->dropped;
    if (!c->nr_vcpu_cpus)
        return false;
    c->vcpu_cpus = must_alloc(c->nr_vcpu_cpus * sizeof(*c->vcpu_cpus));
    c->nr_vcpu_cpus = 0;
    for (const struct node *n = list->child; n; n = n->next) {
        if (n->dropped || (is_text(n) && cpus_parse(n->text, c->vcpu_cpus[c->nr_vcpu_cpus++].bits)))
            continue;
        node_show(n, shown, sizeof(shown));
        node_error(n, notes, "expected " CPUS_FORM ", not %s", shown);
    }
    return true;
}

static bool take_cpus(const struct node *n, const struct key *k, void *object,
                      struct config_notes *notes)
{
    struct domain_config *c = object;

    (void)k;
    if (n->type == NODE_LIST)
        return take_vcpu_cpus(n, c, notes);
    if (!is_text(n))
        return false;
    c->has_cpus = strcmp(n->text, "all") != 0;
    return cpus_parse(n->text, c->cpus.bits);
}

/* Names of disks and their numbers: those that Linux gives them, and beyond these Xen's own. */
static bool disk_number(const char *s, uint32_t *devid)
{
    unsigned long disk = 0, part = 0, max_part = 255;
    const char *name = s;

    if (s[0] == 'd' && isdigit((unsigned char)s[1])) { /* d0p1 */
        if ((s[1] == '0' && s[2] != 'p') || (s++, !number_at(&s, 99999, &disk)) || *s++ != 'p' ||
            (s[0] == '0' && s[1]) || !number_at(&s, 255, &part) || *s)
            return false;
        name = "xvd";
    } else {
        size_t skip = strncmp(s, "xvd", 3) == 0 ? 3 : strspn(s, "sh") == 1 && s[1] == 'd' ? 2 : 0;
        unsigned int letters = 0;

        for (s += skip; islower((unsigned char)*s) && skip; s++, letters++)
            disk = (letters ? (disk + 1) * 26 : 0) + *s - 'a';
        max_part = skip == 3 ? 255 : name[0] == 's' ? 15 : 63;
        if (!letters || letters > (skip == 3 ? 2u : 1u) || *s == '0')
            return false;
        if (*s && (!number_at(&s, max_part, &part) || *s))
            return false;
    }
    if (name[0] == 's')
        *devid = 8 << 8 | disk << 4 | part;
    else if (name[0] == 'h')
        *devid = (disk < 2 ? 3 : 22) << 8 | (disk & 1) << 6 | part;
    else if (disk < 16 && part < 16)
        *devid = 202 << 8 | disk << 4 | part;
    else
        *devid = 1 << 28 | disk << 8 | part;
    return name[0] == 'x' || disk < (name[0] == 's' ? 16 : 4);
}

static bool take_vdev(const struct node *n, const struct key *k, void *object,
                      struct config_notes *notes)
{
    struct config_disk *disk = object;

    (void)notes;
    return is_text(n) && disk_number(n->text, &disk->devid) && keep_text(n, k, object);
}

/* Addresses with spaces between them. */
#define IPS_ROOM 512

static bool is_ip(const char *text)
{
    uint8_t addr[16];

    return inet_pton(AF_INET, text, addr) == 1 || inet_pton(AF_INET6, text, addr) == 1;
}

/* A list, with spaces between its items; "" if that is not what it is. */
static void join_ips(const struct node *list, char all[IPS_ROOM])
{
    size_t len = 0;

    all[0] = 0;
    for (const struct node *n = list->child; n; n = n->next) {
        if (n->dropped)
            continue;
        if (!is_text(n) || !is_ip(n->text) || len + strlen(n->text) + 2 > IPS_ROOM) {
            all[0] = 0;
            return;
        }
        len += sprintf(all + len, "%s%s", len ? " " : "", n->text);
    }
}

static bool take_ip(const struct node *n, const struct key *k, void *object,
                    struct config_notes *notes)
{
    char all[IPS_ROOM] = "", copy[IPS_ROOM], *save = NULL;

    (void)notes;
    if (n->type == NODE_LIST)
        join_ips(n, all);
    else if (is_text(n) && strlen(n->text) < IPS_ROOM)
        strcpy(all, n->text);
    if (!all[0] || all[0] == ' ' || all[strlen(all) - 1] == ' ' || strstr(all, "  "))
        return false;
    strcpy(copy, all);
    for (char *s = strtok_r(copy, " ", &save); s; s = strtok_r(NULL, " ", &save)) {
        if (!is_ip(s))
            return false;
    }
    *text_at(object, k) = must_copy(all, strlen(all));
    return true;
}

/* true is what there is by itself. */
static bool take_mac_filter(const struct node *n, const struct key *k, void *object,
                            struct config_notes *notes)
{
    bool taken = take_bool(n, k, object, notes);
    struct config_nic *nic = object;

    nic->any_mac = !nic->any_mac;
    return taken;
}

static bool suffix(const char **s, const char *word)
{
    size_t len = strlen(word);

    if (strncmp(*s, word, len) != 0)
        return false;
    *s += len;
    return true;
}

/* "10Mb/s", "250KB/s@20ms": bits or bytes, and how long the card may save up what it did not use.
 */
static bool take_rate(const struct node *n, const struct key *k, void *object,
                      struct config_notes *notes)
{
    struct config_nic *nic = object;
    unsigned long amount, unit = 1, interval = 50, usecs = 1000;
    unsigned __int128 bytes;
    const char *s = n->text;
    bool bits;

    (void)notes;
    if (!is_text(n) || !number_at(&s, ULONG_MAX, &amount))
        return false;
    unit = suffix(&s, "K") ? 1000 : suffix(&s, "M") ? 1000000 : suffix(&s, "G") ? 1000000000 : 1;
    bits = *s == 'b';
    if (!suffix(&s, "b/s") && !suffix(&s, "B/s"))
        return false;
    if (suffix(&s, "@")) {
        if (!number_at(&s, ULONG_MAX, &interval))
            return false;
        usecs = suffix(&s, "us") ? 1 : suffix(&s, "ms") ? 1000 : suffix(&s, "s") ? 1000000 : 0;
    }
    bytes = (unsigned __int128)amount * unit * interval * usecs / 1000000 / (bits ? 8 : 1);
    if (*s || !bytes || bytes > UINT32_MAX || interval * usecs > UINT32_MAX)
        return false;
    nic->rate_bytes = bytes;
    nic->rate_usecs = interval * usecs;
    return keep_text(n, k, object);
}

/* ---- objects ---- */

static void take_object(const struct node *object, const struct key *keys, size_t nr, void *to,
                        struct config_notes *notes)
{
    for (const struct node *n = object->child; n; n = n->next) {
        struct nearest near = {0};
        const struct key *k = keys;
        char shown[64];

        if (n->dropped)
            continue;
        while (k < keys + nr && strcmp(k->name, n->key) != 0)
            nearest_try(&near, n->key, k++->name);
        node_show(n, shown, sizeof(shown));
        if (k == keys + nr && near.name)
            node_error(n, notes, "expected a known key, such as %s", near.name);
        else if (k == keys + nr)
            node_error(n, notes, "expected a known key");
        else if (node_find(object, n->key) == n && !k->take(n, k, to, notes))
            node_error(n, notes, "expected %s, not %s", k->expects, shown);
    }
    for (const struct key *k = keys; k < keys + nr; k++) {
        if (k->required && !node_find(object, k->name))
            node_error(object, notes, "expected the key %s as well", k->name);
    }
}

/* A list of objects; returns memory for as many of them. */
static bool is_list(const struct node *list, const char *what, struct config_notes *notes,
                    size_t size, size_t *nr, void *array)
{
    *nr = 0;
    if (list->type != NODE_LIST)
        return false;
    for (const struct node *n = list->child; n; n = n->next) {
        char shown[64];

        if (n->dropped)
            continue;
        ++*nr;
        node_show(n, shown, sizeof(shown));
        if (n->type != NODE_OBJECT)
            node_error(n, notes, "expected %s, not %s", what, shown);
    }
    *(void **)array = *nr ? must_alloc(*nr * size) : NULL;
    return true;
}

#define AT(type, field) .offset = offsetof(struct type, field)

static const struct key disk_keys[] = {
    {"path", "the path of a block device or of an image", take_path, AT(config_disk, path),
     .required = true},
    {"vdev", "a disk's name, such as xvda, xvdb1, sda or hdc", take_vdev, AT(config_disk, vdev),
     .required = true},
    {"readonly", "true or false", take_bool, AT(config_disk, readonly)},
    {"script", "a program", take_file, AT(config_disk, script)},
};

/* Only now is it known whether it must be writable. */
static void check_backing(const struct node *object, struct config_disk *disk,
                          struct config_notes *notes)
{
    const struct node *n = node_find(object, "path");
    struct stat st;

    if (!disk->path || disk->script) /* a script makes of it what it likes */
        return;
    if (stat(disk->path, &st) || access(disk->path, disk->readonly ? R_OK : R_OK | W_OK))
        lacks(n, notes, disk_keys[0].expects, strerror(errno));
    else if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
        lacks(n, notes, disk_keys[0].expects, "neither");
    disk->block = S_ISBLK(st.st_mode);
}

static bool take_disks(const struct node *list, const struct key *k, void *object,
                       struct config_notes *notes)
{
    struct domain_config *c = object;
    size_t i = 0;

    (void)k;
    if (!is_list(list, "an object for a disk", notes, sizeof(*c->disks), &c->nr_disks, &c->disks))
        return false;
    for (const struct node *n = list->child; n; n = n->next) {
        struct config_disk *disk = &c->disks[i];

        if (n->dropped || (i++, n->type != NODE_OBJECT))
            continue;
        take_object(n, disk_keys, ARRAY_SIZE(disk_keys), disk, notes);
        check_backing(n, disk, notes);
        for (size_t other = 0; other < i - 1 && disk->vdev; other++) {
            if (c->disks[other].vdev && c->disks[other].devid == disk->devid)
                node_error(node_find(n, "vdev"), notes,
                           "expected another name than that of disk %zu", other);
        }
    }
    return true;
}

static const struct key nic_keys[] = {
    {"mac", "an address of a card, such as 00:16:3e:01:02:03", take_mac},
    {"bridge", "the name of a bridge", take_interface, AT(config_nic, bridge)},
    {"ifname", "a name for an interface, at most 15 letters", take_interface,
     AT(config_nic, ifname)},
    {"ip", "IP addresses, a list or with spaces between them", take_ip, AT(config_nic, ip)},
    {"mac_filter", "true or false", take_mac_filter, AT(config_nic, any_mac)},
    {"rate", "a rate such as 10Mb/s or 1MB/s@20ms", take_rate, AT(config_nic, rate)},
    {"script", "a program", take_file, AT(config_nic, script)},
};

static bool take_nics(const struct node *list, const struct key *k, void *object,
                      struct config_notes *notes)
{
    struct domain_config *c = object;
    size_t i = 0;

    (void)k;
    if (!is_list(list, "an object for a network card", notes, sizeof(*c->nics), &c->nr_nics,
                 &c->nics))
        return false;
    for (const struct node *n = list->child; n; n = n->next) {
        struct config_nic *nic = &c->nics[i];

        if (n->dropped || (i++, n->type != NODE_OBJECT))
            continue;
        take_object(n, nic_keys, ARRAY_SIZE(nic_keys), nic, notes);
        for (size_t other = 0; other < i - 1; other++) {
            const struct config_nic *o = &c->nics[other];

            if (nic->has_mac && o->has_mac && memcmp(nic->mac, o->mac, 6) == 0)
                node_error(node_find(n, "mac"), notes,
                           "expected another address than that of card %zu", other);
            if (nic->ifname && o->ifname && strcmp(nic->ifname, o->ifname) == 0)
                node_error(node_find(n, "ifname"), notes,
                           "expected another name than that of card %zu", other);
        }
    }
    return true;
}

static const struct key console_keys[] = {
    {"log", "the path of a log file", take_path, AT(domain_config, console_log)},
    {"log_size", "KiB from 4 to 1048576", take_number, AT(domain_config, console_log_size), 4,
     1048576},
};

static bool take_console(const struct node *n, const struct key *k, void *object,
                         struct config_notes *notes)
{
    (void)k;
    if (n->type != NODE_OBJECT)
        return false;
    take_object(n, console_keys, ARRAY_SIZE(console_keys), object, notes);
    return true;
}

/* For editors. */
static bool take_nothing(const struct node *n, const struct key *k, void *object,
                         struct config_notes *notes)
{
    (void)k;
    (void)object;
    (void)notes;
    return is_text(n);
}

/* The whole file. */
struct taking {
    struct domain_config c; /* first, for what only knows that */
    char *extra;            /* more words for the command line */
};

#define FIELD(field) AT(taking, c.field)
#define ACTION       "destroy, restart, rename-restart or preserve"
#define WORDS        "at most 1023 bytes of ASCII"

static const struct key keys[] = {
    {"$schema", "text", take_nothing},
    {"name", CONFIG_NAME_FORM, take_name, FIELD(name), .required = true},
    {"uuid", "a UUID", take_uuid},
    {"kernel", "a file that can be read", take_file, FIELD(kernel), .required = true},
    {"ramdisk", "a file that can be read", take_file, FIELD(ramdisk)},
    {"cmdline", WORDS, take_cmdline, FIELD(cmdline)},
    {"extra", WORDS, take_cmdline, AT(taking, extra)},
    {"memory", "MiB from 1 to 16777216", take_number, FIELD(memory), 1, 1 << 24, .required = true},
    {"maxmem", "MiB from 1 to 16777216", take_number, FIELD(maxmem), 1, 1 << 24},
    {"vcpus", "a number from 1 to 128", take_number, FIELD(vcpus), 1, CONFIG_MAX_VCPUS},
    {"maxvcpus", "a number from 1 to 128", take_number, FIELD(maxvcpus), 1, CONFIG_MAX_VCPUS},
    {"cpus", CPUS_FORM ", or a list of such", take_cpus},
    {"pool", "a pool of CPUs: " CONFIG_NAME_FORM, take_name, FIELD(pool)},
    {"weight", "a number from 1 to 65535", take_number, FIELD(weight), 1, 65535},
    {"cap", "per cent of one CPU from 0 to 12800", take_number, FIELD(cap), 0,
     100 * CONFIG_MAX_VCPUS},
    {"disks", "a list of disks", take_disks},
    {"nics", "a list of network cards", take_nics},
    {"console", "an object with the console's log", take_console},
    {"on_poweroff", ACTION, take_action, FIELD(on_poweroff)},
    {"on_reboot", ACTION, take_action, FIELD(on_reboot)},
    {"on_crash", ACTION, take_action, FIELD(on_crash)},
};

/* The words of extra come behind those of cmdline. */
static void join_cmdline(const struct node *root, struct taking *t, struct config_notes *notes)
{
    const char *cmdline = t->c.cmdline ? t->c.cmdline : "", *extra = t->extra ? t->extra : "";
    char both[2048];

    snprintf(both, sizeof(both), "%s%s%s", cmdline, cmdline[0] && extra[0] ? " " : "", extra);
    if (strlen(both) > 1023)
        node_error(node_find(root, "extra"), notes, "expected at most 1023 bytes with cmdline");
    free(t->c.cmdline);
    t->c.cmdline = must_copy(both, strlen(both));
}

/* What follows from other values, and what these must be to each other. */
static void fill_in(const struct node *root, struct domain_config *c, struct config_notes *notes)
{
    if (!c->maxmem)
        c->maxmem = c->memory;
    if (!c->vcpus)
        c->vcpus = 1;
    if (!c->maxvcpus)
        c->maxvcpus = c->vcpus;
    if (c->pool && strcmp(c->pool, POOL_0) == 0) {
        free(c->pool);
        c->pool = NULL;
    }
    if (c->maxmem < c->memory)
        node_error(node_find(root, "maxmem"), notes, "expected no less than memory, %u", c->memory);
    if (c->nr_vcpu_cpus > c->maxvcpus)
        node_error(node_find(root, "cpus"), notes, "expected no more than there are vcpus, %u",
                   c->maxvcpus);
    if (c->maxvcpus < c->vcpus)
        node_error(node_find(root, "maxvcpus"), notes, "expected no less than vcpus, %u", c->vcpus);
}

int config_check(const struct node *root, struct domain_config *to, struct config_notes *notes)
{
    struct taking t = {.c = {.weight = 256, .on_reboot = CONFIG_RESTART}};
    unsigned int before = notes->errors;
    char shown[64];

    node_show(root, shown, sizeof(shown));
    if (root->type == NODE_OBJECT)
        take_object(root, keys, ARRAY_SIZE(keys), &t, notes);
    else
        node_error(root, notes, "expected an object with a domain's keys, not %s", shown);
    if (notes->errors == before) {
        join_cmdline(root, &t, notes);
        fill_in(root, &t.c, notes);
    }
    free(t.extra);
    if (notes->errors == before) {
        *to = t.c;
        return 0;
    }
    config_free(&t.c);
    return -EINVAL;
}

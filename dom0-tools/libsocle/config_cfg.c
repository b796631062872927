/* SPDX-License-Identifier: MIT */
/* xl.cfg to the tree of a configuration: first what is written, then what it means for a
 * paravirtual guest here. What cannot be had is an error, what makes no difference a warning. */
#include "config_node.h"

#include "alloc.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define DEPTH_MAX     4
#define NODES_MAX     10000

/* ---- what is written: KEY = VALUE, a line or a ; each ---- */

struct cfg {
    struct config_notes *notes;
    const struct source *from;
    const char *at, *end;
    unsigned int line, nodes;
    bool numbered; /* the text has lines */
};

static char peek(const struct cfg *c)
{
    return c->at < c->end ? *c->at : 0;
}

/* Blanks and comments, and newlines as well where they mean nothing. */
static void skip(struct cfg *c, bool newlines)
{
    for (; c->at < c->end; c->at++) {
        if (*c->at == '#') {
            while (c->at + 1 < c->end && c->at[1] != '\n')
                c->at++;
        } else if (*c->at == '\n' && newlines) {
            c->line++;
        } else if (*c->at == '\n' || !isspace((unsigned char)*c->at)) {
            return;
        }
    }
}

static int syntax(struct cfg *c, const char *key, const char *expected)
{
    char found[32] = "the end";

    if (peek(c) == '\n')
        strcpy(found, "the end of the line");
    else if (c->at < c->end)
        snprintf(found, sizeof(found), "'%c'", *c->at);
    note_error(c->notes, c->from, c->numbered ? c->line : 0, key, "expected %s, not %s", expected,
               found);
    return -EINVAL;
}

static int hex_digit(struct cfg *c)
{
    char d = peek(c);

    if (!isxdigit((unsigned char)d))
        return -1;
    c->at++;
    return isdigit((unsigned char)d) ? d - '0' : (d | 32) - 'a' + 10;
}

/* What follows a backslash, as in C; negative: nothing known. */
static int escape(struct cfg *c)
{
    char e = peek(c);
    int high, low;

    c->at++;
    switch (e) {
    case 'n':
        return '\n';
    case 't':
        return '\t';
    case '"':
    case '\'':
    case '\\':
        return e;
    case 'x':
        high = hex_digit(c);
        low = hex_digit(c);
        return high < 0 || low < 0 ? -1 : high << 4 | low;
    default:
        c->at--;
        return -1;
    }
}

/* "text", 'text', or either with three marks, which may have newlines in it. */
static int quoted(struct cfg *c, const char *key, struct node *n)
{
    char mark[4] = {*c->at, *c->at, *c->at, 0};
    size_t marks = c->end - c->at > 2 && memcmp(c->at, mark, 3) == 0 ? 3 : 1, len = 0;
    char *text = must_alloc(c->end - c->at + 1);

    n->text = text;
    mark[marks] = 0;
    c->at += marks;
    while ((size_t)(c->end - c->at) < marks || memcmp(c->at, mark, marks) != 0) {
        int ch = (unsigned char)peek(c);

        if (c->at == c->end || !ch || (ch == '\n' && marks == 1))
            return syntax(
                c, key, marks == 3 ? "three marks that end the text" : "a mark that ends the text");
        c->at++;
        c->line += ch == '\n';
        if (ch == '\\')
            ch = escape(c);
        if (ch <= 0)
            return syntax(c, key, "n, t, x and two digits, a mark or a \\ behind the \\");
        text[len++] = ch;
    }
    c->at += marks;
    n->text = must_copy(text, len);
    free(text);
    return 0;
}

static int value(struct cfg *c, struct node *parent, const char *key, unsigned int depth);

static int list(struct cfg *c, struct node *n, const char *key, unsigned int depth)
{
    for (c->at++, skip(c, true); peek(c) != ']'; skip(c, true)) {
        if (value(c, n, key, depth + 1))
            return -EINVAL;
        skip(c, true);
        if (peek(c) == ',')
            c->at++;
        else if (peek(c) != ']')
            return syntax(c, key, "a comma or ]");
    }
    c->at++;
    return 0;
}

static int value(struct cfg *c, struct node *parent, const char *key, unsigned int depth)
{
    const char *start = c->at;
    bool is_list = peek(c) == '[';
    struct node *n;

    if (c->nodes++ == NODES_MAX || depth == DEPTH_MAX)
        return syntax(c, key, depth == DEPTH_MAX ? "less depth" : "fewer values");
    n = node_add(parent, depth ? NULL : key, is_list ? NODE_LIST : NODE_WORD, c->from,
                 c->numbered ? c->line : 0);
    if (is_list)
        return list(c, n, key, depth);
    if (peek(c) == '"' || peek(c) == '\'')
        return quoted(c, key, n);
    n->text = must_copy("", 0);
    if (!isdigit((unsigned char)peek(c)) && peek(c) != '-')
        return syntax(c, key, "a \"text\", a number or a [list]");
    while (isalnum((unsigned char)peek(c)) || (c->at == start && peek(c) == '-'))
        c->at++;
    free(n->text);
    n->text = must_copy(start, c->at - start);
    return 0;
}

static int setting(struct cfg *c, struct node *root)
{
    const char *start = c->at;
    struct node *before;
    char *key;
    int rc;

    while (isalnum((unsigned char)peek(c)) || peek(c) == '_')
        c->at++;
    if (c->at == start)
        return syntax(c, "", "KEY = VALUE");
    key = must_copy(start, c->at - start);
    skip(c, false);
    before = node_find(root, key);
    if (peek(c) != '=') {
        rc = syntax(c, key, "=");
    } else {
        c->at++;
        skip(c, false);
        rc = value(c, root, key, 0);
    }
    if (rc == 0 && before) {
        node_warn(root->last_child, c->notes, "that of line %u is forgotten", before->line);
        before->dropped = true;
    }
    skip(c, false);
    if (rc == 0 && c->at < c->end && peek(c) != '\n' && peek(c) != ';')
        rc = syntax(c, key, "the end of the line or a ;");
    free(key);
    return rc;
}

struct node *cfg_parse(const struct source *from, const char *text, size_t len,
                       struct config_notes *notes)
{
    struct cfg c = {notes, from, text, text + len, .line = 1, .numbered = true};
    struct node *root = node_add(NULL, NULL, NODE_OBJECT, from, 0);

    root->shown = "";
    for (;;) {
        for (skip(&c, true); peek(&c) == ';'; skip(&c, true))
            c.at++;
        if (c.at == c.end)
            return root;
        if (setting(&c, root))
            break;
    }
    node_free(root);
    return NULL;
}

/* Shells take marks away, so here text needs none. */
int cfg_override(struct node *root, const struct source *from, const char *key, const char *text,
                 struct config_notes *notes)
{
    struct cfg c = {notes, from, text, text + strlen(text)};
    struct node *before = node_find(root, key), *n;

    if (before)
        before->dropped = true;
    if (text[0] && strchr("['\"", text[0])) {
        if (value(&c, root, key, 0))
            return -EINVAL;
        skip(&c, true);
        return c.at == c.end ? 0 : syntax(&c, key, "the end");
    }
    n = node_add(root, key, NODE_WORD, from, 0);
    n->text = must_copy(text, strlen(text));
    return 0;
}

/* ---- what it means ---- */

static void put(struct node *object, const char *key, const char *shown, enum node_type type,
                const char *text)
{
    struct node *n = node_find(object, key);

    if (n)
        n->dropped = true;
    n = node_add(object, key, type, object->from, object->line);
    n->shown = shown;
    n->text = type == NODE_WORD ? must_copy(text, strlen(text)) : NULL;
}

static void refuse(struct node *n, struct config_notes *notes, const char *what)
{
    node_error(n, notes, "expected nothing of %s: there is no support for it", what);
}

static void ignore(struct node *n, struct config_notes *notes, const char *what)
{
    node_warn(n, notes, "%s: ignored", what);
}

/* One part of a disk or a card, "key=value" or a flag. */
struct part {
    const char *name; /* in the file */
    const char *key;  /* of JSON files; NULL: */
    const char *only; /* it may have this value, or these with spaces; NULL: it does not matter */
};

/* The part that @text begins with, and where its value is. */
static const struct part *find_part(const struct part *parts, size_t nr, const char *text,
                                    const char **value)
{
    size_t len = strcspn(text, "=");

    for (const struct part *p = parts; p < parts + nr; p++) {
        if (strlen(p->name) == len && strncmp(p->name, text, len) == 0) {
            *value = text + len + (text[len] == '=');
            return p;
        }
    }
    return NULL;
}

static bool among(const char *list, const char *word)
{
    size_t len = strlen(word);

    for (const char *s = list; *s; s += strcspn(s, " ") + (s[strcspn(s, " ")] == ' ')) {
        if (strcspn(s, " ") == len && strncmp(s, word, len) == 0)
            return true;
    }
    return false;
}

static void take_part(struct node *object, const struct part *p, const char *value,
                      struct config_notes *notes)
{
    if (p->key)
        put(object, p->key, p->name, NODE_WORD, value);
    else if (!p->only)
        node_warn(object, notes, "%s: ignored", p->name);
    else if (!among(p->only, value))
        node_error(object, notes, "expected %s=%s, not \"%.40s\"", p->name, p->only, value);
}

/* Cuts the next part off, without blanks around it; NULL: there is none. */
static char *next_part(char **rest)
{
    char *s = *rest, *end;

    if (!s)
        return NULL;
    s += strspn(s, " \t");
    end = s + strcspn(s, ",");
    *rest = *end ? end + 1 : NULL;
    while (end > s && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    *end = 0;
    return s;
}

static const struct part disk_parts[] = {
    {"target", "path"},
    {"vdev", "vdev"},
    {"format", NULL, "raw"},
    {"access", "readonly"},
    {"script", "script"},
    {"backend", NULL, "0 Domain-0"},
    {"backendtype", NULL, "phy qdisk tap"},
    {"devtype", NULL, "disk cdrom"},
    {"specification", NULL, "xen"},
    {"cdrom"},
    {"removable"},
    {"direct-io-safe"},
    {"discard"},
    {"no-discard"},
    {"trusted"},
    {"untrusted"},
};

static void take_disk_part(struct node *disk, const struct part *p, const char *value,
                           struct config_notes *notes)
{
    bool cdrom = strcmp(p->name, "cdrom") == 0 || strcmp(value, "cdrom") == 0;

    if (p->key && strcmp(p->key, "readonly") == 0) {
        if (among("r ro", value))
            put(disk, p->key, p->name, NODE_TRUE, NULL);
        else if (!among("w rw", value))
            node_error(disk, notes, "expected access=r, ro, w or rw, not \"%.40s\"", value);
    } else if (cdrom) {
        put(disk, "readonly", "access", NODE_TRUE, NULL);
        node_warn(disk, notes, "cdrom: the guest sees a disk that it cannot write");
    } else if (strcmp(p->name, "script") == 0 && !strchr(value, '/')) {
        refuse(disk, notes, "scripts that come with other tools");
    } else {
        take_part(disk, p, value, notes);
    }
}

/* phy: and its like, which say what is now said by format and backendtype. */
static char *strip_prefix(struct node *disk, char *target, bool *old, struct config_notes *notes)
{
    static const char *const raw[] = {"file:", "raw:", "aio:", "tap:", "tap2:", "ioemu:"};
    static const char *const other[] = {"qcow:", "qcow2:", "vhd:", "qed:", "vmdk:"};
    bool again = true;

    while (again) {
        again = false;
        for (unsigned int i = 0; i < ARRAY_SIZE(raw); i++) {
            if (strncmp(target, raw[i], strlen(raw[i])) == 0) {
                target += strlen(raw[i]);
                *old = again = true;
            }
        }
    }
    for (unsigned int i = 0; i < ARRAY_SIZE(other); i++) {
        if (strncmp(target, other[i], strlen(other[i])) == 0) {
            refuse(disk, notes, "images that are not raw");
            target += strlen(other[i]);
            *old = true;
        }
    }
    return target;
}

static void take_target(struct node *disk, char *target, bool *old, struct config_notes *notes)
{
    char path[4096];

    if (strncmp(target, "phy:", 4) == 0) {
        target += 4;
        *old = true;
        snprintf(path, sizeof(path), "%s%s", target[0] == '/' ? "" : "/dev/", target);
        target = path;
    } else {
        target = strip_prefix(disk, target, old, notes);
    }
    put(disk, "path", "target", NODE_WORD, target);
}

static const struct part *place_of(unsigned int place)
{
    static const unsigned int order[] = {0, 2, 1, 3}; /* target, format, vdev, access */

    return &disk_parts[order[place]];
}

/* "TARGET, FORMAT, VDEV, ACCESS, KEY=VALUE ..." where all may be keys instead; target= takes all
 * that follows. With an old prefix there is no format. */
static void take_disk(struct node *disk, struct config_notes *notes)
{
    char *rest = disk->text, *s;
    unsigned int place = 0;
    bool old = false;

    disk->type = NODE_OBJECT;
    disk->text = NULL;
    for (char *all = rest; rest;) {
        const char *value = NULL;
        const struct part *p;

        rest += strspn(rest, " \t");
        if (strncmp(rest, "target=", 7) == 0) {
            take_target(disk, rest + 7, &old, notes);
            rest = all;
            break;
        }
        s = next_part(&rest);
        p = find_part(disk_parts, ARRAY_SIZE(disk_parts), s, &value);
        if (p) {
            take_disk_part(disk, p, value, notes);
        } else if (place == 0) {
            if (*s)
                take_target(disk, s, &old, notes);
            place += old ? 2 : 1;
        } else if (place == 2 && strchr(s, ':')) {
            char *type = strchr(s, ':');

            *type++ = 0;
            put(disk, "vdev", "vdev", NODE_WORD, s);
            take_disk_part(disk, &disk_parts[7], type, notes);
            place++;
        } else if (place < 4) {
            if (*s)
                take_disk_part(disk, place_of(place), s, notes);
            place++;
        } else {
            node_error(disk, notes, "expected no more than a disk, not \"%.40s\"", s);
        }
        if (!rest) {
            rest = all;
            break;
        }
    }
    free(rest);
}

static const struct part vif_parts[] = {
    {"mac", "mac"},
    {"bridge", "bridge"},
    {"vifname", "ifname"},
    {"ip", "ip"},
    {"rate", "rate"},
    {"script", "script"},
    {"backend", NULL, "0 Domain-0"},
    {"type", NULL, "vif netfront"},
    {"model"},
    {"mtu"},
    {"devid"},
    {"trusted"},
    {"untrusted"},
};

static void take_vif(struct node *vif, struct config_notes *notes)
{
    char *all = vif->text, *rest = all, *s;

    vif->type = NODE_OBJECT;
    vif->text = NULL;
    while ((s = next_part(&rest))) {
        const char *value;
        const struct part *p = find_part(vif_parts, ARRAY_SIZE(vif_parts), s, &value);

        if (!*s)
            continue;
        if (!p)
            node_error(vif, notes, "expected parts of a network card, not \"%.40s\"", s);
        else if (strcmp(p->name, "script") == 0 && !strchr(value, '/'))
            node_warn(vif, notes, "script: ignored, nothing needs it here");
        else
            take_part(vif, p, value, notes);
    }
    free(all);
}

static void take_each(struct node *n, struct config_notes *notes,
                      void (*take)(struct node *, struct config_notes *))
{
    for (struct node *item = n->child; item; item = item->next) {
        if (item->type == NODE_WORD)
            take(item, notes);
    }
}

static void take_disks(struct node *n, const char *key, struct config_notes *notes)
{
    (void)key;
    take_each(n, notes, take_disk);
}

static void take_vifs(struct node *n, const char *key, struct config_notes *notes)
{
    (void)key;
    take_each(n, notes, take_vif);
}

/* xl dumps the memory of a domain that crashed; here there is nothing that reads that. */
static void take_action(struct node *n, const char *key, struct config_notes *notes)
{
    static const char prefix[] = "coredump-";
    size_t len = strlen(prefix);

    (void)key;
    if (n->type != NODE_WORD || strncmp(n->text, prefix, len) != 0)
        return;
    memmove(n->text, n->text + len, strlen(n->text) - len + 1);
    node_warn(n, notes, "no core is written, as %s", n->text);
}

/* One text, or a list of one for each vcpu. */
static void take_cpus(struct node *n, const char *key, struct config_notes *notes)
{
    bool of_nodes = n->type == NODE_WORD && strstr(n->text, "node");

    (void)key;
    for (const struct node *c = n->type == NODE_LIST ? n->child : NULL; c; c = c->next)
        of_nodes |= c->type == NODE_WORD && strstr(c->text, "node");
    if (!of_nodes)
        return;
    refuse(n, notes, "nodes");
    n->dropped = true;
}

static bool is_empty(const struct node *n)
{
    if (n->type == NODE_WORD)
        return among("0 default none", n->text) || !n->text[0];
    return !n->child;
}

static void unsupported(struct node *n, const char *what, struct config_notes *notes)
{
    if (!is_empty(n))
        refuse(n, notes, what);
    n->dropped = true;
}

static void harmless(struct node *n, const char *what, struct config_notes *notes)
{
    if (!is_empty(n))
        ignore(n, notes, what);
    n->dropped = true;
}

/* It may have one value, or be absent. */
static void only(struct node *n, const char *values, struct config_notes *notes)
{
    if (n->type != NODE_WORD || !among(values, n->text))
        node_error(n, notes, "expected %s", values);
    n->dropped = true;
}

/* Keys of JSON files. */
static void foreign(struct node *n, const char *instead, struct config_notes *notes)
{
    node_error(n, notes, "expected a known key%s%s", instead[0] ? ", such as " : "", instead);
    n->dropped = true;
}

static void boot_loader(struct node *n, const char *instead, struct config_notes *notes)
{
    if (!is_empty(n))
        node_error(n, notes, "expected no boot loader in dom0, but %s", instead);
    n->dropped = true;
}

#define PVGRUB "kernel=\"/usr/lib/grub-xen/grub-x86_64-xen.bin\""

/* Keys that have another name or form in JSON files, and those that they have not. */
static const struct {
    const char *name, *key;
    void (*take)(struct node *n, const char *arg, struct config_notes *notes);
    const char *arg;
} keys[] = {
    {"cpu_weight", "weight"},
    {"cpus", "cpus", take_cpus},
    {"disk", "disks", take_disks},
    {"vif", "nics", take_vifs},
    {"on_poweroff", "on_poweroff", take_action},
    {"on_reboot", "on_reboot", take_action},
    {"on_crash", "on_crash", take_action},
    {"weight", NULL, foreign, "cpu_weight"},
    {"disks", NULL, foreign, "disk"},
    {"nics", NULL, foreign, "vif"},
    {"console", NULL, foreign, ""},
    {"type", NULL, only, "pv"},
    {"builder", NULL, only, "generic linux"},
    {"bootloader", NULL, boot_loader, PVGRUB},
    {"firmware", NULL, boot_loader, PVGRUB},
    {"bootloader_args", NULL, harmless, "there is no boot loader in dom0"},
    {"bootloader_restrict", NULL, harmless, "there is no boot loader in dom0"},
    {"bootloader_user", NULL, harmless, "there is no boot loader in dom0"},
    {"pci", NULL, unsupported, "PCI devices"},
    {"ioports", NULL, unsupported, "ports for guests"},
    {"iomem", NULL, unsupported, "device memory for guests"},
    {"irqs", NULL, unsupported, "interrupts for guests"},
    {"vfb", NULL, unsupported, "frame buffers"},
    {"vkb", NULL, unsupported, "keyboards"},
    {"vtpm", NULL, unsupported, "TPMs"},
    {"p9", NULL, unsupported, "shared file systems"},
    {"pvcalls", NULL, unsupported, "PV calls"},
    {"channel", NULL, unsupported, "channels"},
    {"usbctrl", NULL, unsupported, "USB"},
    {"usbdev", NULL, unsupported, "USB"},
    {"vdispl", NULL, unsupported, "displays"},
    {"vsnd", NULL, unsupported, "sound"},
    {"vnuma", NULL, unsupported, "virtual NUMA"},
    {"seclabel", NULL, unsupported, "security labels"},
    {"init_seclabel", NULL, unsupported, "security labels"},
    {"driver_domain", NULL, unsupported, "driver domains"},
    {"cpuid", NULL, unsupported, "CPUID policies"},
    {"e820_host", NULL, unsupported, "PCI devices"},
    {"cpus_soft", NULL, harmless, "a wish"},
    {"tsc_mode", NULL, harmless, "the TSC is the machine's"},
    {"nomigrate", NULL, harmless, "domains stay here"},
    {"claim_mode", NULL, harmless, "of no use here"},
    {"localtime", NULL, harmless, "of no use to PV guests"},
    {"rtc_timeoffset", NULL, harmless, "of no use to PV guests"},
    {"max_grant_frames", NULL, harmless, "limits are the hypervisor's"},
    {"max_grant_version", NULL, harmless, "limits are the hypervisor's"},
    {"max_maptrack_frames", NULL, harmless, "limits are the hypervisor's"},
    {"max_event_channels", NULL, harmless, "limits are the hypervisor's"},
    {"on_watchdog", NULL, harmless, "there are no watchdogs"},
    {"on_soft_reset", NULL, harmless, "of no use to PV guests"},
    {"pci_permissive", NULL, harmless, "there are no PCI devices"},
    {"pci_msitranslate", NULL, harmless, "there are no PCI devices"},
    {"pci_seize", NULL, harmless, "there are no PCI devices"},
    {"pci_power_mgmt", NULL, harmless, "there are no PCI devices"},
    {"acpi", NULL, harmless, "of no use to PV guests"},
    {"apic", NULL, harmless, "of no use to PV guests"},
    {"boot", NULL, harmless, "of no use to PV guests"},
    {"bios", NULL, harmless, "of no use to PV guests"},
    {"device_model_version", NULL, harmless, "of no use to PV guests"},
    {"device_tree", NULL, harmless, "of no use to PV guests"},
    {"hap", NULL, harmless, "of no use to PV guests"},
    {"nestedhvm", NULL, harmless, "of no use to PV guests"},
    {"pae", NULL, harmless, "of no use to PV guests"},
    {"sdl", NULL, harmless, "of no use to PV guests"},
    {"serial", NULL, harmless, "of no use to PV guests"},
    {"shadow_memory", NULL, harmless, "of no use to PV guests"},
    {"usb", NULL, harmless, "of no use to PV guests"},
    {"viridian", NULL, harmless, "of no use to PV guests"},
    {"vnc", NULL, harmless, "of no use to PV guests"},
};

/* cmdline, or else "root=ROOT EXTRA". */
static void join_cmdline(struct node *root, struct config_notes *notes)
{
    struct node *cmdline = node_find(root, "cmdline"), *words = node_find(root, "extra"),
                *device = node_find(root, "root");
    char text[2048];

    if (device)
        device->dropped = true;
    if (cmdline && words) {
        words->dropped = true;
        ignore(words, notes, "there is a cmdline");
    }
    if (cmdline && device)
        ignore(device, notes, "there is a cmdline");
    if (cmdline || !device)
        return;
    if (device->type != NODE_WORD) {
        node_error(device, notes, "expected the name of a device");
        return;
    }
    snprintf(text, sizeof(text), "root=%s", device->text);
    put(root, "cmdline", "root", NODE_WORD, text);
    root->last_child->line = device->line;
    root->last_child->from = device->from;
}

void cfg_translate(struct node *root, struct config_notes *notes)
{
    join_cmdline(root, notes);
    for (struct node *n = root->child; n; n = n->next) {
        for (unsigned int i = 0; i < ARRAY_SIZE(keys) && !n->dropped; i++) {
            if (n->shown || strcmp(n->key, keys[i].name) != 0)
                continue;
            n->shown = keys[i].name;
            if (keys[i].take)
                keys[i].take(n, keys[i].arg, notes);
            if (keys[i].key) {
                free(n->key);
                n->key = must_copy(keys[i].key, strlen(keys[i].key));
            }
            break;
        }
    }
}

// SPDX-License-Identifier: MIT
/* network.json: one row for each key. */
#include "network.h"

#include "../libsocle/alloc.h"
#include "../libsocle/config_node.h"
#include "../libsocle/device.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char by_itself[] =
    "{ \"bridges\": [ { \"name\": \"" DEVICE_BRIDGE "\", \"nat\": \"10.77.0.1/24\" } ] }";

bool is_interface(const char *name)
{
    size_t len = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-");

    return len && !name[len] && len < IFNAMSIZ && name[0] != '.' && name[0] != '-';
}

static bool take_name(const struct node *n, char name[IFNAMSIZ])
{
    if (n->type != NODE_TEXT || !is_interface(n->text))
        return false;
    strcpy(name, n->text);
    return true;
}

/* "10.0.0.1/24" */
static bool take_nat(const struct node *n, struct bridge *b)
{
    char text[16] = "", *end;
    struct in_addr a;
    const char *slash;
    uint32_t hosts;

    b->kind = BRIDGE_NAT;
    slash = n->type == NODE_TEXT ? strchr(n->text, '/') : NULL;
    if (!slash || (size_t)(slash - n->text) >= sizeof(text))
        return false;
    memcpy(text, n->text, slash - n->text);
    b->prefix = strtoul(slash + 1, &end, 10);
    if (slash[1] < '0' || slash[1] > '9' || *end || b->prefix < 8 || b->prefix > 29 ||
        inet_pton(AF_INET, text, &a) != 1)
        return false;
    b->address = ntohl(a.s_addr);
    hosts = ~0u >> b->prefix;
    return (b->address & hosts) && (b->address & hosts) != hosts;
}

static void take_key(const struct node *n, struct bridge *b, struct config_notes *notes)
{
    const char *expects;
    bool taken;

    if (strcmp(n->key, "name") == 0) {
        taken = take_name(n, b->name);
        expects = "the name of a bridge";
    } else if (strcmp(n->key, "uplink") == 0) {
        b->kind = BRIDGE_UPLINK;
        taken = take_name(n, b->uplink);
        expects = "the name of an interface";
    } else if (strcmp(n->key, "nat") == 0) {
        taken = take_nat(n, b);
        expects = "an address with the bits of its subnet, 8 to 29, such as 10.77.0.1/24";
    } else if (strcmp(n->key, "dhcp") == 0) {
        b->dhcp = n->type == NODE_TRUE;
        taken = n->type == NODE_TRUE || n->type == NODE_FALSE;
        expects = "true or false";
    } else {
        node_error(n, notes, "expected name, uplink, nat or dhcp");
        return;
    }
    if (!taken)
        node_error(n, notes, "expected %s", expects);
}

static void take_bridge(const struct node *object, struct network *to, struct config_notes *notes)
{
    struct bridge *b = &to->bridges[to->nr];

    if (object->type != NODE_OBJECT) {
        node_error(object, notes, "expected an object for a bridge");
        return;
    }
    b->dhcp = true;
    for (const struct node *n = object->child; n; n = n->next) {
        if (!n->dropped)
            take_key(n, b, notes);
    }
    if (!node_find(object, "name"))
        node_error(object, notes, "expected the key name as well");
    if (node_find(object, "uplink") && node_find(object, "nat"))
        node_error(node_find(object, "nat"), notes, "expected either uplink or nat");
    if (node_find(object, "dhcp") && !node_find(object, "nat"))
        node_error(node_find(object, "dhcp"), notes, "expected nat as well");
    for (size_t i = 0; i < to->nr; i++) {
        if (b->name[0] && strcmp(to->bridges[i].name, b->name) == 0)
            node_error(node_find(object, "name"), notes,
                       "expected another name than that of "
                       "bridge %zu",
                       i);
    }
    to->nr++;
}

static void take_all(const struct node *root, struct network *to, struct config_notes *notes)
{
    const struct node *list = NULL;
    size_t room = 1;

    if (root->type != NODE_OBJECT) {
        node_error(root, notes, "expected an object with bridges");
        return;
    }
    for (const struct node *n = root->child; n; n = n->next) {
        if (!n->dropped && strcmp(n->key, "bridges") != 0)
            node_error(n, notes, "expected a known key, such as bridges");
    }
    list = node_find(root, "bridges");
    if (!list || list->type != NODE_LIST) {
        node_error(list ? list : root, notes, "expected bridges, a list");
        return;
    }
    for (const struct node *n = list->child; n; n = n->next)
        room++;
    to->bridges = must_alloc(room * sizeof(*to->bridges));
    for (const struct node *n = list->child; n; n = n->next)
        take_bridge(n, to, notes);
}

int settings_parse(const char *path, const char *text, size_t len, struct network *n,
                   struct config_notes *notes)
{
    struct source file = {.name = path};
    unsigned int before = notes->errors;
    struct node *root = json_parse(&file, text, len, notes);

    *n = (struct network){0};
    if (root)
        take_all(root, n, notes);
    node_free(root);
    if (root && notes->errors == before)
        return 0;
    settings_free(n);
    return -EINVAL;
}

int settings_load(const char *path, struct network *n, struct config_notes *notes)
{
    struct source file = {.name = path};
    static char text[65536];
    ssize_t len = -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

    if (fd < 0 && errno == ENOENT)
        return settings_parse("built-in", by_itself, strlen(by_itself), n, notes);
    if (fd >= 0) {
        len = read(fd, text, sizeof(text));
        close(fd);
    }
    if (len >= 0 && len < (ssize_t)sizeof(text))
        return settings_parse(path, text, len, n, notes);
    note_error(notes, &file, 0, "", "%s", strerror(len < 0 ? errno : EFBIG));
    return -EINVAL;
}

void settings_free(struct network *n)
{
    free(n->bridges);
    *n = (struct network){0};
}

/* SPDX-License-Identifier: MIT */
/* The tree of what a configuration's file says, and lines about places in it. */
#include "config_node.h"

#include "alloc.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define NOTES_MAX 64 /* lines; who gets that many has another problem */

struct node *node_add(struct node *parent, const char *key, enum node_type type,
                      const struct source *from, unsigned int line)
{
    struct node *n = must_alloc(sizeof(*n));

    n->type = type;
    n->line = line;
    n->from = from;
    n->key = key ? must_copy(key, strlen(key)) : NULL;
    n->parent = parent;
    if (!parent)
        return n;
    if (parent->last_child)
        parent->last_child->next = n;
    else
        parent->child = n;
    parent->last_child = n;
    return n;
}

struct node *node_find(const struct node *object, const char *key)
{
    struct node *found = NULL;

    for (struct node *n = object->child; n; n = n->next) {
        if (n->key && !n->dropped && strcmp(n->key, key) == 0)
            found = n;
    }
    return found;
}

/* Its depth is bounded by the parsers. */
void node_free(struct node *root)
{
    if (!root)
        return;
    for (struct node *n = root->child, *next; n; n = next) {
        next = n->next;
        node_free(n);
    }
    free(root->key);
    free(root->text);
    free(root);
}

void node_path(const struct node *n, char *buf, size_t size)
{
    size_t used;
    int index = 0;

    buf[0] = 0;
    if (!n->parent) {
        snprintf(buf, size, "%s", n->shown ? n->shown : "$");
        return;
    }
    node_path(n->parent, buf, size);
    used = strlen(buf);
    if (n->key) {
        snprintf(buf + used, size - used, "%s%.40s", used ? "." : "", n->shown ? n->shown : n->key);
        return;
    }
    for (const struct node *m = n->parent->child; m != n; m = m->next)
        index++;
    snprintf(buf + used, size - used, "[%d]", index);
}

void node_show(const struct node *n, char *buf, size_t size)
{
    static const char *const names[] = {
        [NODE_NULL] = "null",   [NODE_TRUE] = "true",        [NODE_FALSE] = "false",
        [NODE_LIST] = "a list", [NODE_OBJECT] = "an object",
    };
    bool cut = n->text && strlen(n->text) > 40;

    if (!n->text)
        snprintf(buf, size, "%s", names[n->type]);
    else if (n->type == NODE_NUMBER)
        snprintf(buf, size, "%.40s%s", n->text, cut ? "..." : "");
    else
        snprintf(buf, size, "\"%.40s%s\"", n->text, cut ? "..." : "");
}

static void note(struct config_notes *notes, bool warning, const struct source *from,
                 unsigned int line, const char *path, const char *format, va_list args)
{
    unsigned int *count = warning ? &notes->warnings : &notes->errors;
    char text[1024];
    size_t len;

    if (++*count > NOTES_MAX)
        return;
    len = snprintf(text, sizeof(text) / 2, line ? "%s:%u: " : "%s: ", from->name, line);
    len = len < sizeof(text) / 2 ? len : sizeof(text) / 2 - 1;
    len += snprintf(text + len, sizeof(text) / 4, "%s%s%s", warning ? "warning: " : "", path,
                    path[0] ? ": " : "");
    len = len < sizeof(text) * 3 / 4 ? len : sizeof(text) * 3 / 4 - 1;
    vsnprintf(text + len, sizeof(text) - len, format, args);
    for (char *c = text; *c; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    }
    must_have(bytes_append(&notes->text, text, strlen(text), SIZE_MAX / 2));
    must_have(bytes_append(&notes->text, "\n", 1, SIZE_MAX / 2));
}

void note_error(struct config_notes *notes, const struct source *from, unsigned int line,
                const char *path, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    note(notes, false, from, line, path, format, args);
    va_end(args);
}

void node_error(const struct node *n, struct config_notes *notes, const char *format, ...)
{
    char path[200];
    va_list args;

    node_path(n, path, sizeof(path));
    va_start(args, format);
    note(notes, false, n->from, n->line, path, format, args);
    va_end(args);
}

void node_warn(const struct node *n, struct config_notes *notes, const char *format, ...)
{
    char path[200];
    va_list args;

    node_path(n, path, sizeof(path));
    va_start(args, format);
    note(notes, true, n->from, n->line, path, format, args);
    va_end(args);
}

void config_notes_free(struct config_notes *notes)
{
    bytes_free(&notes->text);
    *notes = (struct config_notes){0};
}

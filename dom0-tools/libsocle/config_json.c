/* SPDX-License-Identifier: MIT */
/* JSON to the tree of a configuration. yajl reads it and says how far it is; lines follow from
 * that. */
#include "config_node.h"

#include "alloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#define DEPTH_MAX 8
#define NODES_MAX 10000

struct json {
    yajl_handle yajl;
    struct config_notes *notes;
    const struct source *from;
    const char *text;
    size_t counted;    /* bytes of the text whose lines have been counted */
    unsigned int line; /* 0: there are no lines */
    unsigned int depth, nodes;
    char *key;         /* of the value that comes next */
    struct node *root; /* the first value, or the object that gets it */
    struct node *in;   /* the list or object that the next value goes to */
};

/* The line that yajl has come to. */
static unsigned int line_of(struct json *j)
{
    size_t now = yajl_get_bytes_consumed(j->yajl);

    for (; j->line && j->counted < now; j->counted++)
        j->line += j->text[j->counted] == '\n';
    return j->line;
}

static void complain(struct json *j, const char *what)
{
    char path[200] = "$";

    if (j->in)
        node_path(j->in, path, sizeof(path));
    note_error(j->notes, j->from, line_of(j), path, "%s", what);
}

static struct node *add(struct json *j, enum node_type type)
{
    struct node *n;

    if (j->nodes++ == NODES_MAX || j->depth == DEPTH_MAX) {
        complain(j, j->depth == DEPTH_MAX ? "expected less depth" : "expected fewer values");
        return NULL;
    }
    n = node_add(j->in, j->key, type, j->from, line_of(j));
    free(j->key);
    j->key = NULL;
    if (!j->root)
        j->root = n;
    return n;
}

static int on_text(struct json *j, enum node_type type, const void *text, size_t len)
{
    struct node *n = add(j, type);

    if (!n)
        return 0;
    n->text = must_copy(text, len);
    if (strlen(n->text) != len)
        node_error(n, j->notes, "expected text without NUL");
    return strlen(n->text) == len;
}

static int on_null(void *ctx)
{
    return !!add(ctx, NODE_NULL);
}

static int on_bool(void *ctx, int yes)
{
    return !!add(ctx, yes ? NODE_TRUE : NODE_FALSE);
}

static int on_number(void *ctx, const char *text, size_t len)
{
    return on_text(ctx, NODE_NUMBER, text, len);
}

static int on_string(void *ctx, const unsigned char *text, size_t len)
{
    return on_text(ctx, NODE_TEXT, text, len);
}

static int on_start(struct json *j, enum node_type type)
{
    struct node *n = add(j, type);

    if (!n)
        return 0;
    j->in = n;
    j->depth++;
    return 1;
}

static int on_start_map(void *ctx)
{
    return on_start(ctx, NODE_OBJECT);
}

static int on_start_list(void *ctx)
{
    return on_start(ctx, NODE_LIST);
}

static int on_end(void *ctx)
{
    struct json *j = ctx;

    j->in = j->in->parent;
    j->depth--;
    return 1;
}

static int on_key(void *ctx, const unsigned char *text, size_t len)
{
    struct json *j = ctx;
    struct node *before;

    j->key = must_copy(text, len);
    if (strlen(j->key) != len) {
        complain(j, "expected keys without NUL");
        return 0;
    }
    before = node_find(j->in, j->key);
    if (before && j->line) {
        struct node twice = {.key = j->key, .parent = j->in, .from = j->from, .line = line_of(j)};

        node_error(&twice, j->notes, "expected once, but line %u has it as well", before->line);
    } else if (before) {
        complain(j, "expected each key once");
    }
    return 1;
}

static const yajl_callbacks callbacks = {
    .yajl_null = on_null,
    .yajl_boolean = on_bool,
    .yajl_number = on_number,
    .yajl_string = on_string,
    .yajl_start_map = on_start_map,
    .yajl_map_key = on_key,
    .yajl_end_map = on_end,
    .yajl_start_array = on_start_list,
    .yajl_end_array = on_end,
};

/* What yajl says, "parse error: unallowed token ...\n", without its first words and the newline. */
static void complain_syntax(struct json *j)
{
    unsigned char *said = yajl_get_error(j->yajl, 0, NULL, 0);
    char *what = strchr((char *)said, ':'), line[200];

    what = what ? what + 1 : (char *)said;
    what[strcspn(what, "\n")] = 0;
    snprintf(line, sizeof(line), "expected JSON:%s", what);
    complain(j, line);
    yajl_free_error(j->yajl, said);
}

static int parse(struct json *j, const char *text, size_t len)
{
    yajl_status status;

    j->text = text;
    j->yajl = yajl_alloc(&callbacks, NULL, j);
    must_have(j->yajl ? 0 : -ENOMEM);
    status = yajl_parse(j->yajl, (const unsigned char *)text, len);
    if (status == yajl_status_ok) {
        /* The end is where the text ends; yajl counts anew. */
        while (j->line && j->counted < len)
            j->line += text[j->counted++] == '\n';
        status = yajl_complete_parse(j->yajl);
    }
    if (status == yajl_status_error)
        complain_syntax(j);
    yajl_free(j->yajl);
    free(j->key);
    return status == yajl_status_ok ? 0 : -EINVAL;
}

struct node *json_parse(const struct source *from, const char *text, size_t len,
                        struct config_notes *notes)
{
    struct json j = {.notes = notes, .from = from, .line = 1};

    if (parse(&j, text, len) == 0)
        return j.root;
    node_free(j.root);
    return NULL;
}

int json_override(struct node *root, const struct source *from, const char *key, const char *value,
                  struct config_notes *notes)
{
    struct json j = {.notes = notes, .from = from, .root = root, .in = root};
    struct node *before = node_find(root, key), *n;

    if (before)
        before->dropped = true;
    if (strchr("{[\"", value[0]) && value[0]) {
        j.key = must_copy(key, strlen(key));
        return parse(&j, value, strlen(value));
    }
    n = node_add(root, key, NODE_WORD, from, 0);
    n->text = must_copy(value, strlen(value));
    return 0;
}

/* SPDX-License-Identifier: MIT */
/* What a configuration's file says, before anybody has asked whether it makes sense: a tree of
 * values, each of which knows where it was written. Both parsers make the same tree, with the keys
 * of JSON files; config.c checks it. */
#ifndef LIBSOCLE_CONFIG_NODE_H
#define LIBSOCLE_CONFIG_NODE_H

#include "config.h"

enum node_type {
    NODE_NULL,
    NODE_TRUE,
    NODE_FALSE,
    NODE_NUMBER, /* text: as it was written */
    NODE_TEXT,
    NODE_WORD, /* text or a number, as is needed: xl.cfg and command lines make no difference */
    NODE_LIST,
    NODE_OBJECT,
};

struct source {
    const char *name; /* of a file, or "command line" */
    const char *dir;  /* to which paths are relative, NULL: our own */
};

struct node {
    enum node_type type;
    unsigned int line; /* 0: it has none */
    const struct source *from;
    char *key;         /* in an object, else NULL */
    const char *shown; /* another name for messages; NULL: key */
    bool dropped;      /* not to be looked at */
    char *text;
    struct node *parent, *child, *last_child, *next;
};

/** node_add - a new last child of @parent, or a root
 * @key  copied; NULL in lists and for a root */
struct node *node_add(struct node *parent, const char *key, enum node_type type,
                      const struct source *from, unsigned int line);
/** node_find - the last child with that key that is not dropped, or NULL. */
struct node *node_find(const struct node *object, const char *key);
/** node_free - free a tree. */
void node_free(struct node *root);

/** note_error - add a line about a place in a file
 * @path  in the tree, may be ""   @line  0: none */
void note_error(struct config_notes *notes, const struct source *from, unsigned int line,
                const char *path, const char *format, ...) __attribute__((format(printf, 5, 6)));
/** node_error, node_warn - add a line about a value. */
void node_error(const struct node *n, struct config_notes *notes, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void node_warn(const struct node *n, struct config_notes *notes, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** node_path - "$.disks[0].vdev", cut to fit. */
void node_path(const struct node *n, char *buf, size_t size);
/** node_show - a value as one writes it in a message, cut to fit: "text", 12, a list. */
void node_show(const struct node *n, char *buf, size_t size);

/** json_parse - make the tree of a JSON text; NULL after an error. */
struct node *json_parse(const struct source *from, const char *text, size_t len,
                        struct config_notes *notes);
/** json_override - replace or add a value of the root: -EINVAL after an error. */
int json_override(struct node *root, const struct source *from, const char *key, const char *value,
                  struct config_notes *notes);

/** cfg_parse - make the tree of an xl.cfg text, still with its own keys; NULL after an error. */
struct node *cfg_parse(const struct source *from, const char *text, size_t len,
                       struct config_notes *notes);
int cfg_override(struct node *root, const struct source *from, const char *key, const char *value,
                 struct config_notes *notes);
/** cfg_translate - give the tree the keys and forms of JSON files. */
void cfg_translate(struct node *root, struct config_notes *notes);

#endif

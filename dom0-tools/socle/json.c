/* SPDX-License-Identifier: MIT */
/* What commands write with --json. */
#include "json.h"

#include <stdio.h>
#include <string.h>

yajl_gen json_begin(void)
{
    yajl_gen g = yajl_gen_alloc(NULL);

    yajl_gen_config(g, yajl_gen_beautify, 1);
    yajl_gen_config(g, yajl_gen_indent_string, "  ");
    return g;
}

void json_end(yajl_gen g)
{
    const unsigned char *text;
    size_t len;

    yajl_gen_get_buf(g, &text, &len);
    fwrite(text, 1, len, stdout);
    yajl_gen_free(g);
}

static void put(yajl_gen g, const char *text)
{
    yajl_gen_string(g, (const unsigned char *)text, strlen(text));
}

void json_key(yajl_gen g, const char *key)
{
    if (key)
        put(g, key);
}

void json_object(yajl_gen g, const char *key)
{
    json_key(g, key);
    yajl_gen_map_open(g);
}

void json_list(yajl_gen g, const char *key)
{
    json_key(g, key);
    yajl_gen_array_open(g);
}

void json_text(yajl_gen g, const char *key, const char *text)
{
    json_key(g, key);
    if (text)
        put(g, text);
    else
        yajl_gen_null(g);
}

void json_number(yajl_gen g, const char *key, int64_t n)
{
    json_key(g, key);
    yajl_gen_integer(g, n);
}

void json_real(yajl_gen g, const char *key, double n, int digits)
{
    char text[64];
    int len = snprintf(text, sizeof(text), "%.*f", digits, n);

    json_key(g, key);
    yajl_gen_number(g, text, len);
}

void json_flag(yajl_gen g, const char *key, bool yes)
{
    json_key(g, key);
    yajl_gen_bool(g, yes);
}

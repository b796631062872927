/* SPDX-License-Identifier: MIT */
/* What commands write with --json. Members of objects have a key; elements of lists have none,
 * NULL. */
#ifndef SOCLE_JSON_H
#define SOCLE_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <yajl/yajl_gen.h>

yajl_gen json_begin(void);
/** json_end - write it to standard output. */
void json_end(yajl_gen g);

void json_key(yajl_gen g, const char *key);    /* a value follows */
void json_object(yajl_gen g, const char *key); /* begin; yajl_gen_map_close() ends it */
void json_list(yajl_gen g, const char *key);   /* begin; yajl_gen_array_close() ends it */
void json_text(yajl_gen g, const char *key, const char *text); /* NULL: null */
void json_number(yajl_gen g, const char *key, int64_t n);
void json_real(yajl_gen g, const char *key, double n, int digits); /* behind the point */
void json_flag(yajl_gen g, const char *key, bool yes);

#endif

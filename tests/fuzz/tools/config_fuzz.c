/* SPDX-License-Identifier: MIT */
/* Arbitrary text as a configuration. What is accepted is written and read again, and must be the
 * same. The first line is what the command line says, KEY=VALUE. */
#include "dom0-tools/libsocle/config.h"

#include <stdlib.h>
#include <string.h>

static char *print(const struct domain_config *c, size_t *len)
{
    char *text = NULL;
    FILE *f = open_memstream(&text, len);

    config_print(c, f);
    fclose(f);
    return text;
}

static int parse(const char *text, size_t len, char *const *over, size_t nr,
                 struct domain_config *c)
{
    struct config_notes notes = {0};
    int rc = config_parse("/dev/fd/f.cfg", text, len, over, nr, c, &notes);

    if ((rc != 0) != (notes.errors != 0))
        abort();
    config_notes_free(&notes);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size ? memchr(data, '\n', size) : NULL;
    size_t first = end ? (size_t)(end - data) : 0;
    char *line = strndup((const char *)data, first), *over[] = {line};
    struct domain_config c, again;
    char *text, *same;
    size_t len, same_len;

    data += first + (first > 0);
    size -= first + (first > 0);
    if (parse((const char *)data, size, over, first > 0, &c) == 0) {
        text = print(&c, &len);
        if (parse(text, len, NULL, 0, &again))
            abort();
        same = print(&again, &same_len);
        if (same_len != len || memcmp(text, same, len) != 0)
            abort();
        config_free(&c);
        config_free(&again);
        free(text);
        free(same);
    }
    free(line);
    return 0;
}

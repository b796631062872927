/* SPDX-License-Identifier: MIT */
/* The command line: words separated by blanks; `name` or `name=value`. */
#include <pv/guest.h>
#include <pv/string.h>

const char *cmdline(void)
{
    return (const char *)start_info->cmd_line;
}

/* The word after @p, its length in *@len; NULL at the end. */
static const char *next_word(const char *p, size_t *len)
{
    while (*p == ' ' || *p == '\t')
        p++;
    for (*len = 0; p[*len] && p[*len] != ' ' && p[*len] != '\t';)
        ++*len;
    return *len ? p : NULL;
}

bool cmdline_has(const char *flag)
{
    size_t len, want = strlen(flag);

    for (const char *w = cmdline(); (w = next_word(w, &len)); w += len)
        if (len == want && !strncmp(w, flag, len))
            return true;
    return false;
}

bool cmdline_get(const char *key, char *buf, size_t size)
{
    size_t len, klen = strlen(key);

    buf[0] = 0;
    for (const char *w = cmdline(); (w = next_word(w, &len)); w += len) {
        if (len <= klen || w[klen] != '=' || strncmp(w, key, klen))
            continue;
        len -= klen + 1;
        if (len >= size)
            len = size - 1;
        memcpy(buf, w + klen + 1, len);
        buf[len] = 0;
        return true;
    }
    return false;
}

uint64_t cmdline_u64(const char *key, uint64_t otherwise)
{
    char text[24];

    return cmdline_get(key, text, sizeof(text)) ? strtou64(text, NULL) : otherwise;
}

static bool ends_item(char c)
{
    return c == ',' || c == '+' || c == 0;
}

bool cmdline_selects(const char *key, const char *word)
{
    size_t len = strlen(word);
    char list[512];

    if (!cmdline_get(key, list, sizeof(list)))
        return true;
    for (const char *p = strstr(list, word); p; p = strstr(p + 1, word))
        if ((p == list || ends_item(p[-1])) && ends_item(p[len]))
            return true;
    return false;
}

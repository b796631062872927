/* SPDX-License-Identifier: MIT */
/* Parses command lines into the variables of a table. A word that is not understood changes
 * nothing and is reported; the rest of the line still counts, for a machine that does not boot
 * because of a misspelt option helps nobody. */
#include <hv/cmdline.h>

#include <hv/lib.h>

struct span {
    const char *s;
    size_t len;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static const char *skip_blanks(const char *s)
{
    while (is_blank(*s))
        s++;
    return s;
}

static bool span_is(struct span a, const char *word)
{
    return a.len == strlen(word) && memcmp(a.s, word, a.len) == 0;
}

/* ---- Words ---- */

/* The word at @s, up to a blank. */
static struct span next_word(const char *s)
{
    const char *end = s;

    while (*end && !is_blank(*end))
        end++;
    return (struct span){s, (size_t)(end - s)};
}

static bool split(struct span word, struct span *name, struct span *val)
{
    const char *eq = memchr(word.s, '=', word.len);

    *name = (struct span){word.s, eq ? (size_t)(eq - word.s) : word.len};
    *val = eq ? (struct span){eq + 1, word.len - name->len - 1} : (struct span){NULL, 0};
    return eq != NULL;
}

/* ---- Values: each returns 0, -EINVAL (not understood) or -ERANGE ---- */

/* Reads digits (decimal, 0x hexadecimal, 0 octal) as far as they go and moves @v past them; what
 * follows is the caller's affair. The line goes on behind @v with something that is no digit. */
static int take_number(struct span *v, uint64_t *out)
{
    const char *end;
    size_t n;

    *out = hv_strtoul(v->s, &end, 0);
    n = (size_t)(end - v->s);
    if (!v->len || !n)
        return -EINVAL;
    v->s += n;
    v->len -= n;
    return *out == UINT64_MAX ? -ERANGE : 0;
}

static int check_range(const struct cmdline_option *o, uint64_t n)
{
    return n < o->min || (o->max && n > o->max) ? -ERANGE : 0;
}

static int parse_uint(const struct cmdline_option *o, struct span v)
{
    uint64_t n;
    int rc = take_number(&v, &n);

    if (v.len)
        return -EINVAL;
    rc = rc ?: check_range(o, n);
    if (rc || n > UINT32_MAX)
        return rc ?: -ERANGE;
    *(unsigned int *)o->ptr = (unsigned int)n;
    return 0;
}

static int parse_size(const struct cmdline_option *o, struct span v, uint64_t *bytes)
{
    static const char suffixes[] = "bkmgt";
    unsigned int shift = 10;
    uint64_t n;
    int rc = take_number(&v, &n);

    if (rc == -EINVAL)
        return rc;
    if (v.len == 1) {
        const char *suffix = memchr(suffixes, v.s[0] | 0x20, sizeof(suffixes) - 1);

        if (!suffix)
            return -EINVAL;
        shift = 10 * (unsigned int)(suffix - suffixes);
    } else if (v.len) {
        return -EINVAL;
    }
    if (rc || n > UINT64_MAX >> shift || check_range(o, n << shift))
        return -ERANGE;
    *bytes = n << shift;
    return 0;
}

static int parse_bool(struct span v, bool *out)
{
    static const char *const yes[] = {"on", "yes", "true", "enable", "1"};
    static const char *const no[] = {"off", "no", "false", "disable", "0"};

    for (unsigned int i = 0; i < ARRAY_SIZE(yes); i++) {
        bool is_yes = span_is(v, yes[i]);

        if (is_yes || span_is(v, no[i])) {
            *out = is_yes;
            return 0;
        }
    }
    return -EINVAL;
}

static int parse_string(const struct cmdline_option *o, struct span v)
{
    if (v.len >= o->max)
        return -ERANGE;
    memset(o->ptr, 0, o->max);
    memcpy(o->ptr, v.s, v.len);
    return 0;
}

/* The part of @list before the next comma, which is taken off the list together with it. */
static struct span next_item(struct span *list)
{
    const char *comma = memchr(list->s, ',', list->len);
    struct span item = {list->s, comma ? (size_t)(comma - list->s) : list->len};

    list->s += item.len + (comma != NULL);
    list->len -= item.len + (comma != NULL);
    return item;
}

static bool begins(struct span *v, const char *with)
{
    size_t len = strlen(with);

    if (v->len < len || memcmp(v->s, with, len))
        return false;
    v->s += len;
    v->len -= len;
    return true;
}

static int parse_mem(const struct cmdline_option *o, struct span list)
{
    struct cmdline_mem mem = {0};

    do {
        struct span item = next_item(&list);
        uint64_t *field = begins(&item, "min:")   ? &mem.min
                          : begins(&item, "max:") ? &mem.max
                                                  : &mem.size;
        int rc = parse_size(o, item, field);

        if (rc)
            return rc;
    } while (list.len);
    if (mem.max && mem.min > mem.max)
        return -ERANGE;
    *(struct cmdline_mem *)o->ptr = mem;
    return 0;
}

/* One `3` or `0-3`. */
static int parse_interval(struct span v, uint64_t *from, uint64_t *to)
{
    int rc = take_number(&v, from);

    *to = *from;
    if (rc == 0 && v.len && *v.s == '-') {
        v.s++;
        v.len--;
        rc = take_number(&v, to);
    }
    if (rc == 0 && (v.len || *to < *from))
        rc = -EINVAL;
    return rc;
}

static int parse_set(const struct cmdline_option *o, struct span list)
{
    uint64_t set = 0, from = 0, to = o->max - 1;
    bool all = span_is(list, "all");

    do {
        int rc = all ? 0 : parse_interval(next_item(&list), &from, &to);

        if (rc || to >= o->max)
            return rc ?: -ERANGE;
        for (uint64_t i = from; i <= to; i++)
            set |= 1UL << i;
    } while (!all && list.len);
    *(uint64_t *)o->ptr = set;
    return 0;
}

static int set_value(const struct cmdline_option *o, struct span v)
{
    switch (o->type) {
    case CMDLINE_BOOL:
        return parse_bool(v, o->ptr);
    case CMDLINE_UINT:
        return parse_uint(o, v);
    case CMDLINE_SIZE:
        return parse_size(o, v, o->ptr);
    case CMDLINE_STRING:
        return parse_string(o, v);
    case CMDLINE_MEM:
        return parse_mem(o, v);
    case CMDLINE_SET:
        return parse_set(o, v);
    }
    return -EINVAL;
}

/* ---- Lines ---- */

static const struct cmdline_option *find(const struct cmdline_option *table, size_t nr,
                                         struct span name)
{
    for (size_t i = 0; i < nr; i++) {
        if (span_is(name, table[i].name))
            return &table[i];
    }
    return NULL;
}

/* 0, -ENOENT for an unknown name, or what the value's parser said. */
static int take_word(const struct cmdline_option *table, size_t nr, struct span word)
{
    struct span name, val;
    bool has_val = split(word, &name, &val);
    const struct cmdline_option *o = find(table, nr, name);
    bool on = o != NULL;

    if (o && has_val)
        return set_value(o, val);
    if (!o && begins(&name, "no-"))
        o = find(table, nr, name);
    if (!o)
        return -ENOENT;
    if (o->type != CMDLINE_BOOL || has_val)
        return -EINVAL;
    *(bool *)o->ptr = on;
    return 0;
}

static const char *complaint(int rc)
{
    return rc == -ENOENT   ? "unknown option"
           : rc == -ERANGE ? "value out of range"
                           : "malformed option";
}

int cmdline_parse(const char *line, const struct cmdline_option *table, size_t nr,
                  const char **rest, const char *who)
{
    int problems = 0;

    for (line = skip_blanks(line); *line; line = skip_blanks(line)) {
        struct span word = next_word(line);
        int rc;

        line += word.len;
        if (span_is(word, "--")) {
            line = skip_blanks(line);
            break;
        }
        rc = take_word(table, nr, word);
        problems += rc != 0;
        if (rc && who)
            pr_warn("%s: %s: %.*s", who, complaint(rc), (int)word.len, word.s);
    }
    if (rest)
        *rest = line;
    return problems;
}

const char *cmdline_skip_image(const char *line, const char *loader)
{
    line = skip_blanks(line);
    if (loader && strncmp(loader, "GRUB 2", 6) == 0)
        return line;
    while (*line && !is_blank(*line))
        line++;
    return skip_blanks(line);
}

/* ---- Domains described by a boot module's line ---- */

bool cmdline_is_domu(const char *line)
{
    return span_is(next_word(skip_blanks(line)), "domu");
}

int cmdline_parse_domu(const char *line, struct cmdline_domu *d, const char *who)
{
    const struct cmdline_option table[] = {
        {"name", CMDLINE_STRING, d->name, 0, sizeof(d->name)},
        {"mem", CMDLINE_SIZE, &d->mem, 1 << 20, 1ul << 44},
        {"vcpus", CMDLINE_UINT, &d->vcpus, 1, MAX_VCPUS},
        {"weight", CMDLINE_UINT, &d->weight, 1, 65535},
        {"cap", CMDLINE_UINT, &d->cap, 0, 100 * NR_CPUS},
        {"cpus", CMDLINE_SET, &d->cpus, 0, NR_CPUS},
    };
    int problems;

    *d = (struct cmdline_domu){
        .name = "domu", .mem = 32 << 20, .vcpus = 1, .weight = 256, .cpus = ~0UL};
    line = skip_blanks(line);
    if (cmdline_is_domu(line))
        line += strlen("domu");
    problems = cmdline_parse(line, table, ARRAY_SIZE(table), &d->args, who);
    d->mem = ALIGN_DOWN(d->mem, PAGE_SIZE);
    return problems;
}

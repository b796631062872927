/* SPDX-License-Identifier: MIT */
/* Random requests of three clients, in and outside of transactions, beside a model.
 *
 * The model knows no transactions: it is asked when an effect takes place, that is for a request in
 * a transaction at the commit. If then all answers are those that the daemon had given, it is as if
 * the transaction had happened at that moment. A commit may be refused only if the tree has changed
 * since the transaction began. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "stored_kit.h"

enum { NODES = 40, CLIENTS = 3, LOG = 12, ANSWER = 64 };

/* All paths over a, b, c up to three long: children of i are 3i + 1 ... */
static struct {
    char path[8];
    bool is;
    char value[4];
    unsigned int owner, others; /* "others": PERM_* of everybody */
    unsigned int named, may;    /* a further entry; named 0: none */
} model[NODES];

static uint32_t seed;

static unsigned int roll(unsigned int n)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % n;
}

static int up(int i)
{
    return (i - 1) / 3;
}

static void model_start(void)
{
    memset(model, 0, sizeof(model));
    for (int i = 1; i < NODES; i++) {
        char end[3] = {'/', 'a' + (i - 1) % 3};

        strcpy(model[i].path, model[up(i)].path);
        strcat(model[i].path, end);
    }
    strcpy(model[0].path, "/");
    model[0].is = true;
}

static bool allowed(unsigned int who, int i, unsigned int bits)
{
    unsigned int has = model[i].others;

    if (who == 0 || model[i].owner == who)
        return true;
    if (model[i].named == who)
        has = model[i].may;
    return (has & bits) == bits;
}

static void model_remove(int i)
{
    model[i].is = false;
    for (int c = 3 * i + 1; c <= 3 * i + 3 && c < NODES; c++) {
        if (model[c].is)
            model_remove(c);
    }
}

static void model_create(unsigned int who, int i)
{
    if (!model[up(i)].is)
        model_create(who, up(i));
    model[i].is = true;
    model[i].value[0] = 0;
    model[i].owner = who ? who : model[up(i)].owner;
    model[i].others = model[up(i)].others;
    model[i].named = model[up(i)].named;
    model[i].may = model[up(i)].may;
}

struct step {
    uint32_t type;
    int node;
    char value[4];
    unsigned int owner, others, named, may;
    char answer[ANSWER];
};

static const char letter[] = "nrwb";

static const char *perms_text(unsigned int owner, unsigned int others, unsigned int named,
                              unsigned int may)
{
    static char text[16];
    int n = sprintf(text, "%c%u|", letter[others], owner);

    if (named)
        sprintf(text + n, "%c%u|", letter[may], named);
    return text;
}

static const char *model_answer(unsigned int who, const struct step *s)
{
    static char text[ANSWER];
    bool writes = s->type == XS_WRITE || s->type == XS_MKDIR || s->type == XS_RM;
    unsigned int need = writes ? PERM_WRITE : s->type == XS_SET_PERMS ? PERM_OWNER : PERM_READ;
    int i = s->node, at = i;

    if (s->type == XS_RM && i == 0)
        return "!EINVAL";
    while (!model[at].is)
        at = up(at);
    if (!allowed(who, at, need))
        return "!EACCES";
    if (at != i && s->type != XS_WRITE && s->type != XS_MKDIR)
        return s->type == XS_RM && at == up(i) ? "OK|" : "!ENOENT";
    text[0] = 0;
    switch (s->type) {
    case XS_READ:
        return model[i].value;
    case XS_DIRECTORY:
        for (int c = 3 * i + 1; c <= 3 * i + 3 && c < NODES; c++) {
            if (model[c].is)
                sprintf(text + strlen(text), "%c|", 'a' + (c - 1) % 3);
        }
        return text;
    case XS_GET_PERMS:
        return perms_text(model[i].owner, model[i].others, model[i].named, model[i].may);
    case XS_WRITE:
    case XS_MKDIR:
        if (at != i)
            model_create(who, i);
        if (s->type == XS_WRITE)
            strcpy(model[i].value, s->value);
        return "OK|";
    case XS_RM:
        model_remove(i);
        return "OK|";
    default:
        if (who && s->owner != model[i].owner)
            return "!EPERM";
        model[i].owner = s->owner;
        model[i].others = s->others;
        model[i].named = s->named;
        model[i].may = s->may;
        return "OK|";
    }
}

static struct step random_step(unsigned int who)
{
    static const uint32_t types[] = {XS_READ,  XS_DIRECTORY, XS_GET_PERMS, XS_WRITE,
                                     XS_WRITE, XS_MKDIR,     XS_RM,        XS_SET_PERMS};
    struct step s = {.type = types[roll(8)], .node = roll(3) ? (int)roll(13) : (int)roll(NODES)};

    if (s.type == XS_RM && roll(2))
        s.type = XS_READ;
    sprintf(s.value, "%u", roll(100));
    s.owner = roll(4) ? who : roll(CLIENTS);
    s.others = roll(4);
    s.named = roll(CLIENTS);
    s.may = roll(4);
    if (s.named == s.owner)
        s.named = 0;
    return s;
}

static int by_letter(const void *a, const void *b)
{
    return *(const char *)a - *(const char *)b;
}

static void ask_daemon(struct conn *c, uint32_t tx, struct step *s)
{
    const char *path = model[s->node].path, *got;
    char text[64];

    sprintf(text, "%s|%s", path,
            s->type == XS_WRITE       ? s->value
            : s->type == XS_SET_PERMS ? perms_text(s->owner, s->others, s->named, s->may)
                                      : "");
    got = kit_say(c, tx, s->type, text);
    if (strncmp(got, "tool|", 5) == 0 && s->type == XS_DIRECTORY)
        got += 5;
    assert_true(strlen(got) < ANSWER);
    strcpy(s->answer, got);
    if (s->type == XS_DIRECTORY && got[0] != '!')
        qsort(s->answer, strlen(got) / 2, 2, by_letter);
}

static void same(unsigned int who, const struct step *s)
{
    const char *expected = model_answer(who, s);

    if (strcmp(s->answer, expected))
        fail_msg("domain %u, type %u, %s: answer %s, model %s", who, s->type, model[s->node].path,
                 s->answer, expected);
}

struct client {
    struct conn *conn;
    uint32_t tx;
    unsigned long began; /* `changes` then */
    unsigned int nr;
    struct step log[LOG];
};

static unsigned long changes, commits, conflicts;

static void end(unsigned int who, struct client *c)
{
    bool commit = roll(5);
    const char *got = kit_say(c->conn, c->tx, XS_TRANSACTION_END, commit ? "T|" : "F|");

    c->tx = 0;
    if (strcmp(got, "!EAGAIN") == 0) {
        assert_true(commit);
        assert_int_not_equal(changes, c->began);
        conflicts++;
        return;
    }
    assert_string_equal(got, "OK|");
    if (!commit)
        return;
    for (unsigned int i = 0; i < c->nr; i++)
        same(who, &c->log[i]);
    changes++;
    commits++;
}

static void turn(unsigned int who, struct client *c)
{
    struct step s = random_step(who);

    if (!c->tx && roll(4) == 0) {
        c->tx = strtoul(kit_say(c->conn, 0, XS_TRANSACTION_START, "|"), NULL, 10);
        assert_int_not_equal(c->tx, 0);
        c->began = changes;
        c->nr = 0;
    } else if (c->tx && (c->nr == LOG || roll(4) == 0)) {
        end(who, c);
    } else {
        ask_daemon(c->conn, c->tx, &s);
        if (c->tx) {
            c->log[c->nr++] = s;
        } else {
            same(who, &s);
            changes += s.type == XS_WRITE || s.type == XS_MKDIR || s.type == XS_RM ||
                       s.type == XS_SET_PERMS;
        }
    }
}

static void random_requests_do_as_the_model(void **state)
{
    (void)state;
    for (seed = 1; seed < 60; seed++) {
        struct client client[CLIENTS] = {0};
        uint32_t kept = seed;

        kit_start();
        model_start();
        for (unsigned int i = 0; i < CLIENTS; i++)
            client[i].conn = kit_conn(i);
        for (unsigned int i = 0; i < 3000; i++) {
            unsigned int who = roll(CLIENTS);

            turn(who, &client[who]);
        }
        assert_int_equal(store_check(), 0);
        seed = kept;
    }
    assert_true(commits > 1000);
    assert_true(conflicts > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_requests_do_as_the_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

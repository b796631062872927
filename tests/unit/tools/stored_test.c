/* SPDX-License-Identifier: MIT */
/* The store daemon, request by request. In requests and answers a '|' is a NUL. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "stored_kit.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct conn *dom0, *dom1, *dom2;

#define says(c, type, text, answer)        assert_string_equal(kit_say(c, 0, type, text), answer)
#define says_in(c, tx, type, text, answer) assert_string_equal(kit_say(c, tx, type, text), answer)
#define told(c, text)                      assert_string_equal(kit_event(c), text)

/* dom1 has a home; dom2 as well. */
static int start(void **state)
{
    (void)state;
    kit_start();
    dom0 = kit_conn(0);
    dom1 = kit_conn(1);
    dom2 = kit_conn(2);
    for (unsigned int i = 1; i <= 2; i++) {
        char text[64];

        sprintf(text, "/local/domain/%u|", i);
        says(dom0, XS_MKDIR, text, "OK|");
        sprintf(text, "/local/domain/%u|n%u|", i, i);
        says(dom0, XS_SET_PERMS, text, "OK|");
    }
    return 0;
}

static int consistent(void **state)
{
    (void)state;
    assert_int_equal(store_check(), 0);
    return 0;
}

static uint32_t begin(struct conn *c)
{
    return strtoul(kit_say(c, 0, XS_TRANSACTION_START, "|"), NULL, 10);
}

static void what_a_request_may_look_like(void **state)
{
    char longest[XENSTORE_ABS_PATH_MAX + 3];

    (void)state;
    says(dom0, 20, "|", "!ENOSYS");
    says(dom0, XS_TYPE_COUNT, "|", "!ENOSYS");
    says(dom0, UINT32_MAX, "|", "!ENOSYS");
    says(dom0, XS_WATCH_EVENT, "/a|b|", "!ENOSYS");
    says(dom0, XS_ERROR, "EINVAL|", "!ENOSYS");
    says(dom0, XS_READ, "", "!EINVAL");
    says(dom0, XS_READ, "/", "!EINVAL"); /* no NUL */
    says(dom0, XS_WRITE, "/a", "!EINVAL");
    says(dom0, XS_WATCH, "/a|t", "!EINVAL");
    says(dom0, XS_SET_PERMS, "/tool|n0", "!EINVAL");
    for (const char *const *bad = (const char *const[]){"//", "/a/", "/a//b", "/a b", "/a\n",
                                                        "/\xe4", "/a.b", "", "@x", "a/", NULL};
         *bad; bad++) {
        char text[32];

        sprintf(text, "%s|x", *bad);
        says(dom0, XS_WRITE, text, "!EINVAL");
    }
    says(dom0, XS_READ, "@releaseDomain|", "!EINVAL");
    memset(longest, 'a', sizeof(longest));
    longest[0] = '/';
    longest[sizeof(longest) - 2] = '|';
    longest[sizeof(longest) - 1] = 0;
    says(dom0, XS_MKDIR, longest, "!EINVAL"); /* one too many */
    longest[sizeof(longest) - 3] = '|';
    longest[sizeof(longest) - 2] = 0;
    says(dom0, XS_MKDIR, longest, "OK|");
    longest[XENSTORE_REL_PATH_MAX + 1] = '|';
    longest[XENSTORE_REL_PATH_MAX + 2] = 0;
    says(dom0, XS_MKDIR, longest + 1, "OK|");
    longest[0] = 'a';
    says(dom0, XS_MKDIR, longest, "!EINVAL");
    says_in(dom0, 99, XS_READ, "/|", "!ENOENT");
    says(dom0, XS_TRANSACTION_END, "T|", "!ENOENT");
}

static void nodes(void **state)
{
    (void)state;
    says(dom0, XS_READ, "/a/b|", "!ENOENT");
    says(dom0, XS_WRITE, "/a/b/c|va|lue", "OK|");
    says(dom0, XS_READ, "/a/b/c|", "va|lue");
    says(dom0, XS_READ, "/a/b|", "");
    says(dom0, XS_MKDIR, "/a/b/c|", "OK|");
    says(dom0, XS_READ, "/a/b/c|", "va|lue");
    says(dom0, XS_WRITE, "/a/x|", "OK|");
    says(dom0, XS_DIRECTORY, "/a|", "b|x|");
    says(dom0, XS_DIRECTORY, "/a/x|", "");
    says(dom0, XS_DIRECTORY, "/a/y|", "!ENOENT");
    says(dom0, XS_RM, "/a/y|", "OK|");
    says(dom0, XS_RM, "/y/y|", "!ENOENT");
    says(dom0, XS_RM, "/a/b|", "OK|");
    says(dom0, XS_READ, "/a/b/c|", "!ENOENT");
    says(dom0, XS_DIRECTORY, "/a|", "x|");
    says(dom0, XS_RM, "/|", "!EINVAL");
    says(dom0, XS_WRITE, "mine|1", "OK|");
    says(dom0, XS_READ, "/local/domain/0/mine|", "1");
    says(dom1, XS_WRITE, "mine|2", "OK|");
    says(dom0, XS_READ, "/local/domain/1/mine|", "2");
}

static void large_directories_come_in_parts(void **state)
{
    char text[64], seen[16384] = "", generation[32];
    unsigned long offset = 0;

    (void)state;
    for (unsigned int i = 0; i < 1000; i++) {
        sprintf(text, "/many/name-%03u|", i);
        says(dom0, XS_MKDIR, text, "OK|");
    }
    says(dom0, XS_DIRECTORY, "/many|", "!E2BIG");
    for (bool last = false; !last;) {
        const char *got, *names;

        sprintf(text, "/many|%lu|", offset);
        got = kit_say(dom0, 0, XS_DIRECTORY_PART, text);
        names = strchr(got, '|') + 1;
        if (offset)
            assert_memory_equal(got, generation, names - got);
        memcpy(generation, got, names - got);
        assert_true(strlen(got) <= XENSTORE_PAYLOAD_MAX);
        last = names[strlen(names) - 2] == '|';
        strcat(seen, names);
        offset += strlen(names) - last;
    }
    assert_int_equal(strlen(seen), 9001);
    for (unsigned int i = 0; i < 1000; i++) {
        sprintf(text, "name-%03u|", i);
        assert_memory_equal(seen + 9 * i, text, 9);
    }
    says(dom0, XS_DIRECTORY_PART, "/many|1|", "!EINVAL");
    says(dom0, XS_DIRECTORY_PART, "/many|9001|", "!EINVAL");
    says(dom0, XS_DIRECTORY_PART, "/many|x|", "!EINVAL");
    assert_non_null(strstr(kit_say(dom0, 0, XS_DIRECTORY_PART, "/many|9000|"), "||"));
}

static void permissions(void **state)
{
    (void)state;
    says(dom0, XS_WRITE, "/secret|s", "OK|");
    says(dom1, XS_READ, "/secret|", "!EACCES");
    says(dom1, XS_READ, "/nothing|", "!EACCES"); /* not even that there is none */
    says(dom1, XS_WRITE, "/mine|", "!EACCES");
    says(dom1, XS_RM, "/secret|", "!EACCES");
    says(dom1, XS_GET_PERMS, "/secret|", "!EACCES");
    says(dom0, XS_SET_PERMS, "/secret|n0|r1|w2|", "OK|");
    says(dom0, XS_GET_PERMS, "/secret|", "n0|r1|w2|");
    says(dom1, XS_READ, "/secret|", "s");
    says(dom1, XS_READ, "/secret/nothing|", "!ENOENT");
    says(dom1, XS_WRITE, "/secret|", "!EACCES");
    says(dom1, XS_SET_PERMS, "/secret|b1|", "!EACCES");
    says(dom2, XS_READ, "/secret|", "!EACCES");
    says(dom2, XS_WRITE, "/secret/new|n", "OK|");
    says(dom0, XS_GET_PERMS, "/secret/new|", "n2|r1|w2|");
    says(dom2, XS_READ, "/secret/new|", "n"); /* its own */
    says(dom2, XS_SET_PERMS, "/secret/new|n1|", "!EPERM");
    says(dom2, XS_SET_PERMS, "/secret/new|b2|", "OK|");
    says(dom1, XS_WRITE, "/secret/new|m", "OK|");
    for (const char *const *bad = (const char *const[]){"x1|", "n|", "n-1|", "n1x|", "n32752|", "|",
                                                        "1|", "n99999999999999999999|", NULL};
         *bad; bad++) {
        char text[64];

        sprintf(text, "/secret|%s", *bad);
        says(dom0, XS_SET_PERMS, text, "!EINVAL");
    }
    for (uint32_t type = 0; type < XS_TYPE_COUNT; type++) {
        if (type == XS_CONTROL || type == XS_INTRODUCE || type == XS_RELEASE || type == XS_RESUME ||
            type == XS_SET_TARGET)
            says(dom1, type, "1|2|3|", "!EACCES");
    }
}

static void watches(void **state)
{
    (void)state;
    says(dom0, XS_WATCH, "/a|t|", "OK|");
    told(dom0, "/a|t|");
    told(dom0, "");
    says(dom0, XS_WATCH, "/a|t|", "!EEXIST");
    says(dom0, XS_WRITE, "/a/b/c|1", "OK|");
    told(dom0, "/a/b/c|t|");
    says(dom0, XS_MKDIR, "/a/b/c|", "OK|");
    told(dom0, "");
    says(dom0, XS_WRITE, "/ab|1", "OK|");
    told(dom0, "");
    says(dom0, XS_SET_PERMS, "/a/b|n0|", "OK|");
    told(dom0, "/a/b|t|");
    says(dom0, XS_WATCH, "/a/b/c|below|", "OK|");
    told(dom0, "/a/b/c|below|");
    says(dom0, XS_RM, "/a/b|", "OK|");
    told(dom0, "/a/b/c|below|");
    told(dom0, "/a/b|t|");
    told(dom0, "");
    says(dom0, XS_RM, "/a/b|", "OK|");
    told(dom0, "");
    says(dom0, XS_UNWATCH, "/a|u|", "!ENOENT");
    says(dom0, XS_UNWATCH, "/a|t|", "OK|");
    says(dom0, XS_UNWATCH, "/a|t|", "!ENOENT");
    says(dom0, XS_WRITE, "/a/b|1", "OK|");
    told(dom0, "");
    says(dom0, XS_RESET_WATCHES, "|", "OK|");
    says(dom0, XS_RM, "/a|", "OK|");
    told(dom0, "");
}

static void watches_relative_and_of_a_depth(void **state)
{
    (void)state;
    says(dom1, XS_WATCH, "data|t|", "OK|");
    told(dom1, "data|t|");
    says(dom1, XS_WATCH, "/local/domain/1|one|1|", "OK|");
    told(dom1, "/local/domain/1|one|");
    says(dom1, XS_WATCH, "/local/domain/1/data|none|0|", "OK|");
    told(dom1, "/local/domain/1/data|none|");
    says(dom1, XS_WATCH, "x|y|z|", "!EINVAL");
    says(dom0, XS_WRITE, "/local/domain/1/data|1", "OK|");
    told(dom1, "/local/domain/1/data|none|");
    told(dom1, "data|t|");
    told(dom1, "/local/domain/1/data|one|");
    told(dom1, "");
    says(dom0, XS_WRITE, "/local/domain/1/data/x|1", "OK|");
    told(dom1, "data/x|t|");
    told(dom1, "");
    says(dom1, XS_UNWATCH, "data|t|", "OK|");
}

static void watches_tell_only_what_may_be_known(void **state)
{
    (void)state;
    says(dom1, XS_WATCH, "/|t|", "OK|");
    told(dom1, "/|t|");
    says(dom0, XS_WRITE, "/secret|1", "OK|");
    says(dom0, XS_RM, "/secret|", "OK|");
    told(dom1, "");
    says(dom0, XS_WRITE, "/local/domain/2/x|1", "OK|");
    told(dom1, "");
    says(dom0, XS_WRITE, "/open|1", "OK|");
    says(dom0, XS_SET_PERMS, "/open|r0|", "OK|");
    told(dom1, "/open|t|");
    says(dom0, XS_SET_PERMS, "/open|n0|", "OK|");
    told(dom1, "/open|t|"); /* that it may no longer */
    says(dom0, XS_WRITE, "/open|2", "OK|");
    told(dom1, "");
    says(dom1, XS_WATCH, "@releaseDomain|r|", "OK|");
    told(dom1, "@releaseDomain|r|");
    fake_domains[3].gone = false;
    says(dom0, XS_INTRODUCE, "3|77|5|", "OK|");
    says(dom0, XS_RELEASE, "3|", "OK|");
    told(dom1, "");
    says(dom0, XS_SET_PERMS, "@releaseDomain|n0|r1|", "OK|");
    told(dom1, "@releaseDomain|r|");
    says(dom0, XS_GET_PERMS, "@releaseDomain|", "n0|r1|");
    says(dom0, XS_INTRODUCE, "3|77|5|", "OK|");
    says(dom0, XS_RELEASE, "3|", "OK|");
    told(dom1, "@releaseDomain|r|");
    told(dom1, "");
}

static void an_event_that_waits_is_not_doubled(void **state)
{
    (void)state;
    says(dom1, XS_WATCH, "x|t|", "OK|");
    for (unsigned int i = 0; i < 100; i++)
        says(dom0, XS_WRITE, "/local/domain/1/x|1", "OK|");
    told(dom1, "x|t|");
    told(dom1, "");
}

static void transactions(void **state)
{
    uint32_t a = begin(dom0), b = begin(dom0), c;

    (void)state;
    says(dom0, XS_WATCH, "/t|w|", "OK|");
    told(dom0, "/t|w|");
    says_in(dom0, a, XS_WRITE, "/t/x|1", "OK|");
    says_in(dom0, a, XS_READ, "/t/x|", "1");
    says(dom0, XS_READ, "/t/x|", "!ENOENT");
    says_in(dom0, b, XS_READ, "/t|", "!ENOENT");
    says_in(dom0, a, XS_TRANSACTION_START, "|", "!EBUSY");
    told(dom0, "");
    says_in(dom1, a, XS_READ, "/|", "!ENOENT"); /* another's */
    says_in(dom0, a, XS_TRANSACTION_END, "X|", "!EINVAL");
    says_in(dom0, a, XS_TRANSACTION_END, "T|", "OK|");
    told(dom0, "/t/x|w|");
    says(dom0, XS_READ, "/t/x|", "1");
    says_in(dom0, a, XS_READ, "/t/x|", "!ENOENT");
    says_in(dom0, b, XS_TRANSACTION_END, "T|", "!EAGAIN");
    says_in(dom0, b, XS_TRANSACTION_END, "T|", "!ENOENT");
    c = begin(dom1);
    says_in(dom1, c, XS_RESET_WATCHES, "|", "!EBUSY");
    says_in(dom1, c, XS_TRANSACTION_END, "F|", "OK|");
    c = begin(dom0);
    says_in(dom0, c, XS_RM, "/t|", "OK|");
    says_in(dom0, c, XS_TRANSACTION_END, "F|", "OK|");
    says(dom0, XS_READ, "/t/x|", "1");
    told(dom0, "");
    a = begin(dom0);
    b = begin(dom0);
    says_in(dom0, a, XS_WRITE, "/t/x|2", "OK|"); /* two that do not meet */
    says_in(dom0, b, XS_WRITE, "/tool|2", "OK|");
    says_in(dom0, a, XS_TRANSACTION_END, "T|", "OK|");
    says_in(dom0, b, XS_TRANSACTION_END, "T|", "OK|");
    a = begin(dom0);
    says_in(dom0, a, XS_READ, "/t/x|", "2");
    says(dom0, XS_WRITE, "/t/x|2", "OK|"); /* the same value is a change */
    says_in(dom0, a, XS_TRANSACTION_END, "T|", "!EAGAIN");
}

/* A transaction that sees a name and not its node, and a node and not its name (T3). */
static void transactions_that_saw_two_states(void **state)
{
    uint32_t a = begin(dom0), b = begin(dom0);

    (void)state;
    says(dom0, XS_WRITE, "/t/x|1", "OK|");
    says_in(dom0, a, XS_DIRECTORY, "/t|", "x|");
    says_in(dom0, b, XS_READ, "/t/y|", "!ENOENT");
    says(dom0, XS_RM, "/t/x|", "OK|");
    says(dom0, XS_WRITE, "/t/y/z|1", "OK|");
    says_in(dom0, a, XS_READ, "/t/y/z|", "1");
    says_in(dom0, a, XS_RM, "/t/y/z|", "OK|");
    says_in(dom0, a, XS_RM, "/t/y|", "OK|");
    says_in(dom0, a, XS_WRITE, "/t/x/w|1", "OK|");
    says_in(dom0, a, XS_RM, "/t|", "OK|");
    says_in(dom0, b, XS_RM, "/t/y/z|", "OK|");
    says_in(dom0, b, XS_RM, "/t|", "OK|");
    says_in(dom0, a, XS_TRANSACTION_END, "T|", "!EAGAIN");
    says_in(dom0, b, XS_TRANSACTION_END, "T|", "!EAGAIN");
}

/* A commit of dom0 that fails because of what a guest has done. */
static void lose(domid_t guest)
{
    uint32_t a = begin(dom0);

    says_in(dom0, a, XS_READ, "/of3/x|", "1");
    says_in(dom0, a, XS_WRITE, "/a|1", "OK|");
    says(guest ? domain_find(guest)->conn : dom0, XS_WRITE, "/of3/x|1", "OK|");
    says_in(dom0, a, XS_TRANSACTION_END, "T|", "!EAGAIN");
}

static void a_guest_does_not_starve_transactions_of_dom0(void **state)
{
    struct conn *dom3, *dom4;
    unsigned int wait = 0;
    uint32_t a;

    (void)state;
    conn_clock = 1000;
    says(dom0, XS_INTRODUCE, "3|77|5|", "OK|");
    says(dom0, XS_INTRODUCE, "4|77|5|", "OK|");
    dom3 = domain_find(3)->conn;
    dom4 = domain_find(4)->conn;
    says(dom0, XS_WRITE, "/of3/x|1", "OK|");
    says(dom0, XS_SET_PERMS, "/of3|b3|", "OK|");
    says(dom0, XS_SET_PERMS, "/of3/x|b3|", "OK|");
    for (unsigned int i = 0; i < 20; i++) {
        lose(3);
        assert_in_range(conn_wait(dom3), wait ? wait : 1, 2000);
        wait = conn_wait(dom3);
        assert_int_equal(conn_wait(dom4), 0);
    }
    assert_true(wait >= 1000);
    conn_clock += wait - 1;
    assert_int_equal(conn_wait(dom3), 1);
    conn_clock++;
    assert_int_equal(conn_wait(dom3), 0);
    a = begin(dom0);
    says_in(dom0, a, XS_READ, "/of3/x|", "1");
    says_in(dom0, a, XS_TRANSACTION_END, "T|", "OK|");
    lose(0); /* by itself */
    assert_int_equal(conn_wait(dom3), 0);
    a = begin(dom0); /* by a removal, and of something else than what it wrote last */
    says_in(dom0, a, XS_READ, "/of3/x|", "1");
    says(dom3, XS_RM, "/of3/x|", "OK|");
    says_in(dom0, a, XS_TRANSACTION_END, "T|", "!EAGAIN");
    assert_in_range(conn_wait(dom3), 1, wait / 8);
    conn_clock += wait;
    a = begin(dom4); /* a guest, by a guest */
    says_in(dom4, a, XS_READ, "/of3|", "");
    says(dom3, XS_WRITE, "/of3|2", "OK|");
    says_in(dom4, a, XS_TRANSACTION_END, "T|", "!EAGAIN");
    assert_int_equal(conn_wait(dom3), 0);
    says(dom0, XS_WRITE, "/of3/x|1", "OK|");
    says(dom0, XS_SET_PERMS, "/of3/x|b3|", "OK|");
    lose(3);
    domain_detach(domain_find(3), 0); /* it is not rid of it by connecting anew */
    domain_attach(domain_find(3));
    assert_true(conn_wait(domain_find(3)->conn));
}

static void who_has_no_file_left_lets_clients_wait(void **state)
{
    char path[] = "/tmp/stored_test.XXXXXX";
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int listener, client = socket(AF_UNIX, SOCK_STREAM, 0);
    struct rlimit old, none;

    (void)state;
    close(mkstemp(path));
    listener = conn_listen(path);
    strcpy(addr.sun_path, path);
    assert_int_equal(connect(client, (struct sockaddr *)&addr, sizeof(addr)), 0);
    getrlimit(RLIMIT_NOFILE, &old);
    none = old;
    none.rlim_cur = client + 1;
    setrlimit(RLIMIT_NOFILE, &none);
    assert_int_equal(conn_accept(listener), -EMFILE);
    setrlimit(RLIMIT_NOFILE, &old);
    assert_int_equal(conn_accept(listener), 0);
    assert_true(conn_list->fd > client);
    assert_int_equal(conn_accept(listener), -EAGAIN);
    close(client);
    conn_service(conn_list);
    conn_reap();
    close(listener);
    unlink(path);
}

/* Each costs the daemon memory. */
static void a_look_at_a_deep_path_is_one_look(void **state)
{
    char path[XENSTORE_REL_PATH_MAX + 2] = "";
    uint32_t a = begin(dom1), b = begin(dom1);

    (void)state;
    for (unsigned int i = 0; i < 900; i++)
        strcat(path, "x/");
    strcpy(path + 1799, "|");
    for (unsigned int i = 0; i < 5; i++) {
        path[0] = 'a' + i;
        says_in(dom1, a, XS_READ, path, "!ENOENT");
    }
    assert_true(txn_size(conn_find_txn(dom1, a)) < 12);
    says(dom2, XS_WRITE, "other|1", "OK|");
    says_in(dom1, a, XS_TRANSACTION_END, "T|", "OK|");
    says_in(dom1, b, XS_READ, path, "!ENOENT");
    says(dom1, XS_MKDIR, "e/x|", "OK|"); /* of which it has seen that it is not there */
    says_in(dom1, b, XS_TRANSACTION_END, "T|", "!EAGAIN");
}

static void quotas(void **state)
{
    char text[4096];
    unsigned int nr = 0;
    uint32_t tx = 0;

    (void)state;
    for (;; nr++) {
        sprintf(text, "d%u/x%u|", nr / 50, nr);
        if (kit_say(dom1, 0, XS_MKDIR, text)[0] == '!')
            break;
    }
    assert_int_equal(store_owned(1), quota.nodes);
    says(dom1, XS_MKDIR, text, "!ENOSPC");
    says(dom1, XS_WRITE, "d0/x0|still", "OK|");
    says(dom2, XS_MKDIR, "d|", "OK|"); /* nobody else is held up */
    says(dom0, XS_MKDIR, "/local/domain/1/more|", "OK|");
    says(dom1, XS_RM, "d0|", "OK|");
    says(dom1, XS_MKDIR, text, "OK|");

    memset(text, 'v', sizeof(text));
    memcpy(text, "v|", 2);
    text[quota.node_size + 2] = 0;
    says(dom1, XS_WRITE, text, "!ENOSPC");
    text[quota.node_size - 100] = 0;
    says(dom1, XS_WRITE, text, "OK|");

    for (nr = 0; sprintf(text, "w|%u|", nr), kit_say(dom1, 0, XS_WATCH, text)[0] != '!'; nr++)
        ;
    assert_int_equal(nr, quota.watches);
    says(dom1, XS_WATCH, text, "!E2BIG");
    says(dom1, XS_UNWATCH, "w|5|", "OK|");
    says(dom1, XS_WATCH, text, "OK|");

    for (nr = 0; nr < quota.transactions; nr++)
        tx = begin(dom1);
    says(dom1, XS_TRANSACTION_START, "|", "!ENOSPC");
    for (nr = 0; nr < quota.txn_nodes; nr++) {
        sprintf(text, "none%u|", nr);
        if (strcmp(kit_say(dom1, tx, XS_READ, text), "!ENOSPC") == 0)
            break;
    }
    assert_in_range(nr, quota.txn_nodes / 2, quota.txn_nodes - 1);
    says_in(dom1, tx, XS_TRANSACTION_END, "F|", "OK|");
    says(dom1, XS_SET_PERMS, "v|n1|r2|r3|r4|r5|", "OK|");
    says(dom1, XS_SET_PERMS, "v|n1|r2|r3|r4|r5|r6|", "!ENOSPC");
    assert_true(begin(dom1));
}

/* Two transactions that are each within the limit, and not both. */
static void quotas_hold_at_commits(void **state)
{
    unsigned int before = quota.nodes;
    uint32_t a = begin(dom1), b = begin(dom1);

    (void)state;
    says(dom1, XS_MKDIR, "p|", "OK|");
    says(dom1, XS_MKDIR, "q|", "OK|");
    quota.nodes = store_owned(1) + 1;
    says_in(dom1, a, XS_MKDIR, "p/x|", "OK|");
    says_in(dom1, b, XS_MKDIR, "q/x|", "OK|");
    says_in(dom1, a, XS_TRANSACTION_END, "T|", "OK|");
    says_in(dom1, b, XS_TRANSACTION_END, "T|", "!ENOSPC");
    assert_int_equal(store_owned(1), quota.nodes);
    quota.nodes = before;
}

static void who_fetches_no_events_is_given_up(void **state)
{
    char text[128];
    unsigned int i, before = quota.out;

    (void)state;
    quota.out = 65536;
    says(dom1, XS_WATCH, "x|t|", "OK|");
    for (i = 0; i < 100000 && !dom1->dead; i++) {
        sprintf(text, "/local/domain/1/x/%u|", i);
        says(dom0, XS_MKDIR, text, "OK|");
    }
    assert_true(dom1->dead);
    assert_true(dom1->out_len < quota.out + 100);
    quota.out = before;
    conn_reap();
    says(dom0, XS_WRITE, "/local/domain/1/x|", "OK|");
}

static void domains(void **state)
{
    struct fake_domain *f = &fake_domains[3];

    (void)state;
    says(dom0, XS_WATCH, "@introduceDomain|i|", "OK|");
    told(dom0, "@introduceDomain|i|");
    says(dom0, XS_WATCH, "@releaseDomain|r|", "OK|");
    says(dom0, XS_IS_DOMAIN_INTRODUCED, "3|", "F|");
    says(dom0, XS_GET_DOMAIN_PATH, "3|", "/local/domain/3|");
    says(dom0, XS_INTRODUCE, "3|77|6|", "!EINVAL");
    says(dom0, XS_INTRODUCE, "3|78|5|", "!EINVAL");
    says(dom0, XS_INTRODUCE, "32752|77|5|", "!EINVAL");
    assert_int_equal(f->bound + f->mapped, 0);
    says(dom0, XS_RELEASE, "3|", "!ENOENT");
    says(dom0, XS_INTRODUCE, "3|77|5|", "OK|");
    told(dom0, "@introduceDomain|i|");
    told(dom0, "");
    says(dom0, XS_IS_DOMAIN_INTRODUCED, "3|", "T|");
    says(dom0, XS_INTRODUCE, "3|77|5|", "OK|"); /* again */
    assert_int_equal(f->bound, 1);
    assert_int_equal(f->mapped, 1);
    says(dom0, XS_RESUME, "4|", "!ENOENT");
    says(dom0, XS_RESUME, "3|", "OK|");
    says(dom0, XS_SET_TARGET, "3|4|", "!ENOENT");
    says(dom0, XS_INTRODUCE, "4|77|5|", "OK|");
    says(dom0, XS_SET_TARGET, "3|4|", "OK|");
    says(dom0, XS_WRITE, "/four|4", "OK|");
    says(dom0, XS_SET_PERMS, "/four|n4|", "OK|");
    says(domain_find(3)->conn, XS_READ, "/four|", "4");
    says(dom0, XS_RESET_WATCHES, "|", "OK|");
    says(dom0, XS_WATCH, "@releaseDomain|r|", "OK|");
    told(dom0, "@releaseDomain|r|");
    f->shut_down = true;
    domain_check_all();
    domain_check_all();
    told(dom0, "@releaseDomain|r|");
    told(dom0, ""); /* once */
    assert_non_null(domain_find(3));
    says(dom0, XS_RESUME, "3|", "OK|");
    domain_check_all();
    told(dom0, "@releaseDomain|r|");
    says(dom0, XS_WRITE, "/of3|x", "OK|");
    says(dom0, XS_SET_PERMS, "/of3|n0|r3|r4|", "OK|");
    f->gone = true;
    domain_check_all();
    told(dom0, "@releaseDomain|r|");
    assert_null(domain_find(3));
    says(dom0, XS_GET_PERMS, "/of3|", "n0|r4|");
    says(dom0, XS_INTRODUCE, "0|77|5|", "OK|");
    says(domain_find(0)->conn, XS_INTRODUCE, "0|77|5|", "!EINVAL"); /* by its own ring */
    says(dom0, XS_RELEASE, "4|", "OK|");
    says(dom0, XS_READ, "/four|", "!ENOENT");
    assert_int_equal(f->bound + f->mapped + fake_domains[4].bound + fake_domains[4].mapped, 0);
}

static void control(void **state)
{
    (void)state;
    assert_non_null(strstr(kit_say(dom0, 0, XS_CONTROL, "help|"), "quota"));
    says(dom0, XS_CONTROL, "check|", "the store is consistent\n|");
    says(dom0, XS_CONTROL, "nonsense|", "!EINVAL");
    says(dom0, XS_CONTROL, "quota|watches|7|", "OK|");
    assert_non_null(strstr(kit_say(dom0, 0, XS_CONTROL, "quota|"), "watches       7\n"));
    says(dom0, XS_CONTROL, "quota|watches|128|", "OK|");
    says(dom0, XS_CONTROL, "quota|nothing|1|", "!EINVAL");
    says(dom0, XS_CONTROL, "quota|nodes|", "!EINVAL");
    assert_non_null(strstr(kit_say(dom0, 0, XS_CONTROL, "info|"), "connections   3\n"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, consistent)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_a_request_may_look_like),
        TEST(nodes),
        TEST(large_directories_come_in_parts),
        TEST(permissions),
        TEST(watches),
        TEST(watches_relative_and_of_a_depth),
        TEST(watches_tell_only_what_may_be_known),
        TEST(an_event_that_waits_is_not_doubled),
        TEST(transactions),
        TEST(transactions_that_saw_two_states),
        TEST(a_guest_does_not_starve_transactions_of_dom0),
        TEST(who_has_no_file_left_lets_clients_wait),
        TEST(a_look_at_a_deep_path_is_one_look),
        TEST(quotas),
        TEST(quotas_hold_at_commits),
        TEST(who_fetches_no_events_is_given_up),
        TEST(domains),
        TEST(control),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

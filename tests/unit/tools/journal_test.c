/* SPDX-License-Identifier: MIT */
/* The store daemon dies and comes again. Death is a longjmp() out of the moment in which the daemon
 * has just shown an index of a ring to the domain; or, with that index put back, the moment before.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "stored_kit.h"

#include "ring-protocol/byte_ring.h"

#include <sys/stat.h>
#include <unistd.h>

/* What is under way when it dies is lost, in a real process as well. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

static char file[64];
static uint32_t seed;

static unsigned int roll(unsigned int n)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % n;
}

/* The process ends: all that it has in memory is gone. Pages of rings are the domains'. */
static void die(void)
{
    struct fake_domain kept[FAKE_DOMAINS];

    journal_stop();
    memcpy(kept, fake_domains, sizeof(kept));
    while (domain_list)
        domain_forget(domain_list);
    for (struct conn *c = conn_list; c; c = c->next)
        c->dead = ENODEV;
    conn_reap();
    store_reset();
    memcpy(fake_domains, kept, sizeof(kept));
    for (unsigned int i = 0; i < FAKE_DOMAINS; i++)
        fake_domains[i].bound = fake_domains[i].mapped = 0;
}

static void come_again(void)
{
    struct error err = {""};

    store_init();
    assert_int_equal(journal_load(file, &err), 0);
    assert_int_equal(store_check(), 0);
    domain_restore();
    assert_int_equal(journal_start(file, &err), 0);
}

static int start(void **state)
{
    struct error err;

    (void)state;
    strcpy(file, "/dev/shm/journal_test.XXXXXX");
    close(mkstemp(file));
    journal_stop();
    kit_start();
    assert_int_equal(journal_start(file, &err), 0);
    return 0;
}

static int stop(void **state)
{
    char bad[80];

    (void)state;
    die();
    sprintf(bad, "%s.bad", file);
    unlink(bad);
    unlink(file);
    return 0;
}

static void turn(void)
{
    journal_commit();
    for (unsigned int i = 0; i < 3; i++) {
        for (struct conn *c = conn_list; c; c = c->next) {
            if (c->more && !c->dead)
                conn_service(c);
        }
    }
    conn_reap();
    journal_commit();
}

/* ---- a domain ---- */

struct guest {
    domid_t id;
    struct byte_ring to, from;
    struct bytes out, in; /* not yet in the ring; not yet understood */
    uint32_t asked, answered;
    unsigned int events;
    char next[64]; /* answer */
};

static void guest_connect(struct guest *g, domid_t id)
{
    struct xenstore_domain_interface *p = &fake_domains[id].page;

    *g = (struct guest){
        .id = id,
        .to = {(uint8_t *)p->req, XENSTORE_RING_SIZE, &p->req_cons, &p->req_prod, p->req_prod},
        .from = {(uint8_t *)p->rsp, XENSTORE_RING_SIZE, &p->rsp_cons, &p->rsp_prod, p->rsp_cons},
    };
}

static void guest_ask(struct guest *g, uint32_t type, const void *data, size_t len)
{
    struct xsd_sockmsg h = {.type = type, .req_id = ++g->asked, .len = len};

    must_have(bytes_append(&g->out, &h, sizeof(h), 1 << 20));
    must_have(bytes_append(&g->out, data, len, 1 << 20));
}

static void drop(struct bytes *b, size_t len)
{
    memmove(b->data, b->data + len, b->len - len);
    b->len -= len;
}

/* Answers come in the order of requests, each once, and are those that are due. */
static void guest_understand(struct guest *g)
{
    struct xsd_sockmsg h;

    while (g->in.len >= sizeof(h)) {
        memcpy(&h, g->in.data, sizeof(h));
        if (g->in.len < sizeof(h) + h.len)
            break;
        if (h.type == XS_WATCH_EVENT) {
            g->events++;
        } else {
            g->answered++;
            assert_int_equal(h.req_id, g->answered);
            assert_int_not_equal(h.type, XS_ERROR);
            if (h.type == XS_READ) { /* of what the request before has written */
                char text[16];

                sprintf(text, "%u", h.req_id - 1);
                assert_int_equal(h.len % 1000, strlen(text));
                assert_memory_equal(g->in.data + sizeof(h), text, strlen(text));
            }
        }
        drop(&g->in, sizeof(h) + h.len);
    }
}

static void guest_turn(struct guest *g)
{
    uint8_t buf[XENSTORE_RING_SIZE];
    long n;

    if (g->out.len == 0 && g->asked - g->answered < 4) {
        char data[3100] = "n";
        int len = 2 + sprintf(data + 2, "%u", g->asked + 1);

        len += 1000 * roll(3); /* some are longer than the ring */
        guest_ask(g, XS_WRITE, data, len);
        guest_ask(g, XS_READ, "n", 2);
    }
    n = byte_ring_write(&g->to, g->out.data, roll(g->out.len + 1));
    assert_true(n >= 0);
    drop(&g->out, n);
    byte_ring_produced(&g->to);
    n = byte_ring_read(&g->from, buf, roll(3) ? sizeof(buf) : roll(200));
    assert_true(n >= 0);
    must_have(bytes_append(&g->in, buf, n, 1 << 20));
    byte_ring_consumed(&g->from);
    guest_understand(g);
}

static void introduce(unsigned int id)
{
    struct conn *dom0 = kit_conn(0);
    char text[64];

    sprintf(text, "%u|77|5|", id);
    assert_string_equal(kit_say(dom0, 0, XS_INTRODUCE, text), "OK|");
    sprintf(text, "/local/domain/%u|", id);
    assert_string_equal(kit_say(dom0, 0, XS_MKDIR, text), "OK|");
    sprintf(text, "/local/domain/%u|n%u|", id, id);
    assert_string_equal(kit_say(dom0, 0, XS_SET_PERMS, text), "OK|");
    journal_commit();
    dom0->dead = 1;
    conn_reap();
}

static jmp_buf death;
static unsigned int until_death;

static void on_notify(uint32_t port)
{
    struct fake_domain *f = &fake_domains[port - 100];
    bool before = roll(2);

    if (until_death == 0 || --until_death)
        return;
    if (before) { /* the index was never shown */
        f->page.req_cons = f->shown_req_cons;
        f->page.rsp_prod = f->shown_rsp_prod;
    }
    longjmp(death, 1);
}

static void each_request_is_done_once(void **state)
{
    volatile unsigned int deaths = 0, steps = 0;
    struct guest g[2];

    (void)state;
    quota.node_size = 5000;
    for (unsigned int i = 0; i < 2; i++) {
        introduce(i + 1);
        guest_connect(&g[i], i + 1);
        guest_ask(&g[i], XS_WATCH, "n\0t", 4);
    }
    fake_on_notify = on_notify;
    seed = 1;
    while (g[0].answered + g[1].answered < 6000) {
        assert_true(steps++ < 200000);
        guest_turn(&g[roll(2)]);
        until_death = roll(20) ? 0 : 1 + roll(6);
        if (setjmp(death)) {
            deaths++;
            until_death = 0;
            die();
            for (unsigned int i = roll(6); i > 0; i--) /* the domains go on meanwhile */
                guest_turn(&g[roll(2)]);
            come_again();
        } else {
            domain_event(101);
            domain_event(102);
            turn();
        }
    }
    fake_on_notify = NULL;
    assert_true(deaths > 100);
    assert_true(g[0].events > 100);
    for (unsigned int i = 0; i < 2; i++) {
        assert_int_equal(fake_domains[i + 1].page.error, 0);
        bytes_free(&g[i].in);
        bytes_free(&g[i].out);
    }
    quota.node_size = 2048;
}

static void write_the_rest(uint32_t port)
{
    struct xenstore_domain_interface *p = &fake_domains[port - 100].page;

    memcpy(p->req + p->req_prod, "/", 2);
    p->req_prod += 2;
    fake_on_notify = NULL;
}

/* Linux says nothing of bytes that it adds while those before are not given free. */
static void bytes_that_come_unannounced(void **state)
{
    struct xenstore_domain_interface *p = &fake_domains[1].page;
    struct xsd_sockmsg h = {.type = XS_GET_PERMS, .len = 2};

    (void)state;
    introduce(1);
    memcpy(p->req, &h, sizeof(h));
    p->req_prod = sizeof(h);
    fake_on_notify = write_the_rest;
    domain_event(101);
    turn();
    assert_int_equal(p->req_cons, sizeof(h) + 2);
    assert_true(p->rsp_prod);
    assert_false(domain_find(1)->conn->more);
}

static void what_comes_back(void **state)
{
    struct conn *c;

    (void)state;
    introduce(1);
    introduce(2);
    introduce(3);
    c = domain_find(1)->conn;
    assert_string_equal(kit_say(c, 0, XS_WATCH, "/local/domain/2|w|"), "OK|");
    assert_string_equal(kit_say(c, 0, XS_WATCH, "x|y|2|"), "OK|");
    assert_string_equal(kit_say(c, 0, XS_WATCH, "z|y|"), "OK|");
    assert_string_equal(kit_say(c, 0, XS_UNWATCH, "z|y|"), "OK|");
    assert_string_equal(kit_say(c, 0, XS_TRANSACTION_START, "|"), "1|");
    assert_string_equal(kit_say(c, 1, XS_WRITE, "x|1"), "OK|");
    c = kit_conn(0);
    assert_string_equal(kit_say(c, 0, XS_WATCH, "/|gone|"), "OK|");
    assert_string_equal(kit_say(c, 0, XS_SET_TARGET, "1|2|"), "OK|");
    assert_string_equal(kit_say(c, 0, XS_RELEASE, "3|"), "OK|");
    assert_string_equal(kit_say(c, 0, XS_CONTROL, "quota|perms|9|"), "OK|");
    assert_string_equal(kit_say(c, 0, XS_WRITE, "/tool/x|kept"), "OK|");
    assert_string_equal(kit_say(c, 0, XS_SET_PERMS, "/tool/x|n0|w1|"), "OK|");
    journal_commit();
    for (unsigned int again = 0; again < 3; again++) {
        die();
        quota.perms = 5;
        come_again();
        c = domain_find(1)->conn;
        assert_int_equal(quota.perms, 9);
        assert_null(domain_find(3));
        assert_int_equal(c->nr_watches, 2);
        assert_int_equal(c->who.target, 2);
        assert_int_equal(c->nr_txns, again == 0);
        assert_int_equal(fake_domains[1].mapped + fake_domains[1].bound, 2);
        assert_int_equal(fake_domains[3].mapped + fake_domains[3].bound, 0);
        if (again == 0) { /* goes on, and is told to begin anew */
            assert_string_equal(kit_say(c, 1, XS_WRITE, "x|2"), "OK|");
            assert_string_equal(kit_say(c, 1, XS_TRANSACTION_END, "T|"), "!EAGAIN");
        }
        assert_string_equal(kit_say(c, 0, XS_WRITE, "x/y|3"), "OK|");
        assert_string_equal(kit_event(c), "x/y|y|");
        assert_string_equal(kit_say(c, 0, XS_READ, "/tool/x|"), "!EACCES");
        assert_string_equal(kit_say(c, 0, XS_WRITE, "/tool/x|kept"), "OK|");
        journal_commit();
    }
    quota.perms = 5;
}

/* All paths with values and permissions, as one number. */
static uint64_t digest(void)
{
    uint64_t sum = 0;

    MAP_EACH(&store_nodes, e)
    {
        const struct node *n = e->value;
        uint64_t h = n->value_len;

        for (const char *p = e->key; *p; p++)
            h = h * 31 + *p;
        for (uint32_t i = 0; i < n->value_len; i++)
            h = h * 37 + n->value[i];
        for (unsigned int i = 0; i < n->nr_perms; i++)
            h = h * 41 + n->perms[i].id * 4 + n->perms[i].bits;
        sum += h * h;
    }
    return sum;
}

static void a_torn_file_is_the_state_of_a_commit(void **state)
{
    enum { STEPS = 25 };
    uint64_t states[STEPS + 1];
    size_t sizes[STEPS + 1];
    struct conn *c = kit_conn(0);
    struct bytes whole = {0};
    struct error err;
    struct stat st;

    (void)state;
    for (unsigned int i = 0; i <= STEPS; i++) {
        char text[32];

        stat(file, &st);
        sizes[i] = st.st_size;
        states[i] = digest();
        if (i % 7 == 6)
            sprintf(text, "/a%u|", i - 3);
        else
            sprintf(text, "/a%u/b|%u", i, i);
        kit_say(c, 0, i % 7 == 6 ? XS_RM : XS_WRITE, text);
        journal_commit();
    }
    assert_int_equal(image_read_file(file, &whole, &err), 0);
    for (size_t len = 0, at = 0; len <= sizes[STEPS]; len++) {
        FILE *f = fopen(file, "wb");

        assert_int_equal(fwrite(whole.data, 1, len, f), len);
        fclose(f);
        while (at < STEPS && len >= sizes[at + 1])
            at++;
        die();
        store_init();
        if (len < sizes[0]) {
            assert_int_equal(journal_load(file, &err), -EINVAL);
            assert_int_equal(digest(), states[0]);
        } else {
            assert_int_equal(journal_load(file, &err), 0);
            assert_int_equal(digest(), states[at]);
        }
    }
    bytes_free(&whole);
}

static void a_damaged_file_does_no_harm(void **state)
{
    struct bytes whole = {0};
    struct error err;

    (void)state;
    introduce(1);
    kit_say(domain_find(1)->conn, 0, XS_WATCH, "x|t|");
    kit_say(domain_find(1)->conn, 0, XS_TRANSACTION_START, "|");
    journal_start(file, &err);
    assert_int_equal(image_read_file(file, &whole, &err), 0);
    for (size_t i = 0; i < whole.len; i++) {
        FILE *f = fopen(file, "wb");

        whole.data[i] ^= 1 << i % 8;
        fwrite(whole.data, 1, whole.len, f);
        fclose(f);
        whole.data[i] ^= 1 << i % 8;
        die();
        store_init();
        assert_int_not_equal(journal_load(file, &err), 0);
        assert_int_equal(store_check(), 0);
        assert_null(domain_list);
    }
    bytes_free(&whole);
}

static void the_file_does_not_grow_without_end(void **state)
{
    struct conn *c = kit_conn(0);
    struct stat st;
    char value[1100] = "/x|";

    (void)state;
    memset(value + 3, 'v', 1000);
    for (unsigned int i = 0; i < 5000; i++) {
        kit_say(c, 0, XS_WRITE, value);
        journal_commit();
        stat(file, &st);
        assert_true(st.st_size < 3 << 20);
    }
    die();
    come_again();
    assert_int_equal(store_get("/x")->value_len, 1000);
}

static void a_domain_that_broke_its_ring_may_reconnect(void **state)
{
    struct xenstore_domain_interface *p = &fake_domains[1].page;
    struct xsd_sockmsg h = {.type = XS_READ, .len = 5000};

    (void)state;
    introduce(1);
    p->req_prod = p->req_cons + 1025;
    domain_event(101);
    turn();
    assert_int_equal(p->error, XENSTORE_ERROR_RINGIDX);
    assert_null(domain_find(1)->conn);
    for (unsigned int i = 0; i < 2; i++) {
        die();
        come_again();
        assert_null(domain_find(1)->conn);
        domain_event(101);
        turn();
        p->connection = XENSTORE_RECONNECT;
        domain_event(101);
        assert_int_equal(p->connection, XENSTORE_CONNECTED);
        assert_int_equal(p->error + p->req_prod + p->req_cons, 0);
        memcpy(p->req, &h, sizeof(h));
        p->req_prod = sizeof(h);
        domain_event(101);
        turn();
        assert_int_equal(p->error, XENSTORE_ERROR_PROTO);
    }
    p->connection = XENSTORE_RECONNECT;
    domain_event(101);
    p->rsp_cons = 5; /* of nothing */
    h.len = 0;
    memcpy(p->req, &h, sizeof(h));
    p->req_prod = sizeof(h);
    domain_event(101);
    turn();
    assert_int_equal(p->error, XENSTORE_ERROR_RINGIDX);
    /* It asks while the daemon is away. */
    die();
    p->connection = XENSTORE_RECONNECT;
    come_again();
    assert_int_equal(p->connection, XENSTORE_CONNECTED);
    assert_non_null(domain_find(1)->conn);
}

static void what_ended_meanwhile_is_noticed(void **state)
{
    (void)state;
    introduce(1);
    introduce(2);
    assert_string_equal(kit_say(domain_find(2)->conn, 0, XS_WATCH, "@releaseDomain|r|"), "OK|");
    assert_string_equal(kit_say(kit_conn(0), 0, XS_SET_PERMS, "@releaseDomain|n0|r2|"), "OK|");
    journal_commit();
    die();
    fake_domains[1].gone = true;
    come_again();
    assert_null(domain_find(1));
    assert_null(store_get("/local/domain/1"));
    assert_int_equal(domain_find(2)->conn->nr_watches, 1);
    while (strcmp(kit_event(domain_find(2)->conn), "@releaseDomain|r|"))
        assert_non_null(domain_find(2)->conn->out);
}

static void without_room_there_is_no_old_state(void **state)
{
    struct conn *c = kit_conn(0);
    struct error err;

    (void)state;
    assert_int_not_equal(journal_start("/no/such/folder/state", &err), 0);
    assert_string_equal(kit_say(c, 0, XS_WRITE, "/x|1"), "OK|");
    journal_commit();
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bytes_that_come_unannounced),
        TEST(what_comes_back),
        TEST(each_request_is_done_once),
        TEST(a_torn_file_is_the_state_of_a_commit),
        TEST(a_damaged_file_does_no_harm),
        TEST(the_file_does_not_grow_without_end),
        TEST(a_domain_that_broke_its_ring_may_reconnect),
        TEST(what_ended_meanwhile_is_noticed),
        TEST(without_room_there_is_no_old_state),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

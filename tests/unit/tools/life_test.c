/* SPDX-License-Identifier: MIT */
/* The ends of guests, in a world of arrays. The tool that sees to them is killed before and after each
 * thing that it does: a longjmp() out of it. Whoever comes next must find its way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dom0-tools/libsocle/alloc.h"
#include "dom0-tools/libsocle/state.h"
#include "dom0-tools/watchd/life.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xen/sched.h>

/* What is under way when it dies is lost, in a real process as well. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

enum { MAX = 32 };

static struct {
    bool there;
    uint32_t flags;
    uint8_t handle[16];
    char name[64];
} domain[MAX];
static unsigned int last_id, created, waited, refuse, refuse_end;
static char said[8192], dir[64], kernel[80];
static uint64_t clock_now;

static jmp_buf death;
static unsigned int steps_left; /* 0: it lives */

static void maybe_die(void)
{
    if (steps_left && --steps_left == 0)
        longjmp(death, 1);
}

/* ---- the world ---- */

static int info(domid_t id, struct xen_domctl_getdomaininfo *i)
{
    maybe_die();
    if (!domain[id].there)
        return -ESRCH;
    *i = (struct xen_domctl_getdomaininfo){.domain = id, .flags = domain[id].flags};
    memcpy(i->handle, domain[id].handle, 16);
    return 0;
}

static int domains(struct xen_domctl_getdomaininfo **list, unsigned int *nr)
{
    *list = calloc(MAX, sizeof(**list));
    *nr = 0;
    for (unsigned int id = 0; id < MAX; id++)
        *nr += domain[id].there && info(id, *list + *nr) == 0;
    return 0;
}

static int end(domid_t id, struct error *err)
{
    maybe_die();
    if (refuse_end && refuse_end--)
        return error_set(err, -EIO, "no store");
    domain[id].there = false;
    maybe_die();
    state_forget(id);
    maybe_die();
    return 0;
}

/* The locks of half-built domains are not of interest here: they are swept. */
static int create(const struct domain_config *c, domid_t *id, struct error *err)
{
    maybe_die();
    if (refuse) {
        refuse--;
        return error_set(err, -ENOMEM, "no memory");
    }
    for (unsigned int i = 0; i < MAX; i++) {
        if (domain[i].there && !memcmp(domain[i].handle, c->uuid, 16))
            return error_set(err, -EEXIST, "it is there");
        if (domain[i].there && !strcmp(domain[i].name, c->name))
            return error_set(err, -EEXIST, "the name is there");
    }
    *id = ++last_id;
    assert_int_equal(state_write(*id, c, err), 0);
    domain[*id].there = true;
    domain[*id].flags = XEN_DOMINF_paused;
    memcpy(domain[*id].handle, c->uuid, 16);
    strcpy(domain[*id].name, c->name);
    created++;
    maybe_die();
    domain[*id].flags = 0;
    maybe_die();
    return 0;
}

static int unpause(domid_t id)
{
    maybe_die();
    domain[id].flags &= ~XEN_DOMINF_paused;
    return 0;
}

static int rename_domain(domid_t id, const struct domain_config *c, struct error *err)
{
    (void)err;
    maybe_die();
    strcpy(domain[id].name, c->name);
    maybe_die();
    memcpy(domain[id].handle, c->uuid, 16);
    maybe_die();
    return 0;
}

static char *name_of(domid_t id)
{
    return domain[id].there ? strdup(domain[id].name) : NULL;
}

static uint64_t now(void)
{
    return clock_now;
}

static void wait_seconds(unsigned int seconds)
{
    waited += seconds;
}

static void say(const char *format, ...)
{
    size_t len = strlen(said);
    va_list args;

    va_start(args, format);
    vsnprintf(said + len, sizeof(said) - len, format, args);
    va_end(args);
    strncat(said, "\n", sizeof(said) - strlen(said) - 1);
}

static const struct life_world world = {.info = info,
                                        .domains = domains,
                                        .end = end,
                                        .create = create,
                                        .unpause = unpause,
                                        .rename = rename_domain,
                                        .now = now,
                                        .wait = wait_seconds,
                                        .name = name_of,
                                        .log = say};
static const struct policy_limit limit = {.restarts = 3, .seconds = 60};

/* ---- a guest ---- */

static domid_t begin_guest(enum config_action action)
{
    struct domain_config c = {.name = "guest",
                              .uuid = {1, 2, 3},
                              .has_uuid = true,
                              .kernel = kernel,
                              .cmdline = "",
                              .memory = 32,
                              .maxmem = 32,
                              .vcpus = 1,
                              .maxvcpus = 1,
                              .weight = 300,
                              .on_poweroff = action,
                              .on_reboot = action,
                              .on_crash = action};
    domid_t id = 0;

    assert_int_equal(create(&c, &id, NULL), 0);
    return id;
}

static void ends(domid_t id, unsigned int reason)
{
    domain[id].flags = XEN_DOMINF_shutdown | reason << XEN_DOMINF_shutdownshift;
}

static unsigned int named(const char *name)
{
    for (unsigned int id = 0; id < MAX; id++) {
        if (domain[id].there && !strcmp(domain[id].name, name))
            return id;
    }
    return 0;
}

static unsigned int nr_domains(void)
{
    unsigned int nr = 0;

    for (unsigned int id = 0; id < MAX; id++)
        nr += domain[id].there;
    return nr;
}

/* Files of @suffix that are left. */
static unsigned int files(const char *suffix)
{
    DIR *d = opendir(dir);
    unsigned int nr = 0;

    for (struct dirent *e; (e = readdir(d));)
        nr += strlen(e->d_name) > strlen(suffix) &&
              !strcmp(e->d_name + strlen(e->d_name) - strlen(suffix), suffix);
    closedir(d);
    return nr;
}

static int start(void **state)
{
    FILE *f;

    (void)state;
    strcpy(dir, "/tmp/life_test.XXXXXX");
    assert_non_null(mkdtemp(dir));
    setenv("SOCLE_RUN_DIR", dir, 1);
    sprintf(kernel, "%s/kernel", dir);
    f = fopen(kernel, "w");
    fclose(f);
    memset(domain, 0, sizeof(domain));
    last_id = created = waited = refuse = refuse_end = steps_left = 0;
    clock_now = 1000;
    said[0] = 0;
    return 0;
}

static int stop(void **state)
{
    char command[100];

    (void)state;
    sprintf(command, "rm -rf %s", dir);
    return system(command);
}

#define handled(id, result) assert_int_equal(life_handle(id, &limit, &world), result)

static void destroy(void **state)
{
    domid_t id = begin_guest(CONFIG_DESTROY);

    (void)state;
    handled(id, LIFE_DONE); /* it runs */
    assert_int_equal(nr_domains(), 1);
    assert_string_equal(said, "");
    ends(id, SHUTDOWN_suspend);
    handled(id, LIFE_DONE);
    assert_int_equal(nr_domains(), 1);
    ends(id, SHUTDOWN_poweroff);
    handled(id, LIFE_DONE);
    assert_int_equal(nr_domains() + files(".json") + files(".life") + files(".restart"), 0);
    assert_string_equal(said, "guest (domain 1) has powered off: destroy\n");
    handled(id, LIFE_DONE); /* it is gone */
}

static void preserve(void **state)
{
    domid_t id = begin_guest(CONFIG_PRESERVE);

    (void)state;
    ends(id, SHUTDOWN_crash);
    handled(id, LIFE_DONE);
    assert_int_equal(nr_domains() + files(".json"), 2);
}

static void restart(void **state)
{
    domid_t id = begin_guest(CONFIG_RESTART);
    struct domain_config c;

    (void)state;
    ends(id, SHUTDOWN_reboot);
    handled(id, LIFE_DONE);
    assert_int_equal(nr_domains(), 1);
    assert_int_equal(named("guest"), 2);
    assert_int_equal(state_read(2, domain[2].handle, &c, NULL), 0);
    assert_int_equal(c.weight, 300);
    config_free(&c);
    assert_int_equal(files(".json"), 1);
    assert_int_equal(files(".life") + files(".restart"), 0);
}

/* socle rename was killed when the store had the name, and the file had not. */
static void restart_under_the_name_of_now(void **state)
{
    domid_t id = begin_guest(CONFIG_RESTART);

    (void)state;
    strcpy(domain[id].name, "shop");
    ends(id, SHUTDOWN_reboot);
    handled(id, LIFE_DONE);
    assert_int_equal(nr_domains(), 1);
    assert_int_equal(named("shop"), 2);
    assert_int_equal(files(".json"), 1);
    assert_int_equal(files(".life") + files(".restart") + files(".lock"), 0);
}

static void rename_and_restart(void **state)
{
    domid_t id = begin_guest(CONFIG_RENAME_RESTART);
    struct domain_config c;

    (void)state;
    ends(id, SHUTDOWN_crash);
    handled(id, LIFE_DONE);
    assert_int_equal(named("guest"), 2);
    assert_int_equal(named("guest-1"), 1);
    assert_int_equal(state_read(1, domain[1].handle, &c, NULL), 0);
    assert_string_equal(c.name, "guest-1");
    config_free(&c);
    handled(id, LIFE_DONE); /* that is all */
    assert_int_equal(nr_domains(), 2);
}

static void not_for_ever(void **state)
{
    (void)state;
    begin_guest(CONFIG_RESTART);
    for (unsigned int i = 1; i <= 3; i++) {
        ends(i, SHUTDOWN_crash);
        handled(i, LIFE_DONE);
        clock_now += 5;
    }
    ends(4, SHUTDOWN_crash);
    handled(4, LIFE_DONE);
    assert_int_equal(named("guest"), 4);
    assert_int_equal(created, 4);
    assert_non_null(strstr(said, "was restarted 3 times within 60 seconds; it stays as it is\n"));
    assert_int_equal(files(".restarts"), 0);
}

static void what_cannot_be_made_is_tried_again(void **state)
{
    domid_t id = begin_guest(CONFIG_RESTART);

    (void)state;
    refuse = 3;
    ends(id, SHUTDOWN_reboot);
    handled(id, LIFE_DONE);
    assert_int_equal(named("guest"), 2);
    assert_in_range(waited, 3, 30);
    refuse_end = 100;
    ends(2, SHUTDOWN_reboot);
    handled(2, LIFE_FAILED);
    assert_int_equal(files(".restart"), 1);
    refuse_end = 2;
    handled(2, LIFE_DONE);
    assert_int_equal(named("guest"), 3);
    refuse = 100;
    ends(3, SHUTDOWN_reboot);
    handled(3, LIFE_DONE);
    assert_int_equal(nr_domains() + files(".json") + files(".life") + files(".restart"), 0);
}

/* What was there when it began. */
static void a_kernel_that_is_gone(void **state)
{
    domid_t id = begin_guest(CONFIG_DESTROY);

    (void)state;
    unlink(kernel);
    ends(id, SHUTDOWN_crash);
    handled(id, LIFE_DONE);
    assert_int_equal(nr_domains() + files(".json"), 0);
}

static void others_are_left_alone(void **state)
{
    (void)state;
    domain[7].there = true; /* no file */
    ends(7, SHUTDOWN_crash);
    handled(7, LIFE_DONE);
    assert_int_equal(nr_domains(), 1);
    begin_guest(CONFIG_DESTROY);
    domain[1].handle[0] = 99; /* the file is another's */
    ends(1, SHUTDOWN_crash);
    handled(1, LIFE_DONE);
    assert_int_equal(nr_domains(), 2);
    assert_string_equal(said, "");
}

static void what_is_left_is_cleaned(void **state)
{
    domid_t id = begin_guest(CONFIG_RESTART);

    (void)state;
    domain[id].there = false;
    handled(id, LIFE_DONE);
    assert_int_equal(files(".json"), 0);
    assert_int_equal(created, 1);
}

/* However often and wherever it is killed: in the end all is as if it had not been. */
static void killed_anywhere(void **state)
{
    const enum config_action actions[] = {CONFIG_DESTROY, CONFIG_RESTART, CONFIG_RENAME_RESTART};

    (void)state;
    for (volatile unsigned int a = 0; a < 3; a++) {
        for (volatile unsigned int step = 1, died = 1; died; step++) {
            domid_t id;

            stop(NULL);
            start(NULL);
            id = begin_guest(actions[a]);
            ends(id, SHUTDOWN_crash);
            for (volatile unsigned int times = 0; times < 3; times++) {
                died = 1;
                steps_left = step;
                if (setjmp(death) == 0) {
                    life_handle(id, &limit, &world);
                    died = 0;
                }
            }
            steps_left = 0;
            for (unsigned int i = 1; i < MAX; i++) {
                char life[100];

                sprintf(life, "%s/%u.life", dir, i); /* locked by what is dead */
                unlink(life);
            }
            handled(id, LIFE_DONE);
            assert_int_equal(files(".life") + files(".restart"), 0);
            if (actions[a] == CONFIG_DESTROY) {
                assert_int_equal(nr_domains() + files(".json"), 0);
                continue;
            }
            assert_int_equal(created, 2);
            assert_in_range(named("guest"), 2, MAX);
            assert_int_equal(domain[named("guest")].flags, 0);
            assert_int_equal(nr_domains(), actions[a] == CONFIG_RESTART ? 1 : 2);
            if (actions[a] == CONFIG_RENAME_RESTART)
                assert_int_equal(named("guest-1"), 1);
        }
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(destroy),
        TEST(preserve),
        TEST(restart),
        TEST(restart_under_the_name_of_now),
        TEST(rename_and_restart),
        TEST(not_for_ever),
        TEST(what_cannot_be_made_is_tried_again),
        TEST(a_kernel_that_is_gone),
        TEST(others_are_left_alone),
        TEST(what_is_left_is_cleaned),
        TEST(killed_anywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

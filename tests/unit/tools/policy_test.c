/* SPDX-License-Identifier: MIT */
/* Which action for which end of a guest, and how often it may be started again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dom0-tools/watchd/policy.h"

#include <xen/sched.h>

static void each_end_has_its_action(void **state)
{
    const struct domain_config c = {.on_poweroff = CONFIG_PRESERVE,
                                    .on_reboot = CONFIG_RENAME_RESTART,
                                    .on_crash = CONFIG_RESTART};
    const struct {
        unsigned int reason;
        enum config_action action;
    } rows[] = {
        {SHUTDOWN_poweroff, CONFIG_PRESERVE},  {SHUTDOWN_reboot, CONFIG_RENAME_RESTART},
        {SHUTDOWN_crash, CONFIG_RESTART},      {SHUTDOWN_watchdog, CONFIG_RESTART},
        {SHUTDOWN_soft_reset, CONFIG_RESTART}, {255, CONFIG_RESTART},
    };
    enum config_action action;

    (void)state;
    for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        action = CONFIG_DESTROY;
        assert_true(policy_action(&c, rows[i].reason, &action));
        assert_int_equal(action, rows[i].action);
    }
    action = CONFIG_DESTROY;
    assert_false(policy_action(&c, SHUTDOWN_suspend, &action));
    assert_int_equal(action, CONFIG_DESTROY);
}

static void not_too_often(void **state)
{
    const struct policy_limit limit = {.restarts = 3, .seconds = 60};
    struct policy_history h = {.nr = 0};

    (void)state;
    assert_true(policy_may_restart(&h, &limit, 100));
    assert_true(policy_may_restart(&h, &limit, 100));
    assert_true(policy_may_restart(&h, &limit, 130));
    assert_false(policy_may_restart(&h, &limit, 131));
    assert_false(policy_may_restart(&h, &limit, 159));
    assert_int_equal(h.nr, 3); /* what was refused does not count */
    assert_true(policy_may_restart(&h, &limit, 160));
    assert_true(policy_may_restart(&h, &limit, 160));
    assert_false(policy_may_restart(&h, &limit, 160));
    for (uint64_t t = 1000; t < 100000; t += 20) /* now and then: for ever */
        assert_true(policy_may_restart(&h, &limit, t));
}

static void odd_limits_and_histories(void **state)
{
    struct policy_limit limit = {.restarts = 0, .seconds = 60};
    struct policy_history h = {.nr = 0};

    (void)state;
    assert_false(policy_may_restart(&h, &limit, 1));
    limit = (struct policy_limit){.restarts = POLICY_MOST, .seconds = 60};
    for (unsigned int i = 0; i < POLICY_MOST; i++)
        assert_true(policy_may_restart(&h, &limit, 1));
    assert_false(policy_may_restart(&h, &limit, 1));
    limit.seconds = 0;
    assert_true(policy_may_restart(&h, &limit, 1));
    assert_int_equal(h.nr, 1);
    h = (struct policy_history){.at = {5000, 1}, .nr = 2}; /* from after this time */
    limit = (struct policy_limit){.restarts = 2, .seconds = 60};
    assert_true(policy_may_restart(&h, &limit, 10));
    assert_int_equal(h.nr, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_end_has_its_action),
        cmocka_unit_test(not_too_often),
        cmocka_unit_test(odd_limits_and_histories),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

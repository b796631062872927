/* SPDX-License-Identifier: MIT */
/* Softirqs and tasklets: order, raising from within, other pcpus, never twice at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "fake.h"
#include <hv/percpu.h>
#include <hv/softirq.h>
#include <pthread.h>

static char trace[64];
static unsigned int nr_trace;

static void note(char c)
{
    assert_true(nr_trace + 1 < sizeof(trace));
    trace[nr_trace++] = c;
    trace[nr_trace] = '\0';
}

static void timer_fn(void)
{
    note('t');
}

static void irq_fn(void)
{
    note('i');
    softirq_raise(SOFTIRQ_TIMER);
}

static void schedule_fn(void)
{
    note('s');
}

static int setup(void **state)
{
    (void)state;
    fake_init(64, 3);
    nr_trace = 0;
    trace[0] = '\0';
    softirq_register(SOFTIRQ_TIMER, timer_fn);
    softirq_register(SOFTIRQ_IRQ, irq_fn);
    softirq_register(SOFTIRQ_SCHEDULE, schedule_fn);
    return 0;
}

static void test_order(void **state)
{
    (void)state;
    assert_false(softirq_pending());
    softirq_run();
    softirq_raise(SOFTIRQ_SCHEDULE);
    softirq_raise(SOFTIRQ_TIMER);
    softirq_raise(SOFTIRQ_TIMER);
    assert_true(softirq_pending());
    softirq_run();
    assert_string_equal(trace, "ts");
    assert_false(softirq_pending());
}

/* What is raised in a pass waits for the next: so no softirq keeps another from its turn. */
static void test_raised_within(void **state)
{
    (void)state;
    softirq_raise(SOFTIRQ_IRQ);
    softirq_raise(SOFTIRQ_SCHEDULE);
    softirq_run();
    assert_string_equal(trace, "is");
    assert_true(softirq_pending());
    softirq_run();
    assert_string_equal(trace, "ist");
}

static void test_other_pcpu(void **state)
{
    (void)state;
    softirq_raise_on(2, SOFTIRQ_TIMER);
    softirq_raise_on(2, SOFTIRQ_SCHEDULE); /* it knows already */
    assert_int_equal(fake_kicks[2], 1);
    assert_false(softirq_pending());
    softirq_raise_on(0, SOFTIRQ_TIMER);
    assert_int_equal(fake_kicks[0], 0);
    assert_true(softirq_pending());
    softirq_run();
    fake_cpu(2);
    softirq_run();
    assert_string_equal(trace, "tts");
}

/* ---- tasklets ---- */

static struct tasklet a, b;

static void say(void *data)
{
    note(*(char *)data);
}

static void say_and_again(void *data)
{
    note(*(char *)data);
    if (nr_trace < 5)
        tasklet_schedule(&a);
}

static void test_tasklets_in_order(void **state)
{
    (void)state;
    tasklet_init(&a, say, "a");
    tasklet_init(&b, say, "b");
    tasklet_schedule(&b);
    tasklet_schedule(&a);
    tasklet_schedule(&b); /* once is enough */
    softirq_run();
    assert_string_equal(trace, "ba");
    assert_false(softirq_pending());
    tasklet_schedule(&a);
    softirq_run();
    assert_string_equal(trace, "baa");
}

static void test_tasklet_schedules_itself(void **state)
{
    (void)state;
    tasklet_init(&a, say_and_again, "a");
    softirq_raise(SOFTIRQ_SCHEDULE);
    tasklet_schedule(&a);
    softirq_run();
    assert_string_equal(trace, "as");
    while (softirq_pending())
        softirq_run();
    assert_string_equal(trace, "asaaa");
}

/* ---- threads: a tasklet runs once for each scheduling at most, and not beside itself ---- */

static struct tasklet shared;
static int inside;
static unsigned long runs, refused;
static volatile bool stop;

static void alone(void *data)
{
    (void)data;
    if (__atomic_fetch_add(&inside, 1, __ATOMIC_SEQ_CST))
        __atomic_fetch_add(&refused, 1, __ATOMIC_SEQ_CST);
    for (volatile int i = 0; i < 50; i++)
        ;
    __atomic_fetch_sub(&inside, 1, __ATOMIC_SEQ_CST);
    __atomic_fetch_add(&runs, 1, __ATOMIC_SEQ_CST);
}

static void *schedule_all_the_time(void *arg)
{
    fake_cpu((unsigned int)(uintptr_t)arg);
    while (!stop) {
        tasklet_schedule(&shared);
        softirq_run();
    }
    while (softirq_pending())
        softirq_run();
    return NULL;
}

static void test_never_twice_at_once(void **state)
{
    pthread_t thread[2];

    (void)state;
    tasklet_init(&shared, alone, NULL);
    stop = false;
    for (unsigned int i = 0; i < 2; i++)
        pthread_create(&thread[i], NULL, schedule_all_the_time, (void *)(uintptr_t)(i + 1));
    while (__atomic_load_n(&runs, __ATOMIC_SEQ_CST) < 50000)
        cpu_relax();
    stop = true;
    for (unsigned int i = 0; i < 2; i++)
        pthread_join(thread[i], NULL);
    assert_int_equal(refused, 0);
    assert_false(shared.scheduled || shared.running);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_order, setup),
        cmocka_unit_test_setup(test_raised_within, setup),
        cmocka_unit_test_setup(test_other_pcpu, setup),
        cmocka_unit_test_setup(test_tasklets_in_order, setup),
        cmocka_unit_test_setup(test_tasklet_schedules_itself, setup),
        cmocka_unit_test_setup(test_never_twice_at_once, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

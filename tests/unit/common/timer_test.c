/* SPDX-License-Identifier: MIT */
/* Timers against a model: random arming, stopping and moving on several pcpus, with the clock going on.
 * Each armed timer fires once, in order, not early, on its pcpu; the hardware is armed early enough. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "fake.h"
#include <hv/percpu.h>
#include <hv/softirq.h>
#include <hv/timer.h>
#include <pthread.h>
#include <stdlib.h>

#define CPUS   4
#define TIMERS 200

static struct timer timer[TIMERS];
static s_time_t due[TIMERS]; /* the model: 0 not armed */
static unsigned int cpu_of[TIMERS], fired[TIMERS];
static s_time_t last_fired;
static unsigned int in_cpu;

static void fire(void *data)
{
    unsigned int i = (unsigned int)(uintptr_t)data;

    assert_true(due[i] != 0);
    assert_true(due[i] <= fake_now);
    assert_true(due[i] >= last_fired);
    assert_int_equal(cpu_of[i], in_cpu);
    assert_false(pcpu_self()->locks_held);
    last_fired = due[i];
    due[i] = 0;
    fired[i]++;
}

static int setup(void **state)
{
    (void)state;
    fake_init_alloc(1024, CPUS);
    for (unsigned int i = 0; i < CPUS; i++)
        timer_init_cpu(i);
    fake_now = 1000;
    memset(due, 0, sizeof(due));
    memset(fired, 0, sizeof(fired));
    for (unsigned int i = 0; i < TIMERS; i++) {
        cpu_of[i] = i % CPUS;
        timer_init(&timer[i], fire, (void *)(uintptr_t)i, cpu_of[i]);
    }
    srand(7);
    return 0;
}

static void set(unsigned int i, s_time_t t)
{
    due[i] = t;
    timer_set(&timer[i], t);
}

/* Hardware and softirqs of all pcpus, at the present time. */
static void interrupts(void)
{
    for (unsigned int cpu = 0; cpu < CPUS; cpu++) {
        fake_cpu(cpu);
        if (fake_timer_deadline[cpu] <= fake_now) {
            fake_timer_deadline[cpu] = STIME_MAX;
            softirq_raise(SOFTIRQ_TIMER);
        }
        last_fired = -STIME_MAX;
        in_cpu = cpu;
        while (softirq_pending())
            softirq_run();
    }
}

/* Nothing that is due is left, and the hardware knows of what is next. */
static void check_model(void)
{
    for (unsigned int i = 0; i < TIMERS; i++) {
        if (!due[i])
            continue;
        assert_true(due[i] > fake_now);
        assert_true(fake_timer_deadline[cpu_of[i]] <= due[i]);
    }
}

static void test_random(void **state)
{
    (void)state;
    for (unsigned int round = 0; round < 100000; round++) {
        unsigned int i = (unsigned int)rand() % TIMERS, cpu = (unsigned int)rand() % CPUS;

        fake_cpu(cpu);
        switch (rand() % 8) {
        case 0:
        case 1:
        case 2:
            set(i, fake_now + rand() % 1000 - 10);
            break;
        case 3:
            timer_stop(&timer[i]);
            due[i] = 0;
            break;
        case 4:
        case 5:
            cpu_of[i] = cpu;
            due[i] = fake_now + rand() % 100;
            timer_set_here(&timer[i], due[i]);
            break;
        default:
            fake_now += rand() % 20;
        }
        interrupts();
        check_model();
    }
    fake_now += 10000;
    interrupts();
    for (unsigned int i = 0; i < TIMERS; i++) {
        assert_int_equal(due[i], 0);
        assert_true(fired[i] > 10);
    }
}

static void test_past_fires_once(void **state)
{
    (void)state;
    fake_cpu(0);
    set(0, -5);
    assert_int_equal(fake_timer_deadline[0], -5);
    interrupts();
    interrupts();
    assert_int_equal(fired[0], 1);
    set(0, STIME_MAX - 1);
    interrupts();
    assert_int_equal(fired[0], 1);
}

/* To arm for later, or to stop, leaves the device alone. */
static void test_device_is_set_rarely(void **state)
{
    (void)state;
    fake_cpu(0);
    set(0, 5000);
    assert_int_equal(fake_timer_deadline[0], 5000);
    fake_timer_deadline[0] = 1; /* so that we see another write */
    set(0, 6000);
    timer_stop(&timer[0]);
    due[0] = 0;
    set(4, 9000);
    assert_int_equal(fake_timer_deadline[0], 1);
    set(0, 4000);
    assert_int_equal(fake_timer_deadline[0], 4000);
    fake_now = 4000;
    interrupts();
    assert_int_equal(fired[0], 1);
    assert_int_equal(fake_timer_deadline[0], 9000);
}

static void test_remote_pcpu_is_told(void **state)
{
    (void)state;
    fake_cpu(0);
    fake_kicks[1] = 0;
    set(1, 7000); /* belongs to pcpu 1 */
    assert_int_equal(fake_kicks[1], 1);
    assert_int_equal(fake_timer_deadline[1], STIME_MAX);
    interrupts();
    assert_int_equal(fake_timer_deadline[1], 7000);
    fake_cpu(0);
    set(1, 8000); /* later: nothing to tell */
    assert_int_equal(fake_kicks[1], 1);
}

static void test_killed_stays_dead(void **state)
{
    (void)state;
    fake_cpu(0);
    set(0, 2000);
    timer_kill(&timer[0]);
    due[0] = 0;
    timer_set(&timer[0], 2000);
    fake_now = 3000;
    interrupts();
    assert_int_equal(fired[0], 0);
    timer_kill(&timer[0]);
}

static struct timer again;
static unsigned int times;

static void set_again(void *data)
{
    (void)data;
    if (++times < 50)
        timer_set(&again, fake_now + 10);
}

static void test_sets_itself(void **state)
{
    (void)state;
    fake_cpu(0);
    times = 0;
    timer_init(&again, set_again, NULL, 0);
    timer_set(&again, fake_now + 10);
    for (unsigned int i = 1; i <= 60; i++) {
        fake_now += 10;
        interrupts();
        assert_int_equal(times, min(i, 50u));
    }
}

/* ---- with real threads: one runs timers, the others arm and kill them ---- */

static volatile bool stop;
static unsigned long runs;
static struct timer shared[8];

static void count_run(void *data)
{
    (void)data;
    __atomic_fetch_add(&runs, 1, __ATOMIC_RELAXED);
}

static void *arm_and_move(void *arg)
{
    unsigned int cpu = (unsigned int)(uintptr_t)arg, seed = cpu;

    fake_cpu(cpu);
    while (!stop) {
        struct timer *t = &shared[(unsigned int)rand_r(&seed) % 8];

        switch (rand_r(&seed) % 4) {
        case 0:
            timer_set(t, 5);
            break;
        case 1:
            timer_set_here(t, 10);
            break;
        case 2:
            timer_stop(t);
            break;
        default:
            timer_softirq();
        }
    }
    return NULL;
}

static void test_threads(void **state)
{
    pthread_t thread[CPUS];

    (void)state;
    for (unsigned int i = 0; i < 8; i++)
        timer_init(&shared[i], count_run, NULL, i % CPUS);
    stop = false;
    for (unsigned int i = 1; i < CPUS; i++)
        pthread_create(&thread[i], NULL, arm_and_move, (void *)(uintptr_t)i);
    fake_cpu(0);
    for (unsigned int i = 0; i < 200000 && __atomic_load_n(&runs, __ATOMIC_RELAXED) < 20000; i++)
        timer_softirq();
    stop = true;
    for (unsigned int i = 1; i < CPUS; i++)
        pthread_join(thread[i], NULL);
    assert_true(runs > 0);
    for (unsigned int i = 0; i < 8; i++)
        timer_kill(&shared[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_random, setup),
        cmocka_unit_test_setup(test_past_fires_once, setup),
        cmocka_unit_test_setup(test_device_is_set_rarely, setup),
        cmocka_unit_test_setup(test_remote_pcpu_is_told, setup),
        cmocka_unit_test_setup(test_killed_stays_dead, setup),
        cmocka_unit_test_setup(test_sets_itself, setup),
        cmocka_unit_test_setup(test_threads, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

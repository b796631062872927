/* SPDX-License-Identifier: MIT */
/* Locks: mutual exclusion between threads, tickets that wrap, who is served when, and in debug
 * builds the rank check.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "fake.h"
#include <pthread.h>

#define THREADS 3
#define ROUNDS  40000 /* more than half of all ticket numbers for each thread: they wrap */

static spinlock_t x, y;
static unsigned long counter; /* not atomic on purpose */

static void *worker(void *arg)
{
    fake_cpu((unsigned int)(uintptr_t)arg);
    for (int i = 0; i < ROUNDS; i++) {
        if (i % 3 == 0) {
            spin_lock_pair(&x, &y);
            counter++;
            spin_unlock_pair(&y, &x);
        } else if (i % 3 == 1) {
            while (!spin_trylock(&x))
                cpu_relax();
            counter++;
            spin_unlock(&x);
        } else {
            spin_lock(&x);
            counter++;
            spin_unlock(&x);
        }
    }
    return NULL;
}

static void exclusion(void **state)
{
    pthread_t t[THREADS];

    (void)state;
    fake_init(0, THREADS);
    counter = 0;
    spin_lock_init(&x, LOCK_DOMAIN);
    spin_lock_init(&y, LOCK_DOMAIN);
    for (uintptr_t i = 0; i < THREADS; i++)
        pthread_create(&t[i], NULL, worker, (void *)i);
    for (int i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
    assert_int_equal(counter, THREADS * ROUNDS);
    assert_int_equal(x.word, 0);
    assert_int_equal(x.first, x.next);
}

static void trylock_and_pairs(void **state)
{
    unsigned long flags;

    (void)state;
    fake_init(0, 1);
    spin_lock_init(&x, LOCK_DOMAIN);
    spin_lock_init(&y, LOCK_DOMAIN);
    assert_true(spin_trylock(&x));
    assert_false(spin_trylock(&x));
    spin_unlock(&x);
    assert_int_equal(x.word, 0);
    assert_true(spin_trylock(&x));
    spin_unlock(&x);
    spin_lock_pair(&x, &x);
    assert_false(spin_trylock(&x));
    assert_true(spin_is_locked_by_me(&x));
    spin_unlock_pair(&x, &x);
    spin_lock_pair(&y, &x);
    assert_false(spin_trylock(&x));
    assert_false(spin_trylock(&y));
    spin_unlock_pair(&y, &x);
    spin_lock_init(&y, LOCK_CONSOLE);
    assert_true(irqs_enabled());
    flags = spin_lock_irqsave(&y);
    assert_false(irqs_enabled());
    spin_unlock_irqrestore(&y, flags);
    assert_true(irqs_enabled());
    assert_int_equal(pcpu_self()->locks_held, 0);
}

static void *wait_for_x(void *arg)
{
    fake_cpu((unsigned int)(uintptr_t)arg);
    spin_lock(&x);
    counter = (uintptr_t)arg;
    spin_unlock(&x);
    return NULL;
}

/* Who waits long enough closes the lock to newcomers; then only the one that waits gets it. */
static void newcomers_have_to_wait_at_last(void **state)
{
    pthread_t t;

    (void)state;
    fake_init(0, 2);
    spin_lock_init(&x, LOCK_DOMAIN);
    x.closed = 1;
    assert_false(spin_trylock(&x));
    x.closed = 0;
    x.first = x.next = 0xffff; /* the ticket after it is 0 */
    counter = 0;
    spin_lock(&x);
    pthread_create(&t, NULL, wait_for_x, (void *)1);
    while (!READ_ONCE(x.closed))
        cpu_relax();
    assert_int_equal(x.next, 0);
    assert_int_equal(counter, 0);
    spin_unlock(&x);
    pthread_join(t, NULL);
    assert_int_equal(counter, 1);
    assert_int_equal(x.word, 0);
    assert_int_equal(x.first, 0);
    assert_true(spin_trylock(&x));
    spin_unlock(&x);
}

#ifdef SOCLE_DEBUG
static void ranks_are_checked(void **state)
{
    spinlock_t low, high, con;

    (void)state;
    fake_init(0, 2);
    spin_lock_init(&low, LOCK_MMU);
    spin_lock_init(&high, LOCK_BUDDY);
    spin_lock_init(&con, LOCK_CONSOLE);
    spin_lock(&low);
    spin_lock(&high);
    spin_unlock(&low);
    assert_true(fake_panics(spin_lock(&low)));
    spin_unlock(&high);
    assert_int_equal(pcpu_self()->locks_held, 0);

    spin_lock(&low);
    assert_true(fake_panics(spin_lock(&low))); /* would wait for itself */
    fake_cpu(1);
    assert_false(spin_is_locked_by_me(&low));
    assert_true(fake_panics(spin_unlock(&low)));
    fake_cpu(0);
    assert_true(spin_is_locked_by_me(&low));
    spin_unlock(&low);
    assert_true(fake_panics(spin_unlock(&low)));
    assert_true(fake_panics(spin_lock(&con))); /* interrupts are on */
    low.rank = 200;
    assert_true(fake_panics(spin_lock(&low)));
}
#else
static void ranks_are_checked(void **state)
{
    (void)state;
    skip();
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exclusion),
        cmocka_unit_test(trylock_and_pairs),
        cmocka_unit_test(newcomers_have_to_wait_at_last),
        cmocka_unit_test(ranks_are_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Tests inside a guest, reported in TAP on the console.
 *
 *     #include <pv/test.h>
 *
 *     TEST(unknown_hypercall_is_refused)
 *     {
 *         check_eq(hypercall1(63, 0), -ENOSYS);
 *     }
 *
 * A file tests/pv/NAME.c becomes the guest test-NAME.elf: its TESTs run in the order of the
 * file, `1..n` first, `# done` last, then the domain powers off. A guest that dies says
 * `Bail out!`. Command line: `only=a+b` runs the named tests, `verbose` prints their start.
 *
 * Checks go on after a failure; need() leaves the test function. */
#ifndef PV_TEST_H
#define PV_TEST_H

#include <pv/types.h>
#include <pv/console.h>
#include <pv/cpu.h>
#include <pv/errno.h>
#include <pv/evtchn.h>
#include <pv/gnttab.h>
#include <pv/guest.h>
#include <pv/hypercall.h>
#include <pv/mm.h>
#include <pv/peer.h>
#include <pv/print.h>
#include <pv/smp.h>
#include <pv/spinlock.h>
#include <pv/string.h>
#include <pv/time.h>
#include <pv/trap.h>
#include <pv/user.h>

struct test_case {
    const char *name;
    void (*run)(void);
};

#define TEST(name_)                                                                                \
    static void test_##name_(void);                                                                \
    static const struct test_case test_case_##name_                                                \
        __attribute__((section(".tests"), used, no_reorder, aligned(16))) = {#name_,               \
                                                                             test_##name_};        \
    static void test_##name_(void)

/** check - record a failure, with text and line, unless @cond holds. Value: did it hold? */
#define check(cond) test_check(!!(cond), #cond, __FILE__, __LINE__)

/** check_eq - integers must be equal; prints both. */
#define check_eq(a, b) test_check_eq((long)(a), (long)(b), #a, #b, __FILE__, __LINE__)

/** check_ne, check_lt, check_le, check_ge - as they say, signed. */
#define check_ne(a, b) test_check_op((long)(a), (long)(b), TEST_NE, #a, #b, __FILE__, __LINE__)
#define check_lt(a, b) test_check_op((long)(a), (long)(b), TEST_LT, #a, #b, __FILE__, __LINE__)
#define check_le(a, b) test_check_op((long)(a), (long)(b), TEST_LE, #a, #b, __FILE__, __LINE__)
#define check_ge(a, b) test_check_op((long)(a), (long)(b), TEST_GE, #a, #b, __FILE__, __LINE__)

/** check_str - strings must be equal. */
#define check_str(a, b) test_check_str((a), (b), #a, #b, __FILE__, __LINE__)

/** check_fault - the statements must raise @vector; check_fault_err also wants the error code.
 * Value: the struct fault. */
#define check_fault(vector, ...)                                                                   \
    test_check_fault(FAULT_OF(__VA_ARGS__), (vector), -1, #__VA_ARGS__, __FILE__, __LINE__)
#define check_fault_err(vector, error, ...)                                                        \
    test_check_fault(FAULT_OF(__VA_ARGS__), (vector), (error), #__VA_ARGS__, __FILE__, __LINE__)
/** check_no_fault - the statements must run through. */
#define check_no_fault(...)                                                                        \
    test_check_no_fault(FAULT_OF(__VA_ARGS__), #__VA_ARGS__, __FILE__, __LINE__)

/** need - like check(), and leaves the (void) test function if it failed. */
#define need(cond)                                                                                 \
    do {                                                                                           \
        if (!check(cond))                                                                          \
            return;                                                                                \
    } while (0)
#define need_eq(a, b)                                                                              \
    do {                                                                                           \
        if (!check_eq(a, b))                                                                       \
            return;                                                                                \
    } while (0)

/** eventually - sleep until @cond holds. Value: does it? The limit, a minute, is for what never comes: the machine
 * below us may be slow, or stand still at any moment. */
#define eventually(cond)                                                                           \
    ({                                                                                             \
        uint64_t end_ = time_now() + 60 * NS_PER_SEC;                                              \
        bool holds_;                                                                               \
                                                                                                   \
        while (!(holds_ = !!(cond)) && time_now() < end_)                                          \
            time_sleep(NS_PER_MS);                                                                 \
        holds_;                                                                                    \
    })

/** skip - this test does not apply here: say why and leave it. Counts as passed. */
#define skip(...)                                                                                  \
    do {                                                                                           \
        test_skip(__VA_ARGS__);                                                                    \
        return;                                                                                    \
    } while (0)

/** note - a line of commentary: `# text`. */
void note(const char *fmt, ...) __printf(1, 2);

enum test_op { TEST_NE, TEST_LT, TEST_LE, TEST_GE };

bool test_check(bool ok, const char *text, const char *file, int line);
bool test_check_eq(long a, long b, const char *ta, const char *tb, const char *file, int line);
bool test_check_op(long a, long b, enum test_op op, const char *ta, const char *tb,
                   const char *file, int line);
bool test_check_str(const char *a, const char *b, const char *ta, const char *tb, const char *file,
                    int line);
struct fault test_check_fault(struct fault f, unsigned vector, long error, const char *text,
                              const char *file, int line);
bool test_check_no_fault(struct fault f, const char *text, const char *file, int line);
void test_skip(const char *fmt, ...) __printf(1, 2);

/** test_run_all - what the default guest_main() does. Returns the number of failed tests. */
unsigned test_run_all(void);

/** test_after_each - if set, runs after every test and may use check(). */
extern void (*test_after_each)(void);

#endif

/* SPDX-License-Identifier: MIT */
/* Runs the tests that the TEST macro has put into the linker section .tests. */
#include <pv/test.h>

extern const struct test_case tests_start[], tests_end[];

static const struct test_case *current;
static volatile unsigned failures; /* of the current test */
static char skip_reason[128];

void (*test_after_each)(void);

void note(const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    printk("# %s\n", text);
}

static void bail_out(const char *why)
{
    if (current)
        printk("not ok - %s\n", current->name);
    printk("Bail out! %s\n", why);
}

static void fail(const char *file, int line, const char *fmt, ...) __printf(3, 4);

static void fail(const char *file, int line, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    __atomic_add_fetch(&failures, 1, __ATOMIC_SEQ_CST);
    printk("# %s:%d: %s\n", file, line, text);
}

bool test_check(bool ok, const char *text, const char *file, int line)
{
    if (!ok)
        fail(file, line, "not true: %s", text);
    return ok;
}

bool test_check_eq(long a, long b, const char *ta, const char *tb, const char *file, int line)
{
    if (a != b)
        fail(file, line, "%s is %ld (%#lx), not %s, which is %ld (%#lx)", ta, a, a, tb, b, b);
    return a == b;
}

bool test_check_op(long a, long b, enum test_op op, const char *ta, const char *tb,
                   const char *file, int line)
{
    static const char *const signs[] = {"!=", "<", "<=", ">="};
    const bool holds[] = {a != b, a < b, a <= b, a >= b};

    if (!holds[op])
        fail(file, line, "not true: %s %s %s, with %ld (%#lx) and %ld (%#lx)", ta, signs[op], tb, a,
             a, b, b);
    return holds[op];
}

bool test_check_str(const char *a, const char *b, const char *ta, const char *tb, const char *file,
                    int line)
{
    bool equal = strcmp(a, b) == 0;

    if (!equal)
        fail(file, line, "%s is \"%s\", not %s, which is \"%s\"", ta, a, tb, b);
    return equal;
}

struct fault test_check_fault(struct fault f, unsigned vector, long error, const char *text,
                              const char *file, int line)
{
    if (!f.hit)
        fail(file, line, "no fault, expected %s: %s", trap_name(vector), text);
    else if (f.vector != vector)
        fail(file, line, "%s (error %#lx, rip %#lx) instead of %s: %s", trap_name(f.vector),
             f.error, f.rip, trap_name(vector), text);
    else if (error >= 0 && f.error != (uint64_t)error)
        fail(file, line, "%s with error code %#lx, not %#lx: %s", trap_name(vector), f.error, error,
             text);
    return f;
}

bool test_check_no_fault(struct fault f, const char *text, const char *file, int line)
{
    if (f.hit)
        fail(file, line, "%s (error %#lx, cr2 %#lx, rip %#lx): %s", trap_name(f.vector), f.error,
             f.cr2, f.rip, text);
    return !f.hit;
}

void test_skip(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(skip_reason, sizeof(skip_reason), fmt, ap);
    va_end(ap);
}

/* One test; returns whether it passed. */
static bool run_one(unsigned number, const struct test_case *t)
{
    if (cmdline_has("verbose"))
        note("starting %s", t->name);
    failures = 0;
    skip_reason[0] = 0;
    current = t;
    t->run();
    if (test_after_each)
        test_after_each();
    current = NULL;
    printk("%s %u - %s%s%s\n", failures ? "not ok" : "ok", number, t->name,
           skip_reason[0] ? " # SKIP " : "", skip_reason);
    return !failures;
}

unsigned test_run_all(void)
{
    unsigned count = 0, number = 0, failed = 0;

    panic_hook = bail_out;
    for (const struct test_case *t = tests_start; t < tests_end; t++)
        count += cmdline_selects("only", t->name);
    printk("1..%u\n", count);
    for (const struct test_case *t = tests_start; t < tests_end; t++)
        if (cmdline_selects("only", t->name))
            failed += !run_one(++number, t);
    if (failed)
        note("%u of %u failed", failed, count);
    note("done");
    return failed;
}

/* A guest with a main of its own defines it, and this one is dropped. */
__weak void guest_main(void)
{
    if (cmdline_has("peer"))
        peer_serve(cmdline_u64("peer_of", 0));
    else
        test_run_all();
}

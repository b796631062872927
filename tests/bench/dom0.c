/* SPDX-License-Identifier: MIT */
/* What system calls, page faults and processes of Linux take, in ticks of the TSC: instructions
 * under QEMU's -icount. This is the first program of its machine, /init: it prints "bench: KEY
 * FIGURE" lines and switches off. The kernel's command line (whose unknown words become our
 * environment) may have
 *
 *   work=KEY       do this work for ever, for tests/bench/profile
 *   work=symbols   print the kernel's functions */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB           (1ul << 20)
#define PAGE          4096ul
#define WARM_UP       2
#define SAMPLES       7
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static char *memory; /* of the work: present and written before it begins */
static int null_fd, to_child[2], to_parent[2];
static pid_t echo;

static void must(bool good, const char *what)
{
    if (!good) {
        printf("bench: failed: %s\n", what);
        reboot(RB_POWER_OFF);
    }
}

static void touch(char *at, size_t size, char value)
{
    for (size_t i = 0; i < size; i += PAGE)
        *(volatile char *)&at[i] = value;
}

static char *map(size_t size, bool huge)
{
    char *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    must(at != MAP_FAILED, "mmap");
    if (!huge)
        madvise(at, size, MADV_NOHUGEPAGE); /* refused where the kernel has none anyway */
    return at;
}

/* ---- the works ---- */

static void getppid_(void)
{
    syscall(SYS_getppid);
}

static void write_null(void)
{
    must(write(null_fd, "x", 1) == 1, "write");
}

static void signal_self(void)
{
    kill(getpid(), SIGUSR1);
}

static void on_signal(int number)
{
    (void)number;
}

static void forget_pages(void)
{
    madvise(memory, 4 * MIB, MADV_DONTNEED);
}

static void touch_pages(void)
{
    touch(memory, 4 * MIB, 1);
}

static void mmap_munmap(void)
{
    char *at = map(4 * MIB, false);

    touch(at, 4 * MIB, 1);
    munmap(at, 4 * MIB);
}

static void mprotect_16(void)
{
    static bool writable = true;

    writable = !writable;
    mprotect(memory, 16 * PAGE, writable ? PROT_READ | PROT_WRITE : PROT_READ);
}

static void fork_exit(void)
{
    pid_t child = fork();

    if (child == 0)
        _exit(0);
    must(child > 0 && waitpid(child, NULL, 0) == child, "fork");
}

static void fork_exec(void)
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        execl("/init", "/init", "exit", NULL);
        _exit(1);
    }
    must(child > 0 && waitpid(child, &status, 0) == child && status == 0, "exec");
}

static void write_all(void)
{
    static char value;

    touch(memory, 64 * MIB, ++value);
}

/* Whom one of them wakes does not interrupt it: else, by the luck of what has run before, one of
 * the two never has to wait. */
static void take_turns(void)
{
    const struct sched_param none = {0};

    must(sched_setscheduler(0, SCHED_BATCH, &none) == 0, "scheduler");
    must(sched_setscheduler(echo, SCHED_BATCH, &none) == 0, "scheduler");
}

static void ping_pong(void)
{
    char byte;

    must(write(to_child[1], "x", 1) == 1 && read(to_parent[0], &byte, 1) == 1, "pipe");
}

static const struct work {
    const char *key;
    unsigned batch;       /* so many rounds are timed together */
    unsigned parts;       /* so many equal operations are in a round */
    size_t memory;        /* bytes in pages of 4 KiB */
    bool huge;            /* in huge ones where the kernel has them */
    void (*before)(void); /* each round, not timed */
    void (*round)(void);
} works[] = {
    {"getppid", 200, 1, 0, false, NULL, getppid_},
    {"write_null", 200, 1, 0, false, NULL, write_null},
    {"signal", 50, 1, 0, false, NULL, signal_self},
    {"page_fault", 1, 1024, 4 * MIB, false, forget_pages, touch_pages},
    {"mmap_munmap", 1, 1, 0, false, NULL, mmap_munmap},
    {"mprotect_16", 50, 1, 16 * PAGE, false, NULL, mprotect_16},
    {"fork", 4, 1, 0, false, NULL, fork_exit},
    {"fork_64m", 1, 1, 64 * MIB, false, NULL, fork_exit},
    {"fork_64m_written", 1, 1, 64 * MIB, false, write_all, fork_exit},
    {"fork_64m_huge", 1, 1, 64 * MIB, true, NULL, fork_exit},
    {"fork_exec", 2, 1, 0, false, NULL, fork_exec},
    {"pipe", 50, 1, 0, false, take_turns, ping_pong},
};

/* ---- measuring ---- */

static void prepare(const struct work *w)
{
    memory = w->memory ? map(w->memory, w->huge) : NULL;
    touch(memory, w->memory, 1);
}

static int compare(const void *a, const void *b)
{
    unsigned long x = *(const unsigned long *)a, y = *(const unsigned long *)b;

    return x < y ? -1 : x > y;
}

/* The median of the samples. */
static void measure(const struct work *w)
{
    unsigned long sample[SAMPLES];

    prepare(w);
    for (int s = -WARM_UP; s < SAMPLES; s++) {
        unsigned long start;

        if (w->before)
            w->before();
        start = __builtin_ia32_rdtsc();
        for (unsigned i = 0; i < w->batch; i++)
            w->round();
        if (s >= 0)
            sample[s] = __builtin_ia32_rdtsc() - start;
    }
    qsort(sample, SAMPLES, sizeof(sample[0]), compare);
    printf("bench: %s %lu\n", w->key, sample[SAMPLES / 2] / (w->batch * w->parts));
    if (memory)
        munmap(memory, w->memory);
}

/* What the profiler looks for: it counts from the one to the other. */
__attribute__((noinline)) void round_begins(void)
{
    __asm__ volatile("");
}

__attribute__((noinline)) void round_ends(void)
{
    __asm__ volatile("");
}

static void repeat(const struct work *w)
{
    prepare(w);
    for (unsigned long n = 0;; n++) {
        if (n == WARM_UP * w->batch)
            puts("bench: ready");
        if (w->before)
            w->before();
        round_begins();
        w->round();
        round_ends();
    }
}

static void print_symbols(void)
{
    char line[256];
    FILE *file;

    mkdir("/proc", 0755);
    must(mount("proc", "/proc", "proc", 0, NULL) == 0, "mount");
    file = fopen("/proc/kallsyms", "r");
    must(file, "kallsyms");
    while (fgets(line, sizeof(line), file))
        if (strchr("tTwW", line[17]))
            fputs(line, stdout);
    puts("bench: ready");
}

static void start_child(void)
{
    char byte;

    must(pipe(to_child) == 0 && pipe(to_parent) == 0, "pipe");
    echo = fork();
    if (echo == 0)
        while (read(to_child[0], &byte, 1) == 1)
            must(write(to_parent[1], &byte, 1) == 1, "pipe");
}

int main(int argc, char **argv)
{
    unsigned long start = __builtin_ia32_rdtsc();
    const char *work = getenv("work");

    if (argc > 1 && strcmp(argv[1], "exit") == 0)
        return 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!work)
        printf("bench: start %lu\n", start);
    mkdir("/dev", 0755);
    mknod("/dev/null", S_IFCHR | 0666, makedev(1, 3));
    null_fd = open("/dev/null", O_WRONLY);
    must(null_fd >= 0, "/dev/null");
    signal(SIGUSR1, on_signal);
    start_child();
    if (work && strcmp(work, "symbols") == 0)
        print_symbols();
    for (const struct work *w = works; w < works + ARRAY_SIZE(works); w++) {
        if (!work)
            measure(w);
        else if (strcmp(work, w->key) == 0)
            repeat(w);
    }
    reboot(RB_POWER_OFF);
}

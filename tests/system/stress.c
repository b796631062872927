// SPDX-License-Identifier: MIT
// stress JOBS ROUNDS: what a kernel does while it compiles something, and checks of all of it. JOBS
// processes each do ROUNDS of: fork, exec, pipes, files, mmap and mprotect, copy-on-write, signals,
// threads. All values follow from seeds, so that the sum at the end is known: the same on every
// machine.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define PAGE    4096
#define need(x) ((x) ? (void)0 : fail(#x, __LINE__))

static const char *self;

static void fail(const char *what, int line)
{
    char text[200];
    int n = snprintf(text, sizeof(text), "stress: line %d: %s failed (%s)\n", line, what,
                     strerror(errno));

    if (write(2, text, n) != n)
        _exit(2);
    _exit(1);
}

static uint64_t mix(uint64_t x)
{
    x ^= x >> 31;
    x *= 0x7fb5d329728ea185;
    x ^= x >> 27;
    x *= 0x81dadef4bc2dd44d;
    return x ^ x >> 33;
}

static void fill(void *memory, size_t bytes, uint64_t seed)
{
    for (size_t i = 0; i < bytes / 8; i++)
        ((uint64_t *)memory)[i] = mix(seed + i);
}

static void verify(const void *memory, size_t bytes, uint64_t seed)
{
    for (size_t i = 0; i < bytes / 8; i++)
        need(((const uint64_t *)memory)[i] == mix(seed + i));
}

static void wait_for(pid_t pid, int status)
{
    int got;

    need(pid > 0);
    need(waitpid(pid, &got, 0) == pid);
    need(got == status << 8);
}

static void *map(size_t bytes, int prot, int flags)
{
    void *p = mmap(NULL, bytes, prot, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

    need(p != MAP_FAILED);
    return p;
}

// A child sees what its parent wrote before it forked, and neither what the other writes later. The
// middle child forks again, and parents of parents still have their own.
static uint64_t cow(uint64_t seed)
{
    size_t bytes = 64 * PAGE;
    uint8_t *p = map(bytes, PROT_READ | PROT_WRITE, 0);
    pid_t child;

    fill(p, bytes, seed);
    child = fork();
    if (!child) {
        fill(p + bytes / 2, bytes / 2, seed + 1);
        child = fork();
        if (!child) {
            verify(p, bytes / 2, seed);
            verify(p + bytes / 2, bytes / 2, seed + 1);
            fill(p, bytes, seed + 2);
            verify(p, bytes, seed + 2);
            _exit(3);
        }
        fill(p, bytes / 4, seed + 3);
        wait_for(child, 3);
        verify(p, bytes / 4, seed + 3);
        verify(p + bytes / 4, bytes / 4, seed + (bytes / 32));
        verify(p + bytes / 2, bytes / 2, seed + 1);
        _exit(4);
    }
    for (size_t i = 0; i < bytes; i += PAGE)
        *(uint64_t *)(p + i) = ~mix(seed + i / 8);
    wait_for(child, 4);
    for (size_t i = 0; i < bytes; i += PAGE) {
        need(*(uint64_t *)(p + i) == ~mix(seed + i / 8));
        *(uint64_t *)(p + i) = mix(seed + i / 8);
    }
    verify(p, bytes, seed);
    need(!munmap(p, bytes));
    return mix(seed);
}

// A fault handler makes the page accessible that was touched.
static uint8_t *volatile guarded;
static volatile int faults;

static void on_fault(int sig, siginfo_t *info, void *context)
{
    uint8_t *page = (uint8_t *)((uintptr_t)info->si_addr & -PAGE);

    (void)sig, (void)context;
    if (page < guarded || page >= guarded + 32 * PAGE ||
        mprotect(page, PAGE, PROT_READ | PROT_WRITE))
        _exit(9);
    faults++;
}

static uint64_t protect(uint64_t seed)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    uint8_t *p = map(32 * PAGE, PROT_READ | PROT_WRITE, 0);

    need(!sigaction(SIGSEGV, &action, NULL));
    fill(p, 32 * PAGE, seed);
    guarded = p;
    faults = 0;
    need(!mprotect(p, 16 * PAGE, PROT_READ));
    need(!mprotect(p + 16 * PAGE, 16 * PAGE, PROT_NONE));
    for (int i = 0; i < 32; i++)
        p[i * PAGE + 8] ^= 1;
    need(faults == 32);
    for (int i = 0; i < 32; i++)
        p[i * PAGE + 8] ^= 1;
    need(faults == 32);
    verify(p, 32 * PAGE, seed);
    // A hole in the middle, then the whole moved and grown.
    need(!munmap(p + 8 * PAGE, 8 * PAGE));
    need(mmap(p + 8 * PAGE, 8 * PAGE, PROT_READ | PROT_WRITE,
              MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p + 8 * PAGE);
    for (int i = 0; i < 8 * PAGE; i++)
        need(!p[8 * PAGE + i]);
    p = mremap(p + 16 * PAGE, 16 * PAGE, 64 * PAGE, MREMAP_MAYMOVE);
    need(p != MAP_FAILED);
    verify(p, 16 * PAGE, seed + 16 * PAGE / 8);
    need(!munmap(p, 64 * PAGE));
    return mix(seed + 1);
}

// Through two pipes and a process between them, in pieces of odd sizes.
static uint64_t pipes(uint64_t seed)
{
    int in[2], out[2];
    uint64_t sum = 0, expected = 0;
    pid_t writer, filter;
    uint8_t buffer[3000];
    ssize_t n;

    need(!pipe(in) && !pipe(out));
    writer = fork();
    if (!writer) {
        for (int i = 0; i < 100; i++) {
            size_t bytes = 1 + mix(seed + i) % 2999;
            memset(buffer, (uint8_t)mix(seed ^ i), bytes);
            need(write(in[1], buffer, bytes) == (ssize_t)bytes);
        }
        _exit(0);
    }
    filter = fork();
    if (!filter) {
        close(in[1]);
        close(out[0]);
        while ((n = read(in[0], buffer, sizeof(buffer))) > 0) {
            for (int i = 0; i < n; i++)
                buffer[i] ^= 0x55;
            need(write(out[1], buffer, n) == n);
        }
        _exit(0);
    }
    close(in[0]);
    close(in[1]);
    close(out[1]);
    while ((n = read(out[0], buffer, sizeof(buffer))) > 0)
        for (int i = 0; i < n; i++)
            sum += buffer[i];
    close(out[0]);
    wait_for(writer, 0);
    wait_for(filter, 0);
    for (int i = 0; i < 100; i++)
        expected += (1 + mix(seed + i) % 2999) * (uint8_t)((uint8_t)mix(seed ^ i) ^ 0x55);
    need(sum == expected);
    return mix(sum);
}

// A file: written, extended, mapped shared by two processes, truncated, gone.
static uint64_t files(uint64_t seed)
{
    size_t bytes = 48 * PAGE;
    char name[64];
    uint8_t *p, *memory = map(bytes, PROT_READ | PROT_WRITE, 0);
    pid_t child;
    int fd;

    snprintf(name, sizeof(name), "/tmp/stress-%d", getpid());
    fd = open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
    need(fd >= 0);
    fill(memory, bytes, seed);
    for (size_t done = 0; done < bytes; done += 3 * PAGE)
        need(pwrite(fd, memory + done, 3 * PAGE, done) == 3 * PAGE);
    p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    need(p != MAP_FAILED);
    verify(p, bytes, seed);
    child = fork();
    if (!child) {
        fill(p + bytes / 2, bytes / 2, seed + 7);
        _exit(5);
    }
    wait_for(child, 5);
    verify(p + bytes / 2, bytes / 2, seed + 7);
    need(!munmap(p, bytes));
    need(pread(fd, memory, bytes, 0) == (ssize_t)bytes);
    verify(memory, bytes / 2, seed);
    verify(memory + bytes / 2, bytes / 2, seed + 7);
    need(!ftruncate(fd, PAGE));
    need(lseek(fd, 0, SEEK_END) == PAGE);
    need(!unlink(name) && !close(fd) && !munmap(memory, bytes));
    return mix(seed + 2);
}

static volatile sig_atomic_t alarms, users;

static void on_alarm(int sig)
{
    (void)sig;
    alarms++;
}

static void on_user(int sig)
{
    (void)sig;
    users++;
}

// Floating point while a timer interrupts: registers survive signals, and switches to other
// processes.
static uint64_t signals(uint64_t seed)
{
    struct itimerval often = {{0, 1000}, {0, 1000}}, never = {0};
    double x[8], y = 0;
    uint64_t result;

    alarms = users = 0;
    signal(SIGALRM, on_alarm);
    signal(SIGUSR1, on_user);
    need(!setitimer(ITIMER_REAL, &often, NULL));
    for (int i = 0; i < 8; i++)
        x[i] = (double)(seed % 1000 + i + 1);
    for (int round = 0; round < 40000 || alarms < 3; round++) {
        for (int i = 0; i < 8 && round < 40000; i++)
            x[i] = x[i] * 1.000001 + 0.5 * i;
        if (round % 1000 == 0)
            need(!raise(SIGUSR1));
    }
    need(!setitimer(ITIMER_REAL, &never, NULL));
    need(users >= 40);
    for (int i = 0; i < 8; i++)
        y += x[i];
    memcpy(&result, &y, 8);
    return mix(result);
}

struct thread {
    pthread_t id;
    uint64_t seed;
    pthread_mutex_t *lock;
    uint64_t *shared;
    uint8_t *memory;
};

static void *thread_main(void *argument)
{
    struct thread *t = argument;

    for (int i = 0; i < 300; i++) {
        pthread_mutex_lock(t->lock);
        *t->shared += mix(t->seed + i);
        pthread_mutex_unlock(t->lock);
        if (i % 50 == 0) { // others' translations have to go
            fill(t->memory, 2 * PAGE, t->seed);
            need(!mprotect(t->memory, 2 * PAGE, PROT_READ));
            verify(t->memory, 2 * PAGE, t->seed);
            need(!madvise(t->memory, PAGE, MADV_DONTNEED));
            need(!*t->memory);
            need(!mprotect(t->memory, 2 * PAGE, PROT_READ | PROT_WRITE));
        }
    }
    return NULL;
}

static uint64_t threads(uint64_t seed)
{
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    struct thread t[4];
    uint64_t shared = 0, expected = 0;
    uint8_t *memory = map(8 * PAGE, PROT_READ | PROT_WRITE, MAP_POPULATE);

    for (int i = 0; i < 4; i++) {
        t[i] = (struct thread){0, seed + i * 1000, &lock, &shared, memory + 2 * i * PAGE};
        need(!pthread_create(&t[i].id, NULL, thread_main, &t[i]));
    }
    for (int i = 0; i < 4; i++) {
        need(!pthread_join(t[i].id, NULL));
        for (int j = 0; j < 300; j++)
            expected += mix(seed + i * 1000 + j);
    }
    need(shared == expected);
    need(!munmap(memory, 8 * PAGE));
    return mix(shared);
}

// This program again, which answers with what follows from its argument.
static uint64_t exec(uint64_t seed)
{
    char number[32], answer[32] = "";
    int out[2];
    pid_t child;

    snprintf(number, sizeof(number), "%llu", (unsigned long long)seed);
    need(!pipe(out));
    child = fork();
    if (!child) {
        dup2(out[1], 1);
        execl(self, self, "answer", number, NULL);
        _exit(9);
    }
    close(out[1]);
    need(read(out[0], answer, sizeof(answer) - 1) > 0);
    close(out[0]);
    wait_for(child, 0);
    need(strtoull(answer, NULL, 10) == mix(seed));
    return mix(seed + 5);
}

static uint64_t (*const work[])(uint64_t) = {cow, protect, pipes, files, signals, threads, exec};

static uint64_t job(int number, int rounds)
{
    uint64_t sum = 0;

    for (int round = 0; round < rounds; round++)
        for (size_t i = 0; i < sizeof(work) / sizeof(*work); i++)
            sum = mix(sum + work[i](((uint64_t)number << 32) + round * 16 + i));
    return sum;
}

int main(int argc, char **argv)
{
    int jobs = argc > 1 ? atoi(argv[1]) : 4, rounds = argc > 2 ? atoi(argv[2]) : 10;
    uint64_t *sums = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pids[64];
    uint64_t sum = 0;

    if (argc > 2 && !strcmp(argv[1], "answer")) {
        printf("%llu\n", (unsigned long long)mix(strtoull(argv[2], NULL, 10)));
        return 0;
    }
    self = realpath("/proc/self/exe", NULL);
    need(sums != MAP_FAILED && jobs <= 64);
    for (int i = 0; i < jobs; i++) {
        pids[i] = fork();
        if (!pids[i]) {
            sums[i] = job(i, rounds);
            _exit(0);
        }
    }
    for (int i = 0; i < jobs; i++) {
        wait_for(pids[i], 0);
        sum = mix(sum + sums[i]);
    }
    printf("%016llx\n", (unsigned long long)sum);
    return 0;
}

// SPDX-License-Identifier: MIT
// Clients of the kernel's ring, while the store daemon is killed at any moment, be it up or not: storm THREADS ROUNDS.
// Each request must be done and answered once, each change told of. ROUNDS is how many at least: it goes on until it has
// killed often enough. (init starts the daemon again.)
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    DIRECTORY = 1,
    READ = 2,
    WATCH = 4,
    START = 6,
    END = 7,
    WRITE = 11,
    RM = 13,
    EVENT = 15,
    ERROR = 16
};
enum { MAX_THREADS = 16, PATIENCE = 60, MIN_KILLS = 10 };

static unsigned int rounds, running;
static volatile unsigned int done, added, faults; // steps; commits that were accepted
static volatile unsigned int kills;

struct client {
    int fd;
    unsigned int nr, events;
    char answer[4097];
};

struct header {
    uint32_t type, req, tx, len;
};

static void fault(const char *format, ...)
{
    va_list args;

    if (__atomic_fetch_add(&faults, 1, __ATOMIC_RELAXED) < 10) {
        va_start(args, format);
        vprintf(format, args);
        va_end(args);
        puts("");
    }
}

// The next message; the kernel hands out parts as we ask for them.
static uint32_t receive(struct client *c, struct header *h)
{
    if (read(c->fd, h, sizeof(*h)) != sizeof(*h) || h->len > 4096 ||
        (h->len && read(c->fd, c->answer, h->len) != (ssize_t)h->len)) {
        fault("thread %u: read", c->nr);
        exit(1);
    }
    c->answer[h->len] = 0;
    c->events += h->type == EVENT;
    return h->type;
}

// A request, strings with '|' for NUL; its answer is in c->answer.
static uint32_t ask(struct client *c, uint32_t tx, uint32_t type, const char *format, ...)
{
    static uint32_t last;
    struct header h;
    char text[256];
    va_list args;

    memset(text, 0, sizeof(text));
    h = (struct header){type, __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED), tx, 0};
    va_start(args, format);
    h.len = vsnprintf(text + sizeof(h), sizeof(text) - sizeof(h), format, args);
    va_end(args);
    for (uint32_t i = 0; i < h.len; i++)
        text[sizeof(h) + i] = text[sizeof(h) + i] == '|' ? 0 : text[sizeof(h) + i];
    memcpy(text, &h, sizeof(h));
    if (write(c->fd, text, sizeof(h) + h.len) != (ssize_t)(sizeof(h) + h.len)) {
        fault("thread %u: write", c->nr);
        exit(1);
    }
    uint32_t req = h.req;
    while (receive(c, &h) == EVENT)
        ;
    if (h.req != req || (h.type != type && h.type != ERROR))
        fault("thread %u: answer %u to %u for request %u", c->nr, h.req, req, type);
    return h.type;
}

static void write_and_read(struct client *c, unsigned int round)
{
    char text[16];
    struct header h;

    sprintf(text, "%u", round);
    c->events = 0;
    if (ask(c, 0, WRITE, "/storm/%u/value|%u", c->nr, round) != WRITE)
        fault("thread %u, round %u: write: %s", c->nr, round, c->answer);
    if (ask(c, 0, READ, "/storm/%u/value|", c->nr) != READ || strcmp(c->answer, text))
        fault("thread %u: round %u reads '%s'", c->nr, round, c->answer);
    while (!c->events)
        if (receive(c, &h) != EVENT)
            fault("thread %u: two answers", c->nr);
}

// Adds one to what all threads count; the first to commit wins, others do it again.
static void add_one(struct client *c)
{
    for (;;) {
        unsigned int tx, n;

        if (ask(c, 0, START, "|") != START)
            fault("thread %u: start: %s", c->nr, c->answer);
        tx = atoi(c->answer);
        if (ask(c, tx, READ, "/storm/count|") != READ)
            fault("thread %u: read: %s", c->nr, c->answer);
        n = atoi(c->answer) + 1;
        if (ask(c, tx, WRITE, "/storm/count|%u", n) != WRITE)
            fault("thread %u: write: %s", c->nr, c->answer);
        if (ask(c, tx, END, "T|") == END)
            break;
        if (strcmp(c->answer, "EAGAIN")) {
            fault("thread %u: end: %s", c->nr, c->answer);
            break;
        }
    }
    __atomic_fetch_add(&added, 1, __ATOMIC_RELAXED);
}

static void open_client(struct client *c, unsigned int nr)
{
    *c = (struct client){.fd = open("/dev/xen/xenbus", O_RDWR), .nr = nr};
    if (c->fd < 0) {
        perror("/dev/xen/xenbus");
        exit(1);
    }
}

static void *run(void *arg)
{
    struct client *c = arg;

    if (ask(c, 0, WATCH, "/storm/%u|token|", c->nr) != WATCH)
        fault("thread %u: watch: %s", c->nr, c->answer);
    for (unsigned int i = 1; i <= rounds || kills < MIN_KILLS; i++) {
        write_and_read(c, i);
        if (i % 4 == 0)
            add_one(c);
        __atomic_fetch_add(&done, 1, __ATOMIC_RELAXED);
    }
    __atomic_fetch_sub(&running, 1, __ATOMIC_RELAXED);
    return NULL;
}

static int kill_daemon(void)
{
    DIR *d = opendir("/proc");
    int hit = 0;

    for (struct dirent *e; (e = readdir(d));) {
        char path[64], name[32] = "";
        int fd;

        snprintf(path, sizeof(path), "/proc/%.20s/comm", e->d_name);
        fd = atoi(e->d_name) ? open(path, O_RDONLY) : -1;
        if (fd >= 0 && read(fd, name, sizeof(name) - 1) > 0 && !strcmp(name, "socle-stored\n"))
            hit += kill(atoi(e->d_name), SIGKILL) == 0;
        if (fd >= 0)
            close(fd);
    }
    closedir(d);
    return hit;
}

static void pause_us(unsigned int us)
{
    struct timespec t = {us / 1000000, us % 1000000 * 1000};

    nanosleep(&t, NULL);
}

// The time between two kills is anything up to `most`, which follows how long it takes to get on at all: so it
// hits the daemon while it starts as well, and a busy host does not starve the clients.
static void storm(void)
{
    unsigned int most = 300000, before = 0, idle = 0;

    while (running) {
        pause_us(rand() % most);
        if (!kill_daemon())
            continue;
        kills++;
        idle = done == before ? idle + 1 : 0;
        if (idle == 2)
            idle = 0, most *= 2;
        else if (idle == 0 && most > 20000)
            most -= most / 32;
        before = done;
        if (most > PATIENCE * 1000000) {
            fault("stuck after %u steps and %u kills", done, kills);
            return;
        }
    }
}

int main(int argc, char **argv)
{
    unsigned int threads = argc > 1 ? atoi(argv[1]) : 4, stored;
    static struct client clients[MAX_THREADS + 1];
    pthread_t thread;

    rounds = argc > 2 ? atoi(argv[2]) : 100;
    srand(argc > 3 ? atoi(argv[3]) : 1);
    setvbuf(stdout, NULL, _IOLBF, 0);
    running = threads;
    open_client(&clients[threads], threads);
    ask(&clients[threads], 0, WRITE, "/storm/count|0");
    for (unsigned int i = 0; i < threads; i++) {
        open_client(&clients[i], i);
        pthread_create(&thread, NULL, run, &clients[i]);
    }
    storm();
    if (running)
        _exit(1);
    ask(&clients[threads], 0, READ, "/storm/count|");
    stored = atoi(clients[threads].answer);
    if (stored != added)
        fault("counted %u, not %u", stored, added);
    ask(&clients[threads], 0, RM, "/storm|");
    printf("%u steps, %u kills, %u faults\n", done, kills, faults);
    return faults != 0;
}

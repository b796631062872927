/* SPDX-License-Identifier: MIT */
/* What it takes to make and end domains, in ticks of the TSC: instructions under QEMU's -icount,
 * with those of dom0's kernel, the daemons and the guest. This is the session of a stock dom0 whose
 * /guest has kernels and configurations; it prints "bench: KEY FIGURE" lines and switches off.
 *
 * Where there is a file /guest-init it is the first program of the guest: it prints when it began. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xen/sysctl.h>
#include <xencall.h>

#define LOGS "/var/log/socle"

static uint64_t tsc(void)
{
    return __builtin_ia32_rdtsc();
}

static void end(void)
{
    fflush(stdout);
    sync();
    execl("/bin/busybox", "poweroff", "-f", NULL);
    exit(1);
}

static void must(bool good, const char *what)
{
    if (good)
        return;
    printf("bench: failed: %s: %s\n", what, strerror(errno));
    end();
}

/* Returns how long it took. */
static uint64_t run(char *const argv[])
{
    uint64_t start = tsc();
    pid_t child = fork();
    int status;

    if (child == 0) {
        execvp(argv[0], argv);
        _exit(127);
    }
    must(child > 0 && waitpid(child, &status, 0) == child && status == 0, argv[1]);
    return tsc() - start;
}

#define RUN(...) run((char *[]){__VA_ARGS__, NULL})

static void tell(const char *key, uint64_t figure)
{
    printf("bench: %s %lu\n", key, figure);
    fflush(stdout);
}

/* When a guest says that it began: "tsc N". It writes to a log which a daemon keeps. */
static uint64_t began(const char *name)
{
    char path[256], line[512];
    uint64_t at = 0;

    snprintf(path, sizeof(path), LOGS "/%s.log", name);
    for (unsigned int tries = 0; tries < 600 && !at; tries++) {
        FILE *f = fopen(path, "r");
        const char *word;

        while (f && fgets(line, sizeof(line), f)) {
            word = strstr(line, "tsc ");
            if (word && strchr(word, '\n'))
                at = strtoull(word + 4, NULL, 10);
        }
        if (f)
            fclose(f);
        if (!at)
            usleep(100000);
    }
    must(at, name);
    return at;
}

static uint64_t free_pages(void)
{
    static xencall_handle *handle;
    struct xen_sysctl *op;
    uint64_t pages;

    if (!handle)
        handle = xencall_open(NULL, 0);
    must(handle, "xencall");
    op = xencall_alloc_buffer(handle, sizeof(*op));
    memset(op, 0, sizeof(*op));
    op->cmd = XEN_SYSCTL_physinfo;
    op->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    must(xencall1(handle, __HYPERVISOR_sysctl, (unsigned long)op) == 0, "physinfo");
    pages = op->u.physinfo.free_pages;
    xencall_free_buffer(handle, op);
    return pages;
}

/* Until what is freed late is free. */
static void wait_for_pages(uint64_t pages)
{
    for (unsigned int tries = 0; tries < 100 && free_pages() < pages; tries++)
        usleep(100000);
    if (free_pages() != pages)
        printf("bench: %ld pages are not back\n", (long)(pages - free_pages()));
}

static void linux_guest(const char *created, const char *userspace)
{
    uint64_t before = free_pages(), start = tsc();

    tell(created, RUN("socle", "create", "/guest/linux.json"));
    tell(userspace, began("linux") - start);
    RUN("socle", "destroy", "linux");
    unlink(LOGS "/linux.log");
    wait_for_pages(before);
}

static uint64_t hello(unsigned int n, uint64_t *create)
{
    char name[32], arg[48];
    uint64_t start = tsc();

    snprintf(name, sizeof(name), "hello%u", n);
    snprintf(arg, sizeof(arg), "name=%s", name);
    *create = RUN("socle", "create", "/guest/hello.json", arg);
    return began(name) - start;
}

static uint64_t destroy(unsigned int n)
{
    char name[32];

    snprintf(name, sizeof(name), "hello%u", n);
    return RUN("socle", "destroy", name);
}

#define MANY 100

static void hello_guests(void)
{
    uint64_t create, figure, has[2] = {0};

    for (unsigned int n = 1; n <= MANY; n++) {
        figure = hello(n, &create);
        if (n == 1) {
            tell("hello_create", create);
            tell("hello_first", figure);
        } else if (n == 10) {
            has[0] = free_pages();
            tell("list_10", RUN("socle", "list"));
        } else if (n == 20) {
            has[1] = free_pages();
            tell("memory_kib", (has[0] - has[1] - 10 * (8 << 8)) * 4 / 10);
        } else if (n == MANY) {
            tell("hello_hundredth", figure);
        }
    }
    for (unsigned int n = 1; n <= MANY; n++) {
        figure = destroy(n);
        if (n == 1 || n == MANY)
            tell(n == 1 ? "destroy_of_100" : "destroy", figure);
    }
}

/* That none of them leaves anything behind. The hypervisor's tables of dom0's ports and of its grant
 * mappings stay as large as they had to be, so this is looked at when there have been more at once. */
static void hello_again(void)
{
    uint64_t before, create;

    usleep(1000000);
    before = free_pages();
    for (unsigned int n = 1; n <= 10; n++)
        hello(n, &create);
    for (unsigned int n = 1; n <= 10; n++)
        destroy(n);
    wait_for_pages(before);
}

int main(int argc, char **argv)
{
    uint64_t random, create;

    (void)argc, (void)argv;
    if (!access("/guest-init", F_OK)) {
        printf("tsc %lu\n", tsc());
        fflush(stdout);
        for (;;)
            pause();
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
    usleep(10000000); /* daemons start, and drivers look around */
    must(getrandom(&random, sizeof(random), 0) == sizeof(random),
         "random");    /* which takes a while at first */
    hello(0, &create); /* for what is read or made but once */
    destroy(0);
    linux_guest("linux_cold_create", "linux_cold_userspace");
    linux_guest("linux_create", "linux_userspace");
    hello_guests();
    hello_again();
    end();
}

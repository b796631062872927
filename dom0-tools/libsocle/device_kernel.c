// SPDX-License-Identifier: MIT
/* What the kernel shows of its back ends, in sysfs. */
#include "device_nodes.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* By the program that the kernel itself would call. */
static void load(const char *module)
{
    char path[256] = "", *argv[] = {"modprobe", "-q", (char *)module, NULL};
    FILE *f = fopen("/proc/sys/kernel/modprobe", "re");
    posix_spawn_file_actions_t files;
    pid_t pid;
    int status;

    if (f && fgets(path, sizeof(path), f))
        path[strcspn(path, "\n")] = 0;
    if (f)
        fclose(f);
    posix_spawn_file_actions_init(&files); /* whether it is there is looked at afterwards */
    posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    if (posix_spawnp(&pid, path[0] ? path : argv[0], &files, NULL, argv, environ) == 0)
        waitpid(pid, &status, 0);
    posix_spawn_file_actions_destroy(&files);
}

static bool has_driver(const char *kind)
{
    char path[64];

    snprintf(path, sizeof(path), "/sys/bus/xen-backend/drivers/%s", kind);
    return access(path, F_OK) == 0;
}

bool kernel_has_back_end(const char *kind)
{
    bool disks = strcmp(kind, "vbd") == 0;

    if (disks && access("/dev/loop-control", F_OK))
        load("loop");
    if (!has_driver(kind))
        load(disks ? "xen-blkback" : "xen-netback");
    return has_driver(kind);
}

bool kernel_has_device(const struct device *d, bool serving)
{
    char path[128];

    /* Not by the bus, from whose list it is taken before the driver has let go. */
    snprintf(path, sizeof(path), "/sys/devices/%s-%u-%u%s", d->kind, d->domid, d->id,
             serving && strcmp(d->kind, "vbd") == 0 ? "/physical_device" : "");
    return access(path, F_OK) == 0;
}

void kernel_loop_file(unsigned int minor, char *file, size_t size)
{
    char path[64];
    FILE *f;

    file[0] = 0;
    snprintf(path, sizeof(path), "/sys/block/loop%u/loop/backing_file", minor);
    f = fopen(path, "re");
    if (!f)
        return;
    if (fgets(file, size, f))
        file[strcspn(file, "\n")] = 0;
    fclose(f);
}

void kernel_pause(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
}

time_t kernel_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

// SPDX-License-Identifier: MIT
/* Finding socle-network, and running it. */
#include "network.h"

#include <errno.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM "socle-network"

extern char **environ;

/* The one that came with us; else the one that the shell would take. */
static const char *find_program(char *path, size_t size)
{
    ssize_t len = readlink("/proc/self/exe", path, size);
    char *name;

    if (len <= 0 || (size_t)len >= size)
        return PROGRAM;
    path[len] = 0;
    name = strrchr(path, '/');
    if (!name || (size_t)(name + 1 - path) + sizeof(PROGRAM) > size)
        return PROGRAM;
    strcpy(name + 1, PROGRAM);
    return access(path, X_OK) == 0 ? path : PROGRAM;
}

int network_call(char **argv)
{
    char path[4096];
    posix_spawnattr_t attr;
    int status, rc;
    pid_t pid;

    argv[0] = PROGRAM;
    posix_spawnattr_init(&attr);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP); /* a Ctrl-C is meant for us */
    rc = posix_spawnp(&pid, find_program(path, sizeof(path)), NULL, &attr, argv, environ);
    posix_spawnattr_destroy(&attr);
    if (rc)
        return -rc;
    if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
        return -EIO;
    return WEXITSTATUS(status);
}

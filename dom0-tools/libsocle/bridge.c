// SPDX-License-Identifier: MIT
/* Having bridges made. */
#include "bridge.h"

#include "net.h"

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

int bridge_need(const char *name, struct error *err)
{
    char path[4096], *argv[] = {PROGRAM, "up", (char *)name, NULL};
    int status = -1, rc;
    pid_t pid;

    if (net_is_bridge(name))
        return 0;
    if (net_exists(name))
        return error_set(err, -ENODEV, "%s is no bridge", name);
    rc = posix_spawnp(&pid, find_program(path, sizeof(path)), NULL, NULL, argv, environ);
    if (rc)
        return error_set(err, -ENODEV, "there is no bridge %s, and no " PROGRAM ": %s", name,
                         strerror(rc));
    if (waitpid(pid, &status, 0) == pid && status == 0 && net_is_bridge(name))
        return 0;
    return error_set(err, -ENODEV, "there is no bridge %s, and " PROGRAM " could not make it",
                     name);
}

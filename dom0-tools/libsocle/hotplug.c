// SPDX-License-Identifier: MIT
/* Scripts that users name for a disk or a card: called like Xen's tools call theirs, with the
 * back end's directory in XENBUS_PATH, where they read and write. */
#include "device_nodes.h"

#include "stop.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int finish(pid_t pid, unsigned int seconds, int *status)
{
    struct timespec start, now;
    bool late;

    clock_gettime(CLOCK_MONOTONIC, &start);
    while (waitpid(pid, status, WNOHANG) == 0) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        late = now.tv_sec - start.tv_sec > (time_t)seconds;
        if (late || stop_check(NULL)) {
            kill(-pid, SIGKILL);
            waitpid(pid, status, 0);
            return late ? -ETIMEDOUT : -EINTR;
        }
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    return 0;
}

static int spawn(const char *script, char *const *argv, char *const *env, pid_t *pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    int rc;

    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP); /* to end it with its children */
    rc = posix_spawn(pid, script, &files, &attr, argv, env);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attr);
    return -rc;
}

int hotplug_run(struct xs_handle *xs, const struct device *d, const char *script,
                const char *action, const char *netdev, unsigned int seconds, struct error *err)
{
    char vars[6][256], *env[256], *why;
    char *argv[] = {(char *)script, (char *)action, netdev ? "type_if=vif" : NULL, NULL};
    unsigned int n = 0;
    int status, rc;
    pid_t pid;

    snprintf(vars[0], sizeof(vars[0]), "script=%s", script);
    snprintf(vars[1], sizeof(vars[1]), "XENBUS_TYPE=%s", d->kind);
    snprintf(vars[2], sizeof(vars[2]), "XENBUS_PATH=%s", d->back);
    snprintf(vars[3], sizeof(vars[3]), "XENBUS_BASE_PATH=backend");
    snprintf(vars[4], sizeof(vars[4]), "type_if=vif");
    snprintf(vars[5], sizeof(vars[5]), "vif=%s", netdev);
    for (; n < (netdev ? 6 : 4); n++)
        env[n] = vars[n];
    for (char **e = environ; *e && n < 255; e++)
        env[n++] = *e;
    env[n] = NULL;
    rc = spawn(script, argv, env, &pid);
    if (rc)
        return error_set(err, rc, "%s: %s", script, strerror(-rc));
    rc = finish(pid, seconds, &status);
    if (rc == -EINTR)
        return error_set(err, rc, "%s %s was interrupted", script, action);
    if (rc)
        return error_set(err, rc, "%s %s did not end within %u s", script, action, seconds);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    why = device_read(xs, XBT_NULL, d->back, "hotplug-error");
    error_set(err, -EIO, "%s %s: %s %d%s%s", script, action,
              WIFEXITED(status) ? "exit status" : "killed by signal",
              WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status), why ? ": " : "",
              why ? why : "");
    free(why);
    return -EIO;
}

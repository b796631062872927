// SPDX-License-Identifier: MIT
/* Having bridges made. */
#include "bridge.h"

#include "net.h"

#include <errno.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

extern char **environ;

int bridge_need(const char *name, struct error *err)
{
    char *argv[] = {"socle-network", "up", (char *)name, NULL};
    int status = -1, rc;
    pid_t pid;

    if (net_is_bridge(name))
        return 0;
    if (net_exists(name))
        return error_set(err, -ENODEV, "%s is no bridge", name);
    rc = posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ);
    if (rc)
        return error_set(err, -ENODEV, "there is no bridge %s, and no socle-network: %s", name,
                         strerror(rc));
    if (waitpid(pid, &status, 0) == pid && status == 0 && net_is_bridge(name))
        return 0;
    return error_set(err, -ENODEV, "there is no bridge %s, and socle-network could not make it",
                     name);
}

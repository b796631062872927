/* SPDX-License-Identifier: MIT */
/* A request to the store daemon's socket. Not to the kernel's file of the same protocol: that one
 * waits for ever where there is no daemon. */
#include "xs.h"

#include "alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>
#include <xen/io/xs_wire.h>

static int connect_store(void)
{
    const char *dir = getenv("XENSTORED_RUNDIR"), *path = getenv("XENSTORED_PATH");
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = 2};

    if (path)
        snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
    else
        snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/socket", dir ? dir : "/run/xenstored");
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    if (fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static int all(int fd, void *buf, size_t len)
{
    return len && recv(fd, buf, len, MSG_WAITALL) != (ssize_t)len ? -1 : 0;
}

char *xs_get(const char *path)
{
    static int fd = -1;
    struct xsd_sockmsg h = {.type = XS_READ, .len = strlen(path) + 1};
    char *value = NULL;

    if (fd < 0)
        fd = connect_store();
    if (fd < 0)
        return NULL;
    if (send(fd, &h, sizeof(h), MSG_NOSIGNAL) == sizeof(h) &&
        send(fd, path, h.len, MSG_NOSIGNAL) == (ssize_t)h.len && all(fd, &h, sizeof(h)) == 0 &&
        h.len <= XENSTORE_PAYLOAD_MAX) {
        value = must_alloc(h.len + 1);
        if (all(fd, value, h.len) == 0 && h.type == XS_READ)
            return value;
    }
    if (!value || h.type != XS_ERROR) { /* out of step */
        close(fd);
        fd = -1;
    }
    free(value);
    return NULL;
}

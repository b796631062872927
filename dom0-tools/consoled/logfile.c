/* SPDX-License-Identifier: MIT */
/* Log files. */
#include "logfile.h"

#include "../libsocle/alloc.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool may_stand(const char *name, const char *c)
{
    if (c == name && (*c == '.' || strcmp(name, "hypervisor") == 0))
        return false;
    return (unsigned char)*c > ' ' && *c != 0x7f && *c != '/' && *c != '%';
}

char *logfile_name(const char *dir, const char *name)
{
    char *path = must_alloc(strlen(dir) + 3 * strlen(name) + sizeof("/.log"));
    char *to = path + sprintf(path, "%s/", dir);

    for (const char *c = name; *c; c++) {
        if (may_stand(name, c))
            *to++ = *c;
        else
            to += sprintf(to, "%%%02X", (unsigned char)*c);
    }
    strcpy(to, ".log");
    return path;
}

static int open_it(struct logfile *l)
{
    struct stat st;

    l->fd =
        open(l->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (l->fd < 0)
        return -errno;
    if (fstat(l->fd, &st) || !S_ISREG(st.st_mode)) {
        close(l->fd);
        l->fd = -1;
        return -EINVAL;
    }
    l->size = st.st_size;
    return 0;
}

int logfile_open(struct logfile *l, const char *path, uint64_t limit, unsigned int keep)
{
    *l = (struct logfile){
        .path = must_copy(path, strlen(path)), .limit = limit, .keep = keep, .fd = -1};
    return open_it(l);
}

int logfile_reopen(struct logfile *l)
{
    if (l->fd >= 0)
        close(l->fd);
    l->size = 0;
    return open_it(l);
}

uint64_t logfile_room(const struct logfile *l)
{
    return l->size < l->limit ? l->limit - l->size : 0;
}

int logfile_rotate(struct logfile *l)
{
    size_t room = strlen(l->path) + 12;
    char *from = must_alloc(room), *to = must_alloc(room);
    int rc = 0;

    for (unsigned int i = l->keep; i > 0 && rc == 0; i--) {
        snprintf(to, room, "%s.%u", l->path, i);
        if (i > 1)
            snprintf(from, room, "%s.%u", l->path, i - 1);
        else
            strcpy(from, l->path);
        if (rename(from, to) && errno != ENOENT)
            rc = -errno;
    }
    if (l->keep == 0 && unlink(l->path) && errno != ENOENT)
        rc = -errno;
    free(from);
    free(to);
    return rc ? rc : logfile_reopen(l);
}

ssize_t logfile_write(struct logfile *l, const void *data, size_t len)
{
    ssize_t n;

    if (l->fd < 0)
        return -EBADF;
    do
        n = write(l->fd, data, len);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    l->size += n;
    return n;
}

void logfile_close(struct logfile *l)
{
    if (l->fd >= 0)
        close(l->fd);
    free(l->path);
    *l = (struct logfile){.fd = -1};
}

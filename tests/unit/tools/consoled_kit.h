/* SPDX-License-Identifier: MIT */
/* For tests of the console daemon: a guest that writes and reads its ring, a loop that turns, a folder. */
#ifndef CONSOLED_KIT_H
#define CONSOLED_KIT_H

#include "dom0-tools/consoled/console.h"
#include "dom0-tools/libsocle/console.h"
#include "fake_console.h"
#include "fake_daemon.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char kit_dir[64];
static int64_t kit_now = 5 * SECOND, kit_wake; /* the time; when the daemon wanted to go on */

static inline const char *kit_path(const char *name)
{
    static char path[2][128];
    static int which;

    which = !which;
    snprintf(path[which], sizeof(path[which]), "%s/%s", kit_dir, name);
    return path[which];
}

static inline void kit_empty_dir(void)
{
    DIR *d = opendir(kit_dir);
    struct dirent *e;

    while (d && (e = readdir(d)))
        unlinkat(dirfd(d), e->d_name, 0);
    if (d)
        closedir(d);
}

static inline void kit_remove_dir(void)
{
    kit_empty_dir();
    rmdir(kit_dir);
    kit_dir[0] = 0;
}

static inline void kit_start(void)
{
    if (!kit_dir[0]) {
        strcpy(kit_dir,
               access("/dev/shm", W_OK) ? "/tmp/consoled.XXXXXX" : "/dev/shm/consoled.XXXXXX");
        if (!mkdtemp(kit_dir))
            abort();
    }
    kit_empty_dir();
    memset(fake_guests, 0, sizeof(fake_guests));
    fake_told[0] = 0;
    console_settings = (struct console_settings){.run_dir = kit_dir,
                                                 .log_dir = kit_dir,
                                                 .history = 8192,
                                                 .log_size = 4096,
                                                 .log_keep = 3,
                                                 .ptys = true};
}

static inline void kit_stop(void)
{
    console_close_all();
    kit_remove_dir();
}

static inline struct console_spec kit_spec(domid_t id)
{
    struct console_spec s = {.id = id, .handle = {id, 1}, .port = 7};

    snprintf(s.name, sizeof(s.name), "guest%u", id);
    return s;
}

/* What the file has, with a NUL behind it, from malloc(). */
static inline char *kit_read(const char *path, size_t *len)
{
    int fd = open(path, O_RDONLY);
    off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
    char *text = calloc(1, size + 1);

    *len = fd < 0 ? 0 : pread(fd, text, size, 0);
    if (fd >= 0)
        close(fd);
    return text;
}

/* All logs of a name, the oldest first. */
static inline char *kit_read_logs(const char *path, size_t *len)
{
    char *all = calloc(1, 1 << 20), name[160];

    *len = 0;
    for (int i = 99; i >= 0; i--) {
        size_t n;
        char *text;

        snprintf(name, sizeof(name), i ? "%s.%d" : "%s", path, i);
        text = kit_read(name, &n);
        memcpy(all + *len, text, n);
        *len += n;
        free(text);
    }
    return all;
}

/* The guest's side: as much as there is room for. */
static inline size_t kit_write(domid_t id, const char *text, size_t len)
{
    struct xencons_interface *p = &fake_guests[id].page;
    size_t n = 0;

    while (n < len && p->out_prod - p->out_cons < sizeof(p->out))
        p->out[p->out_prod++ % sizeof(p->out)] = text[n++];
    return n;
}

static inline size_t kit_input(domid_t id, char *buf, size_t len)
{
    struct xencons_interface *p = &fake_guests[id].page;
    size_t n = 0;

    while (n < len && p->in_cons != p->in_prod)
        buf[n++] = p->in[p->in_cons++ % sizeof(p->in)];
    return n;
}

/* A turn of the daemon's loop. */
static inline void kit_turn(void)
{
    static struct pollset set;
    int64_t until;

    pollset_begin(&set);
    until = console_poll(&set);
    pollset_wait(&set, 0);
    console_turn(&set, kit_now);
    kit_wake = until;
}

/* The same, if something wakes it; returns whether. */
static inline bool kit_wait(void)
{
    static struct pollset set;

    pollset_begin(&set);
    kit_wake = console_poll(&set);
    if (!pollset_wait(&set, 0) && kit_wake > kit_now)
        return false;
    console_turn(&set, kit_now);
    return true;
}

static inline int kit_connect(const char *name, uint64_t from)
{
    struct console_hello hello = {.magic = CONSOLE_MAGIC, .from = from};
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);

    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/%s", kit_dir, name);
    if (connect(fd, (struct sockaddr *)&addr, sizeof(addr))) {
        close(fd);
        return -1;
    }
    send(fd, &hello, sizeof(hello), 0);
    return fd;
}

#endif

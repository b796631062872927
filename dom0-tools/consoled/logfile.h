/* SPDX-License-Identifier: MIT */
/* A log file of bounded size: FILE, before it FILE.1, before that FILE.2 and so on. */
#ifndef CONSOLED_LOGFILE_H
#define CONSOLED_LOGFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct logfile {
    char *path;
    int fd; /* -1: it cannot be opened */
    uint64_t size, limit;
    unsigned int keep; /* how many older ones */
};

/** logfile_name - the path of a domain's log, from malloc()
 * Whatever the name is: the file is in @dir, and different names get different files. What may not
 * be in a file name stands as %XX. "hypervisor" is taken, and written so. */
char *logfile_name(const char *dir, const char *name);

/** logfile_open - append to it, or begin it, readable for its owner alone; 0 or a negative errno. */
int logfile_open(struct logfile *l, const char *path, uint64_t limit, unsigned int keep);

/** logfile_reopen - the same file by its name: somebody may have put it aside. */
int logfile_reopen(struct logfile *l);

/** logfile_room - bytes until it is full. */
uint64_t logfile_room(const struct logfile *l);

/** logfile_rotate - put it aside and begin a new one; the oldest one goes. */
int logfile_rotate(struct logfile *l);

/** logfile_write - bytes written, perhaps not all; or a negative errno. */
ssize_t logfile_write(struct logfile *l, const void *data, size_t len);

void logfile_close(struct logfile *l);

#endif

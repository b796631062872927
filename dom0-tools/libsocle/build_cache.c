/* SPDX-License-Identifier: MIT */
/* A file for each kernel, named after the identity and the times of the packed one: whoever changes
 * that changes its ctime. It is written beside and put in place whole, with its length at the end.
 * Pages of zeros are holes. */
#include "build_cache.h"

#include "image.h"
#include "stop.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#define KEPT      4
#define PAGE      4096u
#define NAME_ROOM 256

struct trailer {
    char magic[8];
    uint64_t size; /* of what is before it */
};

static const char magic[8] = {'s', 'o', 'c', 'l', 'e', 'k', 'r', '1'};

static bool only_we_write(int fd, mode_t type, struct stat *st)
{
    return fstat(fd, st) == 0 && (st->st_mode & S_IFMT) == type && st->st_uid == geteuid() &&
           !(st->st_mode & 022);
}

static int open_dir(void)
{
    const char *dir = getenv("SOCLE_CACHE_DIR");
    struct stat st;
    int fd;

    if (!dir) {
        dir = "/var/cache/socle";
        mkdir("/var/cache", 0755);
    }
    mkdir(dir, 0700);
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 && !only_we_write(fd, S_IFDIR, &st)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static void name_of(char name[NAME_ROOM], const struct stat *of)
{
    snprintf(name, NAME_ROOM, "kernel-%lx-%lx-%lx-%lx.%lx-%lx.%lx", of->st_dev, of->st_ino,
             of->st_size, of->st_mtim.tv_sec, of->st_mtim.tv_nsec, of->st_ctim.tv_sec,
             of->st_ctim.tv_nsec);
}

/* ---- finding ---- */

static bool is_whole(int fd, uint64_t file_size, size_t *size)
{
    struct trailer t;

    if (file_size < sizeof(t) || file_size > IMAGE_MAX)
        return false;
    *size = file_size - sizeof(t);
    return pread(fd, &t, sizeof(t), *size) == sizeof(t) &&
           memcmp(t.magic, magic, sizeof(magic)) == 0 && t.size == *size && *size;
}

int build_cache_find(const struct stat *of, const uint8_t **data, size_t *size)
{
    int dir = open_dir(), fd = -1;
    char name[NAME_ROOM];
    void *at = MAP_FAILED;
    struct stat st;

    if (dir < 0)
        return -1;
    name_of(name, of);
    fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    close(dir);
    if (fd < 0)
        return -1;
    if (only_we_write(fd, S_IFREG, &st) && is_whole(fd, st.st_size, size))
        at = mmap(NULL, *size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (at == MAP_FAILED) {
        close(fd);
        return -1;
    }
    futimens(fd, NULL); /* it was used: others go first */
    *data = at;
    return fd;
}

/* ---- keeping ---- */

/* Some is left to others, more where it is memory: file systems without a size are in it. */
static bool has_room(int dir, size_t size)
{
    struct statvfs fs;
    struct sysinfo memory;

    if (fstatvfs(dir, &fs) || sysinfo(&memory))
        return false;
    if (!fs.f_blocks)
        return memory.freeram * memory.mem_unit / 2 > size;
    return fs.f_bavail * fs.f_frsize / 5 * 4 > size;
}

static bool is_zero(const uint8_t *page, size_t len)
{
    return !page[0] && memcmp(page, page + 1, len - 1) == 0;
}

/* A page from @at on, or what there is of it. */
static size_t piece(const uint8_t *data, size_t at, size_t size, bool *zero)
{
    size_t len = size - at < PAGE ? size - at : PAGE;

    *zero = is_zero(data + at, len);
    return len;
}

static bool write_all(int fd, const uint8_t *data, size_t len, size_t at)
{
    while (len) {
        ssize_t n = pwrite(fd, data, len, at);

        if (n <= 0 && errno != EINTR)
            return false;
        if (n > 0)
            data += n, at += n, len -= n;
    }
    return true;
}

static bool write_kernel(int fd, const uint8_t *data, size_t size)
{
    struct trailer t = {.size = size};
    size_t from = 0, at = 0; /* [from, at): to be written */
    bool good = true, zero;

    memcpy(t.magic, magic, sizeof(magic));
    while (at < size && good && stop_check(NULL) == 0) {
        size_t len = piece(data, at, size, &zero);

        if (zero) {
            good = write_all(fd, data + from, at - from, from);
            from = at + len;
        }
        at += len;
    }
    return good && at == size && write_all(fd, data + from, size - from, from) &&
           write_all(fd, (uint8_t *)&t, sizeof(t), size) && fsync(fd) == 0;
}

/* Removes the file that was not used for the longest time, if there are too many. */
static bool make_room(int dir)
{
    DIR *list = fdopendir(openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    char oldest[NAME_ROOM] = "";
    struct timespec when = {0};
    unsigned int nr = 0;

    for (struct dirent *e; list && (e = readdir(list));) {
        struct stat st;

        if (e->d_name[0] == '.' || fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) ||
            !S_ISREG(st.st_mode))
            continue;
        if (!nr++ || st.st_mtim.tv_sec < when.tv_sec ||
            (st.st_mtim.tv_sec == when.tv_sec && st.st_mtim.tv_nsec < when.tv_nsec)) {
            when = st.st_mtim;
            snprintf(oldest, sizeof(oldest), "%s", e->d_name);
        }
    }
    if (list)
        closedir(list);
    return nr >= KEPT && unlinkat(dir, oldest, 0) == 0;
}

void build_cache_keep(const struct stat *of, const uint8_t *data, size_t size)
{
    char name[NAME_ROOM], new[NAME_ROOM + 32];
    int dir = open_dir(), fd;
    bool good;

    if (dir < 0)
        return;
    while (make_room(dir))
        ;
    name_of(name, of);
    snprintf(new, sizeof(new), "%s.new-%d", name, getpid());
    unlinkat(dir, new, 0);
    fd = has_room(dir, size) ? openat(dir, new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
    if (fd >= 0) {
        good = write_kernel(fd, data, size);
        close(fd);
        if (!good || renameat(dir, new, dir, name))
            unlinkat(dir, new, 0);
    }
    close(dir);
}

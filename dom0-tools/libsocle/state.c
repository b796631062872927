/* SPDX-License-Identifier: MIT */
/* Files below /run/socle. */
#include "state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_ROOM 256
#define LAST_ID   1023 /* there are hypervisors without room for higher ones */

const char *state_dir(void)
{
    const char *dir = getenv("SOCLE_RUN_DIR");

    dir = dir && dir[0] ? dir : "/run/socle";
    mkdir(dir, 0755);
    return dir;
}

static void path_of(char path[PATH_ROOM], const char *format, unsigned int id)
{
    int len = snprintf(path, PATH_ROOM, "%s/", state_dir());

    snprintf(path + len, len < PATH_ROOM ? PATH_ROOM - len : 0, format, id);
}

/* ---- locks ---- */

/* Whoever has had the lock may have removed the file: then the lock is worth nothing. */
static bool is_there(const char *path, int fd)
{
    struct stat ours, now;

    return fstat(fd, &ours) == 0 && stat(path, &now) == 0 && ours.st_ino == now.st_ino &&
           ours.st_dev == now.st_dev;
}

static int lock_file(const char *path, int flags, bool wait)
{
    for (;;) {
        int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600), rc;

        if (fd < 0)
            return -errno;
        do {
            rc = flock(fd, wait ? LOCK_EX : LOCK_EX | LOCK_NB);
        } while (rc && errno == EINTR && wait);
        if (rc == 0 && is_there(path, fd))
            return fd;
        rc = rc ? -errno : 0;
        close(fd);
        if (rc)
            return rc == -EWOULDBLOCK ? -EBUSY : rc;
    }
}

int state_lock(domid_t id, bool wait, struct error *err)
{
    char path[PATH_ROOM];
    int lock;

    path_of(path, "%u.lock", id);
    lock = lock_file(path, O_CREAT, wait);
    return lock < 0 ? error_set(err, lock, "%s: %s", path, strerror(-lock)) : lock;
}

void state_unlock(domid_t id, int lock)
{
    char path[PATH_ROOM];

    path_of(path, "%u.lock", id);
    unlink(path);
    close(lock);
}

void state_abandon(int lock)
{
    close(lock);
}

int state_lock_machine(struct error *err)
{
    char path[PATH_ROOM];
    int lock;

    path_of(path, "lock", 0);
    lock = lock_file(path, O_CREAT, true);
    return lock < 0 ? error_set(err, lock, "%s: %s", path, strerror(-lock)) : lock;
}

void state_unlock_machine(int lock)
{
    close(lock);
}

/* ---- ids ---- */

domid_t state_next_id(void)
{
    unsigned int last = 0;
    char path[PATH_ROOM];
    FILE *f;
    int fd;

    path_of(path, "last-id", 0);
    f = fopen(path, "re");
    if (f) {
        if (fscanf(f, "%u", &last) != 1)
            last = 0;
        fclose(f);
    }
    last = last % LAST_ID + 1;
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644); /* never empty, whoever is killed */
    if (fd >= 0) {
        dprintf(fd, "%-4u\n", last);
        close(fd);
    }
    return last;
}

/* ---- configurations ---- */

int state_write(domid_t id, const struct domain_config *c, struct error *err)
{
    char path[PATH_ROOM], new[PATH_ROOM];
    bool good;
    FILE *f;

    path_of(path, "%u.json", id);
    path_of(new, "%u.json.new", id);
    f = fopen(new, "we");
    if (!f)
        return error_set(err, -errno, "%s: %s", new, strerror(errno));
    config_print(c, f);
    good = !ferror(f);
    if (fclose(f) || !good || rename(new, path)) {
        int rc = error_set(err, errno ? -errno : -EIO, "%s: %s", path, strerror(errno));

        unlink(new);
        return rc;
    }
    return 0;
}

void state_forget(domid_t id)
{
    char path[PATH_ROOM];

    path_of(path, "%u.json.new", id);
    unlink(path);
    path_of(path, "%u.json", id);
    unlink(path);
}

int state_read(domid_t id, const uint8_t uuid[16], struct domain_config *c, struct error *err)
{
    struct config_notes notes = {.of_the_past = true};
    struct domain_config found;
    char path[PATH_ROOM];
    int rc;

    path_of(path, "%u.json", id);
    if (access(path, F_OK))
        return error_set(err, -errno, "%s: %s", path, strerror(errno));
    rc = config_load(path, NULL, 0, &found, &notes);
    if (rc)
        error_set(err, rc, "%.*s", (int)strcspn((char *)notes.text.data, "\n"), notes.text.data);
    config_notes_free(&notes);
    if (rc)
        return rc;
    if (found.has_uuid && memcmp(found.uuid, uuid, sizeof(found.uuid)) == 0) {
        *c = found;
        return 0;
    }
    config_free(&found);
    return error_set(err, -ENOENT, "%s: of another domain", path);
}

/* ---- what killed tools leave ---- */

static bool is_abandoned(unsigned int id)
{
    char lock[PATH_ROOM], config[PATH_ROOM];
    bool lonely;
    int fd;

    path_of(lock, "%u.lock", id);
    path_of(config, "%u.json", id);
    fd = lock_file(lock, 0, false);
    if (fd < 0)
        return false;
    lonely = access(config, F_OK) != 0;
    if (!lonely)
        unlink(lock); /* all was done but for this */
    close(fd);
    return lonely;
}

int state_abandoned(unsigned int from)
{
    DIR *dir = opendir(state_dir());
    int found = -ENOENT;

    for (struct dirent *e; dir && (e = readdir(dir));) {
        char *end;
        unsigned long id = strtoul(e->d_name, &end, 10);

        if (end != e->d_name && strcmp(end, ".lock") == 0 && id >= from &&
            id < DOMID_FIRST_RESERVED && (found < 0 || id < (unsigned int)found) &&
            is_abandoned(id))
            found = id;
    }
    if (dir)
        closedir(dir);
    return found;
}

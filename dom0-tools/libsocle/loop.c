// SPDX-License-Identifier: MIT
/* Loop devices by the kernel's control interface (loop(4)). */
#include "loop.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

static bool reads_only(const char *name)
{
    char path[64], value = '0';
    FILE *f;

    snprintf(path, sizeof(path), "/sys/block/%s/ro", name);
    f = fopen(path, "re");
    if (f) {
        value = getc(f);
        fclose(f);
    }
    return value == '1';
}

/* The loop device, made by others, that forbids us @image; "" if there is none. */
static void find_other(const struct stat *image, bool readonly, char *name, size_t size)
{
    glob_t all;

    name[0] = 0;
    if (glob("/sys/block/loop*/loop/backing_file", GLOB_NOSORT, NULL, &all))
        return;
    for (size_t i = 0; i < all.gl_pathc && !name[0]; i++) {
        FILE *f = fopen(all.gl_pathv[i], "re");
        char file[4096] = "", loop[32] = "";
        struct stat st;

        sscanf(all.gl_pathv[i], "/sys/block/%31[^/]", loop);
        if (f && fgets(file, sizeof(file), f)) {
            file[strcspn(file, "\n")] = 0;
            if (stat(file, &st) == 0 && st.st_dev == image->st_dev && st.st_ino == image->st_ino &&
                !(readonly && reads_only(loop)))
                snprintf(name, size, "%s", loop);
        }
        if (f)
            fclose(f);
    }
    globfree(&all);
}

/* An open image that is ours as long as it is open. */
static int open_image(const char *path, bool readonly, struct error *err)
{
    int fd = open(path, (readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC), rc = -errno;
    char other[32];
    struct stat st;

    if (fd < 0 || fstat(fd, &st))
        return error_set(err, rc, "%s: %s", path, strerror(-rc));
    if (flock(fd, (readonly ? LOCK_SH : LOCK_EX) | LOCK_NB)) {
        close(fd);
        return error_set(err, -EBUSY, "%s is in use%s", path, readonly ? ", and written" : "");
    }
    find_other(&st, readonly, other, sizeof(other));
    if (other[0]) {
        close(fd);
        return error_set(err, -EBUSY, "%s is in use as /dev/%s", path, other);
    }
    return fd;
}

/* Configure the device that the kernel says is free; -EBUSY: it no longer is. */
static int take_free(int control, int image, const char *path, bool readonly, struct loop *loop)
{
    struct loop_config config = {.fd = image, .info = {.lo_flags = LO_FLAGS_AUTOCLEAR}};
    int number = ioctl(control, LOOP_CTL_GET_FREE), rc;
    struct stat st;

    if (number < 0)
        return -errno;
    /* Past dom0's cache, if the image's file system can do that. */
    config.info.lo_flags |= LO_FLAGS_DIRECT_IO | (readonly ? LO_FLAGS_READ_ONLY : 0);
    snprintf((char *)config.info.lo_file_name, LO_NAME_SIZE, "%s", path); /* for losetup -a */
    snprintf(loop->path, sizeof(loop->path), "/dev/loop%d", number);
    loop->fd = open(loop->path, (readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC);
    if (loop->fd < 0)
        return -errno;
    if (ioctl(loop->fd, LOOP_CONFIGURE, &config) == 0 && fstat(loop->fd, &st) == 0) {
        loop->device = st.st_rdev;
        return 0;
    }
    rc = -errno;
    close(loop->fd);
    return rc;
}

int loop_attach(const char *path, bool readonly, struct loop *loop, struct error *err)
{
    int control, image, rc = -EBUSY;

    image = open_image(path, readonly, err);
    if (image < 0)
        return image;
    control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    rc = control < 0 ? -errno : -EBUSY;
    for (unsigned int tries = 0; control >= 0 && rc == -EBUSY && tries < 100; tries++)
        rc = take_free(control, image, path, readonly, loop);
    if (control >= 0)
        close(control);
    close(image); /* the loop device keeps it open, and locked */
    return rc ? error_set(err, rc, "%s: no loop device: %s", path, strerror(-rc)) : 0;
}

/* SPDX-License-Identifier: MIT */
/* Kernels of distributions are compressed well, and it takes longer to unpack one than all the rest
 * of making a domain. So what was unpacked is kept. */
#include "build_kernel.h"

#include "image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_elf(int fd)
{
    uint8_t head[16];

    return pread(fd, head, sizeof(head), 0) == sizeof(head) &&
           image_detect(head, sizeof(head)) == IMAGE_ELF;
}

static int load(struct build_kernel *k, const char *path, struct error *err)
{
    void *data;
    int rc = image_load(path, &data, &k->size, err);

    if (rc == 0)
        k->data = data;
    return rc;
}

int build_kernel_open(struct build_kernel *k, const char *path, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), rc;
    struct stat st;

    *k = (struct build_kernel){.fd = -1};
    if (fd < 0 || fstat(fd, &st)) {
        rc = error_set(err, -errno, "%s", strerror(errno));
    } else if (is_elf(fd)) {
        rc = load(k, path, err);
    } else {
        k->fd = build_cache_find(&st, &k->data, &k->size);
        rc = k->fd < 0 ? load(k, path, err) : 0;
        if (rc == 0 && k->fd < 0)
            build_cache_keep(&st, k->data, k->size);
    }
    if (fd >= 0)
        close(fd);
    return rc;
}

void build_kernel_close(struct build_kernel *k)
{
    if (k->fd < 0) {
        free((void *)k->data);
    } else {
        munmap((void *)k->data, k->size);
        close(k->fd);
    }
    *k = (struct build_kernel){.fd = -1};
}

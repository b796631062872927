/* SPDX-License-Identifier: MIT */
/* Image files as block devices. A loop device goes away with its last user: while the one who made
 * it holds it open, then while the back end does. So whoever is killed, none is left over. */
#ifndef LIBSOCLE_LOOP_H
#define LIBSOCLE_LOOP_H

#include "error.h"

#include <stdbool.h>
#include <sys/types.h>

struct loop {
    char path[32]; /* "/dev/loop0" */
    dev_t device;
    int fd; /* the caller's to close, when somebody else has opened the device */
};

/** loop_attach - make a block device of the image @path
 * The image is locked (flock(2)) for as long as the device is there: by many who only read it or by
 * one who writes.
 * Returns 0; -EBUSY: it is in use, -errno; the line in @err begins with @path. */
int loop_attach(const char *path, bool readonly, struct loop *loop, struct error *err);

#endif

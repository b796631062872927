/* SPDX-License-Identifier: MIT */
/* Turns an empty domain into one that can be started. */
#ifndef LIBSOCLE_BUILD_H
#define LIBSOCLE_BUILD_H

#include "build_layout.h"
#include "xc.h"

struct build {
    domid_t id;
    const struct build_layout *layout;
    int kernel_fd; /* the kernel's file, if it is the one that layout->elf refers to; else -1 */
    int initrd_fd; /* -1: none; read from its begin to layout->initrd_size */
    const char *cmdline;
    evtchn_port_t store_port, console_port; /* of the domain */
    uint64_t *p2m;                          /* out: layout->nr_pages frames; room is the caller's */
    void (*progress)(void *ctx, const char *what, unsigned int percent); /* may be NULL */
    void *ctx;
};

/** build_domain - give it memory, put everything there, and set up its first vcpu
 * Returns 0 or a negative errno; the domain has to be destroyed then. */
int build_domain(struct build *b, struct error *err);

#endif

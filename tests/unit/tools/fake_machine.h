/* SPDX-License-Identifier: MIT */
/* A hypervisor for tests of the builder: it makes and ends domains that have memory. */
#ifndef FAKE_MACHINE_H
#define FAKE_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <xen/domctl.h>

#define FAKE_FRAMES 16384  /* 64 MiB */
#define FAKE_FIRST  0x1000 /* number of the first frame */

struct fake_domain {
    bool there;
    domid_t id;
    uint8_t handle[16];
    unsigned int max_vcpus, pauses, ports, pool; /* of pools 0 to 2, the last one has no CPUs */
    uint64_t max_pages, pages, map_size, root, hypercall_page, shared, grants;
    uint64_t cpus[8]; /* of 64, where these vcpus may run; 0: nobody has said */
    bool started;
    struct vcpu_guest_context context;
};

extern bool fake_machine;           /* calls go to it */
extern unsigned int fake_max_order; /* of memory in one piece */
extern unsigned int fake_calls;     /* made since the last reset */
extern unsigned int fake_fail_at;   /* the number of the one that fails; 0: none */
extern bool fake_fail_on;           /* and all after it */

/** fake_machine_reset - no domain, all memory free and full of rubbish. */
void fake_machine_reset(void);

/** fake_machine_fails - count a call; true: it fails, errno says how. Of the store, too. */
bool fake_machine_fails(void);

/** fake_machine_domain - NULL: there is none of that id. */
struct fake_domain *fake_machine_domain(domid_t id);
unsigned int fake_machine_domains(void);
uint64_t fake_machine_free(void);
unsigned int fake_machine_mappings(void);

/** fake_machine_page - a frame; NULL: it is not the domain's. */
void *fake_machine_page(domid_t id, uint64_t frame);

long fake_machine_call(unsigned int number, unsigned long arg1, unsigned long arg2,
                       unsigned long arg4);
void *fake_machine_map(unsigned int id, const uint64_t *frames, size_t nr);
void fake_machine_unmap(void *p, size_t nr);
void *fake_machine_grants(unsigned int id);

#endif

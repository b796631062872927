/* SPDX-License-Identifier: MIT */
/* User mode: a piece of code in its own address space, run like a subroutine.
 *
 *     struct user_space us;
 *     struct trap_regs r = { .rip = USER_CODE, .rsp = USER_STACK_TOP };
 *     user_space_create(&us);
 *     user_map_code(&us, USER_CODE, my_code, my_code_end);
 *     user_map_page(&us, USER_STACK_TOP - PAGE_SIZE, PTE_RW, NULL);
 *     vector = user_run(&us, &r);      // TRAP_SYSCALL, TRAP_INT80, TRAP_PF ...
 *
 * The code must not depend on where it lies. @r holds the user's registers at the exit, and
 * user_run() again continues there. Events that arrive meanwhile are handled and do not end
 * the run. */
#ifndef PV_USER_H
#define PV_USER_H

#include <pv/types.h>
#include <pv/trap.h>

#define USER_CODE      0x0000000000400000ul
#define USER_DATA      0x0000000000600000ul
#define USER_STACK_TOP 0x0000000000800000ul

struct user_space {
    pfn_t root; /* level 4 table, pinned */
};

/** user_space_create - an empty pinned tree. 0 or -errno. */
int user_space_create(struct user_space *us);
/** user_space_destroy - unpin and free the tables; pages mapped in it are the caller's. */
void user_space_destroy(struct user_space *us);
/** user_map_frame - @flags: PTE_RW, PTE_NX ...; present and user are added. 0 or -errno. */
int user_map_frame(struct user_space *us, uint64_t va, mfn_t mfn, uint64_t flags);
/** user_map_page - a new zeroed page; its kernel address in *@page if wanted. 0 or -errno. */
int user_map_page(struct user_space *us, uint64_t va, uint64_t flags, void **page);
/** user_map_code - copy [start, end), one page at most, to a new page and map it executable. */
int user_map_code(struct user_space *us, uint64_t va, const void *start, const void *end);
/** user_run - see above. Returns the vector that ended the run. cs, ss and rflags of @r get
 * usable values where they are 0. */
unsigned user_run(struct user_space *us, struct trap_regs *r);
/** user_activate - tell the hypervisor which tree user mode runs on (user_run does it). */
int user_activate(struct user_space *us);

#endif

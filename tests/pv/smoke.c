/* SPDX-License-Identifier: MIT */
/* Does the ground hold? One short test of each part that other tests build on. */
#include <pv/test.h>

TEST(hypercall_answers)
{
    check_eq(hypercall_xen_version(XENVER_version, NULL), 4 << 16 | 17);
    check_eq(hypercall1(63, 0), -ENOSYS);
}

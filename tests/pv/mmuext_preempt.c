/* SPDX-License-Identifier: MIT */
/* The tests of mmuext.c once more, with every long operation stopped at each second chance: the ABI must look
 * the same however often a call is continued (XSA-296). */
// cmdline: preempt=2
#include "mmuext.c"

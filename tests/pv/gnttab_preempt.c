/* SPDX-License-Identifier: MIT */
/* The tests of gnttab.c once more, with every long operation stopped at each second chance: the ABI must look
 * the same however often a call is continued (XSA-296). */
// domu: name=b mem=32M vcpus=1 -- peer
// cmdline: preempt=2
#include "gnttab.c"

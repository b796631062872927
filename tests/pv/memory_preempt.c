/* SPDX-License-Identifier: MIT */
/* The tests of memory.c once more, with every long operation stopped at each second chance: the ABI must look
 * the same however often a call is continued (XSA-296). */
// domu: name=b mem=32M -- peer
// cmdline: dom0_mem=400M preempt=2
#include "memory.c"

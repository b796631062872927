/* SPDX-License-Identifier: MIT */
/* The tests of mmu.c once more, with every long operation stopped at each second chance: the ABI must look
 * the same however often a call is continued (XSA-296). */
// domu: name=b mem=32M -- peer
// cmdline: preempt=2
#include "mmu.c"

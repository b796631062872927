/* SPDX-License-Identifier: MIT */
/* Limits of this build. Raising one costs memory only. */
#pragma once

#define NR_CPUS     64   /* physical CPUs */
#define MAX_VCPUS   128  /* vcpus of one domain; the shared info page itself holds 32 */
#define MAX_DOMAINS 1024 /* domain ids 0 .. MAX_DOMAINS-1 */

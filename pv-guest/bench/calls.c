/* SPDX-License-Identifier: MIT */
/* Bench rows: plain hypercalls and processor state. */
#include "bench.h"
#include <pv/hypercall.h>
#include <pv/trap.h>

static struct multicall_entry batch[32];

static uint64_t xen_version(void)
{
    return TIMED(hypercall_xen_version(XENVER_version, NULL));
}

static uint64_t unknown(void)
{
    return TIMED(hypercall1(63, 0));
}

static uint64_t multicall(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(batch); i++)
        batch[i] = (struct multicall_entry){.op = __HYPERVISOR_xen_version};
    return TIMED(hypercall_multicall(batch, ARRAY_SIZE(batch)));
}

static uint64_t rdmsr_efer(void)
{
    return TIMED(rdmsr(0xc0000080));
}

static uint64_t cpuid_forced(void)
{
    return TIMED(cpuid_pv(1, 0));
}

static uint64_t clts(void)
{
    return TIMED(__asm__ volatile("clts" ::: "memory"));
}

static uint64_t fpu_taskswitch(void)
{
    return TIMED(hypercall_fpu_taskswitch(1); hypercall_fpu_taskswitch(0));
}

static uint64_t set_segment_base(void)
{
    return TIMED(hypercall_set_segment_base(SEGBASE_FS, 0x1000));
}

static void reset_segment_base(void)
{
    hypercall_set_segment_base(SEGBASE_FS, 0);
}

static volatile uint16_t port = 0x80; /* volatile: so the instructions take it from dx */

/* The guest kernel may use ports once its virtual I/O privilege level is 1. */
static bool prepare_ports(void)
{
    struct physdev_set_iopl op = {.iopl = 1};

    return hypercall_physdev_op(PHYSDEVOP_set_iopl, &op) == 0;
}

static uint64_t port_in(void)
{
    return TIMED(inb(port));
}

static uint64_t port_out(void)
{
    return TIMED(outb(port, 0));
}

const struct bench_row bench_calls[] = {
    {"xen_version", 1, NULL, xen_version, NULL},
    {"unknown_hypercall", 1, NULL, unknown, NULL},
    {"multicall_32", 32, NULL, multicall, NULL},
    {"rdmsr_efer", 1, NULL, rdmsr_efer, NULL},
    {"cpuid_forced", 1, NULL, cpuid_forced, NULL},
    {"clts", 1, NULL, clts, NULL},
    {"fpu_taskswitch", 1, NULL, fpu_taskswitch, NULL},
    {"set_segment_base", 1, NULL, set_segment_base, reset_segment_base},
    {"port_in", 1, prepare_ports, port_in, NULL},
    {"port_out", 1, prepare_ports, port_out, NULL},
    {NULL, 0, NULL, NULL, NULL},
};

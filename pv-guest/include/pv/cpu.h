/* SPDX-License-Identifier: MIT */
/* Instructions of the processor that C has no words for. */
#ifndef PV_CPU_H
#define PV_CPU_H

#include <pv/types.h>
#include <xen/xen.h>

#define barrier() __asm__ volatile("" ::: "memory")
#define mb()      __asm__ volatile("mfence" ::: "memory")
#define rmb()     barrier()
#define wmb()     barrier()

#define READ_ONCE(x)     (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))

#define X86_EFLAGS_CF   (1u << 0)
#define X86_EFLAGS_ZF   (1u << 6)
#define X86_EFLAGS_TF   (1u << 8)
#define X86_EFLAGS_IF   (1u << 9)
#define X86_EFLAGS_DF   (1u << 10)
#define X86_EFLAGS_IOPL (3u << 12)
#define X86_EFLAGS_NT   (1u << 14)
#define X86_EFLAGS_RF   (1u << 16)
#define X86_EFLAGS_AC   (1u << 18)

static inline void cpu_relax(void)
{
    __asm__ volatile("pause" ::: "memory");
}

/** rdtsc - the processor's own counter, not serialising. */
static inline uint64_t rdtsc(void)
{
    uint32_t lo, hi;

    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
    return lo | (uint64_t)hi << 32;
}

struct cpuid {
    uint32_t a, b, c, d;
};

/** cpuid_native - the plain instruction: shows the machine unless the hypervisor faults it. */
static inline struct cpuid cpuid_native(uint32_t leaf, uint32_t sub)
{
    struct cpuid r;

    __asm__ volatile("cpuid" : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d) : "0"(leaf), "2"(sub));
    return r;
}

/** cpuid_pv - cpuid with the forced-emulation prefix: what a PV guest is meant to see. */
static inline struct cpuid cpuid_pv(uint32_t leaf, uint32_t sub)
{
    struct cpuid r;

    __asm__ volatile(XEN_CPUID : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d) : "0"(leaf), "2"(sub));
    return r;
}

static inline uint64_t rdmsr(uint32_t msr)
{
    uint32_t lo, hi;

    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr) : "memory");
    return lo | (uint64_t)hi << 32;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr"
                     :
                     : "a"((uint32_t)value), "d"((uint32_t)(value >> 32)), "c"(msr)
                     : "memory");
}

static inline uint8_t inb(uint16_t port)
{
    uint8_t v;

    __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port) : "memory");
    return v;
}

static inline void outb(uint16_t port, uint8_t v)
{
    __asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

static inline uint16_t inw(uint16_t port)
{
    uint16_t v;

    __asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port) : "memory");
    return v;
}

static inline uint32_t inl(uint16_t port)
{
    uint32_t v;

    __asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port) : "memory");
    return v;
}

static inline void outl(uint16_t port, uint32_t v)
{
    __asm__ volatile("outl %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

static inline uint64_t read_rsp(void)
{
    uint64_t v;

    __asm__ volatile("mov %%rsp, %0" : "=r"(v));
    return v;
}

/* Bits of an array of 64-bit words, atomically against other vcpus and the hypervisor. */
static inline bool test_bit(unsigned bit, const volatile void *words)
{
    return ((const volatile uint64_t *)words)[bit / 64] >> (bit % 64) & 1;
}

static inline bool test_and_set_bit(unsigned bit, volatile void *words)
{
    uint64_t m = 1ul << (bit % 64);

    return __atomic_fetch_or((volatile uint64_t *)words + bit / 64, m, __ATOMIC_SEQ_CST) & m;
}

static inline bool test_and_clear_bit(unsigned bit, volatile void *words)
{
    uint64_t m = 1ul << (bit % 64);

    return __atomic_fetch_and((volatile uint64_t *)words + bit / 64, ~m, __ATOMIC_SEQ_CST) & m;
}

#endif

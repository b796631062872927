/* SPDX-License-Identifier: MIT */
/* Basic types and the few macros that everything uses. Frame numbers of different meaning are
 * different types: to mix them up is a compile error. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct domain;
struct page;
struct vcpu;

typedef struct {
    uint64_t n;
} mfn_t; /* machine frame: known to be below max_page, index into the frame table */

typedef struct {
    uint64_t n;
} gfn_t; /* frame as a guest named it: untrusted until page_from_gfn() has looked it up */

typedef struct {
    uintptr_t va;
} guest_ptr_t; /* an address in the current guest: only copied through, never dereferenced */

typedef uint64_t paddr_t; /* machine address in bytes */
typedef uint16_t domid_t;

static inline mfn_t mfn(uint64_t n)
{
    return (mfn_t){n};
}

static inline gfn_t gfn(uint64_t n)
{
    return (gfn_t){n};
}

static inline guest_ptr_t guest_ptr(uintptr_t va)
{
    return (guest_ptr_t){va};
}

/** guest_ptr_index - the address of element @i of an array of elements of @size bytes; may wrap:
 * the copy routines check the range that is really touched. */
static inline guest_ptr_t guest_ptr_index(guest_ptr_t p, uint64_t i, size_t size)
{
    return (guest_ptr_t){p.va + i * size};
}

/** guest_ptr_of - turn a XEN_GUEST_HANDLE from a structure that was copied in into a pointer. */
#define guest_ptr_of(handle) guest_ptr((uintptr_t)(handle).p)

#define PAGE_SHIFT 12
#define PAGE_SIZE  (1UL << PAGE_SHIFT)
#define PAGE_MASK  (~(PAGE_SIZE - 1))

#define INVALID_MFN_N (~0UL)

#define ARRAY_SIZE(a)      (sizeof(a) / sizeof((a)[0]))
#define ALIGN_UP(x, a)     (((x) + (a)-1) & ~((__typeof__(x))(a)-1))
#define ALIGN_DOWN(x, a)   ((x) & ~((__typeof__(x))(a)-1))
#define DIV_ROUND_UP(x, d) (((x) + (d)-1) / (d))

#define min(a, b)                                                                                  \
    ({                                                                                             \
        __typeof__(a) min_a = (a);                                                                 \
        __typeof__(b) min_b = (b);                                                                 \
        min_a < min_b ? min_a : min_b;                                                             \
    })
#define max(a, b)                                                                                  \
    ({                                                                                             \
        __typeof__(a) max_a = (a);                                                                 \
        __typeof__(b) max_b = (b);                                                                 \
        max_a > max_b ? max_a : max_b;                                                             \
    })

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/** TRY - go on if @expr is 0; else the function returns it, an error. */
#define TRY(expr)                                                                                  \
    do {                                                                                           \
        __typeof__(expr) try_rc = (expr);                                                          \
        if (unlikely(try_rc))                                                                      \
            return try_rc;                                                                         \
    } while (0)

#define __must_check    __attribute__((warn_unused_result))
#define __noreturn      __attribute__((noreturn))
#define __printf(f, a)  __attribute__((format(printf, f, a)))
#define __aligned(n)    __attribute__((aligned(n)))
#define __section(name) __attribute__((section(name)))
#define __ignored       __attribute__((unused)) /* of a parameter */
/* Of a local variable: @fn is called with its address at the end of its block. */
#define __at_end(fn) __attribute__((cleanup(fn), unused))

/* Read or write a word that another CPU or a guest may change: exactly one access. */
#define READ_ONCE(x)     (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))

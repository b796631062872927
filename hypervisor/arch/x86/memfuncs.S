/* SPDX-License-Identifier: MIT */
/* memcpy, memset and memmove with the string instructions: whole words first, then the odd bytes.
 * The compiler calls these for what it does not expand itself. The direction flag is clear by the ABI. */

        .text

        .globl  memcpy
        .type   memcpy, @function
memcpy:
        mov     %rdi, %rax
forward:
        mov     %rdx, %rcx
        shr     $3, %rcx
        rep     movsq
        and     $7, %edx
        jnz     1f
        ret
1:      mov     %edx, %ecx
        rep     movsb
        ret
        .size   memcpy, . - memcpy

        .globl  memset
        .type   memset, @function
memset:
        mov     %rdi, %r8
        movzbl  %sil, %eax
        mov     $0x0101010101010101, %rcx
        imul    %rcx, %rax
        mov     %rdx, %rcx
        shr     $3, %rcx
        rep     stosq
        and     $7, %edx
        jz      1f
        mov     %edx, %ecx
        rep     stosb
1:      mov     %r8, %rax
        ret
        .size   memset, . - memset

/* Forward is wrong only if the destination starts inside the source. */
        .globl  memmove
        .type   memmove, @function
memmove:
        mov     %rdi, %rax
        mov     %rdi, %rcx
        sub     %rsi, %rcx
        cmp     %rdx, %rcx
        jae     forward
        std
        lea     -1(%rdi,%rdx), %rdi     /* the odd bytes at the end, */
        lea     -1(%rsi,%rdx), %rsi
        mov     %edx, %ecx
        and     $7, %ecx
        rep     movsb
        sub     $7, %rdi                /* then words downwards */
        sub     $7, %rsi
        mov     %rdx, %rcx
        shr     $3, %rcx
        rep     movsq
        cld
        ret
        .size   memmove, . - memmove

        .section .note.GNU-stack, "", @progbits

/* SPDX-License-Identifier: MIT */
/* Emulation of the privileged instructions that PV kernels still execute, and of the forced-emulation
 * prefix. The instruction is fetched anew, so it may be another one than that which trapped: what it
 * is decides, with the privilege checks of the hardware, and nothing is assumed (XSA-202, XSA-105).
 * Whatever is not on the list stays an exception for the guest. */
#include <asm/cpu.h>
#include <asm/cpu_policy.h>
#include <asm/decode.h>
#include <asm/fpu.h>
#include <asm/io.h>
#include <asm/mmu.h>
#include <asm/msr.h>
#include <asm/switch.h>
#include <asm/traps.h>
#include <hv/hypercall.h>

size_t guest_fetch(const struct cpu_regs *regs, uint8_t buf[15])
{
    size_t first = min((size_t)15, (size_t)(PAGE_SIZE - (regs->rip & ~PAGE_MASK)));

    if (copy_from_guest(buf, guest_ptr(regs->rip), first))
        return 0;
    if (first < 15 && !copy_from_guest(buf + first, guest_ptr(regs->rip + first), 15 - first))
        return 15;
    return first;
}

/* ---- I/O ports ---- */

/* IOPL is virtual; the guest kernel counts as ring 1 unless it asked for ring 0's rules. */
static bool iopl_ok(const struct vcpu *v)
{
    unsigned int cpl = 3;

    if (guest_in_kernel(v))
        cpl = v->domain->vm_assist & (1u << VMASST_TYPE_architectural_iopl) ? 0 : 1;
    return v->arch.iopl >= cpl;
}

/* The guest's own I/O bitmap, in its kernel's memory: read at each access, so a change takes effect at
 * once (XSA-329). */
static bool iobmp_ok(struct vcpu *v, unsigned int port, unsigned int size)
{
    uint16_t bits;
    int rc;

    if (!v->arch.iobmp || port + size > v->arch.iobmp_limit)
        return false;
    arch_areas_open(v);
    rc = copy_from_guest(&bits, guest_ptr(v->arch.iobmp + port / 8), sizeof(bits));
    arch_areas_close(v);
    return !rc && !(bits >> (port & 7) & ((1u << size) - 1));
}

static bool io_permitted(struct vcpu *v, unsigned int port, unsigned int size)
{
    return iopl_ok(v) || iobmp_ok(v, port, size);
}

/* From here on the kernel needs no help with ports, until it leaves its mode (asm/switch.h). Not where
 * an iret may change its IOPL. */
static void open_ports(const struct vcpu *v)
{
    if (guest_in_kernel(v) && v->arch.iopl &&
        !(v->domain->vm_assist & (1u << VMASST_TYPE_architectural_iopl)) &&
        rangeset_has(&v->domain->arch.ports, 0, IO_PORTS - 1))
        pcpu_self()->arch.tss->iomap = TSS_PORTS_OPEN;
}

static bool emulate_in_out(struct cpu_regs *regs, const struct insn *i)
{
    struct vcpu *v = regs_vcpu(regs);
    uint16_t port = i->src == INSN_SRC_IMM ? (uint8_t)i->imm : (uint16_t)regs->rdx;

    if (!io_permitted(v, port, i->size))
        return false;
    open_ports(v);
    if (i->op == INSN_OUT)
        port_write(v->domain, port, i->size, (uint32_t)regs->rax);
    else
        insn_reg_set(regs, 0, false, i->size, port_read(v->domain, port, i->size));
    return true;
}

/* One element of INS or OUTS; with a repeat prefix the instruction runs again for the next one. */
static bool emulate_string_io(struct cpu_regs *regs, const struct insn *i, bool *again)
{
    struct vcpu *v = regs_vcpu(regs);
    uint16_t port = (uint16_t)regs->rdx;
    bool in = i->op == INSN_INS;
    uint64_t *index = in ? &regs->rdi : &regs->rsi;
    uint32_t val = 0;

    if (!io_permitted(v, port, i->size))
        return false;
    if (i->rep && !regs->rcx)
        return true;
    if (in)
        val = port_read(v->domain, port, i->size);
    if (in ? copy_to_guest(guest_ptr(*index), &val, i->size)
           : copy_from_guest(&val, guest_ptr(*index), i->size)) {
        inject_page_fault(regs, *index, in ? PFEC_W : 0);
        *again = true;
        return true;
    }
    if (!in)
        port_write(v->domain, port, i->size, val);
    *index += regs->rflags & X86_EFLAGS_DF ? -(uint64_t)i->size : i->size;
    if (i->rep)
        *again = --regs->rcx != 0;
    return true;
}

/* ---- control and debug registers ---- */

static bool read_cr(struct vcpu *v, unsigned int n, uint64_t *val)
{
    switch (n) {
    case 0:
        *val = guest_cr0(v);
        return true;
    case 2:
        *val = READ_ONCE(v->info->arch.cr2);
        return true;
    case 3:
        *val = v->arch.table_kernel.n << PAGE_SHIFT;
        return true;
    case 4:
        *val = v->arch.cr4;
        return true;
    default:
        return false;
    }
}

static bool new_root(uint64_t val, bool *again)
{
    int rc = val & ~PAGE_MASK ? -EINVAL : mmu_new_kernel_root(gfn(val >> PAGE_SHIFT));

    *again = rc == -ERESTART;
    return !rc || *again;
}

static bool write_cr(struct vcpu *v, unsigned int n, uint64_t val, bool *again)
{
    switch (n) {
    case 0:
        if ((val ^ read_cr0()) & ~X86_CR0_TS)
            return false;
        fpu_set_ts(v, val & X86_CR0_TS);
        return true;
    case 2:
        WRITE_ONCE(v->info->arch.cr2, val);
        return true;
    case 3:
        return new_root(val, again);
    case 4:
        v->arch.cr4 = val & GUEST_CR4_BITS & (cpu.fsgsbase ? ~0UL : ~X86_CR4_FSGSBASE);
        vcpu_update_cr4(pcpu_self(), v);
        return true;
    default:
        return false;
    }
}

static bool emulate_msr(struct cpu_regs *regs, const struct insn *i)
{
    struct vcpu *v = regs_vcpu(regs);
    uint64_t val = (uint32_t)regs->rax | regs->rdx << 32;

    if (i->op == INSN_WRMSR)
        return guest_wrmsr(v, (uint32_t)regs->rcx, val) == 0;
    if (guest_rdmsr((uint32_t)regs->rcx, &val))
        return false;
    regs->rax = (uint32_t)val;
    regs->rdx = val >> 32;
    return true;
}

static bool emulate_tsc(struct cpu_regs *regs, const struct insn *i)
{
    struct vcpu *v = regs_vcpu(regs);
    uint64_t tsc = rdtsc();

    if (!guest_in_kernel(v)) /* the guest itself has closed the TSC to user mode */
        return false;
    regs->rax = (uint32_t)tsc;
    regs->rdx = tsc >> 32;
    if (i->op == INSN_RDTSCP)
        regs->rcx = 0;
    return true;
}

/* The instructions of ring 0. */
static bool emulate_kernel(struct cpu_regs *regs, const struct insn *i, bool *again)
{
    struct vcpu *v = regs_vcpu(regs);
    uint64_t *reg = regs_gpr(regs, i->rm);

    switch (i->op) {
    case INSN_CLTS:
        fpu_set_ts(v, false);
        return true;
    case INSN_MOV_FROM_CR:
        return read_cr(v, i->reg, reg);
    case INSN_MOV_TO_CR:
        return write_cr(v, i->reg, *reg, again);
    case INSN_MOV_FROM_DR:
        *reg = do_get_debugreg(i->reg);
        return true;
    case INSN_MOV_TO_DR:
        return do_set_debugreg(i->reg, *reg) == 0;
    case INSN_RDMSR:
    case INSN_WRMSR:
        return emulate_msr(regs, i);
    case INSN_INVLPG:
        if (guest_code_ok(insn_address(i, regs)))
            invlpg(insn_address(i, regs));
        return true;
    case INSN_WBINVD:
    case INSN_INVD: /* never without writing back: the cache is everybody's */
        if (has_iomem(v->domain))
            asm volatile("wbinvd" : : : "memory");
        return true;
    case INSN_XSETBV:
        return cpu.xsave && (uint32_t)regs->rcx == 0 &&
               fpu_set_xcr0(v, (uint32_t)regs->rax | regs->rdx << 32) == 0;
    default:
        return false;
    }
}

static bool emulate_insn(struct cpu_regs *regs, const struct insn *i, bool *again)
{
    struct vcpu *v = regs_vcpu(regs);

    switch (i->op) {
    case INSN_IN:
    case INSN_OUT:
        return emulate_in_out(regs, i);
    case INSN_INS:
    case INSN_OUTS:
        return emulate_string_io(regs, i, again);
    case INSN_CLI: /* the upcall mask is what a PV guest masks events with; IF stays on */
    case INSN_STI:
        return iopl_ok(v);
    case INSN_RDTSC:
    case INSN_RDTSCP:
        return emulate_tsc(regs, i);
    case INSN_SMSW: /* traps on CPUs with UMIP */
        insn_reg_set(regs, i->rm, false, i->size, guest_cr0(v));
        return true;
    default:
        return guest_in_kernel(v) && emulate_kernel(regs, i, again);
    }
}

/* The instruction is done: go on behind it; a set TF traps as it would have. */
void emulate_retire(struct cpu_regs *regs, unsigned int length)
{
    regs->rip += length;
    regs->rflags &= ~(uint64_t)X86_EFLAGS_RF;
    if (unlikely(regs->rflags & X86_EFLAGS_TF)) {
        regs_vcpu(regs)->arch.dr6 |= 0xffff4ff0;
        inject_trap(regs, TRAP_DB, 0);
    }
}

bool emulate_privileged(struct cpu_regs *regs)
{
    uint8_t bytes[15];
    size_t len = guest_fetch(regs, bytes);
    struct insn i;
    bool again = false;

    if (insn_decode(bytes, len, &i) || !emulate_insn(regs, &i, &again))
        return false;
    if (!again)
        emulate_retire(regs, i.length);
    return true;
}

/* ud2, "xen", cpuid */
static const uint8_t forced_cpuid[7] = {0x0f, 0x0b, 'x', 'e', 'n', 0x0f, 0xa2};

bool emulate_forced(struct cpu_regs *regs)
{
    uint8_t bytes[8] = {0};
    struct cpuid_leaf leaf;

    if (copy_from_guest(bytes, guest_ptr(regs->rip), sizeof(forced_cpuid)) ||
        memcmp(bytes, forced_cpuid, sizeof(forced_cpuid)))
        return false;
    guest_cpuid(regs_vcpu(regs), (uint32_t)regs->rax, (uint32_t)regs->rcx, &leaf);
    regs->rax = leaf.a;
    regs->rbx = leaf.b;
    regs->rcx = leaf.c;
    regs->rdx = leaf.d;
    emulate_retire(regs, sizeof(forced_cpuid));
    return true;
}

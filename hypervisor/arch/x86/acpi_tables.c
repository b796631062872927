/* SPDX-License-Identifier: MIT */
/* Reads ACPI tables (ACPI 6.4 chapter 5.2; HPET and MCFG by their own specifications). Firmware is
 * full of surprises: a table is used only with the right checksum, a field only when the table is
 * long enough to have it, and a bad table costs no more than what it would have told. */
#include <asm/acpi_tables.h>

#include <hv/lib.h>

#define TABLE_MAX   (4u << 20) /* no table is that long */
#define HEADER_SIZE 36
#define RSDP_SIZE_1 20 /* ACPI 1.0: covered by the first checksum */
#define RSDP_SIZE_2 36

struct table {
    uint64_t paddr;
    uint32_t len; /* with the header; at least HEADER_SIZE, all of it within reach */
    char sig[4];
};

/* What every parser here needs. */
struct reading {
    const struct phys_reader *r;
    struct acpi_info *info;
};

static int fail(struct acpi_info *info, int err, const char *why)
{
    info->error = why;
    return err;
}

/* 0 when the bytes add up to 0 as they should; -EINVAL; -EFAULT. */
static int check_sum(const struct phys_reader *r, uint64_t paddr, uint32_t len)
{
    uint8_t buf[PHYS_READ_MAX], sum = 0;

    while (len) {
        uint32_t n = min(len, (uint32_t)sizeof(buf));

        if (phys_read(r, paddr, buf, n))
            return -EFAULT;
        for (uint32_t i = 0; i < n; i++)
            sum = (uint8_t)(sum + buf[i]);
        paddr += n;
        len -= n;
    }
    return sum ? -EINVAL : 0;
}

static int open_table(const struct phys_reader *r, uint64_t paddr, struct table *t)
{
    uint8_t head[HEADER_SIZE];

    if (phys_read(r, paddr, head, sizeof(head)))
        return -EFAULT;
    t->paddr = paddr;
    memcpy(t->sig, head, 4);
    memcpy(&t->len, head + 4, 4);
    if (t->len < HEADER_SIZE || t->len > TABLE_MAX)
        return -EINVAL;
    return check_sum(r, paddr, t->len);
}

/* A field of at most 8 bytes, 0 when the table ends before it. */
static uint64_t field(const struct reading *rd, const struct table *t, uint32_t off, uint32_t size)
{
    uint64_t val = 0;

    if (off > t->len || size > t->len - off || phys_read(rd->r, t->paddr + off, &val, size))
        return 0;
    return val;
}

/* A register's generic address structure: space, bits, offset, access, address. */
static struct acpi_reg reg_at(const struct reading *rd, const struct table *t, uint32_t off)
{
    return (struct acpi_reg){
        .addr = field(rd, t, off + 4, 8),
        .space = (uint8_t)field(rd, t, off, 1),
        .bits = (uint8_t)field(rd, t, off + 1, 1),
    };
}

/* ---- MADT ---- */

enum {
    MADT_LAPIC = 0,
    MADT_IOAPIC = 1,
    MADT_OVERRIDE = 2,
    MADT_NMI = 3,
    MADT_LAPIC_NMI = 4,
    MADT_LAPIC_ADDR = 5,
    MADT_X2APIC = 9,
    MADT_X2APIC_NMI = 10,
};

#define MADT_ENTRIES 44
#define APIC_ENABLED 1u

/* The next place in an array of @max, or NULL and a note that something was lost. */
#define NEXT(info, array, nr, max)                                                                 \
    ((info)->nr < (max) ? &(info)->array[(info)->nr++] : ((info)->lost = true, NULL))

static void add_cpu(struct acpi_info *info, uint32_t apic_id, uint32_t uid, uint32_t flags)
{
    struct acpi_cpu *cpu;

    if (!(flags & APIC_ENABLED)) {
        info->nr_disabled++;
        return;
    }
    for (unsigned int i = 0; i < info->nr_cpus; i++) {
        if (info->cpu[i].apic_id == apic_id)
            return; /* named as local APIC and as x2APIC */
    }
    cpu = NEXT(info, cpu, nr_cpus, ACPI_MAX_CPUS);
    if (cpu)
        *cpu = (struct acpi_cpu){apic_id, uid};
}

static void add_nmi(struct acpi_info *info, bool local, uint32_t uid, uint32_t pin, uint16_t flags)
{
    struct acpi_nmi *nmi = NEXT(info, nmi, nr_nmis, ACPI_MAX_NMIS);

    if (nmi)
        *nmi = (struct acpi_nmi){.local = local, .uid = uid, .pin = pin, .flags = flags};
}

static void add_ioapic(struct acpi_info *info, uint8_t id, uint32_t addr, uint32_t gsi_base)
{
    struct acpi_ioapic *io = NEXT(info, ioapic, nr_ioapics, ACPI_MAX_IOAPICS);

    if (io)
        *io = (struct acpi_ioapic){.addr = addr, .gsi_base = gsi_base, .id = id};
}

static void add_override(struct acpi_info *info, uint8_t irq, uint32_t gsi, uint16_t flags)
{
    struct acpi_override *o = NEXT(info, override, nr_overrides, ACPI_MAX_OVERRIDES);

    if (o)
        *o = (struct acpi_override){.gsi = gsi, .flags = flags, .irq = irq};
}

static uint16_t get16(const uint8_t *p)
{
    uint16_t v;

    memcpy(&v, p, sizeof(v));
    return v;
}

static uint32_t get32(const uint8_t *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof(v));
    return v;
}

/* Processors are named by 8 bits here and by 32 in x2APIC entries; all ones means all of them. */
static uint32_t wide_uid(uint8_t uid)
{
    return uid == 0xff ? ACPI_ALL_CPUS : uid;
}

/* @e holds the entry, zero-filled when it is shorter than 16 bytes. */
static void madt_entry(struct acpi_info *info, const uint8_t e[16])
{
    switch (e[0]) {
    case MADT_LAPIC:
        add_cpu(info, e[3], e[2], get32(e + 4));
        break;
    case MADT_X2APIC:
        add_cpu(info, get32(e + 4), get32(e + 12), get32(e + 8));
        break;
    case MADT_IOAPIC:
        add_ioapic(info, e[2], get32(e + 4), get32(e + 8));
        break;
    case MADT_OVERRIDE:
        add_override(info, e[3], get32(e + 4), get16(e + 8));
        break;
    case MADT_NMI:
        add_nmi(info, false, 0, get32(e + 4), get16(e + 2));
        break;
    case MADT_LAPIC_NMI:
        add_nmi(info, true, wide_uid(e[2]), e[5], get16(e + 3));
        break;
    case MADT_X2APIC_NMI:
        add_nmi(info, true, get32(e + 4), e[8], get16(e + 2));
        break;
    case MADT_LAPIC_ADDR:
        memcpy(&info->lapic_addr, e + 4, 8);
        break;
    default:
        break;
    }
}

/* Bytes an entry of a type must have to be believed. */
static uint8_t madt_entry_size(uint8_t type)
{
    static const uint8_t size[] = {
        [MADT_LAPIC] = 8,     [MADT_IOAPIC] = 12,     [MADT_OVERRIDE] = 10, [MADT_NMI] = 8,
        [MADT_LAPIC_NMI] = 6, [MADT_LAPIC_ADDR] = 12, [MADT_X2APIC] = 16,   [MADT_X2APIC_NMI] = 12,
    };

    return type < ARRAY_SIZE(size) ? size[type] : 0;
}

static int parse_madt(const struct reading *rd, const struct table *t)
{
    struct acpi_info *info = rd->info;
    uint32_t off = MADT_ENTRIES;

    info->have_madt = true;
    info->lapic_addr = field(rd, t, 36, 4);
    info->pcat_compat = field(rd, t, 40, 4) & 1;
    while (off < t->len && t->len - off >= 2) {
        uint8_t e[16] = {0};

        if (phys_read(rd->r, t->paddr + off, e, min(t->len - off, 16u)))
            return -EFAULT;
        if (e[1] < 2 || e[1] > t->len - off)
            return -EINVAL; /* what came before it still counts */
        if (e[1] < sizeof(e))
            memset(e + e[1], 0, sizeof(e) - e[1]);
        if (e[1] >= madt_entry_size(e[0]))
            madt_entry(info, e);
        off += e[1];
    }
    return 0;
}

/* ---- HPET, MCFG ---- */

static int parse_hpet(const struct reading *rd, const struct table *t)
{
    struct acpi_info *info = rd->info;
    struct acpi_reg base = reg_at(rd, t, 40);

    if (base.space != ACPI_SPACE_MEMORY || base.addr == 0)
        return -EINVAL;
    info->have_hpet = true;
    info->hpet_addr = base.addr;
    info->hpet_id = (uint32_t)field(rd, t, 36, 4);
    info->hpet_number = (uint8_t)field(rd, t, 52, 1);
    info->hpet_min_tick = (uint16_t)field(rd, t, 53, 2);
    return 0;
}

static int parse_mcfg(const struct reading *rd, const struct table *t)
{
    for (uint32_t off = 44; off < t->len && t->len - off >= 16; off += 16) {
        struct acpi_mcfg m = {
            .base = field(rd, t, off, 8),
            .segment = (uint16_t)field(rd, t, off + 8, 2),
            .start_bus = (uint8_t)field(rd, t, off + 10, 1),
            .end_bus = (uint8_t)field(rd, t, off + 11, 1),
        };
        struct acpi_mcfg *to;

        if (m.base == 0 || m.start_bus > m.end_bus)
            continue;
        to = NEXT(rd->info, mcfg, nr_mcfg, ACPI_MAX_MCFG);
        if (to)
            *to = m;
    }
    return 0;
}

/* ---- FADT ---- */

/* A register block is given twice: @old is a port number, @ext a generic address that came with
 * ACPI 2.0 and goes before it when it is filled in. @len bytes is the length of the old form. */
static struct acpi_reg fadt_reg(const struct reading *rd, const struct table *t, uint32_t old,
                                uint32_t ext, uint32_t len)
{
    struct acpi_reg reg = reg_at(rd, t, ext);

    if (reg.addr == 0) {
        reg.addr = field(rd, t, old, 4);
        reg.space = ACPI_SPACE_IO;
        reg.bits = (uint8_t)min(len * 8, 248u);
    }
    if (reg.addr == 0)
        return (struct acpi_reg){0};
    return reg;
}

/* An address of 64 bits that goes before an older one of 32. */
static uint64_t fadt_addr(const struct reading *rd, const struct table *t, uint32_t old,
                          uint32_t ext)
{
    uint64_t addr = field(rd, t, ext, 8);

    return addr ? addr : field(rd, t, old, 4);
}

static void parse_pm_timer(const struct reading *rd, const struct table *t)
{
    struct acpi_reg *timer = &rd->info->fadt.pm_timer;

    *timer = (struct acpi_reg){0};
    if (field(rd, t, 91, 1) == 4) /* its length; 0 when the machine has none */
        *timer = fadt_reg(rd, t, 76, 208, 4);
    if (timer->addr)
        timer->bits = rd->info->fadt.flags & ACPI_FADT_TMR_VAL_EXT ? 32 : 24;
}

static int parse_fadt(const struct reading *rd, const struct table *t)
{
    struct acpi_info *info = rd->info;
    uint32_t evt_len = (uint32_t)field(rd, t, 88, 1), cnt_len = (uint32_t)field(rd, t, 89, 1);

    info->have_fadt = true;
    info->fadt.facs = fadt_addr(rd, t, 36, 132);
    info->fadt.dsdt = fadt_addr(rd, t, 40, 140);
    info->fadt.sci = (uint16_t)field(rd, t, 46, 2);
    info->fadt.smi_cmd = (uint32_t)field(rd, t, 48, 4);
    info->fadt.acpi_enable = (uint8_t)field(rd, t, 52, 1);
    info->fadt.century = (uint8_t)field(rd, t, 108, 1);
    info->fadt.boot_arch = (uint16_t)field(rd, t, 109, 2);
    info->fadt.flags = (uint32_t)field(rd, t, 112, 4);
    info->fadt.pm1a_evt = fadt_reg(rd, t, 56, 148, evt_len);
    info->fadt.pm1b_evt = fadt_reg(rd, t, 60, 160, evt_len);
    info->fadt.pm1a_cnt = fadt_reg(rd, t, 64, 172, cnt_len);
    info->fadt.pm1b_cnt = fadt_reg(rd, t, 68, 184, cnt_len);
    parse_pm_timer(rd, t);
    if (info->fadt.flags & ACPI_FADT_RESET_REG_SUP) {
        info->fadt.reset = reg_at(rd, t, 116);
        info->fadt.reset_value = (uint8_t)field(rd, t, 128, 1);
    }
    return 0;
}

/* ---- RSDP and root table ---- */

static uint8_t sum_of(const uint8_t *p, size_t len)
{
    uint8_t sum = 0;

    while (len--)
        sum = (uint8_t)(sum + *p++);
    return sum;
}

static bool rsdp_valid(const uint8_t rsdp[RSDP_SIZE_1])
{
    return memcmp(rsdp, "RSD PTR ", 8) == 0 && sum_of(rsdp, RSDP_SIZE_1) == 0;
}

/* It lies on a 16-byte boundary. 0 when it is not in [from, from + len). */
static uint64_t scan_rsdp(const struct phys_reader *r, uint64_t from, uint32_t len)
{
    for (uint32_t off = 0; off + RSDP_SIZE_1 <= len; off += 16) {
        uint8_t rsdp[RSDP_SIZE_1];

        if (phys_read(r, from + off, rsdp, sizeof(rsdp)) == 0 && rsdp_valid(rsdp))
            return from + off;
    }
    return 0;
}

uint64_t acpi_find_rsdp(const struct phys_reader *r)
{
    uint16_t ebda = 0; /* the BIOS keeps its segment at 0x40e */
    uint64_t found = 0;

    if (phys_read(r, 0x40e, &ebda, sizeof(ebda)) == 0 && ebda >= 0x8000 && ebda < 0xa000)
        found = scan_rsdp(r, (uint64_t)ebda << 4, 1024);
    return found ? found : scan_rsdp(r, 0xe0000, 0x20000);
}

static bool parse_one(const struct reading *rd, const struct table *t)
{
    static const struct {
        char sig[5];
        int (*parse)(const struct reading *rd, const struct table *t);
    } known[] = {
        {"APIC", parse_madt},
        {"HPET", parse_hpet},
        {"FACP", parse_fadt},
        {"MCFG", parse_mcfg},
    };

    for (unsigned int i = 0; i < ARRAY_SIZE(known); i++) {
        if (memcmp(t->sig, known[i].sig, 4) == 0)
            return known[i].parse(rd, t) == 0;
    }
    return true;
}

/* Only the first of several tables with one signature counts. Those of no interest are neither
 * checked nor read beyond their header. */
static void parse_root(const struct reading *rd, const struct table *root, uint32_t width)
{
    static const char wanted[] = "APICHPETFACPMCFG";
    unsigned int seen = 0;

    for (uint32_t off = HEADER_SIZE; root->len - off >= width; off += width) {
        uint64_t paddr = field(rd, root, off, width);
        struct table t;
        char sig[4];
        unsigned int i = 0;

        if (paddr == 0)
            continue;
        if (phys_read(rd->r, paddr, sig, sizeof(sig))) {
            rd->info->bad_tables++;
            continue;
        }
        while (wanted[i] && memcmp(sig, wanted + i, 4))
            i += 4;
        if (!wanted[i] || (seen & (1u << i)))
            continue;
        if (open_table(rd->r, paddr, &t)) {
            rd->info->bad_tables++;
            continue;
        }
        seen |= 1u << i;
        if (!parse_one(rd, &t))
            rd->info->bad_tables++;
    }
}

/* Copies what there is of the RSDP, zero-filled, and checks it. */
static int take_rsdp(const struct reading *rd, uint64_t paddr, const void *copy, size_t len,
                     uint8_t rsdp[RSDP_SIZE_2])
{
    memset(rsdp, 0, RSDP_SIZE_2);
    if (copy && len >= RSDP_SIZE_1) {
        memcpy(rsdp, copy, len >= RSDP_SIZE_2 ? RSDP_SIZE_2 : RSDP_SIZE_1);
    } else {
        if (paddr == 0)
            return fail(rd->info, -ENOENT, "ACPI: no RSDP");
        if (phys_read(rd->r, paddr, rsdp, RSDP_SIZE_1))
            return fail(rd->info, -EFAULT, "ACPI: the RSDP is out of reach");
        if (rsdp[15] >= 2 && phys_read(rd->r, paddr, rsdp, RSDP_SIZE_2))
            return fail(rd->info, -EFAULT, "ACPI: the RSDP is out of reach");
        rd->info->rsdp = paddr;
    }
    if (!rsdp_valid(rsdp))
        return fail(rd->info, -EINVAL, "ACPI: the RSDP has a bad signature or checksum");
    return 0;
}

static bool open_root(const struct reading *rd, uint64_t paddr, const char *sig, struct table *root)
{
    return paddr && open_table(rd->r, paddr, root) == 0 && memcmp(root->sig, sig, 4) == 0;
}

int acpi_parse(const struct phys_reader *r, uint64_t rsdp_paddr, const void *copy, size_t copy_len,
               struct acpi_info *info)
{
    const struct reading rd = {r, info};
    uint8_t rsdp[RSDP_SIZE_2];
    uint64_t xsdt = 0;
    struct table root;
    uint32_t width = 8;
    int rc;

    memset(info, 0, sizeof(*info));
    rc = take_rsdp(&rd, rsdp_paddr, copy, copy_len, rsdp);
    if (rc)
        return rc;
    info->revision = rsdp[15];
    if (info->revision >= 2 && get32(rsdp + 20) == RSDP_SIZE_2 && sum_of(rsdp, RSDP_SIZE_2) == 0)
        memcpy(&xsdt, rsdp + 24, sizeof(xsdt));

    if (!open_root(&rd, xsdt, "XSDT", &root)) {
        width = 4;
        if (!open_root(&rd, get32(rsdp + 16), "RSDT", &root))
            return fail(info, -EINVAL, "ACPI: neither XSDT nor RSDT can be used");
    }
    info->root = root.paddr;
    parse_root(&rd, &root, width);
    return 0;
}

/* ---- Sleep states ---- */

/* An AML integer at @off of the DSDT: ZeroOp, OneOp or BytePrefix. Moves @off past it. */
static int aml_byte(const struct reading *rd, const struct table *t, uint32_t *off, uint8_t *val)
{
    uint8_t op = (uint8_t)field(rd, t, *off, 1);

    if (*off >= t->len || (op > 1 && op != 0x0a))
        return -ENOENT;
    *val = op == 0x0a ? (uint8_t)field(rd, t, *off + 1, 1) : op;
    *off += op == 0x0a ? 2 : 1;
    return 0;
}

/* `Name (_Sx_, Package () { a, b, ... })`: NameOp, perhaps the root's backslash, the name,
 * PackageOp, a length of 1 to 4 bytes, the number of elements, the elements. */
static int aml_package(const struct reading *rd, const struct table *t, uint32_t name, uint8_t *a,
                       uint8_t *b)
{
    uint8_t before = (uint8_t)field(rd, t, name - 1, 1);
    uint32_t off = name + 4;

    if (before == '\\')
        before = (uint8_t)field(rd, t, name - 2, 1);
    if (before != 0x08 || field(rd, t, off, 1) != 0x12)
        return -ENOENT;
    off += 2 + (uint32_t)(field(rd, t, off + 1, 1) >> 6); /* top bits: further length bytes */
    if (field(rd, t, off, 1) < 2)
        return -ENOENT;
    off++;
    if (aml_byte(rd, t, &off, a) || aml_byte(rd, t, &off, b) || *a > 7 || *b > 7)
        return -ENOENT; /* a field of three bits */
    return 0;
}

int acpi_pm1_sleep_type(const struct phys_reader *r, const struct acpi_info *info,
                        unsigned int state, uint8_t *type_a, uint8_t *type_b)
{
    const struct reading rd = {r, NULL};
    const char name[4] = {'_', 'S', (char)('0' + state), '_'};
    struct table dsdt;
    uint8_t a, b;

    if (state > 5 || info->fadt.dsdt == 0)
        return -ENOENT;
    if (open_table(r, info->fadt.dsdt, &dsdt))
        return -EFAULT;
    for (uint32_t off = HEADER_SIZE + 2; off < dsdt.len && dsdt.len - off > 4; off++) {
        uint32_t word = (uint32_t)field(&rd, &dsdt, off, 4);

        if (memcmp(&word, name, 4) == 0 && aml_package(&rd, &dsdt, off, &a, &b) == 0) {
            *type_a = a;
            *type_b = b;
            return 0;
        }
    }
    return -ENOENT;
}

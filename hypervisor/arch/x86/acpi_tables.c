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
    const struct phys_reader *r;
    uint64_t paddr;
    uint32_t len; /* with the header; at least HEADER_SIZE, all of it within reach */
    char sig[4];
};

static uint8_t sum_of(const uint8_t *p, size_t len)
{
    uint8_t sum = 0;

    while (len--)
        sum = (uint8_t)(sum + *p++);
    return sum;
}

/* 0 when the bytes add up to 0 as they should; -EINVAL; -EFAULT. */
static int check_sum(const struct phys_reader *r, uint64_t paddr, uint32_t len)
{
    uint8_t buf[PHYS_READ_MAX], sum = 0;

    while (len) {
        uint32_t n = min(len, (uint32_t)sizeof(buf));

        if (phys_read(r, paddr, buf, n))
            return -EFAULT;
        sum = (uint8_t)(sum + sum_of(buf, n));
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
    t->r = r;
    t->paddr = paddr;
    memcpy(t->sig, head, 4);
    memcpy(&t->len, head + 4, 4);
    if (t->len < HEADER_SIZE || t->len > TABLE_MAX)
        return -EINVAL;
    return check_sum(r, paddr, t->len);
}

/* A field of at most 8 bytes, 0 when the table ends before it. */
static uint64_t field(const struct table *t, uint32_t off, uint32_t size)
{
    uint64_t val = 0;

    if (off > t->len || size > t->len - off || phys_read(t->r, t->paddr + off, &val, size))
        return 0;
    return val;
}

/* A register's generic address structure: space, bits, offset, access, address. */
static struct acpi_reg reg_at(const struct table *t, uint32_t off)
{
    return (struct acpi_reg){
        .addr = field(t, off + 4, 8),
        .space = (uint8_t)field(t, off, 1),
        .bits = (uint8_t)field(t, off + 1, 1),
    };
}

/* ---- MADT ---- */

enum {
    MADT_LAPIC = 0,
    MADT_IOAPIC = 1,
    MADT_OVERRIDE = 2,
    MADT_X2APIC = 9,
};

#define MADT_ENTRIES 44
#define APIC_ENABLED 1u

/* One more element, or a note that something was lost. */
#define APPEND(info, array, nr, ...)                                                               \
    do {                                                                                           \
        if ((info)->nr < ARRAY_SIZE((info)->array))                                                \
            (info)->array[(info)->nr++] = (__typeof__((info)->array[0])){__VA_ARGS__};             \
        else                                                                                       \
            (info)->lost = true;                                                                   \
    } while (0)

static void add_cpu(struct acpi_info *info, uint32_t apic_id, uint32_t uid, uint32_t flags)
{
    if (!(flags & APIC_ENABLED))
        return;
    for (unsigned int i = 0; i < info->nr_cpus; i++)
        if (info->cpu[i].apic_id == apic_id)
            return; /* named as local APIC and as x2APIC */
    APPEND(info, cpu, nr_cpus, apic_id, uid);
}

static uint32_t get(const uint8_t *p, unsigned int bytes)
{
    uint32_t v = 0;

    memcpy(&v, p, bytes);
    return v;
}

/* @e holds the entry, zero-filled when it is shorter than 16 bytes. Too short a one is not believed. */
static void madt_entry(struct acpi_info *info, const uint8_t e[16])
{
    uint8_t len = e[1];

    if (e[0] == MADT_LAPIC && len >= 8)
        add_cpu(info, e[3], e[2], get(e + 4, 4));
    else if (e[0] == MADT_X2APIC && len >= 16)
        add_cpu(info, get(e + 4, 4), get(e + 12, 4), get(e + 8, 4));
    else if (e[0] == MADT_IOAPIC && len >= 12)
        APPEND(info, ioapic, nr_ioapics, .addr = get(e + 4, 4), .gsi_base = get(e + 8, 4),
               .id = e[2]);
    else if (e[0] == MADT_OVERRIDE && len >= 10)
        APPEND(info, override, nr_overrides, get(e + 4, 4), get(e + 8, 2), .irq = e[3]);
}

static int parse_madt(struct acpi_info *info, const struct table *t)
{
    uint32_t off = MADT_ENTRIES;

    info->have_madt = true;
    while (off < t->len && t->len - off >= 2) {
        uint8_t e[16] = {0};

        if (phys_read(t->r, t->paddr + off, e, min(t->len - off, 16u)))
            return -EFAULT;
        if (e[1] < 2 || e[1] > t->len - off)
            return -EINVAL; /* what came before it still counts */
        if (e[1] < sizeof(e))
            memset(e + e[1], 0, sizeof(e) - e[1]);
        madt_entry(info, e);
        off += e[1];
    }
    return 0;
}

/* ---- HPET, MCFG ---- */

static int parse_hpet(struct acpi_info *info, const struct table *t)
{
    struct acpi_reg base = reg_at(t, 40);

    if (base.space != ACPI_SPACE_MEMORY || base.addr == 0)
        return -EINVAL;
    info->have_hpet = true;
    info->hpet_addr = base.addr;
    return 0;
}

static int parse_mcfg(struct acpi_info *info, const struct table *t)
{
    for (uint32_t off = 44; off < t->len && t->len - off >= 16; off += 16) {
        uint8_t start = field(t, off + 10, 1), end = field(t, off + 11, 1);
        uint64_t base = field(t, off, 8);

        if (base && start <= end)
            APPEND(info, mcfg, nr_mcfg, base, field(t, off + 8, 2), start, end);
    }
    return 0;
}

/* ---- FADT ---- */

/* A register block is given twice: @old is a port number, @ext a generic address that came with
 * ACPI 2.0 and goes before it when it is filled in. @len bytes is the length of the old form. */
static struct acpi_reg fadt_reg(const struct table *t, uint32_t old, uint32_t ext, uint32_t len)
{
    struct acpi_reg reg = reg_at(t, ext);

    if (reg.addr == 0) {
        reg.addr = field(t, old, 4);
        reg.space = ACPI_SPACE_IO;
        reg.bits = (uint8_t)min(len * 8, 248u);
    }
    return reg.addr ? reg : (struct acpi_reg){0};
}

static struct acpi_reg pm_timer(const struct table *t, uint32_t flags)
{
    struct acpi_reg reg = {0};

    if (field(t, 91, 1) == 4) /* its length; 0 when the machine has none */
        reg = fadt_reg(t, 76, 208, 4);
    if (reg.addr)
        reg.bits = flags & ACPI_FADT_TMR_VAL_EXT ? 32 : 24;
    return reg;
}

static int parse_fadt(struct acpi_info *info, const struct table *t)
{
    uint32_t cnt_len = field(t, 89, 1), flags = field(t, 112, 4);

    info->have_fadt = true;
    info->fadt = (__typeof__(info->fadt)){
        .dsdt = field(t, 140, 8) ?: field(t, 40, 4), /* of 64 bits, of 32 */
        .smi_cmd = field(t, 48, 4),
        .acpi_enable = field(t, 52, 1),
        .century = field(t, 108, 1),
        .boot_arch = field(t, 109, 2),
        .flags = flags,
        .pm1a_cnt = fadt_reg(t, 64, 172, cnt_len),
        .pm1b_cnt = fadt_reg(t, 68, 184, cnt_len),
        .pm_timer = pm_timer(t, flags),
    };
    if (flags & ACPI_FADT_RESET_REG_SUP) {
        info->fadt.reset = reg_at(t, 116);
        info->fadt.reset_value = field(t, 128, 1);
    }
    return 0;
}

/* ---- RSDP and root table ---- */

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

static const struct {
    char sig[5];
    int (*parse)(struct acpi_info *info, const struct table *t);
} known[] = {
    {"APIC", parse_madt},
    {"HPET", parse_hpet},
    {"FACP", parse_fadt},
    {"MCFG", parse_mcfg},
};

/* Only the first of several tables with one signature counts. Those of no interest are neither
 * checked nor read beyond their header. False: the table is bad. */
static bool parse_table(struct acpi_info *info, const struct phys_reader *r, uint64_t paddr,
                        unsigned int *seen)
{
    unsigned int i = 0;
    struct table t;
    char sig[4];

    if (phys_read(r, paddr, sig, sizeof(sig)))
        return false;
    while (i < ARRAY_SIZE(known) && memcmp(sig, known[i].sig, sizeof(sig)))
        i++;
    if (i == ARRAY_SIZE(known) || (*seen & 1u << i))
        return true;
    if (open_table(r, paddr, &t))
        return false;
    *seen |= 1u << i;
    return known[i].parse(info, &t) == 0;
}

static void parse_root(struct acpi_info *info, const struct table *root, uint32_t width)
{
    unsigned int seen = 0;

    for (uint32_t off = HEADER_SIZE; root->len - off >= width; off += width) {
        uint64_t paddr = field(root, off, width);

        if (paddr && !parse_table(info, root->r, paddr, &seen))
            info->bad_tables++;
    }
}

/* Copies what there is of the RSDP, zero-filled, and checks it. */
static int take_rsdp(struct acpi_info *info, const struct phys_reader *r, uint64_t paddr,
                     const void *copy, size_t len, uint8_t rsdp[RSDP_SIZE_2])
{
    memset(rsdp, 0, RSDP_SIZE_2);
    if (copy && len >= RSDP_SIZE_1) {
        memcpy(rsdp, copy, len >= RSDP_SIZE_2 ? RSDP_SIZE_2 : RSDP_SIZE_1);
    } else if (paddr == 0) {
        return fail_with(info, -ENOENT, "ACPI: no RSDP");
    } else {
        if (phys_read(r, paddr, rsdp, RSDP_SIZE_1) ||
            (rsdp[15] >= 2 && phys_read(r, paddr, rsdp, RSDP_SIZE_2)))
            return fail_with(info, -EFAULT, "ACPI: the RSDP is out of reach");
        info->rsdp = paddr;
    }
    if (!rsdp_valid(rsdp))
        return fail_with(info, -EINVAL, "ACPI: the RSDP has a bad signature or checksum");
    return 0;
}

static bool open_root(const struct phys_reader *r, uint64_t paddr, const char *sig,
                      struct table *root)
{
    return paddr && open_table(r, paddr, root) == 0 && memcmp(root->sig, sig, 4) == 0;
}

int acpi_parse(const struct phys_reader *r, uint64_t rsdp_paddr, const void *copy, size_t copy_len,
               struct acpi_info *info)
{
    uint8_t rsdp[RSDP_SIZE_2];
    uint64_t xsdt = 0;
    struct table root;
    uint32_t width = 8;

    memset(info, 0, sizeof(*info));
    TRY(take_rsdp(info, r, rsdp_paddr, copy, copy_len, rsdp));
    info->revision = rsdp[15];
    if (info->revision >= 2 && get(rsdp + 20, 4) == RSDP_SIZE_2 && sum_of(rsdp, RSDP_SIZE_2) == 0)
        memcpy(&xsdt, rsdp + 24, sizeof(xsdt));

    if (!open_root(r, xsdt, "XSDT", &root)) {
        width = 4;
        if (!open_root(r, get(rsdp + 16, 4), "RSDT", &root))
            return fail_with(info, -EINVAL, "ACPI: neither XSDT nor RSDT can be used");
    }
    info->root = root.paddr;
    parse_root(info, &root, width);
    return 0;
}

/* ---- Sleep states ---- */

/* An AML integer at @off of the DSDT: ZeroOp, OneOp or BytePrefix. Moves @off past it. */
static int aml_byte(const struct table *t, uint32_t *off, uint8_t *val)
{
    uint8_t op = (uint8_t)field(t, *off, 1);

    if (*off >= t->len || (op > 1 && op != 0x0a))
        return -ENOENT;
    *val = op == 0x0a ? (uint8_t)field(t, *off + 1, 1) : op;
    *off += op == 0x0a ? 2 : 1;
    return 0;
}

/* `Name (_Sx_, Package () { a, b, ... })`: NameOp, perhaps the root's backslash, the name,
 * PackageOp, a length of 1 to 4 bytes, the number of elements, the elements. */
static int aml_package(const struct table *t, uint32_t name, uint8_t *a, uint8_t *b)
{
    uint8_t before = (uint8_t)field(t, name - 1, 1);
    uint32_t off = name + 4;

    if (before == '\\')
        before = (uint8_t)field(t, name - 2, 1);
    if (before != 0x08 || field(t, off, 1) != 0x12)
        return -ENOENT;
    off += 2 + (uint32_t)(field(t, off + 1, 1) >> 6); /* top bits: further length bytes */
    if (field(t, off, 1) < 2)
        return -ENOENT;
    off++;
    if (aml_byte(t, &off, a) || aml_byte(t, &off, b) || *a > 7 || *b > 7)
        return -ENOENT; /* a field of three bits */
    return 0;
}

int acpi_pm1_sleep_type(const struct phys_reader *r, const struct acpi_info *info,
                        unsigned int state, uint8_t *type_a, uint8_t *type_b)
{
    const char name[4] = {'_', 'S', (char)('0' + state), '_'};
    struct table dsdt;
    uint8_t a, b;

    if (state > 5 || info->fadt.dsdt == 0)
        return -ENOENT;
    if (open_table(r, info->fadt.dsdt, &dsdt))
        return -EFAULT;
    for (uint32_t off = HEADER_SIZE + 2; off < dsdt.len && dsdt.len - off > 4; off++) {
        uint32_t word = field(&dsdt, off, 4);

        if (memcmp(&word, name, 4) == 0 && aml_package(&dsdt, off, &a, &b) == 0) {
            *type_a = a;
            *type_b = b;
            return 0;
        }
    }
    return -ENOENT;
}

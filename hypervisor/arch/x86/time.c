/* SPDX-License-Identifier: MIT */
/* Time: the TSC, measured at boot against a clock of known frequency, is the only one from then on.
 *
 * System time is ns = (tsc - base) scaled by (mul, shift), exactly as guests compute it from the
 * record that the ABI gives them; so guest and hypervisor agree to the nanosecond. All pcpus scale
 * alike. A pcpu whose TSC differs measurably from the boot CPU's has a base of its own. The record
 * of a vcpu changes only when its pcpu's base does: mostly it is written once. */
#include <asm/boot.h>
#include <asm/cpu.h>
#include <asm/io.h>
#include <asm/processor.h>
#include <asm/system.h>
#include <hv/domain.h>
#include <hv/guest_access.h>

#define PIT_HZ      1193182u
#define PM_TIMER_HZ 3579545u

static uint64_t tsc_khz = 2000000; /* a guess, until measured */
static uint32_t scale_mul;
static int scale_shift;
static uint64_t tsc_base[NR_CPUS]; /* the TSC of each pcpu at system time 0 */

static uint64_t scale(uint64_t ticks)
{
    ticks = scale_shift >= 0 ? ticks << scale_shift : ticks >> -scale_shift;
    return (uint64_t)((unsigned __int128)ticks * scale_mul >> 32);
}

s_time_t now(void)
{
    return (s_time_t)scale(rdtsc() - tsc_base[smp_processor_id()]);
}

uint32_t time_tsc_khz(void)
{
    return (uint32_t)tsc_khz;
}

uint64_t time_ns_to_tsc(uint64_t ns)
{
    return muldiv64(ns, tsc_khz, 1000000);
}

void delay_us(unsigned int us)
{
    uint64_t start = rdtsc(), ticks = us * tsc_khz / 1000;

    while (rdtsc() - start < ticks)
        cpu_relax();
}

/* mul = 2^32 * 10^9 / (hz * 2^shift): below 2^32, for the divisor is above 10^9. */
static void set_scale(uint64_t hz)
{
    for (; hz > 2000000000; hz >>= 1)
        scale_shift--;
    for (; hz <= 1000000000; hz <<= 1)
        scale_shift++;
    scale_mul = (uint32_t)muldiv64(1000000000, 1UL << 32, hz);
}

/* ---- reference clocks ---- */

struct reference {
    const char *name;
    uint64_t hz, mask;
    uint64_t (*read)(void);
};

static volatile uint32_t *hpet;

static uint64_t hpet_read(void)
{
    return hpet[0xf0 / 4];
}

static uint64_t pm_timer_read(void)
{
    return inl((uint16_t)acpi.fadt.pm_timer.addr);
}

/* Counts down; channel 2, whose gate and output are in port 0x61. */
static uint64_t pit_read(void)
{
    uint8_t low;

    outb(0x43, 0x80);
    low = inb(0x42);
    return 0xffff - (low | (uint64_t)inb(0x42) << 8);
}

static bool use_hpet(struct reference *r)
{
    uint32_t period; /* fs per tick */

    if (!acpi.have_hpet || !acpi.hpet_addr)
        return false;
    iomem_reserve(acpi.hpet_addr, 0x400, true);
    hpet = map_device(acpi.hpet_addr, 0x400);
    period = hpet[4 / 4];
    if (period < 100000 || period > 100000000) /* ABI of the device: at most 100 ns */
        return false;
    hpet[0x10 / 4] |= 1; /* count */
    *r = (struct reference){"HPET", 1000000000000000UL / period, 0xffffffff, hpet_read};
    return true;
}

static bool use_pm_timer(struct reference *r)
{
    const struct acpi_reg *reg = &acpi.fadt.pm_timer;

    if (!acpi.have_fadt || !reg->addr || reg->space != ACPI_SPACE_IO)
        return false;
    *r = (struct reference){"PM timer", PM_TIMER_HZ, reg->bits == 32 ? 0xffffffff : 0xffffff,
                            pm_timer_read};
    return true;
}

static void use_pit(struct reference *r)
{
    outb(0x61, (inb(0x61) & ~2u) | 1); /* gate on, speaker off */
    outb(0x43, 0xb4);                  /* channel 2, both bytes, mode 2 */
    outb(0x42, 0xff);
    outb(0x42, 0xff);
    *r = (struct reference){"PIT", PIT_HZ, 0xffff, pit_read};
}

/* A reading of both clocks as close together as can be had; @tsc is in the middle. */
static uint64_t read_both(const struct reference *r, uint64_t *tsc)
{
    uint64_t best = ~0UL, ref = 0;

    for (int i = 0; i < 8; i++) {
        uint64_t before = rdtsc(), v = r->read(), after = rdtsc();

        if (after - before < best) {
            best = after - before;
            *tsc = before + best / 2;
            ref = v;
        }
    }
    return ref;
}

static uint64_t measure(const struct reference *r)
{
    uint64_t want = min(r->hz / 50, r->mask / 2); /* 20 ms, or what the counter can tell */
    uint64_t tsc0 = 0, tsc1 = 0, ref0 = read_both(r, &tsc0), ref1;
    uint64_t rounds = 0;

    do {
        ref1 = read_both(r, &tsc1);
        if (++rounds > 10000000)
            return 0; /* it stands still */
    } while (((ref1 - ref0) & r->mask) < want);
    return muldiv64(tsc1 - tsc0, r->hz, (ref1 - ref0) & r->mask);
}

/* ---- the wall clock ---- */

static spinlock_t wallclock_lock = SPINLOCK_INIT(LOCK_TIME);
static uint64_t wallclock_ns; /* at system time 0, since 1970, UTC */

static uint8_t cmos_read(uint8_t reg)
{
    outb(0x70, reg);
    return inb(0x71);
}

struct rtc {
    uint8_t sec, minute, hour, day, month, year, century, mode;
};

static struct rtc rtc_read(void)
{
    uint8_t century = acpi.have_fadt ? acpi.fadt.century : 0;

    return (struct rtc){cmos_read(0),
                        cmos_read(2),
                        cmos_read(4),
                        cmos_read(7),
                        cmos_read(8),
                        cmos_read(9),
                        century ? cmos_read(century) : 0,
                        cmos_read(0xb)};
}

static unsigned int number(const struct rtc *t, uint8_t v)
{
    return t->mode & 4 ? v : (v >> 4) * 10u + (v & 15);
}

static uint64_t days_before(unsigned int year, unsigned int month)
{
    static const uint16_t before[12] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    unsigned int y = year - (month <= 2); /* its leap day counts from March on */

    return (year - 1970) * 365UL + (y / 4 - y / 100 + y / 400) -
           (1969 / 4 - 1969 / 100 + 1969 / 400) + before[month - 1];
}

static uint64_t rtc_seconds(const struct rtc *t)
{
    unsigned int year = number(t, t->year), month = number(t, t->month), day = number(t, t->day);
    unsigned int hour = number(t, t->hour & 0x7f), century = number(t, t->century);

    if (!(t->mode & 2)) /* 12 hours, top bit: afternoon */
        hour = hour % 12 + (t->hour & 0x80 ? 12 : 0);
    year += century >= 19 && century <= 29 ? century * 100 : year < 70 ? 2000 : 1900;
    if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23)
        return 0;
    return ((days_before(year, month) + day - 1) * 24 + hour) * 3600 + number(t, t->minute) * 60UL +
           number(t, t->sec);
}

/* Twice the same, and not while the clock updates itself. */
static void read_wallclock(void)
{
    struct rtc a, b = {0};

    if (acpi.have_fadt && (acpi.fadt.boot_arch & ACPI_BOOT_NO_CMOS_RTC))
        return;
    for (unsigned int i = 0; i < 100; i++) {
        for (unsigned int n = 0; n < 100000 && (cmos_read(0xa) & 0x80); n++)
            cpu_relax();
        a = rtc_read();
        if (memcmp(&a, &b, sizeof(a)) == 0)
            break;
        b = a;
    }
    wallclock_ns = rtc_seconds(&a) * 1000000000 - (uint64_t)now();
}

/* Version odd: being written. Guests read version, fields, version. */
void time_update_wallclock(struct domain *d)
{
    struct shared_info *s = d->shared_info;
    uint64_t sec;

    spin_guard(&wallclock_lock);
    sec = wallclock_ns / 1000000000 + (uint64_t)d->time_offset_seconds;
    WRITE_ONCE(s->wc_version, s->wc_version | 1);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    WRITE_ONCE(s->wc_sec, (uint32_t)sec);
    WRITE_ONCE(s->wc_sec_hi, (uint32_t)(sec >> 32));
    WRITE_ONCE(s->wc_nsec, (uint32_t)(wallclock_ns % 1000000000));
    __atomic_thread_fence(__ATOMIC_RELEASE);
    WRITE_ONCE(s->wc_version, s->wc_version + 1);
}

void time_set_wallclock(uint64_t secs, uint32_t nsecs, uint64_t system_time_base)
{
    spin_lock(&wallclock_lock);
    wallclock_ns = secs * 1000000000 + nsecs - system_time_base;
    spin_unlock(&wallclock_lock);
    for_each_domain (d)
        time_update_wallclock(d);
}

/* ---- guests' records ---- */

/* Does a record tell the present truth? It is the guest's page: it may have anything in it. */
static bool is_current(const struct vcpu_time_info *t, uint64_t base)
{
    uint32_t version = READ_ONCE(t->version);

    return READ_ONCE(t->tsc_timestamp) == base && READ_ONCE(t->tsc_to_system_mul) == scale_mul &&
           version && !(version & 1);
}

/* @now: with a version that says that it is being written. */
static void write_records(struct vcpu *v, struct vcpu_time_info now)
{
    struct vcpu_time_info *t = &v->info->time;
    guest_ptr_t p = v->time_guest;

    WRITE_ONCE(t->version, now.version);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    memcpy(&t->tsc_timestamp, &now.tsc_timestamp,
           sizeof(now) - offsetof(struct vcpu_time_info, tsc_timestamp));
    __atomic_thread_fence(__ATOMIC_RELEASE);
    WRITE_ONCE(t->version, now.version + 1);
    if (!p.va)
        return;
    arch_areas_open(v);
    if (copy_to_guest(p, &now, sizeof(now)) ==
        0) { /* else not mapped now: the next switch tries again */
        now.version++;
        (void)!copy_to_guest(p, &now.version, sizeof(now.version));
    }
    arch_areas_close(v);
}

void time_update_vcpu(struct vcpu *v)
{
    struct vcpu_time_info *t = &v->info->time;
    uint64_t base = tsc_base[smp_processor_id()];

    if (unlikely(!is_current(t, base)) || unlikely(v->time_guest.va))
        write_records(v, (struct vcpu_time_info){
                             .version = READ_ONCE(t->version) | 1,
                             .tsc_timestamp = base,
                             .tsc_to_system_mul = scale_mul,
                             .tsc_shift = (int8_t)scale_shift,
                             .flags = cpu.invariant_tsc ? XEN_PVCLOCK_TSC_STABLE_BIT : 0,
                         });
}

/* ---- other pcpus' TSCs ----
 * The new pcpu asks the boot CPU for its TSC again and again; of the answer that came back fastest
 * the middle of the way there and back is the moment it was read. */

#define SYNC_ROUNDS 64
#define SYNC_LIMIT  MS(50)

static struct {
    uint32_t asked, answered;
    uint64_t tsc;
    bool done;
} sync;

void time_sync_cpu(void)
{
    uint32_t n = 0;

    while (!__atomic_load_n(&sync.done, __ATOMIC_ACQUIRE)) {
        if (__atomic_load_n(&sync.asked, __ATOMIC_ACQUIRE) == n) {
            cpu_relax();
            continue;
        }
        n++;
        sync.tsc = rdtsc();
        __atomic_store_n(&sync.answered, n, __ATOMIC_RELEASE);
    }
    memset(&sync, 0, sizeof(sync));
}

void time_init_this(void)
{
    unsigned int self = smp_processor_id();
    uint64_t begin = rdtsc(), best = ~0UL;
    int64_t offset = 0; /* ours minus the boot CPU's */

    for (uint32_t i = 1; i <= SYNC_ROUNDS; i++) {
        uint64_t before = rdtsc(), after;

        __atomic_store_n(&sync.asked, i, __ATOMIC_RELEASE);
        while (__atomic_load_n(&sync.answered, __ATOMIC_ACQUIRE) != i)
            cpu_relax();
        after = rdtsc();
        if (after - before < best) {
            best = after - before;
            offset = (int64_t)(before + best / 2 - sync.tsc);
        }
        if (after - begin > time_ns_to_tsc(SYNC_LIMIT))
            break;
    }
    if ((uint64_t)(offset < 0 ? -offset : offset) <= best) /* as good as none */
        offset = 0;
    else
        pr_info("pcpu %u: TSC is off by %ld ticks", self, offset);
    tsc_base[self] = tsc_base[0] + (uint64_t)offset;
    __atomic_store_n(&sync.done, true, __ATOMIC_RELEASE);
}

/* ---- boot ---- */

void time_init(void)
{
    struct reference r;
    uint64_t hz;

    if (!use_hpet(&r) && !use_pm_timer(&r))
        use_pit(&r);
    hz = measure(&r);
    if (hz < 10000000)
        panic("the TSC can not be measured against the %s", r.name);
    tsc_khz = hz / 1000;
    set_scale(hz);
    tsc_base[0] = rdtsc();
    read_wallclock();
    pr_info("TSC: %lu kHz by %s", tsc_khz, r.name);
}

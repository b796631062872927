/* SPDX-License-Identifier: MIT */
/* Domains made and ended on a machine that is none: what is in their memory, and that nothing is
 * left of those that fail, wherever they do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "build_kit.h"
#include "dom0-tools/libsocle/create.h"
#include "dom0-tools/libsocle/state.h"
#include "fake_machine.h"
#include "fake_xcall.h"
#include "fake_xs.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xen/grant_table.h>
#include <zlib.h>

#define INITRD 9000

static char dir[] = "/tmp/socle-create-XXXXXX", run_dir[64], cache_dir[64], kernel[64], packed[64],
            initrd[64];
static struct domain_config config;
static struct error err;
static struct kit kit;

static void put_file(const char *path, const void *data, size_t len)
{
    FILE *f = fopen(path, "w");

    assert_int_equal(fwrite(data, 1, len, f), len);
    fclose(f);
}

static void put_gzip(const char *path, const void *data, size_t len)
{
    gzFile f = gzopen(path, "w");

    assert_int_equal(gzwrite(f, data, len), len);
    gzclose(f);
}

static int start(void **state)
{
    static uint8_t data[INITRD];

    (void)state;
    kit_make(&kit);
    put_file(kernel, kit.byte, KIT_SIZE);
    memset(data, 0xee, sizeof(data));
    put_file(initrd, data, sizeof(data));
    config = (struct domain_config){.name = "guest",
                                    .kernel = kernel,
                                    .ramdisk = initrd,
                                    .cmdline = "a=b quiet",
                                    .memory = 8,
                                    .maxmem = 12,
                                    .vcpus = 1,
                                    .maxvcpus = 2,
                                    .weight = 300,
                                    .has_cpus = true,
                                    .cpus = {{3}},
                                    .on_reboot = CONFIG_RESTART};
    fake_hypervisor = true;
    fake_machine_reset();
    fake_xs_reset();
    memset(&err, 0, sizeof(err));
    return 0;
}

static int create(domid_t *id)
{
    return domain_create(&config, NULL, id, &err);
}

static domid_t must_create(void)
{
    domid_t id = 0;

    if (create(&id))
        fail_msg("%s", err.text);
    return id;
}

/* ---- what can be left ---- */

static unsigned int entries(const char *path, const char *end)
{
    DIR *d = opendir(path);
    unsigned int nr = 0;

    for (struct dirent *e; d && (e = readdir(d));) {
        size_t len = strlen(e->d_name), want = strlen(end);

        nr += len >= want && strcmp(e->d_name + len - want, end) == 0;
    }
    if (d)
        closedir(d);
    return nr;
}

struct world {
    uint64_t frames;
    unsigned int domains, nodes, handles, mappings, files, locks, configs;
};

static struct world world(void)
{
    return (struct world){fake_machine_free(),       fake_machine_domains(),
                          fake_xs_count(),           fake_xs_handles(),
                          fake_machine_mappings(),   entries("/proc/self/fd", ""),
                          entries(run_dir, ".lock"), entries(run_dir, ".json")};
}

static void same(struct world a, struct world b)
{
    assert_int_equal(a.frames, b.frames);
    assert_int_equal(a.domains, b.domains);
    assert_int_equal(a.nodes, b.nodes);
    assert_int_equal(a.handles, b.handles);
    assert_int_equal(a.mappings, b.mappings);
    assert_int_equal(a.files, b.files);
    assert_int_equal(a.locks, b.locks);
    assert_int_equal(a.configs, b.configs);
}

/* ---- a good one ---- */

static const char *node(domid_t id, const char *name)
{
    char path[128];
    const char *value;

    snprintf(path, sizeof(path), "/local/domain/%u/%s", id, name);
    value = fake_xs_get(path);
    return value ? value : "(none)";
}

/* What the kernel finds, by its own addresses. */
struct view {
    domid_t id;
    const uint64_t *root;
};

static uint8_t *at(const struct view *v, uint64_t va)
{
    const uint64_t *table = v->root;

    for (int level = 4; level > 1; level--) {
        uint64_t e = table[va >> (12 + 9 * (level - 1)) & 511];

        assert_int_equal(e & 1, 1);
        table = fake_machine_page(v->id, (e & ~0xffful) >> 12);
        assert_non_null(table);
    }
    return (uint8_t *)fake_machine_page(v->id, table[va >> 12 & 511] >> 12) + (va & 0xfff);
}

static void contents(void **state)
{
    domid_t id = must_create();
    struct fake_domain *d = fake_machine_domain(id);
    struct view v = {id, fake_machine_page(id, d->root)};
    const struct start_info *si = (void *)at(&v, d->context.user_regs.rsi);
    const grant_entry_v1_t *grants = fake_machine_page(id, d->grants);

    (void)state;
    assert_true(d->started);
    assert_int_equal(d->pauses, 0);
    assert_int_equal(d->pages, 2048);
    assert_int_equal(d->max_pages, 12 * 256 + 256);
    assert_int_equal(d->map_size, 12 << 20);
    assert_int_equal(d->max_vcpus, 2);
    assert_int_equal(xen_cr3_to_pfn(d->context.ctrlreg[3]), d->root);
    assert_int_equal(d->context.user_regs.rip, KIT_BASE + KIT_START + 0x10);

    assert_string_equal(si->magic, "xen-3.0-x86_64");
    assert_int_equal(si->nr_pages, 2048);
    assert_int_equal(si->shared_info, d->shared << 12);
    assert_string_equal((char *)si->cmd_line, "a=b quiet");
    assert_int_equal(si->mod_len, INITRD);
    assert_int_equal(*at(&v, si->mod_start + INITRD - 1), 0xee);
    assert_int_equal(si->pt_base, d->context.user_regs.rsp - 4096 - si->nr_pt_frames * 4096);
    assert_ptr_equal(at(&v, si->pt_base), v.root);

    for (uint64_t i = 0; i < 2048; i++) { /* the p2m is right about pages that are mapped */
        uint64_t frame = *(uint64_t *)at(&v, si->mfn_list + i * 8);

        assert_non_null(fake_machine_page(id, frame));
        if (i < 512)
            assert_ptr_equal(fake_machine_page(id, frame), at(&v, KIT_BASE + i * 4096));
    }
    for (unsigned int i = 0; i < KIT_SIZE - KIT_TEXT; i++)
        assert_int_equal(at(&v, KIT_BASE + KIT_START)[i & 0xfff], 0xcc);
    for (unsigned int i = 0; i < KIT_BSS; i += 0x777)
        assert_int_equal(*at(&v, KIT_BASE + KIT_START + KIT_SIZE - KIT_TEXT + i), 0);
    for (unsigned int i = 0; i < 4096; i++) {
        assert_int_equal(((uint8_t *)fake_machine_page(id, si->store_mfn))[i], 0);
        assert_int_equal(((uint8_t *)fake_machine_page(id, si->console.domU.mfn))[i], 0);
    }

    assert_int_equal(grants[GNTTAB_RESERVED_CONSOLE].frame, si->console.domU.mfn);
    assert_int_equal(grants[GNTTAB_RESERVED_XENSTORE].frame, si->store_mfn);
    assert_int_equal(grants[GNTTAB_RESERVED_CONSOLE].flags, GTF_permit_access);
    assert_int_equal(strtoul(node(id, "console/ring-ref"), NULL, 10), si->console.domU.mfn);
    assert_int_equal(strtoul(node(id, "console/port"), NULL, 10), si->console.domU.evtchn);
    assert_int_equal(strtoul(node(id, "store/port"), NULL, 10), si->store_evtchn);
    assert_string_equal(node(id, "name"), "guest");
    assert_string_equal(node(id, "memory/target"), "8192");
    assert_string_equal(node(id, "memory/static-max"), "12288");
    assert_string_equal(node(id, "cpu/0/availability"), "online");
    assert_string_equal(node(id, "cpu/1/availability"), "offline");
    assert_string_equal(node(id, "cpu/2/availability"), "(none)");
    assert_int_equal(strncmp(node(id, "vm"), "/vm/", 4), 0);
    assert_non_null(fake_xs_get(node(id, "vm")));
    assert_int_equal(domain_end(id, &err), 0);
}

/* Whatever pieces memory comes in. */
static void small_pieces(void **state)
{
    static const unsigned int orders[] = {8, 4, 3, 0};

    (void)state;
    for (unsigned int i = 0; i < 4; i++) {
        start(NULL);
        fake_max_order = orders[i];
        contents(NULL);
    }
}

static void vcpus_have_their_cpus(void **state)
{
    struct config_cpus each[2] = {{{1}}, {{6}}};
    struct fake_domain *d = fake_machine_domain(must_create());

    (void)state;
    assert_int_equal(d->cpus[0], 3);
    assert_int_equal(d->cpus[1], 3);
    config.name = "each";
    config.has_cpus = false;
    config.vcpu_cpus = each;
    config.nr_vcpu_cpus = 2;
    d = fake_machine_domain(must_create());
    assert_int_equal(d->cpus[0], 1);
    assert_int_equal(d->cpus[1], 6);
    config.name = "first";
    config.nr_vcpu_cpus = 1;
    d = fake_machine_domain(must_create());
    assert_int_equal(d->cpus[0], 1);
    assert_int_equal(d->cpus[1], 0);
}

static void remembered(void **state)
{
    domid_t id = must_create();
    struct fake_domain *d = fake_machine_domain(id);
    struct domain_config c;
    uint8_t other[16] = {1};

    (void)state;
    assert_int_equal(state_read(id, d->handle, &c, &err), 0);
    assert_string_equal(c.name, "guest");
    assert_int_equal(c.maxmem, 12);
    assert_true(c.has_uuid);
    config_free(&c);
    assert_int_equal(state_read(id, other, &c, &err), -ENOENT);
    assert_int_equal(state_read(id, d->handle, &c, &err), 0); /* who only reads removes nothing */
    config_free(&c);
    assert_int_equal(domain_end(id, &err), 0);
}

static void comes_back(void **state)
{
    struct world before;

    (void)state;
    assert_int_equal(domain_end(must_create(), &err), 0); /* once for the store's first folders */
    before = world();
    for (unsigned int i = 0; i < 20; i++) {
        domid_t id = must_create();

        assert_int_equal(domain_end(id, &err), 0);
        assert_int_equal(domain_end(id, &err), 0);
        same(before, world());
    }
}

/* ---- refused before there is anything ---- */

static void refused(void (*spoil)(void), int rc, const char *why)
{
    struct world before;
    domid_t id = 77;

    start(NULL);
    must_create();
    before = world();
    config.name = "other";
    spoil();
    assert_int_equal(create(&id), rc);
    assert_non_null(strstr(err.text, why));
    assert_int_equal(id, 77);
    fake_store = true;
    same(before, world());
}

static void same_name(void)
{
    config.name = "guest";
}

static void same_uuid(void)
{
    fake_machine_reset();
    config.has_uuid = true;
    memset(config.uuid, 7, 16);
    must_create();
    config.name = "other";
}

static void no_memory(void)
{
    config.memory = config.maxmem = 60;
}

static void no_pool(void)
{
    config.pool = "other";
}

static void empty_pool(void)
{
    config.pool = "Pool-2";
}

static void no_kernel(void)
{
    config.kernel = "/nonexistent";
}

static void no_initrd(void)
{
    config.ramdisk = "/nonexistent";
}

static void initrd_is_a_folder(void)
{
    config.ramdisk = "/";
}

static void too_small(void)
{
    config.memory = 3;
}

static void no_store(void)
{
    fake_store = false;
}

static void refusals(void **state)
{
    (void)state;
    refused(same_name, -EEXIST, "there is a domain guest already: its id is ");
    refused(no_memory, -ENOMEM,
            "not enough memory: 60 MiB are wanted, 55 MiB are free, 6 MiB are missing "
            "(socle mem-set 0 makes dom0 smaller)");
    refused(no_pool, -ENOENT, "pool: there is none called other");
    refused(empty_pool, -ENODEV, "pool: Pool-2 has no CPUs");
    refused(no_kernel, -ENOENT, "/nonexistent: No such file or directory");
    refused(no_initrd, -ENOENT, "/nonexistent: No such file or directory");
    refused(initrd_is_a_folder, -EINVAL, "/: not a file");
    refused(too_small, -ENOMEM,
            "too little memory for kernel, ramdisk and page tables: 3 MiB, 4 MiB are needed");
    refused(no_store, -ENOENT, "no way to the store");
    start(NULL);
    same_uuid();
    domid_t id;
    assert_int_equal(create(&id), -EEXIST);
    assert_non_null(strstr(err.text, "has this uuid already"));
}

static void in_a_pool(void **state)
{
    (void)state;
    config.pool = "Pool-1";
    assert_int_equal(fake_machine_domain(must_create())->pool, 1);
}

static void dom0_is_not_ended(void **state)
{
    (void)state;
    assert_int_equal(domain_end(0, &err), -EPERM);
}

/* ---- failures ---- */

/* One call fails: all is as before. */
static void each_step_fails(void **state)
{
    struct world before;
    unsigned int steps;
    domid_t id;

    (void)state;
    assert_int_equal(domain_end(must_create(), &err), 0);
    before = world();
    fake_xs_fail = fake_machine_fails;
    fake_calls = 0;
    id = must_create();
    steps = fake_calls;
    assert_true(steps > 60);
    assert_int_equal(domain_end(id, &err), 0);
    for (unsigned int n = 1; n <= steps; n++) {
        fake_calls = 0;
        fake_fail_at = n;
        memset(&err, 0, sizeof(err));
        if (create(&id) == 0) { /* it can do without, or has tried again */
            fake_fail_at = 0;
            assert_int_equal(domain_end(id, &err), 0);
        } else {
            assert_true(err.text[0] != 0);
        }
        fake_fail_at = 0;
        same(before, world());
    }
}

/* From one call on all fail, as when the machine goes: the next tool cleans up. */
static void all_fails(void **state)
{
    struct world before;

    (void)state;
    assert_int_equal(domain_end(must_create(), &err), 0);
    before = world();
    fake_xs_fail = fake_machine_fails;
    for (unsigned int n = 1;; n++) {
        domid_t id = 0;
        int rc;

        fake_calls = 0;
        fake_fail_at = n;
        fake_fail_on = true;
        rc = create(&id);
        fake_fail_at = 0;
        fake_fail_on = false;
        domain_sweep();
        if (rc == 0) {
            assert_int_equal(domain_end(id, &err), 0);
            same(before, world());
            return;
        }
        same(before, world());
    }
}

/* The same for its end. */
static void end_fails(void **state)
{
    struct world before;
    unsigned int n = 1;

    (void)state;
    assert_int_equal(domain_end(must_create(), &err), 0);
    before = world();
    fake_xs_fail = fake_machine_fails;
    for (int rc = -1; rc || fake_calls >= n; n++) {
        domid_t id = must_create();

        fake_calls = 0;
        fake_fail_at = n;
        rc = domain_end(id, &err);
        fake_fail_at = 0;
        if (rc)
            domain_sweep();
        same(before, world());
    }
}

static void conflicts(void **state)
{
    domid_t id;

    (void)state;
    fake_conflicts = 5;
    id = must_create();
    assert_string_equal(node(id, "name"), "guest");
    fake_conflicts = 5;
    assert_int_equal(domain_end(id, &err), 0);
    assert_string_equal(node(id, "name"), "(none)");
}

static void interrupted(void **state)
{
    volatile sig_atomic_t stop = 1;
    struct create_options o = {.stop = &stop};
    struct world before = world();
    domid_t id;

    (void)state;
    assert_int_equal(domain_create(&config, &o, &id, &err), -EINTR);
    assert_string_equal(err.text, "interrupted");
    same(before, world());
}

/* Another tool is at work on an id: it is left alone, and so is the domain. */
static void busy(void **state)
{
    domid_t first = must_create(), id;
    int lock = state_lock(first + 1, false, &err), other;

    (void)state;
    assert_true(lock >= 0);
    assert_int_equal(state_lock(first + 1, false, &err), -EBUSY);
    assert_int_equal(state_abandoned(0), -ENOENT);
    config.name = "second";
    id = must_create();
    assert_int_equal(id, first + 2);
    state_unlock(first + 1, lock);
    other = state_lock(first + 1, false, &err);
    assert_true(other >= 0);
    state_abandon(other);
    assert_int_equal(state_abandoned(0), first + 1);
    domain_sweep();
    assert_int_equal(state_abandoned(0), -ENOENT);
    assert_int_equal(domain_end(first, &err), 0);
    assert_int_equal(domain_end(id, &err), 0);
}

/* Killed when all was done but for the lock. */
static void killed_late(void **state)
{
    domid_t id = must_create();
    int lock = state_lock(id, false, &err);

    (void)state;
    state_abandon(lock);
    domain_sweep();
    assert_non_null(fake_machine_domain(id));
    assert_int_equal(entries(run_dir, ".lock"), 0);
    assert_int_equal(domain_end(id, &err), 0);
}

/* ---- the cache ---- */

static void cached(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof(command), "rm -rf %s", cache_dir);
    assert_int_equal(system(command), 0);
    put_gzip(packed, kit.byte, KIT_SIZE);
    config.kernel = packed;
    contents(NULL);
    assert_int_equal(entries(cache_dir, ""), 3);
    start(NULL);
    config.kernel = packed;
    contents(NULL);
    assert_int_equal(entries(cache_dir, ""), 3);
}

static void hear(void *ctx, const char *what, unsigned int percent)
{
    unsigned int *heard = ctx;

    assert_true(percent <= 100);
    heard[strcmp(what, "kernel") != 0] = percent;
}

static void progress(void **state)
{
    unsigned int heard[2] = {0};
    struct create_options o = {.progress = hear, .ctx = heard};
    domid_t id;

    (void)state;
    unlink(packed);
    put_gzip(packed, kit.byte, KIT_SIZE);
    config.kernel = packed;
    assert_int_equal(domain_create(&config, &o, &id, &err), 0);
    assert_int_equal(heard[0], 100);
    assert_int_equal(heard[1], 100);
    assert_int_equal(domain_end(id, &err), 0);
}

struct unfinished {
    domid_t id;
    unsigned int looks;
};

static void no_file_yet(void *ctx, const char *what, unsigned int percent)
{
    struct unfinished *u = ctx;
    char path[128];

    (void)percent;
    if (strcmp(what, "ramdisk") != 0)
        return;
    assert_non_null(fake_machine_domain(u->id));
    snprintf(path, sizeof(path), "%s/%u.json", run_dir, u->id);
    assert_int_equal(access(path, F_OK), -1);
    u->looks++;
}

/* A domain of that id has gone without the tools, and its configuration is still there. Were this tool killed now, the
 * new one would pass for complete. */
static void a_former_ones_file(void **state)
{
    struct unfinished u = {.id = state_next_id() + 1};
    struct create_options o = {.progress = no_file_yet, .ctx = &u};
    domid_t id;

    (void)state;
    assert_int_equal(state_write(u.id, &config, &err), 0);
    assert_int_equal(domain_create(&config, &o, &id, &err), 0);
    assert_int_equal(id, u.id);
    assert_true(u.looks > 0);
    assert_int_equal(domain_end(id, &err), 0);
}

/* Whoever could have written it. */
static void cache_of_others(void **state)
{
    struct world before;
    char path[512];
    DIR *d;

    cached(state);
    d = opendir(cache_dir);
    for (struct dirent *e; (e = readdir(d));) {
        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/%s", cache_dir, e->d_name);
        put_file(path, "rubbish", 7); /* cut off */
        start(NULL);
        config.kernel = packed;
        contents(NULL);
        assert_int_equal(chmod(path, 0666), 0);
        put_file(path, "rubbish", 7);
    }
    closedir(d);
    start(NULL);
    config.kernel = packed;
    contents(NULL);
    assert_int_equal(chmod(cache_dir, 0777), 0);
    before = world();
    start(NULL);
    config.kernel = packed;
    contents(NULL);
    assert_int_equal(chmod(cache_dir, 0700), 0);
    assert_int_equal(before.files, world().files);
}

static void cache_is_small(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < 9; i++) {
        start(NULL);
        unlink(packed);
        put_gzip(packed, kit.byte, KIT_SIZE);
        config.kernel = packed;
        contents(NULL);
    }
    assert_true(entries(cache_dir, "") <= 2 + 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(contents, start),
        cmocka_unit_test_setup(small_pieces, start),
        cmocka_unit_test_setup(vcpus_have_their_cpus, start),
        cmocka_unit_test_setup(remembered, start),
        cmocka_unit_test_setup(comes_back, start),
        cmocka_unit_test_setup(refusals, start),
        cmocka_unit_test_setup(in_a_pool, start),
        cmocka_unit_test_setup(all_fails, start),
        cmocka_unit_test_setup(each_step_fails, start),
        cmocka_unit_test_setup(conflicts, start),
        cmocka_unit_test_setup(end_fails, start),
        cmocka_unit_test_setup(interrupted, start),
        cmocka_unit_test_setup(busy, start),
        cmocka_unit_test_setup(killed_late, start),
        cmocka_unit_test_setup(cached, start),
        cmocka_unit_test_setup(progress, start),
        cmocka_unit_test_setup(a_former_ones_file, start),
        cmocka_unit_test_setup(cache_of_others, start),
        cmocka_unit_test_setup(cache_is_small, start),
        cmocka_unit_test(dom0_is_not_ended),
    };
    char command[128];
    int failed;

    if (!mkdtemp(dir))
        return 1;
    snprintf(run_dir, sizeof(run_dir), "%s/run", dir);
    snprintf(cache_dir, sizeof(cache_dir), "%s/cache", dir);
    snprintf(kernel, sizeof(kernel), "%s/kernel", dir);
    snprintf(packed, sizeof(packed), "%s/kernel.gz", dir);
    snprintf(initrd, sizeof(initrd), "%s/initrd", dir);
    setenv("SOCLE_RUN_DIR", run_dir, 1);
    setenv("SOCLE_CACHE_DIR", cache_dir, 1);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    snprintf(command, sizeof(command), "rm -r %s", dir);
    return system(command) ? 1 : failed;
}

/* SPDX-License-Identifier: MIT */
/* Configurations under sanitizers: all of the cases that tests/tools/config.t has, whole, cut short
 * everywhere and with each byte bent; and what becomes of the values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dom0-tools/libsocle/config.h"
#include "dom0-tools/libsocle/nearest.h"
#include "dom0-tools/socle/commands.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/socle-config-XXXXXX";

static int make_files(void **state)
{
    static const char *const names[] = {"k", "r", "d.img", "e.img", "prog"};
    char path[64];

    (void)state;
    if (!mkdtemp(dir))
        return -1;
    for (unsigned int i = 0; i < 5; i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        fclose(fopen(path, "w"));
    }
    chmod(path, 0755);
    return 0;
}

static int remove_files(void **state)
{
    char command[64];

    (void)state;
    snprintf(command, sizeof(command), "rm -r %s", dir);
    return system(command);
}

/* Whatever it says, it is either a configuration or lines of errors. */
static int try(const char *name, const char *text, size_t len, char *const *over, size_t nr,
               struct domain_config *c)
{
    struct config_notes notes = {0};
    char path[64], *copy = malloc(len ? len : 1); /* so that the sanitizer sees its end */
    int rc;

    memcpy(copy, text, len);
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    rc = config_parse(path, copy, len, over, nr, c, &notes);
    assert_int_equal(rc != 0, notes.errors != 0);
    assert_int_equal(notes.text.len != 0, notes.errors + notes.warnings != 0);
    config_notes_free(&notes);
    free(copy);
    return rc;
}

static int try_free(const char *name, const char *text, size_t len)
{
    struct domain_config c;
    int rc = try(name, text, len, NULL, 0, &c);

    if (rc == 0)
        config_free(&c);
    return rc;
}

/* Puts @by where @what is. */
static void replace(char *text, char what, const char *by)
{
    char *at = strchr(text, what);

    if (!at)
        return;
    memmove(at + strlen(by), at + 1, strlen(at + 1) + 1);
    memcpy(at, by, strlen(by));
}

static void run_cases(const char *file, const char *name, const char *base, const char *part)
{
    FILE *f = fopen(file, "r");
    unsigned int cases = 0;
    char line[4096], home[1024], *text, *end;

    assert_non_null(f);
    assert_non_null(getcwd(home, sizeof(home)));
    assert_int_equal(chdir(dir), 0); /* where paths of xl.cfg begin */
    while (fgets(line, sizeof(line) / 2, f)) {
        bool whole = line[0] == 'g' || line[0] == 'w';

        if (line[0] == '#' || line[0] == '\n')
            continue;
        text = strchr(line, ' ') + 1;
        end = strstr(text, " => ");
        *(end ? end : strchr(text, '\n')) = 0;
        if (strstr(text, "DIR"))
            continue; /* the other test has these */
        if (!strstr(text, "az{|}~")) {
            for (char *c = text; *c; c++)
                *c = *c == '~' ? '\n' : *c;
        }
        if (*text == '@' || text[strspn(text, "\n {")] == '@')
            replace(text, '@', base);
        if (text[strspn(text, "\n {")] == '%')
            replace(text, '%', part);
        cases++;
        assert_int_equal(try_free(name, text, strlen(text)) == 0, whole);
        for (size_t i = 0; i < strlen(text); i++) {
            char was = text[i];

            try_free(name, text, i);
            for (const char *c = "\"{[,=~\n"; *c; c++) {
                text[i] = *c;
                try_free(name, text, strlen(text));
            }
            text[i] = was;
        }
    }
    assert_true(cases > 70);
    fclose(f);
    assert_int_equal(chdir(home), 0);
}

static void json_cases(void **state)
{
    (void)state;
    run_cases("tests/tools/config/json.cases", "f.json",
              "\"name\":\"n\",\"kernel\":\"k\",\"memory\":64", "\"name\":\"n\",\"kernel\":\"k\"");
}

static void cfg_cases(void **state)
{
    (void)state;
    run_cases("tests/tools/config/cfg.cases", "f.cfg", "name='n';kernel='k';memory=64", "");
}

#define BASE "\"name\":\"n\",\"kernel\":\"k\",\"memory\":64"

static void parse(const char *more, struct domain_config *c)
{
    char text[512];

    snprintf(text, sizeof(text), "{" BASE "%s%s}", more[0] ? "," : "", more);
    assert_int_equal(try("f.json", text, strlen(text), NULL, 0, c), 0);
}

static void defaults(void **state)
{
    struct domain_config c;
    char kernel[64];

    (void)state;
    parse("", &c);
    snprintf(kernel, sizeof(kernel), "%s/k", dir);
    assert_string_equal(c.name, "n");
    assert_string_equal(c.kernel, kernel);
    assert_string_equal(c.cmdline, "");
    assert_null(c.ramdisk);
    assert_null(c.console_log);
    assert_false(c.has_uuid);
    assert_false(c.has_cpus);
    assert_int_equal(c.maxmem, 64);
    assert_int_equal(c.vcpus, 1);
    assert_int_equal(c.maxvcpus, 1);
    assert_int_equal(c.weight, 256);
    assert_int_equal(c.cap, 0);
    assert_int_equal(c.nr_disks, 0);
    assert_int_equal(c.nr_nics, 0);
    assert_int_equal(c.on_poweroff, CONFIG_DESTROY);
    assert_int_equal(c.on_reboot, CONFIG_RESTART);
    assert_int_equal(c.on_crash, CONFIG_DESTROY);
    config_free(&c);
}

static void values(void **state)
{
    struct domain_config c;

    (void)state;
    parse("\"extra\":\"b\",\"cmdline\":\"a\",\"uuid\":\"00112233-4455-6677-8899-aAbBcCdDeEfF\"",
          &c);
    assert_string_equal(c.cmdline, "a b");
    for (unsigned int i = 0; i < 16; i++)
        assert_int_equal(c.uuid[i], i * 0x11);
    config_free(&c);
    parse("\"cpus\":\"0-63,^1,65,1023\"", &c);
    assert_true(c.has_cpus);
    assert_int_equal(c.cpus.bits[0], ~2ull);
    assert_int_equal(c.cpus.bits[1], 2);
    assert_int_equal(c.cpus.bits[15], 1ull << 63);
    config_free(&c);
    parse("\"nics\":[{\"mac\":\"00:16:3e:0A:bc:ff\",\"rate\":\"10Mb/s\"},{\"rate\":\"1KB/s@2s\"}]",
          &c);
    assert_memory_equal(c.nics[0].mac, "\x00\x16\x3e\x0a\xbc\xff", 6);
    assert_int_equal(c.nics[0].rate_bytes, 62500);
    assert_int_equal(c.nics[0].rate_usecs, 50000);
    assert_int_equal(c.nics[1].rate_bytes, 2000);
    assert_int_equal(c.nics[1].rate_usecs, 2000000);
    config_free(&c);
}

/* As public/io/blkif.h numbers them. */
static void disk_numbers(void **state)
{
    static const struct {
        const char *vdev;
        uint32_t devid;
    } t[] = {
        {"xvda", 51712},
        {"xvdb1", 51729},
        {"xvdp15", 51967},
        {"xvda16", 1 << 28 | 16},
        {"xvdq", 1 << 28 | 4096},
        {"xvdaa2", 1 << 28 | 26 << 8 | 2},
        {"sda", 2048},
        {"sdb3", 2067},
        {"hda1", 769},
        {"hdb", 832},
        {"hdc", 5632},
        {"hdd2", 5698},
        {"d0p0", 51712},
        {"d20p3", 1 << 28 | 20 << 8 | 3},
    };
    struct domain_config c;
    char text[128];

    (void)state;
    for (unsigned int i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        snprintf(text, sizeof(text), "\"disks\":[{\"path\":\"d.img\",\"vdev\":\"%s\"}]", t[i].vdev);
        parse(text, &c);
        assert_int_equal(c.disks[0].devid, t[i].devid);
        assert_false(c.disks[0].block);
        config_free(&c);
    }
}

static void overrides(void **state)
{
    static const char text[] = "{" BASE ",\"disks\":[{\"path\":\"none\",\"vdev\":\"xvda\"}]}";
    char *over[] = {"memory=0x80", "extra=3", "disks=[]", "name=\"m\""};
    struct domain_config c;

    (void)state;
    assert_int_equal(try("f.json", text, strlen(text), over, 4, &c), 0);
    assert_int_equal(c.memory, 128);
    assert_int_equal(c.nr_disks, 0);
    assert_string_equal(c.name, "m");
    assert_string_equal(c.cmdline, "3");
    config_free(&c);
}

static void nearest(void **state)
{
    static const char *const words[] = {"list", "pause", "unpause", "destroy"};
    static const struct {
        const char *typed, *meant;
    } t[] = {
        {"lst", "list"},
        {"lits", "list"},
        {"listt", "list"},
        {"puase", "pause"},
        {"unpuse", "unpause"},
        {"destory", "destroy"},
        {"frob", NULL},
        {"", NULL},
        {"a word of more letters than anybody would type", NULL},
    };

    (void)state;
    for (unsigned int i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct nearest near = {0};

        for (unsigned int w = 0; w < 4; w++)
            nearest_try(&near, t[i].typed, words[w]);
        if (t[i].meant)
            assert_string_equal(near.name, t[i].meant);
        else
            assert_null(near.name);
    }
}

/* The table is in order, and every row is complete. */
static void command_table(void **state)
{
    (void)state;
    for (const struct command *c = commands; c->name; c++) {
        assert_non_null(c->run);
        assert_non_null(c->args);
        assert_non_null(c->help);
        assert_true(strlen(c->summary) > 10);
        assert_ptr_equal(command_find(c->name), c);
        if (c > commands)
            assert_true(strcmp(c[-1].name, c->name) < 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),   cmocka_unit_test(values),    cmocka_unit_test(disk_numbers),
        cmocka_unit_test(overrides),  cmocka_unit_test(nearest),   cmocka_unit_test(command_table),
        cmocka_unit_test(json_cases), cmocka_unit_test(cfg_cases),
    };

    return cmocka_run_group_tests(tests, make_files, remove_files);
}

/* SPDX-License-Identifier: MIT */
/* socle-unpack: the ELF file in a kernel image. See socle-unpack(1). */
#include <hv/elf.h>
#include <xen/features.h>

#include "../libsocle/image.h"
#include "../libsocle/options.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME "socle-unpack"

static const char usage[] = "usage: " NAME " VMLINUZ -o VMLINUX    (- for standard output)\n"
                            "       " NAME " --info [--json] VMLINUZ\n";

static void complain(const char *file, const char *why)
{
    struct error line;

    error_set(&line, 0, "%s: %s", file, why);
    fprintf(stderr, NAME ": %s\n", line.text);
}

/* ---- what is in it: the same rows as text and as JSON ---- */

struct report {
    bool json;
    unsigned int rows;
};

static void key(struct report *r, const char *name)
{
    if (r->json)
        printf("%s\n  \"%s\": ", r->rows++ ? "," : "{", name);
    else
        printf("%-19s ", name);
}

static void end_row(const struct report *r)
{
    if (!r->json)
        putchar('\n');
}

static void print_text(const struct report *r, const char *s)
{
    if (r->json)
        putchar('"');
    for (; *s; s++) {
        unsigned char c = *s;

        if (r->json && (c == '"' || c == '\\'))
            printf("\\%c", c);
        else if (r->json && (c < ' ' || c > '~'))
            printf("\\u%04x", c);
        else
            putchar(c < ' ' || c > '~' ? '?' : c);
    }
    if (r->json)
        putchar('"');
}

static void row_text(struct report *r, const char *name, const char *s)
{
    key(r, name);
    print_text(r, s);
    end_row(r);
}

static void row_size(struct report *r, const char *name, uint64_t n)
{
    key(r, name);
    printf("%" PRIu64, n);
    end_row(r);
}

/* Addresses are strings in JSON, for its numbers have only 53 bits everywhere. */
static void row_addr(struct report *r, const char *name, uint64_t n)
{
    char hex[20];

    if (n == ELF_NO_ADDR)
        return;
    snprintf(hex, sizeof(hex), "0x%" PRIx64, n);
    row_text(r, name, hex);
}

static void row_bool(struct report *r, const char *name, bool b)
{
    key(r, name);
    printf("%s", r->json ? (b ? "true" : "false") : (b ? "yes" : "no"));
    end_row(r);
}

static void row_bits(struct report *r, const char *name, uint32_t bits)
{
    key(r, name);
    printf(r->json ? "%" PRIu32 : "0x%" PRIx32, bits);
    end_row(r);
}

static void report_pv(struct report *r, const struct bytes *elf)
{
    struct elf_pv_info pv;
    int rc = elf_pv_parse(elf->data, elf->len, &pv);

    row_bool(r, "pv", rc == 0);
    if (rc) {
        row_text(r, "pv-refused", pv.error);
        return;
    }
    row_text(r, "guest-os", pv.guest_os);
    row_text(r, "guest-version", pv.guest_version);
    row_text(r, "xen-version", pv.xen_version);
    row_text(r, "loader", pv.loader);
    row_addr(r, "entry", pv.entry);
    row_addr(r, "virt-base", pv.virt_base);
    row_addr(r, "paddr-offset", pv.paddr_offset);
    row_addr(r, "hypercall-page", pv.hypercall_page);
    row_addr(r, "init-p2m", pv.init_p2m);
    row_addr(r, "phys32-entry", pv.phys32_entry);
    row_addr(r, "virt-start", pv.virt_kstart);
    row_addr(r, "virt-end", pv.virt_kend);
    row_bool(r, "mod-start-pfn", pv.mod_start_pfn);
    row_bool(r, "suspend-cancel", pv.suspend_cancel);
    row_bool(r, "dom0", pv.features_supported & 1u << XENFEAT_dom0);
    row_bits(r, "features-supported", pv.features_supported);
    row_bits(r, "features-required", pv.features_required);
}

static void report(bool json, const char *path, const struct image *image, const struct bytes *file,
                   const struct bytes *elf)
{
    struct report r = {.json = json};
    char protocol[16];

    row_text(&r, "file", path);
    row_size(&r, "file-size", file->len);
    row_text(&r, "container", image->bzimage ? "bzImage" : "none");
    if (image->bzimage) {
        snprintf(protocol, sizeof(protocol), "%u.%02u", image->protocol >> 8,
                 image->protocol & 0xff);
        row_text(&r, "boot-protocol", protocol);
        row_size(&r, "payload-offset", image->offset);
        row_size(&r, "payload-size", image->size);
    }
    row_text(&r, "format", image_format_name(image->format));
    row_size(&r, "elf-size", elf->len);
    report_pv(&r, elf);
    if (json)
        printf("\n}\n");
}

/* ---- writing ---- */

static int write_all(int fd, const struct bytes *b)
{
    size_t done = 0;

    while (done < b->len) {
        ssize_t n = write(fd, b->data + done, b->len - done);

        if (n < 0 && errno != EINTR)
            return -errno;
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

/* A device, a pipe: what cannot be replaced by a new file. */
static int write_through(const char *path, const struct bytes *b)
{
    FILE *f = fopen(path, "wb");
    int rc;

    if (!f)
        return -errno;
    rc = write_all(fileno(f), b);
    if (fclose(f) && rc == 0)
        rc = -errno;
    return rc;
}

/* Under another name first, so that nobody ever sees half a file under this one. */
static int write_file(const char *path, const struct bytes *b)
{
    char real[PATH_MAX], temp[PATH_MAX + 16];
    mode_t mask = umask(0);
    struct stat st;
    int fd, rc;

    umask(mask);
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
        return write_through(path, b);
    if (!realpath(path, real) && snprintf(real, sizeof(real), "%s", path) >= (int)sizeof(real))
        return -ENAMETOOLONG;
    snprintf(temp, sizeof(temp), "%s.XXXXXX", real);
    fd = mkstemp(temp);
    if (fd < 0)
        return -errno;
    rc = write_all(fd, b);
    if (rc == 0 && fchmod(fd, 0666 & ~mask))
        rc = -errno;
    if (close(fd) && rc == 0)
        rc = -errno;
    if (rc == 0 && rename(temp, real))
        rc = -errno;
    if (rc)
        unlink(temp);
    return rc;
}

static int put_out(const char *path, const struct bytes *elf)
{
    bool is_stdout = strcmp(path, "-") == 0;
    int rc = is_stdout ? write_all(STDOUT_FILENO, elf) : write_file(path, elf);

    if (rc)
        complain(is_stdout ? "standard output" : path, strerror(-rc));
    return rc ? 1 : 0;
}

static int unpack_file(const char *path, const char *output, bool json)
{
    struct bytes file = {0}, elf = {0};
    struct image image;
    struct error err;
    int rc = image_read_file(path, &file, &err);

    if (rc == 0)
        rc = image_unpack(file.data, file.len, &elf, &err);
    if (rc) {
        complain(path, err.text);
    } else if (output) {
        rc = put_out(output, &elf);
    } else {
        image_parse(file.data, file.len, &image, &err);
        report(json, path, &image, &file, &elf);
        rc = fflush(stdout);
    }
    bytes_free(&file);
    bytes_free(&elf);
    return rc ? 1 : 0;
}

int main(int argc, char **argv)
{
    bool info = false, json = false;
    const char *output = NULL;
    const struct option_row rows[] = {
        {"output", 'o', .text = &output},
        {"info", 'i', .flag = &info},
        {"json", 'j', .flag = &json},
        {0},
    };
    const struct option_table options = {NAME, usage, rows};
    int status;

    if (options_take(&options, argc, argv, 1, 1, &status) < 0)
        return status;
    if (info == !!output || (json && !info)) {
        fputs(usage, stderr);
        return 2;
    }
    return unpack_file(argv[1], output, json);
}

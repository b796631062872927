/* SPDX-License-Identifier: MIT */
/* Command lines in Xen's manner: words of `name=value`, `name`, `no-name`. One table per set of
 * options says where each value goes and what range it may have. Nothing here keeps a pointer into
 * the line except where it says so. */
#pragma once

#include <hv/config.h>
#include <hv/types.h>

extern char
    boot_cmdline[1024]; /* the hypervisor's own, for XENVER_commandline; setup.c fills it in */

enum cmdline_type {
    CMDLINE_BOOL,   /* bool; name, no-name, name=on|off|yes|no|true|false|enable|disable|1|0 */
    CMDLINE_UINT,   /* unsigned int in [min, max]; decimal, 0x hexadecimal or 0 octal */
    CMDLINE_SIZE,   /* uint64_t, bytes in [min, max]; suffix B K M G T, none means K */
    CMDLINE_STRING, /* char[max]: terminated; a value that does not fit is malformed */
    CMDLINE_MEM,    /* struct cmdline_mem; `512M,max:1G,min:64M`, each size in [min, max] */
    CMDLINE_SET, /* uint64_t, a bit each; `0-3,5` or `all`, numbers below max, which is at most 64 */
};

struct cmdline_option {
    const char *name;
    enum cmdline_type type;
    void *ptr;         /* of the type said above; keeps its value when the word is malformed */
    uint64_t min, max; /* max 0: no upper limit (UINT, SIZE and MEM only) */
};

struct cmdline_mem {
    uint64_t size, min, max; /* bytes; 0: not given */
};

/** cmdline_parse - read a line into the variables of a table
 * @line    terminated; blanks are between words only
 * @rest    if not NULL: out, what follows a word `--` (blanks skipped), or the line's end
 * @who     in front of the messages about words that were not taken; NULL: none
 * Later words win over earlier ones. Returns the number of words that were not taken. */
int cmdline_parse(const char *line, const struct cmdline_option *table, size_t nr,
                  const char **rest, const char *who);

/** cmdline_skip_image - step over the image's file name
 * Multiboot loaders other than GRUB 2 (and those before it) put it first. @loader may be NULL.
 * Returns a pointer into @line. */
const char *cmdline_skip_image(const char *line, const char *loader);

/* `domu name=b mem=32M vcpus=1 weight=256 cap=0 cpus=0-1 -- arguments for the guest` */
struct cmdline_domu {
    char name[32];
    uint64_t mem; /* bytes, whole pages */
    unsigned int vcpus, weight;
    unsigned int cap; /* per cent of one pcpu, 0: none */
    uint64_t cpus;    /* hard affinity */
    const char *args; /* points into the line */
};

/** cmdline_is_domu - does a module's line (file name already skipped) describe a domain? */
bool cmdline_is_domu(const char *line);

/** cmdline_parse_domu - read such a line; defaults are filled in first. Result as cmdline_parse(). */
int cmdline_parse_domu(const char *line, struct cmdline_domu *domu, const char *who);

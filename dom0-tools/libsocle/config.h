/* SPDX-License-Identifier: MIT */
/* What an administrator wants a domain to be. Files come as JSON (socle.json(5)) or as xl.cfg; this
 * is the only form that the rest of the tools see. Whatever is in it has been checked. */
#ifndef LIBSOCLE_CONFIG_H
#define LIBSOCLE_CONFIG_H

#include "bytes.h"
#include "cpus.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <yajl/yajl_gen.h>

#define CONFIG_MAX_SIZE  (256u * 1024) /* bytes of a file */
#define CONFIG_MAX_CPUS  CPUS_MAX
#define CONFIG_MAX_VCPUS 128u
#define CONFIG_NAME_FORM                                                                           \
    "1 to 63 letters, digits and _.+:-, first a letter or digit, and not only digits"

enum config_action { /* when a domain has ended */
                     CONFIG_DESTROY,
                     CONFIG_RESTART,
                     CONFIG_RENAME_RESTART, /* keep it under another name, and restart */
                     CONFIG_PRESERVE,
};

struct config_disk {
    char *path; /* absolute; a block device or an image as it is, which is there */
    char *vdev; /* "xvda1" */
    char *script;
    uint32_t devid; /* what the guest calls vdev, as a number; unique */
    bool readonly, block;
};

struct config_nic {
    char *bridge, *ifname, *ip, *script; /* each may be NULL */
    char *rate;                          /* as it was written, or NULL; then these: */
    uint32_t rate_bytes, rate_usecs;     /* bytes in each interval of microseconds */
    uint8_t mac[6];
    bool has_mac, any_mac; /* any_mac: the guest may send with other addresses, too */
};

struct config_cpus {
    uint64_t bits[CONFIG_MAX_CPUS / 64];
};

struct domain_config {
    char *name;
    uint8_t uuid[16];
    bool has_uuid;
    char *kernel, *ramdisk;      /* absolute paths; ramdisk may be NULL */
    char *cmdline;               /* never NULL; the words of `extra` are in it */
    unsigned int memory, maxmem; /* MiB */
    unsigned int vcpus, maxvcpus;
    bool has_cpus; /* else it may run anywhere */
    struct config_cpus cpus;
    struct config_cpus *vcpu_cpus; /* or those of vcpu 0, 1 ...; the others may run anywhere */
    size_t nr_vcpu_cpus;
    char *pool;               /* of CPUs; NULL: Pool-0 */
    unsigned int weight, cap; /* cap in per cent of one CPU, 0: none */
    struct config_disk *disks;
    struct config_nic *nics;
    size_t nr_disks, nr_nics;
    char *console_log;             /* absolute path or NULL: the usual place */
    unsigned int console_log_size; /* KiB, 0: the usual size */
    enum config_action on_poweroff, on_reboot, on_crash;
};

/* What there is to say about a file: lines "FILE:LINE: PATH: what was expected", each with a
 * newline. A line about something that was set on the command line begins with "command line: ". */
struct config_notes { /* all zero: nothing */
    struct bytes text;
    unsigned int errors, warnings;
    bool of_the_past; /* set by the caller: files that are named may be gone */
};

/** config_load - read a file, JSON if its name ends in .json or its text begins with {, else xl.cfg
 * @overrides  "key=value" each, keys in the language of the file; they replace what the file says
 * @c          the caller's to free with config_free(); written only on success
 * @notes      errors and warnings are added; there is at least one error on failure
 * Returns 0 or -EINVAL. Paths of JSON files are relative to the file's folder, all others to ours.
 */
int config_load(const char *path, char *const *overrides, size_t nr, struct domain_config *c,
                struct config_notes *notes);

/** config_parse - the same of @text that is in memory, as if @path had been read. */
int config_parse(const char *path, const char *text, size_t len, char *const *overrides, size_t nr,
                 struct domain_config *c, struct config_notes *notes);

/** config_print - write the configuration as a JSON file that gives the same one
 * What is as by default is left out. */
void config_print(const struct domain_config *c, FILE *to);

/** config_generate - the same as a part of something larger. */
void config_generate(const struct domain_config *c, yajl_gen g);

/** config_name_ok - whether a domain may be called so: CONFIG_NAME_FORM. */
bool config_name_ok(const char *name);

/** config_action_name - "destroy", "rename-restart" ... */
const char *config_action_name(enum config_action action);

/** config_cpus_all - all CPUs that there could be. */
struct config_cpus config_cpus_all(void);

void config_free(struct domain_config *c);
void config_notes_free(struct config_notes *notes);

#endif

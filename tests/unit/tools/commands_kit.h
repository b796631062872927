/* SPDX-License-Identifier: MIT */
/* What tests of commands have in common: domains 0, 2, 4 ..., and socle(), which runs a line. */
#ifndef COMMANDS_KIT_H
#define COMMANDS_KIT_H

#include "dom0-tools/socle/commands.h"
#include "fake_xcall.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct xen_domctl_getdomaininfo domains[300];

static char run_dir[] = "/tmp/socle-test-XXXXXX";

static int start(void **state)
{
    (void)state;
    setenv("XENSTORED_PATH", "/nonexistent", 1);
    setenv("SOCLE_RUN_DIR", run_dir, 1);
    memset(domains, 0, sizeof(domains));
    for (unsigned int i = 0; i < 300; i++) {
        domains[i].domain = i * 2;
        domains[i].tot_pages = 256 * (i + 1);
        domains[i].nr_online_vcpus = 1;
        domains[i].max_vcpu_id = 3;
        domains[i].handle[15] = i;
    }
    fake_hypervisor = true;
    fake_domains_list = domains;
    fake_nr_domains = 3;
    return 0;
}

/* Runs it; what it writes to both outputs is kept. */
static char said[65536];

static int socle(const char *line)
{
    char copy[256], *argv[8] = {"socle"}, *save = NULL;
    int argc = 1, out = dup(1), err = dup(2), rc;
    FILE *f = tmpfile();
    size_t len;

    snprintf(copy, sizeof(copy), "%s", line);
    for (char *s = strtok_r(copy, " ", &save); s; s = strtok_r(NULL, " ", &save))
        argv[argc++] = s;
    fflush(stdout);
    dup2(fileno(f), 1);
    dup2(fileno(f), 2);
    rc = command_run(argc, argv);
    fflush(stdout);
    dup2(out, 1);
    dup2(err, 2);
    close(out);
    close(err);
    rewind(f);
    len = fread(said, 1, sizeof(said) - 1, f);
    said[len] = 0;
    fclose(f);
    return rc;
}

#endif

/* SPDX-License-Identifier: MIT */
/* socle dmesg, socle debug-key: the hypervisor's log, and what makes it print more there. */
#include "commands.h"
#include "domains.h"

#include <getopt.h>

int cmd_dmesg(const struct command *self, int argc, char **argv)
{
    static const struct option options[] = {{"clear", no_argument, NULL, 'c'}, {0}};
    bool clear = false;
    uint32_t index = 0, len;
    char buf[16384];
    int c, rc;

    optind = 0; /* from the start, whoever called getopt before */
    while ((c = getopt_long(argc, argv, "c", options, NULL)) != -1) {
        if (c != 'c')
            return command_misuse(self);
        clear = true;
    }
    if (argc > optind)
        return command_misuse(self);
    rc = hypervisor_open();
    if (rc)
        return rc;
    /* Emptied by one more read, which also brings what has come meanwhile. */
    for (bool last = false;; last = !len) {
        len = sizeof(buf);
        rc = xc_read_log(&index, buf, &len, last && clear);
        if (rc)
            return fail("log", rc);
        fwrite(buf, 1, len, stdout);
        if (last)
            return EXIT_OK;
    }
}

int cmd_debug_key(const struct command *self, int argc, char **argv)
{
    int rc;

    if (argc != 2)
        return command_misuse(self);
    rc = hypervisor_open();
    if (rc)
        return rc;
    rc = xc_debug_keys(argv[1]);
    return rc ? fail("debug keys", rc) : EXIT_OK;
}

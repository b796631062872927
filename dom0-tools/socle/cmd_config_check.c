/* SPDX-License-Identifier: MIT */
/* socle config-check: read a configuration, and do nothing. */
#include "commands.h"

#include "../libsocle/config.h"

#include <getopt.h>

int cmd_config_check(const struct command *self, int argc, char **argv)
{
    static const struct option options[] = {{"json", no_argument, NULL, 'j'}, {0}};
    struct config_notes notes = {0};
    struct domain_config config;
    bool json = false;
    const char *file;
    int c, rc;

    optind = 0; /* from the start, whoever called getopt before */
    while ((c = getopt_long(argc, argv, "j", options, NULL)) != -1) {
        if (c != 'j')
            return command_misuse(self);
        json = true;
    }
    if (optind == argc)
        return command_misuse(self);
    file = argv[optind++];
    rc = config_load(file, argv + optind, argc - optind, &config, &notes);
    fwrite(notes.text.data, 1, notes.text.len, stderr);
    config_notes_free(&notes);
    if (rc)
        return EXIT_FAILED;
    if (json)
        config_print(&config, stdout);
    else
        printf("%s: ok\n", file);
    config_free(&config);
    return EXIT_OK;
}

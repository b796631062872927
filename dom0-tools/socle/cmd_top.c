/* SPDX-License-Identifier: MIT */
/* socle top: what domains do, again and again. */
#include "args.h"
#include "commands.h"
#include "top.h"

#include <limits.h>
#include <time.h>

static int batch(const struct top_shape *shape, bool json, unsigned int delay,
                 unsigned int iterations)
{
    struct look now = {0}, before = {0};
    int rc = 0;

    for (unsigned int i = 0; rc == 0 && (!iterations || i < iterations); i++) {
        struct timespec pause = {.tv_sec = delay};
        struct bytes text = {0};

        if (i)
            nanosleep(&pause, NULL);
        look_free(&before);
        before = now;
        rc = look_take(&now);
        if (rc)
            break;
        if (json)
            top_json(&now, &before);
        else
            top_table(&text, &now, &before, shape);
        fwrite(text.data ? text.data : (uint8_t *)"", 1, text.len, stdout);
        bytes_free(&text);
        if (fflush(stdout)) /* nobody reads it any more */
            break;
    }
    look_free(&before);
    look_free(&now);
    return rc;
}

static int number_of(const char *option, const char *text, unsigned int min, unsigned int *value)
{
    uint64_t n;

    if (!arg_number(text, INT_MAX / 1000, &n) || n < min)
        return wrong("%s: expected a number from %u on, not %s", option, min, text);
    *value = n;
    return 0;
}

int cmd_top(const struct command *self, int argc, char **argv)
{
    const char *delay_text = "3", *iterations_text = "0";
    bool in_batch = false, json = false;
    struct top_shape shape = {0};
    const struct command_option options[] = {{"batch", 'b', &in_batch},
                                             {"delay", 'd', .value = &delay_text},
                                             {"iterations", 'i', .value = &iterations_text},
                                             {"full-name", 'f', &shape.full_names},
                                             {"networks", 'n', &shape.networks},
                                             {"vbds", 'x', &shape.disks},
                                             {"vcpus", 'v', &shape.vcpus},
                                             {"json", 'j', &json},
                                             {0}};
    unsigned int delay = 0, iterations = 0;
    int rc;

    if (command_options(self, argc, argv, options, 0, 0) < 0)
        return EXIT_USAGE;
    rc = number_of("--delay", delay_text, 1, &delay);
    if (rc == 0)
        rc = number_of("--iterations", iterations_text, 0, &iterations);
    if (rc)
        return rc;
    rc = hypervisor_open();
    if (rc)
        return rc;
    return in_batch || json ? batch(&shape, json, delay, iterations)
                            : top_screen(&shape, delay * 1000, iterations);
}

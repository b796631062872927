/* SPDX-License-Identifier: MIT */
/* socle create, socle destroy: a domain from its configuration, and back. */
#include "commands.h"
#include "domains.h"

#include "../libsocle/config.h"
#include "../libsocle/create.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct options {
    bool paused, console, dry_run, progress;
    const char *file;
};

/* ---- while it goes on ---- */

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    stop = number;
}

/* What has been made is unmade before we go. */
static void catch_signals(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

    stop = 0;
    for (unsigned int i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        sigaction(signals[i], &action, NULL);
}

#define PATIENCE_MS 500 /* how long nothing is said */

struct progress {
    bool always, shown;
    struct timespec start;
};

static long since(const struct timespec *start)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec - start->tv_sec) * 1000 + (now.tv_nsec - start->tv_nsec) / 1000000;
}

static void show(void *ctx, const char *what, unsigned int percent)
{
    struct progress *p = ctx;

    if (!p->always && since(&p->start) < PATIENCE_MS)
        return;
    fprintf(stderr, "\r%s: %3u%%\033[K", what, percent);
    p->shown = true;
}

static int create(const struct domain_config *c, const struct options *o, domid_t *id)
{
    struct progress progress = {.always = o->progress};
    struct create_options how = {
        .paused = o->paused || o->console, .stop = &stop, .ctx = &progress};
    struct error err = {0};
    int rc;

    if (o->progress || isatty(STDERR_FILENO))
        how.progress = show;
    clock_gettime(CLOCK_MONOTONIC, &progress.start);
    catch_signals();
    rc = domain_create(c, &how, id, &err);
    if (progress.shown)
        fputs("\r\033[K", stderr);
    if (rc)
        fprintf(stderr, "socle: %s: %s\n", c->name, err.text);
    return rc ? EXIT_FAILED : EXIT_OK;
}

/* ---- the command ---- */

/* It is let run by who shows its console, unless it shall wait. */
static int attach(domid_t id, bool paused)
{
    char text[16];

    snprintf(text, sizeof(text), "%u", id);
    execl("/proc/self/exe", "socle", "console", text, paused ? NULL : "--unpause", NULL);
    return fail("console", -errno);
}

static bool parse(int argc, char **argv, struct options *o)
{
    enum { PROGRESS = 256 };
    static const struct option options[] = {{"paused", no_argument, NULL, 'p'},
                                            {"console", no_argument, NULL, 'c'},
                                            {"dry-run", no_argument, NULL, 'n'},
                                            {"progress", no_argument, NULL, PROGRESS},
                                            {0}};
    int c;

    optind = 0;
    while ((c = getopt_long(argc, argv, "pcn", options, NULL)) != -1) {
        switch (c) {
        case 'p':
            o->paused = true;
            break;
        case 'c':
            o->console = true;
            break;
        case 'n':
            o->dry_run = true;
            break;
        case PROGRESS:
            o->progress = true;
            break;
        default:
            return false;
        }
    }
    o->file = argv[optind];
    return o->file;
}

int cmd_create(const struct command *self, int argc, char **argv)
{
    struct config_notes notes = {0};
    struct domain_config config;
    struct options o = {0};
    domid_t id = 0;
    int rc;

    if (!parse(argc, argv, &o))
        return command_misuse(self);
    rc = config_load(o.file, argv + optind + 1, argc - optind - 1, &config, &notes);
    fwrite(notes.text.data, 1, notes.text.len, stderr);
    config_notes_free(&notes);
    if (rc)
        return EXIT_FAILED;
    if (o.dry_run)
        config_print(&config, stdout);
    else
        rc = hypervisor_open() ?: create(&config, &o, &id);
    config_free(&config);
    return rc == EXIT_OK && o.console && !o.dry_run ? attach(id, o.paused) : rc;
}

int cmd_destroy(const struct command *self, int argc, char **argv)
{
    struct xen_domctl_getdomaininfo *d;
    struct error err = {0};
    unsigned int nr;
    int rc;

    if (argc != 2)
        return command_misuse(self);
    rc = domains_find(argv[1], &d, &nr);
    if (rc)
        return rc;
    rc = domain_end(d->domain, &err);
    free(d);
    if (rc)
        fprintf(stderr, "socle: %s: %s\n", argv[1], err.text);
    return rc ? EXIT_FAILED : EXIT_OK;
}

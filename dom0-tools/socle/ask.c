/* SPDX-License-Identifier: MIT */
/* Requests to guests. A guest that has not reacted finds the request when it gets to it: whoever
 * boots, or is paused, does so later. */
#include "ask.h"

#include "commands.h"
#include "../libsocle/alloc.h"
#include "../libsocle/state.h"
#include "../libsocle/xs.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xen/sched.h>

#define LOOK_AGAIN_MS 1000  /* should a watch say nothing */
#define TAKE_AWAY_MS  10000 /* for whoever is to take an ended domain away */

enum step { ASKED, SEEN, ENDED, OVER };

struct guest {
    domid_t id;
    char *name;
    uint8_t handle[16];
    enum step step;
    int64_t ended_at;
    bool failed;
};

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000ll + t.tv_nsec / 1000000;
}

static void give_up(struct guest *g)
{
    g->step = OVER;
    g->failed = true;
}

/* ---- one guest ---- */

static void ask(struct guest *g, const char *node, const char *value)
{
    char path[64];
    struct xs_pair pair = {path, value};
    int rc;

    if (domain_must_have_nodes(g->id, g->name)) {
        give_up(g);
        return;
    }
    snprintf(path, sizeof(path), "/local/domain/%u/control/%s", g->id, node);
    xs_observe(path);
    rc = xs_put_all(&pair, 1);
    if (rc == 0)
        return;
    fail(g->name, rc);
    give_up(g);
}

static bool has_seen(const struct guest *g, const char *node)
{
    char path[64], *value;
    bool seen;

    snprintf(path, sizeof(path), "control/%s", node);
    value = domain_node(g->id, path);
    seen = value && !value[0];
    free(value);
    return seen;
}

/* Whether somebody is to take it away, so that its name and its memory can be used again. */
static bool is_to_go(const struct xen_domctl_getdomaininfo *d)
{
    struct domain_config c;
    enum config_action action;

    if (d->flags & XEN_DOMINF_dying)
        return true;
    if (state_read(d->domain, d->handle, &c, NULL))
        return false;
    action = domain_reason(d) == SHUTDOWN_poweroff ? c.on_poweroff
             : domain_reason(d) == SHUTDOWN_reboot ? c.on_reboot
                                                   : c.on_crash;
    config_free(&c);
    return action == CONFIG_DESTROY || action == CONFIG_RESTART;
}

/* It has ended, or does not exist any more. */
static void over(struct guest *g, const struct xen_domctl_getdomaininfo *d, bool end)
{
    unsigned int why = d && !(d->flags & XEN_DOMINF_dying) ? domain_reason(d) : SHUTDOWN_poweroff;

    if (g->step != ENDED && (why == SHUTDOWN_crash || why == SHUTDOWN_watchdog)) {
        refuse("%s: has crashed", g->name);
        g->failed = true;
    }
    if (g->step != ENDED)
        g->ended_at = now_ms();
    g->step = d && end && now_ms() - g->ended_at < TAKE_AWAY_MS && is_to_go(d) ? ENDED : OVER;
}

static void complain(struct guest *g, unsigned int seconds, bool paused)
{
    char *driver = domain_node(g->id, "control/feature-poweroff");

    refuse("%s: no reaction for %u seconds: %s", g->name, seconds,
           paused                ? "it is paused"
           : driver && driver[0] ? "it may be busy"
                                 : "it may be booting, or have no driver for requests");
    free(driver);
    give_up(g);
}

/* ---- all of them ---- */

/* The domain that was asked, if it is still there. */
static const struct xen_domctl_getdomaininfo *find(const struct xen_domctl_getdomaininfo *list,
                                                   unsigned int nr, const struct guest *g)
{
    for (unsigned int i = 0; i < nr; i++) {
        if (list[i].domain == g->id && memcmp(list[i].handle, g->handle, sizeof(g->handle)) == 0)
            return &list[i];
    }
    return NULL;
}

/* Where they are now; returns how many there is still something to wait for. */
static unsigned int look(struct guest *g, unsigned int nr, const char *node, bool end,
                         unsigned int seconds, bool late)
{
    struct xen_domctl_getdomaininfo *list = NULL;
    unsigned int found = 0, left = 0;

    if (xc_domains(&list, &found))
        return nr; /* next time */
    for (unsigned int i = 0; i < nr; i++) {
        const struct xen_domctl_getdomaininfo *d = find(list, found, &g[i]);

        if (g[i].step == OVER)
            continue;
        if (!d || d->flags & (XEN_DOMINF_shutdown | XEN_DOMINF_dying))
            over(&g[i], d, end);
        else if (g[i].step == ASKED && has_seen(&g[i], node))
            g[i].step = end ? SEEN : OVER;
        else if (g[i].step == ASKED && late)
            complain(&g[i], seconds, d->flags & XEN_DOMINF_paused);
        left += g[i].step != OVER;
    }
    free(list);
    return left;
}

int ask_guests(const struct xen_domctl_getdomaininfo *d, unsigned int nr, const char *node,
               const char *value, unsigned int seconds, bool end)
{
    char **name = domains_names(d, nr);
    struct guest *g = must_alloc((nr + 1) * sizeof(*g));
    int64_t deadline;
    bool failed = false;

    xs_observe("@releaseDomain");
    for (unsigned int i = 0; i < nr; i++) {
        g[i] = (struct guest){.id = d[i].domain, .name = name[i]};
        memcpy(g[i].handle, d[i].handle, sizeof(g[i].handle));
        ask(&g[i], node, value);
    }
    deadline = now_ms() + seconds * 1000ll;
    for (;;) {
        int64_t left = deadline - now_ms();

        if (!look(g, nr, node, end, seconds, left <= 0))
            break;
        xs_await(left > 0 && left < LOOK_AGAIN_MS ? left : LOOK_AGAIN_MS);
    }
    for (unsigned int i = 0; i < nr; i++)
        failed |= g[i].failed;
    domains_names_free(name, nr);
    free(g);
    return failed ? EXIT_FAILED : EXIT_OK;
}

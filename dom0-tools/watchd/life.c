/* SPDX-License-Identifier: MIT */
/* The end of a guest, and its next life. Rules L1 and L2 are in life.h. */
#include "life.h"

#include "../libsocle/alloc.h"
#include "../libsocle/state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xen/sched.h>

enum { TRIES = 5, PATH_BYTES = 256, LONGEST_NAME = 63 };

static const struct life_world *world;

static const char *path_of(domid_t id, const char *what)
{
    static char path[2][PATH_BYTES];
    static unsigned int turn;

    turn ^= 1;
    snprintf(path[turn], PATH_BYTES, "%s/%u.%s", state_dir(), id, what);
    return path[turn];
}

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

bool life_pending(domid_t id)
{
    return exists(path_of(id, "restart")) || exists(path_of(id, "life"));
}

/* ---- who is at it ---- */

static int lock(domid_t id)
{
    const char *path = path_of(id, "life");
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct stat ours, there;

    if (fd < 0)
        return -errno;
    if (flock(fd, LOCK_EX | LOCK_NB)) {
        close(fd);
        return -EBUSY;
    }
    /* The one before may have removed it meanwhile. */
    if (fstat(fd, &ours) || stat(path, &there) || ours.st_ino != there.st_ino) {
        close(fd);
        return -EBUSY;
    }
    return fd;
}

static void unlock(domid_t id, int fd)
{
    unlink(path_of(id, "life"));
    close(fd);
}

/* ---- how often ---- */

static void history_path(const uint8_t uuid[16], char path[PATH_BYTES])
{
    int len = snprintf(path, PATH_BYTES, "%s/", state_dir());

    for (unsigned int i = 0; i < 16; i++)
        len += snprintf(path + len, PATH_BYTES - len, "%02x", uuid[i]);
    snprintf(path + len, PATH_BYTES - len, ".restarts");
}

static void history_forget(const struct domain_config *c)
{
    char path[PATH_BYTES];

    history_path(c->uuid, path);
    unlink(path);
}

/* Written anew and put in place; what cannot be kept is only counted less. */
static void history_save(const char *path, const struct policy_history *h)
{
    char temp[PATH_BYTES + 8];
    FILE *f;

    snprintf(temp, sizeof(temp), "%s.new", path);
    f = fopen(temp, "we");
    if (!f)
        return;
    for (unsigned int i = 0; i < h->nr; i++)
        fprintf(f, "%" PRIu64 "\n", h->at[i]);
    if (fclose(f) == 0)
        rename(temp, path);
}

static bool may_restart(const struct domain_config *c, const struct policy_limit *limit)
{
    struct policy_history h = {.nr = 0};
    char path[PATH_BYTES];
    bool may;
    FILE *f;

    history_path(c->uuid, path);
    f = fopen(path, "re");
    if (f) {
        while (h.nr < POLICY_MOST && fscanf(f, "%" SCNu64, &h.at[h.nr]) == 1)
            h.nr++;
        fclose(f);
    }
    may = policy_may_restart(&h, limit, world->now());
    history_save(path, &h);
    return may;
}

/* ---- the next life ---- */

/* A complete domain with that uuid, besides @old. If it has never run, then because whoever made it was
 * killed before the last step. */
static bool lives(const uint8_t uuid[16], domid_t old)
{
    struct xen_domctl_getdomaininfo *list;
    struct domain_config c;
    unsigned int nr;
    bool found = false;

    if (world->domains(&list, &nr))
        return false;
    for (unsigned int i = 0; i < nr && !found; i++) {
        if (list[i].domain == old || memcmp(list[i].handle, uuid, 16) ||
            state_read(list[i].domain, uuid, &c, NULL))
            continue;
        config_free(&c);
        found = true;
        if (list[i].cpu_time == 0 && list[i].flags & XEN_DOMINF_paused)
            world->unpause(list[i].domain);
    }
    free(list);
    return found;
}

/* What a restart goes by. */
static int load_next(domid_t id, struct domain_config *c)
{
    const char *path = path_of(id, "restart");
    struct config_notes notes = {.of_the_past = true};
    int rc = config_load(path, NULL, 0, c, &notes);

    if (rc)
        world->log("%.*s", (int)strcspn((char *)notes.text.data, "\n"), notes.text.data);
    config_notes_free(&notes);
    return rc;
}

/* As the old domain is to be from now on; nothing will be done about it again. */
static void make_other(struct domain_config *c, domid_t id)
{
    char suffix[8], *name = must_alloc(LONGEST_NAME + 1);
    int room = LONGEST_NAME - sprintf(suffix, "-%u", id);

    sprintf(name, "%.*s%s", room, c->name, suffix);
    free(c->name);
    c->name = name;
    c->on_poweroff = c->on_reboot = c->on_crash = CONFIG_PRESERVE;
    must_have(getrandom(c->uuid, sizeof(c->uuid), 0) == sizeof(c->uuid) ? 0 : -EIO);
}

/* The uuid is the last that changes, and tells that all is done. Should then the configuration not
 * be written any more, the domain is nobody's, and just as well left as it is. */
static int rename_old(domid_t id)
{
    struct domain_config c;
    struct error err;
    int rc = load_next(id, &c);

    if (rc)
        return rc;
    make_other(&c, id);
    rc = world->rename(id, &c, &err);
    if (rc == 0)
        rc = state_write(id, &c, &err);
    if (rc)
        world->log("%s (domain %u): cannot be renamed: %s", c.name, id, err.text);
    config_free(&c);
    return rc;
}

/* The daemon of the store may be on its way up: so several times. */
static enum life_result end_old(domid_t id)
{
    struct error err;

    for (unsigned int try = 0; try < TRIES; try++) {
        if (try)
            world->wait(1 << (try - 1));
        if (world->end(id, &err) == 0)
            return LIFE_DONE;
        world->log("domain %u: %s", id, err.text);
    }
    return LIFE_FAILED;
}

/* Who holds pages of the old one may take a moment to let go. So several times. */
static void make_new(const struct domain_config *c)
{
    struct error err;
    domid_t id;

    for (unsigned int try = 0; try < TRIES; try++) {
        if (try)
            world->wait(1 << (try - 1));
        if (world->create(c, &id, &err) == 0) {
            world->log("%s: is domain %u now", c->name, id);
            return;
        }
        world->log("%s: cannot be started again: %s", c->name, err.text);
    }
}

static unsigned int reason_of(const struct xen_domctl_getdomaininfo *info)
{
    return info->flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask;
}

static bool has_ended(const struct xen_domctl_getdomaininfo *info)
{
    return info->flags & XEN_DOMINF_shutdown;
}

/* Rule L1, as far as it has not been done. */
static enum life_result go_on(domid_t id)
{
    struct xen_domctl_getdomaininfo info;
    enum config_action action = CONFIG_RESTART;
    struct domain_config next;
    bool gone = true;

    if (load_next(id, &next) == 0) {
        if (world->info(id, &info) == 0 && memcmp(info.handle, next.uuid, 16) == 0) {
            if (has_ended(&info))
                policy_action(&next, reason_of(&info), &action);
            gone = action == CONFIG_RENAME_RESTART ? rename_old(id) == 0 : end_old(id) == LIFE_DONE;
        }
        if (gone && !lives(next.uuid, id))
            make_new(&next);
        config_free(&next);
    }
    if (gone)
        unlink(path_of(id, "restart"));
    return gone ? LIFE_DONE : LIFE_FAILED;
}

/* ---- this one ---- */

/* L3 */
static void take_name(domid_t id, struct domain_config *c)
{
    char *name = world->name(id);
    struct error err;
    int lock;

    if (name && config_name_ok(name) && strcmp(name, c->name) != 0) {
        free(c->name);
        c->name = must_copy(name, strlen(name));
        lock = state_lock(id, true, &err);
        if (lock < 0 || state_write(id, c, &err))
            world->log("%s (domain %u): %s", name, id, err.text);
        if (lock >= 0)
            state_unlock(id, lock);
    }
    free(name);
}

static enum life_result restart(domid_t id)
{
    if (link(path_of(id, "json"), path_of(id, "restart"))) {
        world->log("%s: %s", path_of(id, "restart"), strerror(errno));
        return LIFE_FAILED;
    }
    return go_on(id);
}

static const char *ending(unsigned int reason)
{
    switch (reason) {
    case SHUTDOWN_poweroff:
        return "has powered off";
    case SHUTDOWN_reboot:
        return "reboots";
    case SHUTDOWN_watchdog:
        return "was ended by its watchdog";
    default:
        return "has crashed";
    }
}

static enum life_result act(domid_t id, struct domain_config *c, unsigned int reason,
                            const struct policy_limit *limit)
{
    enum config_action action;

    if (!policy_action(c, reason, &action))
        return LIFE_DONE;
    take_name(id, c);
    world->log("%s (domain %u) %s: %s", c->name, id, ending(reason), config_action_name(action));
    if (action == CONFIG_RESTART || action == CONFIG_RENAME_RESTART) {
        if (may_restart(c, limit))
            return restart(id);
        world->log("%s (domain %u): was restarted %u times within %u seconds; it stays as it is",
                   c->name, id, limit->restarts, limit->seconds);
        action = CONFIG_PRESERVE;
    }
    history_forget(c);
    return action == CONFIG_DESTROY ? end_old(id) : LIFE_DONE;
}

/* Nothing has been begun. */
static enum life_result begin(domid_t id, const struct policy_limit *limit)
{
    struct xen_domctl_getdomaininfo info;
    struct domain_config c;
    struct error err;
    enum life_result result;
    int rc = world->info(id, &info);

    if (state_abandoned(id) == id)
        return end_old(id);
    if (rc || info.flags & XEN_DOMINF_dying)
        return exists(path_of(id, "json")) ? end_old(id) : LIFE_DONE;
    rc = state_read(id, info.handle, &c, &err);
    if (rc == -ENOENT) /* L2 */
        return LIFE_DONE;
    if (rc) {
        world->log("domain %u: %s", id, err.text);
        return LIFE_FAILED;
    }
    result = has_ended(&info) ? act(id, &c, reason_of(&info), limit) : LIFE_DONE;
    config_free(&c);
    return result;
}

enum life_result life_handle(domid_t id, const struct policy_limit *limit,
                             const struct life_world *w)
{
    enum life_result result;
    int fd = lock(id);

    if (fd < 0)
        return fd == -EBUSY ? LIFE_BUSY : LIFE_FAILED;
    world = w;
    result = exists(path_of(id, "restart")) ? go_on(id) : begin(id, limit);
    unlock(id, fd);
    return result;
}

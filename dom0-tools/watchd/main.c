/* SPDX-License-Identifier: MIT */
/* socle-watchd: what happens to guests that have ended. See socle-watchd(8).
 *
 * This process only sees that there is something to do about a domain, and starts itself anew with
 * --handle for it: one that waits for its devices holds up no other, and a fault in there hits one
 * domain. What is to be done follows each time from what there is (life.h), so nothing is lost with
 * either process. */
#include "world.h"

#include "../libsocle/daemon.h"
#include "../libsocle/options.h"
#include "../libsocle/state.h"
#include "../libsocle/xc.h"
#include "../libsocle/xcall.h"
#include "../libsocle/xs.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NAME "socle-watchd"

/* Seconds: until there is another look at all domains; at something that did not work, doubled each
 * time; at the store that is not there; at what somebody else does. */
enum { LOOK = 30, AGAIN = 10, STORE = 1, SOON = 1 };
enum { MOST = 4 }; /* at a time: memory and disks are the same for all */

static const char usage[] =
    "usage: " NAME " [--daemon] [--pid-file FILE] [--restarts NUMBER] [--within SECONDS]\n";

static struct options {
    bool background;
    int handle; /* -1: none */
    const char *pid_file;
    struct policy_limit limit;
} options = {.handle = -1, .limit = {.restarts = 5, .seconds = 60}};

/* ---- what is under way, or was ---- */

static struct job {
    pid_t pid; /* 0: nobody is at it */
    int pidfd;
    time_t not_before;
    unsigned int failures; /* in a row */
    bool settled;          /* this end of this domain has been seen to: */
    uint8_t handle[16];    /* its uuid */
    uint32_t ending;       /* and how it ended, if it has */
} jobs[DOMID_FIRST_RESERVED];

static unsigned int running;

/* More than any id that has been seen: jobs[] has nothing from there on. */
static unsigned int nr_ids = 1;

/* Is this an id of a guest? */
static bool see_id(unsigned long id)
{
    if (id == 0 || id >= DOMID_FIRST_RESERVED)
        return false;
    if (id >= nr_ids)
        nr_ids = id + 1;
    return true;
}

static time_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec;
}

static void become_handler(domid_t id)
{
    char domain[8], restarts[16], within[16];
    const char *args[] = {NAME,     "--handle", domain, "--restarts",
                          restarts, "--within", within, options.background ? "--syslog" : NULL,
                          NULL};
    sigset_t none;

    sprintf(domain, "%u", id);
    sprintf(restarts, "%u", options.limit.restarts);
    sprintf(within, "%u", options.limit.seconds);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    execv("/proc/self/exe", (char **)args);
    _exit(LIFE_FAILED);
}

static void start(domid_t id)
{
    struct job *j = &jobs[id];
    pid_t pid;

    if (j->pid || running >= MOST || now() < j->not_before)
        return;
    pid = fork();
    if (pid == 0)
        become_handler(id);
    j->pidfd = pid < 0 ? -1 : pidfd_open(pid, 0);
    if (pid < 0) {
        daemon_log("domain %u: %s", id, strerror(errno));
        j->not_before = now() + AGAIN;
        return;
    }
    j->pid = pid;
    running++;
}

static void collect(struct job *j)
{
    int status;

    if (waitpid(j->pid, &status, WNOHANG) != j->pid)
        return;
    close(j->pidfd);
    j->pid = 0;
    running--;
    j->settled = WIFEXITED(status) && WEXITSTATUS(status) == LIFE_DONE;
    if (j->settled || (WIFEXITED(status) && WEXITSTATUS(status) == LIFE_BUSY)) {
        j->not_before = now() + SOON;
        j->failures = 0;
    } else {
        j->not_before = now() + (AGAIN << j->failures);
        j->failures += j->failures < 6;
    }
}

/* ---- what there is to do ---- */

/* Files come first: a domain that begins meanwhile has its files before we hear of it. */
static void look_at_files(bool *pending, bool *known)
{
    DIR *dir = opendir(state_dir());
    time_t old = time(NULL) - options.limit.seconds;
    char path[512];
    struct stat st;

    for (struct dirent *e; dir && (e = readdir(dir));) {
        char *end;
        unsigned long id = strtoul(e->d_name, &end, 10);
        bool of_domain = end != e->d_name && see_id(id);
        const char *suffix = strrchr(e->d_name, '.');

        if (of_domain && (!strcmp(end, ".restart") || !strcmp(end, ".life")))
            pending[id] = true;
        if (of_domain && !strcmp(end, ".json"))
            known[id] = true;
        if (suffix && !strcmp(suffix, ".restarts")) {
            snprintf(path, sizeof(path), "%s/%s", state_dir(), e->d_name);
            if (stat(path, &st) == 0 && st.st_mtime < old)
                unlink(path);
        }
    }
    if (dir)
        closedir(dir);
    for (int id = state_abandoned(1); id > 0; id = state_abandoned(id + 1))
        pending[id] = see_id(id);
}

/* The same end of the same domain again, about which all has been done? */
static bool is_settled(struct job *j, const struct xen_domctl_getdomaininfo *info)
{
    uint32_t ending =
        info->flags & (XEN_DOMINF_shutdown | XEN_DOMINF_shutdownmask << XEN_DOMINF_shutdownshift);

    if (j->ending != ending || memcmp(j->handle, info->handle, 16)) {
        j->settled = false;
        j->ending = ending;
        memcpy(j->handle, info->handle, 16);
    }
    return j->settled || !(ending & XEN_DOMINF_shutdown);
}

static void look(void)
{
    static bool pending[DOMID_FIRST_RESERVED], known[DOMID_FIRST_RESERVED];
    struct xen_domctl_getdomaininfo *list;
    unsigned int nr;
    int rc;

    memset(pending, 0, nr_ids * sizeof(*pending));
    memset(known, 0, nr_ids * sizeof(*known));
    look_at_files(pending, known);
    rc = xc_domains(&list, &nr);
    if (rc) {
        daemon_log("list of domains: %s", strerror(-rc));
        return;
    }
    for (unsigned int i = 0; i < nr; i++) {
        domid_t id = list[i].domain;

        if (!see_id(id))
            continue;
        if (known[id] && !is_settled(&jobs[id], &list[i]))
            pending[id] = true;
        known[id] = false;
    }
    free(list);
    for (unsigned int id = 1; id < nr_ids; id++) {
        if (pending[id] || known[id]) /* known: without a domain now */
            start(id);
        else if (!jobs[id].pid)
            jobs[id].failures = 0;
    }
}

/* ---- the store tells when to look ---- */

static bool listening;

static void read_events(void)
{
    listening = xs_events() && !xs_lost();
}

static void listen_to_store(void)
{
    xs_leave();
    xs_lost(); /* which is known */
    listening = xs_reach() == 0 && xs_subscribe("@releaseDomain", NAME) == 0;
    if (listening)
        read_events();
}

static int64_t patience(void)
{
    time_t here = now(), least = here + (listening ? LOOK : STORE);

    for (unsigned int id = 1; id < nr_ids; id++) {
        if (!jobs[id].pid && jobs[id].not_before > here && jobs[id].not_before < least)
            least = jobs[id].not_before;
    }
    return (least - here) * INT64_C(1000000000);
}

static void turn(void)
{
    struct pollfd fds[1 + MOST] = {{.fd = listening ? xs_fd() : -1, .events = POLLIN}};
    unsigned int nr = 1;

    for (unsigned int id = 1; id < nr_ids && nr <= MOST; id++) {
        if (jobs[id].pid)
            fds[nr++] = (struct pollfd){.fd = jobs[id].pidfd, .events = POLLIN};
    }
    daemon_poll(fds, nr, patience());
    for (unsigned int id = 1; id < nr_ids; id++) {
        if (jobs[id].pid)
            collect(&jobs[id]);
    }
    if (listening)
        read_events();
    if (!listening)
        listen_to_store();
    look();
}

/* ---- start ---- */

/* Returns as options_take(). */
static int read_options(int argc, char **argv, int *status)
{
    unsigned long handle = 0, restarts = options.limit.restarts, within = options.limit.seconds;
    bool to_syslog = false;
    const struct option_row rows[] = {
        {"daemon", 'd', .flag = &options.background},
        {"pid-file", 'p', .text = &options.pid_file},
        {"restarts", 'r', .number = &restarts, 0, POLICY_MOST},
        {"within", 'w', .number = &within, 0, 999999999},
        {"handle", 0, .number = &handle, 1, DOMID_FIRST_RESERVED - 1},
        {"syslog", 0, .flag = &to_syslog},
        {0},
    };
    const struct option_table table = {NAME, usage, rows};
    int rc = options_take(&table, argc, argv, 0, 0, status);

    options.limit.restarts = restarts;
    options.limit.seconds = within;
    options.handle = handle ? (int)handle : -1;
    if (to_syslog)
        world_log_to_syslog();
    return rc;
}

/* A file that is there as long as we are; who finds it locked does not begin. */
static int be_the_only_one(void)
{
    char path[512];
    int rc;

    snprintf(path, sizeof(path), "%s/watchd.pid", state_dir());
    if (options.pid_file)
        snprintf(path, sizeof(path), "%s", options.pid_file);
    rc = daemon_pid_file(path);
    if (rc)
        daemon_log("%s: %s", path, rc == -EBUSY ? "another one runs" : strerror(-rc));
    return rc;
}

int main(int argc, char **argv)
{
    int rc, status;

    if (read_options(argc, argv, &status) < 0)
        return status;
    if (options.handle >= 0) {
        rc = xcall_open();
        return rc ? LIFE_FAILED : life_handle(options.handle, &options.limit, &real_world);
    }
    daemon_begin(NAME, options.background);
    if (be_the_only_one())
        return 1;
    rc = xcall_open();
    if (rc) {
        daemon_log("there is no hypervisor to talk to: %s", strerror(-rc));
        return 1;
    }
    listen_to_store();
    daemon_ready();
    look();
    while (!daemon_stopped())
        turn();
    return 0;
}

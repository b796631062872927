// SPDX-License-Identifier: MIT
/* Addresses for guests: by dnsmasq, which also answers their questions for names, or by busybox's udhcpd.
 *
 * Neither looks whether somebody uses an address before it gives it away: while they wait for an answer, seconds, they
 * serve nobody else, and a guest that claims every address would keep all others from having one. Nobody else gives
 * addresses here, so what they have given to one is what they must not give to another. */
#include "network.h"

#include "../libsocle/alloc.h"
#include "../libsocle/image.h"
#include "../libsocle/state.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

char *address_text(uint32_t address, char *text)
{
    struct in_addr a = {htonl(address)};

    inet_ntop(AF_INET, &a, text, 16);
    return text;
}

void dhcp_range(const struct bridge *b, uint32_t *first, uint32_t *last)
{
    uint32_t hosts = ~0u >> b->prefix, subnet = b->address & ~hosts;

    *first = subnet + 1;
    *last = subnet + hosts - 1;
    if (b->address - *first <= *last - b->address)
        *first = b->address + 1;
    else
        *last = b->address - 1;
}

void network_path(char path[NETWORK_PATH], const char *format, ...)
{
    int len = snprintf(path, NETWORK_PATH, "%s/network", state_dir());
    va_list args;

    mkdir(path, 0755);
    len += snprintf(path + len, NETWORK_PATH - len, "/hosts");
    mkdir(path, 0755);
    len -= strlen("hosts");
    va_start(args, format);
    vsnprintf(path + len, NETWORK_PATH - len, format, args);
    va_end(args);
}

static void state_path(const struct bridge *b, const char *what, char path[NETWORK_PATH])
{
    network_path(path, "%s.%s", b->name, what);
}

/* ---- the process ---- */

static pid_t running(const struct bridge *b, char name[32])
{
    char path[NETWORK_PATH], file[64];
    long pid = 0;
    FILE *f;

    name[0] = 0;
    state_path(b, "pid", path);
    f = fopen(path, "re");
    if (f) {
        if (fscanf(f, "%ld", &pid) != 1)
            pid = 0;
        fclose(f);
    }
    snprintf(file, sizeof(file), "/proc/%ld/comm", pid);
    f = pid > 1 ? fopen(file, "re") : NULL;
    if (f) {
        if (!fgets(name, 32, f))
            name[0] = 0;
        fclose(f);
    }
    name[strcspn(name, "\n")] = 0;
    return strcmp(name, "dnsmasq") == 0 || strcmp(name, "udhcpd") == 0 ? pid : 0;
}

/* Servers go to the background when they are ready. */
static int start(char *const *argv, struct error *err)
{
    posix_spawn_file_actions_t files;
    const char *dirs = getenv("PATH");
    char path[4096];
    int rc, status;
    pid_t pid;

    /* We may have been called by somebody without a PATH for administrators. */
    snprintf(path, sizeof(path), "%s:/usr/sbin:/sbin", dirs ? dirs : "/usr/bin:/bin");
    setenv("PATH", path, 1);
    /* It stays, and whoever waits for our output to end must not wait for it. */
    posix_spawn_file_actions_init(&files);
    for (int fd = 0; fd < 3; fd++)
        posix_spawn_file_actions_addopen(&files, fd, "/dev/null", O_RDWR, 0);
    rc = posix_spawnp(&pid, argv[0], &files, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&files);
    if (rc)
        return -rc;
    if (waitpid(pid, &status, 0) == pid && status == 0)
        return 0;
    return error_set(err, -EIO, "%s, which gives the guests addresses, does not start", argv[0]);
}

/* ---- dnsmasq ---- */

static int start_dnsmasq(const struct bridge *b, struct error *err)
{
    char words[5][NETWORK_PATH + 32], from[16], to[16], path[NETWORK_PATH];
    char *argv[] = {"dnsmasq",
                    "--conf-file=/dev/null",
                    "--bind-interfaces",
                    "--except-interface=lo",
                    "--no-ping",
                    "--dhcp-authoritative",
                    words[0],
                    words[1],
                    words[2],
                    words[3],
                    words[4],
                    NULL};
    uint32_t first, last;

    dhcp_range(b, &first, &last);
    snprintf(words[0], sizeof(words[0]), "--interface=%s", b->name);
    snprintf(words[1], sizeof(words[1]), "--dhcp-range=%s,%s,12h", address_text(first, from),
             address_text(last, to));
    state_path(b, "pid", path);
    snprintf(words[2], sizeof(words[2]), "--pid-file=%s", path);
    state_path(b, "leases", path);
    snprintf(words[3], sizeof(words[3]), "--dhcp-leasefile=%s", path);
    network_path(path, "hosts");
    snprintf(words[4], sizeof(words[4]), "--dhcp-hostsdir=%s", path); /* it looks by itself */
    return start(argv, err);
}

/* ---- udhcpd ---- */

/* Name servers of dom0 that guests can reach as well. */
static void put_name_servers(FILE *f)
{
    FILE *from = fopen("/etc/resolv.conf", "re");
    char line[256], address[64];
    struct in_addr a;

    while (from && fgets(line, sizeof(line), from)) {
        if (sscanf(line, "nameserver %63s", address) == 1 && inet_pton(AF_INET, address, &a) == 1 &&
            ntohl(a.s_addr) >> 24 != 127)
            fprintf(f, "opt dns %s\n", address);
    }
    if (from)
        fclose(from);
}

struct static_leases {
    const struct bridge *b;
    FILE *f;
};

static void put_static_lease(void *ctx, const char *mac, uint32_t ip)
{
    const struct static_leases *s = ctx;
    uint32_t hosts = ~0u >> s->b->prefix;
    char text[16];

    if ((ip & ~hosts) == (s->b->address & ~hosts) && ip != s->b->address)
        fprintf(s->f, "static_lease %s %s\n", mac, address_text(ip, text));
}

void dhcp_conf(const struct bridge *b, FILE *f)
{
    struct static_leases leases = {b, f};
    char pid[NETWORK_PATH], lease[NETWORK_PATH], text[16];
    uint32_t first, last;

    dhcp_range(b, &first, &last);
    state_path(b, "pid", pid);
    state_path(b, "leases", lease);
    fprintf(f, "interface %s\npidfile %s\nlease_file %s\n", b->name, pid, lease);
    fprintf(f, "start %s\n", address_text(first, text));
    fprintf(f, "end %s\n", address_text(last, text));
    /* Who refuses what it is given shall not use up all that there are. */
    fprintf(f, "decline_time 10\nconflict_time 10\nauto_time 60\n");
    fprintf(f, "opt subnet %s\n", address_text(~(~0u >> b->prefix), text));
    fprintf(f, "opt router %s\nopt lease 43200\n", address_text(b->address, text));
    put_name_servers(f);
    hosts_each(put_static_lease, &leases);
}

static char *conf_text(const struct bridge *b, size_t *len)
{
    char *text = NULL;
    FILE *f = open_memstream(&text, len);

    must_have(f ? 0 : -ENOMEM);
    dhcp_conf(b, f);
    must_have(fclose(f));
    return text;
}

static bool is_written(const char *path, const char *text, size_t len)
{
    struct bytes file = {0};
    bool is = image_read_file(path, &file, NULL) == 0 && file.len == len &&
              memcmp(file.data, text, len) == 0;

    bytes_free(&file);
    return is;
}

/* It keeps its leases first. Returns when it is gone. */
static void stop(const struct bridge *b, pid_t pid)
{
    char name[32];

    kill(pid, SIGUSR1);
    kill(pid, SIGTERM);
    for (unsigned int tries = 0; tries < 500 && running(b, name) == pid; tries++)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
}

/* It reads its configuration but once. The file is written when nobody runs by it: so what is in it is what the one that
 * runs knows, whoever is killed when. */
static int start_udhcpd(const struct bridge *b, pid_t pid, struct error *err)
{
    char conf[NETWORK_PATH], leases[NETWORK_PATH];
    char *argv[] = {"udhcpd", "-a", "0", conf, NULL};
    size_t len;
    char *text = conf_text(b, &len);
    bool good;
    FILE *f;

    state_path(b, "conf", conf);
    state_path(b, "leases", leases);
    if (pid && is_written(conf, text, len)) {
        free(text);
        return 0;
    }
    if (pid)
        stop(b, pid);
    f = fopen(conf, "we");
    good = f && fwrite(text, 1, len, f) == len;
    good = f && fclose(f) == 0 && good;
    free(text);
    if (!good)
        return error_set(err, -EIO, "%s: %s", conf, strerror(errno));
    f = fopen(leases, "ae"); /* it wants one */
    if (f)
        fclose(f);
    return start(argv, err);
}

/* ---- either ---- */

int dhcp_up(const struct bridge *b, struct error *err)
{
    char name[32];
    pid_t pid = running(b, name);
    int rc = -ENOENT;

    if (pid && strcmp(name, "dnsmasq") == 0)
        return 0;
    if (!pid)
        rc = start_dnsmasq(b, err);
    if (rc == -ENOENT)
        rc = start_udhcpd(b, pid, err);
    if (rc == -ENOENT)
        error_set(err, rc, "there is neither dnsmasq nor udhcpd to give the guests addresses");
    return rc;
}

void dhcp_down(const struct bridge *b)
{
    static const char *const files[] = {"pid", "conf", "leases"};
    char path[NETWORK_PATH], name[32];
    pid_t pid = running(b, name);

    if (pid)
        kill(pid, SIGTERM);
    for (unsigned int i = 0; i < 3; i++) {
        state_path(b, files[i], path);
        unlink(path);
    }
}

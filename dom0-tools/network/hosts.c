// SPDX-License-Identifier: MIT
/* Addresses that are some card's for good: a file for each interface, with a line MAC,IP for each address, as dnsmasq
 * reads them (dhcp-hostsdir). Files of interfaces that are gone are removed by whoever reads them. */
#include "network.h"

#include "../libsocle/alloc.h"
#include "../libsocle/net.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void hosts_keep(const char *netdev, const char *mac, const char *ips)
{
    char path[NETWORK_PATH], new[NETWORK_PATH],
        *copy = must_copy(ips ? ips : "", strlen(ips ? ips : "")), *save = NULL;
    struct in_addr a;
    FILE *f = NULL;

    network_path(path, "hosts/%s", netdev);
    network_path(new, "hosts/.%s", netdev);
    unlink(path);
    for (char *s = strtok_r(copy, " ", &save); s; s = strtok_r(NULL, " ", &save)) {
        if (inet_pton(AF_INET, s, &a) != 1)
            continue;
        f = f ? f : fopen(new, "we");
        if (f)
            fprintf(f, "%s,%s\n", mac, s);
    }
    if (f && fclose(f) == 0)
        rename(new, path);
    free(copy);
}

static void read_file(const char *path, void (*see)(void *ctx, const char *mac, uint32_t ip),
                      void *ctx)
{
    FILE *f = fopen(path, "re");
    char mac[18], ip[16];
    struct in_addr a;

    while (f && fscanf(f, "%17[^,],%15s\n", mac, ip) == 2) {
        if (inet_pton(AF_INET, ip, &a) == 1)
            see(ctx, mac, ntohl(a.s_addr));
    }
    if (f)
        fclose(f);
}

void hosts_each(void (*see)(void *ctx, const char *mac, uint32_t ip), void *ctx)
{
    char dir[NETWORK_PATH], path[NETWORK_PATH];
    struct dirent **files;
    int nr;

    network_path(dir, "hosts");
    nr = scandir(dir, &files, NULL, alphasort);
    for (int i = 0; i < nr; i++) {
        network_path(path, "hosts/%s", files[i]->d_name);
        if (files[i]->d_name[0] != '.' && net_exists(files[i]->d_name))
            read_file(path, see, ctx);
        else if (files[i]->d_name[0] != '.')
            unlink(path);
        free(files[i]);
    }
    if (nr >= 0)
        free(files);
}

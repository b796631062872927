/* SPDX-License-Identifier: MIT */
/* A store for tests of commands. One client at a time; all that it is asked for is done at once. */
#include <errno.h>

#include "fake_store.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xen/io/xs_wire.h>

#define NODES 512

static char dir[] = "/tmp/fake-store-XXXXXX";
static char path[64];
static pid_t child;
static volatile int *mood; /* shared with the other process */
static int conflicts;

static struct {
    char name[64], value[128];
} node[NODES];

static void send_message(int fd, uint32_t type, const void *data, uint32_t len)
{
    struct xsd_sockmsg h = {.type = type, .len = *mood == FAKE_STORE_HUGE ? 1 << 20 : len};

    send(fd, &h, *mood == FAKE_STORE_HANG_UP ? 7 : sizeof(h), MSG_NOSIGNAL);
    send(fd, data, len, MSG_NOSIGNAL);
}

static void send_error(int fd, const char *name)
{
    send_message(fd, XS_ERROR, name, strlen(name) + 1);
}

static int find(const char *name, bool make)
{
    int i = 0;

    while (i < NODES && node[i].name[0] && strcmp(node[i].name, name) != 0)
        i++;
    if (i == NODES || (!node[i].name[0] && !make))
        return -1;
    snprintf(node[i].name, sizeof(node[i].name), "%s", name);
    return i;
}

static void do_write(const char *name, const char *value)
{
    int i = find(name, true);

    if (*mood == FAKE_STORE_GUEST && strstr(name, "/control/"))
        value = "";
    if (i >= 0)
        snprintf(node[i].value, sizeof(node[i].value), "%s", value);
}

/* With what is below; their places stay taken. */
static void do_remove(const char *name)
{
    size_t len = strlen(name);

    for (int i = 0; i < NODES && node[i].name[0]; i++) {
        if (strncmp(node[i].name, name, len) == 0 && strchr("/", node[i].name[len]))
            strcpy(node[i].name, "-");
    }
}

static void do_list(int fd, const char *name)
{
    char names[XENSTORE_PAYLOAD_MAX];
    size_t len = 0, prefix = strlen(name);

    for (int i = 0; i < NODES && node[i].name[0]; i++) {
        if (strncmp(node[i].name, name, prefix) == 0 && node[i].name[prefix] == '/' &&
            !strchr(node[i].name + prefix + 1, '/'))
            len += sprintf(names + len, "%s", node[i].name + prefix + 1) + 1;
    }
    send_message(fd, XS_DIRECTORY, names, len);
}

static void reply(int fd, const struct xsd_sockmsg *h, const char *text)
{
    int i = h->type == XS_READ ? find(text, false) : -1;

    if (*mood == FAKE_STORE_EVENT)
        send_message(fd, XS_WATCH_EVENT, "/x\0t", 5);
    if (h->type == XS_READ && i < 0)
        send_error(fd, "ENOENT");
    else if (h->type == XS_READ)
        send_message(fd, XS_READ, node[i].value, strlen(node[i].value));
    else if (h->type == XS_DIRECTORY)
        do_list(fd, text);
    else if (h->type == XS_TRANSACTION_END && *mood == FAKE_STORE_CONFLICT && conflicts++ < 3)
        send_error(fd, "EAGAIN");
    else if (h->type == XS_WRITE && strstr(text, "denied"))
        send_error(fd, "EACCES");
    else if (h->type == XS_TRANSACTION_START)
        send_message(fd, h->type, "7", 2);
    else
        send_message(fd, h->type, "OK", 3);
    if (h->type == XS_RM)
        do_remove(text);
    if (h->type == XS_WRITE && (h->tx_id == 7 || h->tx_id == 0))
        do_write(text, text + strlen(text) + 1);
}

static void serve(int fd)
{
    struct xsd_sockmsg h;
    static char text[XENSTORE_PAYLOAD_MAX + 1];

    while (recv(fd, &h, sizeof(h), MSG_WAITALL) == sizeof(h) && h.len <= XENSTORE_PAYLOAD_MAX) {
        if (h.len && recv(fd, text, h.len, MSG_WAITALL) != (ssize_t)h.len)
            break;
        text[h.len] = 0;
        reply(fd, &h, text);
        if (*mood == FAKE_STORE_HANG_UP)
            break;
    }
    close(fd);
}

void fake_store_start(void)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    strcpy(dir + sizeof(dir) - 7, "XXXXXX");
    if (!mkdtemp(dir))
        abort();
    snprintf(path, sizeof(path), "%s/s", dir);
    strcpy(addr.sun_path, path);
    if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 5))
        abort();
    setenv("XENSTORED_PATH", path, 1);
    mood = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    child = fork();
    if (child) {
        close(fd);
        return;
    }
    for (;;)
        serve(accept(fd, NULL, NULL));
}

void fake_store_stop(void)
{
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    unlink(path);
    rmdir(dir);
    munmap((void *)mood, 4096);
    setenv("XENSTORED_PATH", "/nonexistent", 1);
}

void fake_store_behave(enum fake_store_mood how)
{
    *mood = how;
}

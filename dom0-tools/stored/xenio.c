/* SPDX-License-Identifier: MIT */
/* The hypervisor, through the packaged libraries and dom0's kernel. */
#include "xenio.h"

#include "../libsocle/ring_page.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xen/grant_table.h>
#include <xen/sysctl.h>
#include <xencall.h>
#include <xenevtchn.h>

enum { PAGE_BYTES = 4096 };
enum { ROOM = 128 }; /* domains that one call tells of */

static xenevtchn_handle *evtchn;
static xencall_handle *call;
static struct xen_sysctl *sysctl;
static struct xen_domctl_getdomaininfo *infos;
static int domains_port;

static void *own_page; /* of the kernel here */

int xenio_open(void)
{
    int fd, rc = ring_page_open();

    if (rc)
        return rc;
    evtchn = xenevtchn_open(NULL, 0);
    call = xencall_open(NULL, 0);
    if (!evtchn || !call)
        return -errno;
    sysctl = xencall_alloc_buffer(call, sizeof(*sysctl));
    infos = xencall_alloc_buffer(call, ROOM * sizeof(*infos));
    if (!sysctl || !infos)
        return -ENOMEM;
    domains_port = xenevtchn_bind_virq(evtchn, VIRQ_DOM_EXC);
    if (domains_port < 0)
        return -errno;
    fd = xenevtchn_fd(evtchn);
    return fcntl(fd, F_SETFL, O_NONBLOCK) ? -errno : fd; /* for xenio_event() */
}

static int open_xsd(const char *name, int flags)
{
    static const char *const dirs[] = {"/proc/xen", "/dev/xen"};
    int fd = -1;

    for (unsigned int i = 0; i < 2 && fd < 0; i++) {
        char path[64];

        snprintf(path, sizeof(path), "%s/%s", dirs[i], name);
        fd = open(path, flags | O_CLOEXEC);
    }
    return fd < 0 ? -errno : fd;
}

int xenio_dom0(uint64_t *frame, uint32_t *port)
{
    char text[16] = "";
    int fd = open_xsd("xsd_port", O_RDONLY);
    ssize_t n;

    if (fd < 0)
        return fd;
    n = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (n <= 0)
        return -EIO;
    *frame = 0; /* it is mapped by a file */
    *port = strtoul(text, NULL, 10);
    return 0;
}

static void *map_dom0(void)
{
    int fd = open_xsd("xsd_kva", O_RDWR);
    void *page;

    if (fd < 0)
        return NULL;
    page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return page == MAP_FAILED ? NULL : page;
}

void *xenio_map(domid_t id, uint64_t frame)
{
    return id ? ring_page_map(id, GNTTAB_RESERVED_XENSTORE, frame) : (own_page = map_dom0());
}

void xenio_unmap(domid_t id, void *page)
{
    (void)id;
    if (page == own_page)
        munmap(page, PAGE_BYTES);
    else
        ring_page_unmap(page);
}

int xenio_bind(domid_t id, uint32_t remote_port)
{
    int port = xenevtchn_bind_interdomain(evtchn, id, remote_port);

    return port < 0 ? -errno : port;
}

void xenio_unbind(uint32_t port)
{
    xenevtchn_unbind(evtchn, port);
}

void xenio_notify(uint32_t port)
{
    xenevtchn_notify(evtchn, port);
}

/* A port is unmasked before its event is looked after, so that one that comes then is not lost. */
int xenio_event(void)
{
    int port = xenevtchn_pending(evtchn);

    if (port < 0)
        return -EAGAIN;
    xenevtchn_unmask(evtchn, port);
    return port == domains_port ? XENIO_DOMAINS : port;
}

/* ---- domains ---- */

static struct {    /* of each domain */
    uint64_t look; /* the last one that has seen it */
    enum xenio_state state;
} seen[DOMID_FIRST_RESERVED];
static uint64_t look;

static void note(const struct xen_domctl_getdomaininfo *info)
{
    if (info->domain >= DOMID_FIRST_RESERVED || info->flags & XEN_DOMINF_dying)
        return;
    seen[info->domain].look = look;
    seen[info->domain].state = info->flags & XEN_DOMINF_shutdown ? XENIO_SHUT_DOWN : XENIO_RUNNING;
}

/* Those from @first on, as many as there is room for; returns how many. */
static int list(domid_t first)
{
    struct xen_sysctl_getdomaininfolist *l = &sysctl->u.getdomaininfolist;

    memset(sysctl, 0, sizeof(*sysctl));
    sysctl->cmd = XEN_SYSCTL_getdomaininfolist;
    sysctl->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    l->first_domain = first;
    l->max_domains = ROOM;
    set_xen_guest_handle(l->buffer, infos);
    if (xencall1(call, __HYPERVISOR_sysctl, (uintptr_t)sysctl) < 0)
        return -errno;
    return l->num_domains < ROOM ? l->num_domains : ROOM;
}

int xenio_look(void)
{
    unsigned int first = 0;
    int nr;

    if (!call)
        return -ENODEV;
    look++;
    do {
        nr = list(first);
        for (int i = 0; i < nr; i++)
            note(&infos[i]);
        if (nr > 0)
            first = infos[nr - 1].domain + 1;
    } while (nr == ROOM && first < DOMID_FIRST_RESERVED);
    return nr < 0 ? nr : 0;
}

enum xenio_state xenio_state(domid_t id)
{
    return seen[id].look == look ? seen[id].state : XENIO_GONE;
}

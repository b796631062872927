/* SPDX-License-Identifier: MIT */
/* The hypervisor, through the packaged libraries and dom0's kernel. */
#include "host.h"

#include "../libsocle/ring_page.h"
#include "../libsocle/xcall.h"

#include <errno.h>
#include <fcntl.h>
#include <xen/grant_table.h>
#include <xenevtchn.h>

static xenevtchn_handle *evtchn;

int host_open(void)
{
    int rc = xcall_open(), fd;

    if (rc == 0)
        rc = ring_page_open();
    if (rc)
        return rc;
    evtchn = xenevtchn_open(NULL, 0);
    if (!evtchn)
        return -errno;
    fd = xenevtchn_fd(evtchn);
    return fcntl(fd, F_SETFL, O_NONBLOCK) ? -errno : fd; /* for host_event() */
}

void *host_map(domid_t id, uint64_t frame)
{
    return ring_page_map(id, GNTTAB_RESERVED_CONSOLE, frame);
}

void host_unmap(void *page)
{
    ring_page_unmap(page);
}

int host_bind(domid_t id, uint32_t remote_port)
{
    int port = xenevtchn_bind_interdomain(evtchn, id, remote_port);

    return port < 0 ? -errno : port;
}

int host_bind_log(void)
{
    int port = xenevtchn_bind_virq(evtchn, VIRQ_CON_RING);

    return port < 0 ? -errno : port;
}

void host_unbind(uint32_t port)
{
    xenevtchn_unbind(evtchn, port);
}

void host_notify(uint32_t port)
{
    xenevtchn_notify(evtchn, port);
}

int host_event(void)
{
    int port = xenevtchn_pending(evtchn);

    return port < 0 ? -EAGAIN : port;
}

void host_unmask(uint32_t port)
{
    xenevtchn_unmask(evtchn, port);
}

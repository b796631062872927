/* SPDX-License-Identifier: MIT */
/* The hypervisor and the finder of socle-consoled, for tests. */
#include "fake_console.h"

#include "dom0-tools/consoled/host.h"

#include <errno.h>
#include <stdio.h>

struct fake_guest fake_guests[FAKE_GUESTS];

int host_open(void)
{
    return -ENODEV;
}

void *host_map(domid_t id, uint64_t frame)
{
    (void)frame;
    if (id >= FAKE_GUESTS || fake_guests[id].gone) {
        errno = EFAULT;
        return NULL;
    }
    fake_guests[id].mapped++;
    return &fake_guests[id].page;
}

void host_unmap(void *page)
{
    for (unsigned int i = 0; i < FAKE_GUESTS; i++) {
        if (page == &fake_guests[i].page)
            fake_guests[i].mapped--;
    }
}

int host_bind(domid_t id, uint32_t remote_port)
{
    (void)remote_port;
    if (fake_guests[id].taken)
        return -EINVAL;
    fake_guests[id].bound++;
    return fake_port(id);
}

int host_bind_log(void)
{
    return FAKE_LOG_PORT;
}

void host_unbind(uint32_t port)
{
    if (port != FAKE_LOG_PORT)
        fake_guests[port - fake_port(0)].bound--;
}

void host_notify(uint32_t port)
{
    fake_guests[port - fake_port(0)].notified++;
}

int host_event(void)
{
    return -EAGAIN;
}

void host_unmask(uint32_t port)
{
    if (port != FAKE_LOG_PORT)
        fake_guests[port - fake_port(0)].unmasked++;
}

int finder_start(void)
{
    return -ENODEV;
}

bool finder_next(struct finder_message *m)
{
    (void)m;
    return false;
}

void finder_connected(domid_t id, const char *tty)
{
    fake_guests[id].connected++;
    snprintf(fake_guests[id].tty, sizeof(fake_guests[id].tty), "%s", tty);
}

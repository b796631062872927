/* SPDX-License-Identifier: MIT */
/* A hypervisor for tests of the store daemon: the rings of domains are pages here. */
#include "fake_xenio.h"

#include <errno.h>
#include <string.h>

struct fake_domain fake_domains[FAKE_DOMAINS];
void (*fake_on_notify)(uint32_t port);

int xenio_open(void)
{
    return -ENODEV;
}

int xenio_dom0(uint64_t *frame, uint32_t *port)
{
    (void)frame;
    (void)port;
    return -ENODEV;
}

void *xenio_map(domid_t id, uint64_t frame)
{
    if (id >= FAKE_DOMAINS || fake_domains[id].gone || frame != FAKE_FRAME)
        return NULL;
    fake_domains[id].mapped++;
    return &fake_domains[id].page;
}

void xenio_unmap(domid_t id, void *page)
{
    (void)page;
    fake_domains[id].mapped--;
}

int xenio_bind(domid_t id, uint32_t remote_port)
{
    if (id >= FAKE_DOMAINS || fake_domains[id].gone || remote_port != FAKE_PORT)
        return -EINVAL;
    fake_domains[id].bound++;
    return 100 + id;
}

void xenio_unbind(uint32_t port)
{
    fake_domains[port - 100].bound--;
}

void xenio_notify(uint32_t port)
{
    struct fake_domain *f = &fake_domains[port - 100];

    if (fake_on_notify)
        fake_on_notify(port);
    f->notified++;
    f->shown_req_cons = f->page.req_cons;
    f->shown_rsp_prod = f->page.rsp_prod;
}

int xenio_event(void)
{
    return -EAGAIN;
}

int xenio_look(void)
{
    return 0;
}

enum xenio_state xenio_state(domid_t id)
{
    if (id >= FAKE_DOMAINS || fake_domains[id].gone)
        return XENIO_GONE;
    return fake_domains[id].shut_down ? XENIO_SHUT_DOWN : XENIO_RUNNING;
}

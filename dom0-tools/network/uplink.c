// SPDX-License-Identifier: MIT
/* An interface becomes a member of a bridge, which takes its place: it gets the interface's addresses
 * and routes. Each message that the kernel dumps is sent back to it with the other interface in it. */
#include "network.h"

#include "../libsocle/net.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MOST 128 /* addresses, routes */

struct dump {
    unsigned int from; /* interface */
    struct nlmsghdr *messages[MOST];
    unsigned int nr;
};

static struct mnl_socket *open_netlink(void)
{
    struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);

    if (s && mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0) {
        mnl_socket_close(s);
        return NULL;
    }
    return s;
}

/* Sends a request and gives what comes back to @see. */
static int talk(struct nlmsghdr *request, mnl_cb_t see, void *ctx)
{
    struct mnl_socket *s = open_netlink();
    static char buf[32768];
    ssize_t n = 1;
    int rc = -1;

    if (!s)
        return -errno;
    request->nlmsg_seq = time(NULL);
    if (mnl_socket_sendto(s, request, request->nlmsg_len) >= 0) {
        do {
            n = mnl_socket_recvfrom(s, buf, sizeof(buf));
            rc = n < 0 ? -1
                       : mnl_cb_run(buf, n, request->nlmsg_seq, mnl_socket_get_portid(s), see, ctx);
        } while (rc > 0);
    }
    rc = rc < 0 ? -errno : 0;
    mnl_socket_close(s);
    return rc;
}

/* Addresses that somebody gave it, and routes other than those that come with addresses. What IPv6
 * finds by itself (RA: router advertisements) it will find on the other interface. */
static bool is_ours(const struct nlmsghdr *m, unsigned int from)
{
    const struct ifaddrmsg *a = mnl_nlmsg_get_payload(m);
    const struct rtmsg *r = mnl_nlmsg_get_payload(m);
    struct nlattr *attr;

    if (m->nlmsg_type == RTM_NEWADDR)
        return a->ifa_index == from && a->ifa_scope != RT_SCOPE_LINK &&
               (a->ifa_family == AF_INET || a->ifa_flags & IFA_F_PERMANENT);
    if (m->nlmsg_type != RTM_NEWROUTE || r->rtm_table != RT_TABLE_MAIN ||
        r->rtm_protocol == RTPROT_KERNEL || r->rtm_protocol == RTPROT_RA ||
        r->rtm_type != RTN_UNICAST)
        return false;
    mnl_attr_for_each(attr, m, sizeof(*r))
    {
        if (mnl_attr_get_type(attr) == RTA_OIF)
            return mnl_attr_get_u32(attr) == from;
    }
    return false;
}

static int keep(const struct nlmsghdr *m, void *ctx)
{
    struct dump *d = ctx;

    if (d->nr < MOST && is_ours(m, d->from)) {
        d->messages[d->nr] = malloc(m->nlmsg_len);
        if (!d->messages[d->nr])
            return MNL_CB_ERROR;
        memcpy(d->messages[d->nr++], m, m->nlmsg_len);
    }
    return MNL_CB_OK;
}

static void free_dump(struct dump *d)
{
    while (d->nr)
        free(d->messages[--d->nr]);
}

static int dump(struct dump *d, uint16_t type, size_t size)
{
    char buf[256];
    int rc;

    do { /* again, if something has changed meanwhile */
        struct nlmsghdr *m = mnl_nlmsg_put_header(buf);

        m->nlmsg_type = type;
        m->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
        mnl_nlmsg_put_extra_header(m, size); /* all families */
        free_dump(d);
        rc = talk(m, keep, d);
    } while (rc == -EINTR);
    return rc;
}

/* The same message, about another interface; @type: RTM_NEWADDR ... */
static int send_about(const struct nlmsghdr *old, uint16_t type, unsigned int ifindex)
{
    bool is_address = old->nlmsg_type == RTM_NEWADDR;
    size_t size = is_address ? sizeof(struct ifaddrmsg) : sizeof(struct rtmsg);
    struct nlattr *attr;
    char buf[8192];
    struct nlmsghdr *m = mnl_nlmsg_put_header(buf);
    void *header;

    if (old->nlmsg_len > sizeof(buf) / 2)
        return -EMSGSIZE;
    m->nlmsg_type = type;
    m->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    if (type == RTM_NEWADDR || type == RTM_NEWROUTE)
        m->nlmsg_flags |= NLM_F_CREATE | NLM_F_REPLACE;
    header = mnl_nlmsg_put_extra_header(m, size);
    memcpy(header, mnl_nlmsg_get_payload(old), size);
    if (is_address)
        ((struct ifaddrmsg *)header)->ifa_index = ifindex;
    else
        ((struct rtmsg *)header)->rtm_flags &= RTNH_F_ONLINK; /* not that the old one is down */
    mnl_attr_for_each(attr, old, size)
    {
        unsigned int what = mnl_attr_get_type(attr);

        if (!is_address && what == RTA_OIF)
            mnl_attr_put_u32(m, RTA_OIF, ifindex);
        else if (is_address ? what != IFA_LABEL : what != RTA_CACHEINFO) /* it has the name in it */
            mnl_attr_put(m, what, mnl_attr_get_payload_len(attr), mnl_attr_get_payload(attr));
    }
    return talk(m, NULL, NULL);
}

/* Addresses first: routes need them. Those of the old one go with its addresses. */
static int move(const char *from, const char *to, struct error *err)
{
    unsigned int target = if_nametoindex(to);
    struct dump addresses = {.from = if_nametoindex(from)}, routes = addresses;
    int rc = addresses.from && target ? 0 : -ENODEV;

    rc = rc ?: dump(&addresses, RTM_GETADDR, sizeof(struct ifaddrmsg));
    rc = rc ?: dump(&routes, RTM_GETROUTE, sizeof(struct rtmsg));
    for (unsigned int i = 0; i < addresses.nr && rc == 0; i++) {
        rc = send_about(addresses.messages[i], RTM_DELADDR, addresses.from);
        rc = rc ?: send_about(addresses.messages[i], RTM_NEWADDR, target);
    }
    for (unsigned int i = 0; i < routes.nr; i++) {
        int failed = send_about(routes.messages[i], RTM_NEWROUTE, target);

        rc = rc ?: failed; /* the others are wanted all the more */
    }
    free_dump(&addresses);
    free_dump(&routes);
    return rc ? error_set(err, rc, "addresses and routes of %s: %s", from, strerror(-rc)) : 0;
}

/* Both may be repeated, for what an earlier one has not come to. */
int uplink_join(const char *bridge, const char *uplink, struct error *err)
{
    int rc = net_set_up(uplink, true);

    rc = rc ?: net_bridge_join(bridge, uplink);
    if (rc)
        return error_set(err, rc, "uplink %s: %s", uplink, strerror(-rc));
    return move(uplink, bridge, err);
}

int uplink_leave(const char *bridge, const char *uplink, struct error *err)
{
    int rc = net_is_member(bridge, uplink) ? net_bridge_leave(bridge, uplink) : 0;

    if (rc)
        return error_set(err, rc, "uplink %s: %s", uplink, strerror(-rc));
    return move(bridge, uplink, err);
}

/* SPDX-License-Identifier: MIT */
#ifndef STORED_JOURNAL_H
#define STORED_JOURNAL_H
#include "domain.h"
#include "watch.h"
static inline void journal_node(const char *path, const struct node *n)
{
    (void)path;
    (void)n;
}
static inline void journal_watch(const struct watch *w)
{
    (void)w;
}
static inline void journal_unwatch(const struct watch *w)
{
    (void)w;
}
static inline void journal_txn(const struct conn *c, uint32_t id, bool begins)
{
    (void)c;
    (void)id;
    (void)begins;
}
static inline void journal_domain(const struct domain *d)
{
    (void)d;
}
static inline void journal_release(const struct domain *d)
{
    (void)d;
}
static inline void journal_in(const struct conn *c)
{
    (void)c;
}
static inline void journal_out(const struct conn *c, const void *data, size_t len)
{
    (void)c;
    (void)data;
    (void)len;
}
static inline void journal_commit(void)
{
}
#endif

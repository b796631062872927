/* SPDX-License-Identifier: MIT */
/* Circular doubly linked list with the head as its own node. */
#pragma once

#include <hv/types.h>

struct list {
    struct list *next, *prev;
};

static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}

/* Insert @n before @pos: at the tail when @pos is the head. */
static inline void list_add_before(struct list *n, struct list *pos)
{
    n->prev = pos->prev;
    n->next = pos;
    pos->prev->next = n;
    pos->prev = n;
}

static inline void list_add(struct list *n, struct list *head)
{
    list_add_before(n, head->next);
}

static inline void list_add_tail(struct list *n, struct list *head)
{
    list_add_before(n, head);
}

/* Unlink; @n is left pointing at itself, so a second call is harmless. */
static inline void list_del(struct list *n)
{
    n->prev->next = n->next;
    n->next->prev = n->prev;
    list_init(n);
}

#define list_for_each(pos, head, member)                                                           \
    for (pos = container_of((head)->next, __typeof__(*pos), member); &pos->member != (head);       \
         pos = container_of(pos->member.next, __typeof__(*pos), member))

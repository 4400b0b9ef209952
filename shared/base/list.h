/* SPDX-License-Identifier: MIT */
/* list.h - intrusive doubly linked ring; the head is an element too. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>

#include "shared/base/defs.h"

struct list {
	struct list *next, *prev;
};

/* An empty ring, or an element that is in none. */
static inline void
list_init(struct list *l)
{
	l->next = l;
	l->prev = l;
}

static inline bool
list_is_empty(const struct list *l)
{
	return l->next == l;
}

static inline void
list_push_back(struct list *head, struct list *l)
{
	l->prev = head->prev;
	l->next = head;
	head->prev->next = l;
	head->prev = l;
}

static inline void
list_push_front(struct list *head, struct list *l)
{
	list_push_back(head->next, l);
}

/* Take l out of its ring; it may be removed twice. */
static inline void
list_remove(struct list *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
	list_init(l);
}

/* `it` may be removed inside the loop: `safe` is the one after it. */
#define LIST_EACH(head, it, safe)                                              \
	for (struct list *it = (head)->next, *safe = it->next; it != (head);   \
		it = safe, safe = it->next)

#endif

/* SPDX-License-Identifier: MIT */
/* permits.c - requests in flight and waiting, by key and worker. */
#include "shared/sys/permits.h"

#include "shared/base/check.h"

static size_t
place_of(uint64_t key)
{
	return key & (PERMITS_PLACES - 1);
}

struct permits_row *
permits_row(struct permits *own, uint64_t key)
{
	struct permits_row *const at = &own->rows[place_of(key)];
	struct permits_row *free = NULL;

	GP_ASSERT(key != 0);
	for (size_t i = 0; i < PERMITS_PROBES; i++) {
		const uint64_t there = atomic_load(&at[i].key);

		if (there == key)
			return &at[i];
		if (there == 0 && free == NULL)
			free = &at[i];
	}
	if (free != NULL)
		atomic_store(&free->key, key);
	return free;
}

void
permits_leave(struct permits_row *row)
{
	if (atomic_load(&row->held) == 0 && atomic_load(&row->waiting) == 0)
		atomic_store(&row->key, 0);
}

static struct permits_seen
load(const struct permits_row *row)
{
	return (struct permits_seen){
		.held = MIN(atomic_load(&row->held), PERMITS_MAX),
		.waiting = MIN(atomic_load(&row->waiting), PERMITS_MAX),
		.first = atomic_load(&row->first),
	};
}

struct permits_seen
permits_look(const struct permits *t, uint64_t key)
{
	const struct permits_row *const at = &t->rows[place_of(key)];

	for (size_t i = 0; i < PERMITS_PROBES; i++)
		if (atomic_load(&at[i].key) == key)
			return load(&at[i]);
	return (struct permits_seen){ 0 };
}

bool
permits_at(const struct permits *t, size_t at, uint64_t *key,
	struct permits_seen *out)
{
	GP_ASSERT(at < PERMITS_ROWS);
	*key = atomic_load(&t->rows[at].key);
	if (*key == 0)
		return false;
	*out = load(&t->rows[at]);
	return true;
}

void
permits_clear(struct permits *t)
{
	for (size_t i = 0; i < PERMITS_ROWS; i++) {
		struct permits_row *const row = &t->rows[i];

		if (atomic_load(&row->key) == 0)
			continue;
		atomic_store(&row->held, 0);
		atomic_store(&row->waiting, 0);
		atomic_store(&row->first, 0);
		atomic_store(&row->key, 0);
	}
}

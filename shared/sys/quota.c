/* SPDX-License-Identifier: MIT */
/* quota.c - what upstreams have said about the limits of keys. */
#include "shared/sys/quota.h"

#include <stdio.h>
#include <string.h>

#include "shared/base/check.h"

_Static_assert(SECRET_TAG_LEN == sizeof(uint64_t), "a tag is one word");

/*
 * said as one word:
 *
 *	bits 0..15  code | 16..23 units | 24..27 unit | 28..63 reset_wall_s
 */
#define UNITS_AT   16
#define UNIT_AT    24
#define RESET_AT   28
#define RESET_BITS 36

static uint64_t
pack(const struct quota_said *said)
{
	return (uint64_t)said->code | (uint64_t)said->units << UNITS_AT |
		(uint64_t)said->unit << UNIT_AT |
		(uint64_t)said->reset_wall_s << RESET_AT;
}

static struct quota_said
unpack(uint64_t word)
{
	struct quota_said said = {
		.code = word & QUOTA_CODE_MAX,
		.units = word >> UNITS_AT & QUOTA_WINDOW_MAX,
		.unit = (enum quota_unit)(word >> UNIT_AT & 15),
		.reset_wall_s = (int64_t)(word >> RESET_AT),
	};

	if (said.unit >= QUOTA_UNITS || said.unit == QUOTA_NO_WINDOW ||
		said.units == 0) {
		said.unit = QUOTA_NO_WINDOW;
		said.units = 0;
	}
	return said;
}

/* Peers have said it. */
static struct quota_said
within_range(const struct quota_said *from, int64_t now_wall_s)
{
	struct quota_said said = *from;

	if (said.code > QUOTA_CODE_MAX)
		said.code = 0;
	if (said.units > QUOTA_WINDOW_MAX || said.unit >= QUOTA_UNITS) {
		said.unit = QUOTA_NO_WINDOW;
		said.units = 0;
	}
	/* One that is past by a little is a clock that goes wrong. */
	if (said.reset_wall_s < now_wall_s - 86400 ||
		said.reset_wall_s > now_wall_s + QUOTA_RESET_MAX_S ||
		said.reset_wall_s >= INT64_C(1) << RESET_BITS)
		said.reset_wall_s = 0;
	return said;
}

/* --- rows ----------------------------------------------------------------- */

static size_t
row_of(struct quota *q, const char tag[SECRET_TAG_LEN + 1])
{
	uint64_t key;

	memcpy(&key, tag, sizeof(key));
	for (size_t i = 0; i < QUOTA_KEYS; i++) {
		uint64_t there = atomic_load(&q->tags[i]);

		if (there == 0 &&
			atomic_compare_exchange_strong(
				&q->tags[i], &there, key))
			there = key;
		if (there == key)
			return i;
	}
	return QUOTA_KEYS;
}

/* Whoever came later may be first at the word. */
static void
store_later(_Atomic int64_t *at, int64_t now_wall_s)
{
	int64_t there = atomic_load(at);

	while (there < now_wall_s &&
		!atomic_compare_exchange_weak(at, &there, now_wall_s))
		;
}

void
quota_note(struct quota *q, const char tag[SECRET_TAG_LEN + 1],
	enum quota_class class, const struct quota_said *said,
	int64_t now_wall_s)
{
	const struct quota_said kept = within_range(said, now_wall_s);
	struct quota_cell *cell;
	int64_t never = 0;

	GP_ASSERT(class < QUOTA_CLASSES && now_wall_s > 0);
	cell = &q->cells[row_of(q, tag)][class];
	atomic_compare_exchange_strong(&cell->first_wall_s, &never, now_wall_s);
	store_later(&cell->last_wall_s, now_wall_s);
	atomic_store(&cell->said, pack(&kept));
	/* Last: who sees that there is something sees what. */
	atomic_fetch_add(&cell->count, 1);
}

/* --- reading -------------------------------------------------------------- */

static bool
load_tag(const struct quota *q, size_t at, char out[SECRET_TAG_LEN + 1])
{
	const uint64_t key =
		at < QUOTA_KEYS ? atomic_load(&q->tags[at]) : UINT64_MAX;

	memcpy(out, &key, sizeof(key));
	out[SECRET_TAG_LEN] = '\0';
	if (at == QUOTA_KEYS || strspn(out, "0123456789abcdef") != sizeof(key))
		(void)snprintf(out, SECRET_TAG_LEN + 1, "%s", QUOTA_OTHER);
	return key != 0;
}

static struct quota_seen
load_cell(const struct quota_cell *cell)
{
	struct quota_seen seen = { .count = atomic_load(&cell->count) };

	if (seen.count == 0)
		return seen;
	seen.said = unpack(atomic_load(&cell->said));
	seen.first_wall_s = MIN(MAX(atomic_load(&cell->first_wall_s), 0),
		(INT64_C(1) << RESET_BITS) - 1);
	seen.last_wall_s = MIN(MAX(atomic_load(&cell->last_wall_s), 0),
		(INT64_C(1) << RESET_BITS) - 1);
	return seen;
}

bool
quota_get(const struct quota *q, size_t at, struct quota_row *out)
{
	bool any = false;

	GP_ASSERT(at <= QUOTA_KEYS);
	if (!load_tag(q, at, out->tag))
		return false;
	for (size_t i = 0; i < QUOTA_CLASSES; i++) {
		out->seen[i] = load_cell(&q->cells[at][i]);
		any = any || out->seen[i].count > 0;
	}
	return any;
}

/* --- words ---------------------------------------------------------------- */

static const struct {
	const char *word, *meaning;
} classes[] = {

#define QUOTA_CLASS(name, word, meaning) { (word), (meaning) },
#include "shared/sys/quota.def"
#undef QUOTA_CLASS
};

const char *quota_word(enum quota_class class)
{
	GP_ASSERT(class < QUOTA_CLASSES);
	return classes[class].word;
}

const char *quota_meaning(enum quota_class class)
{
	GP_ASSERT(class < QUOTA_CLASSES);
	return classes[class].meaning;
}

void
quota_window_text(
	const struct quota_said *said, char out[QUOTA_WINDOW_TEXT_MAX])
{
	static const char *const units[QUOTA_UNITS] = { "", "minute", "hour",
		"day", "week", "month" };

	GP_ASSERT(said->unit < QUOTA_UNITS);
	if (said->unit == QUOTA_NO_WINDOW)
		out[0] = '\0';
	else
		(void)snprintf(out, QUOTA_WINDOW_TEXT_MAX, "%u %s%s",
			said->units % 1000, units[said->unit],
			said->units == 1 ? "" : "s");
}

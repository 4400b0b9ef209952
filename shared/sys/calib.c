/* SPDX-License-Identifier: MIT */
/* calib.c - how far local token counts are from upstream's, learned. */
#include "shared/sys/calib.h"

#include <string.h>

#include "shared/base/check.h"
#include "shared/base/utf8.h"

/* Another worker may learn at the same moment; what loses again and again is
 * one sample of many. */
#define TRIES 8
/* The oldest samples fade as if there were so many. */
#define MEMORY 16

const char *const calib_way_names[CALIB_WAYS] = { "quick", "exact" };

static uint64_t
hash(struct span name)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < name.n; i++)
		h = (h ^ (uint8_t)name.p[i]) * 0x100000001b3u;
	return h == 0 ? 1 : h;
}

/* Where the name may be, the i-th best place. */
static struct calib_row *
place_of(struct calib *c, uint64_t key, size_t i)
{
	return &c->rows[(key + i) % CALIB_ROWS];
}

struct calib_row *
calib_find(struct calib *c, struct span name)
{
	const uint64_t key = hash(name);

	for (size_t i = 0; i < CALIB_ROWS; i++) {
		struct calib_row *const row = place_of(c, key, i);
		const uint64_t there = atomic_load(&row->key);

		if (there == key)
			return row;
		if (there == 0)
			break;
	}
	return NULL;
}

struct calib_row *
calib_row(struct calib *c, struct span name)
{
	const uint64_t key = hash(name);

	if (name.n == 0 || name.n >= CALIB_NAME_MAX)
		return NULL;
	for (size_t i = 0; i < CALIB_ROWS; i++) {
		struct calib_row *const row = place_of(c, key, i);
		uint64_t there = atomic_load(&row->key);

		if (there == 0 &&
			atomic_compare_exchange_strong(
				&row->key, &there, key)) {
			memcpy(row->name, name.p, name.n);
			atomic_store(&row->is_named, 1);
			return row;
		}
		if (there == key)
			return row;
	}
	return NULL;
}

bool
calib_is_name(struct span name)
{
	if (name.n == 0 || name.n >= CALIB_NAME_MAX ||
		utf8_valid_len(name) != name.n)
		return false;
	for (size_t i = 0; i < name.n; i++)
		if ((uint8_t)name.p[i] < ' ' || name.p[i] == 0x7f)
			return false;
	return true;
}

bool
calib_name(const struct calib_row *row, struct span *name)
{
	if (atomic_load(&row->is_named) == 0)
		return false;
	*name = span_of(row->name, strnlen(row->name, CALIB_NAME_MAX));
	return calib_is_name(*name) && hash(*name) == atomic_load(&row->key);
}

static struct calib_ratio
unpack(uint64_t word)
{
	struct calib_ratio r = { (uint32_t)word, (uint32_t)(word >> 32) };

	if (r.samples == 0 || r.ratio < CALIB_MIN || r.ratio > CALIB_MAX)
		r = (struct calib_ratio){ CALIB_ONE, 0 };
	return r;
}

static uint64_t
pack(struct calib_ratio r)
{
	return (uint64_t)r.samples << 32 | r.ratio;
}

static int64_t
clamp(int64_t n, int64_t min, int64_t max)
{
	return MIN(MAX(n, min), max);
}

/* The mean of the first samples, then one that forgets. A ratio that is sure
 * is not moved far by one strange answer. */
static struct calib_ratio
take_sample(struct calib_ratio r, int64_t sample)
{
	const int64_t old = r.ratio;
	const int64_t weight = MIN((int64_t)r.samples + 1, MEMORY);

	if (r.samples >= CALIB_SURE)
		sample = clamp(sample, old - old / 4, old + old / 4);
	sample = clamp(sample, CALIB_MIN, CALIB_MAX);
	if (r.samples == 0)
		r.ratio = (uint32_t)sample;
	else
		r.ratio = (uint32_t)(old + (sample - old) / weight);
	if (r.samples < UINT32_MAX)
		r.samples++;
	return r;
}

void
calib_learn(
	struct calib_row *row, enum calib_way way, int64_t ours, int64_t theirs)
{
	const int64_t most = INT64_MAX / CALIB_ONE;
	uint64_t old;

	if (row == NULL || ours < CALIB_TOKENS_MIN || theirs <= 0 ||
		theirs > most)
		return;
	old = atomic_load(&row->ratio[way]);
	for (size_t i = 0; i < TRIES; i++) {
		const struct calib_ratio r = take_sample(
			unpack(old), (theirs * CALIB_ONE + ours / 2) / ours);

		if (atomic_compare_exchange_strong(
			    &row->ratio[way], &old, pack(r)))
			return;
	}
}

struct calib_ratio
calib_get(const struct calib_row *row, enum calib_way way)
{
	return unpack(row == NULL ? 0 : atomic_load(&row->ratio[way]));
}

int64_t
calib_apply(struct calib_ratio r, int64_t ours)
{
	const int64_t most = INT64_MAX / CALIB_MAX - 1;

	ours = clamp(ours, 0, most);
	return (ours * r.ratio + CALIB_ONE / 2) / CALIB_ONE;
}

void
calib_restore(struct calib_row *row, enum calib_way way, struct calib_ratio r)
{
	uint64_t none = 0;

	if (row == NULL || r.samples == 0 || r.ratio < CALIB_MIN ||
		r.ratio > CALIB_MAX)
		return;
	(void)atomic_compare_exchange_strong(&row->ratio[way], &none, pack(r));
}

uint32_t
calib_steady(struct calib_row *row, uint32_t ratio)
{
	const uint32_t r = MIN(MAX(ratio, CALIB_MIN), CALIB_MAX);
	uint32_t unit = 1, rounded, steady = 0;

	while (r / unit >= 16)
		unit *= 2;
	rounded = (r + unit - 1) / unit * unit;
	if (row == NULL)
		return rounded;
	if (atomic_compare_exchange_strong(&row->steady, &steady, rounded))
		return rounded;
	/* The memory is shared: anything may stand there. */
	return r <= steady + steady / 8 && r >= steady - steady / 8 &&
			steady <= 2 * CALIB_MAX ?
		steady :
		rounded;
}

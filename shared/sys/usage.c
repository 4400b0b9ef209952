/* SPDX-License-Identifier: MIT */
/* usage.c - tokens by client and model, as upstreams have reported them. */
#include "shared/sys/usage.h"

#include "shared/base/utf8.h"

_Static_assert(sizeof(struct usage_names) % sizeof(uint64_t) == 0,
	"names are copied as whole words");

/* Labels and pages take plain text only, and what looks the same there must be
 * the same row. */
static void
clean(struct span s, char out[USAGE_NAME_MAX])
{
	const char *end;

	if (s.n == 0)
		s = SPAN(USAGE_NOBODY);
	if (s.n >= USAGE_NAME_MAX)
		s = SPAN(USAGE_OTHER);
	end = s.p + s.n;
	for (const char *p = s.p; p < end;) {
		const size_t n = MAX(utf8_seq_len(p, end), 1);

		memcpy(out, p, n);
		if (n == 1 && (*p < ' ' || *p > '~'))
			*out = '?';
		p += n;
		out += n;
	}
}

static uint64_t
hash(const struct usage_names *names)
{
	const char *const p = (const char *)names;
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < sizeof(*names); i++)
		h = (h ^ (uint8_t)p[i]) * 0x100000001b3u;
	return h == 0 ? 1 : h;
}

static void
load_names(const struct usage_row *row, struct usage_names *out)
{
	uint64_t words[USAGE_WORDS] = { 0 };

	for (size_t i = 0; i < USAGE_WORDS; i++)
		words[i] = atomic_load_explicit(
			&row->names[i], memory_order_relaxed);
	memcpy(out, words, sizeof(words));
}

/* Whoever finds a row of its key without names writes them: several write the
 * same, and none has to wait for one that may have died. */
static void
store_names(struct usage_row *row, const struct usage_names *names)
{
	uint64_t words[USAGE_WORDS];

	memcpy(words, names, sizeof(words));
	for (size_t i = 0; i < USAGE_WORDS; i++)
		atomic_store_explicit(
			&row->names[i], words[i], memory_order_relaxed);
	atomic_store(&row->is_named, 1);
}

/* The row of this key may be another's: hashes can be made to meet. */
static bool
is_row_of(struct usage_row *row, const struct usage_names *names)
{
	struct usage_names there;

	if (atomic_load(&row->is_named) == 0)
		store_names(row, names);
	load_names(row, &there);
	return memcmp(&there, names, sizeof(there)) == 0;
}

struct usage_row *
usage_row(struct usage *u, struct span client, struct span model)
{
	struct usage_names names = { "", "" };
	uint64_t key;

	clean(client, names.client);
	clean(model, names.model);
	key = hash(&names);
	for (size_t i = 0; i < USAGE_ROWS; i++) {
		const size_t at = (key + i) % USAGE_ROWS;
		uint64_t there = atomic_load(&u->keys[at]);

		if (there == 0 &&
			atomic_compare_exchange_strong(
				&u->keys[at], &there, key))
			there = key;
		if (there == key && is_row_of(&u->rows[at], &names))
			return &u->rows[at];
	}
	return &u->rows[USAGE_ROWS];
}

void
usage_add(struct usage_row *row, const struct usage_sums *more)
{
	for (size_t i = 0; i < USAGE_FIGURES; i++)
		if (more->n[i] > 0)
			atomic_fetch_add_explicit(&row->figures[i], more->n[i],
				memory_order_release);
}

static void
check_name(char text[USAGE_NAME_MAX])
{
	const struct span s = span_of(text, strnlen(text, USAGE_NAME_MAX));
	bool ok = s.n > 0 && s.n < USAGE_NAME_MAX && utf8_valid_len(s) == s.n;

	for (size_t i = 0; i < s.n; i++)
		ok = ok && (uint8_t)s.p[i] >= ' ' && s.p[i] != 0x7f;
	if (!ok)
		memcpy(text, USAGE_OTHER, sizeof(USAGE_OTHER));
}

bool
usage_get(const struct usage *u, size_t at, struct usage_names *names,
	struct usage_sums *sums)
{
	const struct usage_row *const row = &u->rows[at];
	uint64_t any = 0;

	for (size_t i = 0; i < USAGE_FIGURES; i++) {
		sums->n[i] = atomic_load(&row->figures[i]);
		any |= sums->n[i];
	}
	load_names(row, names);
	check_name(names->client);
	check_name(names->model);
	return any != 0;
}

unsigned
usage_hit_permille(const struct usage_sums *s)
{
	const double input = (double)s->n[USAGE_INPUT_TOKENS];
	const double cached = (double)s->n[USAGE_CACHED_TOKENS];

	if (s->n[USAGE_INPUT_TOKENS] == 0)
		return 0;
	return (unsigned)(MIN(cached / input, 1.0) * 1000 + 0.5);
}

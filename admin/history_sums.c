/* SPDX-License-Identifier: MIT */
/* history_sums.c - records added up by minute and by what they have in common.
 */
#include "admin/history_sums.h"

#include <stdlib.h>

#include "shared/base/check.h"

#define MINUTE_US INT64_C(60000000)
#define HOUR_US   (60 * MINUTE_US)

_Static_assert(HISTORY_GROUPS_MAX <
		ARRAY_LEN(((struct history_sums *)NULL)->index) / 2,
	"it finds an end");

void
history_sums_init(struct history_sums *s)
{
	memset(s, 0, sizeof(*s));
}

void
history_sums_fini(struct history_sums *s)
{
	free(s->groups);
	s->groups = NULL;
}

void
history_sums_clear(struct history_sums *s)
{
	free(s->groups);
	s->groups = NULL;
	s->n = 0;
	s->cap = 0;
	s->records = 0;
	memset(s->index, 0, sizeof(s->index));
}

static uint64_t
hash(uint64_t h, const void *bytes, size_t n)
{
	const unsigned char *const p = bytes;

	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * 0x100000001b3u;
	return h;
}

#define HASH_BEGIN UINT64_C(0xcbf29ce484222325)

static uint64_t
mix(uint64_t h)
{
	h ^= h >> 33;
	h *= UINT64_C(0xff51afd7ed558ccd);
	return h ^ h >> 33;
}

/* --- names ---------------------------------------------------------------- */

static bool
has_name(struct history_sums *s, const struct record *r)
{
	uint64_t h = hash(HASH_BEGIN, r->client.p, r->client.n);

	h = mix(hash(hash(h, "", 1), r->model.p, r->model.n)) | 1;
	if (s->hour != r->time_us / HOUR_US) {
		memset(s->names, 0, sizeof(s->names));
		s->nnames = 0;
		s->hour = r->time_us / HOUR_US;
	}
	for (size_t i = 0;; i++) {
		uint64_t *const at = &s->names[(h + i) % ARRAY_LEN(s->names)];

		if (*at == h)
			return true;
		if (*at != 0)
			continue;
		if (s->nnames == HISTORY_NAMES)
			return false;
		s->nnames++;
		*at = h;
		return true;
	}
}

static void
put_text(char *to, size_t max, struct span s)
{
	memcpy(to, s.p, MIN(s.n, max));
}

static struct history_key
key_of(const struct record *r)
{
	struct history_key k;

	memset(&k, 0, sizeof(k));
	k.time_s = r->time_us / MINUTE_US * 60;
	k.is_count = r->is_count;
	k.status = r->status;
#define TEXT(name, bytes) put_text(k.name, (bytes), r->name);
	HISTORY_TEXTS(TEXT)
#undef TEXT
	return k;
}

static void
forget_names(struct history_key *k)
{
	memset(k->client, 0, sizeof(k->client));
	memset(k->model, 0, sizeof(k->model));
	memcpy(k->client, HISTORY_OTHER, sizeof(HISTORY_OTHER));
	memcpy(k->model, HISTORY_OTHER, sizeof(HISTORY_OTHER));
}

/* --- groups --------------------------------------------------------------- */

static struct history_group *
add_group(struct history_sums *s, const struct history_key *k)
{
	struct history_group *g;

	if (s->n == s->cap) {
		s->cap = MIN(MAX(2 * s->cap, 64), HISTORY_GROUPS_MAX);
		g = realloc(s->groups, s->cap * sizeof(*g));
		GP_ASSERT(g != NULL);
		s->groups = g;
	}
	g = &s->groups[s->n++];
	memset(g, 0, sizeof(*g));
	g->key = *k;
	return g;
}

static struct history_group *
find(struct history_sums *s, const struct history_key *k, size_t most)
{
	const uint64_t h = mix(hash(HASH_BEGIN, k, sizeof(*k)));

	for (size_t i = 0;; i++) {
		uint16_t *const at = &s->index[(h + i) % ARRAY_LEN(s->index)];
		struct history_group *g;

		if (*at == 0) {
			if (s->n >= most)
				return NULL;
			g = add_group(s, k);
			*at = (uint16_t)s->n;
			return g;
		}
		g = &s->groups[*at - 1];
		if (memcmp(&g->key, k, sizeof(*k)) == 0)
			return g;
	}
}

static void
add(struct history_group *g, const struct record *r)
{
	const bool is_counted = r->input >= 0 || r->output >= 0;

	g->requests++;
	g->streamed += r->streamed;
	g->cancelled += r->cancelled;
	g->broken += r->broken;
	g->retries += r->retries;
	g->input += MAX(r->input, 0);
	g->cached += MAX(r->cached, 0);
	g->output += MAX(r->output, 0);
	g->shown_input += MAX(r->shown_input, 0);
	g->shown_cached += MAX(r->shown_cached, 0);
	g->shown_output += MAX(r->shown_output, 0);
	g->counted += is_counted;
	g->head_us += MAX(r->head_us, 0);
	g->heads += r->head_us >= 0;
	g->first_us += MAX(r->first_us, 0);
	g->firsts += r->first_us >= 0;
	g->total_us += r->total_us;
	g->longest_us = MAX(g->longest_us, r->total_us);
	g->bytes_in += r->bytes_in;
	g->bytes_sent += r->bytes_sent;
	g->bytes_received += r->bytes_received;
	g->bytes_out += r->bytes_out;
	g->notice_count += r->notice_count;
	g->truncated += r->removed > 0;
	g->removed += r->removed;
}

bool
history_sums_add(struct history_sums *s, const struct record *r)
{
	struct history_key k = key_of(r);
	struct history_group *g;

	if (!has_name(s, r))
		forget_names(&k);
	g = find(s, &k, HISTORY_GROUPS);
	if (g == NULL) {
		forget_names(&k);
		g = find(s, &k, HISTORY_GROUPS_MAX);
	}
	if (g == NULL)
		return false;
	add(g, r);
	s->records++;
	return true;
}

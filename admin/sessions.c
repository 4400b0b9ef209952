/* SPDX-License-Identifier: MIT */
/* sessions.c - browsers that have shown the admin token. */
#include "admin/sessions.h"

#include <string.h>

#include "shared/sys/secret.h"

static bool
is_over(const struct session *s, int64_t now_ms)
{
	return now_ms - s->seen_ms > SESSIONS_IDLE_MS ||
		now_ms - s->begun_ms > SESSIONS_TOTAL_MS;
}

static struct session *
find(struct sessions *s, const unsigned char hash[32])
{
	struct session *found = NULL;

	for (size_t i = 0; i < SESSIONS_MAX; i++)
		if (secret_hash_eq(s->v[i].hash, hash) && s->v[i].is_used)
			found = &s->v[i];
	return found;
}

static void
end(struct sessions *s, struct session *it)
{
	s->ended += it->is_used;
	*it = (struct session){ .is_used = false };
}

void
sessions_sweep(struct sessions *s, int64_t now_ms)
{
	for (size_t i = 0; i < SESSIONS_MAX; i++)
		if (s->v[i].is_used && is_over(&s->v[i], now_ms))
			end(s, &s->v[i]);
}

void
sessions_begin(struct sessions *s, const unsigned char hash[32], int64_t now_ms)
{
	struct session *to = &s->v[0];

	for (size_t i = 1; i < SESSIONS_MAX && to->is_used; i++)
		if (!s->v[i].is_used || s->v[i].seen_ms < to->seen_ms)
			to = &s->v[i];
	end(s, to);
	*to = (struct session){
		.is_used = true,
		.begun_ms = now_ms,
		.seen_ms = now_ms,
	};
	memcpy(to->hash, hash, sizeof(to->hash));
}

bool
sessions_see(struct sessions *s, const unsigned char hash[32], int64_t now_ms)
{
	struct session *const it = find(s, hash);

	if (it == NULL)
		return false;
	if (is_over(it, now_ms)) {
		end(s, it);
		return false;
	}
	it->seen_ms = now_ms;
	return true;
}

void
sessions_end(struct sessions *s, const unsigned char hash[32])
{
	struct session *const it = find(s, hash);

	if (it != NULL)
		end(s, it);
}

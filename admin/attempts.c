/* SPDX-License-Identifier: MIT */
/* attempts.c - who may try a token, and when. */
#include "admin/attempts.h"

#include <netinet/in.h>
#include <string.h>

#define PAY_MS 1000

struct attempts_source
attempts_source(const struct sock_addr *a)
{
	struct attempts_source s = { { 0 } };

	if (a->ss.ss_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, &a->ss, sizeof(in));
		s.bytes[0] = 4;
		memcpy(&s.bytes[1], &in.sin_addr, 4);
	} else if (a->ss.ss_family == AF_INET6) {
		struct sockaddr_in6 in;

		memcpy(&in, &a->ss, sizeof(in));
		if (IN6_IS_ADDR_V4MAPPED(&in.sin6_addr)) {
			s.bytes[0] = 4;
			memcpy(&s.bytes[1], &in.sin6_addr.s6_addr[12], 4);
		} else {
			s.bytes[0] = 6;
			memcpy(&s.bytes[1], in.sin6_addr.s6_addr, 8);
		}
	}
	return s;
}

static bool
is_same(const struct attempts_source *a, const struct attempts_source *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

static struct attempts_row *
find(struct attempts *a, const struct attempts_source *s, int64_t now_ms)
{
	for (size_t i = 0; i < ATTEMPTS_ROWS; i++) {
		struct attempts_row *const r = &a->rows[i];

		if (!r->is_used || !is_same(&r->source, s))
			continue;
		if (now_ms - r->last_ms <= ATTEMPTS_FORGET_MS)
			return r;
		r->is_used = false;
	}
	return NULL;
}

/* Whom to forget first: those that never were right, the oldest of them. */
static bool
goes_before(const struct attempts_row *a, const struct attempts_row *b)
{
	if (a->is_used != b->is_used)
		return !a->is_used;
	if (a->was_right != b->was_right)
		return !a->was_right;
	return a->last_ms < b->last_ms;
}

static struct attempts_row *
find_or_make(
	struct attempts *a, const struct attempts_source *s, int64_t now_ms)
{
	struct attempts_row *r = find(a, s, now_ms);

	if (r == NULL) {
		r = &a->rows[0];
		for (size_t i = 1; i < ATTEMPTS_ROWS; i++)
			if (goes_before(&a->rows[i], r))
				r = &a->rows[i];
		*r = (struct attempts_row){ .is_used = true, .source = *s };
	}
	r->last_ms = now_ms;
	return r;
}

static void
pay_back(struct attempts *a, int64_t now_ms)
{
	const int64_t n = (now_ms - a->paid_ms) / PAY_MS;

	if (n <= 0)
		return;
	a->paid_ms += n * PAY_MS;
	a->spent = n >= a->spent ? 0 : a->spent - (unsigned)n;
}

int64_t
attempts_wait_ms(
	struct attempts *a, const struct attempts_source *s, int64_t now_ms)
{
	const struct attempts_row *const r = find(a, s, now_ms);

	if (r != NULL && r->until_ms > now_ms)
		return r->until_ms - now_ms;
	pay_back(a, now_ms);
	if (a->spent >= ATTEMPTS_ALL && (r == NULL || !r->was_right))
		return a->paid_ms + PAY_MS - now_ms;
	return 0;
}

int64_t
attempts_wrong(
	struct attempts *a, const struct attempts_source *s, int64_t now_ms)
{
	struct attempts_row *const r = find_or_make(a, s, now_ms);
	int64_t wait_ms = ATTEMPTS_WAIT_MS;

	pay_back(a, now_ms);
	if (a->spent < ATTEMPTS_ALL)
		a->spent++;
	r->wrong++;
	if (r->wrong <= ATTEMPTS_FREE)
		return 0;
	for (unsigned i = ATTEMPTS_FREE + 1;
		i < r->wrong && wait_ms < ATTEMPTS_WAIT_MAX_MS; i++)
		wait_ms *= 2;
	wait_ms = MIN(wait_ms, ATTEMPTS_WAIT_MAX_MS);
	r->until_ms = now_ms + wait_ms;
	return wait_ms;
}

void
attempts_right(
	struct attempts *a, const struct attempts_source *s, int64_t now_ms)
{
	struct attempts_row *const r = find_or_make(a, s, now_ms);

	r->wrong = 0;
	r->until_ms = 0;
	r->was_right = true;
}

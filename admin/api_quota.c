/* SPDX-License-Identifier: MIT */
/* api_quota.c - /api/quota: what upstreams have said about limits of keys. */
#include "admin/api_quota.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "admin/pages.h"
#include "shared/sys/clock.h"
#include "shared/translate/profile.h"

/* Keys with requests in flight that are listed; all are added up. */
#define BUSY_MAX 256

struct view {
	struct quota_row rows[QUOTA_KEYS + 1];
	size_t n;
};

/* --- rows ----------------------------------------------------------------- */

static int64_t
last_of(const struct quota_row *row)
{
	int64_t last = 0;

	for (size_t i = 0; i < QUOTA_CLASSES; i++)
		last = MAX(last, row->seen[i].last_wall_s);
	return last;
}

static int
by_last(const void *a, const void *b)
{
	const int64_t x = last_of(a), y = last_of(b);

	return (x < y) - (x > y);
}

static void
load(const struct shm *m, struct view *v)
{
	v->n = 0;
	for (size_t i = 0; i <= QUOTA_KEYS; i++)
		v->n += quota_get(&m->quota, i, &v->rows[v->n]);
	qsort(v->rows, v->n, sizeof(v->rows[0]), by_last);
}

/* --- JSON ----------------------------------------------------------------- */

static void
put_or_null(struct jout *j, const char *key, int64_t value)
{
	if (value > 0)
		jout_kv_int(j, key, value);
	else
		jout_kv_null(j, key);
}

static void
put_seen(struct jout *j, enum quota_class class, const struct quota_seen *seen,
	int64_t now_wall_s)
{
	const char *meaning = profile_zai.meaning(seen->said.code);
	char window[QUOTA_WINDOW_TEXT_MAX];

	quota_window_text(&seen->said, window);
	jout_obj(j);
	jout_kv_cstr(j, "class", quota_word(class));
	jout_kv_int(j, "count", (int64_t)MIN(seen->count, INT64_MAX));
	put_or_null(j, "code", seen->said.code);
	jout_kv_cstr(
		j, "meaning", meaning != NULL ? meaning : quota_meaning(class));
	if (window[0] != '\0')
		jout_kv_cstr(j, "window", window);
	else
		jout_kv_null(j, "window");
	put_or_null(j, "first_us", seen->first_wall_s * 1000000);
	put_or_null(j, "last_us", seen->last_wall_s * 1000000);
	put_or_null(j, "reset_us", seen->said.reset_wall_s * 1000000);
	jout_kv_bool(j, "is_used_up", seen->said.reset_wall_s > now_wall_s);
	jout_obj_end(j);
}

static void
put_keys(const struct shm *m, int64_t now_wall_s, struct jout *j)
{
	struct view v;

	load(m, &v);
	jout_key(j, "keys");
	jout_arr(j);
	for (size_t i = 0; i < v.n; i++) {
		jout_obj(j);
		jout_kv_cstr(j, "key", v.rows[i].tag);
		jout_key(j, "limits");
		jout_arr(j);
		for (size_t k = 0; k < QUOTA_CLASSES; k++)
			if (v.rows[i].seen[k].count > 0)
				put_seen(j, (enum quota_class)k,
					&v.rows[i].seen[k], now_wall_s);
		jout_arr_end(j);
		jout_obj_end(j);
	}
	jout_arr_end(j);
}

/* --- in flight ------------------------------------------------------------ */

/* Keys that have requests in flight or waiting, added up over all workers. */
struct busy {
	struct busy_key {
		uint64_t key;
		uint64_t held, waiting;
	} keys[BUSY_MAX];

	size_t n;
	uint64_t held, waiting; /* of all keys */
};

static void
add_busy(struct busy *b, uint64_t key, const struct permits_seen *seen)
{
	size_t i = 0;

	b->held += seen->held;
	b->waiting += seen->waiting;
	while (i < b->n && b->keys[i].key != key)
		i++;
	if (i == BUSY_MAX)
		return;
	if (i == b->n)
		b->keys[b->n++] = (struct busy_key){ key, 0, 0 };
	b->keys[i].held += seen->held;
	b->keys[i].waiting += seen->waiting;
}

static int
by_requests(const void *a, const void *b)
{
	const struct busy_key *const x = a;
	const struct busy_key *const y = b;
	const uint64_t m = x->held + x->waiting, n = y->held + y->waiting;

	return m != n ? (m < n) - (m > n) :
			(x->key > y->key) - (x->key < y->key);
}

static void
load_busy(const struct shm *m, struct busy *b)
{
	b->n = 0;
	b->held = 0;
	b->waiting = 0;
	for (int i = 0; i < SHM_SLOTS; i++) {
		const struct permits *const t = shm_permits(m, i);

		if (atomic_load(&m->slots[i].has_permits) == 0)
			continue;
		for (size_t k = 0; k < PERMITS_ROWS; k++) {
			struct permits_seen seen;
			uint64_t key;

			if (permits_at(t, k, &key, &seen))
				add_busy(b, key, &seen);
		}
	}
	qsort(b->keys, b->n, sizeof(b->keys[0]), by_requests);
}

static void
put_busy(const struct shm *m, const struct conf *conf, struct jout *j)
{
	struct busy b;
	char tag[24];

	load_busy(m, &b);
	jout_key(j, "concurrency");
	jout_obj(j);
	jout_kv_int(j, "limit", conf->key_concurrency);
	jout_kv_int(j, "places", conf->key_queue);
	jout_kv_int(j, "in_flight", (int64_t)b.held);
	jout_kv_int(j, "waiting", (int64_t)b.waiting);
	jout_key(j, "keys");
	jout_arr(j);
	for (size_t i = 0; i < b.n; i++) {
		/* The hash begins with the key's tag. */
		(void)snprintf(
			tag, sizeof(tag), "%08" PRIx64, b.keys[i].key >> 32);
		jout_obj(j);
		jout_kv_cstr(j, "key", tag);
		jout_kv_int(j, "in_flight", (int64_t)b.keys[i].held);
		jout_kv_int(j, "waiting", (int64_t)b.keys[i].waiting);
		jout_obj_end(j);
	}
	jout_arr_end(j);
	jout_obj_end(j);
}

/* --- the page ------------------------------------------------------------- */

void
api_quota(const struct pages *p, const struct http_request *request,
	struct http_answer *a)
{
	const int64_t now_wall_us = clock_wall_us();
	struct jout j;

	(void)request;
	jout_init(&j, &a->body);
	jout_obj(&j);
	jout_kv_int(&j, "now_us", now_wall_us);
	put_keys(p->link->shm, now_wall_us / 1000000, &j);
	put_busy(p->link->shm, p->link->conf, &j);
	jout_obj_end(&j);
	buf_putc(&a->body, '\n');
}

/* --- Prometheus ----------------------------------------------------------- */

void
api_quota_put_metrics(const struct shm *m, struct buf *out)
{
	static const char name[] =
		"glmproxy_upstream_limit_reset_timestamp_seconds";
	struct view v;

	load(m, &v);
	buf_printf(out,
		"# HELP %s Latest time at which a limit of any key is said to "
		"renew, 0 if none is\n# TYPE %s gauge\n",
		name, name);
	for (size_t k = 0; k < QUOTA_CLASSES; k++) {
		int64_t reset = 0;

		for (size_t i = 0; i < v.n; i++)
			reset = MAX(reset, v.rows[i].seen[k].said.reset_wall_s);
		buf_printf(out, "%s{class=\"%s\"} %" PRId64 "\n", name,
			quota_word((enum quota_class)k), reset);
	}
}

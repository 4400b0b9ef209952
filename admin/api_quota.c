/* SPDX-License-Identifier: MIT */
/* api_quota.c - /api/quota: what upstreams have said about limits of keys. */
#include "admin/api_quota.h"

#include <inttypes.h>
#include <stdlib.h>

#include "admin/pages.h"
#include "shared/sys/clock.h"
#include "shared/translate/profile.h"

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

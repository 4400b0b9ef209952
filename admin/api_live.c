/* SPDX-License-Identifier: MIT */
/* api_live.c - /api/live: requests under way. */
#include <stdlib.h>

#include "admin/api_json.h"
#include "shared/base/check.h"
#include "shared/sys/clock.h"

#define ROWS_MAX 1000

struct row {
	struct live_chat chat;
	int slot;
};

struct rows {
	struct row *v;
	size_t n, cap;
	uint64_t total; /* those without a row too */
};

static void
add(struct rows *r, int slot, const struct live_chat *chat)
{
	if (r->n == r->cap) {
		r->cap = MAX(2 * r->cap, 64);
		r->v = realloc(r->v, r->cap * sizeof(r->v[0]));
		if (r->v == NULL)
			GP_NOMEM();
	}
	r->v[r->n++] = (struct row){ *chat, slot };
}

static void
load_slot(const struct shm *m, int slot, struct rows *r)
{
	const struct live *const table = shm_live(m, slot);
	const size_t n = live_rows(table);
	struct live_chat chat;

	for (size_t i = 0; i < n; i++)
		if (live_get(table, i, &chat))
			add(r, slot, &chat);
	r->total += live_unlisted(table);
}

static void
load(const struct shm *m, struct rows *r)
{
	*r = (struct rows){ .v = NULL };
	for (int i = 0; i < SHM_SLOTS; i++)
		if (atomic_load(&m->slots[i].role) == SHM_WORKER)
			load_slot(m, i, r);
	r->total += r->n;
}

static int
by_age(const void *a, const void *b)
{
	const struct live_chat *const x = &((const struct row *)a)->chat;
	const struct live_chat *const y = &((const struct row *)b)->chat;

	if (x->begun_us != y->begun_us)
		return (x->begun_us > y->begun_us) -
			(x->begun_us < y->begun_us);
	return strcmp(x->names.request, y->names.request);
}

static void
put_row(const struct row *row, int64_t now_us, struct jout *j)
{
	const struct live_chat *const c = &row->chat;

	jout_obj(j);
	jout_kv_cstr(j, "id", c->names.request);
	jout_kv_int(j, "worker", row->slot);
	jout_kv_int(j, "age_ms", MAX(now_us - c->begun_us, 0) / 1000);
	jout_kv_cstr(j, "client", c->names.client);
	jout_kv_cstr(j, "dialect", c->names.dialect);
	jout_kv_cstr(j, "upstream", c->names.upstream);
	jout_kv_cstr(j, "model", c->names.model);
	jout_kv_bool(j, "streaming", c->is_stream);
	jout_kv_cstr(j, "phase", live_phase_word(c->phase));
	jout_kv_int(j, "output_tokens", c->tokens);
	if (c->first_us < 0)
		jout_kv_null(j, "first_byte_ms");
	else
		jout_kv_int(j, "first_byte_ms", c->first_us / 1000);
	jout_obj_end(j);
}

void
api_put_live(const struct pages *p, size_t most, struct jout *j)
{
	const int64_t now_us = clock_mono_us();
	struct rows r;

	load(p->link->shm, &r);
	if (r.n > 0)
		qsort(r.v, r.n, sizeof(r.v[0]), by_age);
	jout_obj(j);
	jout_kv_int(j, "now_us", clock_wall_us());
	jout_kv_int(j, "total", (int64_t)r.total);
	jout_key(j, "rows");
	jout_arr(j);
	for (size_t i = 0; i < MIN(r.n, most); i++)
		put_row(&r.v[i], now_us, j);
	jout_arr_end(j);
	jout_obj_end(j);
	free(r.v);
}

void
api_count_phases(const struct shm *m, struct api_phases *out)
{
	struct rows r;

	load(m, &r);
	*out = (struct api_phases){ { 0 } };
	for (size_t i = 0; i < r.n; i++)
		out->n[r.v[i].chat.phase]++;
	free(r.v);
}

void
api_live(const struct pages *p, const struct http_request *request,
	struct http_answer *a)
{
	struct jout j;

	(void)request;
	jout_init(&j, &a->body);
	api_put_live(p, ROWS_MAX, &j);
	buf_putc(&a->body, '\n');
}

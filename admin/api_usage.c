/* SPDX-License-Identifier: MIT */
/* api_usage.c - /api/usage: tokens by client and model; /api/calibration: what
 * has been learned of their counts. */
#include "admin/api_json.h"
#include "admin/figures.h"

void
api_usage(const struct pages *p, const struct http_request *request,
	struct http_answer *a)
{
	struct figures f;
	struct jout j;

	(void)request;
	figures_take(&p->link->shm->usage, &f);
	jout_init(&j, &a->body);
	jout_obj(&j);
	jout_key(&j, "usage");
	figures_put_json(&f, &j);
	jout_obj_end(&j);
	buf_putc(&a->body, '\n');
}

/* --- /api/calibration ----------------------------------------------------- */

static void
put_ratio(const struct calib_row *row, struct span name, enum calib_way way,
	struct jout *j)
{
	const struct calib_ratio r = calib_get(row, way);

	if (r.samples == 0)
		return;
	jout_obj(j);
	jout_kv_span(j, "model", name);
	jout_kv_cstr(j, "way", calib_way_names[way]);
	api_put_milli(j, "ratio",
		((int64_t)r.ratio * 1000 + CALIB_ONE / 2) / CALIB_ONE);
	jout_kv_int(j, "samples", r.samples);
	jout_obj_end(j);
}

void
api_calibration(const struct pages *p, const struct http_request *request,
	struct http_answer *a)
{
	const struct calib *const c = &p->link->shm->calib;
	struct span name;
	struct jout j;

	(void)request;
	jout_init(&j, &a->body);
	jout_obj(&j);
	jout_key(&j, "ratios");
	jout_arr(&j);
	for (size_t i = 0; i < CALIB_ROWS; i++)
		for (enum calib_way way = 0; way < CALIB_WAYS; way++)
			if (calib_name(&c->rows[i], &name))
				put_ratio(&c->rows[i], name, way, &j);
	jout_arr_end(&j);
	jout_obj_end(&j);
	buf_putc(&a->body, '\n');
}

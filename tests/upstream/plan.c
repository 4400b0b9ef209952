/* SPDX-License-Identifier: MIT */
/* plan.c - from a scenario to the plan of an answer. */
#include "tests/upstream/plan.h"

#include <stdio.h>
#include <time.h>

#include "shared/sys/clock.h"

#define BEIJING_S 28800

const struct scenario_row scenario_rows[] = {
#define SCENARIO(name, flags, make, arg) { #name, make, arg, flags },
#include "tests/upstream/scenario.def"
#undef SCENARIO
};
const size_t scenario_nrows = ARRAY_LEN(scenario_rows);

/* YYYYMMDDhhmmss in Beijing, then hex; the counter keeps them apart. */
static void
make_ids(struct plan *p)
{
	static uint64_t counter;
	static char second[16];
	static int64_t second_of;
	uint64_t mixed = ++counter * 0x9e3779b97f4a7c15u;

	p->created_s = clock_wall_us() / 1000000;
	if (p->created_s != second_of) {
		time_t t = (time_t)(p->created_s + BEIJING_S);
		struct tm tm;

		(void)gmtime_r(&t, &tm);
		(void)strftime(second, sizeof(second), "%Y%m%d%H%M%S", &tm);
		second_of = p->created_s;
	}
	(void)snprintf(p->trace, sizeof(p->trace), "%s%016llx", second,
		(unsigned long long)mixed);
}

void
plan_delta(struct plan *p, enum act_kind kind, struct span escaped)
{
	struct act *act = VEC_PUSH(p->arena, &p->acts);

	act->kind = kind;
	act->text = escaped;
}

static void
count_output(struct plan *p)
{
	int64_t bytes = 0;

	for (size_t i = 0; i < p->acts.n; i++)
		bytes += (int64_t)p->acts.v[i].text.n;
	for (size_t i = 0; i < p->calls.n; i++)
		bytes += (int64_t)p->calls.v[i].name.n;
	p->output_tokens = MAX(1, (bytes + 3) / 4);
}

static void
set_usage(struct plan *p)
{
	count_output(p);
	p->input_tokens = scenario_number(p->sc->in, p->r->input_tokens);
	p->output_tokens = scenario_number(p->sc->out, p->output_tokens);
	p->cached_tokens =
		MIN(p->input_tokens, scenario_number(p->sc->cached, 0));
}

static void
refuse_plan(struct plan *p)
{
	p->is_failure = true;
	p->failure = failure_of_refusal(p->r);
}

/* Nothing is there: each endpoint says so in its own way. */
static void
plan_nowhere(struct plan *p)
{
	p->is_failure = true;
	p->failure = failure_of(p->r->side, 500);
	p->failure.message = SPAN("404 NOT_FOUND");
	p->failure.path = p->r->head->path;
	p->failure.shape = SHAPE_F4;
	p->failure.status = 200;
	if (p->r->side == SIDE_O) {
		p->failure.shape = SHAPE_F6;
		p->failure.status = 404;
	}
}

void
plan_make(struct plan *p, struct request *r)
{
	memset(p, 0, sizeof(*p));
	p->r = r;
	p->arena = r->arena;
	p->sc = &r->scenario;
	p->is_stream = r->is_stream && r->route != ROUTE_TOKENIZER &&
		r->route != ROUTE_COUNT && r->route != ROUTE_MODELS;
	p->stop_word = SPAN_EMPTY;
	make_ids(p);
	if (r->refused != 0) {
		refuse_plan(p);
		return;
	}
	if (r->route == ROUTE_NONE || r->route == ROUTE_ELSEWHERE) {
		plan_nowhere(p);
		return;
	}
	if ((p->sc->row->flags & SC_TOOL) && r->results.n > 0 &&
		r->rounds >= (unsigned)scenario_number(p->sc->times, 1))
		plan_text(p, 0);
	else
		p->sc->row->make(p, p->sc->row->arg);
	if (p->sc->fault_row != NULL)
		p->sc->fault_row->make(p, p->sc->fault_row->arg);
	if (p->sc->gzip > 0)
		p->odd = ODD_GZIP;
	set_usage(p);
}

/* SPDX-License-Identifier: MIT */
/* plan_faults.c - scenarios in which something goes wrong. */
#include <stdio.h>
#include <time.h>

#include "tests/upstream/plan.h"
#include "tests/upstream/text.h"

#define BEIJING_S     28800
#define UNTIL_RESET_S 18000

/* Codes whose text names the time at which the limit is lifted. */
static bool
names_reset(unsigned code)
{
	return code == 1308 || code == 1310 || (code >= 1316 && code <= 1321);
}

static struct span
reset_text(const struct plan *p, struct span message)
{
	char when[32];
	struct span reset = p->sc->reset;

	if (reset.n == 0) {
		time_t t = (time_t)(p->created_s + UNTIL_RESET_S + BEIJING_S);
		struct tm tm;

		(void)gmtime_r(&t, &tm);
		(void)strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
		reset = span_cstr(when);
	}
	return arena_printf(p->arena, "%.*s Your limit will reset at %.*s",
		SPAN_ARG(message), SPAN_ARG(reset));
}

struct failure
plan_failure(const struct plan *p, unsigned code)
{
	struct failure f = failure_of(
		p->r->side, (unsigned)scenario_number(p->sc->code, code));

	f.path = p->r->head->path;
	if (names_reset(f.code))
		f.message = reset_text(p, f.message);
	if (p->sc->message.n > 0)
		f.message = p->sc->message;
	if (p->sc->shape.n > 0 && !failure_set_shape(&f, p->sc->shape))
		f.message = SPAN("standin: unknown shape");
	if (p->sc->status >= 0)
		f.status = (unsigned)p->sc->status;
	return f;
}

void
plan_fault(struct plan *p, int arg)
{
	if (p->acts.n == 0)
		plan_text(p, 0);
	p->fault = (enum fault)arg;
	if (p->fault == FAULT_ERROR_MID)
		p->failure = plan_failure(p, 1305);
}

static void
fail_how(struct plan *p)
{
	p->fault = span_eq(p->sc->how, SPAN("reset")) ? FAULT_RESET_EARLY :
							FAULT_CLOSE_EARLY;
}

void
plan_close_once(struct plan *p, int arg)
{
	plan_text(p, arg);
	if (p->r->on_connection > 1)
		fail_how(p);
}

void
plan_error(struct plan *p, int arg)
{
	p->is_failure = true;
	p->failure = plan_failure(p, (unsigned)arg);
}

void
plan_error_first(struct plan *p, int arg)
{
	p->fails_first = true;
	p->failure = plan_failure(p, (unsigned)arg);
}

void
plan_error_200(struct plan *p, int arg)
{
	plan_error(p, arg);
	p->failure.shape = SHAPE_F4;
	p->failure.status = 200;
	if (p->sc->message.n == 0)
		p->failure.message = SPAN("404 NOT_FOUND");
}

void
plan_flaky(struct plan *p, int arg)
{
	int64_t fails = scenario_number(p->sc->times, 1);

	if (scenario_count(p->sc->source) > fails)
		plan_text(p, 0);
	else if (p->sc->how.n > 0)
		fail_how(p);
	else
		plan_error(p, arg);
}

void
plan_overflow(struct plan *p, int arg)
{
	unsigned code = p->sc->form == 1210 ? 1210 : (unsigned)arg;
	long long n = (long long)scenario_number(p->sc->n, 182387);
	long long limit = (long long)scenario_number(p->sc->limit, 202750);

	plan_error(p, (int)code);
	if (p->sc->message.n > 0)
		return;
	p->failure.message = code == 1261 ?
		arena_printf(p->arena,
			"Request %lld input tokens exceeds the model's maximum "
			"context length %lld",
			n, limit) :
		SPAN("Prompt exceeds max length");
}

void
plan_gateway(struct plan *p, int arg)
{
	plan_error(p, 500);
	p->failure.shape = arg == 0 ? SHAPE_F7C : SHAPE_F7;
	p->failure.status = arg == 0 ? 502 : (unsigned)arg;
}

void
plan_redirect(struct plan *p, int arg)
{
	plan_gateway(p, arg);
	p->is_redirect = true;
}

void
plan_odd(struct plan *p, int arg)
{
	p->odd = (enum odd)arg;
	if (p->odd == ODD_BODY || p->odd == ODD_STREAM)
		p->is_stream = p->odd == ODD_STREAM;
	plan_text(p, 0);
}

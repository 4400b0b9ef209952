/* SPDX-License-Identifier: MIT */
/* health.c - a verdict with reasons in words. */
#include "admin/health.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define NAME_SHOWN_MAX 200

static void GP_PRINTF(3, 4)
	add(struct health *h, enum health_status status, const char *fmt, ...)
{
	va_list ap;

	h->status = MAX(h->status, status);
	if (h->nreasons == HEALTH_REASONS_MAX)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(h->reasons[h->nreasons++], HEALTH_REASON_MAX, fmt, ap);
	va_end(ap);
}

static void
judge_workers(const struct health_facts *f, struct health *h)
{
	const unsigned missing =
		f->workers_expected > f->workers_ready + f->workers_silent ?
		f->workers_expected - f->workers_ready - f->workers_silent :
		0;

	if (f->workers_ready == 0)
		add(h, HEALTH_FAILING, "no worker is running");
	else if (missing > 0)
		add(h, HEALTH_DEGRADED, "%u of %u workers are running",
			f->workers_ready, f->workers_expected);
	if (f->workers_silent > 0)
		add(h, HEALTH_DEGRADED,
			"%u worker%s given no sign of life for %d seconds",
			f->workers_silent,
			f->workers_silent == 1 ? " has" : "s have",
			HEALTH_SILENT_MS / 1000);
	if (f->recent_deaths >= HEALTH_DEATHS)
		add(h, HEALTH_DEGRADED,
			"%" PRIu32 " processes died within the last minute",
			f->recent_deaths);
}

static void
judge_hosts(const struct health_facts *f, struct health *h)
{
	size_t missing = 0;

	for (size_t i = 0; i < f->nhosts; i++) {
		const struct health_host *const host = &f->hosts[i];
		const struct span name = span_head(host->name, NAME_SHOWN_MAX);

		if (host->addresses == 0) {
			missing++;
			add(h, HEALTH_DEGRADED,
				"the name %.*s has no address yet",
				SPAN_ARG(name));
		} else if (!host->is_constant && host->age_ms > HEALTH_OLD_MS) {
			add(h, HEALTH_DEGRADED,
				"the addresses of %.*s are %" PRId64
				" minutes old",
				SPAN_ARG(name), host->age_ms / 60000);
		}
	}
	if (f->nhosts > 0 && missing == f->nhosts)
		add(h, HEALTH_FAILING, "no upstream can be reached by name");
}

void
health_judge(const struct health_facts *f, struct health *out)
{
	*out = (struct health){ .status = HEALTH_OK };
	if (f->is_stopping)
		add(out, HEALTH_FAILING, "the service is stopping");
	judge_workers(f, out);
	judge_hosts(f, out);
}

const char *
health_word(enum health_status s)
{
	static const char *const words[] = { "ok", "degraded", "failing" };

	return words[s];
}

unsigned
health_http_status(enum health_status s)
{
	return s == HEALTH_FAILING ? 503 : 200;
}

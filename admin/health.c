/* SPDX-License-Identifier: MIT */
/* health.c - a verdict with reasons in words. */
#include "admin/health.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define NAME_SHOWN_MAX 200
#define TIME_MAX       32

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

/* "40 seconds", "12 minutes", "3 hours" */
static const char *
put_time(char out[TIME_MAX], int64_t ms)
{
	static const struct {
		int64_t ms;
		const char *one, *many;
	} units[] = {
		{ 3600000, "hour", "hours" },
		{ 60000, "minute", "minutes" },
		{ 1000, "second", "seconds" },
	};

	size_t i = 0;
	int64_t n;

	while (i + 1 < ARRAY_LEN(units) && ms < 2 * units[i].ms)
		i++;
	n = ms / units[i].ms;
	(void)snprintf(out, TIME_MAX, "%" PRId64 " %s", n,
		n == 1 ? units[i].one : units[i].many);
	return out;
}

/* --- processes ------------------------------------------------------------ */

static void
judge_orders(const struct health_facts *f, struct health *h)
{
	if (f->is_stopping)
		add(h, HEALTH_FAILING, "the service is stopping");
	if (f->is_drained)
		add(h, HEALTH_DEGRADED,
			"the instance is drained: load balancers are told to "
			"send nothing until somebody says `glmproxy undrain`");
}

static void
judge_workers(const struct health_facts *f, struct health *h)
{
	const unsigned missing =
		f->workers_expected > f->workers_ready + f->workers_silent ?
		f->workers_expected - f->workers_ready - f->workers_silent :
		0;

	if (f->workers_ready == 0)
		add(h, HEALTH_FAILING,
			"no worker is running: the log says why");
	else if (missing > 0)
		add(h, HEALTH_DEGRADED,
			"%u of %u workers are running: if it stays so, the "
			"log says why",
			f->workers_ready, f->workers_expected);
	if (f->workers_silent > 0)
		add(h, HEALTH_DEGRADED,
			"%u worker%s given no sign of life for %d seconds: "
			"what does not recover is killed and replaced",
			f->workers_silent,
			f->workers_silent == 1 ? " has" : "s have",
			HEALTH_SILENT_MS / 1000);
	if (f->recent_deaths >= HEALTH_DEATHS)
		add(h, HEALTH_DEGRADED,
			"%" PRIu32 " processes died within the last minute: "
			"the log has their last words, which belong into a "
			"bug report",
			f->recent_deaths);
}

/* --- upstreams ------------------------------------------------------------ */

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
				"the name %.*s has no address yet: check "
				"the spelling, and that this machine can "
				"resolve names",
				SPAN_ARG(name));
		} else if (!host->is_constant && host->age_ms > HEALTH_OLD_MS) {
			add(h, HEALTH_DEGRADED,
				"the addresses of %.*s are %" PRId64
				" minutes old: check that this machine can "
				"resolve names",
				SPAN_ARG(name), host->age_ms / 60000);
		}
	}
	if (f->nhosts > 0 && missing == f->nhosts)
		add(h, HEALTH_FAILING, "no upstream can be reached by name");
}

static uint64_t
failures(const struct watch_outcomes *o)
{
	return o->refusals + o->silences;
}

/* It is asked, and never answers well. */
static bool
is_deaf(const struct health_upstream *u)
{
	return u->recent.answers == 0 &&
		failures(&u->recent) >= HEALTH_DEAF_LEAST;
}

static bool
is_faulty(const struct health_upstream *u)
{
	const uint64_t all = u->recent.answers + failures(&u->recent);

	return u->recent.answers > 0 && all >= HEALTH_FAULTY_LEAST &&
		failures(&u->recent) >= all / HEALTH_FAULTY_SHARE;
}

static void
judge_upstream(const struct health_upstream *u, struct health *h)
{
	const struct span base = span_head(u->base, NAME_SHOWN_MAX);
	const uint64_t bad = failures(&u->recent);

	if (is_deaf(u) && u->recent.silences > 0)
		add(h, HEALTH_DEGRADED,
			"none of the last %" PRIu64 " requests to %.*s was "
			"answered: check the network, firewalls, "
			"upstream_proxy and upstream_ca_file; the log has "
			"the errors",
			bad, SPAN_ARG(base));
	else if (is_deaf(u))
		add(h, HEALTH_DEGRADED,
			"%.*s answered the last %" PRIu64 " requests with "
			"errors of its own: the vendor has trouble, or the "
			"address is wrong",
			SPAN_ARG(base), bad);
	else if (is_faulty(u))
		add(h, HEALTH_DEGRADED,
			"%" PRIu64 " of %" PRIu64 " requests to %.*s failed "
			"within the last %d minutes, %" PRIu64 " of them "
			"without an answer: see the log",
			bad, bad + u->recent.answers, SPAN_ARG(base),
			WATCH_WINDOW_MS / 60000, u->recent.silences);
}

static void
judge_upstreams(const struct health_facts *f, struct health *h)
{
	bool has_answered = false;
	bool has_deaf = false;

	for (size_t i = 0; i < f->nupstreams; i++) {
		judge_upstream(&f->upstreams[i], h);
		has_answered =
			has_answered || f->upstreams[i].recent.answers > 0;
		has_deaf = has_deaf || is_deaf(&f->upstreams[i]);
	}
	if (has_deaf && !has_answered)
		add(h, HEALTH_FAILING,
			"no request is answered by any upstream at present");
}

/* --- disks ---------------------------------------------------------------- */

static void
judge_history(const struct health_history *s, struct health *h)
{
	if (!s->is_on)
		return;
	if (!s->is_written)
		add(h, HEALTH_DEGRADED,
			"the history cannot be written: %s; requests are "
			"served, but what does not fit into memory will be "
			"missing there",
			s->why);
	if (s->recent_lost > 0)
		add(h, HEALTH_DEGRADED,
			"the history has lost %" PRIu32 " records within the "
			"last minute: the admin process or the disk is too "
			"slow, or it was killed",
			s->recent_lost);
}

static bool
has_little_room(const struct health_disk *d)
{
	return d->free_bytes <
		MIN((uint64_t)HEALTH_ROOM_BYTES, d->total_bytes / 10);
}

static bool
is_full(const struct health_disk *d)
{
	return d->free_bytes <
		MIN((uint64_t)HEALTH_FULL_BYTES, d->total_bytes / 100) ||
		!d->has_files;
}

static void
judge_disk(const struct health_disk *d, struct health *h)
{
	const struct span path = span_head(d->path, NAME_SHOWN_MAX);
	char time[TIME_MAX];

	if (d->waits_ms > HEALTH_DISK_MS)
		add(h, HEALTH_DEGRADED,
			"the disk of %s (%.*s) has not answered for %s: "
			"nothing can be written there",
			d->key, SPAN_ARG(path), put_time(time, d->waits_ms));
	if (!d->is_known || d->error == ENOENT)
		return;
	if (d->error != 0)
		add(h, HEALTH_DEGRADED, "%s (%.*s) cannot be looked at: %s",
			d->key, SPAN_ARG(path), d->error_text);
	else if (d->is_repeated)
		return;
	else if (is_full(d))
		add(h, HEALTH_DEGRADED,
			"the disk of %s (%.*s) is full: make room, else what "
			"should be written there is lost",
			d->key, SPAN_ARG(path));
	else if (has_little_room(d))
		add(h, HEALTH_DEGRADED,
			"only %" PRIu64 " MiB are free on the disk of %s "
			"(%.*s): make room, or shorten "
			"history_retention_days and "
			"upstream_log_retention_days",
			d->free_bytes >> 20, d->key, SPAN_ARG(path));
}

static void
judge_logs(const struct health_history *s, struct health *h)
{
	if (!s->is_on)
		return;
	if (!s->is_written)
		add(h, HEALTH_DEGRADED,
			"the log files cannot be written: %s; requests are "
			"served, but lines that do not fit into memory will "
			"be missing there",
			s->why);
	if (s->recent_lost > 0)
		add(h, HEALTH_DEGRADED,
			"the log files have lost %" PRIu32 " lines within the "
			"last minute: the admin process or the disk is too "
			"slow, or it was killed",
			s->recent_lost);
}

/* --- the machine ---------------------------------------------------------- */

static void
judge_clock(const struct health_facts *f, struct health *h)
{
	const int64_t far_us = f->jump_us < 0 ? -f->jump_us : f->jump_us;
	char far[TIME_MAX];
	char ago[TIME_MAX];

	if (f->wall_s < HEALTH_CLOCK_FIRST_S || f->wall_s > HEALTH_CLOCK_LAST_S)
		add(h, HEALTH_DEGRADED,
			"this machine's clock is wrong: certificates of "
			"upstreams will not be accepted; set it, by NTP for "
			"instance");
	if (far_us >= HEALTH_JUMP_US && f->jumped_ago_ms <= HEALTH_JUMP_TOLD_MS)
		add(h, HEALTH_DEGRADED,
			"this machine's clock was set %s by %s, %s ago: "
			"times in the history and in logs jump there",
			f->jump_us < 0 ? "back" : "forward",
			put_time(far, far_us / 1000),
			put_time(ago, f->jumped_ago_ms));
}

void
health_judge(const struct health_facts *f, struct health *out)
{
	*out = (struct health){ .status = HEALTH_OK };
	judge_orders(f, out);
	judge_workers(f, out);
	judge_hosts(f, out);
	judge_upstreams(f, out);
	judge_history(&f->history, out);
	judge_logs(&f->logs, out);
	for (size_t i = 0; i < f->ndisks; i++)
		judge_disk(&f->disks[i], out);
	judge_clock(f, out);
	if (f->is_calibration_unsaved)
		add(out, HEALTH_DEGRADED,
			"the file calibration in state_dir cannot be written, "
			"so what is learned of token counts will not outlive "
			"the service: the log says why");
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

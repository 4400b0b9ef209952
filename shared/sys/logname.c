/* SPDX-License-Identifier: MIT */
/* logname.c - names of the log files. */
#include "shared/sys/logname.h"

#include <stdio.h>
#include <time.h>

#include "shared/base/span.h"

static const struct {
	const char *stem, *end;
} logs[LOG_COUNT] = {
	[LOG_REQUESTS] = { "upstream_requests", ".json" },
	[LOG_RESPONSES] = { "upstream_responses", ".json" },
	[LOG_PERFORMANCE] = { "performance_metrics", ".json" },
	[LOG_ERRORS] = { "error_logs", ".json" },
	[LOG_SERVER] = { "server", ".log" },
};

static const struct {
	const char *name, *end;
} states[] = {
	[LOG_CURRENT] = { "current", "" },
	[LOG_ROTATED] = { "rotated", "" },
	[LOG_COMPRESSED] = { "compressed", ".gz" },
	[LOG_PARTIAL] = { "partial", ".gz.tmp" },
};

const char *
logname_stem(enum logname_log log)
{
	return logs[log].stem;
}

const char *
logname_state_name(enum logname_state state)
{
	return states[state].name;
}

void
logname_write(const struct logname *n, char out[LOGNAME_MAX])
{
	const time_t at = (time_t)n->rotated_wall_s;
	char stamp[32] = "";
	char again[8] = "";
	struct tm tm;

	if (n->state != LOG_CURRENT) {
		(void)gmtime_r(&at, &tm);
		(void)strftime(stamp, sizeof(stamp), ".%Y%m%d_%H%M%S", &tm);
	}
	if (n->again > 0)
		(void)snprintf(again, sizeof(again), "_%02u",
			MIN(n->again, LOGNAME_AGAIN_MAX));
	(void)snprintf(out, LOGNAME_MAX, "%s%s%s%s%s", logs[n->log].stem, stamp,
		again, logs[n->log].end, states[n->state].end);
}

/* --- reading -------------------------------------------------------------- */

static bool
take(struct span *s, const char *text)
{
	const struct span t = span_cstr(text);

	if (!span_starts(*s, t))
		return false;
	*s = span_from(*s, t.n);
	return true;
}

/* Exactly so many digits. */
static bool
take_digits(struct span *s, size_t n, int *value)
{
	uint64_t v;

	if (s->n < n || !span_u64(span_head(*s, n), &v))
		return false;
	*value = (int)v;
	*s = span_from(*s, n);
	return true;
}

static bool
take_stamp(struct span *s, int64_t *at_s)
{
	struct tm tm = { 0 };

	if (!take_digits(s, 4, &tm.tm_year) || !take_digits(s, 2, &tm.tm_mon) ||
		!take_digits(s, 2, &tm.tm_mday) || !take(s, "_") ||
		!take_digits(s, 2, &tm.tm_hour) ||
		!take_digits(s, 2, &tm.tm_min) ||
		!take_digits(s, 2, &tm.tm_sec))
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	*at_s = (int64_t)timegm(&tm);
	return *at_s > 0;
}

static bool
read_as(struct span s, struct logname *out)
{
	int again = 0;

	if (!take(&s, logs[out->log].stem))
		return false;
	if (span_eq(s, span_cstr(logs[out->log].end))) {
		out->state = LOG_CURRENT;
		return true;
	}
	if (!take(&s, ".") || !take_stamp(&s, &out->rotated_wall_s))
		return false;
	if (take(&s, "_") && (!take_digits(&s, 2, &again) || again == 0))
		return false;
	out->again = (unsigned)again;
	if (!take(&s, logs[out->log].end))
		return false;
	for (size_t i = LOG_ROTATED; i < ARRAY_LEN(states); i++)
		if (span_eq(s, span_cstr(states[i].end))) {
			out->state = (enum logname_state)i;
			return true;
		}
	return false;
}

bool
logname_read(const char *name, struct logname *out)
{
	char again[LOGNAME_MAX];

	for (int i = 0; i < LOG_COUNT; i++) {
		*out = (struct logname){ .log = (enum logname_log)i };
		if (!read_as(span_cstr(name), out))
			continue;
		/* No 31st of February: it would come out as another day. */
		logname_write(out, again);
		return strcmp(again, name) == 0;
	}
	return false;
}

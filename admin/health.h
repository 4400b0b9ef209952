/* SPDX-License-Identifier: MIT */
/* health.h - from what is known of the processes to a verdict with reasons in
 * words. Pure. */
#ifndef ADMIN_HEALTH_H
#define ADMIN_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/span.h"

#define HEALTH_HOSTS_MAX   8
#define HEALTH_REASONS_MAX 16
#define HEALTH_REASON_MAX  320

/* A worker silent for longer does not count as running. */
#define HEALTH_SILENT_MS 5000
/* Addresses older than this have not been confirmed for many attempts. */
#define HEALTH_OLD_MS 600000
/* As many deaths within a minute are not bad luck any more. */
#define HEALTH_DEATHS 3

struct health_host {
	struct span name;
	size_t addresses;
	int64_t age_ms;   /* since it was resolved */
	bool is_constant; /* an address, not a name */
};

struct health_facts {
	unsigned workers_expected;
	unsigned workers_ready;  /* silent ones not counted */
	unsigned workers_silent; /* ready, but without a sign of life */
	unsigned workers_starting;
	unsigned workers_draining; /* of earlier generations: only shown */
	uint32_t recent_deaths;    /* processes, within the last minute */
	struct health_host hosts[HEALTH_HOSTS_MAX];
	size_t nhosts;
	bool is_stopping;
};

enum health_status {
	HEALTH_OK,
	HEALTH_DEGRADED,
	HEALTH_FAILING
};

struct health {
	enum health_status status; /* the worst of the reasons */
	char reasons[HEALTH_REASONS_MAX][HEALTH_REASON_MAX];
	size_t nreasons;
};

/* ok: all is as configured. degraded: requests are served, but somebody should
 * look. failing: requests are not served, or will not be soon. */
void health_judge(const struct health_facts *f, struct health *out);

/* "ok", "degraded", "failing"; the status of the HTTP answer. */
const char *health_word(enum health_status s);
unsigned health_http_status(enum health_status s);

#endif

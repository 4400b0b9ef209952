/* SPDX-License-Identifier: MIT */
/* health.h - from what is known of the service to a verdict with reasons in
 * words, each of which says what to do. Pure. */
#ifndef ADMIN_HEALTH_H
#define ADMIN_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "admin/watch.h"
#include "shared/base/span.h"

#define HEALTH_HOSTS_MAX     8
#define HEALTH_UPSTREAMS_MAX METRICS_DIALECTS
#define HEALTH_DISKS_MAX     2
#define HEALTH_REASONS_MAX   32
#define HEALTH_REASON_MAX    400

/* A worker silent for longer does not count as running. */
#define HEALTH_SILENT_MS 5000
/* Addresses older than this have not been confirmed for many attempts. */
#define HEALTH_OLD_MS 600000
/* As many deaths within a minute are not bad luck any more. */
#define HEALTH_DEATHS 3
/* So many exchanges without one answer, or with a fifth that failed, are not
 * bad luck either. */
#define HEALTH_DEAF_LEAST   3
#define HEALTH_FAULTY_LEAST 10
#define HEALTH_FAULTY_SHARE 5
/* Little room on a disk: below this, or a tenth of a smaller disk. */
#define HEALTH_ROOM_BYTES (256u << 20)
#define HEALTH_FULL_BYTES (1u << 20)
/* A disk that has not told its room for so long hangs. */
#define HEALTH_DISK_MS 15000
/* No certificate of today was valid before 2025, none will be in 2100. */
#define HEALTH_CLOCK_FIRST_S 1735689600
#define HEALTH_CLOCK_LAST_S  4102444800
/* A jump of the clock is told for so long, if it was so far. */
#define HEALTH_JUMP_TOLD_MS 600000
#define HEALTH_JUMP_US      60000000

struct health_host {
	struct span name;
	size_t addresses;
	int64_t age_ms;   /* since it was resolved */
	bool is_constant; /* an address, not a name */
};

struct health_upstream {
	const char *dialect;
	struct span base; /* its address, as configured */
	struct watch_outcomes recent;
	int64_t answered_ago_ms, failed_ago_ms; /* -1: not seen */
};

struct health_history {
	bool is_on, is_written;
	char why[256];
	uint64_t lost;
	uint32_t recent_lost; /* within the last minute */
};

struct health_disk {
	const char *key; /* of the configuration */
	struct span path;
	bool is_known;
	bool is_repeated;    /* the same disk as one before */
	int error;           /* errno; ENOENT is none: nothing is there yet */
	char error_text[64]; /* of it */
	uint64_t free_bytes, total_bytes;
	bool has_files;
	int64_t waits_ms; /* for an answer; 0: it does not */
};

struct health_facts {
	unsigned workers_expected;
	unsigned workers_ready;  /* silent ones not counted */
	unsigned workers_silent; /* ready, but without a sign of life */
	unsigned workers_starting;
	unsigned workers_draining; /* of earlier generations: only shown */
	int64_t oldest_beat_ms;    /* of ready ones: only shown */
	uint32_t recent_deaths;    /* processes, within the last minute */
	struct health_host hosts[HEALTH_HOSTS_MAX];
	size_t nhosts;
	struct health_upstream upstreams[HEALTH_UPSTREAMS_MAX];
	size_t nupstreams;
	struct health_history history;
	struct health_history logs; /* the log files */
	struct health_disk disks[HEALTH_DISKS_MAX];
	size_t ndisks;
	int64_t wall_s;
	int64_t jump_us, jumped_ago_ms; /* 0 us: the clock has not jumped */
	bool is_calibration_unsaved;
	bool is_stopping;
	bool is_drained;
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

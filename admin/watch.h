/* SPDX-License-Identifier: MIT */
/*
 * watch.h - what has been going on of late: samples of counters and clocks,
 * taken by the loop of the admin process about twice a second, for the verdict
 * of /health. Pure.
 *
 * It begins with the process: what was before a reload is not known.
 */
#ifndef ADMIN_WATCH_H
#define ADMIN_WATCH_H

#include "admin/deaths.h"
#include "shared/sys/metrics.h"

/* How far back shares of failures go; in so many steps it moves on. */
#define WATCH_WINDOW_MS 300000
#define WATCH_STEPS     10
/* The wall clock may differ by so much between samples: it is being slewed, or
 * the samples were late by themselves. */
#define WATCH_STEP_US 5000000

/* Exchanges with one upstream: metrics.def says what counts as which. */
struct watch_outcomes {
	uint64_t answers, refusals, silences;
};

struct watch_upstream {
	struct watch_outcomes begins[WATCH_STEPS]; /* a ring: each step's */
	size_t next;                               /* the oldest of them */
	struct watch_outcomes last;
	int64_t answered_ms, failed_ms; /* 0: not yet */
};

struct watch {
	bool has_begun;
	struct deaths deaths; /* of processes */
	struct deaths losses; /* of records of the history */
	struct deaths lines;  /* that the log files lack */
	struct watch_upstream upstreams[METRICS_DIALECTS];
	int64_t step_ms;   /* when the upstreams' rings move on */
	int64_t offset_us; /* of the wall clock to the other */
	int64_t jump_us;   /* its last jump, and when; 0: none */
	int64_t jumped_ms;
};

struct watch_sample {
	int64_t now_ms;
	int64_t wall_us, boot_us;       /* clock_wall_us, clock_boot_us */
	uint32_t deaths, losses, lines; /* ever; may wrap */
	struct watch_outcomes upstreams[METRICS_DIALECTS];
};

void watch_take(struct watch *w, const struct watch_sample *s);

/* What has been counted within about WATCH_WINDOW_MS. */
struct watch_outcomes watch_recent(const struct watch_upstream *u);

#endif

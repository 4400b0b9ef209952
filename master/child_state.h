/* SPDX-License-Identifier: MIT */
/*
 * child_state.h - the life of one place in the service, e.g. "worker 3".
 *
 * Pure: times and events come in, actions go out; nothing is forked here.
 *
 *	           start            ready byte
 *	BACKOFF ----------> STARTING ----------> READY
 *	   ^                   |                   |
 *	   +------- died ------+------- died ------+     exit 2: BARRED
 *	told to leave: any -> LEAVING -- died --> FREE
 *
 * A process that dies before it was ready, or young, waits before the next try
 * (doubling); one that had lived longer is replaced at once. All times are
 * clock_mono_ms.
 */
#ifndef MASTER_CHILD_STATE_H
#define MASTER_CHILD_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum child_phase {
	CHILD_FREE,     /* nothing runs and nothing is wanted */
	CHILD_STARTING, /* forked, not ready yet */
	CHILD_READY,
	CHILD_LEAVING, /* was told to leave */
	CHILD_BACKOFF, /* starts at due_ms */
	CHILD_BARRED,  /* asked never to be started again */
};

enum child_action {
	CHILD_NOTHING,
	CHILD_START,
	CHILD_ABORT,
	CHILD_KILL
};

struct child_limits {
	int64_t ready_ms;       /* longest time from fork to ready byte */
	int64_t stuck_ms;       /* longest silence of a ready child */
	int64_t abort_ms;       /* between SIGABRT and SIGKILL */
	int64_t young_ms;       /* a death below this age is a failure */
	int64_t backoff_min_ms; /* first wait, then doubled */
	int64_t backoff_max_ms;
};

/* The limits of link.h and of the design. */
extern const struct child_limits child_limits_default;

struct child_state {
	enum child_phase phase;
	int64_t started_ms; /* fork of the process */
	int64_t ready_ms;   /* its ready byte */
	int64_t due_ms;     /* BACKOFF: start; LEAVING: kill */
	int64_t backoff_ms; /* last wait; 0 after a long life */
	int64_t aborted_ms; /* 0: not aborted */
	bool is_killed;
};

/* A place to be filled at once. */
void child_state_init(struct child_state *s, int64_t now_ms);

/* What happened. */
void child_state_started(struct child_state *s, int64_t now_ms);
void child_state_ready(struct child_state *s, int64_t now_ms);
/* Told to leave; to be killed at kill_at_ms. May come again with another
 * time. A place without a process becomes FREE. */
void child_state_leave(struct child_state *s, int64_t kill_at_ms);
/* The process is gone (or fork failed). is_barred: its exit code said so. */
void child_state_died(struct child_state *s, const struct child_limits *l,
	bool is_barred, int64_t now_ms);

/* True while there is a process. */
bool child_state_is_alive(const struct child_state *s);
/* True if a process that was READY has lived long enough to prove that the
 * service can run. */
bool child_state_is_healthy(const struct child_state *s,
	const struct child_limits *l, int64_t now_ms);
/* True after a start that did not lead to READY. */
bool child_state_has_failed(const struct child_state *s);

/* What is to be done now. beat_ms: the process's last sign of life. ABORT and
 * KILL are given once each. */
enum child_action child_state_due(struct child_state *s,
	const struct child_limits *l, int64_t beat_ms, int64_t now_ms);
/* When to ask again at the latest; -1: no fixed time. */
int64_t child_state_next_ms(
	const struct child_state *s, const struct child_limits *l);

/*
 * In a service that has been healthy crashes must not add up to an outage,
 * since some peer may be causing them: when every place in v waits, the one
 * that is due first waits backoff_min_ms at most.
 */
void child_state_relieve(struct child_state *const *v, size_t n,
	const struct child_limits *l, int64_t now_ms);

#endif

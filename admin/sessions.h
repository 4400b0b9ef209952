/* SPDX-License-Identifier: MIT */
/*
 * sessions.h - browsers that have shown the admin token. Pure.
 *
 * A session is known by the hash of its name, so that this memory names none.
 * They live with the process: a reload, with another token or the same, ends
 * them all.
 */
#ifndef ADMIN_SESSIONS_H
#define ADMIN_SESSIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SESSIONS_MAX      32
#define SESSIONS_IDLE_MS  (8 * (int64_t)3600000)
#define SESSIONS_TOTAL_MS (24 * (int64_t)3600000)

struct session {
	unsigned char hash[32];
	bool is_used;
	int64_t begun_ms, seen_ms;
};

struct sessions {
	struct session v[SESSIONS_MAX];
	unsigned ended; /* ever */
};

/* Where all are taken, the one that was seen longest ago ends. */
void sessions_begin(
	struct sessions *s, const unsigned char hash[32], int64_t now_ms);
/* True if there is one that is not too old; it has been seen now. All are
 * compared, each in constant time. */
bool sessions_see(
	struct sessions *s, const unsigned char hash[32], int64_t now_ms);
void sessions_end(struct sessions *s, const unsigned char hash[32]);
/* End those that are too old. */
void sessions_sweep(struct sessions *s, int64_t now_ms);

#endif

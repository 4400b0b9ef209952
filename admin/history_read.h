/* SPDX-License-Identifier: MIT */
/*
 * history_read.h - answers questions about the history, beside the loop.
 *
 * A thread of its own, for this only. On the loop a slow disk
 * would stop the heart, which the master would take for death; on the storage
 * thread a question of HISTORY_VIEW_MS and those behind it would keep the
 * writer from its second, until records are lost. SQLite's log lets one read
 * while another writes, so that here a disk holds up only who asks. The thread
 * is started by the first question and closes the file when nobody has asked
 * for a while: whoever uses no page pays nothing.
 */
#ifndef ADMIN_HISTORY_READ_H
#define ADMIN_HISTORY_READ_H

#include "admin/history_question.h"
#include "shared/sys/ev.h"

/* Questions that may wait. */
#define HISTORY_READ_MAX 8

struct history_read;

/* Called by the loop: an answer to the question of this ticket, JSON. status:
 * 200, 404 (no such row), 503 (body says why). body is valid during the call.
 */
typedef void history_read_fn(
	void *ctx, uint64_t ticket, unsigned status, struct span body);

/* dir: where history.db is; copied. */
struct history_read *history_read_new(
	struct ev *ev, struct span dir, history_read_fn *fn, void *ctx);

/* The answer comes by fn. False if too many wait already. */
bool history_read_ask(struct history_read *r, const struct history_question *q,
	uint64_t ticket) GP_WUR;

/* False if the thread hangs, and then the process should end without tidying
 * up. Waits for a second at most. */
bool history_read_free(struct history_read **r) GP_WUR;

#endif

/* SPDX-License-Identifier: MIT */
/* api_history.h - the pages that ask the history: their answers come later. */
#ifndef ADMIN_API_HISTORY_H
#define ADMIN_API_HISTORY_H

#include "admin/history_read.h"

/* A history_read_fn; ctx is the struct pages. */
void api_history_answer(
	void *ctx, uint64_t ticket, unsigned status, struct span body);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * fold.h - what an answer means, as one line of text that can be compared.
 *
 *	think[hm] text[Checking.] tool[call_1 w {"q":"Oslo"}] stop=1 in=56 ...
 *
 * Escapes are undone and neighbouring deltas joined, so that two answers that
 * a client could not tell apart fold to the same line.
 */
#ifndef TESTS_LIB_FOLD_H
#define TESTS_LIB_FOLD_H

#include "shared/translate/llm_event.h"

struct fold {
	struct llm_sink sink;
	struct buf line;
	struct buf text; /* of the open block, escapes kept */
	struct llm_event open;
	char head[256]; /* id and name of an open tool */
	struct llm_usage usage;
	enum llm_stop stop;
	bool has_stop, has_error;
};

struct llm_sink *fold_init(struct fold *f);
void fold_fini(struct fold *f);
/* The line so far; with_usage adds the figures. Lives until fold_fini. */
const char *fold_line(struct fold *f, bool with_usage);

#endif

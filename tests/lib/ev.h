/* SPDX-License-Identifier: MIT */
/*
 * ev.h - the events of an answer as one line of text, in and out.
 *
 *	start ID MODEL|think|d abc|close SIG|tool ID NAME|d {}|close|
 *	usage IN OUT|ping|stop end SEQUENCE|error
 *
 * Words may be left out from the right. Text is escaped as in JSON and holds
 * no '|'. OPEN is the kind of the block.
 */
#ifndef TESTS_LIB_EV_H
#define TESTS_LIB_EV_H

#include "shared/translate/llm_guard.h"

/* A sink that writes down what arrives, neighbouring DELTAs as one, and fails
 * with GP_E_STATE at what is not in the grammar or an empty DELTA. */
struct ev_log {
	struct llm_sink sink;
	struct llm_guard guard;
	struct llm_sink nowhere;
	struct buf out;
	bool in_delta;
	size_t deltas; /* as they arrived */
};

struct llm_sink *ev_log_init(struct ev_log *l);
void ev_log_fini(struct ev_log *l);

/* Puts the events of the line; stops at the first failure. Every view is freed
 * as soon as the sink returns. */
enum gp_code ev_feed(
	struct llm_sink *to, struct span line, struct gp_error *err) GP_WUR;

/* One text DELTA. */
enum gp_code ev_delta(struct llm_sink *to, enum llm_block block,
	struct span text, struct gp_error *err) GP_WUR;

/* The pieces one DELTA each, but for empty ones. False, with nothing put, if a
 * piece ends inside of an escape: decoders deliver none such. */
bool ev_deltas(struct llm_sink *to, enum llm_block block,
	const struct span *pieces, size_t n);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * golden.h - recorded transcripts of one request each.
 *
 * A case is a folder below tests/golden (GOLDEN_DIR) with the files
 *
 *	case       lines "key=value", and comments behind #
 *	in.json    the client's request
 *	up.json    the request for upstream, byte for byte
 *	up.sse     upstream's answer as a stream, or up.body as one body
 *	out.sse    what the client gets, or out.body: its body, also that of a
 *	           refusal or of a failure before the first byte
 *	notice     value of x-glmproxy-notice and a line end
 *	context    value of x-glmproxy-context and a line end
 *
 * What is not there is not checked. Keys of `case`, given:
 *
 *	client, upstream   names of dialects
 *	model              wire name, of the profile's table
 *	purpose            chat (default), count
 *	status             upstream's, default 200
 *	content_type       upstream's, default by the name of the file
 *	retry_after, date  upstream's headers
 *	end                close (default), reset, corrupt: of the answer
 *	replay_reasoning   yes (default), no
 *	validate_tool_json off (default), buffer
 *	tool_markup        off (default), recover, strip
 *	strict             no (default), yes
 *	enable_env_deduplication   yes (default), no
 *	context            off (default), on: token_scaling and context_info
 *	context_tokens     the model's window, default by the table
 *	overflow           auto (default), truncate, error
 *	input_tokens       counted before, default not
 *	unmoved_tokens     the window without images, default the same
 *	remedy             none (default), less_output, cut: it was refused once
 *	image_scope        any (default), last_user_turn
 *
 * and expected:
 *
 *	state              done (default), failed, broken, refused
 *	read_all           no: done before upstream's end was seen
 *	client_status      status of a refusal or failure
 *	param              field that a refusal or failure names
 *	retry              yes, no: worth a retry
 *	retry_after_s, reset   what a failure says of when
 */
#ifndef TESTS_LIB_GOLDEN_H
#define TESTS_LIB_GOLDEN_H

#include "shared/base/buf.h"
#include "shared/translate/xlate.h"

#define GOLDEN_DIR       "tests/golden"
#define GOLDEN_CASES_MAX 1024
#define GOLDEN_NAME_MAX  64
/* Of one file, and of what is made of it. */
#define GOLDEN_BYTES_MAX (1u << 20)

enum golden_file {
	GOLDEN_IN,
	GOLDEN_UP_JSON,
	GOLDEN_UP_SSE,
	GOLDEN_UP_BODY,
	GOLDEN_OUT_SSE,
	GOLDEN_OUT_BODY,
	GOLDEN_NOTICE,
	GOLDEN_CONTEXT,
	GOLDEN_FILE_COUNT
};

/* How upstream's answer ends. */
enum golden_end {
	GOLDEN_CLOSE,
	GOLDEN_RESET,
	GOLDEN_CORRUPT
};

enum golden_state {
	GOLDEN_DONE,
	GOLDEN_FAILED,
	GOLDEN_BROKEN,
	GOLDEN_REFUSED
};

struct golden {
	char name[GOLDEN_NAME_MAX];
	struct arena arena;
	bool has[GOLDEN_FILE_COUNT];
	struct span files[GOLDEN_FILE_COUNT];

	const struct dialect *client, *upstream;
	const struct model_info *model;
	int64_t context_tokens; /* 0: the model's */
	int64_t input_tokens, unmoved_tokens;
	enum xlate_overflow overflow;
	enum xlate_remedy remedy;
	bool images_of_last_turn;
	enum llm_purpose purpose;
	unsigned status;
	struct span content_type, retry_after, date;
	enum golden_end end;
	bool replays_reasoning;
	bool holds_args;
	enum llm_markup markup;
	bool is_strict;
	bool dedups_env;
	bool tries_again;
	bool has_context;

	enum golden_state state;
	bool reads_all;
	/* -1, or without bytes: not said. */
	int64_t client_status, retry_after_s;
	int is_retryable;
	struct span param, reset;
	bool has_param;
};

/* The names of all cases, sorted. Ends the process when there are none: the
 * tests run from the top of the tree. */
size_t golden_list(char (*names)[GOLDEN_NAME_MAX], size_t max);

/* Reads a folder; a fault in it ends the process with a sentence. */
void golden_load(struct golden *g, const char *name);
void golden_fini(struct golden *g);

/* Write one of its files. */
void golden_save(const struct golden *g, enum golden_file which, struct span s);

/* A request on its way: one scratch, one output. */
struct golden_way {
	struct arena arena;
	struct model_info model;
	struct xlate_scratch scratch;
	struct xlate *xlate;
	struct buf up, out;
};

/* Reads `in` and writes the upstream's request to w->up, at a time that never
 * changes and with ids of zeros. To be ended with golden_way_fini in any case.
 */
enum gp_code golden_ask(struct golden_way *w, const struct golden *g,
	struct span in, struct gp_error *err) GP_WUR;
/* Feeds upstream's answer until it is complete for the client, or its end.
 * Returns the number of pieces that were taken. */
size_t golden_answer(struct golden_way *w, const struct golden *g,
	const struct span *pieces, size_t n);
void golden_way_fini(struct golden_way *w);

#endif

/* SPDX-License-Identifier: MIT */
/* request.h - one request: what arrived, what was read out of it, and the
 * first fault that was found. Lives from its last byte to its answer. */
#ifndef UPSTREAM_REQUEST_H
#define UPSTREAM_REQUEST_H

#include <jansson.h>

#include "shared/base/vec.h"
#include "shared/http/msg.h"
#include "tests/upstream/models.h"
#include "tests/upstream/scenario.h"

enum side {
	SIDE_A,
	SIDE_O
};

enum route {
	ROUTE_NONE,      /* below an endpoint's prefix, but nothing there */
	ROUTE_ELSEWHERE, /* below no prefix */
	ROUTE_CONTROL,
	ROUTE_MESSAGES,
	ROUTE_COUNT,
	ROUTE_CHAT,
	ROUTE_TOKENIZER,
	ROUTE_MODELS,
};

/* Codes of refusals that are no business codes of z.ai. */
enum {
	REFUSE_STANDIN = 1, /* z.ai would let it pass, a proxy must not do it */
	REFUSE_DETAIL = 2,  /* 422 with `detail` */
};

struct tool_result {
	struct span id, text;
};

struct request {
	struct arena *arena;
	const struct http_head *head;
	struct span body;
	struct span sni;        /* empty: none, or no TLS */
	unsigned on_connection; /* 1: the first */

	enum side side;
	enum route route;
	struct span key;

	json_t *root; /* NULL until parsed */
	struct span model_name;
	const struct model *model; /* NULL: unknown */
	bool is_stream;
	bool wants_thinking;
	bool wants_tool_stream;
	json_t *tools;      /* NULL: none */
	json_t *stop;       /* the stop words; NULL: none */
	int64_t max_tokens; /* -1: not given */
	int64_t input_tokens;
	struct span user_text; /* the last one */
	unsigned rounds; /* assistant messages with calls behind the marker */
	VEC_OF(struct tool_result) results; /* behind the last assistant */

	struct scenario scenario;

	unsigned refused; /* business code or REFUSE_; 0: nothing wrong */
	char why[512];
};

/* Side, route and key from the head alone. */
void request_route(struct request *r);

/* Parse the body and read the facts that every answer needs, tolerantly: what
 * has the wrong type is taken as absent. Then find the scenario. False if
 * there is nothing to go on with (then it is refused). */
bool request_read(struct request *r) GP_WUR;
/* Play `text` whatever the request says; false if it is refused already. */
bool request_ignore(struct request *r) GP_WUR;
/* As request_read, by looking at a few bytes only, for --no-validate. */
bool request_skim(struct request *r) GP_WUR;

void request_fini(struct request *r);

/* Note the first fault; false, for `return refuse(...)`. */
bool refuse(struct request *r, unsigned code, const char *fmt, ...)
	GP_PRINTF(3, 4);

#endif

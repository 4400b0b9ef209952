/* SPDX-License-Identifier: MIT */
/*
 * jscan.h - strict, incremental JSON validation in constant memory.
 *
 * Accepts exactly the texts of RFC 8259 that are valid UTF-8, nest at most
 * JSCAN_DEPTH_MAX deep and hold at most JSCAN_TOKENS_MAX values and keys. A
 * lone surrogate escape is accepted, as the RFC does. State machine without
 * recursion: one bit of stack a level.
 *
 * Runs in front of jsmn, which accepts invalid texts and, for every closing
 * bracket, climbs from the last token up to the container that it closes. A
 * text that would make it climb more than JSCAN_CLIMB_MAX levels in all is
 * refused as too deep; that takes thousands of nests of a hundred levels each.
 */
#ifndef JSON_JSCAN_H
#define JSON_JSCAN_H

#include "shared/base/err.h"
#include "shared/json/jbones.h"

#define JSCAN_DEPTH_MAX  512
#define JSCAN_TOKENS_MAX 1000000
#define JSCAN_CLIMB_MAX  16000000

struct jscan {
	size_t offset;    /* bytes consumed so far */
	uint32_t tokens;  /* as jsmn counts: values and keys */
	uint32_t climbed; /* levels, by jsmn */
	uint16_t depth;
	uint16_t last_depth; /* of the last token */
	uint8_t state;
	uint8_t sub;
	uint8_t lo, hi; /* range of the next UTF-8 byte */
	bool is_key;
	/* jscan_text_bones only: who gets the long strings, where the text
	 * begins, and where the present string does. */
	struct jbones *bones;
	const char *text, *string;
	uint8_t stack[JSCAN_DEPTH_MAX / 8]; /* 1 = object, 0 = array */
};

void jscan_init(struct jscan *s);

/* Feed the next piece, cut anywhere. GP_OK; GP_E_SYNTAX or GP_E_LIMIT with the
 * byte offset named in *err. After a failure the scanner is spent. Linear,
 * strings at memory speed where possible. */
enum gp_code jscan_feed(
	struct jscan *s, struct span piece, struct gp_error *err) GP_WUR;

/* True once a complete value has been read (for a number: may still grow). */
bool jscan_is_complete(const struct jscan *s);

/* End of input: GP_OK if exactly one value was there. */
enum gp_code jscan_end(struct jscan *s, struct gp_error *err) GP_WUR;

/* All at once: the number of tokens in *tokens (may be NULL). */
enum gp_code jscan_text(
	struct span text, uint32_t *tokens, struct gp_error *err) GP_WUR;
/* As well, and the long strings as cuts of *bones, which has none. */
enum gp_code jscan_text_bones(struct span text, uint32_t *tokens,
	struct jbones *bones, struct gp_error *err) GP_WUR;

#endif

/* SPDX-License-Identifier: MIT */
/*
 * llm_env.h - where a text holds blocks of the client's surroundings.
 *
 * Some editors append to every message of the user
 *
 *	<environment_details>
 *	...
 *	</environment_details>
 *
 * A block is whole only as such tools write it: its opening tag begins a line,
 * its closing tag ends one (blanks may follow), no other tag of the name stands
 * between them, it is not inside of another one and not between lines of three
 * backticks. Everything else is somebody writing about the tag. The text is the
 * inside of a JSON string, whose escapes may stand for any character but those
 * of the tag's name.
 */
#ifndef TRANSLATE_LLM_ENV_H
#define TRANSLATE_LLM_ENV_H

#include "shared/json/jtext.h"

struct llm_env {
	struct span text;
	size_t at;      /* tags before it have been seen */
	size_t counted; /* backticks before it have been seen */
	size_t depth;   /* blocks that are open */
	size_t from;    /* where the outermost of them begins */
	bool is_plain;  /* and no other tag stood in it so far */
	bool is_in_fence;
};

/* Offsets of a block, tags included. */
struct llm_env_block {
	size_t from, to;
};

void llm_env_init(struct llm_env *e, struct jesc text);
/* The next whole block; false at the end. All of them together: one search for
 * the tag's name, and a second pass over texts that hold it. */
bool llm_env_next(struct llm_env *e, struct llm_env_block *out);

/* The blanks before `at`, but not before `floor`, left out. */
size_t llm_env_rtrim(struct jesc text, size_t floor, size_t at);
/* The blank lines behind `at`, which stands at the end of a line's text, left
 * out: what follows begins its line there. */
size_t llm_env_skip_lines(struct jesc text, size_t at);

#endif

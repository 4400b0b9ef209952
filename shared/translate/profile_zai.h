/* SPDX-License-Identifier: MIT */
/*
 * profile_zai.h - what the files of z.ai's profile share. Nobody else includes
 * it.
 *
 *	profile_zai.c           the models, the object
 *	profile_zai_adopt.c     the vendor's own request fields -> tree
 *	profile_zai_request.c   limits of one endpoint and model
 *	profile_zai_thinking.c  how thinking is asked for
 *	profile_zai_tools.c     tools, choices and names
 *	profile_zai_failure.c   failures are judged and put into words
 *	profile_zai_read.c      the shapes in which they come
 *	profile_zai_overflow.c  the numbers, times and names in their texts
 *	profile_zai_window.c    the time over which a limit is counted
 *
 * z.ai serves two dialects. Its Messages endpoint takes nearly everything the
 * dialect has; its Chat Completions endpoint is a closed subset.
 */
#ifndef TRANSLATE_PROFILE_ZAI_H
#define TRANSLATE_PROFILE_ZAI_H

#include "shared/translate/profile.h"

#define DIALECT(name, base, expected, overflow)                                \
	extern const struct dialect name;
#include "shared/translate/dialects.def"
#undef DIALECT

/* --- requests ------------------------------------------------------------- */

/* Everything that adapting one request goes by. */
struct zai_adapt {
	struct llm_req *req;
	const struct dialect *client;
	const struct model_info *model;
	const struct profile_options *options;
	bool is_chat; /* for the Chat Completions endpoint */
};

enum gp_code zai_adopt(
	const struct jdoc *doc, struct llm_req *r, struct gp_error *err);
enum gp_code zai_adapt(struct llm_req *r, const struct dialect *client,
	const struct dialect *upstream, const struct model_info *m,
	const struct profile_options *o, struct llm_wire *wire,
	struct gp_error *err);

/* Parts of zai_adapt. */
void zai_adapt_thinking(const struct zai_adapt *z);
void zai_adapt_tools(const struct zai_adapt *z);

/* A field of the vendor's own for the Chat Completions endpoint. */
void zai_add_field(struct llm_req *r, struct jesc key, struct jraw value);
/* The client has sent it. */
bool zai_has_field(const struct llm_req *r, struct span key);

/* --- failures ------------------------------------------------------------- */

bool zai_is_failure(const struct jdoc *doc);
void zai_failure(const struct profile_reply *reply, struct span body,
	const struct profile_asked *asked, struct arena *a,
	struct llm_failure *out);

/* What a number means that tells of limits, or NULL. */
const char *zai_meaning(int64_t code);

#define ZAI_NO_CODE INT64_C(-1)

/* What was said, before it is judged. */
struct zai_said {
	struct arena *arena;
	int64_t code;     /* the vendor's, or ZAI_NO_CODE */
	struct span text; /* "" if nothing fit for people */
	struct span type;
	struct span param, trace;
	int64_t now_wall_s;
	int64_t retry_after_s; /* -1: not said */
	bool is_json;
};

/* Whatever body is; a bounded part of it is looked at. */
void zai_read(struct zai_said *said, struct span body, int64_t now_wall_s,
	struct arena *a);
/* The name that upstream gave the request; kept if there is none yet and if it
 * is fit for a header. */
void zai_take_trace(struct zai_said *said, struct span s);
/* Up to max bytes of s as UTF-8 without controls and outer blanks, cut between
 * characters and before the first that is not valid. */
struct span zai_tidy(struct arena *a, struct span s, size_t max);
/* A code as a number or as a string of digits; ZAI_NO_CODE for all else. */
int64_t zai_code(const struct jdoc *d, jref v);
/* Whole seconds, a fraction rounded up, or those from now to a date (0 if that
 * is past); -1 for nonsense. */
int64_t zai_seconds(struct span s, int64_t now_wall_s);

/* True if text, an error's message, says that the context is full. */
bool zai_is_overflow(struct span text);
/* The numbers in such a text; 0 for one that is not there. */
void zai_overflow_numbers(struct span text, int64_t *input, int64_t *limit);
/* The time at which text says that a quota renews, as RFC 3339; "" if it does
 * not say. */
struct span zai_reset_time(struct span text, struct arena *a);
/* The same in seconds since 1970; 0 if it does not say. */
int64_t zai_reset_wall_s(struct span text);
/* The time over which text says that a limit is counted. */
struct llm_window zai_window(struct span text);
/* The request field that text names, "" if none. A view of a constant. */
struct span zai_named_field(struct span text);

#endif

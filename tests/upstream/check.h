/* SPDX-License-Identifier: MIT */
/*
 * check.h - the rules of z.ai's two endpoints, one function a group of fields.
 *
 * Each returns false after the first fault, which is then noted in the request
 * (refuse); the text names the field. Nothing here changes the request.
 */
#ifndef UPSTREAM_CHECK_H
#define UPSTREAM_CHECK_H

#include "tests/upstream/request.h"

/* check.c: everything, in z.ai's order: key, route, head, body. */
bool check_request(struct request *r) GP_WUR;
/* The key alone: missing, bad.key and code-NNNN keys. */
bool check_key(struct request *r) GP_WUR;

/* check_head.c: a POST says how long it is; fields that are missing, wrong or
 * not to be sent. */
bool check_length(struct request *r) GP_WUR;
bool check_head(struct request *r) GP_WUR;

/* check_openai.c, check_openai_messages.c, check_openai_tools.c */
bool check_openai(struct request *r) GP_WUR;
bool check_openai_messages(struct request *r, json_t *messages) GP_WUR;
bool check_openai_tools(struct request *r) GP_WUR;
/* check_image.c: one image_url part. */
bool check_image(struct request *r, json_t *part, const char *where) GP_WUR;

/* check_anthropic.c, check_anthropic_messages.c, check_anthropic_tools.c */
bool check_anthropic(struct request *r) GP_WUR;
bool check_anthropic_messages(struct request *r, json_t *messages) GP_WUR;
bool check_anthropic_tools(struct request *r) GP_WUR;

/* Input, and input with max_tokens, fit the model's window. */
bool check_window(struct request *r) GP_WUR;

/* check_util.c */
#define CHECK_PATH_MAX 128

struct check_path {
	char s[CHECK_PATH_MAX];
};
struct check_path check_path(const char *fmt, ...) GP_PRINTF(1, 2);

/* v is an object with no key beside those of the NULL-terminated list. */
bool check_closed(struct request *r, json_t *v, const char *where,
	const char *const *keys) GP_WUR;
/* A member that must be there and be a string that is not empty. */
bool check_string(struct request *r, json_t *obj, const char *key,
	const char *where) GP_WUR;
/* A member that may be absent, else is of this kind. */
bool check_bool(struct request *r, const char *key) GP_WUR;
bool check_number(
	struct request *r, const char *key, double low, double high) GP_WUR;
/* 1...high for an integer; may be absent. */
bool check_count(struct request *r, const char *key, uint64_t high) GP_WUR;
/* The text is one of the NULL-terminated list. */
bool check_is_one_of(struct span text, const char *const *words);
/* Only [A-Za-z0-9_-], 1...max of them. */
bool check_is_name(struct span s, size_t max);
/* For "%.*s" in a refusal: at most 60 bytes. */
#define CHECK_ARG(s) SPAN_ARG(text_cut((s), 60))

#endif

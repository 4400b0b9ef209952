/* SPDX-License-Identifier: MIT */
/*
 * access.h - who may see the admin port's pages.
 *
 * With admin_token_file: whoever shows the token, as a bearer token with each
 * request or once for a session in a browser. Wrong ones wait: attempts.h.
 * Without: everybody who reaches the port, but no page of a foreign site
 * through somebody's browser.
 */
#ifndef ADMIN_ACCESS_H
#define ADMIN_ACCESS_H

#include "admin/attempts.h"
#include "admin/http_server.h"
#include "admin/sessions.h"
#include "shared/sys/conf.h"

struct access {
	const struct conf *conf;
	bool needs_token;
	unsigned char token_hash[32];
	struct attempts attempts;
	struct sessions sessions;
};

enum access_level {
	ACCESS_REFUSED,  /* the answer says why */
	ACCESS_STRANGER, /* has shown nothing yet */
	ACCESS_FULL
};

void access_init(struct access *a, const struct conf *conf);

enum access_level access_ask(struct access *a,
	const struct http_request *request, struct http_answer *answer);

/* 401: the token is needed. */
void access_refuse_stranger(struct http_answer *answer);
/* False, with a refusal, if the body is not said to be JSON: forms of foreign
 * pages can say everything else. */
bool access_is_json(
	const struct http_request *request, struct http_answer *answer) GP_WUR;

/* Begin a session if the token is right, else refuse. */
void access_login(struct access *a, const struct http_request *request,
	struct span token, struct http_answer *answer);
/* How many sessions have ended so far, also by their age: what was given to one
 * for longer than a request may be somebody's who may have it no more. */
unsigned access_ended(struct access *a);
/* End the request's session, if it has one. */
void access_logout(struct access *a, const struct http_request *request,
	struct http_answer *answer);

#endif

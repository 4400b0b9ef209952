/* SPDX-License-Identifier: MIT */
/* access.c - who may see the admin port's pages. */
#include "admin/access.h"

#include "shared/http/origin.h"
#include "shared/http/out.h"

/* Compared as hashes, so that the time taken says nothing about the token. */
static bool
has_token(const struct http_head *head, const struct secret *token)
{
	const struct span scheme = SPAN("bearer ");
	const struct span field = http_head_get(head, SPAN("authorization"));
	struct secret given;
	unsigned char given_hash[32];
	unsigned char hash[32];

	if (!span_istarts(field, scheme) ||
		!secret_set(&given, span_trim(span_from(field, scheme.n))))
		return false;
	secret_hash(&given, given_hash);
	secret_hash(token, hash);
	secret_wipe(&given);
	return secret_hash_eq(given_hash, hash);
}

/* Where a token is needed, a browser cannot
 * be used by a foreign page, since it does not know it. */
bool
access_is_allowed(const struct conf *conf, const struct http_request *request,
	struct http_answer *a)
{
	const struct http_head *const head = request->head;

	if (!secret_is_none(&conf->admin_token)) {
		if (has_token(head, &conf->admin_token))
			return true;
		http_answer_refuse(
			a, 401, "the admin token is needed as a bearer token");
		http_out_field_cstr(&a->fields, "www-authenticate",
			"Bearer realm=\"glmproxy admin\"");
		return false;
	}
	if (!origin_host_is_ours(head, conf->allowed_hosts)) {
		http_answer_refuse(a, 403,
			"this Host is not one of the service's; add it to "
			"allowed_hosts");
		return false;
	}
	if (origin_is_foreign(head, SPAN_EMPTY)) {
		http_answer_refuse(
			a, 403, "requests from other sites are not served");
		return false;
	}
	return true;
}

/* SPDX-License-Identifier: MIT */
/* advice.c - what an operator does next. */
#include "master/advice.h"

#include <stdio.h>

#define PATH_SHOWN_MAX 256
#define URL_MAX        192

/* A URL for this host. A Unix socket has none and is named as it is. */
static void
url_of(struct span address, char out[URL_MAX])
{
	const struct span any = SPAN("0.0.0.0:");
	const struct span any6 = SPAN("[::]:");

	address = span_head(address, URL_MAX - 32);
	if (span_starts(address, SPAN("unix:")))
		(void)snprintf(out, URL_MAX, "%.*s", SPAN_ARG(address));
	else if (span_starts(address, any))
		(void)snprintf(out, URL_MAX, "http://127.0.0.1:%.*s",
			SPAN_ARG(span_from(address, any.n)));
	else if (span_starts(address, any6))
		(void)snprintf(out, URL_MAX, "http://[::1]:%.*s",
			SPAN_ARG(span_from(address, any6.n)));
	else
		(void)snprintf(out, URL_MAX, "http://%.*s", SPAN_ARG(address));
}

static void
key_line(const struct conf *c, char out[ADVICE_TEXT_MAX])
{
	const bool has_key = !secret_is_none(&c->server_key);

	if (c->client_keys_file.n > 0)
		(void)snprintf(out, ADVICE_TEXT_MAX,
			"clients need a key that %.*s lists (%zu now);"
			" glmproxy keygen NAME makes one",
			SPAN_ARG(
				span_head(c->client_keys_file, PATH_SHOWN_MAX)),
			c->client_keys.n);
	else if (!has_key)
		(void)snprintf(out, ADVICE_TEXT_MAX,
			"no key configured: clients' own z.ai keys are used");
	else if (c->forward_client_key)
		(void)snprintf(out, ADVICE_TEXT_MAX,
			"clients' own z.ai keys are used; those that send none"
			" are served with the server's key");
	else
		(void)snprintf(out, ADVICE_TEXT_MAX,
			"everybody is served with the server's key");
}

static void
admin_line(const struct conf *c, struct span admin, char out[ADVICE_TEXT_MAX])
{
	char url[URL_MAX];

	url_of(admin, url);
	if (span_starts(admin, SPAN("unix:")))
		(void)snprintf(out, ADVICE_TEXT_MAX, "admin page: at %s", url);
	else if (c->admin_token_file.n > 0)
		(void)snprintf(out, ADVICE_TEXT_MAX,
			"admin page: %s/, with the token in %.*s", url,
			SPAN_ARG(span_head(
				c->admin_token_file, PATH_SHOWN_MAX)));
	else
		(void)snprintf(out, ADVICE_TEXT_MAX, "admin page: %s/", url);
}

void
advice_make(struct advice *a, const struct conf *c, struct span proxy,
	struct span admin)
{
	char url[URL_MAX];

	a->n = 0;
	key_line(c, a->lines[a->n++]);
	url_of(proxy, url);
	if (span_starts(proxy, SPAN("unix:")))
		(void)snprintf(a->lines[a->n++], ADVICE_TEXT_MAX,
			"tools reach it through %s", url);
	else
		(void)snprintf(a->lines[a->n++], ADVICE_TEXT_MAX,
			"point your tool at %s/v1, or at %s if it speaks"
			" Messages; %s/docs tells more",
			url, url, url);
	if (admin.n > 0)
		admin_line(c, admin, a->lines[a->n++]);
}

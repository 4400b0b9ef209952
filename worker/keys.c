/* SPDX-License-Identifier: MIT */
/* keys.c - who may ask, and with which key upstream is asked. */
#include "worker/keys.h"

#include <stdio.h>

/* The key behind "Bearer", in any case and with any blanks. */
static struct span
bearer_of(const struct http_head *h)
{
	struct span v = http_head_get(h, SPAN("authorization"));

	if (!span_istarts(v, SPAN("bearer")))
		return v;
	v = span_from(v, 6);
	if (v.n > 0 && v.p[0] != ' ' && v.p[0] != '\t')
		return SPAN_EMPTY;
	return span_trim(v);
}

/* The client's own key; none if it sent none. */
static void
client_key(
	const struct dialect *d, const struct http_head *h, struct secret *key)
{
	struct span bearer = bearer_of(h);
	struct span field = span_trim(http_head_get(h, SPAN("x-api-key")));
	struct span first = d->prefers_api_key_header ? field : bearer;
	struct span second = d->prefers_api_key_header ? bearer : field;

	if (!secret_set(key, first) && !secret_set(key, second))
		key->n = 0;
}

/* Looks at every listed key, so that the time tells nothing. */
static bool
is_listed(const struct conf *conf, const struct secret *key, struct span *name)
{
	unsigned char hash[32];
	bool found = false;

	secret_hash(key, hash);
	for (size_t i = 0; i < conf->client_keys.n; i++)
		if (secret_hash_eq(hash, conf->client_keys.v[i].hash)) {
			*name = conf->client_keys.v[i].name;
			found = true;
		}
	return found;
}

void
keys_client(const struct conf *conf, const struct dialect *d,
	const struct http_head *h, char out[KEYS_CLIENT_MAX])
{
	struct secret key;
	struct span name;

	_Static_assert(KEYS_CLIENT_MAX > SECRET_TAG_LEN, "a tag must fit");
	client_key(d, h, &key);
	if (secret_is_none(&key))
		(void)snprintf(out, KEYS_CLIENT_MAX, "-");
	else if (is_listed(conf, &key, &name))
		(void)snprintf(out, KEYS_CLIENT_MAX, "%.*s", SPAN_ARG(name));
	else
		secret_tag(&key, out);
	secret_wipe(&key);
}

bool
keys_are_ambient(const struct conf *conf)
{
	return !secret_is_none(&conf->server_key) &&
		conf->client_keys_file.n == 0;
}

enum gp_code
keys_pick(const struct conf *conf, const struct dialect *d,
	const struct http_head *h, struct secret *key, struct span *name,
	struct gp_error *err)
{
	*name = SPAN_EMPTY;
	client_key(d, h, key);
	if (conf->client_keys_file.n > 0) {
		bool ok = !secret_is_none(key) && is_listed(conf, key, name);

		/* It is a credential of this proxy: never upstream's. */
		secret_wipe(key);
		if (!ok)
			return gp_fail(err, GP_E_SCHEMA,
				"this proxy needs a client key that its "
				"operator has listed");
		*key = conf->server_key;
		return GP_OK;
	}
	if (!conf->forward_client_key || secret_is_none(key))
		*key = conf->server_key;
	if (secret_is_none(key))
		return gp_fail(err, GP_E_SCHEMA,
			"no API key: send one as \"Authorization: Bearer KEY\" "
			"or \"x-api-key: KEY\"");
	return GP_OK;
}

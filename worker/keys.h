/* SPDX-License-Identifier: MIT */
/* keys.h - who may ask, and with which key upstream is asked. */
#ifndef WORKER_KEYS_H
#define WORKER_KEYS_H

#include "shared/sys/conf.h"
#include "shared/translate/dialect.h"

#define KEYS_CLIENT_MAX 65

/*
 * Decide on a request by its head.
 *
 * key   the key for upstream (wipe it after use); none is never sent
 * name  of the listed client, or empty; lives with the configuration
 *
 * Returns GP_OK, or GP_E_SCHEMA with a sentence for the client (401): no key
 * at all, or none that is listed. Listed keys are compared in constant time.
 */
enum gp_code keys_pick(const struct conf *conf, const struct dialect *d,
	const struct http_head *h, struct secret *key, struct span *name,
	struct gp_error *err) GP_WUR;

/* Who sent the request, for figures: the name of the listed client, else the
 * tag of the key that it presented (secret_tag), else "-". NUL-terminated. */
void keys_client(const struct conf *conf, const struct dialect *d,
	const struct http_head *h, char out[KEYS_CLIENT_MAX]);

/* True where a request needs no key of its own to be served, so that a browser
 * could be tricked into sending it. */
bool keys_are_ambient(const struct conf *conf);

#endif

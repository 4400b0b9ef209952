/* SPDX-License-Identifier: MIT */
/* dialect.c - the list of dialects and the look-ups in it. */
#include "shared/translate/dialect.h"

#include "shared/base/check.h"

#define DIALECT(name, base, expected, overflow)                                \
	extern const struct dialect name;
#include "shared/translate/dialects.def"
#undef DIALECT

const struct dialect *const dialects[] = {
#define DIALECT(name, base, expected, overflow) &name,
#include "shared/translate/dialects.def"
#undef DIALECT
};

const size_t ndialects = ARRAY_LEN(dialects);

size_t
dialect_index(const struct dialect *d)
{
	for (size_t i = 0; i < ARRAY_LEN(dialects); i++)
		if (dialects[i] == d)
			return i;
	GP_UNREACHED();
}

const struct dialect *
dialect_by_path(struct span path, enum llm_purpose *purpose)
{
	for (size_t i = 0; i < ndialects; i++) {
		const struct dialect *d = dialects[i];

		for (size_t k = 0; k < d->nroutes; k++)
			if (span_eq(d->routes[k].path, path)) {
				*purpose = d->routes[k].purpose;
				return d;
			}
	}
	return NULL;
}

const struct dialect *
dialect_by_head(const struct http_head *h)
{
	for (size_t i = 0; i < ndialects; i++) {
		const struct dialect *d = dialects[i];

		if (d->marker_header.n > 0 &&
			http_head_has(h, d->marker_header))
			return d;
	}
	/* A key in this header is the habit of one dialect's clients only. */
	if (http_head_has(h, SPAN("x-api-key")))
		for (size_t i = 0; i < ndialects; i++)
			if (dialects[i]->prefers_api_key_header)
				return dialects[i];
	return dialects[0];
}

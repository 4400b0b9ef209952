/* SPDX-License-Identifier: MIT */
/* secret.h - keys. A type without a formatter, so that no log line, error or
 * page can print one by accident. Held in memory that is wiped when freed. */
#ifndef SYS_SECRET_H
#define SYS_SECRET_H

#include "shared/base/buf.h"

#define SECRET_MAX     512
#define SECRET_TAG_LEN 8

/* Copyable; wipe copies with secret_wipe. */
struct secret {
	char bytes[SECRET_MAX];
	size_t n; /* 0: none */
};

/* False (and none) when s is empty, longer than SECRET_MAX or holds blanks or
 * controls. */
bool secret_set(struct secret *k, struct span s) GP_WUR;
void secret_wipe(struct secret *k);

static inline bool
secret_is_none(const struct secret *k)
{
	return k->n == 0;
}

/* The only way out: append the bytes to a request head. */
void secret_put(const struct secret *k, struct buf *out);

/* First SECRET_TAG_LEN hex digits of the SHA-256, NUL-terminated: names a key
 * in logs without telling it. */
void secret_tag(const struct secret *k, char out[SECRET_TAG_LEN + 1]);

/* SHA-256 of the bytes. */
void secret_hash(const struct secret *k, unsigned char out[32]);
/* Comparison of two hashes in constant time. */
bool secret_hash_eq(const unsigned char a[32], const unsigned char b[32]);

#endif

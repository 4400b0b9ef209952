/* SPDX-License-Identifier: MIT */
/* secret.c - keys. */
#include "shared/sys/secret.h"

#include <mbedtls/sha256.h>
#include <mbedtls/version.h>

#include "shared/sys/log.h"

bool
secret_set(struct secret *k, struct span s)
{
	secret_wipe(k);
	if (s.n == 0 || s.n > sizeof(k->bytes))
		return false;
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
			return false;
	memcpy(k->bytes, s.p, s.n);
	k->n = s.n;
	return true;
}

void
secret_wipe(struct secret *k)
{
	explicit_bzero(k, sizeof(*k));
}

void
secret_put(const struct secret *k, struct buf *out)
{
	buf_put(out, span_of(k->bytes, k->n));
}

void
secret_hash(const struct secret *k, unsigned char out[32])
{
	const unsigned char *const in = (const unsigned char *)k->bytes;
	int rc;

#if MBEDTLS_VERSION_NUMBER >= 0x03000000
	rc = mbedtls_sha256(in, k->n, out, 0);
#else
	rc = mbedtls_sha256_ret(in, k->n, out, 0);
#endif
	if (rc != 0)
		fatalx(1, "SHA-256 failed: %d", rc);
}

void
secret_tag(const struct secret *k, char out[SECRET_TAG_LEN + 1])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char hash[32];

	secret_hash(k, hash);
	for (size_t i = 0; i < SECRET_TAG_LEN; i++)
		out[i] = digits[hash[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15];
	out[SECRET_TAG_LEN] = '\0';
}

bool
secret_hash_eq(const unsigned char a[32], const unsigned char b[32])
{
	unsigned differs = 0;

	for (size_t i = 0; i < 32; i++)
		differs |= (unsigned)(a[i] ^ b[i]);
	return differs == 0;
}

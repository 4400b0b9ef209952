/* SPDX-License-Identifier: MIT */
/* sha256.c - the hash that makes short names out of long ones. */
#include "shared/base/sha256.h"

#include "shared/base/check.h"

#define BLOCK  64
#define ROUNDS 64
#define WORDS  8

static const uint32_t round_keys[ROUNDS] = { 0x428a2f98, 0x71374491, 0xb5c0fbcf,
	0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98,
	0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7,
	0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
	0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8,
	0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
	0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e,
	0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
	0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c,
	0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee,
	0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
	0xc67178f2 };

static uint32_t
rotr(uint32_t x, unsigned n)
{
	return x >> n | x << (32 - n);
}

static void
put_be32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

static void
expand(const uint8_t *block, uint32_t w[ROUNDS])
{
	for (size_t i = 0; i < 16; i++) {
		const uint8_t *const p = block + 4 * i;

		w[i] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
			(uint32_t)p[2] << 8 | p[3];
	}
	for (size_t i = 16; i < ROUNDS; i++) {
		const uint32_t a = w[i - 15], b = w[i - 2];

		w[i] = w[i - 16] + w[i - 7] +
			(rotr(a, 7) ^ rotr(a, 18) ^ a >> 3) +
			(rotr(b, 17) ^ rotr(b, 19) ^ b >> 10);
	}
}

static void
mix(uint32_t state[WORDS], const uint8_t *block)
{
	uint32_t w[ROUNDS], s[WORDS];

	expand(block, w);
	memcpy(s, state, sizeof(s));
	for (size_t i = 0; i < ROUNDS; i++) {
		const uint32_t a = s[0], e = s[4];
		const uint32_t t1 = s[7] +
			(rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25)) +
			((e & s[5]) ^ (~e & s[6])) + round_keys[i] + w[i];
		const uint32_t t2 = (rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22)) +
			((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));

		memmove(s + 1, s, (WORDS - 1) * sizeof(*s));
		s[4] += t1;
		s[0] = t1 + t2;
	}
	for (size_t i = 0; i < WORDS; i++)
		state[i] += s[i];
}

void
sha256(struct span s, uint8_t out[SHA256_BYTES])
{
	uint32_t state[WORDS] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372,
		0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };
	const uint64_t bits = (uint64_t)s.n * 8;
	uint8_t last[2 * BLOCK] = { 0 };
	size_t tail;

	for (; s.n >= BLOCK; s = span_from(s, BLOCK))
		mix(state, (const uint8_t *)s.p);
	memcpy(last, s.p, s.n);
	last[s.n] = 0x80;
	/* One block more if the length does not fit behind the text. */
	tail = s.n + 9 <= BLOCK ? BLOCK : 2 * BLOCK;
	put_be32(last + tail - 8, (uint32_t)(bits >> 32));
	put_be32(last + tail - 4, (uint32_t)bits);
	for (size_t i = 0; i < tail; i += BLOCK)
		mix(state, last + i);
	for (size_t i = 0; i < WORDS; i++)
		put_be32(out + 4 * i, state[i]);
}

void
sha256_hex(struct span s, char *out, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t hash[SHA256_BYTES];

	GP_ASSERT(n <= SHA256_HEX);
	sha256(s, hash);
	for (size_t i = 0; i < n; i++)
		out[i] = digits[i % 2 == 0 ? hash[i / 2] >> 4 :
					     hash[i / 2] & 0xf];
	out[n] = '\0';
}

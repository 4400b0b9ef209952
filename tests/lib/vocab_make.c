/* SPDX-License-Identifier: MIT */
/* vocab_make.c - vocabulary files for tests. */
#include "tests/lib/vocab_make.h"

#include <stdlib.h>

#include "shared/base/check.h"

#define BYTES    256
#define MULTIPLY UINT64_C(0x9e3779b97f4a7c15)
#define AT_SUM   24

static uint64_t
step(uint64_t h, uint64_t w)
{
	h = (h ^ w) * MULTIPLY;
	return h ^ h >> 32;
}

static uint64_t
word(const char *p, size_t n)
{
	uint64_t w = 0;

	for (size_t i = 0; i < n; i++)
		w |= (uint64_t)(uint8_t)p[i] << 8 * i;
	return w;
}

static uint64_t
hash(struct span s)
{
	uint64_t h = s.n, last;
	size_t at = 0;

	for (; s.n - at > 8; at += 8)
		h = step(h, word(s.p + at, 8));
	s = span_from(s, at);
	if (s.n == 8)
		last = word(s.p, 8);
	else if (s.n >= 4)
		last = word(s.p, 4) | word(s.p + s.n - 4, 4) << 32;
	else
		last = word(s.p, 1) | word(s.p + s.n / 2, 1) << 8 |
			word(s.p + s.n - 1, 1) << 16;
	return step(step(h, last), 0);
}

static void
put(struct buf *out, uint64_t v, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		buf_putc(out, (char)(v >> 8 * i));
}

void
vocab_seal(struct buf *file)
{
	uint64_t sum = UINT64_C(0xcbf29ce484222325);

	GP_ASSERT(file->head == 0);
	/* All but the magic and the sum itself. */
	for (size_t at = 8; at + 8 <= file->len; at += 8)
		if (at != AT_SUM)
			sum = step(sum, word(file->data + at, 8));
	for (unsigned i = 0; i < 8; i++)
		file->data[AT_SUM + i] = (char)(sum >> 8 * i);
}

void
vocab_make(struct buf *out, const struct span *tokens, uint32_t n)
{
	uint32_t count = 2, *slots;
	uint64_t end = 0;

	while (count < 2 * n)
		count *= 2;
	slots = malloc(count * sizeof(*slots));
	GP_ASSERT(slots != NULL);
	memset(slots, 0xff, count * sizeof(*slots));
	for (uint32_t i = 0; i < n; i++) {
		const uint64_t h = hash(tokens[i]);
		uint32_t at = (uint32_t)h & (count - 1);

		while (slots[at] != UINT32_MAX)
			at = (at + 1) & (count - 1);
		slots[at] = (uint32_t)(h >> 49) << 17 | i;
		end += tokens[i].n;
	}
	buf_put(out, SPAN("GPVOCAB\0"));
	put(out, VOCAB_VERSION, 4);
	put(out, n, 4);
	put(out, count, 4);
	put(out, end, 4);
	put(out, 0, 8);
	buf_put(out, SPAN("made for tests\0\0\0\0\0\0\0\0\0\0"));
	put(out, 0, 8);
	end = 0;
	for (uint32_t i = 0; i < n; i++)
		put(out, end += tokens[i].n, 4);
	for (uint32_t i = 0; i < count; i++)
		put(out, slots[i], 4);
	for (uint32_t i = 0; i < n; i++)
		buf_put(out, tokens[i]);
	while (buf_len(out) % 8 != 0)
		buf_putc(out, '\0');
	vocab_seal(out);
	free(slots);
}

static bool
is_made(const struct span *tokens, uint32_t n, struct span token)
{
	for (uint32_t i = 0; i < n; i++)
		if (span_eq(tokens[i], token))
			return true;
	return false;
}

void
vocab_make_learned(
	struct buf *out, uint64_t seed, struct span alphabet, uint32_t n)
{
	struct span *const tokens =
		calloc(BYTES + n, sizeof(*tokens)); /* NOLINT: n is small */
	char *const room = malloc(BYTES + (size_t)n * VOCAB_TOKEN_MAX);
	char *next = room;
	uint32_t made = BYTES;

	GP_ASSERT(tokens != NULL && room != NULL && alphabet.n > 0);
	for (unsigned i = 0; i < BYTES; i++) {
		*next = (char)i;
		tokens[i] = span_of(next++, 1);
	}
	/* Enough tries for any n that makes sense. */
	for (uint32_t i = 0; made < BYTES + n && i < 100 * n; i++) {
		struct span half[2], both;

		for (unsigned k = 0; k < 2; k++) {
			const uint64_t r = seed =
				step(seed + MULTIPLY, seed >> 7);
			const uint64_t at = r % (alphabet.n + made - BYTES);

			half[k] = at < alphabet.n ?
				span_of(alphabet.p + at, 1) :
				tokens[BYTES + at - alphabet.n];
		}
		if (half[0].n + half[1].n > VOCAB_TOKEN_MAX)
			continue;
		memcpy(next, half[0].p, half[0].n);
		memcpy(next + half[0].n, half[1].p, half[1].n);
		both = span_of(next, half[0].n + half[1].n);
		if (is_made(tokens, made, both))
			continue;
		tokens[made++] = both;
		next += both.n;
	}
	vocab_make(out, tokens, made);
	free(tokens);
	free(room);
}

/* SPDX-License-Identifier: MIT */
/* vocab.c - reading the vocabulary file. */
#include "shared/count/vocab.h"

#include "shared/base/swar.h"

#define ID_BITS       17
#define ID_MASK       ((1u << ID_BITS) - 1)
#define HASH_MULTIPLY UINT64_C(0x9e3779b97f4a7c15)
#define SUM_START     UINT64_C(0xcbf29ce484222325)

/* Places in the head. */
#define AT_VERSION 8
#define AT_TOKENS  12
#define AT_SLOTS   16
#define AT_BYTES   20
#define AT_SUM     24
#define AT_NAME    32

static uint32_t
load32(const char *p)
{
	uint32_t w;

	memcpy(&w, p, sizeof(w));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	w = __builtin_bswap32(w);
#endif
	return w;
}

/* --- finding -------------------------------------------------------------- */

/* All of s in one word, s.n <= 8; different for different texts of a length. */
static inline uint64_t
short_word(struct span s)
{
	const char *const p = s.p;

	if (s.n >= 8)
		return swar_load(p);
	if (s.n >= 4)
		return load32(p) | (uint64_t)load32(p + s.n - 4) << 32;
	if (s.n == 0)
		return 0;
	return (uint64_t)(uint8_t)p[0] | (uint64_t)(uint8_t)p[s.n / 2] << 8 |
		(uint64_t)(uint8_t)p[s.n - 1] << 16;
}

static inline uint64_t
hash_step(uint64_t h, uint64_t w)
{
	h = (h ^ w) * HASH_MULTIPLY;
	return h ^ h >> 32;
}

/* As in vocab.py. */
static inline uint64_t
hash_of(struct span s)
{
	uint64_t h = s.n;

	for (; s.n > SWAR_BYTES; s = span_from(s, SWAR_BYTES))
		h = hash_step(h, swar_load(s.p));
	return hash_step(hash_step(h, short_word(s)), 0);
}

struct span
vocab_bytes(const struct vocab *v, uint32_t id)
{
	uint32_t start, end;

	if (id >= v->tokens)
		return SPAN_EMPTY;
	end = load32(v->ends + (size_t)id * 4);
	start = id > 0 ? load32(v->ends + (size_t)id * 4 - 4) : 0;
	if (start > end || end > v->bytes.n)
		return SPAN_EMPTY;
	return span_of(v->bytes.p + start, end - start);
}

uint32_t
vocab_find(const struct vocab *v, struct span token)
{
	uint64_t h;
	uint32_t print;

	if (token.n == 0 || token.n > VOCAB_TOKEN_MAX)
		return VOCAB_NONE;
	h = hash_of(token);
	print = (uint32_t)(h >> (32 + ID_BITS));
	/* A good table is half empty; a false one may have no empty slot. */
	for (uint32_t i = 0; i <= v->mask; i++) {
		const uint32_t at = ((uint32_t)h + i) & v->mask;
		const uint32_t slot = load32(v->slots + (size_t)at * 4);

		if (slot == VOCAB_NONE)
			break;
		if (slot >> ID_BITS == print &&
			span_eq(vocab_bytes(v, slot & ID_MASK), token))
			return slot & ID_MASK;
	}
	return VOCAB_NONE;
}

/* --- opening -------------------------------------------------------------- */

/* As in vocab.py: all but the magic and the sum itself. The file's length is a
 * multiple of 8. */
static uint64_t
sum_of(struct span file)
{
	uint64_t h = SUM_START;

	for (size_t i = AT_VERSION; file.n - i >= SWAR_BYTES; i += SWAR_BYTES)
		if (i != AT_SUM)
			h = hash_step(h, swar_load(file.p + i));
	return h;
}

static enum gp_code
check_sizes(struct vocab *v, struct span file, struct gp_error *err)
{
	const uint32_t tokens = load32(file.p + AT_TOKENS);
	const uint32_t slots = load32(file.p + AT_SLOTS);
	const uint32_t bytes = load32(file.p + AT_BYTES);
	const size_t ends_len = (size_t)tokens * 4;
	const size_t slots_len = (size_t)slots * 4;

	if (tokens == 0 || tokens > VOCAB_TOKENS_MAX || slots <= tokens ||
		slots > VOCAB_SLOTS_MAX || (slots & (slots - 1)) != 0)
		return gp_fail(err, GP_E_SYNTAX,
			"the vocabulary has impossible sizes");
	/* No sum can overflow: each is far below 2^32. */
	if (file.n % SWAR_BYTES != 0 || file.n > VOCAB_FILE_MAX ||
		file.n - VOCAB_HEAD_BYTES < ends_len + slots_len ||
		file.n - VOCAB_HEAD_BYTES - ends_len - slots_len < bytes)
		return gp_fail(
			err, GP_E_SYNTAX, "the vocabulary file is cut off");
	v->ends = file.p + VOCAB_HEAD_BYTES;
	v->slots = v->ends + ends_len;
	v->bytes = span_of(v->slots + slots_len, bytes);
	v->tokens = tokens;
	v->mask = slots - 1;
	memcpy(v->name, file.p + AT_NAME, VOCAB_NAME_BYTES);
	v->name[VOCAB_NAME_BYTES] = '\0';
	return GP_OK;
}

enum gp_code
vocab_open(struct vocab *v, struct span file, struct gp_error *err)
{
	const struct span magic = SPAN(VOCAB_MAGIC "\0");
	enum gp_code rc;
	uint64_t sum;

	*v = (struct vocab){ 0 };
	if (file.n < VOCAB_HEAD_BYTES || !span_starts(file, magic))
		return gp_fail(err, GP_E_SYNTAX, "not a vocabulary file");
	if (load32(file.p + AT_VERSION) != VOCAB_VERSION)
		return gp_fail(err, GP_E_SYNTAX,
			"a vocabulary file of another version");
	rc = check_sizes(v, file, err);
	if (rc != GP_OK)
		return rc;
	sum = swar_load(file.p + AT_SUM);
	if (sum != sum_of(file))
		return gp_fail(
			err, GP_E_SYNTAX, "the vocabulary file is damaged");
	for (unsigned c = 0; c <= UINT8_MAX; c++) {
		const char byte = (char)c;

		if (vocab_find(v, span_of(&byte, 1)) == VOCAB_NONE)
			return gp_fail(err, GP_E_SYNTAX,
				"the vocabulary lacks the byte 0x%02x", c);
	}
	return GP_OK;
}

/* SPDX-License-Identifier: MIT */
/* llm_estimate.c - a cheap guess at a request's tokens. */
#include "shared/translate/llm_estimate.h"

#include "shared/base/swar.h"
#include "shared/translate/llm_image_size.h"
#include "shared/translate/llm_unit.h"

/* A byte's weight: 3.6 or 2.5 of them are a token. */
#define CHEAP_WEIGHT (LLM_WEIGHT * 10 / 36)
#define OTHER_WEIGHT (LLM_WEIGHT * 10 / 25)

/* Text is cheap when so many percent of its bytes are. */
#define CHEAP_PERCENT 80

#define PER_MESSAGE   LLM_MESSAGE_TOKENS
#define PER_TOOL      LLM_TOOL_TOKENS
#define PER_IMAGE     1200 /* of unknown size */
#define IMAGE_TILE    28   /* pixels a side that make one token */

/* Text longer than the first is measured in so many places of so many bytes. */
#define SAMPLED_FROM  2048
#define SAMPLES       4
#define SAMPLE_BYTES  128
#define SAMPLED_BYTES ((uint64_t)SAMPLES * SAMPLE_BYTES)

struct sums {
	uint64_t bytes, other; /* other: of those, not cheap */
	uint64_t tokens;       /* of all that is not text */
};

/* The first bytes of Cyrillic characters, whose second ones are the only other
 * bytes of them. */
#define CYRILLIC_MASK 0xfc
#define CYRILLIC      0xd0

/* How many bytes have their top bits set, of words that have no other bits. */
static uint64_t
count_tops(uint64_t tops)
{
	/* The product's highest byte is the sum of all bytes. */
	return (tops >> 7) * SWAR_ALL(1) >> 56;
}

/* Bytes outside of ASCII, but for those of Cyrillic characters. */
static uint64_t
count_other(struct span s)
{
	uint64_t n = 0, cyrillic = 0;
	size_t i = 0;

	for (; s.n - i >= SWAR_BYTES; i += SWAR_BYTES) {
		const uint64_t w = swar_load(s.p + i);

		if ((w & SWAR_TOP) == 0)
			continue;
		n += count_tops(w & SWAR_TOP);
		cyrillic += count_tops(swar_zeros(
			(w & SWAR_ALL(CYRILLIC_MASK)) ^ SWAR_ALL(CYRILLIC)));
	}
	for (; i < s.n; i++) {
		const uint8_t c = (uint8_t)s.p[i];

		n += c >> 7;
		cyrillic += (c & CYRILLIC_MASK) == CYRILLIC;
	}
	return n - MIN(n, 2 * cyrillic);
}

/* The escape of a Cyrillic character, 04 and two more digits. */
static bool
is_cyrillic(struct span escape)
{
	return span_starts(escape, SPAN("\\u04"));
}

/* s: escaped text or a JSON value. What an escape means is counted, since some
 * clients escape everything outside of ASCII. */
static void
measure(struct sums *sums, struct span s)
{
	for (;;) {
		const size_t plain = span_find_char(s, '\\');
		size_t len, n;

		sums->bytes += plain;
		sums->other += count_other(span_head(s, plain));
		s = span_from(s, plain);
		if (s.n == 0)
			return;
		len = unit_escape_len(s);
		n = len == UNIT_SHORT ?
			1 :
			jesc_decoded_len((struct jesc){ span_head(s, len) });
		sums->bytes += n;
		sums->other += n > 1 && !is_cyrillic(s) ? n : 0;
		s = span_from(s, len);
	}
}

/* The like of measure for a piece cut anywhere: an escape at its ends may be
 * taken for text. A \u escape counts as the two bytes it mostly stands for. */
static void
sample(struct sums *sums, struct span s)
{
	for (;;) {
		const size_t plain = span_find_char(s, '\\');
		bool is_code;

		sums->bytes += plain;
		sums->other += count_other(span_head(s, plain));
		s = span_from(s, plain);
		if (s.n < UNIT_SHORT)
			return;
		is_code = s.p[1] == 'u';
		sums->bytes += is_code ? 2 : 1;
		sums->other += is_code && !is_cyrillic(s) ? 2 : 0;
		s = span_from(s, is_code ? UNIT_ONE : UNIT_SHORT);
	}
}

/* Long texts are measured in a few places only: a conversation of hundreds of
 * kilobytes is estimated on the way of every request. */
static void
add_span(struct sums *sums, struct span s)
{
	struct sums part = { 0 };

	if (s.n <= SAMPLED_FROM) {
		measure(sums, s);
		return;
	}
	for (size_t i = 0; i < SAMPLES; i++)
		sample(&part,
			span_head(
				span_from(s, s.n / SAMPLES * i), SAMPLE_BYTES));
	sums->bytes += s.n * part.bytes / SAMPLED_BYTES;
	sums->other += s.n * part.other / SAMPLED_BYTES;
}

uint64_t
llm_image_tokens(const struct llm_image *img)
{
	uint32_t w, h;

	if (!llm_image_size(img, &w, &h))
		return PER_IMAGE;
	w = (w + IMAGE_TILE - 1) / IMAGE_TILE;
	h = (h + IMAGE_TILE - 1) / IMAGE_TILE;
	return (uint64_t)w * h;
}

/* All but the parts inside of a result. */
static void
add_part(struct sums *sums, const struct llm_part *p)
{
	switch (p->kind) {
	case LLM_PART_TEXT:
	case LLM_PART_THINK:
		add_span(sums, p->text.s);
		break;
	case LLM_PART_IMAGE:
		sums->tokens += llm_image_tokens(&p->image);
		break;
	case LLM_PART_CALL:
		add_span(sums, p->name.s);
		add_span(sums,
			p->args.has_text ? p->args.text.s : p->args.value.s);
		break;
	case LLM_PART_RESULT:
		break;
	}
}

static void
add_turn(struct sums *sums, const struct llm_turn *t)
{
	sums->tokens += PER_MESSAGE;
	for (size_t i = 0; i < t->parts.n; i++) {
		const struct llm_part *const p = &t->parts.v[i];

		add_part(sums, p);
		/* Results do not nest. */
		for (size_t k = 0; k < p->parts.n; k++)
			add_part(sums, &p->parts.v[k]);
	}
}

static int64_t
weight_of(const struct sums *sums)
{
	const bool is_cheap = (sums->bytes - sums->other) * 100 >=
		sums->bytes * CHEAP_PERCENT;

	return (int64_t)(sums->tokens * LLM_WEIGHT +
		sums->bytes * (is_cheap ? CHEAP_WEIGHT : OTHER_WEIGHT));
}

int64_t
llm_weigh_turn(const struct llm_turn *t)
{
	struct sums sums = { 0 };

	add_turn(&sums, t);
	return weight_of(&sums);
}

int64_t
llm_weigh_tools(const struct llm_req *r)
{
	struct sums sums = { 0 };

	for (size_t i = 0; i < r->tools.n; i++) {
		const struct llm_tool *const t = &r->tools.v[i];

		sums.tokens += PER_TOOL;
		add_span(&sums, t->name.s);
		add_span(&sums, t->description.s);
		add_span(&sums, t->schema.s);
	}
	return weight_of(&sums);
}

int64_t
llm_weight_tokens(int64_t weight)
{
	return MAX((weight + LLM_WEIGHT - 1) / LLM_WEIGHT, 1);
}

int64_t
llm_estimate(const struct llm_req *r)
{
	int64_t weight = llm_weigh_tools(r);

	for (size_t i = 0; i < r->turns.n; i++)
		weight += llm_weigh_turn(&r->turns.v[i]);
	return llm_weight_tokens(weight);
}

int64_t
llm_estimate_bytes(size_t bytes)
{
	return (int64_t)((bytes * CHEAP_WEIGHT + LLM_WEIGHT - 1) / LLM_WEIGHT);
}

/* SPDX-License-Identifier: MIT */
/*
 * fuzz_truncate.c - requests made shorter: blocks of surroundings, whole turns.
 *
 *	byte 0   bit 0 the dialect (in the order of dialects.def)
 *	byte 1   the limit, in parts of 255 of the estimate
 *	then     the request
 *
 * What is left fits, begins with the user, and is read again by the dialect,
 * both written anew and as a copy. Doing it again changes nothing.
 */
#include <stdlib.h>

#include "shared/base/check.h"
#include "shared/translate/dialect.h"
#include "shared/translate/llm_dedup.h"
#include "shared/translate/llm_estimate.h"
#include "shared/translate/llm_normal.h"
#include "shared/translate/llm_truncate.h"
#include "tests/lib/mutate.h"

#define HEADER  2
#define OUT_MAX (64u << 20)

/* NOLINTBEGIN: libFuzzer's names. The second is not there without it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max)
	__attribute__((weak));
size_t LLVMFuzzerCustomMutator(
	uint8_t *data, size_t size, size_t max, unsigned seed);

/* NOLINTEND */

static void
check_dedup(struct llm_req *r)
{
	struct llm_dedup_report report, again;
	const size_t turns = r->turns.n;
	size_t cut = 0;

	llm_dedup(r, &report);
	GP_ASSERT(r->turns.n <= turns && (turns == 0 || r->turns.n > 0));
	GP_ASSERT((report.blocks > 0) == (r->cuts.n > 0));
	for (size_t i = 0; i < r->cuts.n; i++) {
		cut += jesc_decoded_len((struct jesc){ r->cuts.v[i] });
		GP_ASSERT(i == 0 ||
			r->cuts.v[i - 1].p + r->cuts.v[i - 1].n <=
				r->cuts.v[i].p);
	}
	GP_ASSERT(cut == report.bytes);
	llm_dedup(r, &again);
	GP_ASSERT(again.blocks == 0);
}

static const struct llm_turn *
first_turn(const struct llm_req *r)
{
	size_t i = 0;

	while (r->turns.v[i].role == LLM_SYSTEM)
		i++;
	return &r->turns.v[i];
}

static void
check_truncate(struct llm_req *r, unsigned part)
{
	const int64_t before = llm_estimate(r);
	const int64_t limit = MAX(before * part / 255, 1);
	const size_t turns = r->turns.n;
	const struct llm_turn *first;
	struct llm_cut cut;

	if (!llm_truncate(r, limit, &cut)) {
		GP_ASSERT(r->turns.n == turns && llm_estimate(r) == before);
		GP_ASSERT(before > limit && cut.tokens_after == before);
		return;
	}
	GP_ASSERT(cut.tokens_before == before);
	GP_ASSERT(cut.tokens_after == llm_estimate(r));
	GP_ASSERT(cut.tokens_after <= limit);
	GP_ASSERT((cut.messages > 0) == (before > limit));
	if (cut.messages == 0)
		return;
	first = first_turn(r);
	GP_ASSERT(first->role == LLM_USER && first->parts.n > 0);
	GP_ASSERT(r->kept_from == first->source);
	for (size_t i = 0; i < first->parts.n; i++)
		GP_ASSERT(first->parts.v[i].kind != LLM_PART_RESULT);
}

/* The dialect reads its own request. */
static void
check_read(const struct dialect *d, const struct buf *bytes)
{
	struct arena a;
	struct jdoc doc;
	struct llm_req r;

	arena_init(&a);
	jdoc_init(&doc);
	llm_req_init(&r, &a, LLM_CHAT);
	GP_ASSERT(!bytes->bad);
	GP_ASSERT(jdoc_parse(&doc, buf_span(bytes), NULL) == GP_OK);
	GP_ASSERT(d->req_decode(&doc, &r, NULL) == GP_OK);
	jdoc_fini(&doc);
	arena_fini(&a);
}

static void
check_sent(const struct dialect *d, const struct jdoc *doc, struct llm_req *r)
{
	static const struct llm_wire wire = { .fills_description = true };
	struct buf out;
	struct jout j;

	buf_init(&out, OUT_MAX);
	if (d->req_copy != NULL) {
		GP_ASSERT(d->req_copy(doc, r, SPAN("m"), &out, NULL) == GP_OK);
		check_read(d, &out);
	}
	buf_reset(&out, OUT_MAX);
	llm_normalise(r);
	/* Filled in by the profile where it is missing. */
	r->max_tokens = MAX(r->max_tokens, 1);
	jout_init_whole(&j, &out);
	d->req_encode(r, SPAN("m"), &wire, &j);
	check_read(d, &out);
	buf_fini(&out);
}

static void
run(const struct dialect *d, unsigned part, struct span text)
{
	struct arena a;
	struct jdoc doc;
	struct llm_req r;

	arena_init(&a);
	jdoc_init(&doc);
	llm_req_init(&r, &a, LLM_CHAT);
	if (jdoc_parse(&doc, text, NULL) == GP_OK &&
		jdoc_refuse_duplicates(&doc, jdoc_root(&doc), NULL) == GP_OK &&
		d->req_decode(&doc, &r, NULL) == GP_OK) {
		check_dedup(&r);
		check_truncate(&r, part);
		check_sent(d, &doc, &r);
	}
	jdoc_fini(&doc);
	arena_fini(&a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *memory;

	if (size < HEADER)
		return 0;
	/* In memory of its own, for the address sanitizer. */
	memory = malloc(MAX(size - HEADER, 1));
	GP_ASSERT(memory != NULL);
	memcpy(memory, data + HEADER, size - HEADER);
	run(dialects[data[0] % ndialects], data[1],
		span_of(memory, size - HEADER));
	free(memory);
	return 0;
}

/* Every other change leaves JSON whole. */
size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	char *const text = (char *)data + HEADER;

	if (seed % 2 == 0 && LLVMFuzzerMutate != NULL)
		return LLVMFuzzerMutate(data, size, max);
	if (size <= HEADER)
		return size;
	return HEADER + mutate_text(text, size - HEADER, max - HEADER, seed);
}

/* SPDX-License-Identifier: MIT */
/*
 * fuzz_bpe.c - counting in steps is counting at once; every byte is in one
 * token; a false vocabulary does no harm.
 *
 * The first byte: whether the rest is a text, or changes to a vocabulary file
 * followed by a text; and how large the steps are.
 */
#include <stdlib.h>

#include "shared/base/check.h"
#include "shared/count/bpe.h"
#include "tests/lib/vocab_make.h"

#define CHANGES_MAX  32
#define CHANGE_BYTES 4 /* three of the place, one of the value */
#define FALSE_FLAG   0x80
#define WORK_MASK    0x7f
#define LEARNED      500

/* NOLINTNEXTLINE: libFuzzer's name. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A copy of a good file, which is made once. */
static void
make_file(struct buf *file)
{
	static struct buf good;

	if (good.len == 0) {
		buf_init(&good, SIZE_MAX);
		vocab_make_learned(
			&good, 11, SPAN("abcd '\n1 \xe4\xb8\xad"), LEARNED);
	}
	buf_init(file, SIZE_MAX);
	buf_put(file, buf_span(&good));
}

/* Steps that get nowhere would not end. */
static void
count_in_steps(const struct vocab *v, struct span text, size_t work,
	struct bpe_ids *ids)
{
	struct bpe_job *job = bpe_job_new(v, ids);
	const size_t most = 1000 + 2000 * text.n;
	size_t steps = 0, left;

	bpe_job_text(job, text);
	do {
		left = work;
		GP_ASSERT(++steps <= most);
	} while (!bpe_job_step(job, &left));
	GP_ASSERT(bpe_job_tokens(job) == ids->n);
	bpe_job_free(&job);
}

static void
check(const struct vocab *v, struct span text, size_t work, bool is_true)
{
	struct bpe_ids whole = { 0 }, steps = { 0 };
	size_t at = 0;

	bpe_encode(v, text, &whole);
	count_in_steps(v, text, work, &steps);
	GP_ASSERT(whole.n == steps.n && whole.n <= text.n);
	for (size_t i = 0; i < whole.n; i++) {
		const struct span token = vocab_bytes(v, whole.v[i]);

		GP_ASSERT(whole.v[i] == steps.v[i]);
		if (!is_true)
			continue;
		GP_ASSERT(token.n > 0 && token.n <= text.n - at &&
			memcmp(token.p, text.p + at, token.n) == 0);
		at += token.n;
	}
	GP_ASSERT(!is_true || at == text.n);
	GP_ASSERT(bpe_count(v, text) == whole.n);
	bpe_ids_fini(&whole);
	bpe_ids_fini(&steps);
}

/* Take the changes off the front of *rest. */
static void
spoil(struct buf *file, struct span *rest)
{
	for (unsigned i = 0; i < CHANGES_MAX && rest->n >= CHANGE_BYTES; i++) {
		const uint8_t *const p = (const uint8_t *)rest->p;
		const size_t at = p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16;

		*rest = span_from(*rest, CHANGE_BYTES);
		if (at == 0)
			break;
		file->data[at % file->len] = (char)p[3];
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Of exactly the size, so that reads behind the end show. */
	char *const copy = malloc(MAX(size, 1)), *exact;
	struct span rest;
	struct buf file;
	struct vocab v;
	bool is_false;
	size_t work;

	GP_ASSERT(copy != NULL);
	if (size > 0)
		memcpy(copy, data, size);
	rest = span_of(copy, size);
	is_false = size > 0 && (data[0] & FALSE_FLAG) != 0;
	work = 1 + (size > 0 ? data[0] & WORK_MASK : 0);
	rest = span_from(rest, 1);
	make_file(&file);
	if (is_false) {
		spoil(&file, &rest);
		if (work % 8 != 0)
			vocab_seal(&file);
	}
	exact = malloc(file.len);
	GP_ASSERT(exact != NULL);
	memcpy(exact, file.data, file.len);
	if (vocab_open(&v, span_of(exact, file.len), NULL) == GP_OK)
		check(&v, rest, work, !is_false);
	else
		GP_ASSERT(is_false);
	free(exact);
	buf_fini(&file);
	free(copy);
	return 0;
}

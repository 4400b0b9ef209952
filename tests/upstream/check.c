/* SPDX-License-Identifier: MIT */
/* check.c - all rules, in the order in which z.ai applies them. */
#include "tests/upstream/check.h"

#include "tests/upstream/standin.h"
#include "tests/upstream/text.h"

bool
check_key(struct request *r)
{
	uint64_t code;

	if (r->key.n == 0)
		return refuse(r, 1001, "no key was received in the head");
	if (span_eq(r->key, SPAN("bad.key")))
		return refuse(r, 1000, "the key is wrong or has expired");
	if (span_starts(r->key, SPAN("code-")) && r->key.n >= 9 &&
		span_u64(span_head(span_from(r->key, 5), 4), &code) &&
		code >= 1000)
		return refuse(r, (unsigned)code, "the key asks for it");
	return true;
}

bool
check_window(struct request *r)
{
	int64_t window = scenario_number(
		r->scenario.context, (int64_t)r->model->window_tokens);
	int64_t max = r->max_tokens < 0 ? 0 : r->max_tokens;

	if (r->input_tokens + max <= window || r->route == ROUTE_COUNT ||
		r->route == ROUTE_TOKENIZER)
		return true;
	return refuse(r, 1261,
		"Request %lld input tokens exceeds the model's maximum context"
		" length %lld",
		(long long)r->input_tokens, (long long)window);
}

static bool
check_billing(struct request *r, struct span text, const char *where)
{
	if (!span_starts(text, SPAN("x-anthropic-billing-header:")))
		return true;
	return refuse(r, REFUSE_STANDIN,
		"standin: %s: the client's attribution block was sent on",
		where);
}

/* On either side, wherever system text may stand. */
static bool
check_attribution(struct request *r)
{
	json_t *system = json_object_get(r->root, "system");
	json_t *messages = json_object_get(r->root, "messages");
	bool is_good = check_billing(r, text_of(system), "system");

	for (size_t i = 0; i < json_array_size(system); i++) {
		json_t *block = json_array_get(system, i);

		is_good &= check_billing(
			r, text_of(json_object_get(block, "text")), "system");
	}
	for (size_t i = 0; i < json_array_size(messages); i++) {
		json_t *m = json_array_get(messages, i);

		if (span_eq(text_of(json_object_get(m, "role")),
			    SPAN("system")))
			is_good &= check_billing(r,
				text_of(json_object_get(m, "content")),
				"messages");
	}
	return is_good;
}

bool
check_request(struct request *r)
{
	if (!standin.options.has_lax_headers && !check_head(r))
		return false;
	if (r->route == ROUTE_MODELS)
		return true;
	if (!(r->side == SIDE_A ? check_anthropic(r) : check_openai(r)))
		return false;
	return check_attribution(r) && check_window(r);
}

/* SPDX-License-Identifier: MIT */
/* dialect_openai_req.c - the top level of a Chat Completions request. */
#include <stdarg.h>
#include <stdio.h>

#include "shared/translate/dialect_openai.h"

#define MODEL_MAX        256 /* bytes; the name stands in every chunk */
#define N_MAX            128
#define STOP_MAX         4
#define TEMPERATURE_MAX  2
#define PENALTY_MAX      2
#define TOP_LOGPROBS_MAX 20

struct field;
typedef enum gp_code take_fn(
	struct openai_in *in, const struct field *f, jref v);

struct field {
	struct span key;
	unsigned types; /* bit (1 << enum jtype) for each that is allowed */
	take_fn *take;
};

#define TYPE(t) (1u << (t))

/* --- refusals ------------------------------------------------------------- */

enum gp_code
openai_refuse(const struct openai_in *in, const char *leaf, const char *reason,
	const char *fmt, ...)
{
	char path[GP_ERROR_PARAM_MAX], clause[GP_ERROR_TEXT_MAX];
	const char *const dot = *leaf == '\0' ? "" : ".";
	va_list ap;

	if (in->list == NULL)
		(void)snprintf(path, sizeof(path), "%s", leaf);
	else if (in->sub == NULL)
		(void)snprintf(path, sizeof(path), "%s[%zu]%s%s", in->list,
			in->at, dot, leaf);
	else
		(void)snprintf(path, sizeof(path), "%s[%zu].%s[%zu]%s%s",
			in->list, in->at, in->sub, in->sub_at, dot, leaf);
	va_start(ap, fmt);
	(void)vsnprintf(clause, sizeof(clause), fmt, ap);
	va_end(ap);
	(void)gp_fail(in->err, GP_E_SCHEMA, "%s %s", path, clause);
	if (in->err != NULL)
		in->err->reason = reason;
	return gp_fail_at(in->err, GP_E_SCHEMA, "%s", path);
}

enum gp_code
openai_want(
	const struct openai_in *in, jref v, enum jtype type, const char *leaf)
{
	const enum jtype found = jdoc_type(in->doc, v);

	if (found == type)
		return GP_OK;
	if (found == J_NONE)
		return openai_refuse(in, leaf, OPENAI_MISSING, "is missing");
	return openai_refuse(in, leaf, OPENAI_BAD_TYPE, "must be %s, not %s",
		jdoc_type_name(type), jdoc_type_name(found));
}

enum gp_code
openai_want_if_set(
	const struct openai_in *in, jref v, enum jtype type, const char *leaf)
{
	const enum jtype found = jdoc_type(in->doc, v);

	if (found == J_NONE || found == J_NULL)
		return GP_OK;
	return openai_want(in, v, type, leaf);
}

static enum gp_code
want_one_of(
	const struct openai_in *in, jref v, unsigned types, const char *leaf)
{
	const enum jtype found = jdoc_type(in->doc, v);
	const char *first = NULL, *second = NULL;

	if ((types & TYPE(found)) != 0)
		return GP_OK;
	for (int t = J_BOOL; t <= J_OBJ; t++) {
		if ((types & TYPE(t)) == 0)
			continue;
		if (first == NULL)
			first = jdoc_type_name((enum jtype)t);
		else
			second = jdoc_type_name((enum jtype)t);
	}
	return openai_refuse(in, leaf, OPENAI_BAD_TYPE,
		"must be %s%s%s, not %s", first, second == NULL ? "" : " or ",
		second == NULL ? "" : second, jdoc_type_name(found));
}

/* --- numbers -------------------------------------------------------------- */

static enum gp_code
read_int(const struct openai_in *in, jref v, const char *leaf, int64_t lo,
	int64_t hi, int64_t *out)
{
	if (!jdoc_int(in->doc, v, out))
		return openai_refuse(
			in, leaf, OPENAI_BAD_TYPE, "must be an integer");
	if (*out < lo)
		return openai_refuse(in, leaf, "integer_below_min_value",
			"must be at least %lld", (long long)lo);
	if (*out > hi)
		return openai_refuse(in, leaf, "integer_above_max_value",
			"must be at most %lld", (long long)hi);
	return GP_OK;
}

static enum gp_code
read_number(const struct openai_in *in, const struct field *f, jref v, int lo,
	int hi, struct llm_number *out)
{
	double value;

	if (!jdoc_double(in->doc, v, &value))
		return openai_refuse(
			in, f->key.p, OPENAI_BAD_TYPE, "must be a number");
	if (value < lo)
		return openai_refuse(in, f->key.p, "decimal_below_min_value",
			"must be at least %d", lo);
	if (value > hi)
		return openai_refuse(in, f->key.p, "decimal_above_max_value",
			"must be at most %d", hi);
	*out = (struct llm_number){ jdoc_raw(in->doc, v), value };
	return GP_OK;
}

/* --- fields that reach the tree ------------------------------------------- */

static enum gp_code
take_model(struct openai_in *in, const struct field *f, jref v)
{
	in->req->model = jdoc_str(in->doc, v);
	if (jesc_is_empty(in->req->model))
		return openai_refuse(
			in, f->key.p, OPENAI_BAD_VALUE, "must not be empty");
	if (in->req->model.s.n > MODEL_MAX)
		return openai_refuse(in, f->key.p, "string_above_max_length",
			"must not be longer than %d bytes", MODEL_MAX);
	return GP_OK;
}

static enum gp_code
take_messages(struct openai_in *in, const struct field *f, jref v)
{
	(void)f;
	return openai_take_messages(in, v);
}

static enum gp_code
take_stream(struct openai_in *in, const struct field *f, jref v)
{
	(void)f;
	in->req->stream = jdoc_bool(in->doc, v, false);
	return GP_OK;
}

static enum gp_code
take_stream_options(struct openai_in *in, const struct field *f, jref v)
{
	const jref usage = jdoc_get_set(in->doc, v, SPAN("include_usage"));
	const enum gp_code rc = openai_want_if_set(
		in, usage, J_BOOL, "stream_options.include_usage");

	if (rc != GP_OK)
		return rc;
	if (!in->req->stream)
		return openai_refuse(in, f->key.p, OPENAI_BAD_VALUE,
			"is only allowed when stream is true");
	in->req->wants_usage = jdoc_bool(in->doc, usage, false);
	return GP_OK;
}

/* max_completion_tokens stands first in the table. */
static enum gp_code
take_max_tokens(struct openai_in *in, const struct field *f, jref v)
{
	int64_t tokens;
	const enum gp_code rc =
		read_int(in, v, f->key.p, 1, INT64_MAX, &tokens);

	if (rc != GP_OK)
		return rc;
	if (in->req->max_tokens == 0)
		in->req->max_tokens = tokens;
	else if (in->req->max_tokens != tokens)
		notice_add(&in->req->notices, "dropped", f->key);
	return GP_OK;
}

static enum gp_code
take_temperature(struct openai_in *in, const struct field *f, jref v)
{
	return read_number(in, f, v, 0, TEMPERATURE_MAX, &in->req->temperature);
}

static enum gp_code
take_top_p(struct openai_in *in, const struct field *f, jref v)
{
	return read_number(in, f, v, 0, 1, &in->req->top_p);
}

static void
add_stop(struct openai_in *in, jref v)
{
	const struct jesc s = jdoc_str(in->doc, v);

	if (!jesc_is_empty(s))
		*VEC_PUSH(in->req->arena, &in->req->stop) = s;
}

static enum gp_code
take_stop(struct openai_in *in, const struct field *f, jref v)
{
	if (jdoc_type(in->doc, v) == J_STR) {
		add_stop(in, v);
		return GP_OK;
	}
	if (jdoc_count(in->doc, v) > STOP_MAX)
		return openai_refuse(in, f->key.p, OPENAI_TOO_MANY,
			"must not hold more than %d entries", STOP_MAX);
	in->list = f->key.p;
	in->at = 0;
	JDOC_EACH (in->doc, v, it) {
		const enum gp_code rc = openai_want(in, it, J_STR, "");

		if (rc != GP_OK)
			return rc;
		add_stop(in, it);
		in->at++;
	}
	in->list = NULL;
	return GP_OK;
}

static enum gp_code
take_tools(struct openai_in *in, const struct field *f, jref v)
{
	(void)f;
	return openai_take_tools(in, v);
}

static enum gp_code
take_functions(struct openai_in *in, const struct field *f, jref v)
{
	(void)f;
	return openai_take_functions(in, v);
}

static enum gp_code
take_tool_choice(struct openai_in *in, const struct field *f, jref v)
{
	(void)f;
	return openai_take_choice(in, v);
}

static enum gp_code
take_function_call(struct openai_in *in, const struct field *f, jref v)
{
	(void)f;
	return openai_take_function_call(in, v);
}

static enum gp_code
take_parallel(struct openai_in *in, const struct field *f, jref v)
{
	(void)f;
	if (in->req->tools.n > 0 && !jdoc_bool(in->doc, v, true))
		in->req->single_call = true;
	return GP_OK;
}

static enum gp_code
take_json_schema(struct openai_in *in, jref v)
{
	const jref name = jdoc_get_set(in->doc, v, SPAN("name"));
	const jref schema = jdoc_get_set(in->doc, v, SPAN("schema"));
	enum gp_code rc =
		openai_want(in, v, J_OBJ, "response_format.json_schema");

	if (rc == GP_OK)
		rc = openai_want_if_set(
			in, name, J_STR, "response_format.json_schema.name");
	if (rc == GP_OK)
		rc = openai_want_if_set(in, schema, J_OBJ,
			"response_format.json_schema.schema");
	if (rc != GP_OK)
		return rc;
	/* Without a schema the name says nothing more than "JSON". */
	in->req->format =
		schema == JREF_NONE ? LLM_FORMAT_JSON : LLM_FORMAT_SCHEMA;
	in->req->format_schema = jdoc_raw(in->doc, schema);
	in->req->format_name = jdoc_str(in->doc, name);
	return GP_OK;
}

static enum gp_code
take_response_format(struct openai_in *in, const struct field *f, jref v)
{
	const jref type = jdoc_get_set(in->doc, v, SPAN("type"));
	const enum gp_code rc =
		openai_want(in, type, J_STR, "response_format.type");

	(void)f;
	if (rc != GP_OK)
		return rc;
	if (jdoc_is(in->doc, type, SPAN("json_schema")))
		return take_json_schema(
			in, jdoc_get_set(in->doc, v, SPAN("json_schema")));
	if (jdoc_is(in->doc, type, SPAN("json_object")))
		in->req->format = LLM_FORMAT_JSON;
	else if (!jdoc_is(in->doc, type, SPAN("text")))
		return openai_refuse(in, "response_format.type",
			OPENAI_UNSUPPORTED,
			"must be text, json_object or json_schema");
	return GP_OK;
}

const struct span openai_efforts[LLM_EFFORT_MAX + 1] = {
	[LLM_EFFORT_UNSET] = SPAN_INIT(""),
	[LLM_EFFORT_NONE] = SPAN_INIT("none"),
	[LLM_EFFORT_MINIMAL] = SPAN_INIT("minimal"),
	[LLM_EFFORT_LOW] = SPAN_INIT("low"),
	[LLM_EFFORT_MEDIUM] = SPAN_INIT("medium"),
	[LLM_EFFORT_HIGH] = SPAN_INIT("high"),
	[LLM_EFFORT_XHIGH] = SPAN_INIT("xhigh"),
	[LLM_EFFORT_MAX] = SPAN_INIT("max"),
};

static enum gp_code
read_effort(struct openai_in *in, jref v, const char *leaf)
{
	for (int e = LLM_EFFORT_NONE; e <= LLM_EFFORT_MAX; e++) {
		if (jdoc_is(in->doc, v, openai_efforts[e])) {
			in->req->think.effort = (enum llm_effort)e;
			return GP_OK;
		}
	}
	return openai_refuse(in, leaf, OPENAI_UNSUPPORTED,
		"must be none, minimal, low, medium, high, xhigh or max");
}

static enum gp_code
take_effort(struct openai_in *in, const struct field *f, jref v)
{
	return read_effort(in, v, f->key.p);
}

/* The object that OpenRouter's clients send: {effort, enabled, exclude,
 * max_tokens}. Stands behind reasoning_effort, which wins. */
static enum gp_code
take_reasoning(struct openai_in *in, const struct field *f, jref v)
{
	const jref effort = jdoc_get_set(in->doc, v, SPAN("effort"));
	const jref enabled = jdoc_get_set(in->doc, v, SPAN("enabled"));
	const jref exclude = jdoc_get_set(in->doc, v, SPAN("exclude"));
	const jref budget = jdoc_get_set(in->doc, v, SPAN("max_tokens"));
	struct llm_think *const think = &in->req->think;
	enum gp_code rc;

	(void)f;
	rc = openai_want_if_set(in, effort, J_STR, "reasoning.effort");
	if (rc == GP_OK)
		rc = openai_want_if_set(
			in, enabled, J_BOOL, "reasoning.enabled");
	if (rc == GP_OK)
		rc = openai_want_if_set(
			in, exclude, J_BOOL, "reasoning.exclude");
	if (rc == GP_OK && budget != JREF_NONE)
		rc = read_int(in, budget, "reasoning.max_tokens", 0, INT64_MAX,
			&think->budget_tokens);
	if (rc == GP_OK && effort != JREF_NONE &&
		think->effort == LLM_EFFORT_UNSET)
		rc = read_effort(in, effort, "reasoning.effort");
	if (rc != GP_OK)
		return rc;
	if (enabled != JREF_NONE)
		think->mode = jdoc_bool(in->doc, enabled, false) ?
			LLM_THINK_ON :
			LLM_THINK_OFF;
	else if (think->budget_tokens > 0)
		think->mode = LLM_THINK_ON;
	think->is_hidden = jdoc_bool(in->doc, exclude, false);
	return GP_OK;
}

/* user stands before safety_identifier: the first one given wins. */
static enum gp_code
take_user(struct openai_in *in, const struct field *f, jref v)
{
	(void)f;
	if (jesc_is_empty(in->req->user_id))
		in->req->user_id = jdoc_str(in->doc, v);
	return GP_OK;
}

/* --- fields that nothing can be done about -------------------------------- */

static enum gp_code
take_n(struct openai_in *in, const struct field *f, jref v)
{
	int64_t n;
	const enum gp_code rc = read_int(in, v, f->key.p, 1, N_MAX, &n);

	if (rc == GP_OK && n > 1)
		return openai_refuse(in, f->key.p, OPENAI_UNSUPPORTED,
			"must be 1: several answers are not supported");
	return rc;
}

static enum gp_code
take_modalities(struct openai_in *in, const struct field *f, jref v)
{
	JDOC_EACH (in->doc, v, it) {
		if (jdoc_is(in->doc, it, SPAN("audio")))
			return openai_refuse(in, f->key.p, OPENAI_UNSUPPORTED,
				"must not hold \"audio\": audio output is "
				"not supported");
		if (!jdoc_is(in->doc, it, SPAN("text")))
			return openai_refuse(in, f->key.p, OPENAI_UNSUPPORTED,
				"must hold nothing but \"text\"");
	}
	return GP_OK;
}

static enum gp_code
drop(struct openai_in *in, const struct field *f, jref v)
{
	(void)in;
	(void)f;
	(void)v;
	return GP_OK;
}

static enum gp_code
drop_noticed(struct openai_in *in, const struct field *f, jref v)
{
	(void)v;
	notice_add(&in->req->notices, "dropped", f->key);
	return GP_OK;
}

static enum gp_code
drop_penalty(struct openai_in *in, const struct field *f, jref v)
{
	struct llm_number penalty = { .raw = JRAW_NONE };
	const enum gp_code rc =
		read_number(in, f, v, -PENALTY_MAX, PENALTY_MAX, &penalty);

	if (rc == GP_OK && (penalty.value < 0 || penalty.value > 0))
		return drop_noticed(in, f, v);
	return rc;
}

/* Objects and switches that ask for nothing when empty or off. */
static enum gp_code
drop_if_asked(struct openai_in *in, const struct field *f, jref v)
{
	if (jdoc_count(in->doc, v) > 0 || jdoc_bool(in->doc, v, false))
		return drop_noticed(in, f, v);
	return GP_OK;
}

static enum gp_code
drop_top_logprobs(struct openai_in *in, const struct field *f, jref v)
{
	int64_t n;
	const enum gp_code rc =
		read_int(in, v, f->key.p, 0, TOP_LOGPROBS_MAX, &n);

	if (rc == GP_OK && n > 0)
		return drop_noticed(in, f, v);
	return rc;
}

/* --- the table ------------------------------------------------------------ */

#define STR  TYPE(J_STR)
#define NUM  TYPE(J_NUM)
#define BOOL TYPE(J_BOOL)
#define ARR  TYPE(J_ARR)
#define OBJ  TYPE(J_OBJ)

/* In the order in which they are taken, whatever the order in the request:
 * what depends on another field stands behind it. */
static const struct field fields[] = {
	{ SPAN_INIT("model"), STR, take_model },
	{ SPAN_INIT("messages"), ARR, take_messages },
	{ SPAN_INIT("stream"), BOOL, take_stream },
	{ SPAN_INIT("stream_options"), OBJ, take_stream_options },
	{ SPAN_INIT("max_completion_tokens"), NUM, take_max_tokens },
	{ SPAN_INIT("max_tokens"), NUM, take_max_tokens },
	{ SPAN_INIT("temperature"), NUM, take_temperature },
	{ SPAN_INIT("top_p"), NUM, take_top_p },
	{ SPAN_INIT("n"), NUM, take_n },
	{ SPAN_INIT("stop"), STR | ARR, take_stop },
	{ SPAN_INIT("tools"), ARR, take_tools },
	{ SPAN_INIT("functions"), ARR, take_functions },
	{ SPAN_INIT("tool_choice"), STR | OBJ, take_tool_choice },
	{ SPAN_INIT("function_call"), STR | OBJ, take_function_call },
	{ SPAN_INIT("parallel_tool_calls"), BOOL, take_parallel },
	{ SPAN_INIT("response_format"), OBJ, take_response_format },
	{ SPAN_INIT("reasoning_effort"), STR, take_effort },
	{ SPAN_INIT("reasoning"), OBJ, take_reasoning },
	{ SPAN_INIT("user"), STR, take_user },
	{ SPAN_INIT("safety_identifier"), STR, take_user },
	{ SPAN_INIT("seed"), NUM, drop_noticed },
	{ SPAN_INIT("frequency_penalty"), NUM, drop_penalty },
	{ SPAN_INIT("presence_penalty"), NUM, drop_penalty },
	{ SPAN_INIT("logit_bias"), OBJ, drop_if_asked },
	{ SPAN_INIT("logprobs"), BOOL, drop_if_asked },
	{ SPAN_INIT("top_logprobs"), NUM, drop_top_logprobs },
	{ SPAN_INIT("prediction"), OBJ, drop_noticed },
	{ SPAN_INIT("web_search_options"), OBJ, drop_noticed },
	{ SPAN_INIT("moderation"), OBJ, drop_noticed },
	{ SPAN_INIT("modalities"), ARR, take_modalities },
	/* What it configures was refused with the modality. */
	{ SPAN_INIT("audio"), OBJ, drop },
	{ SPAN_INIT("service_tier"), STR, drop },
	{ SPAN_INIT("store"), BOOL, drop },
	{ SPAN_INIT("metadata"), OBJ, drop },
	{ SPAN_INIT("verbosity"), STR, drop },
	{ SPAN_INIT("prompt_cache_key"), STR, drop },
	{ SPAN_INIT("prompt_cache_options"), OBJ, drop },
	{ SPAN_INIT("prompt_cache_retention"), STR, drop },
};

static size_t
find_field(struct span key)
{
	size_t i = 0;

	while (i < ARRAY_LEN(fields) && !span_eq(fields[i].key, key))
		i++;
	return i;
}

/* Sort the members into `found`; what is not in the table goes to extra. */
static void
collect(struct openai_in *in, jref root, jref *found)
{
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		found[i] = JREF_NONE;
	JDOC_EACH_MEMBER (in->doc, root, it) {
		const struct jesc key = jdoc_key(in->doc, it);
		const jref v = jdoc_value(in->doc, it);
		const size_t i =
			find_field(jtext_unescape_dup(in->req->arena, key));

		/* null is how some clients leave a field out. */
		if (jdoc_type(in->doc, v) == J_NULL)
			continue;
		if (i == ARRAY_LEN(fields))
			llm_add_extra(in->req, &dialect_openai, key,
				jdoc_raw(in->doc, v), false);
		else if (found[i] == JREF_NONE)
			found[i] = v;
	}
}

enum gp_code
openai_req_decode(
	const struct jdoc *doc, struct llm_req *out, struct gp_error *err)
{
	struct openai_in in = { .doc = doc, .req = out, .err = err };
	const jref root = jdoc_root(doc);
	jref found[ARRAY_LEN(fields)];
	enum gp_code rc;

	if (jdoc_type(doc, root) != J_OBJ)
		return gp_fail(err, GP_E_SCHEMA,
			"the request must be a JSON object, not %s",
			jdoc_type_name(jdoc_type(doc, root)));
	collect(&in, root, found);
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		const struct field *const f = &fields[i];

		if (found[i] == JREF_NONE)
			continue;
		rc = want_one_of(&in, found[i], f->types, f->key.p);
		if (rc == GP_OK)
			rc = f->take(&in, f, found[i]);
		if (rc != GP_OK)
			return rc;
	}
	if (out->turns.n == 0 &&
		jdoc_count(doc, jdoc_get_set(doc, root, SPAN("messages"))) == 0)
		return openai_refuse(&in, "messages", OPENAI_MISSING,
			"must hold at least one message");
	return GP_OK;
}

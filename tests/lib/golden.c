/* SPDX-License-Identifier: MIT */
/* golden.c - recorded transcripts: folders, and how they are played. */
#include "tests/lib/golden.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "shared/base/check.h"
#include "shared/http/out.h"

#define LINE_MAX_LEN 256

static const char *const file_names[GOLDEN_FILE_COUNT] = {
	[GOLDEN_IN] = "in.json",
	[GOLDEN_UP_JSON] = "up.json",
	[GOLDEN_UP_SSE] = "up.sse",
	[GOLDEN_UP_BODY] = "up.body",
	[GOLDEN_OUT_SSE] = "out.sse",
	[GOLDEN_OUT_BODY] = "out.body",
	[GOLDEN_NOTICE] = "notice",
	[GOLDEN_CONTEXT] = "context",
};

static _Noreturn void
give_up(const char *name, const char *what, const char *detail)
{
	(void)fprintf(stderr, "%s/%s: %s%s\n", GOLDEN_DIR, name, what, detail);
	exit(1);
}

/* --- the folder ----------------------------------------------------------- */

static int
compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

size_t
golden_list(char (*names)[GOLDEN_NAME_MAX], size_t max)
{
	DIR *const dir = opendir(GOLDEN_DIR);
	struct dirent *entry;
	size_t n = 0;

	if (dir == NULL)
		give_up("", "cannot be opened", "");
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread. */
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		if (n == max || strlen(entry->d_name) >= GOLDEN_NAME_MAX)
			give_up(entry->d_name, "one too many, or too long", "");
		(void)strcpy(names[n++], entry->d_name);
	}
	(void)closedir(dir);
	if (n == 0)
		give_up("", "there are no cases", "");
	qsort(names, n, sizeof(*names), compare_names);
	return n;
}

static void
path_of(char path[LINE_MAX_LEN], const char *name, const char *file)
{
	(void)snprintf(path, LINE_MAX_LEN, "%s/%s/%s", GOLDEN_DIR, name, file);
}

/* False if there is no such file. */
static bool
read_file(struct golden *g, const char *file, struct span *out)
{
	char path[LINE_MAX_LEN];
	struct buf b;
	FILE *f;
	size_t n;

	path_of(path, g->name, file);
	f = fopen(path, "rb");
	if (f == NULL)
		return false;
	buf_init(&b, GOLDEN_BYTES_MAX + 1);
	do {
		char *const room = buf_reserve(&b, 4096);

		if (room == NULL)
			give_up(g->name, "too large: ", file);
		n = fread(room, 1, 4096, f);
		buf_commit(&b, n);
	} while (n > 0);
	(void)fclose(f);
	*out = arena_dup(&g->arena, buf_span(&b));
	buf_fini(&b);
	return true;
}

void
golden_save(const struct golden *g, enum golden_file which, struct span s)
{
	char path[LINE_MAX_LEN];
	FILE *f;

	path_of(path, g->name, file_names[which]);
	f = fopen(path, "wb");
	if (f == NULL || fwrite(s.p, 1, s.n, f) != s.n || fclose(f) != 0)
		give_up(g->name, "cannot be written: ", file_names[which]);
}

/* --- its case file -------------------------------------------------------- */

static const struct dialect *
dialect_named(const struct golden *g, struct span name)
{
	for (size_t i = 0; i < ndialects; i++) {
		if (span_eq(span_cstr(dialects[i]->name), name))
			return dialects[i];
	}
	give_up(g->name, "no dialect of this name: ", name.p);
}

/* The position of value in the list. */
static size_t
choose(const struct golden *g, struct span value, const char *const *list,
	size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (span_eq(span_cstr(list[i]), value))
			return i;
	}
	give_up(g->name, "no such value: ", value.p);
}

static bool
is_yes(const struct golden *g, struct span value)
{
	static const char *const list[] = { "no", "yes" };

	return choose(g, value, list, ARRAY_LEN(list)) == 1;
}

static uint64_t
number(const struct golden *g, struct span value)
{
	uint64_t n;

	if (!span_u64(value, &n) || n > INT64_MAX)
		give_up(g->name, "no number: ", value.p);
	return n;
}

/* The operator's. False if it is another key. */
static bool
take_setting(struct golden *g, struct span key, struct span value)
{
	static const char *const checks[] = { "off", "buffer" };
	static const char *const switches[] = { "off", "on" };
	static const char *const overflows[] = { "auto", "truncate", "error" };
	static const char *const remedies[] = { "none", "less_output", "cut" };
	static const char *const scopes[] = { "any", "last_user_turn" };
	static const char *const markups[] = { "off", "recover", "strip" };

	if (span_eq(key, SPAN("replay_reasoning")))
		g->replays_reasoning = is_yes(g, value);
	else if (span_eq(key, SPAN("context")))
		g->has_context = choose(g, value, switches, 2) == 1;
	else if (span_eq(key, SPAN("overflow")))
		g->overflow = (enum xlate_overflow)choose(
			g, value, overflows, ARRAY_LEN(overflows));
	else if (span_eq(key, SPAN("input_tokens")))
		g->input_tokens = (int64_t)number(g, value);
	else if (span_eq(key, SPAN("remedy")))
		g->remedy = (enum xlate_remedy)choose(
			g, value, remedies, ARRAY_LEN(remedies));
	else if (span_eq(key, SPAN("unmoved_tokens")))
		g->unmoved_tokens = (int64_t)number(g, value);
	else if (span_eq(key, SPAN("image_scope")))
		g->images_of_last_turn = choose(g, value, scopes, 2) == 1;
	else if (span_eq(key, SPAN("context_tokens")))
		g->context_tokens = (int64_t)number(g, value);
	else if (span_eq(key, SPAN("strict")))
		g->is_strict = is_yes(g, value);
	else if (span_eq(key, SPAN("enable_env_deduplication")))
		g->dedups_env = is_yes(g, value);
	else if (span_eq(key, SPAN("validate_tool_json")))
		g->holds_args = choose(g, value, checks, 2) == 1;
	else if (span_eq(key, SPAN("tool_markup")))
		g->markup = (enum llm_markup)choose(
			g, value, markups, ARRAY_LEN(markups));
	else
		return false;
	return true;
}

/* What is given. False if it is another key. */
static bool
take_given(struct golden *g, struct span key, struct span value)
{
	static const char *const purposes[] = { "chat", "count" };
	static const char *const ends[] = { "close", "reset", "corrupt" };

	if (span_eq(key, SPAN("client")))
		g->client = dialect_named(g, value);
	else if (span_eq(key, SPAN("upstream")))
		g->upstream = dialect_named(g, value);
	else if (span_eq(key, SPAN("model")))
		g->model = profile_model(&profile_zai, value);
	else if (span_eq(key, SPAN("purpose")))
		g->purpose = choose(g, value, purposes, 2) == 0 ? LLM_CHAT :
								  LLM_COUNT;
	else if (span_eq(key, SPAN("status")))
		g->status = (unsigned)number(g, value);
	else if (span_eq(key, SPAN("content_type")))
		g->content_type = value;
	else if (span_eq(key, SPAN("retry_after")))
		g->retry_after = value;
	else if (span_eq(key, SPAN("date")))
		g->date = value;
	else if (span_eq(key, SPAN("end")))
		g->end = (enum golden_end)choose(
			g, value, ends, ARRAY_LEN(ends));
	else
		return take_setting(g, key, value);
	return true;
}

static bool
take_expected(struct golden *g, struct span key, struct span value)
{
	static const char *const states[] = { "done", "failed", "broken",
		"refused" };

	if (span_eq(key, SPAN("state")))
		g->state = (enum golden_state)choose(
			g, value, states, ARRAY_LEN(states));
	else if (span_eq(key, SPAN("read_all")))
		g->reads_all = is_yes(g, value);
	else if (span_eq(key, SPAN("client_status")))
		g->client_status = (int64_t)number(g, value);
	else if (span_eq(key, SPAN("retry")))
		g->is_retryable = is_yes(g, value) ? 1 : 0;
	else if (span_eq(key, SPAN("retry_after_s")))
		g->retry_after_s = (int64_t)number(g, value);
	else if (span_eq(key, SPAN("reset")))
		g->reset = value;
	else if (span_eq(key, SPAN("param"))) {
		g->param = value;
		g->has_param = true;
	} else
		return false;
	return true;
}

static void
read_case(struct golden *g)
{
	struct span text, line, key;

	if (!read_file(g, "case", &text))
		give_up(g->name, "no file of the name ", "case");
	while (span_split(&text, '\n', &line)) {
		line = span_trim(line);
		if (line.n == 0 || line.p[0] == '#')
			continue;
		/* NUL-terminated, for sentences. */
		line = arena_dup(&g->arena, line);
		key = span_head(line, span_find_char(line, '='));
		line = span_from(line, key.n + 1);
		if (!take_given(g, key, line) && !take_expected(g, key, line))
			give_up(g->name, "unknown key: ", key.p);
	}
	if (g->client == NULL || g->upstream == NULL || g->model == NULL)
		give_up(g->name, "client, upstream or model is missing", "");
}

void
golden_load(struct golden *g, const char *name)
{
	*g = (struct golden){
		.status = 200,
		.content_type = SPAN_EMPTY,
		.retry_after = SPAN_EMPTY,
		.date = SPAN_EMPTY,
		.replays_reasoning = true,
		.dedups_env = true,
		.reads_all = true,
		.client_status = -1,
		.retry_after_s = -1,
		.is_retryable = -1,
		.param = SPAN_EMPTY,
		.reset = SPAN_EMPTY,
	};
	(void)snprintf(g->name, sizeof(g->name), "%s", name);
	arena_init(&g->arena);
	for (size_t i = 0; i < GOLDEN_FILE_COUNT; i++)
		g->has[i] = read_file(g, file_names[i], &g->files[i]);
	read_case(g);
	if (!g->has[GOLDEN_IN])
		give_up(g->name, "no file of the name ", file_names[GOLDEN_IN]);
	if (g->content_type.n == 0)
		g->content_type = g->has[GOLDEN_UP_SSE] ?
			SPAN("text/event-stream") :
			SPAN("application/json");
}

void
golden_fini(struct golden *g)
{
	arena_fini(&g->arena);
}

/* --- playing it ----------------------------------------------------------- */

enum gp_code
golden_ask(struct golden_way *w, const struct golden *g, struct span in,
	struct gp_error *err)
{
	const struct xlate_env env = {
		.now_wall_s = 1790000000,
		.options = { .default_max_tokens = 32768,
			.force_thinking = -1,
			.replay_reasoning = g->replays_reasoning },
		.counting = {
			.scales = g->has_context,
			.shows_context = g->has_context,
			/* The configuration's defaults. */
			.expected = { 128000, 200000 },
		},
		.overflow = { g->overflow, g->overflow },
		.images_of_last_turn = g->images_of_last_turn,
		.is_strict = g->is_strict,
		.dedups_env = g->dedups_env,
		.tries_again = g->tries_again,
		.holds_args = g->holds_args,
		.markup = g->markup,
	};
	const struct xlate_route route = {
		.upstream = g->upstream,
		.model = g->model->name,
		.info = &w->model,
		.unmoved_tokens = g->unmoved_tokens,
	};
	const struct xlate_input input = {
		.tokens = g->input_tokens,
		.least = g->remedy == XLATE_NO_REMEDY ? g->input_tokens : 0,
		.refusals = g->remedy == XLATE_NO_REMEDY ? 0 : 1,
		.remedy = g->remedy,
	};
	enum gp_code rc;

	w->model = *g->model;
	if (g->context_tokens > 0)
		w->model.context_tokens = g->context_tokens;
	arena_init(&w->arena);
	xlate_scratch_init(&w->scratch);
	buf_init(&w->up, 8 * GOLDEN_BYTES_MAX);
	buf_init(&w->out, 8 * GOLDEN_BYTES_MAX);
	w->xlate = xlate_new(&w->arena, &w->scratch, &profile_zai, g->client,
		g->purpose, &env, &w->out);
	xlate_know_input(w->xlate, &input);
	rc = xlate_read(w->xlate, in, err);
	return rc == GP_OK ? xlate_write(w->xlate, &route, &w->up, err) : rc;
}

static bool
is_over(enum xlate_state state)
{
	return state != XLATE_PENDING && state != XLATE_OPEN;
}

static void
put_head(struct golden_way *w, const struct golden *g)
{
	struct http_msg *m = http_msg_new(HTTP_RESPONSE);
	struct gp_error err;
	struct buf head;
	size_t used;

	buf_init(&head, 4096);
	http_out_status(&head, g->status);
	http_out_field(&head, "content-type", g->content_type);
	if (g->retry_after.n > 0)
		http_out_field(&head, "retry-after", g->retry_after);
	if (g->date.n > 0)
		http_out_field(&head, "date", g->date);
	http_out_end(&head);
	GP_ASSERT(http_msg_feed(m, buf_span(&head), &used, &err) == HTTP_HEAD);
	(void)xlate_head(w->xlate, http_msg_head(m));
	http_msg_free(&m);
	buf_fini(&head);
}

size_t
golden_answer(struct golden_way *w, const struct golden *g,
	const struct span *pieces, size_t n)
{
	const struct llm_failure cut = llm_failure_of(
		LLM_FAIL_UPSTREAM, SPAN("the upstream reset the connection"));
	size_t i = 0;

	put_head(w, g);
	while (i < n && !is_over(xlate_state(w->xlate)))
		(void)xlate_feed(w->xlate, pieces[i++]);
	if (is_over(xlate_state(w->xlate)))
		return i;
	if (g->end == GOLDEN_CLOSE)
		(void)xlate_end(w->xlate);
	else if (g->end == GOLDEN_RESET)
		(void)xlate_fail(w->xlate, &cut);
	else
		(void)xlate_distrust(w->xlate, &cut);
	return n;
}

void
golden_way_fini(struct golden_way *w)
{
	xlate_fini(w->xlate);
	buf_fini(&w->up);
	buf_fini(&w->out);
	xlate_scratch_fini(&w->scratch);
	arena_fini(&w->arena);
}

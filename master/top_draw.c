/* SPDX-License-Identifier: MIT */
/* top_draw.c - a picture of a sample, as lines of a terminal or of a file. */
#include "master/top_draw.h"

#include <inttypes.h>
#include <stdio.h>

#include "master/top_text.h"

#include "version.h"

#define LINE_MAX_BYTES 4096
/* Up to this height workers are one line, not a table. */
#define LOW_HEIGHT  20
#define WORKER_ROWS 16 /* of the table at most */

enum look_of {
	PLAIN,
	TITLE,
	WARNING
};

struct canvas {
	const struct top_look *look;
	struct buf *out;
	struct buf line;
	int y;
};

static int
rows_left(const struct canvas *c)
{
	/* The last one is for help. */
	return c->look->height == 0 ? INT32_MAX : c->look->height - 1 - c->y;
}

static void
put_line(struct canvas *c, enum look_of how)
{
	const struct top_look *const l = c->look;
	const char *const begin[] = { [PLAIN] = "",
		[TITLE] = "\x1b[7m",
		[WARNING] = l->has_color ? "\x1b[1;31m" : "\x1b[1m" };
	const struct span text = span_rtrim(buf_span(&c->line));

	if (!l->has_escapes) {
		(void)top_text_put(c->out, text, l->width, l->is_utf8);
		buf_putc(c->out, '\n');
	} else {
		/* To its end with blanks: erasing what is left would take the
		 * last column along where a line fills the screen. */
		buf_puts(c->out, c->y > 0 ? "\r\n" : "");
		buf_puts(c->out, begin[how]);
		top_text_cell(c->out, text, l->width, false, l->is_utf8);
		buf_puts(c->out, how == PLAIN ? "" : "\x1b[0m");
	}
	buf_reset(&c->line, LINE_MAX_BYTES);
	c->y++;
}

/* Where there is little room, only what matters most is told. */
static bool
is_low(const struct canvas *c)
{
	return c->look->height > 0 && c->look->height <= LOW_HEIGHT;
}

/* --- figures that flow over lines ----------------------------------------- */

#define ITEM_MAX 128

struct flow {
	struct canvas *c;
	int x;
	bool warns;
};

static void
flow_end(struct flow *f)
{
	if (f->x > 0 && rows_left(f->c) > 0)
		put_line(f->c, f->warns ? WARNING : PLAIN);
	buf_reset(&f->c->line, LINE_MAX_BYTES);
	f->x = 0;
	f->warns = false;
}

static void GP_PRINTF(3, 4)
	item(struct flow *f, bool warns, const char *fmt, ...)
{
	char text[ITEM_MAX];
	va_list ap;
	int n;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	n = (int)strlen(text);
	if (f->x > 0 && f->x + 3 + n > f->c->look->width)
		flow_end(f);
	if (f->x > 0) {
		buf_puts(&f->c->line, "   ");
		f->x += 3;
	}
	buf_puts(&f->c->line, text);
	f->x += n;
	f->warns = f->warns || warns;
}

static void
put_status(struct flow *f, const struct top_sample *s)
{
	const struct top_look *const look = f->c->look;
	char up[TOP_TEXT_SHORT];
	bool is_good;
	const char *const status = top_status(s, &is_good);

	top_text_time(up, (double)(s->at_wall_us - s->started_wall_us) / 1000);
	item(f, !is_good, "glmproxy %s: %s%s", GLMPROXY_VERSION, status,
		look->is_paused ? " (paused)" : "");
	item(f, false, "up %s", up);
	if (!is_low(f->c))
		item(f, false, "pid %ld", look->pid);
	item(f, false, "workers %zu", s->nworkers);
	item(f, false, "restarts %" PRIu32, s->restarts);
	flow_end(f);
}

static void
put_times(struct flow *f, const char *name, const struct top_times *t)
{
	char a[TOP_TEXT_SHORT], b[TOP_TEXT_SHORT], c[TOP_TEXT_SHORT];

	if (t->p50 < 0) {
		item(f, false, "%s -", name);
		return;
	}
	top_text_time(a, t->p50);
	top_text_time(b, t->p90);
	top_text_time(c, t->p99);
	item(f, false, "%s p50 %s p90 %s p99 %s", name, a, b, c);
}

static void
put_rates(struct flow *f, const struct top_rates *r)
{
	char a[TOP_TEXT_SHORT], b[TOP_TEXT_SHORT];

	top_text_count(a, r->requests);
	item(f, false, "requests %s/s", a);
	top_text_count(a, r->chats);
	if (!is_low(f->c))
		item(f, false, "chats %s/s", a);
	top_text_count(a, r->errors);
	if (r->errors > 0 && r->requests > 0)
		item(f, true, "errors %s/s (%.0f %%)", a,
			MIN(r->errors / r->requests, 1) * 100);
	else
		item(f, false, "errors %s/s", a);
	top_text_count(a, r->cancelled);
	if (!is_low(f->c))
		item(f, false, "cancelled %s/s", a);
	flow_end(f);
	put_times(f, "first byte", &r->first);
	if (!is_low(f->c))
		put_times(f, "whole", &r->total);
	flow_end(f);
	top_text_count(a, r->tokens_in);
	top_text_count(b, r->tokens_out);
	item(f, false, "tokens in %s/s, out %s/s", a, b);
	if (r->hit_percent >= 0)
		item(f, false, "from cache %.1f %%", r->hit_percent);
	else
		item(f, false, "from cache -");
}

static void
put_state(struct flow *f, const struct top_sample *s, const struct top_rates *r)
{
	const uint64_t lost = top_lost(&s->totals);
	char a[TOP_TEXT_SHORT];

	top_text_bytes(a, (double)metrics_get(&s->totals.buffered_bytes));
	if (!is_low(f->c))
		item(f, false, "buffered %s", a);
	flow_end(f);
	item(f, false, "live %" PRIu64, s->nchats + s->nunlisted);
	for (enum live_phase p = 0; p < LIVE_PHASES; p++)
		item(f, false, "%s %" PRIu64, live_phase_word(p), s->phases[p]);
	item(f, false, "clients %" PRIu64,
		metrics_get(&s->totals.connections_live));
	item(f, false, "upstream %" PRIu64,
		metrics_get(&s->totals.upstream_live));
	item(f, r->lost > 0, "lost %" PRIu64, lost);
	flow_end(f);
}

/* --- tables --------------------------------------------------------------- */

struct column {
	const char *title;
	int width; /* 0: what is left, shared */
	int from;  /* width of the screen that it needs */
	bool is_right;
};

static void
put_cell(struct canvas *c, const struct column *k, int width, const char *text)
{
	if (buf_len(&c->line) > 0)
		buf_putc(&c->line, ' ');
	top_text_cell(&c->line, span_cstr(text), width, k->is_right,
		c->look->is_utf8);
}

/* Widths of those that are shown; 0: it is not. */
static void
share_width(const struct column *k, size_t n, int total, int *widths)
{
	int left = total + 1;
	int shared = 0;

	for (size_t i = 0; i < n; i++) {
		widths[i] = 0;
		if (total < k[i].from)
			continue;
		left -= k[i].width + 1;
		widths[i] = k[i].width;
		shared += k[i].width == 0;
	}
	for (size_t i = 0; i < n; i++) {
		if (total < k[i].from || k[i].width > 0)
			continue;
		widths[i] = MAX(left / shared, 6);
		left -= widths[i];
		shared--;
	}
}

/* --- workers -------------------------------------------------------------- */

static const char *
state_word(const struct top_worker *w)
{
	if (w->silent_ms > TOP_SILENT_MS)
		return "silent";
	return w->state == SHM_READY     ? "ready" :
		w->state == SHM_DRAINING ? "draining" :
					   "starting";
}

enum {
	WORKER_COLUMNS = 9
};

static void
put_worker(struct canvas *c, const struct column *k, const int *widths,
	const struct top_worker *w)
{
	char texts[WORKER_COLUMNS][TOP_TEXT_SHORT];

	(void)snprintf(texts[0], TOP_TEXT_SHORT, "%" PRId32, w->pid);
	(void)snprintf(texts[1], TOP_TEXT_SHORT, "%s", state_word(w));
	top_text_time(texts[2], (double)w->silent_ms);
	(void)snprintf(texts[3], TOP_TEXT_SHORT, "%" PRIu32, w->connections);
	(void)snprintf(texts[4], TOP_TEXT_SHORT, "%" PRIu32, w->chats);
	top_text_count(texts[5], w->requests_per_s);
	if (w->cpu_percent < 0)
		(void)snprintf(texts[6], TOP_TEXT_SHORT, "-");
	else
		(void)snprintf(texts[6], TOP_TEXT_SHORT, "%.0f",
			MIN(w->cpu_percent, 9999));
	(void)snprintf(texts[7], TOP_TEXT_SHORT, "%" PRIu32, w->generation);
	top_text_bytes(texts[8], w->ring_bytes);
	for (size_t i = 0; i < WORKER_COLUMNS; i++)
		if (widths[i] > 0)
			put_cell(c, &k[i], widths[i], texts[i]);
	put_line(c, w->silent_ms > TOP_SILENT_MS ? WARNING : PLAIN);
}

static void
put_workers(struct canvas *c, const struct top_sample *s)
{
	static const struct column columns[WORKER_COLUMNS] = {
		{ "WORKER", 7, 0, true },
		{ "STATE", 8, 0, false },
		{ "BEAT", 7, 50, true },
		{ "CONNS", 6, 0, true },
		{ "CHATS", 6, 0, true },
		{ "REQ/S", 6, 60, true },
		{ "CPU %", 5, 0, true },
		{ "GENERATION", 10, 80, true },
		{ "UNREAD", 7, 80, true },
	};
	const int rows = MIN(MIN(rows_left(c) / 3, WORKER_ROWS),
		c->look->height == 0 ? INT32_MAX : c->look->height / 4);
	int widths[WORKER_COLUMNS];

	if (is_low(c))
		return;
	share_width(columns, WORKER_COLUMNS, c->look->width, widths);
	for (size_t i = 0; i < WORKER_COLUMNS; i++)
		if (widths[i] > 0)
			put_cell(c, &columns[i], widths[i], columns[i].title);
	put_line(c, TITLE);
	for (size_t i = 0; i < s->nworkers; i++) {
		if ((int)i + 1 == rows && s->nworkers > i + 1) {
			buf_printf(&c->line, "  and %zu more", s->nworkers - i);
			put_line(c, PLAIN);
			return;
		}
		put_worker(c, columns, widths, &s->workers[i]);
	}
}

/* --- chats ---------------------------------------------------------------- */

enum {
	CHAT_COLUMNS = 10
};

static void
put_chat(struct canvas *c, const struct column *k, const int *widths,
	const struct top_sample *s, const struct live_chat *chat)
{
	char texts[6][TOP_TEXT_SHORT];
	char via[sizeof(chat->names.dialect) + sizeof(chat->names.upstream)];
	const char *const all[CHAT_COLUMNS] = { texts[0],
		live_phase_word(chat->phase), texts[1], texts[2], texts[3],
		chat->names.model, chat->names.client, via, texts[4],
		chat->names.request };

	top_text_time(texts[0], top_age_ms(s, chat));
	top_text_time(texts[1],
		chat->first_us < 0 ? -1 : (double)chat->first_us / 1000);
	top_text_count(texts[2], (double)chat->tokens);
	top_text_count(texts[3], top_speed(s, chat));
	top_text_bytes(texts[4], (double)chat->bytes);
	(void)snprintf(via, sizeof(via), "%s>%s", chat->names.dialect,
		chat->names.upstream);
	for (size_t i = 0; i < CHAT_COLUMNS; i++)
		if (widths[i] > 0)
			put_cell(c, &k[i], widths[i], all[i]);
	put_line(c, PLAIN);
}

static void
put_chats(struct canvas *c, struct top_sample *s)
{
	static const struct column columns[CHAT_COLUMNS] = {
		{ "AGE", 6, 0, true },
		{ "PHASE", 9, 0, false },
		{ "FIRST", 6, 60, true },
		{ "TOKENS", 6, 0, true },
		{ "TOK/S", 6, 60, true },
		{ "MODEL", 0, 0, false },
		{ "CLIENT", 0, 55, false },
		{ "VIA", 19, 110, false },
		{ "BYTES", 6, 90, true },
		{ "REQUEST", 28, 130, false },
	};
	const size_t first = MIN(c->look->skipped, s->nchats);
	int widths[CHAT_COLUMNS];
	size_t at = first;

	top_sample_sort(s, c->look->sort, c->look->is_reversed);
	share_width(columns, CHAT_COLUMNS, c->look->width, widths);
	if (rows_left(c) <= 0)
		return;
	for (size_t i = 0; i < CHAT_COLUMNS; i++)
		if (widths[i] > 0)
			put_cell(c, &columns[i], widths[i], columns[i].title);
	put_line(c, TITLE);
	while (at < s->nchats &&
		rows_left(c) > (at + 1 < s->nchats || s->nunlisted > 0))
		put_chat(c, columns, widths, s, &s->chats[at++]);
	if (s->nchats - at + s->nunlisted > 0 && rows_left(c) > 0) {
		buf_printf(&c->line, "  and %" PRIu64 " more",
			s->nchats - at + s->nunlisted);
		put_line(c, PLAIN);
	} else if (s->nchats == 0 && rows_left(c) > 0) {
		buf_puts(&c->line, "  no chat is under way");
		put_line(c, PLAIN);
	}
}

/* --- all of it ------------------------------------------------------------ */

static const char *const sort_words[TOP_SORTS] = {
	[TOP_BY_AGE] = "age",
	[TOP_BY_TOKENS] = "tokens",
	[TOP_BY_SPEED] = "speed",
	[TOP_BY_MODEL] = "model",
	[TOP_BY_CLIENT] = "client",
};

static void
put_help(struct canvas *c)
{
	static const char *const lines[] = { "", "q, Ctrl-C   leave",
		"p, space    stop the picture, go on",
		"s           sort by age, tokens, speed, model, client",
		"r           the other way round",
		"j k, arrows scroll the chats",
		"+ -         a longer, a shorter interval",
		"? h         this help", "" };

	for (size_t i = 0; i < ARRAY_LEN(lines) && rows_left(c) > 0; i++) {
		buf_puts(&c->line, lines[i]);
		put_line(c, PLAIN);
	}
}

static void
put_keys(struct canvas *c)
{
	const struct top_look *const l = c->look;

	while (rows_left(c) > 0)
		put_line(c, PLAIN);
	if (c->y >= l->height)
		return;
	buf_printf(&c->line, "q quit  p %s  s sort: %s%s  +- %g s  ? help",
		l->is_paused ? "go on" : "pause", sort_words[l->sort],
		l->is_reversed ? " (r)" : "", l->interval_s);
	put_line(c, TITLE);
}

void
top_draw(struct top_sample *s, const struct top_rates *r,
	const struct top_look *look, struct buf *out)
{
	struct canvas c = { .look = look, .out = out };
	struct flow f = { .c = &c };

	buf_init(&c.line, LINE_MAX_BYTES);
	if (look->has_escapes)
		buf_puts(out, "\x1b[H");
	put_status(&f, s);
	put_rates(&f, r);
	put_state(&f, s, r);
	if (look->shows_help) {
		put_help(&c);
	} else {
		put_workers(&c, s);
		put_chats(&c, s);
	}
	if (look->has_escapes)
		put_keys(&c);
	buf_fini(&c.line);
}

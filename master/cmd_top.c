/* SPDX-License-Identifier: MIT */
/*
 * cmd_top.c - `glmproxy top`: the running service in a terminal, live.
 *
 * Reads the shared memory of the processes and asks them nothing, so that it
 * shows something also when they are busy or hang.
 */
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "master/peek.h"
#include "master/service.h"
#include "master/top_draw.h"
#include "master/top_json.h"
#include "master/top_term.h"
#include "shared/sys/clock.h"
#include "shared/sys/proc.h"

#define INTERVAL_LEAST_S 0.1
#define INTERVAL_MOST_S  60.0
#define PICTURE_MAX      (16u << 20)
/* The first rates come soon. */
#define FIRST_MS 300

struct top {
	const struct cli *cli;
	struct service service;
	struct peek peek;
	struct top_sample *samples[2]; /* older, newer */
	struct top_rates rates;
	struct top_look look;
	bool once, as_json;
	bool is_over;
};

/* --- options -------------------------------------------------------------- */

static int
take_interval(struct top *t, const char *text)
{
	char *end;
	const double s = strtod(text, &end);

	if (end == text || *end != '\0' || !(s >= INTERVAL_LEAST_S) ||
		!(s <= INTERVAL_MOST_S))
		return cli_usage(t->cli,
			"--interval takes seconds, 0.1 to 60, not %.32s", text);
	t->look.interval_s = s;
	return EXIT_DONE;
}

static int
take_options(struct top *t)
{
	const struct cli *const cli = t->cli;

	for (size_t i = 0; i < cli->nargs; i++) {
		const char *const word = cli->args[i];
		const bool is_interval = strcmp(word, "--interval") == 0;
		int code = EXIT_DONE;

		if (strcmp(word, "--once") == 0)
			t->once = true;
		else if (strcmp(word, "--json") == 0)
			t->as_json = true;
		else if (!is_interval)
			code = cli_usage(cli, "unknown %s %s",
				word[0] == '-' ? "option" : "argument", word);
		else if (i + 1 == cli->nargs)
			code = cli_usage(cli, "--interval needs a value");
		else
			code = take_interval(t, cli->args[i + 1]);
		if (code != EXIT_DONE)
			return code;
		i += is_interval;
	}
	if (t->as_json && !t->once)
		return cli_usage(cli, "--json needs --once");
	return EXIT_DONE;
}

/* spec: no-color.org: any value but the empty one */
static bool
may_color(void)
{
	const char *const no = getenv("NO_COLOR");

	return no == NULL || no[0] == '\0';
}

/* --- samples -------------------------------------------------------------- */

static int
say(const struct gp_error *err)
{
	static const struct {
		enum gp_code code;
		int exit;
	} exits[] = {
		{ GP_E_STATE, EXIT_DENIED },
		{ GP_E_SCHEMA, EXIT_OTHER_VERSION },
		{ GP_E_UNSUPPORTED, EXIT_USAGE },
	};

	(void)fprintf(stderr, "glmproxy top: %s\n", err->text);
	for (size_t i = 0; i < ARRAY_LEN(exits); i++)
		if (exits[i].code == err->code)
			return exits[i].exit;
	return EXIT_FAILED;
}

static void
take_sample(struct top *t)
{
	struct top_sample *const older = t->samples[0];
	const bool is_first = t->rates.seconds <= 0;

	t->samples[0] = t->samples[1];
	t->samples[1] = older;
	top_sample_take(t->samples[1], t->peek.shm);
	top_compare(is_first ? NULL : t->samples[0], t->samples[1], &t->rates);
}

/* The memory may be another one since: after an upgrade to a version that keeps
 * it differently. */
static enum gp_code
look_again(struct top *t, struct gp_error *err)
{
	if (!peek_is_current(&t->peek)) {
		peek_close(&t->peek);
		if (peek_open(&t->peek, t->service.pid, err) != GP_OK)
			return err->code;
		t->rates.seconds = 0;
	}
	take_sample(t);
	return GP_OK;
}

/* --- once ----------------------------------------------------------------- */

static void
wait_s(double s)
{
	struct timespec left = { .tv_sec = (time_t)s };

	left.tv_nsec = (long)((s - (double)left.tv_sec) * 1e9);
	while (nanosleep(&left, &left) != 0)
		;
}

/* Of a terminal its width; else what everything needs. */
static int
line_width(void)
{
	struct winsize size = { .ws_col = 0 };

	if (isatty(STDOUT_FILENO) != 0 &&
		ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col;
	return 160;
}

static int
print_once(struct top *t)
{
	struct gp_error err;
	struct buf out;
	size_t n;

	take_sample(t);
	wait_s(t->look.interval_s);
	if (look_again(t, &err) != GP_OK)
		return say(&err);
	buf_init(&out, PICTURE_MAX);
	t->look.width = line_width();
	if (t->as_json)
		top_json(t->samples[1], &t->rates, t->look.pid, &out);
	else
		top_draw(t->samples[1], &t->rates, &t->look, &out);
	n = fwrite(buf_span(&out).p, 1, buf_len(&out), stdout);
	n -= buf_len(&out);
	buf_fini(&out);
	return n == 0 && fflush(stdout) == 0 ? EXIT_DONE : EXIT_FAILED;
}

/* --- live ----------------------------------------------------------------- */

static bool
show(struct top *t)
{
	struct buf out;
	bool ok;

	top_term_size(&t->look.width, &t->look.height);
	buf_init(&out, PICTURE_MAX);
	top_draw(t->samples[1], &t->rates, &t->look, &out);
	ok = top_term_write(buf_span(&out));
	buf_fini(&out);
	return ok;
}

static void
scroll(struct top *t, int by)
{
	const size_t most =
		t->samples[1]->nchats > 0 ? t->samples[1]->nchats - 1 : 0;

	if (by < 0)
		t->look.skipped -= MIN(t->look.skipped, 1);
	else
		t->look.skipped = MIN(t->look.skipped + 1, most);
}

/* Half as long, or twice. */
static void
stretch(struct top *t, double by)
{
	t->look.interval_s = MIN(MAX(t->look.interval_s * by, INTERVAL_LEAST_S),
		INTERVAL_MOST_S);
}

static void
obey(struct top *t, int key)
{
	struct top_look *const l = &t->look;

	switch (key) {
	case 'q':
	case 'Q':
	case TOP_KEY_END:
	case TOP_KEY_GONE:
		t->is_over = true;
		break;
	case 'p':
	case ' ':
		l->is_paused = !l->is_paused;
		break;
	case 's':
		l->sort = (enum top_sort)((l->sort + 1) % TOP_SORTS);
		break;
	case 'r':
		l->is_reversed = !l->is_reversed;
		break;
	case 'h':
	case '?':
		l->shows_help = !l->shows_help;
		break;
	case 'j':
	case TOP_KEY_DOWN:
		scroll(t, 1);
		break;
	case 'k':
	case TOP_KEY_UP:
		scroll(t, -1);
		break;
	case '+':
		stretch(t, 2);
		break;
	case '-':
		stretch(t, 0.5);
		break;
	default:
		break;
	}
}

static int64_t
interval_ms(const struct top *t)
{
	return (int64_t)(t->look.interval_s * 1000);
}

/* The message, if any, comes when the terminal is as it was. */
static enum gp_code
watch(struct top *t, struct gp_error *err)
{
	int64_t next_ms = clock_mono_ms() + MIN(FIRST_MS, interval_ms(t));
	enum gp_code rc = GP_OK;

	take_sample(t);
	while (rc == GP_OK && !t->is_over) {
		const int64_t now_ms = clock_mono_ms();

		if (now_ms >= next_ms) {
			if (!t->look.is_paused)
				rc = look_again(t, err);
			next_ms = now_ms + interval_ms(t);
		}
		if (rc == GP_OK && !show(t))
			break;
		if (rc == GP_OK)
			obey(t,
				top_term_key(MIN(MAX(next_ms - now_ms, 0),
					interval_ms(t))));
	}
	return rc;
}

static int
watch_in_terminal(struct top *t)
{
	struct gp_error err;
	enum gp_code rc = top_term_open(&err);
	int signal_number;

	if (rc != GP_OK)
		return say(&err);
	t->look.has_escapes = true;
	rc = watch(t, &err);
	top_term_close();
	if (rc != GP_OK)
		return say(&err);
	signal_number = top_term_signal();
	/* Ctrl-C is a way to leave; what others sent ends it as it should. */
	if (signal_number != 0 && signal_number != SIGINT) {
		proc_signals_reset();
		(void)raise(signal_number);
	}
	return EXIT_DONE;
}

int
cmd_top(struct cli *cli)
{
	struct top t = { .cli = cli, .look = { .interval_s = 1 } };
	struct gp_error err;
	int code = take_options(&t);

	if (code != EXIT_DONE)
		return code;
	if (!service_need(cli, &t.service))
		return EXIT_FAILED;
	if (peek_open(&t.peek, t.service.pid, &err) != GP_OK)
		return say(&err);
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread */
	t.look.is_utf8 = setlocale(LC_CTYPE, "") != NULL &&
		strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	t.look.has_color = may_color();
	t.look.pid = (long)t.service.pid;
	t.samples[0] = top_sample_new();
	t.samples[1] = top_sample_new();
	code = t.once ? print_once(&t) : watch_in_terminal(&t);
	free(t.samples[0]);
	free(t.samples[1]);
	peek_close(&t.peek);
	return code;
}

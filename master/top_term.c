/* SPDX-License-Identifier: MIT */
/* top_term.c - the terminal while `glmproxy top` has it. */
#include "master/top_term.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "shared/base/check.h"
#include "shared/sys/proc.h"

/* Another screen, no cursor, no line breaks of the terminal's own; and back. */
#define TAKE "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J"
#define GIVE "\x1b[?7h\x1b[?25h\x1b[0m\x1b[?1049l"

static const int ends[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

static struct {
	struct termios before;
	bool is_ours;
	int signal; /* the last one of `ends` */
	unsigned char keys[64];
	size_t nkeys, at;
} term;

bool
top_term_write(struct span s)
{
	while (s.n > 0) {
		const ssize_t n = write(STDOUT_FILENO, s.p, s.n);

		if (n < 0 && errno != EINTR)
			return false;
		s = span_from(s, (size_t)MAX(n, 0));
	}
	return true;
}

static bool
take(void)
{
	struct termios raw = term.before;

	/* Ctrl-C and Ctrl-Z stay signals. */
	raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
	raw.c_cc[VMIN] = 0;
	raw.c_cc[VTIME] = 0;
	if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw) != 0)
		return false;
	term.is_ours = true;
	return top_term_write(SPAN(TAKE));
}

void
top_term_close(void)
{
	if (!term.is_ours)
		return;
	term.is_ours = false;
	/* If the terminal is gone, nobody misses it. */
	if (top_term_write(SPAN(GIVE)))
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &term.before);
}

/* A bug: its last words are to be read. */
static void
on_bug(const char *words)
{
	(void)words;
	top_term_close();
}

enum gp_code
top_term_open(struct gp_error *err)
{
	static const int others[] = { SIGWINCH, SIGTSTP };
	const char *const kind = getenv("TERM");

	if (isatty(STDIN_FILENO) == 0 || isatty(STDOUT_FILENO) == 0 ||
		tcgetattr(STDIN_FILENO, &term.before) != 0)
		return gp_fail(err, GP_E_UNSUPPORTED,
			"standard input and output are no terminal: use "
			"--once");
	if (kind == NULL || kind[0] == '\0' || strcmp(kind, "dumb") == 0)
		return gp_fail(err, GP_E_UNSUPPORTED,
			"this terminal can only write lines (TERM=%s): use "
			"--once",
			kind == NULL ? "" : "dumb");
	proc_signals_watch(ends, ARRAY_LEN(ends));
	proc_signals_watch(others, ARRAY_LEN(others));
	check_set_hook(on_bug);
	if (take())
		return GP_OK;
	top_term_close();
	return gp_fail(err, GP_E_SYSTEM, "the terminal cannot be used");
}

void
top_term_size(int *width, int *height)
{
	struct winsize size = { .ws_col = 0 };

	(void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	*width = size.ws_col > 0 ? MIN(size.ws_col, 1000) : 80;
	*height = size.ws_row > 0 ? MIN(size.ws_row, 1000) : 24;
}

/* --- keys ----------------------------------------------------------------- */

static void
stop(void)
{
	top_term_close();
	(void)raise(SIGSTOP);
	/* Here somebody has let it go on. */
	(void)take();
}

static int
look_at_signals(void)
{
	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		if (proc_signal_take(ends[i])) {
			term.signal = ends[i];
			return TOP_KEY_END;
		}
	if (proc_signal_take(SIGTSTP)) {
		stop();
		return TOP_KEY_RESIZE;
	}
	return proc_signal_take(SIGWINCH) ? TOP_KEY_RESIZE : TOP_KEY_NONE;
}

/* Arrows are ESC [ A or ESC O A; other sequences are passed over. */
static int
take_sequence(void)
{
	int last = 0;

	if (term.at < term.nkeys &&
		(term.keys[term.at] == '[' || term.keys[term.at] == 'O'))
		term.at++;
	else
		return TOP_KEY_NONE;
	while (term.at < term.nkeys && last < '@')
		last = term.keys[term.at++];
	return last == 'A'  ? TOP_KEY_UP :
		last == 'B' ? TOP_KEY_DOWN :
			      TOP_KEY_NONE;
}

static int
take_key(void)
{
	const int key = term.keys[term.at++];

	return key == 0x1b ? take_sequence() : key >= ' ' ? key : TOP_KEY_NONE;
}

int
top_term_key(int64_t wait_ms)
{
	const struct timespec ts = { .tv_sec = wait_ms / 1000,
		.tv_nsec = wait_ms % 1000 * 1000000 };
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	sigset_t none;
	ssize_t n;

	if (term.at < term.nkeys)
		return take_key();
	(void)sigemptyset(&none);
	/* Signals come in here and nowhere else. */
	n = ppoll(&in, 1, &ts, &none);
	if (n <= 0)
		return look_at_signals();
	n = read(STDIN_FILENO, term.keys, sizeof(term.keys));
	if (n <= 0)
		return n < 0 && errno == EINTR ? TOP_KEY_NONE : TOP_KEY_GONE;
	term.nkeys = (size_t)n;
	term.at = 0;
	return take_key();
}

int
top_term_signal(void)
{
	return term.signal;
}

/* SPDX-License-Identifier: MIT */
/* main.c - command line, listeners and processes of the stand-in upstream. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/http/url.h"
#include "shared/sys/ev.h"
#include "shared/sys/proc.h"
#include "shared/sys/sock.h"
#include "tests/upstream/conn.h"
#include "tests/upstream/scenario.h"
#include "tests/upstream/standin.h"

#define ACCEPTS_A_TURN 64
#define PROCESSES_MAX  64

struct standin standin;

struct listener {
	struct ev_io io;
	int fd;
	struct tls_server *tls; /* NULL: plain */
};

static struct listener listeners[STANDIN_LISTENERS_MAX];
static struct tls_server *tls;

_Noreturn static void
die(const char *what, const char *why)
{
	(void)fprintf(stderr, "standin: %s: %s\n", what, why);
	exit(2); /* NOLINT(concurrency-mt-unsafe) */
}

_Noreturn static void
die_errno(const char *what)
{
	char why[128];

	die(what, strerror_r(errno, why, sizeof(why)));
}

/* --- command line ------------------------------------------------------------
 */

static const struct {
	const char *name;
	size_t at; /* in struct options */

	enum {
		FLAG,
		WORD,
		NUMBER
	} kind;
} arguments[] = {
	{ "--quiet", offsetof(struct options, is_quiet), FLAG },
	{ "--lax-headers", offsetof(struct options, has_lax_headers), FLAG },
	{ "--no-validate", offsetof(struct options, has_no_checks), FLAG },
	{ "--record", offsetof(struct options, record_dir), WORD },
	{ "--default-scenario", offsetof(struct options, default_scenario),
		WORD },
	{ "--tls-cert", offsetof(struct options, tls_cert), WORD },
	{ "--tls-key", offsetof(struct options, tls_key), WORD },
	{ "--keep", offsetof(struct options, keep), NUMBER },
	{ "--idle-ms", offsetof(struct options, idle_ms), NUMBER },
	{ "--max-body", offsetof(struct options, max_body), NUMBER },
	{ "--processes", offsetof(struct options, processes), NUMBER },
};

static void
set_argument(const char *name, const char *value, bool *used)
{
	for (size_t i = 0; i < ARRAY_LEN(arguments); i++) {
		char *member = (char *)&standin.options + arguments[i].at;

		if (strcmp(name, arguments[i].name) != 0)
			continue;
		*used = arguments[i].kind != FLAG;
		if (*used && value == NULL)
			die(name, "wants a value");
		if (arguments[i].kind == FLAG)
			*(bool *)member = true;
		else if (arguments[i].kind == WORD)
			memcpy(member, &value, sizeof(value));
		else if (!span_u64(
				 span_cstr(value), (uint64_t *)(void *)member))
			die(name, "wants a number");
		return;
	}
	die(name, "unknown option");
}

static bool
set_list(const char *name, const char *value)
{
	struct options *o = &standin.options;
	bool is_plain = strcmp(name, "--plain-listen") == 0;

	if (strcmp(name, "--model") == 0) {
		if (value == NULL || o->nmodels == STANDIN_MODELS_MAX)
			die(name, "wants a value, at most 16 times");
		o->models[o->nmodels++] = value;
		return true;
	}
	if (!is_plain && strcmp(name, "--listen") != 0)
		return false;
	if (value == NULL || o->nlisten == STANDIN_LISTENERS_MAX)
		die(name, "wants a value, at most 16 times");
	o->listen[o->nlisten].where = value;
	o->listen[o->nlisten++].is_plain = is_plain;
	return true;
}

static void
read_arguments(int argc, char **argv)
{
	struct options *o = &standin.options;

	o->keep = 1000;
	o->max_body = STANDIN_BODY_MAX;
	o->default_scenario = "text";
	o->processes = 1;
	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : NULL;
		bool used = true;

		if (!set_list(argv[i], value))
			set_argument(argv[i], value, &used);
		i += used;
	}
	if (o->nlisten == 0)
		die("--listen", "missing");
	if ((o->tls_cert == NULL) != (o->tls_key == NULL))
		die("--tls-cert", "wants --tls-key too");
	if (o->processes < 1 || o->processes > PROCESSES_MAX)
		die("--processes", "1 to 64");
}

static void
check_default_scenario(void)
{
	struct arena arena;
	struct scenario s;
	struct gp_error err;

	arena_init(&arena);
	scenario_set_default(span_cstr(standin.options.default_scenario));
	if (scenario_parse(&s, &arena, scenario_default(), &err) != GP_OK)
		die("--default-scenario", err.text);
	arena_fini(&arena);
}

/* --- listeners
 * ----------------------------------------------------------------- */

static void
on_listener(struct ev_io *io, unsigned what)
{
	struct listener *l = CONTAINER_OF(io, struct listener, io);
	int most = standin.options.processes > 1 ? 1 : ACCEPTS_A_TURN;

	(void)what;
	for (int i = 0; i < most; i++) {
		struct sock_addr peer;
		int fd = sock_accept(l->fd, &peer);

		if (fd < 0)
			return;
		conn_start(l->io.ev, fd, l->tls);
	}
	if (most > 1)
		return;
	/* To the end of the kernel's queue of waiters: the processes take
	 * turns, else the first one gets nearly all. */
	ev_io_stop(&l->io);
	ev_io_start(&l->io, l->fd, EV_READ);
}

static void
open_listener(size_t i)
{
	struct listener *l = &listeners[i];
	struct span host;
	uint16_t port;
	bool is_unix;
	struct gp_error err;
	struct sock_addr addr;
	char text[SOCK_TEXT_MAX];
	const char *where = standin.options.listen[i].where;

	if (url_parse_listen(span_cstr(where), &host, &port, &is_unix, &err) !=
		GP_OK)
		die(where, err.text);
	l->fd = sock_listen(host, port, is_unix, 0660, &err);
	if (l->fd < 0)
		die(where, err.text);
	l->tls = standin.options.listen[i].is_plain ? NULL : tls;
	if (!sock_local_addr(l->fd, &addr))
		die_errno(where);
	sock_addr_text(&addr, text);
	(void)printf("standin listening on %s (%s)\n", text,
		l->tls == NULL ? "plain" : "tls");
	(void)fflush(stdout);
}

/* --- processes
 * ------------------------------------------------------------------- */

static void
serve(void)
{
	static const int signals[] = { SIGTERM, SIGINT };
	struct ev *ev;

	proc_signals_watch(signals, ARRAY_LEN(signals));
	ev = ev_new();
	for (size_t i = 0; i < standin.options.nlisten; i++) {
		ev_io_init(&listeners[i].io, ev, on_listener);
		listeners[i].io.is_exclusive = standin.options.processes > 1;
		ev_io_start(&listeners[i].io, listeners[i].fd, EV_READ);
	}
	while (!proc_signal_take(SIGTERM) && !proc_signal_take(SIGINT))
		ev_turn(ev, -1);
}

/* The parent only waits, and ends all when it is ended itself. */
static int
serve_in_many(void)
{
	pid_t pids[PROCESSES_MAX];
	sigset_t set;
	int got;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGCHLD);
	(void)pthread_sigmask(SIG_BLOCK, &set, NULL);
	for (uint64_t i = 0; i < standin.options.processes; i++) {
		pids[i] = fork();
		if (pids[i] < 0)
			die_errno("fork");
		if (pids[i] == 0) {
			(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
			if (tls != NULL)
				tls_server_forked(tls);
			serve();
			exit(0); /* NOLINT(concurrency-mt-unsafe) */
		}
	}
	(void)sigwait(&set, &got);
	for (uint64_t i = 0; i < standin.options.processes; i++)
		(void)kill(pids[i], SIGTERM);
	while (wait(NULL) > 0)
		;
	return got == SIGCHLD ? 1 : 0;
}

int
main(int argc, char **argv)
{
	struct options *o = &standin.options;
	struct gp_error err;

	read_arguments(argc, argv);
	check_default_scenario();
	(void)proc_max_files();
	if (o->tls_cert != NULL) {
		tls = tls_server_new(o->tls_cert, o->tls_key, &err);
		if (tls == NULL)
			die("TLS", err.text);
	}
	for (size_t i = 0; i < o->nlisten; i++)
		open_listener(i);
	if (o->processes > 1)
		return serve_in_many();
	serve();
	return 0;
}

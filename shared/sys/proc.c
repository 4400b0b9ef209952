/* SPDX-License-Identifier: MIT */
/* proc.c - what a process does to itself. */
#include "shared/sys/proc.h"

#include <errno.h>
#include <grp.h>
#include <pthread.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include "shared/base/check.h"
#include "shared/base/span.h"
#include "shared/sys/log.h"

/* --- title ---------------------------------------------------------------- */

/* Where the kernel looks for the command line; n == 0: nowhere. */
static struct {
	char *at;
	size_t n;
} title;

/* The copies, also of variables that have been unset since: they live as long
 * as the process, and leak checkers see that they are known. */
static char **copies;
static size_t ncopies;

static char *
copy(const char *s)
{
	copies = reallocarray(copies, ncopies + 1, sizeof(*copies));
	if (copies == NULL)
		fatal(1, "memory");
	copies[ncopies] = strdup(s);
	if (copies[ncopies] == NULL)
		fatal(1, "memory");
	return copies[ncopies++];
}

/* Grow the title's room by the strings that lie right behind it, and replace
 * them by copies. */
static void
take_strings(char **v)
{
	for (; *v != NULL; v++) {
		char *const s = *v;
		const size_t n = strlen(s) + 1;

		if (s != title.at + title.n)
			return;
		*v = copy(s);
		title.n += n;
		explicit_bzero(s, n);
	}
}

void
proc_title_init(int argc, char **argv)
{
	if (argc < 1)
		return;
	title.at = argv[0];
	take_strings(argv);
	take_strings(environ);
	proc_title("%s", argv[0]);
}

void
proc_title(const char *fmt, ...)
{
	char text[256];
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	if (title.n == 0)
		return;
	n = MIN(strlen(text), title.n - 1);
	memcpy(title.at, text, n);
	memset(title.at + n, 0, title.n - n);
}

/* --- limits and privileges ------------------------------------------------ */

void
proc_no_core(void)
{
	const struct rlimit none = { 0, 0 };

	if (prctl(PR_SET_DUMPABLE, 0) != 0 ||
		setrlimit(RLIMIT_CORE, &none) != 0)
		log_warn("core dumps cannot be turned off");
}

uint64_t
proc_max_files(void)
{
	struct rlimit files = { 0, 0 };
	rlim_t before;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0)
		return 0;
	before = files.rlim_cur;
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files) != 0)
		return before;
	return files.rlim_cur;
}

static enum gp_code
drop_to(const char *user, uid_t uid, gid_t gid, struct gp_error *err)
{
	char reason[128];

	/* Groups first: without root they can no longer be changed. */
	if (setgroups(0, NULL) != 0 || setresgid(gid, gid, gid) != 0 ||
		setresuid(uid, uid, uid) != 0)
		return gp_fail(err, GP_E_SYSTEM, "become user %s: %s", user,
			strerror_r(errno, reason, sizeof(reason)));
	if (uid != 0 && setuid(0) == 0)
		return gp_fail(err, GP_E_SYSTEM,
			"become user %s: root could be had back", user);
	return GP_OK;
}

enum gp_code
proc_drop(const char *user, const char *group, struct gp_error *err)
{
	char room[4096];
	struct passwd pw;
	struct passwd *pwp = NULL;
	struct group gr;
	struct group *grp = NULL;
	gid_t gid;

	if (geteuid() != 0 || user[0] == '\0')
		return GP_OK;
	if (getpwnam_r(user, &pw, room, sizeof(room), &pwp) != 0 || pwp == NULL)
		return gp_fail(err, GP_E_SYSTEM, "no user %s", user);
	gid = pw.pw_gid;
	if (group[0] != '\0') {
		if (getgrnam_r(group, &gr, room, sizeof(room), &grp) != 0 ||
			grp == NULL)
			return gp_fail(err, GP_E_SYSTEM, "no group %s", group);
		gid = gr.gr_gid;
	}
	return drop_to(user, pw.pw_uid, gid, err);
}

void
proc_random(void *out, size_t n)
{
	char *at = out;

	while (n > 0) {
		const ssize_t got = getrandom(at, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			fatal(1, "no random bytes from the kernel");
		at += got;
		n -= (size_t)got;
	}
}

/* --- signals -------------------------------------------------------------- */

static volatile sig_atomic_t flags[NSIG];
static bool is_watched[NSIG];

static void
set_handler(int signal, void (*handler)(int))
{
	struct sigaction sa = { .sa_handler = handler };

	(void)sigemptyset(&sa.sa_mask);
	GP_ASSERT(sigaction(signal, &sa, NULL) == 0);
}

static void
raise_flag(int signal)
{
	flags[signal] = 1;
}

void
proc_signals_watch(const int *signals, size_t n)
{
	sigset_t set;

	(void)sigemptyset(&set);
	for (size_t i = 0; i < n; i++)
		(void)sigaddset(&set, signals[i]);
	/* Blocked first: a handler must not run outside of the loop's wait. */
	GP_ASSERT(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
	for (size_t i = 0; i < n; i++) {
		is_watched[signals[i]] = true;
		set_handler(signals[i], raise_flag);
	}
	set_handler(SIGPIPE, SIG_IGN);
}

bool
proc_signal_take(int signal)
{
	/* No delivery can come between the two: signals are blocked. */
	if (!flags[signal])
		return false;
	flags[signal] = 0;
	return true;
}

void
proc_signals_bequeath(void)
{
	for (int i = 1; i < NSIG; i++)
		if (is_watched[i] && flags[i] != 0)
			(void)kill(getpid(), i);
}

void
proc_signals_reset(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	for (int i = 1; i < NSIG; i++) {
		if (!is_watched[i])
			continue;
		set_handler(i, SIG_DFL);
		is_watched[i] = false;
		flags[i] = 0;
		(void)sigaddset(&set, i);
	}
	GP_ASSERT(pthread_sigmask(SIG_UNBLOCK, &set, NULL) == 0);
}

/* SPDX-License-Identifier: MIT */
/* handover.c - what one image of the program leaves to the next. */
#include "master/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/sys/log.h"

/* Far above what 160 children, 32 listeners and the keys need. It is allocated
 * at once, so that no copy of a secret stays behind. */
#define TEXT_MAX 65536
#define SEALS    (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

void
handover_init(struct handover *h)
{
	*h = (struct handover){ .shm_fd = -1,
		.lock_fd = -1,
		.pid_fd = -1,
		.dead_pipe = { -1, -1 } };
}

void
handover_fini(struct handover *h)
{
	for (size_t i = 0; i < h->nkept; i++)
		free(h->kept[i]);
	h->nkept = 0;
}

/* --- writing: entries "word fields", each with its NUL -------------------- */

static void
put_state(struct buf *b, const struct handover *h)
{
	buf_printf(b, "shm %d%c", h->shm_fd, 0);
	buf_printf(b, "lock %d%c", h->lock_fd, 0);
	buf_printf(b, "pidfile %d%c", h->pid_fd, 0);
	buf_printf(b, "dead %d %d%c", h->dead_pipe[0], h->dead_pipe[1], 0);
	for (size_t i = 0; i < h->listeners.n; i++) {
		const struct listener *const l = &h->listeners.v[i];

		buf_printf(b, "listener %s %d %s%c", listen_port_name(l->port),
			l->fd, l->text, 0);
	}
	for (size_t i = 0; i < h->nchildren; i++) {
		const struct handover_child *const c = &h->children[i];

		buf_printf(b, "child %d %u %d %d %" PRId64 "%c", (int)c->role,
			c->number, (int)c->pid, c->slot, c->kill_at_ms, 0);
	}
	for (size_t i = 0; i < h->nkept; i++)
		buf_printf(b, "kept %s%c", h->kept[i], 0);
	if (h->is_drained)
		buf_printf(b, "drained%c", 0);
}

static bool
write_all(int fd, struct span s)
{
	while (s.n > 0) {
		const ssize_t n = write(fd, s.p, s.n);

		if (n <= 0)
			return false;
		s = span_from(s, (size_t)n);
	}
	return true;
}

int
handover_save(
	const struct handover *h, const struct sources *s, struct gp_error *err)
{
	struct buf b;
	int fd;
	bool is_good;

	buf_init(&b, TEXT_MAX);
	is_good = buf_reserve(&b, TEXT_MAX) != NULL;
	if (h != NULL)
		put_state(&b, h);
	if (!secret_is_none(&s->env_key)) {
		buf_puts(&b, "key ");
		secret_put(&s->env_key, &b);
		buf_putc(&b, '\0');
	}
	fd = memfd_create("handover", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	is_good = is_good && !b.bad && fd >= 0 && write_all(fd, buf_span(&b)) &&
		lseek(fd, 0, SEEK_SET) == 0 &&
		fcntl(fd, F_ADD_SEALS, SEALS) == 0;
	if (b.data != NULL)
		explicit_bzero(b.data, b.cap);
	buf_fini(&b);
	if (is_good)
		return fd;
	(void)gp_fail(err, GP_E_SYSTEM, "hand-over: %s", strerror(errno));
	if (fd >= 0)
		(void)close(fd);
	return -1;
}

enum gp_code
handover_announce(int fd, pid_t pid, struct gp_error *err)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "%d:%ld", fd, (long)pid);
	if (fcntl(fd, F_SETFD, 0) != 0 ||
		setenv(HANDOVER_VARIABLE, text, 1) != 0)
		return gp_fail(
			err, GP_E_SYSTEM, "hand-over: %s", strerror(errno));
	return GP_OK;
}

/* --- reading -------------------------------------------------------------- */

/* The next field as a number; -1 where that is not one. */
static int64_t
number(struct span *rest)
{
	struct span field;
	uint64_t v;

	if (!span_split(rest, ' ', &field) || !span_u64(field, &v) ||
		v > INT64_MAX)
		return -1;
	return (int64_t)v;
}

static int
descriptor(struct span *rest)
{
	const int64_t v = number(rest);

	if (v < 0 || v > INT32_MAX || fcntl((int)v, F_SETFD, FD_CLOEXEC) != 0)
		return -1;
	return (int)v;
}

static void
take_listener(struct handover *h, struct span rest)
{
	struct span port = SPAN_EMPTY;
	int fd;

	(void)span_split(&rest, ' ', &port);
	fd = descriptor(&rest);
	if (fd >= 0)
		listeners_inherit(&h->listeners, fd,
			span_eq(port, SPAN("admin")) ? LISTEN_ADMIN :
						       LISTEN_PROXY,
			rest);
}

static void
take_child(struct handover *h, struct span rest)
{
	const int64_t role = number(&rest);
	const int64_t n = number(&rest);
	const int64_t pid = number(&rest);
	const int64_t slot = number(&rest);
	const int64_t kill_at_ms = number(&rest);

	if ((role != SHM_WORKER && role != SHM_ADMIN) || n < 0 || pid <= 0 ||
		pid > INT32_MAX || h->nchildren == ARRAY_LEN(h->children))
		return;
	h->children[h->nchildren++] = (struct handover_child){
		.role = (enum shm_role)role,
		.number = (unsigned)n,
		.pid = (pid_t)pid,
		.slot = slot >= 0 && slot < SHM_SLOTS ? (int)slot : -1,
		.kill_at_ms = MAX(kill_at_ms, 0),
	};
}

static void
take_kept(struct handover *h, struct span rest)
{
	char *text;

	if (h->nkept == ARRAY_LEN(h->kept))
		return;
	text = strndup(rest.p, rest.n);
	if (text == NULL)
		fatal(1, "memory");
	h->kept[h->nkept++] = text;
}

static void
take_entry(struct handover *h, struct sources *s, struct span rest)
{
	struct span word = SPAN_EMPTY;

	(void)span_split(&rest, ' ', &word);
	if (span_eq(word, SPAN("key"))) {
		if (!secret_set(&s->env_key, rest))
			log_warnx("a key that was handed over is unusable");
	} else if (span_eq(word, SPAN("shm"))) {
		h->shm_fd = descriptor(&rest);
	} else if (span_eq(word, SPAN("lock"))) {
		h->lock_fd = descriptor(&rest);
	} else if (span_eq(word, SPAN("pidfile"))) {
		h->pid_fd = descriptor(&rest);
	} else if (span_eq(word, SPAN("dead"))) {
		h->dead_pipe[0] = descriptor(&rest);
		h->dead_pipe[1] = descriptor(&rest);
	} else if (span_eq(word, SPAN("listener"))) {
		take_listener(h, rest);
	} else if (span_eq(word, SPAN("child"))) {
		take_child(h, rest);
	} else if (span_eq(word, SPAN("kept"))) {
		take_kept(h, rest);
	} else if (span_eq(word, SPAN("drained"))) {
		h->is_drained = true;
	}
}

/* The number of the memfd, or -1. */
static int
announced(void)
{
	const char *const value = getenv(HANDOVER_VARIABLE);
	struct span rest = value != NULL ? span_cstr(value) : SPAN_EMPTY;
	struct span field;
	uint64_t fd;
	uint64_t pid;

	if (!span_split(&rest, ':', &field) || !span_u64(field, &fd) ||
		fd > INT32_MAX || !span_u64(rest, &pid) ||
		pid != (uint64_t)getpid())
		return -1;
	/* Only what was sealed can be trusted to be ours. */
	return fcntl((int)fd, F_GET_SEALS) == SEALS ? (int)fd : -1;
}

bool
handover_take(struct handover *h, struct sources *s)
{
	const int fd = announced();
	struct span rest;
	struct span entry;
	char *text;
	ssize_t n;

	handover_init(h);
	(void)unsetenv(HANDOVER_VARIABLE);
	if (fd < 0)
		return false;
	text = calloc(1, TEXT_MAX + 1);
	if (text == NULL)
		fatal(1, "memory");
	n = pread(fd, text, TEXT_MAX, 0);
	(void)close(fd);
	rest = span_of(text, n > 0 ? (size_t)n : 0);
	while (span_split(&rest, '\0', &entry))
		take_entry(h, s, entry);
	explicit_bzero(text, TEXT_MAX);
	free(text);
	return n > 0;
}

/* SPDX-License-Identifier: MIT */
/* fdstore.c - descriptors that the service manager keeps for us. */
#include "master/fdstore.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "master/notify.h"

#define FIRST_FD 3
/* More than are ever stored. */
#define FDS_MOST 64

/* Names under which ours are stored; sockets of a socket unit have others. */
#define STORED_PROXY  "storedproxy"
#define STORED_ADMIN  "storedadmin"
#define STORED_MEMORY "storedmemory"

static void
take_socket(struct listeners *l, int fd, struct span name)
{
	char text[SOCK_TEXT_MAX];
	struct sock_addr a;
	const bool is_stored = span_eq(name, SPAN(STORED_PROXY)) ||
		span_eq(name, SPAN(STORED_ADMIN));
	const bool is_admin = span_eq(name, SPAN("admin")) ||
		span_eq(name, SPAN(STORED_ADMIN));

	(void)snprintf(text, sizeof(text), LISTEN_MANAGED);
	if (is_stored && sock_local_addr(fd, &a))
		sock_addr_text(&a, text);
	listeners_inherit(
		l, fd, is_admin ? LISTEN_ADMIN : LISTEN_PROXY, span_cstr(text));
}

static void
take_memory(int fd, int *memory_fd)
{
	if (*memory_fd >= 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
		(void)close(fd);
	else
		*memory_fd = fd;
}

static bool
number_variable(const char *name, uint64_t *out)
{
	const char *const value = getenv(name);

	return value != NULL && span_u64(span_cstr(value), out);
}

void
fdstore_take(struct listeners *l, int *memory_fd)
{
	uint64_t pid = 0;
	uint64_t n = 0;
	const char *const names = getenv("LISTEN_FDNAMES");
	struct span rest = names != NULL ? span_cstr(names) : SPAN_EMPTY;

	if (number_variable("LISTEN_PID", &pid) && pid == (uint64_t)getpid() &&
		number_variable("LISTEN_FDS", &n)) {
		n = MIN(n, FDS_MOST);
		for (int fd = FIRST_FD; fd < FIRST_FD + (int)n; fd++) {
			struct span name = SPAN_EMPTY;

			(void)span_split(&rest, ':', &name);
			if (span_eq(name, SPAN(STORED_MEMORY)))
				take_memory(fd, memory_fd);
			else
				take_socket(l, fd, name);
		}
	}
	(void)unsetenv("LISTEN_PID");
	(void)unsetenv("LISTEN_FDS");
	(void)unsetenv("LISTEN_FDNAMES");
}

void
fdstore_keep(const struct listeners *l, int memory_fd)
{
	/* First what there is no other way to get back, should the manager have
	 * no room for all. */
	notify_forget_fds(STORED_MEMORY);
	notify_store_fd(STORED_MEMORY, memory_fd);
	notify_forget_fds(STORED_PROXY);
	notify_forget_fds(STORED_ADMIN);
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->v[i].text, LISTEN_MANAGED) != 0 &&
			!listener_is_unix(&l->v[i]))
			notify_store_fd(l->v[i].port == LISTEN_ADMIN ?
					STORED_ADMIN :
					STORED_PROXY,
				l->v[i].fd);
}

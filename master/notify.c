/* SPDX-License-Identifier: MIT */
/* notify.c - datagrams to the service manager. */
#include "master/notify.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "shared/base/span.h"
#include "shared/sys/log.h"

#define MESSAGE_MAX 512

static struct {
	int fd; /* 0: nobody listens */
	struct sockaddr_un to;
	socklen_t to_len;
	int64_t every_ms; /* 0: no watchdog */
	int64_t due_ms;
} manager;

static void
watchdog_init(void)
{
	const char *const every = getenv("WATCHDOG_USEC");
	const char *const pid = getenv("WATCHDOG_PID");
	uint64_t us;
	uint64_t for_pid;

	if (every == NULL || !span_u64(span_cstr(every), &us))
		return;
	if (pid != NULL &&
		(!span_u64(span_cstr(pid), &for_pid) ||
			for_pid != (uint64_t)getpid()))
		return;
	/* Half of the limit, as the manual advises. */
	manager.every_ms = (int64_t)MIN(us / 2000, 3600000);
}

void
notify_init(void)
{
	const char *const path = getenv("NOTIFY_SOCKET");
	size_t n;

	if (path == NULL || (path[0] != '/' && path[0] != '@'))
		return;
	n = strlen(path);
	if (n >= sizeof(manager.to.sun_path))
		return;
	manager.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (manager.fd < 0) {
		manager.fd = 0;
		return;
	}
	manager.to.sun_family = AF_UNIX;
	memcpy(manager.to.sun_path, path, n);
	if (path[0] == '@') /* abstract */
		manager.to.sun_path[0] = '\0';
	manager.to_len =
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
	watchdog_init();
}

static void
send_message(char *text, int fd)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec part = { .iov_base = text, .iov_len = strlen(text) };
	struct msghdr message = {
		.msg_name = &manager.to,
		.msg_namelen = manager.to_len,
		.msg_iov = &part,
		.msg_iovlen = 1,
	};

	if (manager.fd == 0)
		return;
	if (fd >= 0) {
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.head), &fd, sizeof(int));
	}
	/* Not blocking: a stuck manager must not stop the service. */
	if (sendmsg(manager.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_debug("the service manager could not be told: %s", text);
}

void
notify_ready(const char *status)
{
	char text[MESSAGE_MAX];

	(void)snprintf(text, sizeof(text), "READY=1\nSTATUS=%s", status);
	send_message(text, -1);
}

void
notify_reloading(void)
{
	char text[MESSAGE_MAX];
	struct timespec now = { 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	(void)snprintf(text, sizeof(text),
		"RELOADING=1\nMONOTONIC_USEC=%" PRId64 "\nSTATUS=reloading",
		(int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	send_message(text, -1);
}

void
notify_stopping(int64_t most_ms)
{
	char text[MESSAGE_MAX];

	(void)snprintf(text, sizeof(text),
		"STOPPING=1\nSTATUS=stopping\nEXTEND_TIMEOUT_USEC=%" PRId64,
		most_ms * 1000);
	send_message(text, -1);
}

void
notify_status(const char *status)
{
	char text[MESSAGE_MAX];

	(void)snprintf(text, sizeof(text), "STATUS=%s", status);
	send_message(text, -1);
}

void
notify_store_fd(const char *name, int fd)
{
	char text[MESSAGE_MAX];

	(void)snprintf(
		text, sizeof(text), "FDSTORE=1\nFDNAME=%s\nFDPOLL=0", name);
	send_message(text, fd);
}

void
notify_forget_fds(const char *name)
{
	char text[MESSAGE_MAX];

	(void)snprintf(text, sizeof(text), "FDSTOREREMOVE=1\nFDNAME=%s", name);
	send_message(text, -1);
}

int64_t
notify_watchdog(int64_t now_ms)
{
	char text[] = "WATCHDOG=1";

	if (manager.every_ms == 0)
		return -1;
	if (now_ms >= manager.due_ms) {
		send_message(text, -1);
		manager.due_ms = now_ms + manager.every_ms;
	}
	return manager.due_ms - now_ms;
}

/* SPDX-License-Identifier: MIT */
/* test_sock.c - sockets and their addresses. */
#include "tests/lib/t.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/sys/sock.h"

#define WAIT_MS 5000

static char dir[] = "/tmp/glmproxy-sock-XXXXXX";

static struct span
in_dir(const char *name)
{
	static char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	return span_cstr(path);
}

static int
option(int fd, int level, int name)
{
	int value = -1;
	socklen_t n = sizeof(value);

	assert_int_equal(getsockopt(fd, level, name, &value, &n), 0);
	return value;
}

static void
wait_for(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
}

/* --- addresses ------------------------------------------------------------ */

static void
test_addresses(void **state)
{
	static const struct {
		const char *host, *text; /* text NULL: not an address */
		bool is_local;
	} cases[] = {
		{ "127.0.0.1", "127.0.0.1:80", true },
		{ "127.255.0.9", "127.255.0.9:80", true },
		{ "128.0.0.1", "128.0.0.1:80", false },
		{ "0.0.0.0", "0.0.0.0:80", false },
		{ "::1", "[::1]:80", true },
		{ "::", "[::]:80", false },
		{ "2001:db8::5", "[2001:db8::5]:80", false },
		{ "::ffff:127.0.0.1", "[::ffff:127.0.0.1]:80", true },
		{ "::ffff:10.0.0.1", "[::ffff:10.0.0.1]:80", false },
		{ "localhost", NULL, false },
		{ "", NULL, false },
		{ "127.1", NULL, false },
		{ "1.2.3.4.5", NULL, false },
		{ "[::1]", NULL, false },
		{ "::1%lo", NULL, false },
		{ "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa", NULL,
			false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const bool good = cases[i].text != NULL;
		char text[SOCK_TEXT_MAX];
		struct sock_addr a;

		assert_int_equal(
			sock_addr_parse(&a, span_cstr(cases[i].host), 80),
			good);
		if (!good)
			continue;
		sock_addr_text(&a, text);
		assert_string_equal(text, cases[i].text);
		assert_int_equal(sock_addr_is_local(&a), cases[i].is_local);
		assert_int_equal(sock_addr_port(&a), 80);
		sock_addr_set_port(&a, 65535);
		assert_int_equal(sock_addr_port(&a), 65535);
	}
	{
		struct sock_addr a;

		assert_false(sock_addr_parse(&a, SPAN("1.2.3.4\0"), 1));
	}
}

static void
test_unix_addresses(void **state)
{
	char text[SOCK_TEXT_MAX];
	struct sock_addr a;
	char *const longest = t_repeat("p", 107);

	(void)state;
	assert_true(sock_addr_unix(&a, SPAN("/run/x.sock")));
	sock_addr_text(&a, text);
	assert_string_equal(text, "unix:/run/x.sock");
	assert_int_equal(sock_addr_port(&a), 0);
	assert_true(sock_addr_is_local(&a));
	sock_addr_set_port(&a, 5); /* has none: nothing happens */
	sock_addr_text(&a, text);
	assert_string_equal(text, "unix:/run/x.sock");
	assert_true(sock_addr_unix(&a, span_cstr(longest)));
	sock_addr_text(&a, text);
	assert_int_equal(strlen(text), 5 + 107);
	free(longest);
	assert_false(sock_addr_unix(&a, SPAN("")));
	assert_false(sock_addr_unix(&a, SPAN("/a\0b")));
	a = (struct sock_addr){ .len = sizeof(a.ss) };
	a.ss.ss_family = AF_PACKET;
	sock_addr_text(&a, text);
	assert_string_equal(text, "?");
	assert_false(sock_addr_is_local(&a));
}

/* --- TCP ------------------------------------------------------------------ */

static void
check_flags(int fd)
{
	assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
	assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
}

/* Listen, connect, accept, say a byte each way. */
static void
talk(int listener)
{
	struct sock_addr at;
	struct sock_addr peer;
	struct sock_addr self;
	int client;
	int server;
	char c = 'x';

	check_flags(listener);
	assert_int_equal(sock_accept(listener, &peer), -1);
	assert_int_equal(errno, EAGAIN);
	assert_true(sock_local_addr(listener, &at));
	client = sock_connect(&at);
	assert_true(client >= 0);
	check_flags(client);
	wait_for(client, POLLOUT);
	assert_int_equal(sock_error(client), 0);
	wait_for(listener, POLLIN);
	server = sock_accept(listener, &peer);
	assert_true(server >= 0);
	check_flags(server);
	if (at.ss.ss_family != AF_UNIX) {
		assert_int_equal(option(client, IPPROTO_TCP, TCP_NODELAY), 1);
		assert_int_equal(option(server, IPPROTO_TCP, TCP_NODELAY), 1);
		assert_true(sock_local_addr(client, &self));
		assert_int_equal(sock_addr_port(&peer), sock_addr_port(&self));
	}
	assert_int_equal(write(client, &c, 1), 1);
	sock_shutdown_write(client);
	wait_for(server, POLLIN);
	assert_int_equal(read(server, &c, 1), 1);
	assert_int_equal(read(server, &c, 1), 0);
	assert_int_equal(write(server, &c, 1), 1);
	assert_int_equal(close(client), 0);
	assert_int_equal(close(server), 0);
}

static void
test_listens_on_tcp(void **state)
{
	static const char *const hosts[] = { "127.0.0.1", "localhost", "::1" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		struct gp_error err;
		const int fd =
			sock_listen(span_cstr(hosts[i]), 0, false, 0, &err);

		assert_true(fd >= 0);
		assert_int_equal(option(fd, SOL_SOCKET, SO_REUSEADDR), 1);
		assert_int_equal(option(fd, SOL_SOCKET, SO_REUSEPORT), 0);
		talk(fd);
		assert_int_equal(close(fd), 0);
	}
}

static void
test_only_the_unspecified_address_is_both_ipv4_and_ipv6(void **state)
{
	struct gp_error err;
	int fd;

	(void)state;
	fd = sock_listen(SPAN("::"), 0, false, 0, &err);
	assert_true(fd >= 0);
	assert_int_equal(option(fd, IPPROTO_IPV6, IPV6_V6ONLY), 0);
	assert_int_equal(close(fd), 0);
	fd = sock_listen(SPAN("::1"), 0, false, 0, &err);
	assert_true(fd >= 0);
	assert_int_equal(option(fd, IPPROTO_IPV6, IPV6_V6ONLY), 1);
	assert_int_equal(close(fd), 0);
}

static void
test_a_taken_port_is_named(void **state)
{
	char want[SOCK_TEXT_MAX];
	struct gp_error err;
	struct sock_addr at;
	int fd;

	(void)state;
	fd = sock_listen(SPAN("127.0.0.1"), 0, false, 0, &err);
	assert_true(fd >= 0);
	assert_true(sock_local_addr(fd, &at));
	sock_addr_text(&at, want);
	assert_int_equal(sock_listen(SPAN("127.0.0.1"), sock_addr_port(&at),
				 false, 0, &err),
		-1);
	assert_int_equal(err.code, GP_E_SYSTEM);
	assert_non_null(strstr(err.text, want));
	assert_non_null(strstr(err.text, "in use"));
	assert_int_equal(close(fd), 0);
	assert_int_equal(
		sock_listen(SPAN("example.org"), 1, false, 0, &err), -1);
	assert_non_null(strstr(err.text, "example.org:1"));
}

static void
test_a_refused_connection(void **state)
{
	struct gp_error err;
	struct sock_addr at;
	int fd;

	(void)state;
	fd = sock_listen(SPAN("127.0.0.1"), 0, false, 0, &err);
	assert_true(fd >= 0);
	assert_true(sock_local_addr(fd, &at));
	assert_int_equal(close(fd), 0);
	fd = sock_connect(&at);
	if (fd >= 0) {
		wait_for(fd, POLLOUT);
		assert_int_equal(sock_error(fd), ECONNREFUSED);
		assert_int_equal(close(fd), 0);
	} else {
		assert_int_equal(errno, ECONNREFUSED);
	}
	assert_int_equal(sock_error(-1), EBADF);
}

/* --- unix ----------------------------------------------------------------- */

static void
test_listens_on_a_unix_socket(void **state)
{
	const struct span path = in_dir("a.sock");
	const mode_t umask_before = umask(0077);
	struct sock_addr peer;
	struct gp_error err;
	struct stat st;
	int probe;
	int fd;

	(void)state;
	fd = sock_listen(path, 0, true, 0660, &err);
	assert_true(fd >= 0);
	(void)umask(umask_before);
	assert_int_equal(stat(path.p, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	talk(fd);
	/* In use: refused, and the one that serves is left alone. */
	assert_int_equal(sock_listen(path, 0, true, 0660, &err), -1);
	assert_non_null(strstr(err.text, path.p));
	assert_non_null(strstr(err.text, "in use"));
	probe = sock_accept(fd, &peer); /* that is how it was found out */
	assert_true(probe >= 0);
	assert_int_equal(close(probe), 0);
	talk(fd);
	/* Left over: taken. */
	assert_int_equal(close(fd), 0);
	fd = sock_listen(path, 0, true, 0600, &err);
	assert_true(fd >= 0);
	assert_int_equal(stat(path.p, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	talk(fd);
	assert_int_equal(close(fd), 0);
	assert_int_equal(unlink(path.p), 0);
}

static void
test_never_removes_another_file(void **state)
{
	const struct span path = in_dir("precious");
	char *const too_long = t_repeat("p", 108);
	struct gp_error err;
	struct stat st;
	int fd = open(path.p, O_CREAT | O_WRONLY, 0600);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(close(fd), 0);
	assert_int_equal(sock_listen(path, 0, true, 0660, &err), -1);
	assert_non_null(strstr(err.text, "exists"));
	assert_int_equal(stat(path.p, &st), 0);
	assert_int_equal(unlink(path.p), 0);
	assert_int_equal(symlink("/nowhere", path.p), 0);
	assert_int_equal(sock_listen(path, 0, true, 0660, &err), -1);
	assert_int_equal(unlink(path.p), 0);
	assert_int_equal(
		sock_listen(span_cstr(too_long), 0, true, 0, &err), -1);
	assert_non_null(strstr(err.text, "107"));
	free(too_long);
	assert_int_equal(sock_listen(in_dir("no/such"), 0, true, 0, &err), -1);
	assert_non_null(strstr(err.text, "No such file"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_unix_addresses),
		cmocka_unit_test(test_listens_on_tcp),
		cmocka_unit_test(
			test_only_the_unspecified_address_is_both_ipv4_and_ipv6),
		cmocka_unit_test(test_a_taken_port_is_named),
		cmocka_unit_test(test_a_refused_connection),
		cmocka_unit_test(test_listens_on_a_unix_socket),
		cmocka_unit_test(test_never_removes_another_file),
	};
	int failed;

	if (mkdtemp(dir) == NULL)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	return rmdir(dir) == 0 ? failed : 1;
}

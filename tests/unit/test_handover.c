/* SPDX-License-Identifier: MIT */
/* test_handover.c - what one image of the program leaves to the next. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "master/handover.h"
#include "tests/lib/t.h"

static struct sources
sources_with(const char *key)
{
	struct sources s;

	sources_init(&s);
	if (key[0] != '\0')
		assert_true(secret_set(&s.env_key, span_cstr(key)));
	return s;
}

static void
assert_key(const struct sources *s, const char *key)
{
	assert_int_equal(s->env_key.n, strlen(key));
	assert_memory_equal(s->env_key.bytes, key, strlen(key));
}

/* Leave h and the key to this very process. */
static void
leave(const struct handover *h, const char *key)
{
	struct sources s = sources_with(key);
	struct gp_error err;
	const int fd = handover_save(h, &s, &err);

	assert_true(fd >= 0);
	assert_ok(handover_announce(fd, getpid(), &err), &err);
	sources_fini(&s);
}

static int
any_file(void)
{
	const int fd = open("/dev/null", O_RDONLY);

	assert_true(fd >= 0);
	return fd;
}

static void
test_all_comes_back(void **state)
{
	static struct handover h;
	static struct handover got;
	struct sources s = sources_with("");
	static char kept[] = "listen 127.0.0.1:0,[::1]:0";
	static char empty[] = "group ";
	static char address[] = "unix:/tmp/a b.sock";
	struct gp_error err;
	const int listener =
		sock_listen(SPAN("127.0.0.1"), 0, false, 0600, &err);

	(void)state;
	assert_true(listener >= 0);
	handover_init(&h);
	h.shm_fd = any_file();
	h.pid_fd = any_file();
	h.dead_pipe[0] = any_file();
	h.dead_pipe[1] = any_file();
	h.listeners.n = 1;
	h.listeners.v[0] = (struct listener){ listener, LISTEN_ADMIN, address };
	h.nchildren = 2;
	h.children[0] = (struct handover_child){ SHM_WORKER, 7, 812, 5, 0 };
	h.children[1] =
		(struct handover_child){ SHM_ADMIN, 0, 813, -1, 1234567890123 };
	h.is_drained = true;
	h.nkept = 2;
	h.kept[0] = kept;
	h.kept[1] = empty;
	leave(&h, "sk-secret");

	assert_true(handover_take(&got, &s));
	assert_key(&s, "sk-secret");
	assert_int_equal(got.shm_fd, h.shm_fd);
	assert_int_equal(got.lock_fd, -1);
	assert_int_equal(got.pid_fd, h.pid_fd);
	assert_int_equal(got.dead_pipe[0], h.dead_pipe[0]);
	assert_int_equal(got.dead_pipe[1], h.dead_pipe[1]);
	assert_int_equal(got.listeners.n, 1);
	assert_int_equal(got.listeners.v[0].fd, listener);
	assert_int_equal(got.listeners.v[0].port, LISTEN_ADMIN);
	assert_string_equal(got.listeners.v[0].text, address);
	assert_int_equal(got.nchildren, 2);
	assert_memory_equal(got.children, h.children, sizeof(h.children[0]));
	assert_int_equal(got.children[1].pid, 813);
	assert_int_equal(got.children[1].slot, -1);
	assert_int_equal(got.children[1].kill_at_ms, 1234567890123);
	assert_int_equal(got.nkept, 2);
	assert_string_equal(got.kept[0], kept);
	assert_string_equal(got.kept[1], empty);
	assert_true(got.is_drained);
	/* What was inherited must not reach the programs of others. */
	assert_int_equal(fcntl(got.shm_fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(listener, F_GETFD), FD_CLOEXEC);
	/* Read once. */
	assert_null(getenv(HANDOVER_VARIABLE));
	free(got.listeners.v[0].text);
	handover_fini(&got);
	sources_fini(&s);
	(void)close(listener);
	(void)close(h.shm_fd);
	(void)close(h.pid_fd);
	(void)close(h.dead_pipe[0]);
	(void)close(h.dead_pipe[1]);
}

static void
test_key_alone(void **state)
{
	static struct handover got;
	struct sources s = sources_with("");

	(void)state;
	leave(NULL, "sk-other");
	assert_true(handover_take(&got, &s));
	assert_key(&s, "sk-other");
	assert_int_equal(got.shm_fd, -1);
	assert_int_equal(got.nchildren, 0);
	assert_false(got.is_drained);
	sources_fini(&s);
}

/* The variable says `text`: nothing may come of it. */
static void
assert_nothing(const char *text)
{
	static struct handover got;
	struct sources s = sources_with("");

	assert_int_equal(setenv(HANDOVER_VARIABLE, text, 1), 0);
	assert_false(handover_take(&got, &s));
	assert_true(secret_is_none(&s.env_key));
	assert_int_equal(got.shm_fd, -1);
	assert_null(getenv(HANDOVER_VARIABLE));
	sources_fini(&s);
}

static void
test_what_is_not_ours_is_ignored(void **state)
{
	char text[64];
	const int open_memory = memfd_create("x", MFD_ALLOW_SEALING);
	struct sources s = sources_with("sk-third");
	struct gp_error err;
	const int fd = handover_save(NULL, &s, &err);

	(void)state;
	assert_true(fd >= 0);
	assert_nothing("");
	assert_nothing("x:y");
	assert_nothing("99999999999999999999:1");
	(void)snprintf(text, sizeof(text), "7777:%ld", (long)getpid());
	assert_nothing(text);
	/* Meant for another process, e.g. the parent of a shell. */
	(void)snprintf(text, sizeof(text), "%d:%ld", fd, (long)getpid() + 1);
	assert_nothing(text);
	/* Anybody could write into one without seals. */
	(void)snprintf(
		text, sizeof(text), "%d:%ld", open_memory, (long)getpid());
	assert_nothing(text);
	(void)close(open_memory);
	(void)close(fd);
	sources_fini(&s);
}

static void
test_nothing_announced(void **state)
{
	static struct handover got;
	struct sources s = sources_with("");

	(void)state;
	assert_int_equal(unsetenv(HANDOVER_VARIABLE), 0);
	assert_false(handover_take(&got, &s));
	sources_fini(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_comes_back),
		cmocka_unit_test(test_key_alone),
		cmocka_unit_test(test_what_is_not_ours_is_ignored),
		cmocka_unit_test(test_nothing_announced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

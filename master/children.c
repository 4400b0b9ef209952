/* SPDX-License-Identifier: MIT */
/* children.c - the processes under the master: a table of places. */
#include "master/children.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/base/check.h"
#include "shared/sys/log.h"

/* A turn that comes this late means that the machine or the master itself was
 * stopped: the children's silence says nothing then. */
#define LATE_TURN_MS 5000

/* Of a ready pipe, in one turn. */
#define BYTES_AT_ONCE 16

/* Text about a dead child: its last words and a bit. */
#define STORY_MAX (SHM_PANIC_MAX + 64)

enum gp_code
children_init(struct children *c, struct shm *shm, struct gp_error *err)
{
	*c = (struct children){
		.shm = shm,
		.user = "",
		.group = "",
		.limits = child_limits_default,
		.order = LINK_READY,
	};
	if (pipe2(c->dead_pipe, O_CLOEXEC) != 0)
		return gp_fail(err, GP_E_SYSTEM, "pipe: %s", strerror(errno));
	return GP_OK;
}

void
child_name(const struct child *ch, char out[CHILD_NAME_MAX])
{
	if (ch->row->is_numbered)
		(void)snprintf(out, CHILD_NAME_MAX, "%s %u", ch->row->name,
			ch->number);
	else
		(void)snprintf(out, CHILD_NAME_MAX, "%s", ch->row->name);
}

static struct child *
add_place(struct children *c)
{
	struct child *ch;

	if (c->n == ARRAY_LEN(c->v))
		return NULL;
	ch = &c->v[c->n++];
	*ch = (struct child){ .slot = -1, .ready_fd = -1 };
	return ch;
}

static unsigned
free_slots(const struct shm *m)
{
	unsigned n = 0;

	for (size_t i = 0; i < SHM_SLOTS; i++)
		if (atomic_load(&m->slots[i].role) == SHM_FREE)
			n++;
	return n;
}

bool
children_add(struct children *c, const struct generation *gen,
	const struct child_row *row, unsigned count, int64_t now_ms)
{
	if (ARRAY_LEN(c->v) - c->n < count || free_slots(c->shm) < count)
		return false;
	for (unsigned i = 0; i < count; i++) {
		struct child *const ch = add_place(c);

		GP_ASSERT(ch != NULL);
		ch->row = row;
		ch->gen = gen;
		ch->number = i;
		for (size_t h = 0; h < gen->nhosts; h++)
			ch->hosts_used |= 1u << gen->hosts[h];
		child_state_init(&ch->state, now_ms);
	}
	return true;
}

void
children_adopt(struct children *c, const struct child_row *row, unsigned number,
	pid_t pid, int slot, int64_t kill_at_ms)
{
	struct child *const ch = add_place(c);

	if (ch == NULL)
		return;
	ch->row = row;
	ch->number = number;
	ch->pid = pid;
	if (slot >= 0 && slot < SHM_SLOTS &&
		atomic_load(&c->shm->slots[slot].pid) == pid)
		ch->slot = slot;
	/* Which addresses it uses is not known: any that has a name. */
	for (size_t h = 0; h < SHM_HOSTS; h++)
		if (c->shm->hosts[h].name[0] != '\0')
			ch->hosts_used |= 1u << h;
	ch->state.phase = CHILD_READY;
	if (kill_at_ms != 0)
		child_state_leave(&ch->state, kill_at_ms);
}

/* --- what is due ---------------------------------------------------------- */

static void
act(struct children *c, struct child *ch, int64_t now_ms)
{
	char name[CHILD_NAME_MAX];
	int64_t beat_ms = c->beat_floor_ms;
	const bool is_leaving = ch->state.phase == CHILD_LEAVING;

	if (ch->slot >= 0)
		beat_ms = MAX(beat_ms,
			atomic_load(&c->shm->slots[ch->slot].heartbeat_ms));
	else if (ch->pid != 0) /* adopted, with another shared memory */
		beat_ms = now_ms;
	child_name(ch, name);
	switch (child_state_due(&ch->state, &c->limits, beat_ms, now_ms)) {
	case CHILD_NOTHING:
		break;
	case CHILD_START:
		child_start(c, ch, now_ms);
		break;
	case CHILD_ABORT:
		log_errx("%s (pid %d) %s: aborting it", name, (int)ch->pid,
			ch->state.phase == CHILD_STARTING ?
				"did not become ready in time" :
				"does not answer");
		(void)kill(ch->pid, SIGABRT);
		break;
	case CHILD_KILL:
		log_warnx("%s (pid %d) %s: killing it", name, (int)ch->pid,
			is_leaving ? "has not left in time" : "hangs");
		(void)kill(ch->pid, SIGKILL);
		break;
	}
}

/* See child_state_relieve: of all workers one always tries. */
static void
relieve(struct children *c, int64_t now_ms)
{
	struct child_state *workers[SHM_SLOTS];
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++) {
		struct child *const ch = &c->v[i];

		if (ch->row->role != SHM_WORKER || ch->gen == NULL)
			continue;
		workers[n++] = &ch->state;
		if (child_state_is_healthy(&ch->state, &c->limits, now_ms))
			c->was_healthy = true;
	}
	if (c->was_healthy)
		child_state_relieve(workers, n, &c->limits, now_ms);
}

static void
drop_empty(struct children *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++)
		if (c->v[i].state.phase != CHILD_FREE)
			c->v[n++] = c->v[i];
	c->n = n;
}

int64_t
children_turn(struct children *c, int64_t now_ms)
{
	int64_t next_ms = INT64_MAX;

	if (c->last_turn_ms != 0 && now_ms - c->last_turn_ms > LATE_TURN_MS)
		c->beat_floor_ms = now_ms;
	c->last_turn_ms = now_ms;
	relieve(c, now_ms);
	for (size_t i = 0; i < c->n; i++)
		act(c, &c->v[i], now_ms);
	drop_empty(c);
	for (size_t i = 0; i < c->n; i++) {
		const int64_t at =
			child_state_next_ms(&c->v[i].state, &c->limits);

		if (at >= 0)
			next_ms = MIN(next_ms, at);
	}
	return next_ms;
}

/* --- ready bytes ---------------------------------------------------------- */

size_t
children_poll(const struct children *c, struct pollfd v[SHM_SLOTS])
{
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++)
		if (c->v[i].ready_fd >= 0)
			v[n++] = (struct pollfd){ .fd = c->v[i].ready_fd,
				.events = POLLIN };
	return n;
}

static void
take_byte(struct children *c, struct child *ch, char byte, int64_t now_ms)
{
	switch (byte) {
	case LINK_READY:
		child_state_ready(&ch->state, now_ms);
		break;
	case LINK_DRAIN:
	case LINK_UNDRAIN:
		if (ch->row->gives_orders)
			c->order = (enum link_order)byte;
		break;
	default:
		log_warnx("pid %d says %#x: ignored", (int)ch->pid,
			(unsigned)(unsigned char)byte);
		break;
	}
}

static void
read_ready(struct children *c, struct child *ch, int64_t now_ms)
{
	char bytes[BYTES_AT_ONCE];
	ssize_t n;

	if (ch->ready_fd < 0)
		return;
	n = read(ch->ready_fd, bytes, sizeof(bytes));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	for (ssize_t i = 0; i < n; i++)
		take_byte(c, ch, bytes[i], now_ms);
	if (n > 0 && ch->row->gives_orders)
		return;
	/* At the end of file SIGCHLD or the time limit tells the rest. */
	(void)close(ch->ready_fd);
	ch->ready_fd = -1;
}

void
children_read_ready(struct children *c, int64_t now_ms)
{
	for (size_t i = 0; i < c->n; i++)
		read_ready(c, &c->v[i], now_ms);
}

/* --- deaths --------------------------------------------------------------- */

static void
tell_story(const struct children *c, const struct child *ch, int status,
	char out[STORY_MAX])
{
	const char *words = "";
	int n;

	if (WIFSIGNALED(status))
		n = snprintf(out, STORY_MAX, "signal %d", WTERMSIG(status));
	else
		n = snprintf(
			out, STORY_MAX, "exit code %d", WEXITSTATUS(status));
	if (ch->slot >= 0)
		words = c->shm->slots[ch->slot].panic;
	/* The child wrote them: they may lack their end. */
	if (n > 0 && words[0] != '\0')
		(void)snprintf(out + n, STORY_MAX - (size_t)n, ", %.*s",
			(int)strnlen(words, SHM_PANIC_MAX), words);
}

static void
log_death(const struct children *c, const struct child *ch, int status)
{
	char name[CHILD_NAME_MAX];
	char story[STORY_MAX];
	const bool is_barred =
		WIFEXITED(status) && WEXITSTATUS(status) == LOG_EXIT_BARRED;
	/* Young ones that were told to leave have no handlers yet. */
	const bool is_meant = ch->state.phase == CHILD_LEAVING &&
		((WIFEXITED(status) && WEXITSTATUS(status) == 0) ||
			(WIFSIGNALED(status) &&
				(WTERMSIG(status) == SIGTERM ||
					WTERMSIG(status) == SIGQUIT ||
					ch->state.is_killed)));

	child_name(ch, name);
	tell_story(c, ch, status, story);
	if (is_meant)
		log_debug("%s (pid %d) left: %s", name, (int)ch->pid, story);
	else
		log_errx("%s (pid %d) died: %s%s", name, (int)ch->pid, story,
			is_barred ? "; it asked not to be started again" : "");
}

bool
children_died(struct children *c, pid_t pid, int status, int64_t now_ms)
{
	const bool is_barred =
		WIFEXITED(status) && WEXITSTATUS(status) == LOG_EXIT_BARRED;
	struct child *ch = NULL;

	for (size_t i = 0; i < c->n; i++)
		if (c->v[i].pid == pid)
			ch = &c->v[i];
	if (ch == NULL)
		return false;
	/* It may have become ready just before. */
	read_ready(c, ch, now_ms);
	if (ch->ready_fd >= 0)
		(void)close(ch->ready_fd);
	ch->ready_fd = -1;
	log_death(c, ch, status);
	if (ch->state.phase != CHILD_LEAVING)
		atomic_fetch_add(&c->shm->restarts, 1);
	if (ch->slot >= 0)
		shm_retire(c->shm, ch->slot);
	ch->slot = -1;
	ch->pid = 0;
	child_state_died(&ch->state, &c->limits, is_barred, now_ms);
	if (ch->gen == NULL)
		ch->state.phase = CHILD_FREE;
	return true;
}

void
children_tell(struct child *ch, int signal, int64_t kill_at_ms)
{
	if (ch->pid != 0)
		(void)kill(ch->pid, signal);
	child_state_leave(&ch->state, kill_at_ms);
	ch->gen = NULL;
}

struct children_count
children_count(const struct children *c, const struct generation *gen,
	enum shm_role role)
{
	struct children_count n = { 0 };

	for (size_t i = 0; i < c->n; i++) {
		const struct child *const ch = &c->v[i];

		if (ch->gen != gen ||
			(role != SHM_FREE && ch->row->role != role))
			continue;
		n.places++;
		n.alive += child_state_is_alive(&ch->state);
		n.ready += ch->state.phase == CHILD_READY;
		n.failed += child_state_has_failed(&ch->state);
		n.barred += ch->state.phase == CHILD_BARRED;
	}
	return n;
}

/* SPDX-License-Identifier: MIT */
/* disk.c - how much room there is where state and logs are written. */
#include "admin/disk.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <time.h>

#include "shared/sys/clock.h"
#include "shared/sys/log.h"

#define ASK_S 5

static struct {
	char paths[DISK_PLACES][PATH_MAX];
	pthread_mutex_t mutex; /* held for a copy, for what is below */
	struct disk_room rooms[DISK_PLACES];
} disk = { .mutex = PTHREAD_MUTEX_INITIALIZER };

static void
ask(enum disk_place place)
{
	struct disk_room room = { .is_known = true };
	struct statvfs v;

	(void)pthread_mutex_lock(&disk.mutex);
	disk.rooms[place].asked_ms = clock_mono_ms();
	(void)pthread_mutex_unlock(&disk.mutex);
	if (statvfs(disk.paths[place], &v) != 0) {
		room.error = errno;
	} else {
		room.free_bytes = (uint64_t)v.f_bavail * v.f_frsize;
		room.total_bytes = (uint64_t)v.f_blocks * v.f_frsize;
		/* Some file systems count no files. */
		room.has_files = v.f_files == 0 || v.f_favail > 0;
		room.id = v.f_fsid;
	}
	(void)pthread_mutex_lock(&disk.mutex);
	disk.rooms[place] = room;
	(void)pthread_mutex_unlock(&disk.mutex);
}

static void *
run(void *arg)
{
	const struct timespec pause = { .tv_sec = ASK_S };

	for (;;) {
		for (int i = 0; i < DISK_PLACES; i++)
			ask((enum disk_place)i);
		(void)nanosleep(&pause, NULL);
	}
	return arg;
}

void
disk_start(const struct conf *conf)
{
	const struct span dirs[DISK_PLACES] = {
		[DISK_STATE] = conf->state_dir,
		[DISK_LOG] = conf->log_dir,
	};
	pthread_t thread;
	sigset_t all;
	sigset_t before;
	int rc;

	for (size_t i = 0; i < DISK_PLACES; i++)
		(void)snprintf(disk.paths[i], sizeof(disk.paths[i]), "%.*s",
			SPAN_ARG(dirs[i]));
	/* Signals are the loop's. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&thread, NULL, run, NULL);
	if (rc != 0)
		fatalx(1, "disk thread: error %d", rc);
	(void)pthread_detach(thread);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void
disk_get(enum disk_place place, struct disk_room *out)
{
	(void)pthread_mutex_lock(&disk.mutex);
	*out = disk.rooms[place];
	(void)pthread_mutex_unlock(&disk.mutex);
}

/* SPDX-License-Identifier: MIT */
/* recorder.h - records of chats and counts, on their way to the history. */
#ifndef WORKER_RECORDER_H
#define WORKER_RECORDER_H

#include "shared/sys/record.h"
#include "worker/client.h"

#define RECORDER_CLASS_MAX 32

/* Into the worker's ring; where that is full the record is lost, and counted.
 * Cost: well below a microsecond, no system call. */
void recorder_put(struct worker *w, const struct record *r);

/* The record of a chat or count that was refused before it could begin. Nothing
 * for other requests. */
void recorder_refused(struct client *c, const struct llm_failure *f,
	struct span request_id, size_t bytes_out);

/* The class of a failure in small letters; NUL-terminated. */
void recorder_class(enum llm_fail kind, char out[RECORDER_CLASS_MAX]);

#endif

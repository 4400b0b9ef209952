/* SPDX-License-Identifier: MIT */
/*
 * notify.h - tells the service manager how things are, where there is one.
 *
 * Datagrams to the socket that NOTIFY_SOCKET names; without it every call does
 * nothing. Failures are logged at debug level only: the service does not depend
 * on them. spec: sd_notify(3)
 */
#ifndef MASTER_NOTIFY_H
#define MASTER_NOTIFY_H

#include <stdint.h>

/* Reads NOTIFY_SOCKET, and WATCHDOG_USEC if it is meant for this process. */
void notify_init(void);

/* status: one line for people, e.g. "4 workers". */
void notify_ready(const char *status);
void notify_reloading(void);
/* most_ms: asks the manager to wait so long, should it wait less. */
void notify_stopping(int64_t most_ms);
void notify_status(const char *status);

/* Keep a descriptor over a restart under this name (letters and digits). */
void notify_store_fd(const char *name, int fd);
void notify_forget_fds(const char *name);

/* A sign of life when one is due. Returns milliseconds until the next one, -1
 * if none are asked for. */
int64_t notify_watchdog(int64_t now_ms);

#endif

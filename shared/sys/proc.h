/* SPDX-License-Identifier: MIT */
/* proc.h - what a process does to itself. */
#ifndef SYS_PROC_H
#define SYS_PROC_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "shared/base/err.h"

/* Call once, first, from main: takes the memory of the arguments and of the
 * environment for the title. argv and environ then point at copies, and the
 * originals, which /proc shows, are wiped. */
void proc_title_init(int argc, char **argv);
/* "glmproxy: worker 3" in ps. */
void proc_title(const char *fmt, ...) GP_PRINTF(1, 2);

/* No core dumps and no ptrace by the same user: memory holds keys. */
void proc_no_core(void);
/* Raise the soft limit of descriptors to the hard one; returns it. */
uint64_t proc_max_files(void);
/* Give up root for user and group (names); does nothing when not root or user
 * is empty. Supplementary groups are dropped. */
enum gp_code proc_drop(
	const char *user, const char *group, struct gp_error *err) GP_WUR;

/* Cryptographic random bytes from the kernel; ends the process without. */
void proc_random(void *out, size_t n);

/* The signals that a process turned into flags. Handlers only set the flag;
 * signals stay blocked but for ev_turn's wait. SIGPIPE is ignored from the
 * first call on. */
void proc_signals_watch(const int *signals, size_t n);
/* True once per delivery (several may merge). */
bool proc_signal_take(int signal);
/* Before this process becomes another program, which inherits what is blocked:
 * those that were not taken are left to it. */
void proc_signals_bequeath(void);
/* Back to defaults and unblocked, between fork and the child's own watch. */
void proc_signals_reset(void);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * top_term.h - the terminal while `glmproxy top` has it: another screen, keys
 * without line ends, signals as flags. Whatever ends the program but SIGKILL,
 * the terminal is given back as it was.
 */
#ifndef MASTER_TOP_TERM_H
#define MASTER_TOP_TERM_H

#include "shared/base/err.h"
#include "shared/base/span.h"

/* Take it. Standard input and output must be a terminal: else *err. */
enum gp_code top_term_open(struct gp_error *err) GP_WUR;
/* Give it back; may be called again. */
void top_term_close(void);

void top_term_size(int *width, int *height);
/* False if the terminal is gone. */
bool top_term_write(struct span s) GP_WUR;

enum top_key {
	TOP_KEY_NONE,
	TOP_KEY_UP,
	TOP_KEY_DOWN,
	TOP_KEY_GONE,   /* the terminal is */
	TOP_KEY_RESIZE, /* the picture is to be drawn anew */
	TOP_KEY_END,    /* a signal says so: top_term_signal */
			/* Others are their characters. */
};

/* Wait for a key or a signal, but no longer. Stops the program when the
 * terminal wants so (Ctrl-Z), and takes the terminal again afterwards. */
int top_term_key(int64_t wait_ms);
/* After TOP_KEY_END. */
int top_term_signal(void);

#endif

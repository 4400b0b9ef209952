/* SPDX-License-Identifier: MIT */
/* llm_event.c - adding up what an answer says about its tokens. */
#include "shared/translate/llm_event.h"

/* Returns 1 when *to keeps a value that more does not replace. */
static unsigned
merge_field(int64_t *to, int64_t more)
{
	if (more < 0)
		return *to >= 0;
	*to = more;
	return 0;
}

bool
llm_usage_is_said(const struct llm_usage *u)
{
	return u->input >= 0 || u->cache_read >= 0 || u->cache_write >= 0 ||
		u->output >= 0 || u->reasoning >= 0;
}

void
llm_usage_merge(struct llm_usage *to, const struct llm_usage *more)
{
	unsigned kept = 0;

	if (!llm_usage_is_said(more))
		return;
	kept += merge_field(&to->input, more->input);
	kept += merge_field(&to->cache_read, more->cache_read);
	kept += merge_field(&to->cache_write, more->cache_write);
	kept += merge_field(&to->output, more->output);
	kept += merge_field(&to->reasoning, more->reasoning);
	/* Made up, as long as a made-up number is left. */
	to->is_estimate = more->is_estimate || (to->is_estimate && kept > 0);
}

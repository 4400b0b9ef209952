/* SPDX-License-Identifier: MIT */
/* profile.c - what all vendors' profiles have in common. */
#include "shared/translate/profile.h"

#define UNKNOWN_CONTEXT    200000
#define UNKNOWN_MAX_OUTPUT 131072

const struct model_info *
profile_model(const struct profile *p, struct span name)
{
	for (size_t i = 0; i < p->nmodels; i++) {
		if (span_eq(p->models[i].name, name))
			return &p->models[i];
	}
	return NULL;
}

struct model_info
profile_unknown_model(struct span name)
{
	return (struct model_info){
		.name = name,
		.context_tokens = UNKNOWN_CONTEXT,
		.max_output_tokens = UNKNOWN_MAX_OUTPUT,
		.thinking = MODEL_THINKING_SWITCH,
		.has_tools = true,
	};
}

/* SPDX-License-Identifier: MIT */
/*
 * xlate_conf.h - what the configuration means to a translation.
 *
 * The one place that knows both shared/sys and shared/translate, so that
 * `glmproxy translate` does what a worker does.
 */
#ifndef SHARED_XLATE_CONF_H
#define SHARED_XLATE_CONF_H

#include "shared/sys/conf.h"
#include "shared/translate/xlate.h"

/* Time and chance are left to the caller. */
static inline struct xlate_env
xlate_conf_env(const struct conf *c)
{
	return (struct xlate_env){
		.options = {
			.default_max_tokens = c->default_max_tokens,
			.force_thinking =
				c->enable_zai_thinking == THINKING_TRUE ? 1 :
				c->enable_zai_thinking == THINKING_FALSE ? 0 :
									   -1,
			.replay_reasoning = c->replay_reasoning,
		},
		.count_compat = c->count_shape_compat,
		.is_strict = c->strict,
		.holds_args = c->validate_tool_json == TOOL_JSON_BUFFER,
		.markup = c->tool_markup == TOOL_MARKUP_RECOVER ?
			LLM_MARKUP_RECOVER :
			c->tool_markup == TOOL_MARKUP_STRIP ? LLM_MARKUP_STRIP :
							      LLM_MARKUP_OFF,
	};
}

/* Apply the model.NAME.* keys of one model. */
static inline void
xlate_conf_model(const struct conf_model *c, struct model_info *m)
{
	if (c->context_tokens >= 0)
		m->context_tokens = c->context_tokens;
	if (c->max_output_tokens >= 0)
		m->max_output_tokens = c->max_output_tokens;
	if (c->vision >= 0)
		m->is_vision = c->vision == 1;
}

#endif

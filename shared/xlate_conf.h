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
		.counting = {
			.scales = c->token_scaling,
			.shows_context = c->context_info,
			.expected = {
#define DIALECT(name, base, expected, overflow) c->expected,
#include "shared/translate/dialects.def"
#undef DIALECT
			},
		},
		.dedups_env = c->enable_env_deduplication,
		.overflow = {
#define DIALECT(name, base, expected, overflow)                                \
	(enum xlate_overflow) c->overflow,
#include "shared/translate/dialects.def"
#undef DIALECT
		},
		.images_of_last_turn = c->image_scope == IMAGES_LAST_USER_TURN,
		.count_compat = c->count_shape_compat,
		.is_strict = c->strict,
		.holds_args = c->validate_tool_json == TOOL_JSON_BUFFER,
		.markup = c->tool_markup == TOOL_MARKUP_RECOVER ?
			LLM_MARKUP_RECOVER :
			c->tool_markup == TOOL_MARKUP_STRIP ? LLM_MARKUP_STRIP :
							      LLM_MARKUP_OFF,
	};
}

/* Apply what the configuration says of a model: the limit of its kind, then the
 * model.NAME.* keys. */
static inline void
xlate_conf_model(const struct conf *c, struct model_info *m)
{
	int64_t limit;

	for (size_t i = 0; i < c->models.n; i++)
		if (span_eq(c->models.v[i].name, m->name) &&
			c->models.v[i].vision >= 0)
			m->is_vision = c->models.v[i].vision == 1;
	limit = m->is_vision ? c->real_vision_model_tokens :
			       c->real_text_model_tokens;
	if (limit > 0)
		m->context_tokens = limit;
	for (size_t i = 0; i < c->models.n; i++) {
		const struct conf_model *row = &c->models.v[i];

		if (!span_eq(row->name, m->name))
			continue;
		if (row->context_tokens >= 0)
			m->context_tokens = row->context_tokens;
		if (row->max_output_tokens >= 0)
			m->max_output_tokens = row->max_output_tokens;
	}
}

#endif

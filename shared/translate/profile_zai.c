/* SPDX-License-Identifier: MIT */
/* profile_zai.c - z.ai: its models and the profile's object. */
#include "shared/translate/profile_zai.h"

#define K INT64_C(1024)

/* What each kind of model can do. */
#define TEXT    .has_tools = true
#define STREAMS TEXT, .streams_tools = true
#define KEEPS   STREAMS, .keeps_thinking = true
#define VISION  .is_vision = true, .has_tools = true

#define MODEL(id, context, output, how, ...)                                   \
	{                                                                      \
		.name = SPAN_INIT(id), .context_tokens = (context),            \
		.max_output_tokens = (output),                                 \
		.thinking = MODEL_THINKING_##how, __VA_ARGS__                  \
	}

/* Context: what z.ai enforces rather than what it announces. */
static const struct model_info models[] = {
	MODEL("glm-4.5", 128 * K, 96 * K, SWITCH, TEXT),
	MODEL("glm-4.5-air", 128 * K, 96 * K, SWITCH, TEXT),
	MODEL("glm-4.5-x", 128 * K, 96 * K, SWITCH, TEXT),
	MODEL("glm-4.5-airx", 128 * K, 96 * K, SWITCH, TEXT),
	MODEL("glm-4.5-flash", 128 * K, 96 * K, SWITCH, TEXT),
	MODEL("glm-4.5v", 64 * K, 16 * K, SWITCH, .is_vision = true,
		.has_text_marks = true),
	MODEL("glm-4.6", 202752, 128 * K, SWITCH, STREAMS),
	MODEL("glm-4.6v", 128000, 32 * K, SWITCH, VISION),
	MODEL("glm-4.6v-flash", 128000, 32 * K, SWITCH, VISION),
	MODEL("glm-4.6v-flashx", 128000, 32 * K, SWITCH, VISION),
	MODEL("glm-4.7", 202750, 128 * K, SWITCH, KEEPS),
	MODEL("glm-4.7-flash", 200000, 128 * K, SWITCH, KEEPS),
	MODEL("glm-4.7-flashx", 200000, 128 * K, SWITCH, KEEPS),
	MODEL("glm-5", 200000, 128 * K, SWITCH, KEEPS),
	MODEL("glm-5.1", 200000, 128 * K, SWITCH, KEEPS),
	MODEL("glm-5-turbo", 200000, 128 * K, SWITCH, KEEPS),
	MODEL("glm-5v-turbo", 200000, 128 * K, SWITCH, VISION,
		.keeps_thinking = true),
	MODEL("glm-5.2", 1000000, 128 * K, EFFORT, KEEPS),
	MODEL("glm-5.3", 1000000, 128 * K, ALWAYS, KEEPS),
	MODEL("glm-5.3-flash", 1000000, 128 * K, ALWAYS, VISION,
		.keeps_thinking = true),
	MODEL("glm-4-32b-0414-128k", 128000, 16 * K, NONE, TEXT),
};

const struct profile profile_zai = {
	.name = "zai",
	.models = models,
	.nmodels = ARRAY_LEN(models),
	.text = &dialect_anthropic,
	/* The Messages endpoint takes images, and its models see nothing. */
	.vision = &dialect_openai,
	.adopt = zai_adopt,
	.adapt = zai_adapt,
	.is_failure = zai_is_failure,
	.failure = zai_failure,
	.meaning = zai_meaning,
};

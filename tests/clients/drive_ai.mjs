// SPDX-License-Identifier: MIT
// drive_ai.mjs - the AI SDKs, each with both of its providers, behind the one
// interface of table.mjs.

import * as ai5 from "ai5";
import { createAnthropic as anthropic5 } from "ai5-anthropic";
import { createOpenAICompatible as openai5 } from "ai5-openai-compatible";
import * as ai6 from "ai";
import { createAnthropic as anthropic6 } from "@ai-sdk/anthropic";
import { createOpenAICompatible as openai6 } from
  "@ai-sdk/openai-compatible";
import * as ai7 from "ai7";
import { createAnthropic as anthropic7 } from "ai7-anthropic";
import { createOpenAICompatible as openai7 } from "ai7-openai-compatible";
import { KEY, PNG, PROXY } from "./kit.mjs";

// Warnings about models it does not know are of no use here.
globalThis.AI_SDK_LOG_WARNINGS = false;

const FINISHES = { "tool-calls": "tool_calls",
  "content-filter": "content_filter" };

// What both providers call their own options.
const OPTIONS = {
  openai: { glm: { thinking: { type: "enabled" } } },
  anthropic: { anthropic: {
    thinking: { type: "enabled", budgetTokens: 1024 } } },
};

function optionsOf(ai, dialect, ask) {
  const content = [{ type: "text", text: ask.text }];
  if (ask.image)
    content.push({ type: "image", image: PNG, mediaType: "image/png" });
  const tools = Object.fromEntries((ask.tools ?? []).map((t) => [t.name,
    ai.tool({ description: t.description,
      inputSchema: ai.jsonSchema(t.schema),
      ...ask.run && { execute: (args) => ask.run(t.name, args) } })]));
  return { messages: [{ role: "user", content }], maxOutputTokens: 2048,
    maxRetries: ask.retries ?? 0, abortSignal: ask.signal,
    stopSequences: ask.stop,
    ...ask.tools && { tools },
    ...ask.run && { stopWhen: ai.stepCountIs(3) },
    ...ask.think && { providerOptions: OPTIONS[dialect] } };
}

async function outcomeOf(r) {
  const usage = await r.usage;
  const finish = await r.finishReason;
  return { text: await r.text, reasoning: await r.reasoningText ?? "",
    calls: (await r.toolCalls).map((c) => ({ id: c.toolCallId,
      name: c.toolName, args: c.input })),
    finish: FINISHES[finish] ?? finish,
    usage: { input: usage.inputTokens, output: usage.outputTokens,
      cached: usage.inputTokenDetails?.cacheReadTokens ??
        usage.cachedInputTokens ?? 0 } };
}

async function streamed(ai, options) {
  let failure;
  let isAborted = false;
  const r = ai.streamText({ ...options,
    onAbort: () => { isAborted = true; },
    onError: ({ error }) => { failure = error; } });
  await r.consumeStream();
  if (isAborted)
    throw new DOMException("aborted", "AbortError");
  if (failure !== undefined)
    throw failure;
  return outcomeOf(r);
}

function driver(name, ai, dialect, create, gaps) {
  function chat(ask, way, model) {
    const provider = create({ name: "glm", baseURL: `${PROXY}/v1`,
      apiKey: ask.key ?? KEY, includeUsage: true,
      ...ask.fetch && { fetch: ask.fetch } });
    const options = { model: provider(model), ...optionsOf(ai, dialect, ask) };
    return way === "stream" ? streamed(ai, options) :
      ai.generateText(options).then(outcomeOf);
  }

  return { name, dialect, ways: ["body", "stream"], chat,
    statusOf: (err) => err.statusCode ?? err.lastError?.statusCode,
    isTyped: (err, status) => status === undefined ||
      ai.APICallError.isInstance(err),
    isAbort: (err) => err.name === "AbortError",
    quiet: [], gaps };
}

export const DRIVERS = [
  driver("ai 5 openai", ai5, "openai", openai5, []),
  driver("ai 6 openai", ai6, "openai", openai6, []),
  driver("ai 7 openai", ai7, "openai", openai7, []),
  driver("ai 5 anthropic", ai5, "anthropic", anthropic5, [
    { rows: ["window"], why: "knows no such stop reason" },
    { rows: ["usage"], why: "counts cached input tokens apart" },
    { rows: ["tool_start_input"], ways: ["stream"], upstreams: ["A"],
      why: "takes arguments from deltas only" },
  ]),
  driver("ai 6 anthropic", ai6, "anthropic", anthropic6, []),
  driver("ai 7 anthropic", ai7, "anthropic", anthropic7, []),
];

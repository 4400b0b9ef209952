// SPDX-License-Identifier: MIT
// drive_langchain.mjs - LangChain's two chat models behind the one interface
// of table.mjs.

import { ChatAnthropic } from "@langchain/anthropic";
import { HumanMessage, ToolMessage } from "@langchain/core/messages";
import { ChatOpenAI } from "@langchain/openai";
import { KEY, PNG, PROXY } from "./kit.mjs";

const FINISHES = {
  end_turn: "stop", stop_sequence: "stop", max_tokens: "length",
  tool_use: "tool_calls", refusal: "content_filter",
  model_context_window_exceeded: "length",
};
const ROUNDS_MAX = 3;

function openai(ask, model) {
  return new ChatOpenAI({ model, apiKey: ask.key ?? KEY, streamUsage: true,
    maxRetries: ask.retries ?? 0, useResponsesApi: false,
    configuration: { baseURL: `${PROXY}/v1`, fetch: ask.fetch },
    modelKwargs: {
      ...ask.think && { thinking: { type: "enabled" } },
      ...ask.json && { response_format: { type: "json_object" } } } });
}

function anthropic(ask, model) {
  return new ChatAnthropic({ model, apiKey: ask.key ?? KEY, maxTokens: 2048,
    maxRetries: ask.retries ?? 0, anthropicApiUrl: PROXY,
    clientOptions: { fetch: ask.fetch },
    ...ask.think && {
      thinking: { type: "enabled", budget_tokens: 1024 } } });
}

function toolOf(t) {
  return { name: t.name, description: t.description, schema: t.schema };
}

// Text and blocks of thinking are one list in some messages.
function blocksOf(message, type, key) {
  const { content } = message;
  if (typeof content === "string")
    return type === "text" ? content : "";
  return content.filter((b) => b.type === type).map((b) => b[key] ?? "")
    .join("");
}

function outcomeOf(message) {
  const { response_metadata: meta, usage_metadata: usage } = message;
  const finish = meta.finish_reason ?? meta.stop_reason ??
    message.additional_kwargs.stop_reason;
  return { text: blocksOf(message, "text", "text"),
    reasoning: blocksOf(message, "thinking", "thinking") ||
      (message.additional_kwargs.reasoning_content ?? ""),
    calls: [...message.tool_calls, ...message.invalid_tool_calls ?? []]
      .map((c) => ({ id: c.id, name: c.name, args: c.args })),
    finish: FINISHES[finish] ?? finish,
    usage: { input: usage?.input_tokens, output: usage?.output_tokens,
      cached: usage?.input_token_details?.cache_read ?? 0 } };
}

async function answer(model, messages, way, options) {
  if (way === "body")
    return model.invoke(messages, options);
  let all;
  for await (const chunk of await model.stream(messages, options))
    all = all === undefined ? chunk : all.concat(chunk);
  return all;
}

function contentOf(ask) {
  return ask.image ? [{ type: "text", text: ask.text },
    { type: "image_url", image_url: {
      url: `data:image/png;base64,${PNG}` } }] : ask.text;
}

function driver(name, dialect, create, gaps) {
  async function chat(ask, way, name_) {
    const plain = create(ask, name_);
    const model = ask.tools ? plain.bindTools(ask.tools.map(toolOf)) : plain;
    const options = { signal: ask.signal, stop: ask.stop };
    const messages = [new HumanMessage({ content: contentOf(ask) })];
    let message = await answer(model, messages, way, options);
    for (let i = 0; ask.run && i < ROUNDS_MAX &&
         message.tool_calls.length > 0; i++) {
      messages.push(message, ...message.tool_calls.map((c) =>
        new ToolMessage({ tool_call_id: c.id,
          content: ask.run(c.name, c.args) })));
      message = await answer(model, messages, way, options);
    }
    return outcomeOf(message);
  }

  return { name, dialect, ways: ["body", "stream"], chat,
    statusOf: (err) => err.status ?? err.cause?.status,
    isTyped: (err) => err instanceof Error,
    isAbort: (err) => /abort/i.test(`${err.name} ${err.message}`),
    quiet: [], gaps };
}

export const DRIVERS = [
  driver("langchain openai", "openai", openai, []),
  driver("langchain anthropic", "anthropic", anthropic, [
    { rows: ["usage"], ways: ["stream"],
      why: "takes input tokens from message_start, an estimate" },
    { rows: ["tool_start_input"], ways: ["stream"], upstreams: ["A"],
      why: "takes arguments from deltas only" },
  ]),
];

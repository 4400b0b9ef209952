// SPDX-License-Identifier: MIT
// drive_anthropic.mjs - the Anthropic SDKs behind the one interface of
// table.mjs.

import Anthropic0 from "anthropic0";
import Anthropic1 from "@anthropic-ai/sdk";
import { KEY, PNG, PROXY } from "./kit.mjs";

const CLASSES = {
  400: "BadRequestError", 401: "AuthenticationError",
  403: "PermissionDeniedError", 404: "NotFoundError", 409: "ConflictError",
  429: "RateLimitError", 500: "InternalServerError",
  502: "InternalServerError", 529: "InternalServerError",
};
const FINISHES = {
  end_turn: "stop", stop_sequence: "stop", max_tokens: "length",
  tool_use: "tool_calls", refusal: "content_filter",
  model_context_window_exceeded: "length",
};

function outcomeOf(whole) {
  const { content, stop_reason, usage } = whole;
  const all = (type, key) => content.filter((b) => b.type === type)
    .map((b) => b[key]).join("");
  return { text: all("text", "text"), reasoning: all("thinking", "thinking"),
    calls: content.filter((b) => b.type === "tool_use")
      .map((b) => ({ id: b.id, name: b.name, args: b.input })),
    finish: FINISHES[stop_reason] ?? stop_reason,
    usage: { input: usage.input_tokens + (usage.cache_read_input_tokens ?? 0) +
      (usage.cache_creation_input_tokens ?? 0), output: usage.output_tokens,
    cached: usage.cache_read_input_tokens ?? 0 }, whole };
}

// A message put together from its events without the SDK's help.
async function collect(events) {
  let r;
  const parts = [];
  for await (const e of events) {
    if (e.type === "message_start") {
      r = structuredClone(e.message);
    } else if (e.type === "content_block_start") {
      r.content[e.index] = { ...e.content_block };
      parts[e.index] = "";
    } else if (e.type === "content_block_delta") {
      const block = r.content[e.index];
      block.text += e.delta.text ?? "";
      block.thinking += e.delta.thinking ?? "";
      parts[e.index] += e.delta.partial_json ?? "";
    } else if (e.type === "message_delta") {
      r.stop_reason = e.delta.stop_reason;
      Object.assign(r.usage, e.usage);
    }
  }
  r.content.forEach((b, i) => {
    if (parts[i] !== "")
      b.input = parts[i];
  });
  return outcomeOf(r);
}

function bodyOf(ask, model) {
  const content = ask.image ? [{ type: "text", text: ask.text },
    { type: "image", source: { type: "base64", media_type: "image/png",
      data: PNG } }] : ask.text;
  return { model, max_tokens: 2048, messages: [{ role: "user", content }],
    ...ask.tools && { tools: ask.tools.map((t) => ({ name: t.name,
      description: t.description, input_schema: t.schema })) },
    ...ask.think && { thinking: { type: "enabled", budget_tokens: 1024 } },
    ...ask.stop && { stop_sequences: ask.stop } };
}

async function runTools(client, body, ask, stream, options) {
  const tools = body.tools.map((t) => ({ ...t, type: "custom",
    parse: (input) => input, run: (args) => ask.run(t.name, args) }));
  const runner = client.beta.messages.toolRunner({ ...body, stream, tools },
    options);
  return outcomeOf(await runner);
}

function driver(name, Anthropic, gaps) {
  async function chat(ask, way, model) {
    const client = new Anthropic({ baseURL: PROXY, apiKey: ask.key ?? KEY,
      authToken: null, maxRetries: ask.retries ?? 0, fetch: ask.fetch });
    const options = { signal: ask.signal };
    const body = bodyOf(ask, model);
    if (ask.run)
      return runTools(client, body, ask, way !== "body", options);
    if (way === "helper")
      return outcomeOf(await client.messages.stream(body, options)
        .finalMessage());
    if (way === "stream")
      return collect(await client.messages.create({ ...body, stream: true },
        options));
    return outcomeOf(await client.messages.create(body, options));
  }

  return { name, dialect: "anthropic", ways: ["body", "stream", "helper"],
    chat, statusOf: (err) => err.status,
    isTyped: (err, status) => err instanceof Anthropic.APIError &&
      (status === undefined ||
        err instanceof Anthropic[CLASSES[status] ?? "APIError"]),
    isAbort: (err) => err instanceof Anthropic.APIUserAbortError,
    quiet: ["stream"], gaps };
}

export const DRIVERS = [
  driver("anthropic 0.60", Anthropic0, [
    { rows: ["run tools"], why: "has no tool runner" },
  ]),
  driver("anthropic 1", Anthropic1, []),
];

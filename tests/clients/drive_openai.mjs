// SPDX-License-Identifier: MIT
// drive_openai.mjs - the openai SDKs behind the one interface of table.mjs.

import OpenAI4 from "openai4";
import OpenAI6 from "openai";
import OpenAI7 from "openai7";
import { KEY, PNG, PROXY } from "./kit.mjs";

// Status to error class.
const CLASSES = {
  400: "BadRequestError", 401: "AuthenticationError",
  403: "PermissionDeniedError", 404: "NotFoundError", 409: "ConflictError",
  429: "RateLimitError", 500: "InternalServerError",
  502: "InternalServerError",
};

function usageOf(usage) {
  return usage && { input: usage.prompt_tokens,
    output: usage.completion_tokens,
    cached: usage.prompt_tokens_details?.cached_tokens ?? 0 };
}

function callOf({ id, function: { name, arguments: args } }) {
  return { id, name, args };
}

function outcomeOf(r) {
  const { message, finish_reason } = r.choices[0];
  return { text: message.content ?? "",
    reasoning: message.reasoning_content ?? "",
    calls: (message.tool_calls ?? []).map(callOf),
    finish: finish_reason, usage: usageOf(r.usage), whole: r };
}

async function collect(chunks) {
  const all = { text: "", reasoning: "", calls: [], finish: null };
  for await (const chunk of chunks) {
    const choice = chunk.choices[0];
    all.usage = usageOf(chunk.usage) ?? all.usage;
    all.finish = choice?.finish_reason ?? all.finish;
    all.text += choice?.delta.content ?? "";
    all.reasoning += choice?.delta.reasoning_content ?? "";
    for (const { index, function: f } of choice?.delta.tool_calls ?? []) {
      all.calls[index] ??= { name: "", args: "" };
      all.calls[index].name += f.name ?? "";
      all.calls[index].args += f.arguments ?? "";
    }
  }
  return all;
}

function bodyOf(ask, model) {
  const content = ask.image ? [{ type: "text", text: ask.text },
    { type: "image_url", image_url: { url: `data:image/png;base64,${PNG}` } },
  ] : ask.text;
  return { model, messages: [{ role: "user", content }],
    ...ask.tools && { tools: ask.tools.map((t) => ({ type: "function",
      function: { name: t.name, description: t.description,
        parameters: t.schema } })) },
    ...ask.think && { thinking: { type: "enabled" } },
    ...ask.json && { response_format: { type: "json_object" } },
    ...ask.stop && { stop: ask.stop } };
}

async function helper(chat, body, options) {
  let reasoning = "";
  const runner = chat.stream(body, options);
  runner.on("chunk", (chunk) => {
    reasoning += chunk.choices[0]?.delta.reasoning_content ?? "";
  });
  return { ...outcomeOf(await runner.finalChatCompletion()), reasoning };
}

async function runTools(chat, body, ask, stream, options) {
  const tools = ask.tools.map((t, i) => ({ type: "function", function: {
    ...body.tools[i].function, parse: JSON.parse,
    function: (args) => ask.run(t.name, args) } }));
  const runner = chat.runTools({ ...body, stream, tools }, options);
  return { text: await runner.finalContent(), usage: {} };
}

function driver(name, OpenAI) {
  // Where the helpers live changed with version 5.
  const helpers = (client) => client.chat.completions.stream ?
    client.chat.completions : client.beta.chat.completions;

  async function chat(ask, way, model) {
    const client = new OpenAI({ baseURL: `${PROXY}/v1`,
      apiKey: ask.key ?? KEY, maxRetries: ask.retries ?? 0,
      fetch: ask.fetch });
    const options = { signal: ask.signal };
    const body = bodyOf(ask, model);
    const streamed = { ...body, stream: true,
      stream_options: { include_usage: true } };
    if (ask.run)
      return runTools(helpers(client), body, ask, way !== "body", options);
    if (way === "helper")
      return helper(helpers(client), streamed, options);
    if (way === "stream")
      return collect(await client.chat.completions.create(streamed, options));
    return outcomeOf(await client.chat.completions.create(body, options));
  }

  return { name, dialect: "openai", ways: ["body", "stream", "helper"], chat,
    statusOf: (err) => err.status,
    isTyped: (err, status) => err instanceof OpenAI.APIError &&
      (status === undefined ||
        err instanceof OpenAI[CLASSES[status] ?? "APIError"]),
    isAbort: (err) => err instanceof OpenAI.APIUserAbortError,
    quiet: ["stream"], gaps: [] };
}

export const DRIVERS = [
  driver("openai 4", OpenAI4), driver("openai 6", OpenAI6),
  driver("openai 7", OpenAI7),
];

// SPDX-License-Identifier: MIT
// ai_sdk.mjs - the AI SDK with both of its providers.

import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import {
  APICallError, generateText, jsonSchema, Output, stepCountIs, streamText,
  tool,
} from "ai";
import {
  assert, FIND, KEY, LOOK, PNG, PROXY, rejects, requestCount, requestsSince,
  testBoth, THOUGHT, waitForRequest,
} from "./kit.mjs";

// Warnings about models it does not know are of no use here.
globalThis.AI_SDK_LOG_WARNINGS = false;

const openai = createOpenAICompatible({
  name: "glm", baseURL: `${PROXY}/v1`, apiKey: KEY, includeUsage: true,
});
const anthropic = createAnthropic({ baseURL: `${PROXY}/v1`, apiKey: KEY });
const PROVIDERS = [
  { name: "openai-compatible", make: (model) => openai(model),
    think: { glm: { thinking: { type: "enabled" } } } },
  { name: "anthropic", make: (model) => anthropic(model),
    think: { anthropic: {
      thinking: { type: "enabled", budgetTokens: 1024 } } } },
];

function toolOf({ description, schema }, execute) {
  return tool({ description, inputSchema: jsonSchema(schema), execute });
}

// Text and steps, streamed or not.
async function run(stream, options) {
  if (!stream)
    return generateText({ maxRetries: 0, maxOutputTokens: 2048, ...options });
  let failure;
  const r = streamText({ maxRetries: 0, maxOutputTokens: 2048, ...options,
    onError: ({ error }) => { failure = error; } });
  await r.consumeStream();
  if (failure !== undefined)
    throw failure;
  return { text: await r.text, usage: await r.usage, steps: await r.steps,
    finishReason: await r.finishReason,
    reasoningText: await r.reasoningText };
}

for (const { name, make, think } of PROVIDERS) {
  for (const stream of [false, true]) {
    const how = stream ? "stream" : "body";

    testBoth(`ai ${name}: text, ${how}`, async (model) => {
      const r = await run(stream, { model: make(model),
        system: "Be brief.", prompt: "[[say text=Good%20day in=10 out=4]]" });
      assert.equal(r.text, "Good day");
      assert.equal(r.finishReason, "stop");
      assert.deepEqual([r.usage.inputTokens, r.usage.outputTokens], [10, 4]);
    });

    testBoth(`ai ${name}: tools over turns, ${how}`, async (model) => {
      const seen = [];
      const r = await run(stream, { model: make(model),
        prompt: "look [[tools2]]", stopWhen: stepCountIs(3), tools: {
          look: toolOf(LOOK, ({ path }) => {
            seen.push(`look ${path}`);
            return "r-look";
          }),
          find: toolOf(FIND, ({ path }) => {
            seen.push(`find ${path}`);
            return "r-find";
          }) } });
      assert.deepEqual(seen.sort(), ["find a path", "look a path"]);
      assert.equal(r.steps.length, 2);
      assert.match(r.text, /^Results: .*=r-look; .*=r-find$/);
    });

    testBoth(`ai ${name}: thinking, ${how}`, async (model) => {
      const r = await run(stream, { model: make(model),
        prompt: "[[say text=x]]", providerOptions: think });
      assert.equal(r.reasoningText, THOUGHT);
      assert.equal(r.text, "x");
    });

    testBoth(`ai ${name}: image, ${how}`, async (model) => {
      const n = await requestCount();
      const r = await run(stream, { model: make(model), messages: [
        { role: "user", content: [
          { type: "text", text: "what is it?" },
          { type: "image", image: PNG, mediaType: "image/png" }] }] });
      assert.equal(r.text, "You said: what is it?");
      const [sent] = await requestsSince(n);
      assert.equal(JSON.parse(sent.body).model, "glm-4.6v");
    });

    testBoth(`ai ${name}: errors, ${how}`, async (model) => {
      for (const [code, status] of [[1214, [400]], [1211, [404]],
        [1302, [429]], [1305, [429, 529]], [1230, [500]]])
        await rejects(run(stream, { model: make(model),
          prompt: `[[error code=${code}]]` }), (err) => {
          assert.ok(APICallError.isInstance(err), String(err));
          assert.ok(status.includes(err.statusCode),
            `${code}: ${err.statusCode}`);
          assert.match(err.message, new RegExp(`z.ai code ${code}`));
        });
    });
  }

  testBoth(`ai ${name}: a broken stream fails`, async (model) => {
    for (const fault of ["cut", "error_mid", "ends_early"])
      await rejects(run(true, { model: make(model),
        prompt: `[[${fault} words=60 per=1]]` }), () => {});
  });

  testBoth(`ai ${name}: objects`, async (model) => {
    const r = await generateText({ model: make(model), maxRetries: 0,
      prompt: name === "anthropic" ?
        "[[say text={\"ok\":true,\"n\":1}]]" : "[[fenced]]",
      output: Output.object({ schema: jsonSchema({ type: "object",
        properties: { ok: { type: "boolean" }, n: { type: "number" } },
        required: ["ok", "n"], additionalProperties: false }) }) });
    assert.deepEqual(r.output, { ok: true, n: 1 });
  });

  testBoth(`ai ${name}: abort`, async (model) => {
    const n = await requestCount();
    const controller = new AbortController();
    const r = streamText({ model: make(model), maxRetries: 0,
      prompt: "[[silent at=6 words=99 per=1]]",
      abortSignal: controller.signal, onError: () => {} });
    for await (const part of r.fullStream)
      if (part.type === "text-delta")
        controller.abort();
    const end = await waitForRequest(n, (r) => r.closed_by_peer_ms !== null);
    assert.equal(end.end, "aborted");
  });
}

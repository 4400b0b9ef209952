// SPDX-License-Identifier: MIT
// anthropic.mjs - the Anthropic SDK.

import Anthropic from "@anthropic-ai/sdk";
import {
  assert, FIND, KEY, LOOK, PNG, PROXY, rejects, requestCount, requestsSince,
  test, testBoth, THOUGHT, waitForRequest,
} from "./kit.mjs";

const client = new Anthropic({
  baseURL: PROXY, apiKey: KEY, authToken: null, maxRetries: 0,
});
const max_tokens = 2048;

function tool({ name, description, schema }) {
  return { name, description, input_schema: schema };
}

function user(content) {
  return [{ role: "user", content }];
}

// A message, however it is asked for.
function message(stream, body) {
  return stream ? client.messages.stream(body).finalMessage() :
    client.messages.create(body);
}

testBoth("anthropic: plain", async (model) => {
  const r = await client.messages.create({ model, max_tokens,
    messages: user("hi [[say text=Good%20day in=10 out=4 cached=3]]") });
  assert.deepEqual(r.content, [{ type: "text", text: "Good day" }]);
  assert.equal(r.stop_reason, "end_turn");
  assert.equal(r.model, model);
  assert.equal(r.usage.input_tokens, 7);
  assert.equal(r.usage.cache_read_input_tokens, 3);
  assert.match(r._request_id, /^req_/);
});

testBoth("anthropic: stream", async (model) => {
  const stream = await client.messages.create({ model, max_tokens,
    messages: user("[[text words=50]]"), stream: true });
  const seen = [];
  let text = "";
  for await (const event of stream) {
    if (seen.at(-1) !== event.type)
      seen.push(event.type);
    text += event.delta?.text ?? "";
  }
  assert.equal(text.split(" ").length, 50);
  assert.deepEqual(seen, ["message_start", "content_block_start",
    "content_block_delta", "content_block_stop", "message_delta",
    "message_stop"]);
});

testBoth("anthropic: stream helper", async (model) => {
  const stream = client.messages.stream({ model, max_tokens,
    messages: user("[[text words=20 in=30 out=40]]") });
  let deltas = 0;
  stream.on("text", () => deltas++);
  const r = await stream.finalMessage();
  assert.equal(r.content[0].text.split(" ").length, 20);
  assert.ok(deltas > 1);
  assert.deepEqual([r.usage.input_tokens, r.usage.output_tokens], [30, 40]);
});

for (const stream of [false, true]) {
  testBoth(`anthropic: tools over two turns, stream ${stream}`,
    async (model) => {
      const tools = [tool(LOOK)];
      const messages = user("look [[tool]]");
      const r = await message(stream, { model, max_tokens, messages, tools });
      assert.equal(r.stop_reason, "tool_use");
      const call = r.content[0];
      assert.equal(call.name, "look");
      assert.deepEqual(call.input, { path: "a path" });
      messages.push({ role: "assistant", content: r.content });
      messages.push({ role: "user", content: [
        { type: "tool_result", tool_use_id: call.id, content: "found" }] });
      const next = await message(stream, { model, max_tokens, messages,
        tools });
      assert.equal(next.content[0].text, `Results: ${call.id}=found`);
    });

  testBoth(`anthropic: parallel tools after thinking, stream ${stream}`,
    async (model) => {
      const body = { model, max_tokens, tools: [tool(LOOK), tool(FIND)],
        thinking: { type: "enabled", budget_tokens: 1024 },
        messages: user("look [[tools2]]") };
      const r = await message(stream, body);
      assert.deepEqual(r.content.map((b) => b.type),
        ["thinking", "tool_use", "tool_use"]);
      assert.equal(r.content[0].thinking, THOUGHT);
      assert.equal(typeof r.content[0].signature, "string");
      body.messages.push({ role: "assistant", content: r.content });
      body.messages.push({ role: "user", content: r.content.slice(1).map(
        (b) => ({ type: "tool_result", tool_use_id: b.id,
          content: `r-${b.name}` })) });
      const next = await message(stream, body);
      assert.match(next.content.at(-1).text,
        /^Results: .*=r-look; .*=r-find$/);
    });

  testBoth(`anthropic: calls with odd arguments, stream ${stream}`,
    async (model) => {
      for (const scenario of ["tool_no_args", "tool_whole",
        "tools_interleaved", "tool_late_name"]) {
        const r = await message(stream, { model, max_tokens,
          tools: [tool(LOOK), tool(FIND)], messages: user(`[[${scenario}]]`) });
        for (const b of r.content.filter((b) => b.type === "tool_use"))
          assert.equal(typeof b.input, "object");
      }
    });
}

test("anthropic: image, also in a tool result", async () => {
  const n = await requestCount();
  const source = { type: "base64", media_type: "image/png", data: PNG };
  const image = { type: "image", source };
  await client.messages.create({ model: "glm-4.6", max_tokens,
    messages: user([image, { type: "text", text: "what is it?" }]) });
  await client.messages.create({ model: "glm-4.6", max_tokens,
    tools: [tool(LOOK)], messages: [...user("shoot"),
      { role: "assistant", content: [
        { type: "tool_use", id: "t1", name: "look", input: {} }] },
      { role: "user", content: [
        { type: "tool_result", tool_use_id: "t1", content: [image] }] }] });
  const sent = await requestsSince(n);
  assert.equal(sent.length, 2);
  for (const r of sent) {
    assert.equal(JSON.parse(r.body).model, "glm-4.6v");
    assert.ok(r.body.includes(PNG));
    assert.equal(r.verdict, "ok");
  }
});

testBoth("anthropic: stop sequence", async (model) => {
  const scenario = model.endsWith("openai") ? "say text=abcXXdef piece=2" :
    "stop_sequence";
  for (const stream of [false, true]) {
    const r = await message(stream, { model, max_tokens,
      stop_sequences: ["XX"], messages: user(`[[${scenario}]]`) });
    assert.equal(r.stop_reason, "stop_sequence");
    assert.equal(r.stop_sequence, "XX");
  }
});

testBoth("anthropic: beta route", async (model) => {
  const r = await client.beta.messages.create({ model, max_tokens,
    betas: ["interleaved-thinking-2025-05-14"], messages: user("x") });
  assert.equal(r.content[0].text, "You said: x");
});

const ERRORS = [
  [1214, 400, Anthropic.BadRequestError, "invalid_request_error"],
  [1220, 403, Anthropic.PermissionDeniedError, "permission_error"],
  [1211, 404, Anthropic.NotFoundError, "not_found_error"],
  [1113, 402, Anthropic.APIError, "billing_error"],
  [1302, 429, Anthropic.RateLimitError, "rate_limit_error"],
  [1305, 529, Anthropic.InternalServerError, "overloaded_error"],
  [1230, 500, Anthropic.InternalServerError, "api_error"],
];

testBoth("anthropic: typed errors", async (model) => {
  for (const [code, status, kind, type] of ERRORS)
    for (const stream of [false, true])
      await rejects(client.messages.create({ model, max_tokens, stream,
        messages: user(`[[error code=${code}]]`) }), (err) => {
        assert.ok(err instanceof kind, `${code}: ${err.constructor.name}`);
        assert.equal(err.status, status);
        assert.equal(err.error.error.type, type);
        assert.equal(err.error.request_id, err.requestID);
      });
  await rejects(new Anthropic({ baseURL: PROXY, apiKey: "bad.key",
    authToken: null, maxRetries: 0 }).messages.create({ model, max_tokens,
    messages: user("x") }), (err) =>
    assert.ok(err instanceof Anthropic.AuthenticationError));
});

testBoth("anthropic: overflow in its canonical words", async (model) => {
  await rejects(client.messages.create({ model, max_tokens,
    messages: user("[[overflow n=300000]]") }), (err) => {
    assert.ok(err instanceof Anthropic.BadRequestError);
    assert.match(err.message,
      /prompt is too long: 300000 tokens > 202750 maximum/);
  });
});

test("anthropic: no retry where it is of no use", async () => {
  const patient = client.withOptions({ maxRetries: 2 });
  for (const code of [1308, 1113, 1313, 1211]) {
    const n = await requestCount();
    await rejects(patient.messages.create({ model: "glm-4.6", max_tokens,
      messages: user(`[[error code=${code}]]`) }), () => {});
    assert.equal((await requestsSince(n)).length, 1, String(code));
  }
});

testBoth("anthropic: a broken stream throws", async (model) => {
  for (const fault of ["cut", "reset", "error_mid", "ends_early"])
    await rejects(client.messages.stream({ model, max_tokens,
      messages: user(`[[${fault} words=60 per=1]]`) }).finalMessage(),
    (err) => assert.ok(err instanceof Anthropic.APIError, String(err)));
});

testBoth("anthropic: abort", async (model) => {
  const n = await requestCount();
  const stream = client.messages.stream({ model, max_tokens,
    messages: user("[[silent at=6 words=99 per=1]]") });
  stream.on("text", () => stream.abort());
  await rejects(stream.finalMessage(), (err) =>
    assert.ok(err instanceof Anthropic.APIUserAbortError));
  const r = await waitForRequest(n, (r) => r.closed_by_peer_ms !== null);
  assert.equal(r.end, "aborted");
});

test("anthropic: models", async () => {
  const ids = [];
  for await (const model of client.models.list({ limit: 2 }))
    ids.push(model.id);
  assert.deepEqual(ids, ["glm-4.6", "glm-4.6-openai", "glm-4.6-anthropic",
    "glm-4.6v"]);
  const one = await client.models.retrieve("glm-4.6");
  assert.equal(one.type, "model");
  await rejects(client.models.retrieve("none"), (err) =>
    assert.ok(err instanceof Anthropic.NotFoundError));
});

testBoth("anthropic: count_tokens", async (model) => {
  const r = await client.messages.countTokens({ model, tools: [tool(LOOK)],
    messages: user("word ".repeat(1000)) });
  assert.ok(r.input_tokens > 900, String(r.input_tokens));
});

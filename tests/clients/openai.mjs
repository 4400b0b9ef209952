// SPDX-License-Identifier: MIT
// openai.mjs - the openai SDK.

import OpenAI from "openai";
import {
  assert, FIND, KEY, LOOK, PNG, PROXY, rejects, requestCount, requestsSince,
  test, testBoth, THOUGHT, waitForRequest,
} from "./kit.mjs";

const client = new OpenAI({
  baseURL: `${PROXY}/v1`, apiKey: KEY, maxRetries: 0,
});

function tool({ name, description, schema }) {
  return { type: "function", function: {
    name, description, parameters: schema } };
}

function user(content) {
  return [{ role: "user", content }];
}

async function collect(stream) {
  const all = { text: "", reasoning: "", finish: null, usage: null, calls: [] };
  for await (const chunk of stream) {
    const choice = chunk.choices[0];
    all.usage = chunk.usage ?? all.usage;
    if (choice === undefined)
      continue;
    all.text += choice.delta.content ?? "";
    all.reasoning += choice.delta.reasoning_content ?? "";
    all.finish = choice.finish_reason ?? all.finish;
    for (const call of choice.delta.tool_calls ?? []) {
      all.calls[call.index] ??= { id: call.id, name: call.function.name,
        args: "" };
      all.calls[call.index].args += call.function.arguments ?? "";
    }
  }
  return all;
}

testBoth("openai: plain", async (model) => {
  const r = await client.chat.completions.create({
    model, messages: user("hi [[say text=Good%20day in=10 out=4 cached=3]]") });
  assert.equal(r.choices[0].message.content, "Good day");
  assert.equal(r.choices[0].finish_reason, "stop");
  assert.equal(r.model, model);
  assert.equal(r.usage.prompt_tokens, 10);
  assert.equal(r.usage.prompt_tokens_details.cached_tokens, 3);
  assert.match(r._request_id, /^req_/);
});

testBoth("openai: stream", async (model) => {
  const all = await collect(await client.chat.completions.create({
    model, messages: user("[[text words=50]]"), stream: true,
    stream_options: { include_usage: true } }));
  assert.equal(all.text.split(" ").length, 50);
  assert.equal(all.finish, "stop");
  assert.ok(all.usage.total_tokens > 0);
});

testBoth("openai: stream helper", async (model) => {
  const stream = client.chat.completions.stream({
    model, messages: user("[[text words=20]]"),
    stream_options: { include_usage: true } });
  let deltas = 0;
  stream.on("content", () => deltas++);
  const r = await stream.finalChatCompletion();
  assert.equal(r.choices[0].message.content.split(" ").length, 20);
  assert.ok(deltas > 1);
  assert.ok(r.usage.total_tokens > 0);
});

for (const stream of [false, true]) {
  testBoth(`openai: tools over two turns, stream ${stream}`, async (model) => {
    const tools = [tool(LOOK)];
    const messages = user("look [[tool]]");
    let call;
    if (stream) {
      const all = await collect(await client.chat.completions.create({
        model, messages, tools, stream }));
      assert.equal(all.finish, "tool_calls");
      call = all.calls[0];
    } else {
      const r = await client.chat.completions.create({ model, messages,
        tools });
      const c = r.choices[0].message.tool_calls[0];
      call = { id: c.id, name: c.function.name, args: c.function.arguments };
    }
    assert.equal(call.name, "look");
    assert.deepEqual(JSON.parse(call.args), { path: "a path" });
    messages.push({ role: "assistant", content: null, tool_calls: [
      { id: call.id, type: "function", function: {
        name: call.name, arguments: call.args } }] });
    messages.push({ role: "tool", tool_call_id: call.id, content: "found" });
    const r = await client.chat.completions.create({ model, messages, tools });
    assert.equal(r.choices[0].message.content, `Results: ${call.id}=found`);
  });

  testBoth(`openai: runTools, parallel, stream ${stream}`, async (model) => {
    const seen = [];
    const runner = client.chat.completions.runTools({
      model, stream, messages: user("look [[tools2]]"),
      tools: [LOOK, FIND].map((t) => ({ type: "function", function: {
        name: t.name, description: t.description, parameters: t.schema,
        parse: JSON.parse,
        function: (args) => {
          seen.push([t.name, args.path]);
          return `r-${t.name}`;
        } } })) });
    const text = await runner.finalContent();
    assert.deepEqual(seen, [["look", "a path"], ["find", "a path"]]);
    assert.match(text, /^Results: .*=r-look; .*=r-find$/);
  });
}

test("openai: image", async () => {
  const n = await requestCount();
  const r = await client.chat.completions.create({
    model: "glm-4.6", messages: user([
      { type: "text", text: "what is it?" },
      { type: "image_url", image_url: {
        url: `data:image/png;base64,${PNG}`, detail: "high" } }]) });
  assert.equal(r.choices[0].message.content, "You said: what is it?");
  const [sent] = await requestsSince(n);
  assert.equal(JSON.parse(sent.body).model, "glm-4.6v");
  assert.equal(sent.verdict, "ok");
});

testBoth("openai: thinking", async (model) => {
  const body = { model, messages: user("[[say text=x]]"),
    thinking: { type: "enabled" } };
  const r = await client.chat.completions.create(body);
  assert.equal(r.choices[0].message.reasoning_content, THOUGHT);
  const all = await collect(await client.chat.completions.create({
    ...body, stream: true }));
  assert.deepEqual([all.reasoning, all.text], [THOUGHT, "x"]);
});

testBoth("openai: JSON answers", async (model) => {
  const r = await client.chat.completions.create({
    model, messages: user("[[fenced]]"),
    response_format: { type: "json_object" } });
  assert.deepEqual(JSON.parse(r.choices[0].message.content),
    { ok: true, n: 1 });
});

const ERRORS = [
  [1214, OpenAI.BadRequestError, null],
  [1220, OpenAI.PermissionDeniedError, "permission_denied"],
  [1211, OpenAI.NotFoundError, "model_not_found"],
  [1231, OpenAI.ConflictError, "conflict"],
  [1302, OpenAI.RateLimitError, "rate_limit_exceeded"],
  [1308, OpenAI.RateLimitError, "insufficient_quota"],
  [1305, OpenAI.RateLimitError, "server_overloaded"],
  [1230, OpenAI.InternalServerError, null],
];

testBoth("openai: typed errors", async (model) => {
  for (const [code, kind, name] of ERRORS)
    for (const stream of [false, true])
      await rejects(client.chat.completions.create({
        model, stream, messages: user(`[[error code=${code}]]`) }), (err) => {
        assert.ok(err instanceof kind, `${code}: ${err.constructor.name}`);
        assert.equal(err.code, name);
        assert.match(err.message, new RegExp(`z.ai code ${code}`));
        assert.match(err.requestID, /^req_/);
      });
  await rejects(new OpenAI({ baseURL: `${PROXY}/v1`, apiKey: "bad.key",
    maxRetries: 0 }).chat.completions.create({ model, messages: user("x") }),
  (err) => assert.ok(err instanceof OpenAI.AuthenticationError));
});

testBoth("openai: overflow is told by its code", async (model) => {
  await rejects(client.chat.completions.create({
    model, messages: user("[[overflow n=300000]]") }), (err) => {
    assert.equal(err.status, 400);
    assert.equal(err.code, "context_length_exceeded");
    assert.equal(err.param, "messages");
  });
});

test("openai: no retry where it is of no use", async () => {
  const patient = client.withOptions({ maxRetries: 2 });
  for (const code of [1308, 1113, 1313, 1211]) {
    const n = await requestCount();
    await rejects(patient.chat.completions.create({
      model: "glm-4.6", messages: user(`[[error code=${code}]]`) }),
    () => {});
    assert.equal((await requestsSince(n)).length, 1, String(code));
  }
});

test("openai: retries a failing upstream", async () => {
  const n = await requestCount();
  const r = await client.withOptions({ maxRetries: 2 }).chat.completions.create({
    model: "glm-4.6",
    messages: user("[[flaky times=1 how=close]]") });
  assert.match(r.choices[0].message.content, /^You said/);
  assert.equal((await requestsSince(n)).length, 2);
});

testBoth("openai: a broken stream throws", async (model) => {
  for (const fault of ["cut", "reset", "error_mid", "ends_early"]) {
    const stream = await client.chat.completions.create({
      model, messages: user(`[[${fault} words=60 per=1]]`), stream: true });
    await rejects(collect(stream), (err) =>
      assert.ok(err instanceof OpenAI.APIError, err.constructor.name));
  }
});

testBoth("openai: abort", async (model) => {
  const n = await requestCount();
  const stream = await client.chat.completions.create({
    model, messages: user("[[silent at=6 words=99 per=1]]"), stream: true });
  for await (const chunk of stream)
    if (chunk.choices[0].delta.content)
      stream.controller.abort();
  const r = await waitForRequest(n, (r) => r.closed_by_peer_ms !== null);
  assert.equal(r.end, "aborted");
});

test("openai: models", async () => {
  const ids = [];
  for await (const model of client.models.list())
    ids.push(model.id);
  assert.ok(ids.includes("glm-4.6") && ids.includes("glm-4.6v"), String(ids));
  assert.equal((await client.models.retrieve("glm-4.6")).id, "glm-4.6");
  await rejects(client.models.retrieve("none"), (err) =>
    assert.ok(err instanceof OpenAI.NotFoundError));
});

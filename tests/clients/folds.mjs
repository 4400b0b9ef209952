// SPDX-License-Identifier: MIT
// folds.mjs - do the SDKs make of our streams what we make of them?
//
// Each answer of answers.mjs goes through the proxy to a client of each
// dialect, streamed and not. The SDKs then get the bytes, cut anywhere, as if
// they had asked for them, and what they put together is compared with what
// the generator meant, with our own fold of the same stream, and, where the
// dialects are the same, with what they make of upstream's own stream. Each
// SDK and kind of comparison is one test over all answers.
//
// Environment: PROXY_URL; SEED and COUNT of the answers; CASE for one of them
// alone, with everything that was sent and read.

import { isDeepStrictEqual } from "node:util";
import { Worker, isMainThread, parentPort, workerData } from
  "node:worker_threads";
import { TOOLS, answer, chance, cut } from "./answers.mjs";
import { DRIVERS as AI } from "./drive_ai.mjs";
import { DRIVERS as ANTHROPIC } from "./drive_anthropic.mjs";
import { DRIVERS as LANGCHAIN } from "./drive_langchain.mjs";
import { DRIVERS as OPENAI } from "./drive_openai.mjs";
import { KEY, PROXY, assert, inTime } from "./kit.mjs";

const SEED = Number(process.env.SEED ?? 1);
const COUNT = Number(process.env.COUNT ?? 1500);
const CASE = process.env.CASE;
const AT_ONCE = 8; // of each thread
const THREADS = 2;
const SHOWN = 3; // failures of one test
const DRIVERS = [...OPENAI, ...ANTHROPIC, ...AI, ...LANGCHAIN];
const DIALECTS = { openai: "O", anthropic: "A" };
const MODELS = { O: "glm-4.6-openai", A: "glm-4.6-anthropic" };
// The newest of each, whose whole message is compared with our body.
const NATIVE = { O: "openai 7", A: "anthropic 1" };

const FINISHES = {
  O: { sensitive: "content_filter", length: "length",
    content_filter: "content_filter",
    model_context_window_exceeded: "length" },
  A: { max_tokens: "length", refusal: "content_filter",
    model_context_window_exceeded: "length" },
};

// What an SDK cannot tell, whoever speaks to it: [driver, what it reads,
// oddity of the answer, fields]. What it reads is "own" where it is upstream's
// own stream; a Messages stream that we copy is one, too.
const BLIND = [
  [/^ai 5 anthropic/, /./, /./, ["usage"]],
  [/^langchain anthropic/, /stream|own/, /./, ["usage"]],
  [/^ai 5 anthropic/, /./, /model_context/, ["finish"]],
  [/^ai 5 anthropic|^langchain anthropic/, /own/, /initial input/, ["calls"]],
  [/^ai . anthropic/, /own/, /initial text/, ["text"]],
  [/^anthropic 0/, /stream|own/, /exponent/, ["calls"]],
  [/^openai|^langchain openai/, /own/, /reasoning/, ["reasoning"]],
  [/^openai/, /own/, /no id/, ["usage"]],
  [/./, /own/, /late name|same index|no index|no finish/, ["all"]],
  [/./, /own/, /odd finish/, ["finish"]],
  [/./, /own/, /no usage|usage in the choice/, ["usage"]],
];

// --- tests and what they found ---------------------------------------------

const tests = new Map();
const seen = new Map();

function report(name, n, failure) {
  if (!tests.has(name))
    tests.set(name, { compared: 0, failures: [] });
  const t = tests.get(name);
  t.compared++;
  if (failure !== undefined)
    t.failures.push({ n, failure });
}

// The fields of want in which got differs.
function differences(got, want) {
  return Object.keys(want).filter((key) =>
    !isDeepStrictEqual(got[key], want[key])).map((key) =>
    `${key}: got ${JSON.stringify(got[key])}, want ${
      JSON.stringify(want[key])}`);
}

async function check(name, n, compare) {
  let failure;
  try {
    const found = await compare();
    if (found.length > 0)
      failure = found.join("\n");
  } catch (err) {
    failure = String(err?.stack ?? err);
  }
  report(name, n, failure);
}

// --- what is to come out ---------------------------------------------------

function joined(blocks, type) {
  return blocks.filter((b) => b.type === type).map((b) => b.text).join("");
}

// The answer as a client of that dialect is to see it.
function meant(a, client, isCopy) {
  const { blocks, finish, usage } = a.meaning;
  const calls = blocks.filter((b) => b.type === "tool")
    .map(({ id, name, args }) => ({ id, name, args }));
  const thoughts = joined(blocks, "think");
  let text = joined(blocks, "text");
  let reasoning = thoughts;
  if (!a.isThinking && !isCopy) {
    // An answer of nothing but thoughts is shown as text.
    if (text === "" && calls.length === 0)
      text = a.upstream === "O" ? thoughts : blocks.map((b) => b.text)
        .join("\n");
    if (client === "A" && a.upstream === "O")
      reasoning = "";
  }
  return { text, reasoning, calls,
    finish: FINISHES[a.upstream][finish] ??
      (calls.length > 0 ? "tool_calls" : "stop"),
    ...usage.input !== undefined && { usage: {
      input: usage.input + usage.cached + usage.written,
      output: usage.output, cached: usage.cached } } };
}

function parsed(call) {
  return { ...call, args: typeof call.args === "string" ?
    JSON.parse(call.args) : call.args };
}

// --- what the proxy makes of it --------------------------------------------

function requestOf(a, client, isStream, source, n) {
  const text = `[[${SEED} ${n} ${source}]]`;
  const parameters = { type: "object" };
  const body = { model: MODELS[a.upstream], max_tokens: 4096,
    stream: isStream, messages: [{ role: "user", content: text }] };
  if (client === "O")
    return { ...body, tools: TOOLS.map((name) => ({ type: "function",
      function: { name, parameters } })),
    ...a.stops.length > 0 && { stop: a.stops },
    ...isStream && { stream_options: { include_usage: true } },
    thinking: { type: a.isThinking ? "enabled" : "disabled" } };
  return { ...body, tools: TOOLS.map((name) => ({ name,
    input_schema: parameters })),
  ...a.stops.length > 0 && { stop_sequences: a.stops },
  ...a.isThinking && { thinking: { type: "enabled", budget_tokens: 1024 } } };
}

async function ask(a, client, isStream, source, n) {
  const path = client === "O" ? "chat/completions" : "messages";
  const r = await fetch(`${PROXY}/v1/${path}`, { method: "POST",
    headers: { "content-type": "application/json",
      authorization: `Bearer ${KEY}` },
    body: JSON.stringify(requestOf(a, client, isStream, source, n)) });
  const bytes = new Uint8Array(await r.arrayBuffer());
  assert.equal(r.status, 200, Buffer.from(bytes).toString());
  return bytes;
}

// --- what the SDKs make of that --------------------------------------------

// A fetch that gives these bytes, cut anywhere.
function canned(bytes, isStream, c) {
  const pieces = isStream ? cut(c, bytes) : [bytes];
  const body = new ReadableStream({ pull(controller) {
    controller.enqueue(pieces.shift());
    if (pieces.length === 0)
      controller.close();
  } });
  return async () => new Response(body, { headers: {
    "content-type": isStream ? "text/event-stream" : "application/json" } });
}

// kind: "stream" or "body" of ours, or upstream's "own" stream.
async function read(driver, a, bytes, kind, c) {
  const isStream = kind !== "body";
  const way = !isStream ? "body" : driver.ways.includes("helper") ? "helper" :
    "stream";
  const got = await inTime(driver.chat({ text: "x", think: true,
    tools: TOOLS.map((name) => ({ name, description: name,
      schema: { type: "object", properties: {} } })),
    fetch: canned(bytes, isStream, c) }, way, MODELS[a.upstream]));
  // Upstream may say nothing where it means no arguments; we may not.
  const calls = got.calls.map((call) => ({ ...call,
    args: call.args === "" && kind === "own" ? {} : call.args }));
  return { ...got, calls: calls.map(parsed),
    finish: got.finish === "pause_turn" ? "stop" : got.finish };
}

function without(want, fields) {
  return Object.fromEntries(Object.entries(want).filter(([key]) =>
    !fields.includes(key)));
}

function blindTo(driver, a, kind) {
  const odd = ["", a.meaning.finish, ...a.odd].join("|");
  return BLIND.filter(([names, kinds, odds]) => names.test(driver.name) &&
    kinds.test(kind) && odds.test(odd)).flatMap(([, , , fields]) => fields);
}

async function compare(driver, a, bytes, kind, want, c) {
  return differences(await read(driver, a, bytes, kind, c),
    without(want, blindTo(driver, a, kind)));
}

// --- whole messages --------------------------------------------------------

const COUNTS = ["input_tokens", "output_tokens", "cache_read_input_tokens",
  "cache_creation_input_tokens"];

// What a message of the client's dialect holds, without what only one of its
// forms has. Upstream's body has arguments in another spelling. Ids and
// signatures are made up where upstream gave none.
function plain(client, r, a) {
  const id = a.body.id === undefined ? "" : r.id;
  if (client === "O") {
    const { message, finish_reason } = r.choices[0];
    return { id, object: r.object, model: r.model, finish_reason,
      role: message.role, refusal: message.refusal ?? null,
      content: message.content ?? "",
      calls: (message.tool_calls ?? []).map(({ id, type, function: f }) =>
        ({ id, type, name: f.name, args: f.arguments })), usage: r.usage };
  }
  const signatures = a.meaning.blocks.filter((b) => b.type === "think")
    .map((b) => b.signature);
  return { id, type: r.type, role: r.role, model: r.model,
    stop_reason: r.stop_reason, stop_sequence: r.stop_sequence,
    content: r.content.filter((b) => b.type !== "text" || b.text !== "")
      .map((b) => b.type === "text" ? { type: b.type, text: b.text } :
        b.type === "thinking" ? { type: b.type, thinking: b.thinking,
          signature: signatures.shift() ? b.signature : "" } :
          { type: b.type, id: b.id, name: b.name, input: b.input }),
    usage: Object.fromEntries(COUNTS.map((key) =>
      [key, r.usage[key] ?? 0])) };
}

// A body of Chat Completions has no order.
function isInOrder(a) {
  const order = { think: 0, text: 1, tool: 2 };
  return a.upstream === "A" || a.meaning.blocks.every((b, i, all) => i === 0 ||
    order[all[i - 1].type] < order[b.type] ||
    b.type === "tool" && all[i - 1].type === "tool");
}

// --- all -------------------------------------------------------------------

// Slow SDKs look at one in so many answers; the newest ones at all.
function isTurn(driver, n) {
  const every = /^ai /.test(driver.name) ? 6 :
    /^langchain/.test(driver.name) ? 4 :
      Object.values(NATIVE).includes(driver.name) ? 1 : 2;
  return CASE !== undefined || n % every === DRIVERS.indexOf(driver) % every;
}

// The whole messages of the client's newest SDK and our own fold.
async function playWhole(a, n, client, stream, body, name, c) {
  const driver = DRIVERS.find((d) => d.name === NATIVE[client]);
  const whole = async (bytes, isStream) => plain(client,
    (await read(driver, a, bytes, isStream ? "stream" : "body", c)).whole, a);
  const loose = (r) => ({ ...r, calls: r.calls?.map(parsed) });
  const folded = plain(client, JSON.parse(Buffer.from(body).toString()), a);
  await check(name("our stream is our body"), n, async () =>
    differences(await whole(stream, true), folded));
  if (!isInOrder(a) || a.meaning.usage.input === undefined)
    return;
  for (const isStream of [true, false])
    await check(name(`upstream's body as a ${isStream ? "stream" : "body"}`),
      n, async () => differences(loose(await whole(
        await ask(a, client, isStream, "body", n), isStream)), loose(folded)));
}

async function playClient(a, n, client, c) {
  // Messages for Messages: nothing is put right.
  const isCopy = client === a.upstream && client === "A";
  const [stream, body] = await Promise.all([
    ask(a, client, true, "stream", n), ask(a, client, false, "stream", n)]);
  const own = Buffer.from(a.frames.join(""));
  if (CASE !== undefined)
    console.log(`# client ${client}\n${Buffer.from(stream)}\n${
      Buffer.from(body)}`);
  for (const driver of DRIVERS) {
    if (DIALECTS[driver.dialect] !== client || !isTurn(driver, n))
      continue;
    const name = (what) => `${driver.name}: ${what}, upstream ${a.upstream}`;
    await check(name("our stream"), n, () => compare(driver, a, stream,
      isCopy ? "own" : "stream", meant(a, client, isCopy), c));
    await check(name("our body"), n, () => compare(driver, a, body, "body",
      meant(a, client, isCopy), c));
    if (client === a.upstream && !blindTo(driver, a, "own").includes("all"))
      await check(name("upstream's own stream"), n, () => compare(driver, a,
        own, "own", meant(a, client, true), c));
  }
  await playWhole(a, n, client, stream, body, (what) => `${NATIVE[client]}: ${
    what}, upstream ${a.upstream}`, c);
}

function note(a) {
  const { blocks, finish } = a.meaning;
  for (const what of [...new Set(blocks.map((b) => b.type)), ...a.odd,
    `finish ${finish}`, ...blocks.length === 0 ? ["nothing"] : [],
    ...blocks.filter((b) => b.type === "tool").length > 1 ? ["tools"] : [],
    ...a.stops.length > 0 ? ["stops"] : []]) {
    const key = `${a.upstream} ${what}`;
    seen.set(key, (seen.get(key) ?? 0) + 1);
  }
}

async function play(n) {
  const a = answer(SEED, n);
  const c = chance(SEED + 2, n);
  note(a);
  if (CASE !== undefined)
    console.log(`# upstream ${a.upstream}\n${a.frames.join("")}\n${
      JSON.stringify(a.meaning)}`);
  for (const client of ["O", "A"])
    await check(`a client of ${client}: all are answered`, n, async () => {
      await playClient(a, n, client, c);
      return [];
    });
}

async function playAll(todo) {
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    while (todo.length > 0)
      await play(todo.shift());
  }));
}

// --- threads, and their results together -----------------------------------

// What each upstream's answers must have had.
const NEEDED = { O: ["late name", "same index", "no index", "repeated",
  "interleaved", "no usage", "usage in the choice", "odd finish", "no end",
  "no id", "reasoning"],
A: ["initial text", "initial input", "finish stop_sequence",
  "finish pause_turn"] };
const OFTEN = ["think", "text", "tool", "tools"]; // of both

function merge(part) {
  for (const [name, t] of part.tests) {
    const all = tests.get(name) ?? { compared: 0, failures: [] };
    all.compared += t.compared;
    all.failures.push(...t.failures);
    tests.set(name, all);
  }
  for (const [key, n] of part.seen)
    seen.set(key, (seen.get(key) ?? 0) + n);
}

function runThread(part) {
  return new Promise((resolve, reject) => {
    const thread = new Worker(new URL(import.meta.url),
      { workerData: { part } });
    thread.on("message", (result) => {
      merge(result);
      resolve();
    });
    thread.on("error", reject);
    thread.on("exit", () => reject(new Error("a thread ended early")));
  });
}

// No test may pass because its answers never came.
function demand() {
  for (const upstream of ["O", "A"])
    for (const what of [...OFTEN, ...NEEDED[upstream]]) {
      const n = seen.get(`${upstream} ${what}`) ?? 0;
      const least = OFTEN.includes(what) ? COUNT / 12 : COUNT / 300;
      report(`answers of ${upstream} with: ${what}`, undefined, n >= least ?
        undefined : `only ${n} of ${COUNT}`);
    }
  for (const [name, t] of tests)
    if (!name.startsWith("answers of ") && t.compared < COUNT / 40)
      t.failures.push({ failure: `only ${t.compared} compared of ${COUNT}` });
}

function showStream(n, failures) {
  if (CASE === undefined)
    console.log(`# upstream's stream of answer ${n}:\n${answer(SEED, n)
      .frames.join("").replace(/^/gm, "#   ")}`);
  console.log(`# ${failures} differ; all of one: python3 -m ` +
    `tests.e2e.run_folds --seed ${SEED} --case ${n}`);
}

function show() {
  let failed = 0;
  for (const [name, { compared, failures }] of [...tests].sort()) {
    console.log(`${failures.length === 0 ? "ok" : "not ok"} - ${name}${
      name.startsWith("answers") ? "" : `: ${compared} compared`}`);
    failed += failures.length > 0;
    failures.sort((a, b) => a.n - b.n);
    for (const { n, failure } of failures.slice(0, SHOWN))
      console.log(`# ${n === undefined ? "" : `answer ${n}: `}${
        failure.replaceAll("\n", "\n# ")}`);
    if (failures.length > 0 && failures[0].n !== undefined)
      showStream(failures[0].n, failures.length);
  }
  console.log([...seen].sort().map(([k, n]) => `# ${k}: ${n}`).join("\n"));
  console.log(`${tests.size - failed} passed, ${failed} failed`);
  return failed;
}

if (!isMainThread) {
  await playAll(Array.from({ length: COUNT }, (_, n) => n)
    .filter((n) => n % THREADS === workerData.part));
  parentPort.postMessage({ tests, seen });
} else {
  console.log(`# seed ${SEED}, ${COUNT} answers`);
  if (CASE !== undefined) {
    await playAll([Number(CASE)]);
  } else {
    await Promise.all(Array.from({ length: THREADS }, (_, i) => runThread(i)));
    demand();
  }
  process.exit(show() === 0 ? 0 : 1);
}

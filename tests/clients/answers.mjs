// SPDX-License-Identifier: MIT
// answers.mjs - an upstream's answers by chance: the same seed and number, the
// same answer, as an event stream and as a body.
//
// answer(seed, n) is { upstream: "O" | "A", isThinking, stops, odd, frames,
// body, meaning }. frames are the texts of the stream's events, body is the
// same answer in one object. isThinking and stops are what the request is to
// ask for. odd is the set of names of what only some upstreams do. meaning is
// what the generator meant, and no decoder made: { blocks: [{ type, text |
// id, name, args }], finish, stopSequence, usage: { input, output, cached,
// written } }; input counts no cached tokens, undefined is what nobody said.

export const TOOLS = ["look", "find", "mcp__files__read-all", "Write_2"];
// Never in a text as a whole, so that an answer goes on behind its parts.
export const STOP = "@@STOP@@";

const PIECES = [
  "word", " two words", "The answer is 42. ", "\n", "\n\n", "\t", " ", "\r\n",
  "\"quoted\"", "\\", "\\\\n", "\\u0041", "/", "</script>", "'", "`code`",
  "{\"a\":", "}", "[", "]", "\u00e9", "\u4f60\u597d", "\u{1f600}",
  "\u{1f468}\u200d\u{1f469}\u200d\u{1f467}", "e\u0301", "\u2028", "\u2029",
  "\u0085", "\ufeff", "\0", "\x1b[0m", "\x7f", "\ufffd", "\uffff",
  "data: [DONE]\n\n", "event: message_stop\ndata: {}\n\n", ": ping\n\n",
  "<tool_cal", "<arg_ke", "<|begin_of_bo", "```json\n", "@", "@@STOP", "@@ST",
  "x".repeat(300),
];
const MARKUP = /<\/?(tool_call|arg_|think)|<\|(begin|end)_of_box/;
const NUMBERS = ["0", "-1", "1.0", "1e3", "0.1", "12345678901234567890",
  "1.5E-7", "100000000000000000000000"];
const LARGEST = 200000;

class Chance {
  constructor(seed, n) {
    this.state = (Math.imul(seed, 0x9e3779b1) ^ Math.imul(n, 0x85ebca6b)) >>> 0;
    for (let i = 0; i < 4; i++)
      this.next();
  }

  // mulberry32
  next() {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let z = this.state;
    z = Math.imul(z ^ (z >>> 15), z | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return (z ^ (z >>> 14)) >>> 0;
  }

  below(n) {
    return Math.floor(this.next() / 0x100000000 * n);
  }

  oneIn(n) {
    return this.below(n) === 0;
  }

  pick(list) {
    return list[this.below(list.length)];
  }

  times(n, make) {
    return Array.from({ length: n }, (_, i) => make(i));
  }
}

export function chance(seed, n) {
  return new Chance(seed, n);
}

// --- texts and JSON --------------------------------------------------------

function text(c) {
  return c.times(1 + c.below(6), () => c.pick(PIECES)).join("");
}

// Text or bytes in pieces, cut anywhere: through pairs of surrogates, escapes
// and characters, too.
export function cut(c, s, most = 8) {
  const ends = c.times(c.below(most), () => c.below(s.length + 1))
    .sort((a, b) => a - b);
  return [...ends, s.length].map((end, i) => s.slice(ends[i - 1] ?? 0, end))
    .filter((piece) => piece.length > 0);
}

// The same JSON with its strings in another spelling, where chance wants it.
function spelled(c, json) {
  const hex = (u) => `\\u${u.charCodeAt(0).toString(16).padStart(4, "0")}`;
  const large = (u) => hex(u).toUpperCase().replace("U", "u");
  const inStrings = (change) => json.replace(/"(\\.|[^"\\])*"/gs,
    (token) => `"${change(token.slice(1, -1))}"`);
  switch (c.below(6)) {
  case 0:
    return json.replace(/[\u0080-\uffff]/g, hex);
  case 1:
    return json.replace(/[\u0080-\uffff]/g, large).replaceAll("/", "\\/");
  case 2:
    return inStrings((s) => s.replace(
      /\\[^"\\]|\\(["\\])|[[\]{}\u0080-\uffff]/g,
      (whole, escaped) => escaped !== undefined ? hex(escaped) :
        whole.length > 1 ? whole : c.oneIn(2) ? hex(whole) : large(whole)));
  default:
    return json;
  }
}

function value(c, depth) {
  const blank = () => c.oneIn(6) ? c.pick([" ", "\n", "\t ", "  "]) : "";
  switch (c.below(depth > 2 ? 4 : 6)) {
  case 0:
    return c.pick(NUMBERS);
  case 1:
    return c.pick(["true", "false", "null", "\"\"", "[]", "{}"]);
  case 2:
  case 3:
    return spelled(c, JSON.stringify(text(c)));
  case 4:
    return `[${blank()}${c.times(1 + c.below(3),
      () => value(c, depth + 1)).join(`${blank()},`)}${blank()}]`;
  default:
    return object(c, depth + 1);
  }
}

// The text of an object.
function object(c, depth = 0) {
  const blank = () => c.oneIn(6) ? c.pick([" ", "\n  ", "\t"]) : "";
  const key = (i) => c.oneIn(4) ? `${c.pick(PIECES)}${i}` : `key${i}`;
  return `{${blank()}${c.times(c.below(4), (i) => `${spelled(c,
    JSON.stringify(key(i)))}${blank()}:${blank()}${value(c, depth)}`)
    .join(`${blank()},${blank()}`)}${blank()}}`;
}

// --- what is meant ---------------------------------------------------------

function call(c, i, dialect) {
  const json = c.oneIn(5) ? "{}" : object(c);
  return { type: "tool", id: `${dialect === "A" && c.oneIn(2) ? "toolu" :
    "call"}_${i}${c.next().toString(36)}`, name: c.pick(TOOLS), json,
  args: JSON.parse(json) };
}

function blocks(c, dialect) {
  const types = c.pick([["text"], ["think", "text"], ["tool"],
    ["think", "tool"], ["text", "tool", "tool"], ["think", "text", "tool"],
    ["think", "text", "tool", "tool", "tool"], ["think"], [],
    ["think", "text", "think", "text"], ["text", "tool", "text"],
    ["think", "tool", "think", "tool", "text"]]);
  return types.map((type, i) => type === "tool" ? call(c, i, dialect) :
    { type, text: text(c) });
}

function usage(c) {
  const few = () => c.oneIn(3) ? 0 : 1 + c.below(LARGEST);
  return { input: 1 + c.below(LARGEST), output: c.below(LARGEST),
    cached: few(), written: c.oneIn(4) ? few() : 0 };
}

function all(list, type) {
  return list.filter((b) => b.type === type);
}

function hasExponent(json) {
  return /\d[eE]/.test(json.replace(/"(\\.|[^"\\])*"/g, ""));
}

function isFit(list) {
  const texts = ["text", "think"].map((type) => all(list, type)
    .map((b) => b.text).join(""));
  return !texts.some((t) => t.includes(STOP) || MARKUP.test(t));
}

// --- event streams ---------------------------------------------------------

// Frames in the ways that the standard of event streams allows.
function framed(c, events) {
  const end = c.oneIn(5) ? "\r\n" : "\n";
  const gap = c.oneIn(5) ? "" : " ";
  const isChatty = c.oneIn(6);
  const isSpread = c.oneIn(8);
  return events.map(({ name, data }) => {
    let frame = name === undefined ? "" : `event:${gap}${name}${end}`;
    if (isChatty && c.oneIn(3))
      frame = `: a comment${end}${c.oneIn(2) ? end : ""}${frame}`;
    if (isChatty && c.oneIn(4))
      frame += `id: ${c.below(99)}${end}retry: 1000${end}`;
    const json = typeof data === "string" ? data :
      isSpread ? JSON.stringify(data, null, 1) :
        spelled(c, JSON.stringify(data));
    return frame + json.split("\n").map((line) =>
      `data:${gap}${line}${end}`).join("") + end;
  });
}

// --- Messages --------------------------------------------------------------

// The events of one block.
function blockEvents(c, block, index, odd) {
  const start = (content_block) => ({ type: "content_block_start", index,
    content_block });
  const deltas = (type, key, whole) => cut(c, whole)
    .map((piece) => ({ type: "content_block_delta", index,
      delta: { type, [key]: piece } }));
  const stop = { type: "content_block_stop", index };
  if (block.type === "text") {
    const from = c.oneIn(12) ? c.below(block.text.length) : 0;
    if (from > 0)
      odd.add("initial text");
    return [start({ type: "text", text: block.text.slice(0, from) }),
      ...deltas("text_delta", "text", block.text.slice(from)), stop];
  }
  if (block.type === "think")
    return [start({ type: "thinking", thinking: "", signature: "" }),
      ...deltas("thinking_delta", "thinking", block.text),
      ...block.signature === "" ? [] :
        [{ type: "content_block_delta", index, delta: {
          type: "signature_delta", signature: block.signature } }], stop];
  const isAtStart = c.oneIn(10);
  if (isAtStart && block.json !== "{}")
    odd.add("initial input");
  const pieces = isAtStart || block.json === "{}" && c.oneIn(2) ? [] :
    deltas("input_json_delta", "partial_json", block.json);
  if (!isAtStart && c.oneIn(3))
    pieces.unshift({ type: "content_block_delta", index,
      delta: { type: "input_json_delta", partial_json: "" } });
  return [start({ type: "tool_use", id: block.id, name: block.name,
    input: isAtStart ? block.args : {} }), ...pieces, stop];
}

function counts(u) {
  return { input_tokens: u.input, output_tokens: u.output,
    cache_creation_input_tokens: u.written, cache_read_input_tokens: u.cached };
}

// Counts at the start and at the end, and what of them is known then.
function messagesUsage(c, u) {
  const zero = counts({ input: 0, output: 0, cached: 0, written: 0 });
  switch (c.below(5)) {
  case 0:
    return { start: { ...counts(u), output_tokens: 1 },
      end: { output_tokens: u.output } };
  case 1:
    return { start: counts(usage(c)), end: counts(u) };
  case 2:
    u.input = undefined;
    u.cached = 0;
    u.written = 0;
    return { start: { input_tokens: 0, output_tokens: 0 },
      end: { output_tokens: u.output } };
  default:
    return { start: zero, end: counts(u) };
  }
}

function messages(c) {
  const odd = new Set();
  const list = blocks(c, "A");
  for (const b of all(list, "think"))
    b.signature = c.oneIn(4) ? "" : `sig+/${c.next()}==`;
  const reason = c.oneIn(2) ? c.pick(["max_tokens", "refusal", "pause_turn",
    "stop_sequence", "model_context_window_exceeded"]) : undefined;
  const isCalling = all(list, "tool").length > 0;
  let stop_reason = reason ?? (isCalling ? "tool_use" : "end_turn");
  if (list.length === 0 || isCalling && stop_reason !== "max_tokens")
    stop_reason = isCalling ? "tool_use" : "end_turn";
  const stop_sequence = stop_reason === "stop_sequence" ? STOP : null;
  const u = usage(c);
  const { start, end } = messagesUsage(c, u);
  const message = { id: `msg_2026${c.next()}`, type: "message",
    role: "assistant", model: "glm-4.6", content: [], stop_reason: null,
    stop_sequence: null, usage: start };
  const events = [{ type: "message_start", message },
    ...list.flatMap((b, i) => blockEvents(c, b, i, odd))];
  if (c.oneIn(8))
    events.push({ type: "message_delta", delta: { stop_reason: null,
      stop_sequence: null }, usage: { output_tokens: c.below(u.output + 1) } });
  events.push({ type: "message_delta", delta: { stop_reason, stop_sequence },
    usage: end }, { type: "message_stop" });
  const content = list.map((b) => b.type === "text" ?
    { type: "text", text: b.text } : b.type === "think" ?
      { type: "thinking", thinking: b.text, signature: b.signature } :
      { type: "tool_use", id: b.id, name: b.name, input: b.args });
  return { upstream: "A", odd,
    frames: framed(c, events.flatMap((data) => c.oneIn(12) ?
      [{ name: "ping", data: { type: "ping" } }, { name: data.type, data }] :
      [{ name: data.type, data }])),
    body: { ...message, content, stop_reason, stop_sequence,
      usage: { ...start, ...end } },
    meaning: { blocks: list, finish: stop_reason, stopSequence: stop_sequence,
      usage: u } };
}

// --- Chat Completions ------------------------------------------------------

// How the pieces of one call are told: { tool_calls: [...] } each.
function callDeltas(c, block, index, way) {
  const type = "function";
  const { id, name, json } = block;
  const given = json === "{}" && c.oneIn(2) ? "" : json;
  const begin = { index, id, type, function: { name, arguments: "" } };
  const pieces = cut(c, given);
  switch (way) {
  case "whole":
    return [{ ...begin, function: { name, arguments: given } }];
  case "repeated":
    return [begin, ...pieces.map((arguments_) => ({ ...begin,
      function: { name, arguments: arguments_ } }))];
  case "late name":
    return [{ ...begin, function: { arguments: "" } },
      ...pieces.map((arguments_) => ({ index,
        function: { arguments: arguments_ } })),
      { index, function: { name, arguments: "" } }];
  case "same index":
    return [{ ...begin, index: 0 }, ...pieces.map((arguments_) => ({
      index: 0, function: { arguments: arguments_ } }))];
  case "no index":
    return [{ id, type, function: { name, arguments: "" } },
      ...pieces.map((arguments_) => ({ id,
        function: { arguments: arguments_ } }))];
  default:
    return [begin, ...pieces.map((arguments_) => ({ index,
      ...c.oneIn(2) ? { type } : {}, function: { arguments: arguments_ } }))];
  }
}

// Deltas of calls that stand side by side; those of one keep their order.
function callsDeltas(c, run, from, odd) {
  const way = c.pick(["streamed", "streamed", "streamed", "whole", "repeated",
    "late name", "same index", "no index"]);
  if (!["streamed", "whole"].includes(way))
    odd.add(way);
  const queues = run.map((b, i) => callDeltas(c, b, from + i, way));
  const isMixed = run.length > 1 && way === "streamed" && !c.oneIn(4);
  if (!isMixed)
    return queues.flat().map((d) => ({ tool_calls: [d] }));
  odd.add("interleaved");
  // Each call begins in its turn; several may share a chunk.
  const deltas = queues.map((q) => q.shift());
  while (queues.some((q) => q.length > 0))
    deltas.push(c.pick(queues.filter((q) => q.length > 0)).shift());
  const chunks = [];
  while (deltas.length > 0)
    chunks.push({ tool_calls: deltas.splice(0,
      c.oneIn(3) && deltas[1]?.index !== deltas[0].index ? 2 : 1) });
  return chunks;
}

function chatDeltas(c, list, odd) {
  const reasoning = c.oneIn(8) ? "reasoning" : "reasoning_content";
  if (reasoning === "reasoning" && all(list, "think").length > 0)
    odd.add("reasoning");
  const deltas = [];
  let ncalls = 0;
  for (let i = 0; i < list.length; i++) {
    const { type } = list[i];
    if (type !== "tool") {
      deltas.push(...cut(c, list[i].text).map((piece) => ({
        [type === "think" ? reasoning : "content"]: piece })));
      continue;
    }
    let end = i;
    while (list[end]?.type === "tool")
      end++;
    // A number means one call: these upstreams send theirs all at once.
    deltas.push(...callsDeltas(c, list.slice(i, end), ncalls, odd));
    ncalls += end - i;
    i = end - 1;
  }
  return deltas;
}

function chatUsage(u, odd) {
  const part = u.cached + u.written;
  return { prompt_tokens: u.input + part, completion_tokens: u.output,
    total_tokens: u.input + part + u.output,
    ...part > 0 || !odd ? { prompt_tokens_details: { cached_tokens: u.cached,
      ...u.written > 0 && { cache_write_tokens: u.written } } } : {} };
}

// Put the counts where one of many upstreams does.
function placeUsage(c, chunks, u, odd) {
  const told = chatUsage(u, c.oneIn(2));
  const last = chunks.at(-1);
  switch (c.below(8)) {
  case 0:
    odd.add("no usage");
    for (const key of Object.keys(u))
      u[key] = undefined;
    return undefined;
  case 1:
    odd.add("usage in the choice");
    last.choices[0].usage = told;
    return told;
  case 2:
    chunks.forEach((chunk, i) => {
      chunk.usage = chunk === last ? told : { ...told, completion_tokens: i,
        total_tokens: told.prompt_tokens + i };
    });
    return told;
  case 3:
    odd.add("usage before the finish");
    chunks.splice(-1, 0, { ...last, choices: [], usage: told });
    return told;
  case 4:
  case 5:
    for (const chunk of chunks)
      chunk.usage = null;
    chunks.push({ ...last, choices: [], usage: told });
    return told;
  default:
    last.usage = told;
    return told;
  }
}

function chatFinish(c, list, odd) {
  const isCalling = all(list, "tool").length > 0;
  if (list.length === 0)
    return "stop";
  switch (c.below(6)) {
  case 0:
    return c.pick(["length", "content_filter"]);
  case 1:
    odd.add("odd finish");
    return c.pick(["sensitive", "model_context_window_exceeded", "eos",
      isCalling ? "stop" : "tool_calls"]);
  case 2:
    if (!c.oneIn(4))
      break;
    odd.add("no finish");
    return null;
  default:
  }
  return isCalling ? "tool_calls" : "stop";
}

function chat(c) {
  const odd = new Set();
  const list = blocks(c, "O");
  const finish_reason = chatFinish(c, list, odd);
  const isBare = c.oneIn(8);
  const isZai = c.oneIn(2);
  if (isBare)
    odd.add("no id");
  const head = isBare ? { model: "glm-4.6" } : { id: `2026${c.next()}`,
    object: "chat.completion.chunk", created: 1790000000, model: "glm-4.6" };
  const chunk = (delta, finish) => ({ ...head, choices: [{ index: 0,
    delta, finish_reason: finish ?? null }] });
  const role = { role: "assistant" };
  const deltas = chatDeltas(c, list, odd);
  const chunks = deltas.map((d, i) => chunk(
    isZai ? { ...role, ...d } : i === 0 ? { ...role, content: "", ...d } : d));
  // The finish in a chunk of its own, or in the last one.
  if (chunks.length > 0 && c.oneIn(4))
    chunks.at(-1).choices[0].finish_reason = finish_reason;
  else
    chunks.push(chunk(isZai || chunks.length === 0 ?
      { ...role, content: "" } : c.oneIn(2) ? {} : { content: null },
    finish_reason));
  const u = usage(c);
  const told = placeUsage(c, chunks, u, odd);
  if (chunks.length > 2 && c.oneIn(10))
    chunks.splice(1, 0, { ...head, choices: [] });
  const events = chunks.map((data) => ({ data }));
  if (finish_reason === null || !c.oneIn(10))
    events.push({ data: "[DONE]" });
  else
    odd.add("no end");
  const join = (type) => all(list, type).map((b) => b.text).join("");
  const calls = all(list, "tool");
  const message = { ...role, content: calls.length > 0 && join("text") === "" ?
    null : join("text"),
  ...join("think") !== "" && { reasoning_content: join("think") },
  ...calls.length > 0 && { tool_calls: calls.map((b) => ({ id: b.id,
    type: "function", function: { name: b.name, arguments: b.json } })) } };
  return { upstream: "O", odd, frames: framed(c, events),
    body: { ...head, ...head.object && { object: "chat.completion" },
      request_id: "r1", choices: [{ index: 0, message, finish_reason }],
      ...told && { usage: told } },
    meaning: { blocks: list, finish: finish_reason, stopSequence: null,
      usage: u } };
}

// --- all -------------------------------------------------------------------

export function answer(seed, n) {
  for (let again = 0; ; again++) {
    const c = new Chance(seed + again * 0x10001, n);
    const made = c.oneIn(2) ? chat(c) : messages(c);
    const isThinking = !c.oneIn(5);
    const stops = c.oneIn(4) ? [STOP] : [];
    // As they are streamed, and as they stand in a block's start.
    if (all(made.meaning.blocks, "tool").some((b) => hasExponent(b.json) ||
        hasExponent(JSON.stringify(b.args))))
      made.odd.add("exponent");
    if (isFit(made.meaning.blocks))
      return { ...made, isThinking, stops };
  }
}

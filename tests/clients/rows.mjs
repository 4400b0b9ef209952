// SPDX-License-Identifier: MIT
// rows.mjs - the rows of the table: what is asked, and what is to come of it.
//
// A row is [name, ask, want]. ask.text is what the stand-in is told to play
// (tests/upstream/README.md); tools, think, image, stop, json, key, retries
// and run are what a driver puts into the request beside it. want names what
// the outcome is compared in; its `error` is a kind of KINDS or "broken": an
// error in the middle of a stream. want may be a function of how it is asked:
// { dialect, upstream: "O" | "A", isStream, isCopy } (isCopy: both sides speak
// Messages, so that upstream's oddities are passed on). A want that is a text
// is the reason why this way is not played.

import { FIND, LOOK, THOUGHT } from "./kit.mjs";

// HTTP status for either dialect of the client.
export const KINDS = {
  wrong: { openai: 400, anthropic: 400 },
  login: { openai: 401, anthropic: 401 },
  billing: { openai: 429, anthropic: 402 },
  forbidden: { openai: 403, anthropic: 403 },
  unknown: { openai: 404, anthropic: 404 },
  conflict: { openai: 409, anthropic: 409 },
  limit: { openai: 429, anthropic: 429 },
  overloaded: { openai: 429, anthropic: 529 },
  failed: { openai: 500, anthropic: 500 },
  gateway: { openai: 502, anthropic: 502 },
};

const UNICODE = "half \u{1f600} pair raw \u{1f389} \u00e9 \u4f60\u597d " +
  "ls\u2028 ps\u2029 nel\u0085 nul\0 esc\x1b \"q\" \\ / " +
  "crlf\r\n\r\ndata: [DONE]\n\nevent: x\ndata: {}\n\n\u{1f680} end";
const ARGS = { path: "a path" };
const DEFAULT = /^You said: /;

function words(n) {
  return Array.from({ length: n }, (_, i) => `word${i + 1}`).join(" ");
}

function text(scenario) {
  return [scenario, { text: `[[${scenario} words=12]]` },
    { text: words(12), finish: "stop" }];
}

function calls(...names) {
  return { calls: names.map((name) => ({ name, args: ARGS })),
    finish: "tool_calls" };
}

function tool(scenario, want) {
  return [scenario, { text: `[[${scenario}]]`, tools: [LOOK, FIND] }, want];
}

function code(number, kind) {
  return [`error ${number}`, { text: `[[error code=${number}]]` },
    { error: kind, message: `z.ai code ${number}` }];
}

// A fault: a stream breaks in its middle, a body is no answer at all.
function fault(scenario) {
  return [scenario, { text: `[[${scenario} words=20 per=1]]` },
    ({ isStream }) => ({ error: isStream ? "broken" : "gateway" })];
}

// One that only streams know.
function inStream(scenario) {
  return [scenario, { text: `[[${scenario} words=20 per=1]]` },
    ({ isStream }) => isStream ? { error: "broken" } : { text: words(20) }];
}

// What is put right unless the answer is a copy.
function finish(scenario, good) {
  return [scenario, { text: `[[${scenario} words=12]]` }, ({ isCopy }) =>
    isCopy ? { text: words(12) } : { text: words(12), finish: good }];
}

export const ROWS = [
  ["text", { text: "[[text words=30]]" },
    { text: words(30), finish: "stop" }],
  ["usage", { text: "[[text in=10 out=4 cached=3]]" },
    { usage: { input: 10, output: 4, cached: 3 } }],
  ["say", { text: "hi [[say text=Good%20day]]" },
    { text: "Good day", finish: "stop" }],
  ["unicode", { text: "[[unicode]]" }, { text: UNICODE, finish: "stop" }],
  ["image", { text: "what is it?", image: true },
    { text: "You said: what is it?", finish: "stop" }],
  ["think", { text: "[[think text=x]]", think: true },
    { reasoning: THOUGHT, text: "x", finish: "stop" }],
  ["think_only", { text: "[[think_only]]", think: true },
    { reasoning: THOUGHT, text: "", finish: "stop" }],
  ["think_twice", { text: "[[think_twice text=One.]]", think: true },
    { reasoning: /^The question.*One more thought\.$/s,
      text: "One. And one more sentence.", finish: "stop" }],

  tool("tool", calls("look")),
  tool("text_tool", { text: "Let me look.", ...calls("look") }),
  tool("tools2", calls("look", "find")),
  ["run tools", { text: "look [[tools2]]", tools: [LOOK, FIND], run: true },
    { text: /^Results: .*=r-look; .*=r-find$/ }],
  tool("tools_interleaved", calls("look", "find")),
  tool("tool_late_name", calls("look")),
  tool("tool_same_index", calls("look", "find")),
  tool("tool_whole", calls("look")),
  tool("tool_no_args", { calls: [{ name: "look", args: {} }],
    finish: "tool_calls" }),
  tool("tool_start_input", calls("look")),
  tool("tool_bad_json", { names: ["look"], finish: "tool_calls" }),
  tool("tool_cut", { names: ["look"], finish: "length" }),
  tool("tool_none", { calls: [] }),
  tool("tool_stop", ({ isCopy }) => isCopy ?
    { ...calls("look"), finish: "stop" } : calls("look")),

  ["stop_sequence", { text: "[[stop_sequence words=12]]", stop: ["XX"] },
    { text: words(12), finish: "stop" }],
  // Upstream stops by itself where the request is a copy; `say` does not.
  ["stop word", { text: "[[say text=abcXXdef piece=2]]", stop: ["XX"] },
    ({ isCopy }) => isCopy ? { text: "abcXXdef" } :
      { text: "abc", finish: "stop" }],
  ["max_tokens", { text: "[[max_tokens]]" }, { finish: "length" }],
  ["content_filter", { text: "[[content_filter]]" },
    { finish: "content_filter" }],
  ["sensitive", { text: "[[sensitive]]" }, { finish: "content_filter" }],
  ["network_error", { text: "[[network_error]]" },
    ({ isStream, upstream }) => ({ error: isStream ? "broken" :
      upstream === "O" ? "gateway" : "failed" })],
  ["window", { text: "[[window]]" }, { text: DEFAULT, finish: "length" }],
  ["window words=0", { text: "[[window words=0]]" }, { error: "wrong" }],
  finish("unknown_finish", "stop"), finish("null_finish", "stop"),
  ["empty", { text: "[[empty]]" }, { text: "", finish: "stop" }],
  ["json", { text: "[[json]]" }, { text: '{"ok":true,"n":1}' }],
  ["fenced", { text: "[[fenced]]", json: true },
    { text: /\{"ok":true,"n":1\}/ }],
  ["box", { text: "[[box]]" }, { text: /42/ }],
  ["markup", { text: "[[markup]]" }, { text: /look/ }],

  ["slow", { text: "[[slow head=20 first=20 delay=2 words=12]]" },
    { text: words(12), finish: "stop" }],
  text("bytewise"),
  ["many", { text: "[[many n=100]]" }, { text: /token0 .*token99 $/ }],
  ["big", { text: "[[big bytes=100000]]" }, { text: /^[a-z]{100000}$/ }],
  text("no_done"), text("no_blank"), text("json_for_stream"),
  text("sse_for_body"), text("gzip"), text("interim"), text("trailers"),
  text("http10"), text("extra_bytes"), text("no_type"), text("close_once"),
  text("glued"),
  ["flaky", { text: "[[flaky how=close]]", retries: 2 }, { text: DEFAULT }],

  ["silent", { text: "[[silent words=99 per=1]]", isLeft: true }, {}],
  ["no_head", { text: "[[no_head]]", isLeft: true }, {}],
  inStream("ends_early"), inStream("error_mid"), fault("cut"), fault("torn"),
  fault("reset"), fault("bad_json"),
  ["close_early", { text: "[[close_early]]" }, { error: "gateway" }],
  ["reset_early", { text: "[[reset_early]]" }, { error: "gateway" }],

  ["bad key", { text: "x", key: "bad.key" }, { error: "login" }],
  code(1210, "wrong"), code(1211, "unknown"), code(1113, "billing"),
  code(1220, "forbidden"), code(1231, "conflict"), code(1301, "wrong"),
  code(1230, "failed"), code(1302, "limit"), code(1305, "overloaded"),
  ["error429", { text: "[[error429 code=1308]]" }, { error: "limit" }],
  ["error_first", { text: "[[error_first]]" }, { error: "overloaded" }],
  ["error_200", { text: "[[error_200]]" }, { error: "unknown" }],
  ["overflow", { text: "[[overflow n=300000]]" },
    ({ dialect }) => ({ error: "wrong", message: dialect === "anthropic" ?
      "prompt is too long: 300000 tokens > 202750 maximum" : "300000" })],
  ["html502", { text: "[[html502]]" }, { error: "gateway" }],
  ["empty502", { text: "[[empty502]]" }, { error: "gateway" }],
  ["html429", { text: "[[html429]]" }, { error: "limit" }],
  ["redirect", { text: "[[redirect]]" }, { error: "gateway" }],
  ["bad_gzip", { text: "[[bad_gzip]]" }, ({ isStream }) => isStream ?
    "a stream has gone out before its checksum comes" :
    { error: "gateway" }],
  ["brotli", { text: "[[brotli]]" }, { error: "gateway" }],
  ["garbage", { text: "[[garbage]]" }, { error: "gateway" }],
  ["big_head", { text: "[[big_head]]" }, { error: "gateway" }],
  ["two_lengths", { text: "[[two_lengths]]" }, { error: "gateway" }],
];

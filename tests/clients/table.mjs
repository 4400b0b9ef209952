// SPDX-License-Identifier: MIT
// table.mjs - every SDK through every row of rows.mjs: streamed or not, by its
// own helpers, on both upstreams. A cell of the table is one test.
//
// A driver is { name, dialect, ways, chat(ask, way, model) -> outcome,
// statusOf(err), isTyped(err, status), isAbort(err), quiet, gaps }. An outcome
// is { text, reasoning, calls: [{ name, args }], finish, usage }; errors are
// thrown. `quiet` lists the ways that end without an error when they are
// aborted; `gaps`, which rows [of which ways, upstreams] cannot pass, and why.
// That they still cannot is tested: an old reason fails its cell.

import { DRIVERS as AI } from "./drive_ai.mjs";
import { DRIVERS as ANTHROPIC } from "./drive_anthropic.mjs";
import { DRIVERS as LANGCHAIN } from "./drive_langchain.mjs";
import { DRIVERS as OPENAI } from "./drive_openai.mjs";
import { assert, findRequest, inTime } from "./kit.mjs";
import { KINDS, ROWS } from "./rows.mjs";

const DRIVERS = [...OPENAI, ...ANTHROPIC, ...AI, ...LANGCHAIN];
const MODELS = { O: "glm-4.6-openai", A: "glm-4.6-anthropic" };
const AT_ONCE = 8;

let serial = 0;

function isSame(got, want) {
  if (want instanceof RegExp)
    assert.match(got, want);
  else
    assert.deepEqual(got, want);
}

// Arguments may be given as text or as what the text means.
function parsed({ name, args }) {
  try {
    return { name, args: typeof args === "string" ? JSON.parse(args) : args };
  } catch {
    return { name, args };
  }
}

function compare(got, want) {
  for (const [field, expected] of Object.entries(want)) {
    const value = field === "calls" ? got.calls.map(parsed) :
      field === "names" ? got.calls.map((c) => c.name) : got[field];
    isSame(value, expected);
  }
}

function checkError(driver, err, want) {
  const status = KINDS[want.error]?.[driver.dialect];
  assert.ok(driver.isTyped(err, status), `class: ${err?.stack}`);
  if (status !== undefined)
    assert.equal(driver.statusOf(err), status);
  if (want.message !== undefined)
    assert.ok(err.message.includes(want.message), err.message);
}

// Leave as soon as the request has arrived upstream; the proxy has to as well.
async function leave(driver, ask, way, model) {
  const controller = new AbortController();
  const mark = `mark${++serial}.`;
  const isOurs = (r) => r.body?.includes(mark);
  const running = driver.chat({ ...ask, text: `${mark} ${ask.text}`,
    signal: controller.signal }, way, model).then(
    () => undefined, (err) => err);
  await findRequest(isOurs);
  controller.abort();
  const err = await running;
  assert.ok(err === undefined ? driver.quiet.includes(way) :
    driver.isAbort(err), `ended with ${err}`);
  const r = await findRequest(
    (r) => isOurs(r) && r.closed_by_peer_ms !== null);
  assert.equal(r.end, "aborted");
}

async function play(driver, ask, want, way, model) {
  if (ask.isLeft)
    return leave(driver, ask, way, model);
  const ran = [];
  const run = (name, args) => {
    ran.push(`${name} ${args.path}`);
    return `r-${name}`;
  };
  let got;
  try {
    got = await driver.chat({ ...ask, run: ask.run && run }, way, model);
  } catch (err) {
    if (want.error === undefined)
      throw err;
    return checkError(driver, err, want);
  }
  assert.equal(want.error, undefined, `no error: ${JSON.stringify(got)}`);
  compare(got, want);
  if (ask.run)
    assert.deepEqual(ran.sort(), ["find a path", "look a path"]);
}

function gapOf(driver, row, way, upstream) {
  return driver.gaps.find((g) => g.rows.includes(row) &&
    (g.ways === undefined || g.ways.includes(way)) &&
    (g.upstreams === undefined || g.upstreams.includes(upstream)));
}

// One way to one upstream; the reason why it cannot be, or undefined.
async function playOnce(driver, [row, ask, want], way, upstream) {
  const how = { dialect: driver.dialect, upstream, isStream: way !== "body",
    isCopy: driver.dialect === "anthropic" && upstream === "A" && !ask.image };
  const wanted = typeof want === "function" ? want(how) : want;
  if (typeof wanted === "string")
    return wanted;
  const gap = gapOf(driver, row, way, upstream);
  const done = inTime(play(driver, ask, wanted, way, MODELS[upstream]));
  if (gap === undefined)
    return done;
  await assert.rejects(done, undefined, `no gap any more: ${gap.why}`);
  return gap.why;
}

async function playCell(driver, row) {
  const cell = { passed: 0, reasons: new Set(), failures: [] };
  for (const way of driver.ways)
    for (const upstream of Object.keys(MODELS))
      try {
        const why = await playOnce(driver, row, way, upstream);
        if (why === undefined)
          cell.passed++;
        else
          cell.reasons.add(why);
      } catch (err) {
        cell.failures.push(
          `${way}, ${MODELS[upstream]}: ${err?.stack ?? err}`);
      }
  return cell;
}

// Scenarios of the stand-in that nothing here asks for.
function missing() {
  const played = new Set(ROWS.map(([, ask]) =>
    /\[\[(\w+)/.exec(ask.text)?.[1]));
  return process.env.SCENARIOS.split(" ").filter((name) => !played.has(name));
}

function printTable(cells) {
  const letters = new Map();
  const letter = (why) => {
    if (!letters.has(why))
      letters.set(why, String.fromCharCode(97 + letters.size));
    return letters.get(why);
  };
  const word = ({ passed, reasons, failures }) => {
    if (failures.length > 0)
      return "FAIL";
    return [passed > 0 ? "ok" : "-", [...reasons].map(letter).join("")]
      .join(" ").trim();
  };
  const wide = Math.max(...ROWS.map(([row]) => row.length)) + 2;
  const line = (name, words) => console.log(
    `# ${name.padEnd(wide)}${words.map((w) => w.padEnd(6)).join("")}`
      .trimEnd());
  DRIVERS.forEach(({ name }, i) => console.log(`# ${i + 1}: ${name}`));
  line("", DRIVERS.map((_, i) => String(i + 1)));
  ROWS.forEach(([row], i) => line(row, cells[i].map(word)));
  for (const [why, l] of letters)
    console.log(`# ${l}: ${why}`);
}

// Run all cells, some at a time; print what failed, then the table.
export async function runTable() {
  const cells = ROWS.map(() => []);
  const todo = ROWS.flatMap((row, i) => DRIVERS.map((driver, j) =>
    async () => { cells[i][j] = await playCell(driver, row); }));
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (let cell = todo.shift(); cell !== undefined; cell = todo.shift())
      await cell();
  }));
  let passed = 0;
  let failed = missing().length;
  for (const name of missing())
    console.log(`not ok - table: no row for scenario ${name}`);
  ROWS.forEach(([row], i) => DRIVERS.forEach(({ name }, j) => {
    const { failures } = cells[i][j];
    if (failures.length === 0) {
      passed++;
      return;
    }
    failed++;
    console.log(`not ok - ${name}: ${row}`);
    console.log(failures.join("\n").replace(/^/gm, "# "));
  }));
  printTable(cells);
  return { passed, failed };
}

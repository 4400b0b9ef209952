// SPDX-License-Identifier: MIT
// kit.mjs - tests in a row, assertions, and questions to the stand-in.

import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";

export { assert };

export const PROXY = process.env.PROXY_URL;
export const STANDIN = process.env.STANDIN_URL;
export const KEY = "client-key.1";
export const MODELS = ["glm-4.6-anthropic", "glm-4.6-openai"];
export const THOUGHT = "The question is short. So is the answer.";

// One red and one blue pixel.
export const PNG =
  "iVBORw0KGgoAAAANSUhEUgAAAAIAAAABCAIAAAB7QOjdAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC";

export const LOOK = {
  name: "look",
  description: "Look at a file.",
  schema: {
    type: "object",
    properties: { path: { type: "string" } },
    required: ["path"],
  },
};
export const FIND = { ...LOOK, name: "find", description: "Find a file." };

const TEST_MS = 20000;
const NEWEST = 40;
const POLL_MS = 4;
const tests = [];

export function test(name, run) {
  tests.push({ name, run });
}

// The same test for each upstream.
export function testBoth(name, run) {
  for (const model of MODELS)
    test(`${name} (${model})`, () => run(model));
}

// A promise that may not take longer than a test.
export function inTime(promise) {
  let timer;
  const limit = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done in ${TEST_MS} ms`)),
      TEST_MS);
  });
  return Promise.race([promise, limit]).finally(() => clearTimeout(timer));
}

export async function runAll() {
  let passed = 0;
  let failed = 0;
  for (const { name, run } of tests) {
    try {
      await inTime(run());
      passed++;
      console.log(`ok ${passed + failed} - ${name}`);
    } catch (err) {
      failed++;
      console.log(`not ok ${passed + failed} - ${name}`);
      console.log(String(err?.stack ?? err).replace(/^/gm, "# "));
    }
  }
  console.log(`1..${passed + failed}`);
  return { passed, failed };
}

async function ask(path) {
  const r = await fetch(`${STANDIN}/__standin/${path}`);
  assert.equal(r.status, 200);
  return r.json();
}

export async function requestCount() {
  const last = await ask("requests?last=1");
  return last.length > 0 ? last[0].n : 0;
}

export function requestsSince(n) {
  return ask(`requests?since=${n}`);
}

async function poll(read, pleases) {
  const until = performance.now() + TEST_MS / 2;
  for (;;) {
    const found = (await read()).find(pleases);
    if (found !== undefined)
      return found;
    assert.ok(performance.now() < until, "no such request at the stand-in");
    await pause(POLL_MS);
  }
}

// Poll until one of the requests behind n pleases.
export function waitForRequest(n, pleases) {
  return poll(() => requestsSince(n), pleases);
}

// The same among the newest ones, whoever sent them.
export function findRequest(pleases) {
  return poll(() => ask(`requests?last=${NEWEST}`), pleases);
}

export async function rejects(promise, check) {
  try {
    await promise;
  } catch (err) {
    return check(err);
  }
  throw new Error("it did not fail");
}

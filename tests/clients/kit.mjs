// SPDX-License-Identifier: MIT
// kit.mjs - tests in a row, assertions, and questions to the stand-in.

import assert from "node:assert/strict";

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
const tests = [];

export function test(name, run) {
  tests.push({ name, run });
}

// The same test for each upstream.
export function testBoth(name, run) {
  for (const model of MODELS)
    test(`${name} (${model})`, () => run(model));
}

function timeout(ms) {
  let timer;
  const promise = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done in ${ms} ms`)), ms);
  });
  return { promise, stop: () => clearTimeout(timer) };
}

export async function runAll() {
  let passed = 0;
  let failed = 0;
  for (const { name, run } of tests) {
    const limit = timeout(TEST_MS);
    try {
      await Promise.race([run(), limit.promise]);
      passed++;
      console.log(`ok ${passed + failed} - ${name}`);
    } catch (err) {
      failed++;
      console.log(`not ok ${passed + failed} - ${name}`);
      console.log(String(err?.stack ?? err).replace(/^/gm, "# "));
    } finally {
      limit.stop();
    }
  }
  console.log(`1..${passed + failed}`);
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 && passed > 0;
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

// Poll until the newest request behind n pleases.
export async function waitForRequest(n, pleases) {
  const until = performance.now() + TEST_MS / 2;
  for (;;) {
    const found = (await requestsSince(n)).find(pleases);
    if (found !== undefined)
      return found;
    assert.ok(performance.now() < until, "no such request at the stand-in");
  }
}

export async function rejects(promise, check) {
  try {
    await promise;
  } catch (err) {
    return check(err);
  }
  throw new Error("it did not fail");
}

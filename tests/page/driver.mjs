// SPDX-License-Identifier: MIT
// driver.mjs - Chromium for tests/e2e/test_page.py: reads a line
// {"case": name} after the other, plays what cases.mjs calls so, and answers
// each with {"ok": true, "said": ...} or {"ok": false, "why": ...}.
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";
import { cases } from "./cases.mjs";
import { Bench } from "./bench.mjs";

const CASE_MS = 180000;

const browser = await chromium.launch({
	executablePath: process.env.CHROMIUM,
	args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
});
const bench = new Bench(browser);

async function play(name, args) {
	if (!Object.hasOwn(cases, name))
		throw new Error(`there is no case ${name}`);
	let timer;
	const late = new Promise((_, reject) => {
		timer = setTimeout(() => reject(new Error(`not done in ${CASE_MS} ms`)), CASE_MS);
	});
	try {
		return await Promise.race([cases[name](bench, args), late]);
	} finally {
		clearTimeout(timer);
	}
}

for await (const line of createInterface({ input: process.stdin })) {
	const { case: name, keep = false, ...args } = JSON.parse(line);
	let answer;
	try {
		answer = { ok: true, said: await play(name, args) ?? "" };
		bench.check();
	} catch (e) {
		answer = { ok: false, why: `${e.stack}\n${bench.faults.join("\n")}` };
	}
	if (!keep)
		await bench.close();
	console.log(JSON.stringify(answer));
}
await browser.close();

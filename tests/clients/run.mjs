// SPDX-License-Identifier: MIT
// run.mjs - real SDKs through a running proxy. PROXY_URL and STANDIN_URL say
// where it and the stand-in upstream are, SCENARIOS what that can play;
// tests/e2e/run_clients.py starts both.

import { runAll } from "./kit.mjs";
import { runTable } from "./table.mjs";
import "./openai.mjs";
import "./anthropic.mjs";
import "./ai_sdk.mjs";

const tests = await runAll();
const table = await runTable();
const passed = tests.passed + table.passed;
const failed = tests.failed + table.failed;
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);

// SPDX-License-Identifier: MIT
// run.mjs - real SDKs through a running proxy. PROXY_URL and STANDIN_URL say
// where it and the stand-in upstream are; tests/e2e/run_clients.py starts both.

import { runAll } from "./kit.mjs";
import "./openai.mjs";
import "./anthropic.mjs";
import "./ai_sdk.mjs";

process.exit((await runAll()) ? 0 : 1);

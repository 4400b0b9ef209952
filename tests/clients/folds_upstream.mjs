// SPDX-License-Identifier: MIT
// folds_upstream.mjs - the upstream of folds.mjs: whatever a request asks for,
// it gets the answer that its text names: `[[SEED N stream]]` or `body`. A
// stream arrives cut anywhere, in pieces that are one read or many.

import { createServer } from "node:http";
import { answer, chance, cut } from "./answers.mjs";

const PIECES = 12;

function pause() {
  return new Promise((resolve) => { setImmediate(resolve); });
}

async function play(body, response) {
  const found = /\[\[(\d+) (\d+) (stream|body)\]\]/.exec(body);
  const [seed, n] = [Number(found[1]), Number(found[2])];
  const a = answer(seed, n);
  const c = chance(seed + 1, n);
  if (found[3] === "body") {
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify(a.body));
    return;
  }
  response.writeHead(200, { "content-type": "text/event-stream" });
  for (const piece of cut(c, Buffer.from(a.frames.join("")), PIECES)) {
    response.write(piece);
    if (c.oneIn(3))
      await pause();
  }
  response.end();
}

const server = createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => play(Buffer.concat(parts).toString(), response)
    .catch((err) => {
      console.error(err);
      response.destroy();
    }));
});
server.keepAliveTimeout = 120000;
server.listen(0, "127.0.0.1", () =>
  console.log(`listening on 127.0.0.1:${server.address().port}`));

# SPDX-License-Identifier: MIT
"""Requests as real agents sent them, where the folder with them is there.

GLMPROXY_CAPTURES names it, else it is ../shared/captures beside the project.
Nothing of their text is in the project, nor compared with anything in it.
"""

import json
import os
import unittest

from tests.e2e import wire
from tests.e2e.chat import DIALECTS, read_answer
from tests.e2e.harness import ROOT, Case, as_bytes, post_fields

FOLDER = os.environ.get("GLMPROXY_CAPTURES", os.path.join(
    os.path.dirname(ROOT), "shared", "captures"))
ANTHROPIC = ("claude-code", "opencode-anthropic", "pi-anthropic",
             "qwen-anthropic")


def captures():
    """(name, dialect, bytes) of every file."""
    if not os.path.isdir(FOLDER):
        return
    for name in sorted(os.listdir(FOLDER)):
        if name.endswith(".json"):
            client = "A" if name.split(".")[0] in ANTHROPIC else "O"
            with open(os.path.join(FOLDER, name), "rb") as f:
                yield name[:-5], client, f.read()


@unittest.skipUnless(os.path.isdir(FOLDER), "no captures at " + FOLDER)
class Captures(Case):
    """With each of the two upstreams for text."""

    config = {"text_endpoint_preference": "anthropic"}

    def send(self, client, raw, body):
        d = DIALECTS[client]
        path = d.path + ("?beta=true" if client == "A" else "")
        with wire.Conn(self.proxy.address) as c:
            c.request("POST", path, post_fields(), raw)
            a = read_answer(c, d, body)
        self.assertEqual(a.status, 200, a.response)
        self.assertIsNone(a.error)
        self.assertTrue(a.ended)
        self.assertEqual(self.sent()["verdict"], "ok")
        return a

    def test_as_they_are(self):
        for name, client, raw in captures():
            with self.subTest(name=name):
                self.send(client, raw, json.loads(raw))

    def test_unstreamed(self):
        for name, client, raw in captures():
            with self.subTest(name=name):
                body = json.loads(raw)
                body.pop("stream_options", None)
                body["stream"] = False
                self.send(client, as_bytes(body), body)

    def test_images_go_to_the_vision_model(self):
        for name, client, raw in captures():
            with self.subTest(name=name):
                self.send(client, raw, json.loads(raw))
                model = self.sent().body_json()["model"]
                self.assertEqual(model, "glm-4.6v" if "read_image" in name
                                 else "glm-4.6")

    def test_the_turn_after_a_call(self):
        """One call, and two, of their own tools; then the results."""
        for name, client, raw in captures():
            for scenario in ("tool", "tools2 think=1"):
                with self.subTest(name=name, scenario=scenario):
                    body = json.loads(raw)
                    self.standin.play_next(scenario)
                    a = self.send(client, raw, body)
                    self.assertEqual(len(a.calls),
                                     1 if scenario == "tool" else 2)
                    self.assertEqual(a.finish, "tools")
                    names = {t.get("name") or t["function"]["name"]
                             for t in body["tools"]}
                    self.assertLessEqual({c.name for c in a.calls}, names)
                    follow(client, body, a)
                    b = self.send(client, as_bytes(body), body)
                    for c in a.calls:
                        self.assertIn(c.id + "=done", b.text)

    def test_same_bytes_upstream(self):
        for name, client, raw in captures():
            with self.subTest(name=name):
                seen = set()
                for _ in range(2):
                    self.send(client, raw, json.loads(raw))
                    seen.add(self.sent()["body"])
                self.assertEqual(len(seen), 1)

    def test_counts(self):
        for name, client, raw in captures():
            if client != "A":
                continue
            with self.subTest(name=name):
                body = json.loads(raw)
                few = {k: body[k] for k in ("model", "messages", "tools")}
                r = self.proxy.post("/v1/messages/count_tokens?beta=true", few)
                self.assertEqual(r.status, 200, r)
                self.assertGreater(r.json()["input_tokens"], 100)

    def test_cut_off(self):
        """A fault in the middle of their answer is told to each of them."""
        self.expect_log(r"upstream: .*")
        for name, client, raw in captures():
            with self.subTest(name=name):
                body = json.loads(raw)
                self.standin.play_next("cut words=40 per=1")
                d = DIALECTS[client]
                with wire.Conn(self.proxy.address) as c:
                    c.request("POST", d.path, post_fields(), raw)
                    a = read_answer(c, d, body)
                self.assertIsNotNone(a.error)
                self.assertFalse(a.ended)


class CapturesOpenai(Captures):
    config = {"text_endpoint_preference": "openai"}


def follow(client, body, a):
    """Add the answer's calls and their results as the next turn."""
    if client == "O":
        body["messages"] += [
            {"role": "assistant", "content": a.text or None, "tool_calls": [
                {"id": c.id, "type": "function", "function": {
                    "name": c.name, "arguments": c.args}} for c in a.calls]}]
        body["messages"] += [{"role": "tool", "tool_call_id": c.id,
                              "content": "done"} for c in a.calls]
        return
    blocks = []
    if a.reasoning:
        blocks.append({"type": "thinking", "thinking": a.reasoning,
                       "signature": "c2ln"})
    if a.text:
        blocks.append({"type": "text", "text": a.text})
    blocks += [{"type": "tool_use", "id": c.id, "name": c.name,
                "input": json.loads(c.args)} for c in a.calls]
    body["messages"] += [
        {"role": "assistant", "content": blocks},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": c.id, "content": "done"}
            for c in a.calls]}]


if __name__ == "__main__":
    unittest.main()

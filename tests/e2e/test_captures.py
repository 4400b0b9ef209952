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
    """With each of the two upstreams for text; images have one of their own."""

    side = "A"
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
        sent = self.sent()
        self.assertEqual(sent["verdict"], "ok")
        self.assertEqual(sent.side(), "O" if has_image(body) else self.side)
        return a

    def test_there_are_some(self):
        """Of each dialect, with and without images."""
        seen = {(client, has_image(json.loads(raw)))
                for _, client, raw in captures()}
        self.assertEqual(len(seen), 4, seen)

    def test_as_they_are(self):
        for name, client, raw in captures():
            with self.subTest(name=name):
                self.send(client, raw, json.loads(raw))

    def test_unstreamed(self):
        for name, client, raw in captures():
            with self.subTest(name=name):
                body = unstreamed(raw)
                self.send(client, as_bytes(body), body)

    def test_all_of_it_arrives(self):
        """Tools, calls and results, in their order."""
        for name, client, raw in captures():
            with self.subTest(name=name):
                body = json.loads(raw)
                self.send(client, raw, body)
                sent = self.sent()
                self.assertEqual(held(sent.body_json(), sent.side()),
                                 held(body, client))

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
                for body in (json.loads(raw), unstreamed(raw)):
                    with self.subTest(name=name, scenario=scenario,
                                      stream=body["stream"]):
                        self.check_next_turn(client, body, scenario)

    def check_next_turn(self, client, body, scenario):
        self.standin.play_next(scenario)
        a = self.send(client, as_bytes(body), body)
        self.assertEqual(len(a.calls), 1 if scenario == "tool" else 2)
        self.assertEqual(a.finish, "tools")
        names = {t.get("name") or t["function"]["name"]
                 for t in body["tools"]}
        self.assertLessEqual({c.name for c in a.calls}, names)
        follow(client, body, a)
        b = self.send(client, as_bytes(body), body)
        for c in a.calls:
            self.assertIn(c.id + "=done", b.text)
        sent = self.sent()
        self.assertEqual(held(sent.body_json(), sent.side()),
                         held(body, client))

    def test_the_turn_after_an_answer(self):
        """The agent is done, and its user goes on."""
        for name, client, raw in captures():
            for body in (json.loads(raw), unstreamed(raw)):
                with self.subTest(name=name, stream=body["stream"]):
                    self.standin.play_next("say text=Good%20day think=1")
                    a = self.send(client, as_bytes(body), body)
                    self.assertEqual((a.text, a.finish), ("Good day", "stop"))
                    follow(client, body, a)
                    body["messages"].append(
                        {"role": "user", "content": "and now?"})
                    b = self.send(client, as_bytes(body), body)
                    self.assertIn("and now?", b.text)

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
    side = "O"
    config = {"text_endpoint_preference": "openai"}


def has_image(body):
    """In a message or in a result."""
    def look(parts):
        return isinstance(parts, list) and any(
            p["type"] in ("image", "image_url") or look(p.get("content"))
            for p in parts)

    return any(look(m.get("content")) for m in body["messages"])


def unstreamed(raw):
    body = json.loads(raw)
    body.pop("stream_options", None)
    body["stream"] = False
    return body


def held(body, side):
    """Names of tools, calls with their arguments, ids of results."""
    tools = [t.get("name") or t["function"]["name"] for t in body["tools"]]
    calls, results = [], []
    for m in body["messages"]:
        if side == "O":
            calls += [(c["id"], c["function"]["name"],
                       json.loads(c["function"]["arguments"]))
                      for c in m.get("tool_calls") or []]
            results += [m["tool_call_id"]] if m["role"] == "tool" else []
        elif isinstance(m["content"], list):
            calls += [(b["id"], b["name"], b["input"])
                      for b in m["content"] if b["type"] == "tool_use"]
            results += [b["tool_use_id"] for b in m["content"]
                        if b["type"] == "tool_result"]
    return tools, calls, results


def follow(client, body, a):
    """Add the answer, and the results of its calls, as an agent does that
    sends everything back."""
    if client == "O":
        message = {"role": "assistant", "content": a.text or None}
        if a.reasoning:
            message["reasoning_content"] = a.reasoning
        if a.calls:
            message["tool_calls"] = [
                {"id": c.id, "type": "function", "function": {
                    "name": c.name, "arguments": c.args}} for c in a.calls]
        body["messages"].append(message)
        body["messages"] += [{"role": "tool", "tool_call_id": c.id,
                              "content": "done"} for c in a.calls]
        return
    blocks = []
    if a.reasoning:
        blocks.append({"type": "thinking", "thinking": a.reasoning,
                       "signature": a.signature})
    if a.text:
        blocks.append({"type": "text", "text": a.text})
    blocks += [{"type": "tool_use", "id": c.id, "name": c.name,
                "input": json.loads(c.args)} for c in a.calls]
    body["messages"].append({"role": "assistant", "content": blocks})
    if a.calls:
        body["messages"].append({"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": c.id, "content": "done"}
            for c in a.calls]})


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: MIT
"""Conversations by chance, sent to the strict stand-in on both upstreams.

Whatever a client may send, upstream never refuses what the proxy makes of it,
and the answer keeps its grammar. A failure names the seed of its conversation
in the test's subtitle.
"""

import json
import random
import unittest

from tests.e2e import wire
from tests.e2e.chat import DIALECTS, png, read_answer
from tests.e2e.harness import Case, as_bytes, post_fields

CONVERSATIONS = 200  # a client dialect and upstream, half of them streamed

WORDS = ["Oslo", "a", "caf\u00e9", "\u4f60\u597d", "\U0001f600", "\\", '"',
         "/", "\0", "\x1b[1m", "\u2028", "data: [DONE]", "\n\n", "\r\n",
         "<think>", "</system-reminder>", "{\"a\":[", "&lt;"]
GAPS = ["", " ", "\n", "\t"]
BLANKS = ["", " ", "\n\t ", "\u0020\r\n"]
NAMES = ["look", "mcp__find-it", "R2_d2", "x"]
MODELS = ["glm-4.6", "GLM-4.6[1m]", "glm-4.7", "glm-5.2", "glm-5.3",
          "glm-4.5-air", "claude-sonnet-4-5"]
ARGUMENTS = ["", " ", "null", " null ", " {} ", "{\"a\":", "[1]", "\"x\"",
             "<arg_key>a</arg_key>"]
PICTURE = png()


class Gen:
    """The same seed, the same conversation; in neither dialect.

    A turn is ("user" | "system" | "assistant" | "results", ...) as in
    chat.py, but with what clients get wrong: results that are missing, late,
    double or nobody's, ids that repeat, empty and blank texts, turns in any
    order. A tidy one has no more than an empty text beside others and system
    turns anywhere.
    """

    def __init__(self, seed, tidy=False):
        self.r = random.Random(seed)
        self.tidy = tidy
        self.calls = 0
        self.waiting = []
        self.tools = NAMES[:self.r.randrange(len(NAMES) + 1)]

    def one_in(self, n):
        return self.r.randrange(n) == 0

    def wrong(self, n):
        """One time in n, unless it is to be tidy."""
        return not self.tidy and self.one_in(n)

    def text(self, blank=True):
        if blank and self.wrong(12):
            return self.r.choice(BLANKS)
        text = self.r.choice(GAPS).join(
            self.r.choice(WORDS) for _ in range(self.r.randint(1, 6)))
        return "<" + text + ">" if self.tidy else text

    def value(self, depth=0):
        kind = self.r.randrange(6 if depth < 3 else 4)
        if kind == 0:
            return self.text()
        if kind == 1:
            return self.r.choice([0, -1, 1.5, 12345678901234567890, 1e300])
        if kind in (2, 3):
            return self.r.choice([None, True, False])
        if kind == 4:
            return [self.value(depth + 1) for _ in range(self.r.randrange(3))]
        return self.object(depth + 1)

    def object(self, depth=0):
        return {"k%d" % i: self.value(depth)
                for i in range(self.r.randrange(4))}

    def parts(self, images):
        """A string, or a list of ("text", t) and ("image",)."""
        if self.one_in(2):
            return self.text()
        parts = [("text", self.text())
                 for _ in range(self.r.randint(1 if self.tidy else 0, 3))]
        if self.one_in(4):
            parts.append(("text", ""))
        if images and self.one_in(3):
            parts.insert(self.r.randint(0, len(parts)), ("image",))
        return parts

    def call(self):
        self.calls += 1
        odd = ["call_1", "functions.read:0", "call 1", "\u00e9", "call_1_2"]
        id_ = (self.r.choice(odd) if self.wrong(4)
               else "toolu_%d" % self.calls)
        name = self.r.choice(self.tools or ["gone"])
        self.waiting.append(id_)
        return (id_, name, self.object())

    def broken(self, turns):
        """Some arguments as a model left them; only O can say that."""
        for t in turns:
            if t[0] == "assistant":
                t[2][:] = [(i, n, self.r.choice(ARGUMENTS))
                           if self.wrong(8) else (i, n, a)
                           for i, n, a in t[2]]
        return turns

    def results(self, images):
        out = []
        self.r.shuffle(self.waiting)
        while self.waiting:
            id_ = self.waiting.pop()
            if self.wrong(6):
                continue  # missing
            out.append((id_, self.parts(images), self.one_in(5)))
            if self.wrong(8):
                out.append((id_, self.parts(images), False))
            if self.wrong(10):
                out.append(("nobody", self.parts(images), False))
            if self.wrong(8):
                break  # the others come late
        return out

    def turns(self, images):
        turns = []
        if self.one_in(2):
            turns.append(("system", self.parts(False)))
        for _ in range(self.r.randint(1, 5)):
            if not self.wrong(10):
                turns.append(("user", self.parts(images)))
            if self.one_in(6):
                turns.append(("system", self.parts(False)))
            if self.one_in(3):
                continue
            calls = [self.call() for _ in range(self.r.randrange(4))]
            turns.append(("assistant", self.parts(False), calls,
                          self.text(False) if self.one_in(3) else None))
            if self.wrong(8):
                turns.append(("user", self.text()))
            if self.waiting:
                turns.append(("results", self.results(images)))
        if not turns or turns[-1][0] == "system":
            turns.append(("user", self.text()))
        return turns

    def schema(self):
        if self.one_in(4):
            return None
        schema = {"type": "object", "properties": {
            "k%d" % i: {"type": self.r.choice(["string", "integer"])}
            for i in range(self.r.randrange(3))}}
        if self.one_in(3):
            schema["additionalProperties"] = False
            schema["$schema"] = "http://json-schema.org/draft-07/schema#"
        return schema


class AsO:
    """A conversation as a client of Chat Completions writes it."""

    @staticmethod
    def parts(content):
        if isinstance(content, str):
            return content
        return [{"type": "text", "text": p[1]} if p[0] == "text" else
                {"type": "image_url", "image_url": {
                    "url": "data:image/png;base64," + PICTURE}}
                for p in content]

    def messages(self, turns):
        out = []
        for t in turns:
            if t[0] == "results":
                out += [{"role": "tool", "tool_call_id": i,
                         "content": self.parts(c)} for i, c, _ in t[1]]
                continue
            m = {"role": t[0], "content": self.parts(t[1])}
            if t[0] == "assistant" and t[2]:
                m["tool_calls"] = [{"id": i, "type": "function", "function": {
                    "name": n, "arguments": a if isinstance(a, str)
                    else json.dumps(a)}}
                    for i, n, a in t[2]]
            if t[0] == "assistant" and t[3]:
                m["reasoning_content"] = t[3]
            out.append(m)
        return out

    def body(self, g, turns):
        body = {"messages": self.messages(g.broken(turns))}
        if g.tools:
            body["tools"] = []
            for name in g.tools:
                f = {"name": name}
                if not g.one_in(3):
                    f["description"] = g.text(False)
                schema = g.schema()
                if schema is not None:
                    f["parameters"] = schema
                body["tools"].append({"type": "function", "function": f})
            choice = g.r.choice([None, "auto", "required", "none", {
                "type": "function", "function": {"name": g.tools[0]}}])
            if choice is not None:
                body["tool_choice"] = choice
        self.knobs(g, body)
        return body

    @staticmethod
    def knobs(g, body):
        for key, values in (
                ("max_tokens", [1, 1000, 500000]),
                ("max_completion_tokens", [2000]),
                ("temperature", [0, 0.7, 1, 1.9, 0.12345]),
                ("top_p", [0, 0.5, 1]), ("stop", ["END", ["a", "b"], []]),
                ("reasoning_effort", ["none", "minimal", "low", "medium",
                                      "high", "xhigh", "max"]),
                ("thinking", [{"type": "enabled"}, {"type": "disabled"}]),
                ("parallel_tool_calls", [True, False]),
                ("response_format", [{"type": "text"},
                                     {"type": "json_object"}]),
                ("user", ["x", "somebody@example.org", "u" * 200]),
                ("seed", [7]), ("logit_bias", [{"1": 2}]), ("n", [1]),
                ("top_k", [40]), ("presence_penalty", [0, 0.5])):
            if g.one_in(5):
                body[key] = g.r.choice(values)


class AsA:
    """A conversation as a client of Messages writes it."""

    @staticmethod
    def parts(content):
        if isinstance(content, str):
            return content
        return [{"type": "text", "text": p[1]} if p[0] == "text" else
                {"type": "image", "source": {
                    "type": "base64", "media_type": "image/png",
                    "data": PICTURE}} for p in content]

    def blocks(self, content):
        parts = self.parts(content)
        return ([{"type": "text", "text": parts}] if isinstance(parts, str)
                else parts)

    def message(self, g, t):
        if t[0] == "results":
            out = []
            for id_, content, failed in t[1]:
                b = {"type": "tool_result", "tool_use_id": id_}
                if content or not g.one_in(2):
                    b["content"] = self.parts(content)
                if failed:
                    b["is_error"] = True
                out.append(b)
            return {"role": "user", "content": out}
        if t[0] != "assistant":
            return {"role": t[0], "content": self.parts(t[1])}
        out = self.blocks(t[1])
        if t[3]:
            out.insert(0, {"type": "thinking", "thinking": t[3],
                           "signature": g.r.choice(["", "c2ln"])})
        out += [{"type": "tool_use", "id": i, "name": n, "input": a}
                for i, n, a in t[2]]
        return {"role": "assistant", "content": out}

    def body(self, g, turns):
        body = {"max_tokens": g.r.choice([1, 1000, 5000, 500000])}
        if turns[0][0] == "system":
            body["system"] = self.parts(turns[0][1])
            turns = turns[1:]
        body["messages"] = [self.message(g, t) for t in turns]
        for m in body["messages"]:
            if isinstance(m["content"], list) and m["content"] and g.one_in(4):
                m["content"][-1]["cache_control"] = {"type": "ephemeral"}
        if g.tools:
            body["tools"] = []
            for name in g.tools:
                tool = {"name": name, "input_schema":
                        g.schema() or {"type": "object"}}
                if not g.one_in(3):
                    tool["description"] = g.text(False)
                body["tools"].append(tool)
            choice = g.r.choice([None, {"type": "auto"}, {"type": "any"},
                                 {"type": "none"},
                                 {"type": "tool", "name": g.tools[0]}])
            if choice is not None:
                body["tool_choice"] = choice
        self.knobs(g, body)
        return body

    @staticmethod
    def knobs(g, body):
        for key, values in (
                ("temperature", [0, 0.7, 1, 0.12345]), ("top_p", [0.5, 1]),
                ("top_k", [40]), ("stop_sequences", [["END"], ["a", "b"]]),
                ("thinking", [{"type": "disabled"}, {"type": "adaptive"},
                              {"type": "enabled", "budget_tokens": 2048}]),
                ("output_config", [{"effort": "low"}, {"effort": "max"}]),
                ("metadata", [{"user_id": "x"}, {"user_id": "u" * 200}]),
                ("service_tier", ["auto"]),
                ("context_management", [{"edits": [
                    {"type": "clear_thinking_20251015", "keep": "all"}]}])):
            if g.one_in(5):
                body[key] = g.r.choice(values)
        thinking = body.get("thinking", {})
        if "budget_tokens" in thinking:
            body["max_tokens"] = max(body["max_tokens"], 4096)


WRITERS = {"O": AsO(), "A": AsA()}


class Generated(Case):
    """All of them, at one upstream for text."""

    config = {"text_endpoint_preference": "anthropic"}
    text_side = "A"

    def send(self, conn, client, seed, images):
        # Copied requests are repaired by nobody: what is wrong in them is
        # the client's own affair.
        g = Gen("%s %d" % (client, seed),
                client == "A" and self.text_side == "A")
        body = WRITERS[client].body(g, g.turns(images))
        body["model"] = g.r.choice(MODELS)
        if seed % 2:
            body["stream"] = True
            if client == "O":
                body["stream_options"] = {"include_usage": True}
        d = DIALECTS[client]
        conn.request("POST", d.path, post_fields(), as_bytes(body))
        a = read_answer(conn, d, body)
        if a.status != 200 or a.error is not None or not a.ended:
            self.fail("%d %s\n%s\nsent: %s" % (
                a.status, a.error, json.dumps(body), self.sent()["verdict"]))

    def play(self, client, images):
        with wire.Conn(self.proxy.address) as conn:
            for seed in range(CONVERSATIONS):
                with self.subTest(seed=seed):
                    self.send(conn, client, seed, images)

    def sides(self):
        return {r.side() for r in self.standin.requests(self.since)}

    def test_chat_completions(self):
        self.play("O", False)
        self.assertEqual(self.sides(), {self.text_side})

    def test_messages(self):
        self.play("A", False)
        self.assertEqual(self.sides(), {self.text_side})


class GeneratedOpenai(Generated):
    config = {"text_endpoint_preference": "openai"}
    text_side = "O"

    def test_images(self):
        for client in "OA":
            with self.subTest(client=client):
                self.play(client, True)
        self.assertEqual(self.sides(), {"O"})


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: MIT
"""What the tests of the stand-in's scenarios share."""

import json
import os
import unittest

from tests.e2e import standin_cases as cases
from tests.e2e.upstream import CHAT, MESSAGES, ROOT, Standin

TOOLS_A = [
    {
        "name": "look",
        "input_schema": {
            "type": "object",
            "properties": {
                "path": {"type": "string"},
                "depth": {"type": "integer", "minimum": 3},
                "kind": {"enum": ["file", "dir"]},
                "deep": {"type": "boolean"},
                "list": {"type": "array", "items": {"type": "number"}},
                "more": {"type": "object", "properties": {"x": {"type": "null"}}, "required": ["x"]},
                "other": {"type": "string"},
            },
            "required": ["path", "depth", "kind", "deep", "list", "more"],
        },
    },
    {"name": "write", "input_schema": {"type": "object", "properties": {"text": {"type": "string"}}}},
]
TOOLS_O = [
    {
        "type": "function",
        "function": {"name": t["name"], "description": "d", "parameters": t["input_schema"]},
    }
    for t in TOOLS_A
]
LOOK_ARGS = {
    "path": "a path",
    "depth": 3,
    "kind": "file",
    "deep": True,
    "list": [1.5],
    "more": {"x": None},
}


def read_source(*names):
    with open(os.path.join(ROOT, "tests", *names), encoding="utf-8") as f:
        return f.read()


def fold_a(answer):
    """Blocks, message_delta and event names of a stream; checks their order."""
    blocks, delta, names = [], None, []
    for name, data in answer.events():
        e = json.loads(data)
        assert e["type"] == name, data
        names.append(name)
        if name == "content_block_start":
            assert e["index"] == len(blocks), data
            blocks.append(dict(e["content_block"], json=""))
        elif name == "content_block_delta":
            assert e["index"] == len(blocks) - 1, data
            d = e["delta"]
            part = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json"}
            if d["type"] == "signature_delta":
                blocks[-1]["signature"] = d["signature"]
            elif d["type"] == "input_json_delta":
                blocks[-1]["json"] += d["partial_json"]
            else:
                blocks[-1][part[d["type"]]] += d[part[d["type"]]]
        elif name == "message_delta":
            delta = e
    return blocks, delta, names


def fold_o(answer):
    """Text, reasoning, {index: call}, finish and usage of a stream."""
    out = {"text": "", "think": "", "calls": {}, "finish": None, "usage": None}
    for chunk in answer.chunks():
        out["usage"] = chunk.get("usage") or out["usage"]
        for choice in chunk["choices"]:
            out["finish"] = choice.get("finish_reason") or out["finish"]
            delta = choice.get("delta", {})
            out["text"] += delta.get("content") or ""
            out["think"] += delta.get("reasoning_content") or ""
            for part in delta.get("tool_calls", []):
                call = out["calls"].setdefault(part["index"], {"id": None, "name": "", "args": ""})
                call["id"] = call["id"] or part.get("id")
                call["name"] += part["function"].get("name") or ""
                call["args"] += part["function"].get("arguments") or ""
    return out


class Play(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.up = Standin()

    @classmethod
    def tearDownClass(cls):
        cls.up.stop()

    def body(self, path, scenario, stream, **fields):
        make = cases.a if path == MESSAGES else cases.o
        if fields.pop("tools", False):
            fields["tools"] = TOOLS_A if path == MESSAGES else TOOLS_O
        return make(cases.user("hi [[%s]]" % scenario), stream=stream, **fields)

    def a(self, scenario, **fields):
        return self.up.post(MESSAGES, self.body(MESSAGES, scenario, False, **fields))

    def o(self, scenario, **fields):
        return self.up.post(CHAT, self.body(CHAT, scenario, False, **fields))

    def a_stream(self, scenario, **fields):
        return self.up.post(MESSAGES, self.body(MESSAGES, scenario, True, **fields))

    def o_stream(self, scenario, **fields):
        return self.up.post(CHAT, self.body(CHAT, scenario, True, **fields))

    def raw(self, path, scenario, stream=True, **fields):
        return self.up.raw_post(path, self.body(path, scenario, stream, **fields))

    def texts(self, scenario, **fields):
        """The text in all four forms; they must agree."""
        a, o = self.a(scenario, **fields).json, self.o(scenario, **fields).json
        blocks, _, _ = fold_a(self.a_stream(scenario, **fields))
        found = [
            "".join(b["text"] for b in a["content"] if b["type"] == "text"),
            o["choices"][0]["message"]["content"],
            "".join(b["text"] for b in blocks if b["type"] == "text"),
            fold_o(self.o_stream(scenario, **fields))["text"],
        ]
        found = [t.encode("utf-16", "surrogatepass").decode("utf-16") for t in found]
        self.assertEqual(len(set(found)), 1, found)
        return found[0]

# SPDX-License-Identifier: MIT
"""The raw shape of every scenario that the stand-in upstream plays."""

import json
import os
import re
import time
import unittest
import zlib

from tests.e2e import standin_cases as cases
from tests.e2e.upstream import CHAT, MESSAGES, ROOT, Standin, receive_all, wait_for

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


class Envelopes(Play):
    def test_body_of_messages(self):
        answer = self.a("say text=x in=100 cached=64 out=7")
        body = answer.json
        self.assertRegex(body.pop("id"), r"^msg_20\d{12}[0-9a-f]{16}$")
        self.assertEqual(
            body,
            {
                "type": "message",
                "role": "assistant",
                "model": "glm-4.6",
                "content": [{"type": "text", "text": "x"}],
                "stop_reason": "end_turn",
                "stop_sequence": None,
                "usage": {"input_tokens": 36, "output_tokens": 7, "cache_read_input_tokens": 64},
            },
        )
        self.assertIn("acw_tc=", answer.fields["set-cookie"])

    def test_body_of_chat(self):
        body = self.o("say text=x in=100 cached=64 out=7").json
        self.assertRegex(body["id"], r"^20\d{12}[0-9a-f]{16}$")
        self.assertEqual(body.pop("id"), body.pop("request_id"))
        self.assertLess(abs(body.pop("created") - time.time()), 60)
        self.assertEqual(
            body,
            {
                "model": "glm-4.6",
                "choices": [
                    {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "x"}}
                ],
                "usage": {
                    "prompt_tokens": 100,
                    "completion_tokens": 7,
                    "total_tokens": 107,
                    "prompt_tokens_details": {"cached_tokens": 64},
                },
            },
        )

    def test_stream_of_messages(self):
        answer = self.a_stream("text words=4 out=9")
        self.assertEqual(answer.fields["content-type"], "text/event-stream;charset=UTF-8")
        blocks, delta, names = fold_a(answer)
        start = json.loads(answer.events()[0][1])["message"]
        self.assertEqual(start["usage"], {"input_tokens": 0, "output_tokens": 0})
        self.assertEqual(start["content"], [])
        self.assertEqual(
            names,
            ["message_start", "ping", "content_block_start"]
            + ["content_block_delta"] * 2
            + ["content_block_stop", "message_delta", "message_stop"],
        )
        self.assertEqual(blocks[0]["text"], "word1 word2 word3 word4")
        self.assertEqual(delta["delta"], {"stop_reason": "end_turn", "stop_sequence": None})
        self.assertEqual(delta["usage"]["output_tokens"], 9)
        self.assertGreater(delta["usage"]["input_tokens"], 0)
        self.assertNotIn("ping", fold_a(self.a_stream("text ping=0"))[2])

    def test_stream_of_chat(self):
        answer = self.o_stream("text words=4")
        self.assertEqual(answer.events()[-1], ("", "[DONE]"))
        chunks = answer.chunks()
        self.assertEqual(len({c["id"] for c in chunks}), 1)
        self.assertTrue(all(c["choices"][0]["delta"]["role"] == "assistant" for c in chunks))
        self.assertNotIn("object", chunks[0])
        self.assertEqual(chunks[-1]["choices"][0]["finish_reason"], "stop")
        self.assertEqual(chunks[-1]["choices"][0]["delta"]["content"], "")
        self.assertIn("usage", chunks[-1])
        self.assertEqual(self.o_stream("text object=1").chunks()[0]["object"], "chat.completion.chunk")
        self.assertEqual(self.o("text object=1").json["object"], "chat.completion")
        self.assertNotIn("id", self.o_stream("text noid=1").chunks()[0])
        self.assertNotIn("id", self.a("text noid=1").json)

    def test_usage_places(self):
        def places(option):
            chunks = self.o_stream("text words=1 usage=" + option).chunks()
            return [("F" if c["choices"] else "-") for c in chunks if "usage" in c], len(chunks)

        self.assertEqual(places("finish"), (["F"], 2))
        self.assertEqual(places("chunk"), (["-"], 3))
        self.assertEqual(places("both"), (["F", "-"], 3))
        self.assertEqual(places("before"), (["-"], 3))
        self.assertEqual(places("none"), ([], 2))
        chunks = self.o_stream("text words=1 blank=1").chunks()
        self.assertEqual([len(c["choices"]) for c in chunks], [0, 1, 1, 1, 0, 1, 1, 1])
        self.assertIsNone(chunks[1]["choices"][0]["delta"]["content"])
        self.assertNotIn("delta", chunks[2]["choices"][0])


class Content(Play):
    def test_texts(self):
        self.assertEqual(self.texts("text words=3"), "word1 word2 word3")
        self.assertEqual(self.texts("say text=a%20%F0%9F%98%80%0Ab"), "a \N{GRINNING FACE}\nb")
        self.assertEqual(self.texts("json"), '{"ok":true,"n":1}')
        self.assertEqual(self.texts("fenced"), '```json\n{"ok":true,"n":1}\n```')
        self.assertEqual(self.texts("box"), "<think>hm</think>\n<|begin_of_box|>42<|end_of_box|>")
        self.assertIn("<tool_call>", self.texts("markup"))
        self.assertEqual(self.texts("empty"), "")
        self.assertEqual(len(self.texts("big bytes=3000000")), 3000000)
        self.assertEqual(self.texts("many n=5"), "token0 token1 token2 token3 token4 ")
        self.assertEqual(self.texts("many"), "".join("token%d " % i for i in range(200)))
        self.assertEqual(self.a("empty").json["content"], [])
        long = self.up.post(MESSAGES, cases.a(cases.user("\N{GRINNING FACE}" * 60))).json
        self.assertEqual(long["content"][0]["text"], "You said: " + "\N{GRINNING FACE}" * 50)

    def test_pieces(self):
        chunks = self.o_stream("say text=abcX piece=2").chunks()
        self.assertEqual([c["choices"][0]["delta"]["content"] for c in chunks], ["ab", "cX", ""])
        chunks = self.o_stream("text words=4 per=2").chunks()
        self.assertEqual(len(chunks), 3)

    def test_unicode(self):
        text = self.texts("unicode")
        for part in ("\u2028", "\u0085", "\0", "\r\n", "data: [DONE]\n\n", "\N{PARTY POPPER}"):
            self.assertIn(part, text)
        for answer in (self.a_stream("unicode"), self.o_stream("unicode")):
            self.assertIn(b'half \\ud83d"', answer.body)
            self.assertIn(b'"\\ude00 pair ', answer.body)
            self.assertIn(b"\xe2\x80\xa8", answer.body)

    def test_think(self):
        for scenario, kinds in (
            ("think", ["thinking", "text"]),
            ("think_only", ["thinking"]),
            ("think_twice", ["thinking", "text", "thinking", "text"]),
            ("text think=deep", ["thinking", "text"]),
            ("text", ["text"]),
        ):
            with self.subTest(scenario):
                blocks, _, _ = fold_a(self.a_stream(scenario))
                self.assertEqual([b["type"] for b in blocks], kinds)
                self.assertTrue(all(b["signature"] for b in blocks if b["type"] == "thinking"))
                self.assertEqual([b["type"] for b in self.a(scenario).json["content"]], kinds)
                message = self.o(scenario).json["choices"][0]["message"]
                self.assertEqual("reasoning_content" in message, "thinking" in kinds)
                folded = fold_o(self.o_stream(scenario))
                self.assertEqual(folded["think"], message.get("reasoning_content", ""))
        self.assertEqual(fold_o(self.o_stream("think think=a%20b"))["think"], "a b")

    def test_thinking_asked_for(self):
        enabled = {"type": "enabled", "budget_tokens": 1024}
        for thinking in (enabled, {"type": "adaptive"}, {"type": "between_tools"}):
            content = self.a("text", thinking=thinking).json["content"]
            self.assertEqual([b["type"] for b in content], ["thinking", "text"])
        self.assertEqual(len(self.a("text", thinking={"type": "disabled"}).json["content"]), 1)
        for kind, has in (("enabled", True), ("disabled", False)):
            message = self.o("text", thinking={"type": kind}).json["choices"][0]["message"]
            self.assertEqual("reasoning_content" in message, has)

    def test_finishes(self):
        for scenario, a, o in (
            ("max_tokens", "max_tokens", "length"),
            ("content_filter", "refusal", "content_filter"),
            ("sensitive", "refusal", "sensitive"),
            ("window", "model_context_window_exceeded", "model_context_window_exceeded"),
            ("window words=0", "model_context_window_exceeded", "model_context_window_exceeded"),
            ("unknown_finish", "because", "because"),
            ("null_finish", None, None),
        ):
            with self.subTest(scenario):
                self.assertEqual(self.a(scenario).json["stop_reason"], a)
                self.assertEqual(self.o(scenario).json["choices"][0]["finish_reason"], o)
                blocks, delta, names = fold_a(self.a_stream(scenario))
                self.assertEqual(delta["delta"]["stop_reason"], a)
                self.assertEqual(names[-1], "message_stop")
                self.assertEqual(len(blocks), 0 if "words" in scenario else 1)
                answer = self.o_stream(scenario)
                self.assertEqual(fold_o(answer)["finish"], o)
                self.assertEqual(answer.events()[-1][1], "[DONE]")

    def test_network_error(self):
        self.assertEqual(fold_o(self.o_stream("network_error"))["finish"], "network_error")
        self.assertEqual(self.o("network_error").json["choices"][0]["finish_reason"], "network_error")
        events = self.a_stream("network_error").events()
        self.assertEqual(events[-1][0], "error")
        self.assertEqual(json.loads(events[-1][1])["error"]["code"], "1234")
        self.assertEqual(self.a("network_error").status, 500)

    def test_stop_sequence(self):
        a = self.a("stop_sequence", stop_sequences=['E"D', "x"]).json
        self.assertEqual((a["stop_reason"], a["stop_sequence"]), ("stop_sequence", 'E"D'))
        _, delta, _ = fold_a(self.a_stream("stop_sequence", stop_sequences=["END"]))
        self.assertEqual(delta["delta"], {"stop_reason": "stop_sequence", "stop_sequence": "END"})
        self.assertEqual(fold_o(self.o_stream("stop_sequence", stop=["END"]))["finish"], "stop")
        self.assertEqual(self.a("stop_sequence").json["stop_reason"], "end_turn")


class Tools(Play):
    def calls(self, scenario, **fields):
        """[(name, parsed or raw arguments)] in all four forms."""

        def parsed(text):
            try:
                return json.loads(text)
            except ValueError:
                return text

        fields.setdefault("tools", True)
        a = self.a(scenario, **fields).json
        o = self.o(scenario, **fields).json["choices"][0]["message"].get("tool_calls", [])
        blocks, delta, _ = fold_a(self.a_stream(scenario, **fields))
        s = fold_o(self.o_stream(scenario, **fields))
        return {
            "a": [(b["name"], b["input"]) for b in a["content"] if b["type"] == "tool_use"],
            "o": [(c["function"]["name"], parsed(c["function"]["arguments"])) for c in o],
            "as": [(b["name"], parsed(b["json"])) for b in blocks if b["type"] == "tool_use"],
            "os": [(c["name"], parsed(c["args"])) for _, c in sorted(s["calls"].items())],
            "stop": [a["stop_reason"], delta["delta"]["stop_reason"], s["finish"]],
        }

    def same(self, found, calls, stop):
        for form in ("a", "o", "as", "os"):
            self.assertEqual(found[form], calls, form)
        self.assertEqual(found["stop"], stop)

    def test_one_call(self):
        stop = ["tool_use", "tool_use", "tool_calls"]
        self.same(self.calls("tool"), [("look", LOOK_ARGS)], stop)
        self.same(self.calls("tool name=write"), [("write", {"text": "a text"})], stop)
        self.same(self.calls("tool args={%22a%22:%20%22%C3%A9%22}"), [("look", {"a": "é"})], stop)
        self.same(self.calls("text_tool after=1"), [("look", LOOK_ARGS)], stop)
        blocks, _, _ = fold_a(self.a_stream("text_tool after=1", tools=True))
        self.assertEqual([b["type"] for b in blocks], ["text", "tool_use", "text"])
        self.same(self.calls("tool_stop"), [("look", LOOK_ARGS)], ["end_turn", "end_turn", "stop"])
        self.same(self.calls("tool_none"), [], stop)
        self.same(self.calls("tool", tools=False), [("missing_tool", {})], stop)
        self.assertRegex(blocks[1]["id"], "^call_[0-9a-f]{16}$")

    def test_many_calls(self):
        stop = ["tool_use", "tool_use", "tool_calls"]
        two = [("look", LOOK_ARGS), ("write", {"text": "a text"})]
        self.same(self.calls("tools2"), two, stop)
        self.same(self.calls("tools_interleaved"), two, stop)
        self.same(self.calls("tools2 n=3 frag=3"), two + two[:1], stop)

    def test_streamed_arguments(self):
        def shape(scenario, **fields):
            parts = []
            for chunk in self.o_stream(scenario, tools=True, **fields).chunks():
                for call in chunk["choices"][0]["delta"].get("tool_calls", []):
                    parts.append((call["index"], "name" in call["function"], call.get("id") is not None))
            return parts

        self.assertEqual(shape("tool"), [(0, True, True)])
        fragments = shape("tool name=write", tool_stream=True)
        self.assertEqual(fragments[0], (0, True, True))
        self.assertEqual(set(fragments[1:]), {(0, False, False)})
        self.assertEqual(len(fragments), 1 + 3)  # {"text":"a text"} by eights
        interleaved = [i for i, _, _ in shape("tools_interleaved")]
        self.assertEqual(interleaved[:6], [0, 1, 0, 1, 0, 1])
        late = shape("tool_late_name")
        self.assertEqual(late[:3], [(0, False, True), (0, True, False), (0, False, False)])
        self.assertEqual(shape("tool_same_index"), [(0, True, True)] * 2)
        self.assertEqual(len(shape("tool frag=0")), 2)

    def test_whole(self):
        chunks = self.o_stream("tool_whole", tools=True).chunks()
        self.assertEqual(len(chunks), 1)
        choice = chunks[0]["choices"][0]
        self.assertEqual(choice["finish_reason"], "tool_calls")
        self.assertEqual(json.loads(choice["delta"]["tool_calls"][0]["function"]["arguments"]), LOOK_ARGS)
        self.assertIn("usage", chunks[0])

    def test_arguments_that_are_odd(self):
        found = self.calls("tool_no_args")
        self.assertEqual((found["a"], found["as"], found["os"]), ([("look", {})], [("look", "")], [("look", "")]))
        found = self.calls("tool_bad_json")
        self.assertEqual((found["as"], found["os"], found["o"]), ([("look", '{"a":')],) * 3)
        self.assertEqual(found["a"], [("look", LOOK_ARGS)])
        found = self.calls("tool_cut")
        self.assertEqual(found["stop"], ["max_tokens", "max_tokens", "length"])
        self.assertIsInstance(found["os"][0][1], str)
        blocks, _, names = fold_a(self.a_stream("tool_start_input", tools=True))
        self.assertEqual((blocks[0]["input"], blocks[0]["json"]), (LOOK_ARGS, ""))
        self.assertNotIn("content_block_delta", names)

    def loop(self, scenario, rounds, tail=()):
        user, text = cases.user, "[[%s]]" % scenario
        a, o = [user(text)], [user(text)]
        for i in range(rounds):
            a += [
                cases.assistant([cases.use("t%d" % i)]),
                user([cases.result("t%d" % i, [cases.text("r%d" % i)])]),
            ]
            o += [cases.assistant("", tool_calls=[cases.call("t%d" % i)]), cases.tool("t%d" % i, "r%d" % i)]
        return (
            self.up.post(MESSAGES, cases.a(*a, *tail)).json,
            self.up.post(CHAT, cases.o(*o, *tail)).json["choices"][0]["message"],
        )

    def test_after_results(self):
        a, o = self.loop("tool", 1)
        self.assertEqual(a["content"], [{"type": "text", "text": "Results: t0=r0"}])
        self.assertEqual(o["content"], "Results: t0=r0")
        a, o = self.loop("tool times=2", 1)
        self.assertEqual((a["stop_reason"], len(o["tool_calls"])), ("tool_use", 1))
        a, o = self.loop("tool times=2", 2)
        self.assertEqual((a["content"][0]["text"], o["content"]), ("Results: t1=r1",) * 2)
        # A new turn: the old marker is history.
        a, o = self.loop("tool", 1, [cases.assistant("done"), cases.user("thanks")])
        self.assertEqual((a["content"][0]["text"], o["content"]), ("You said: thanks",) * 2)


class Markers(Play):
    def test_sources(self):
        def said(**fields):
            return self.up.post(MESSAGES, cases.a(**fields)).json["content"][0]["text"]

        self.assertEqual(said(system="[[say text=s]]"), "s")
        self.assertEqual(said(system=[cases.text("x [[say text=s]] y")]), "s")
        self.assertEqual(said(system="[[unknown]] and [[ -f x ]]"), "You said: hi")
        user = cases.user([cases.text("[[say text=1]] [[say text=2]]"), cases.text("[[ -f x ]] [[a:b]]")])
        self.assertEqual(said(messages=[user], system="[[say text=s]]"), "2")
        o = cases.o({"role": "system", "content": "[[say text=s]]"}, cases.user("x"))
        self.assertEqual(self.up.post(CHAT, o).json["choices"][0]["message"]["content"], "s")
        head = {"authorization": "Bearer k.s", "content-type": "application/json"}
        head["x-standin"] = "say;text=h"
        body = cases.o(cases.user("[[say text=u]]"))
        self.assertEqual(self.up.post(CHAT, body, head).json["choices"][0]["message"]["content"], "h")

    def test_every_name_is_known_and_documented(self):
        own = read_source("e2e", "test_standin_play.py")
        refusals = read_source("e2e", "test_standin.py") + read_source("e2e", "standin_cases.py")
        readme = read_source("upstream", "README.md")
        names = re.findall(r"^SCENARIO\((\w+),", read_source("upstream", "scenario.def"), re.M)
        self.assertGreater(len(names), 60)
        for name in names:
            with self.subTest(name):
                self.assertTrue(re.search(r'"%s[" ]' % name, own), "not played here")
                self.assertTrue("`%s`" % name in readme, "not in README.md")
        for name in re.findall(r"^(?:NUMBER|WORD)\((\w+)\)", read_source("upstream", "option.def"), re.M):
            with self.subTest(option=name):
                self.assertTrue(re.search(r"\b%s=" % name, own + refusals), "not used here")
                self.assertTrue(re.search(r"\b%s=" % name, readme), "not in README.md")


class Errors(Play):
    def test_codes(self):
        rows = re.findall(r"^CODE\((\d+), (\d+), \"(\w+)\"", read_source("upstream", "errors.def"), re.M)
        self.assertGreater(len(rows), 40)
        for code, status, kind in rows:
            with self.subTest(code):
                o = self.o("error code=" + code)
                self.assertEqual((o.status, o.json["error"]["code"]), (int(status), code))
                a = self.a_stream("error code=" + code)
                self.assertEqual(a.status, 529 if code == "1305" else int(status))
                if code not in ("1000", "1001"):
                    self.assertEqual((a.json["error"]["type"], a.json["error"]["code"]), (kind, code))
                    self.assertRegex(a.json["error"]["message"], r"^\[%s\]\[.*\]\[20[0-9a-f]+\]$" % code)

    def test_shapes(self):
        def shaped(name, more=""):
            answer = self.a("error code=1234 message=m:%20t shape=" + name + more)
            return answer.status, json.loads(answer.body) if answer.body[:1] == b"{" else answer.body

        status, body = shaped("F1")
        self.assertEqual((status, body["error"]), (500, {"code": "1234", "message": "m: t"}))
        status, body = shaped("F2")
        self.assertEqual((status, body["error"]["type"], body["type"]), (500, "api_error", "error"))
        status, body = shaped("F2b")
        self.assertEqual((body["type"], sorted(body["error"])), ("error", ["code", "message"]))
        self.assertEqual(shaped("F3"), (401, {"error": {"message": "m: t", "type": "1234"}}))
        self.assertEqual(shaped("F4"), (200, {"code": 1234, "msg": "m: t", "success": False}))
        self.assertEqual(shaped("F5")[1]["detail"][0]["loc"], ["body", "m"])
        self.assertEqual(shaped("F5b"), (422, {"detail": "m: t"}))
        status, body = shaped("F6")
        self.assertEqual((status, body["error"], body["path"]), (404, "Not Found", MESSAGES))
        self.assertIn(b"<title>502 Bad Gateway", shaped("F7")[1])
        self.assertEqual(shaped("F7b"), (502, b"m: t"))
        self.assertEqual(shaped("F7c"), (502, b""))
        self.assertEqual(shaped("F8", " status=418"), (418, {"code": 1234, "message": "m: t"}))

    def test_limits(self):
        answer = self.a("error429 retry_after=40")
        self.assertEqual((answer.status, answer.fields["retry-after"]), (429, "40"))
        self.assertEqual(answer.json["error"]["code"], "1302")
        message = self.o("error429 code=1308 reset=2026-09-21%2023:07:07").json["error"]["message"]
        self.assertIn("reset at 2026-09-21 23:07:07", message)
        message = self.o("error429 code=1310").json["error"]["message"]
        self.assertRegex(message, r"reset at 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d")
        message = self.o("overflow").json["error"]["message"]
        self.assertIn("Request 182387 input tokens exceeds the model's maximum context length 202750", message)
        self.assertIn("Request 9 input", self.a("overflow n=9 limit=8").json["error"]["message"])
        self.assertEqual(self.o("overflow form=1210").json["error"]["code"], "1210")

    def test_first_and_mid(self):
        events = self.a_stream("error_first").events()
        self.assertEqual([n for n, _ in events], ["error"])
        self.assertEqual(json.loads(events[0][1])["error"]["type"], "overloaded_error")
        events = self.o_stream("error_first code=1302").events()
        self.assertEqual([json.loads(d)["error"]["code"] for _, d in events], ["1302"])
        answer = self.o("error_first")
        self.assertEqual((answer.status, answer.json["error"]["code"]), (200, "1305"))
        events = self.a_stream("error_mid at=3 code=1234").events()
        self.assertEqual([n for n, _ in events][2:], ["content_block_start", "error"])
        events = self.o_stream("error_mid words=30").events()
        self.assertIn("error", json.loads(events[-1][1]))
        self.assertEqual(len(events), 6)

    def test_gateways(self):
        answer = self.o("error_200")
        self.assertEqual((answer.status, answer.json["msg"]), (200, "404 NOT_FOUND"))
        answer = self.a_stream("html502")
        self.assertEqual((answer.status, answer.fields["content-type"]), (502, "text/html"))
        self.assertGreater(len(answer.body), 200)
        self.assertEqual((self.a("empty502").status, self.a("empty502").body), (502, b""))
        self.assertEqual(self.a("html429").status, 429)
        answer = self.a("redirect")
        self.assertEqual((answer.status, answer.fields["location"][:7]), (302, "http://"))

    def test_flaky(self):
        statuses = [self.o("flaky times=2 code=1234").status for _ in range(4)]
        self.assertEqual(statuses, [500, 500, 200, 200])
        self.assertEqual(self.raw(CHAT, "flaky how=reset"), b"<RESET>")
        self.assertEqual(self.raw(CHAT, "flaky how=close"), b"")
        self.assertEqual(self.o("flaky how=close").status, 200)


class Wire(Play):
    def test_faults_of_streams(self):
        whole = fold_a(self.a_stream("text words=30"))[2]
        for scenario, names, end in (
            ("no_done words=30", whole[:-1], b""),
            ("ends_early words=30 close=1", whole[:-2], b"0\r\n\r\n"),
            ("cut words=30 at=4", whole[:4], b""),
            ("reset words=30 at=4", whole[:4], b"<RESET>"),
        ):
            with self.subTest(scenario):
                data = self.raw(MESSAGES, scenario)
                self.assertEqual(re.findall(r"event: (\w+)", data.decode()), names)
                self.assertTrue(data.endswith(b"}\n\n\r\n" + end), data[-60:])
        for path, last in ((MESSAGES, b"message_stop"), (CHAT, b"[DONE]")):
            data = self.raw(path, "no_done clean=1 close=1")
            self.assertTrue(data.endswith(b"0\r\n\r\n"))
            self.assertNotIn(last, data)
            self.assertNotIn(last, self.raw(path, "cut"))
            self.assertNotIn(last, self.raw(path, "tool fault=cut"))
            self.assertNotIn(last, self.raw(path, "ends_early close=1"))

    def test_torn_frames(self):
        data = self.raw(CHAT, "torn at=1")
        self.assertRegex(data, rb'\n\n\r\n[0-9a-f]+\r\ndata: \{"id":"[^\n]*\r\n$')
        events = self.o_stream("bad_json at=1").events()
        with self.assertRaises(ValueError):
            json.loads(events[1][1])
        self.assertEqual(events[-1][1], "[DONE]")
        answer = self.o_stream("no_blank")
        self.assertTrue(answer.body.endswith(b"data: [DONE]\n"))
        self.assertFalse(answer.body.endswith(b"\n\n"))

    def test_faults_of_bodies(self):
        whole = self.a("text").body
        for scenario in ("cut", "torn", "reset"):
            data = self.raw(MESSAGES, scenario, False)
            declared = int(re.search(rb"content-length: (\d+)", data)[1])
            body = data.split(b"\r\n\r\n", 1)[1].removesuffix(b"<RESET>")
            self.assertLess(len(body), declared)
            self.assertEqual(data.endswith(b"<RESET>"), scenario == "reset")
        answer = self.a("bad_json")
        self.assertLess(len(answer.body), len(whole))
        with self.assertRaises(ValueError):
            json.loads(answer.body)

    def test_no_answer(self):
        for stream in (False, True):
            self.assertEqual(self.raw(CHAT, "close_early", stream), b"")
            self.assertEqual(self.raw(CHAT, "reset_early", stream), b"<RESET>")

    def test_close_once(self):
        for scenario in ("close_once", "close_once how=reset"):
            c = self.up.connect()
            body = self.body(CHAT, scenario, False)
            self.assertEqual(self.up.post(CHAT, body, connection=c).status, 200)
            with self.assertRaises((ConnectionError, EOFError)):
                self.up.post(CHAT, body, connection=c)
            c.close()
            self.assertEqual(self.up.post(CHAT, body).status, 200)

    def silent(self, scenario, stream, expected):
        s = self.up.raw_post(CHAT, self.body(CHAT, scenario, stream), read=False)
        with s:
            data = b""
            while not data.endswith(expected):
                data += s.recv(65536)
            s.settimeout(0.05)
            with self.assertRaises(TimeoutError):
                s.recv(1)
            n = self.up.last()["n"]
        wait_for("its end", lambda: self.up.requests(since=n - 1)[0]["end"] == "aborted")
        return data

    def test_silence(self):
        data = self.silent("silent", True, b"\n\n\r\n")
        self.assertEqual(data.count(b"data: "), 1)
        self.assertEqual(self.silent("silent at=2 words=30", True, b"\n\n\r\n").count(b"data: "), 2)
        self.assertEqual(self.silent("silent", False, b""), b"")
        self.assertEqual(self.silent("no_head", True, b""), b"")

    def test_times(self):
        def seconds(scenario):
            start = time.monotonic()
            self.assertEqual(self.o_stream(scenario).status, 200)
            return time.monotonic() - start + 0.002  # the loop's clock is coarse

        self.assertGreaterEqual(seconds("text head=60"), 0.06)
        self.assertGreaterEqual(seconds("text first=60"), 0.06)
        self.assertGreaterEqual(seconds("text words=9 delay=20"), 0.08)
        self.assertGreaterEqual(seconds("slow words=1 head=50 first=50 delay=10"), 0.11)
        self.assertGreaterEqual(seconds("slow words=1 first=0"), 0.6)

    def test_sizes(self):
        for path in (MESSAGES, CHAT):
            for stream in (False, True):
                data = self.raw(path, "bytewise framing=chunked close=1", stream)
                body = data.split(b"\r\n\r\n", 1)[1]
                self.assertEqual(set(re.findall(rb"(?:^|\r\n)([0-9a-f]+)\r\n(?=.)", body[:600], re.S)), {b"1"})
                self.assertEqual(self.up.post(path, self.body(path, "bytewise", stream)).status, 200)
        data = self.raw(CHAT, "text words=50 chunk=100 close=1")
        sizes = [int(n, 16) for n in re.findall(rb"(?:\r\n)([0-9a-f]{1,3})\r\n", data)]
        self.assertEqual(set(sizes[:-2]), {100})
        self.assertEqual(self.o_stream("text words=9 write=1").status, 200)
        self.assertEqual(self.o_stream("text words=9 chunk=3 delay=1").status, 200)

    def test_framing(self):
        self.assertEqual(self.a("text").fields["content-length"], str(len(self.a("text").body)))
        self.assertEqual(self.a("text framing=chunked").fields["transfer-encoding"], "chunked")
        self.assertIn("content-length", self.a_stream("text framing=length").fields)
        answer = self.a_stream("text framing=close")
        self.assertEqual(answer.fields["connection"], "close")
        self.assertTrue(answer.body.endswith(b"\n\n"))
        self.assertEqual(self.a("text close=1").fields["connection"], "close")

    def test_forms_of_sse(self):
        plain = [d for _, d in self.a_stream("say text=x noid=1 out=1 in=1").events()]

        def parsed(options):
            answer = self.a_stream("say text=x noid=1 out=1 in=1 " + options)
            text = answer.body.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
            answer.body = text.encode()
            return answer, [json.loads(d) for _, d in answer.events()]

        for options, sign in (
            ("crlf=1", None),
            ("cr=1", None),
            ("comments=1", b": a comment\n\n:\n"),
            ("bom=1", None),
            ("nospace=1", b'data:{"type"'),
            ("split=1", b'",\ndata: "message":{'),
            ("fields=1", b"id: 7\nretry: 3000\n"),
            ("crlf=1 comments=1 split=1 nospace=1 bom=1 fields=1 chunk=1", b"\n\n"),
        ):
            with self.subTest(options):
                answer, found = parsed(options)
                self.assertEqual(found, [json.loads(d) for d in plain])
                if sign:
                    self.assertIn(sign, answer.body)
        self.assertIn(b'}\r\n\r\n', self.a_stream("text crlf=1").body)
        self.assertIn(b'}\r\r', self.a_stream("text cr=1").body)
        self.assertTrue(self.a_stream("text bom=1").body.startswith(b"\xef\xbb\xbfevent"))

    def test_codings(self):
        for scenario in ("gzip", "text gzip=1", "gzip words=500 chunk=7", "gzip delay=1"):
            for answer in (self.a_stream(scenario), self.o(scenario)):
                self.assertEqual(answer.fields["content-encoding"], "gzip")
                self.assertIn(b"model", zlib.decompress(answer.body, 31))
        with self.assertRaises(zlib.error):
            zlib.decompress(self.a_stream("bad_gzip").body, 31)
        answer = self.a("brotli")
        self.assertEqual((answer.fields["content-encoding"], answer.body[:1]), ("br", b"{"))

    def test_other_mode(self):
        answer = self.a_stream("json_for_stream")
        self.assertEqual((answer.fields["content-type"][:16], answer.json["role"]), ("application/json", "assistant"))
        answer = self.o("sse_for_body")
        self.assertEqual(answer.fields["content-type"][:17], "text/event-stream")
        self.assertEqual(answer.events()[-1][1], "[DONE]")

    def test_oddities_of_http(self):
        self.assertTrue(self.raw(CHAT, "interim close=1").startswith(b"HTTP/1.1 103 Early Hints\r\n"))
        self.assertIn(b"\r\n\r\nHTTP/1.1 200 OK\r\n", self.raw(CHAT, "interim close=1"))
        self.assertTrue(self.raw(CHAT, "trailers close=1").endswith(b"0\r\nx-trailer: late\r\n\r\n"))
        data = self.raw(CHAT, "http10")
        self.assertTrue(data.startswith(b"HTTP/1.0 200 OK\r\n") and data.endswith(b"[DONE]\n\n"))
        self.assertTrue(self.raw(CHAT, "extra_bytes close=1").endswith(b"0\r\n\r\nextra bytes"))
        self.assertEqual(self.raw(CHAT, "garbage"), b"this is not HTTP\r\n\r\n")
        self.assertGreater(self.raw(CHAT, "big_head close=1").index(b"\r\n\r\n"), 100000)
        self.assertEqual(len(re.findall(rb"content-length: \d+", self.raw(CHAT, "two_lengths close=1", False))), 2)
        self.assertNotIn("content-type", self.o("no_type").fields)
        self.assertIn("content-type", self.o("text").fields)

    def test_slow_reader_gets_all(self):
        s = self.up.raw_post(CHAT, self.body(CHAT, "big bytes=8000000 close=1", True), read=False)
        with s:
            self.assertGreater(len(receive_all(s)), 8000000)


if __name__ == "__main__":
    unittest.main()

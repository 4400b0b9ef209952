# SPDX-License-Identifier: MIT
"""What the stand-in upstream says in every scenario."""

import json
import re
import time
import unittest

from tests.e2e import standin_cases as cases
from tests.e2e.standin_play import LOOK_ARGS, Play, fold_a, fold_o, read_source
from tests.e2e.upstream import CHAT, MESSAGES


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
        own = read_source("e2e", "test_standin_play.py") + read_source("e2e", "test_standin_wire.py")
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


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: MIT
"""Every client dialect against every upstream dialect, streamed and not."""

import functools
import json
import unittest

from tests.e2e.chat import (DIALECTS, Call, Tool, ask, image, user)
from tests.e2e.harness import KEY, Case

LOOK, FIND = Tool("look"), Tool("find")
STOCK_THOUGHT = "The question is short. So is the answer."
UNICODE = ("half \U0001f600 pair raw \U0001f389 \u00e9 \u4f60\u597d "
           "ls\u2028 ps\u2029 nel\u0085 nul\0 esc\x1b \"q\" \\ / "
           "crlf\r\n\r\ndata: [DONE]\n\nevent: x\ndata: {}\n\n"
           "\U0001f680 end")
MODES = (False, True)


def both_modes(test):
    """A test that runs for bodies and for streams."""
    @functools.wraps(test)
    def run(self):
        for stream in MODES:
            with self.subTest(stream=stream):
                test(self, stream)
    return run


class Pair:
    """The tests; a class below for each pair."""

    client = upstream = None
    passes = False  # answers are passed on, not written anew

    @property
    def d(self):
        return DIALECTS[self.client]

    def ask(self, turns, stream, fields=(), **more):
        body = self.d.body(turns, stream=stream, **more)
        return ask(self.proxy.address, self.client, body, fields)

    def good(self, turns, stream, **more):
        a = self.ask(turns, stream, **more)
        self.assertEqual(a.status, 200, a.response)
        self.assertIsNone(a.error)
        self.assertTrue(a.ended)
        return a

    # --- what every answer has ---------------------------------------------

    @both_modes
    def test_text(self, stream):
        a = self.good(user("hi [[say text=Good%20day in=100 out=20 "
                           "cached=64]]"), stream)
        self.assertEqual(a.text, "Good day")
        self.assertEqual(a.finish, "stop")
        self.assertEqual(a.usage,
                         {"input": 100, "cached": 64, "output": 20})
        self.assertEqual(a.model, "glm-4.6")
        self.assertRegex(a.id, "^" + self.d.id_prefix + "[A-Za-z0-9]+$")
        self.assertRegex(a.get(self.d.request_id), "^req_[A-Za-z0-9]{24}$")
        self.assertEqual(a.get("x-glmproxy-model"), "glm-4.6")
        self.assertIsNone(a.get("set-cookie"))
        r = self.sent()
        self.assertEqual(r.side(), self.upstream)
        self.assertEqual(r.header("authorization"), "Bearer " + KEY)
        self.assertEqual(r.body_json().get("stream", False), stream)

    def test_stream_headers(self):
        a = self.good(user("hi"), True)
        self.assertEqual(a.get("content-type"),
                         "text/event-stream; charset=utf-8")
        self.assertIn("no-cache", a.get("cache-control"))
        self.assertEqual(a.get("x-accel-buffering"), "no")
        self.assertEqual(a.get("transfer-encoding"), "chunked")

    @both_modes
    def test_echo_of_the_question(self, stream):
        a = self.good(user("what is it?"), stream)
        self.assertEqual(a.text, "You said: what is it?")

    @both_modes
    def test_model_name_is_echoed(self, stream):
        a = self.good(user("x"), stream, model="GLM-4.6[1m]")
        self.assertEqual(a.model, "GLM-4.6[1m]")
        self.assertEqual(self.sent().body_json()["model"], "glm-4.6")

    @both_modes
    def test_ids_without_upstream_ids(self, stream):
        if self.passes:
            self.skipTest("upstream's own affair")
        a = self.good(user("[[say text=x noid=1]]"), stream)
        self.assertRegex(a.id, "^" + self.d.id_prefix
                         + "[A-Za-z0-9]{24}$")

    @both_modes
    def test_long_text(self, stream):
        expected = " ".join("word%d" % i for i in range(1, 3001))
        a = self.good(user("[[text words=3000]]"), stream)
        self.assertEqual(a.text, expected)

    @both_modes
    def test_unicode(self, stream):
        a = self.good(user("[[unicode]]"), stream)
        if self.passes:  # with its halves of pairs, as the SDKs join them
            a.text = a.text.encode("utf-16", "surrogatepass").decode("utf-16")
        self.assertEqual(a.text, UNICODE)

    @both_modes
    def test_unicode_of_the_request(self, stream):
        text = "caf\u00e9 \U0001f600 \u2028 \"q\" \\ tab\t \u4f60\u597d"
        a = self.good(user(text), stream)
        self.assertEqual(a.text, "You said: " + text)

    @both_modes
    def test_empty_answer(self, stream):
        a = self.good(user("[[empty]]"), stream)
        self.assertEqual((a.text, a.calls, a.finish), ("", [], "stop"))

    @both_modes
    def test_system(self, stream):
        self.good([("system", "Be brief."), ("user", "x")], stream)
        body = self.sent().body_json()
        if self.upstream == "A":
            self.assertEqual([b["text"] for b in body["system"]],
                             ["Be brief."])
            self.assertEqual(len(body["messages"]), 1)
        else:
            self.assertEqual(body["messages"][0],
                             {"role": "system", "content": "Be brief."})

    @both_modes
    def test_conversation(self, stream):
        turns = [("user", "one"), ("assistant", "two"), ("user", "three")]
        a = self.good(turns, stream)
        self.assertEqual(a.text, "You said: three")
        roles = [m["role"] for m in self.sent().body_json()["messages"]]
        self.assertEqual(roles, ["user", "assistant", "user"])

    @both_modes
    def test_finish_reasons(self, stream):
        for scenario, finish in (
                ("max_tokens", "length"), ("content_filter", "filter"),
                ("sensitive", "filter"), ("unknown_finish", "stop"),
                ("null_finish", "stop")):
            with self.subTest(scenario=scenario):
                if self.passes and scenario.endswith("_finish"):
                    continue
                a = self.good(user("[[%s]]" % scenario), stream)
                self.assertEqual(a.finish, finish)

    # --- tools -------------------------------------------------------------

    @both_modes
    def test_tool_over_two_turns(self, stream):
        turns = [("user", "look [[tool]]")]
        a = self.good(turns, stream, tools=[LOOK])
        self.assertEqual(a.finish, "tools")
        self.assertEqual([(c.name, json.loads(c.args)) for c in a.calls],
                         [("look", {"path": "a path"})])
        self.assertRegex(a.calls[0].id, "^call_[0-9a-f]+$")
        turns += [("assistant", a.text or None, a.calls),
                  ("results", [(a.calls[0].id, "found 3")])]
        b = self.good(turns, stream, tools=[LOOK])
        self.assertEqual(b.text, "Results: %s=found 3" % a.calls[0].id)
        self.assertEqual(b.finish, "stop")

    @both_modes
    def test_parallel_tools(self, stream):
        turns = [("user", "look [[tools2]]")]
        a = self.good(turns, stream, tools=[LOOK, FIND])
        self.assertEqual([c.name for c in a.calls], ["look", "find"])
        self.assertEqual(len({c.id for c in a.calls}), 2)
        for c in a.calls:
            self.assertEqual(json.loads(c.args), {"path": "a path"})
        turns += [("assistant", None, a.calls),
                  ("results", [(c.id, "r" + c.name) for c in a.calls])]
        b = self.good(turns, stream, tools=[LOOK, FIND])
        self.assertEqual(b.text, "Results: %s=rlook; %s=rfind" % tuple(
            c.id for c in a.calls))

    @both_modes
    def test_many_parallel_tools(self, stream):
        a = self.good(user("[[tools2 n=9]]"), stream, tools=[LOOK, FIND])
        self.assertEqual(len(a.calls), 9)

    @both_modes
    def test_three_rounds_of_tools(self, stream):
        turns = [("user", "look [[tool times=3]]")]
        for i in range(3):
            a = self.good(turns, stream, tools=[LOOK])
            self.assertEqual(len(a.calls), 1, i)
            turns += [("assistant", None, a.calls),
                      ("results", [(a.calls[0].id, "r%d" % i)])]
        a = self.good(turns, stream, tools=[LOOK])
        self.assertTrue(a.text.startswith("Results: "), a.text)

    @both_modes
    def test_text_and_tool(self, stream):
        a = self.good(user("[[text_tool]]"), stream, tools=[LOOK])
        self.assertEqual(a.text, "Let me look.")
        self.assertEqual([c.name for c in a.calls], ["look"])
        self.assertEqual(a.finish, "tools")
        if a.kinds:
            self.assertEqual(a.kinds, ["text", "tool"])

    @both_modes
    def test_text_behind_a_tool(self, stream):
        a = self.good(user("[[text_tool after=1]]"), stream, tools=[LOOK])
        self.assertEqual(a.text, "Let me look.That is running now.")
        self.assertEqual(len(a.calls), 1)

    @both_modes
    def test_arguments_are_kept(self, stream):
        args = ('{"n":1e400,"big":12345678901234567890,"f":1.0,'
                '"s":"\\u00e9 \\n"}')
        quoted = args.replace("%", "%25").replace(" ", "%20")
        a = self.good(user("[[tool args=%s]]" % quoted), stream,
                      tools=[LOOK])
        if self.client == "A" and not stream:
            self.assertIn("1e400", a.response.body.decode())
            self.assertIn("12345678901234567890",
                          a.response.body.decode())
        else:
            self.assertEqual(a.calls[0].args, args)

    @both_modes
    def test_odd_tool_calls(self, stream):
        for scenario in ("tools_interleaved", "tool_late_name",
                         "tool_same_index", "tool_whole",
                         "tool_start_input", "tool_stop",
                         "tool usage=chunk", "tool frag=1", "tool frag=0",
                         "tools2 blank=1"):
            with self.subTest(scenario=scenario):
                if self.passes and scenario in ("tool_stop",
                                                "tool_start_input"):
                    continue
                a = self.good(user("[[%s]]" % scenario), stream,
                              tools=[LOOK, FIND])
                if a.text.startswith("You said: ["):
                    continue  # not played in this dialect and mode
                self.assertEqual(a.finish, "tools")
                self.assertTrue(a.calls)
                for c in a.calls:
                    self.assertEqual(json.loads(c.args),
                                     {"path": "a path"})

    @both_modes
    def test_call_without_arguments(self, stream):
        a = self.good(user("[[tool_no_args]]"), stream, tools=[LOOK])
        self.assertEqual([(c.name, c.args) for c in a.calls],
                         [("look", "{}")])

    @both_modes
    def test_cut_arguments(self, stream):
        a = self.good(user("[[tool_cut]]"), stream, tools=[LOOK])
        self.assertEqual(a.finish, "length")

    @both_modes
    def test_tool_finish_without_a_call(self, stream):
        a = self.good(user("[[tool_none]]"), stream, tools=[LOOK])
        self.assertEqual(a.calls, [])
        if not self.passes:
            self.assertEqual(a.finish, "stop")

    # --- thinking ----------------------------------------------------------

    @both_modes
    def test_thinking_asked_for(self, stream):
        a = self.good(user("[[say text=x]]"), stream, think=True)
        self.assertEqual((a.reasoning, a.text), (STOCK_THOUGHT, "x"))
        if a.kinds:
            self.assertEqual(a.kinds, ["think", "text"])

    @both_modes
    def test_thinking_twice(self, stream):
        a = self.good(user("[[think_twice text=One.]]"), stream,
                      think=True)
        self.assertEqual(a.text, "One. And one more sentence.")
        self.assertIn(STOCK_THOUGHT, a.reasoning)
        self.assertIn("One more thought.", a.reasoning)
        if stream:
            self.assertEqual(a.kinds, ["think", "text"] * 2)

    @both_modes
    def test_thinking_before_a_tool(self, stream):
        turns = [("user", "[[tool think=1]]")]
        a = self.good(turns, stream, tools=[LOOK], think=True)
        self.assertEqual(a.reasoning, STOCK_THOUGHT)
        self.assertEqual(len(a.calls), 1)
        turns += [("assistant", None, a.calls, a.reasoning),
                  ("results", [(a.calls[0].id, "r")])]
        self.good(turns, stream, tools=[LOOK], think=True)
        self.assertIn(STOCK_THOUGHT, self.sent()["body"])

    @both_modes
    def test_reasoning_only(self, stream):
        """An answer of nothing but reasoning must not look empty to a client
        that did not ask for reasoning."""
        a = self.good(user("[[think_only]]"), stream)
        if self.client == "A" and self.upstream == "O":
            self.assertEqual(a.text, STOCK_THOUGHT)
            self.assertEqual(a.reasoning, "")
        else:
            self.assertIn(STOCK_THOUGHT, a.reasoning + a.text)

    @both_modes
    def test_thinking_not_asked_for(self, stream):
        a = self.good(user("[[think text=x]]"), stream)
        self.assertEqual(a.text, "x")
        if self.client == "A" and self.upstream == "O":
            self.assertEqual(a.reasoning, "")
            self.assertEqual(a.kinds, ["text"])

    # --- stop words --------------------------------------------------------

    @both_modes
    def test_stop_word(self, stream):
        # z.ai's endpoints differ: A stops by itself and says at what, O is
        # not asked to by the Messages client's proxy, which scans.
        scenario = "[[stop_sequence]]" if self.upstream == "A" else (
            "[[say text=abcXXdef piece=2]]")
        a = self.good(user(scenario), stream, stop="XX")
        self.assertEqual(a.finish, "stop")
        self.assertNotIn("XX", a.text)
        self.assertTrue(a.text)
        if self.client == "A":
            self.assertEqual(a.stopped_by, "XX")
        self.assertGreater(a.usage["output"], 0)

    @both_modes
    def test_stop_words_cut_at_the_first(self, stream):
        if self.passes:
            self.skipTest("upstream's own affair")
        a = self.good(user("[[say text=ab%0A%0AEND%20and%20STOP piece=1]]"),
                      stream, stop=["STOP", "\n\nEND"])
        self.assertEqual(a.text, "ab")
        if self.client == "A":
            self.assertEqual(a.stopped_by, "\n\nEND")

    # --- what upstreams do to streams and bodies ---------------------------

    @both_modes
    def test_framing(self, stream):
        options = ("crlf=1", "cr=1", "comments=1", "bom=1", "nospace=1",
                   "split=1", "fields=1", "chunk=7", "write=3", "gzip=1",
                   "framing=close", "close=1", "object=1", "blank=1",
                   "usage=chunk", "usage=both", "usage=before", "ping=0",
                   "context=200000")
        for option in options:
            with self.subTest(option=option):
                a = self.good(user(
                    "[[say text=Good%%20day%%20to%%20you in=10 out=5 "
                    "per=1 %s]]" % option), stream)
                self.assertEqual(a.text, "Good day to you")
                self.assertEqual(a.usage, {"input": 10, "cached": 0,
                                           "output": 5})

    # row_013, row_014
    @both_modes
    def test_odd_transport(self, stream):
        for scenario in ("bytewise", "interim", "trailers", "http10",
                         "no_blank", "no_type", "extra_bytes", "gzip"):
            with self.subTest(scenario=scenario):
                a = self.good(user("[[%s words=4]]" % scenario), stream)
                self.assertEqual(a.text, "word1 word2 word3 word4")

    @both_modes
    def test_other_mode_than_asked(self, stream):
        scenario = "json_for_stream" if stream else "sse_for_body"
        a = self.good(user("[[%s words=9]]" % scenario), stream)
        self.assertEqual(a.text, " ".join(
            "word%d" % i for i in range(1, 10)))
        self.assertEqual(a.finish, "stop")

    def test_end_without_terminator(self):
        a = self.good(user("[[no_done words=5]]"), True)
        self.assertEqual(a.text, "word1 word2 word3 word4 word5")
        self.assertEqual(a.finish, "stop")

    def test_usage_never_sent(self):
        if self.upstream == "A":
            self.skipTest("usage=none is for the other upstream")
        a = self.good(user("[[say text=abc usage=none]]"), True)
        self.assertGreater(a.usage["input"], 0)
        self.assertGreater(a.usage["output"], 0)

    @both_modes
    def test_big_delta(self, stream):
        a = self.good(user("[[big bytes=300000]]"), stream)
        self.assertEqual(len(a.text), 300000)

    def test_modes_mean_the_same(self):
        for scenario in ("text", "think_twice", "text_tool", "tools2",
                         "max_tokens", "fenced"):
            with self.subTest(scenario=scenario):
                a, b = (self.good(user("[[%s]]" % scenario), stream,
                                  tools=[LOOK, FIND], think=True)
                        for stream in MODES)
                self.assertEqual(a.meaning(), b.meaning())

    # --- images: always the same upstream and model ------------------------

    @both_modes
    def test_image(self, stream):
        pic = image()
        a = self.good([("user", [("text", "what is it?"), pic])], stream)
        self.assertEqual(a.text, "You said: what is it?")
        self.assertEqual(a.model, "glm-4.6")
        self.assertEqual(a.get("x-glmproxy-model"), "glm-4.6v")
        r = self.sent()
        self.assertEqual(r.side(), "O")
        self.assertEqual(r.body_json()["model"], "glm-4.6v")
        self.assertIn("data:image/png;base64," + pic[2], r["body"])

    @both_modes
    def test_image_in_a_tool_result(self, stream):
        pic = image()
        turns = [("user", "shoot"), ("assistant", None, [Call("t1", "look")]),
                 ("results", [("t1", [("text", "shot"), pic])])]
        self.good(turns, stream, tools=[LOOK])
        r = self.sent()
        self.assertEqual(r.body_json()["model"], "glm-4.6v")
        messages = r.body_json()["messages"]
        tool = [m for m in messages if m["role"] == "tool"]
        self.assertEqual(tool[0]["tool_call_id"], "t1")
        self.assertIn("shot", tool[0]["content"])
        self.assertEqual(messages[-1]["role"], "user")
        self.assertIn(pic[2], json.dumps(messages[-1]))

    @both_modes
    def test_image_deep_in_history(self, stream):
        turns = [("user", [("text", "see"), image()]),
                 ("assistant", "seen"), ("user", "and now?")]
        a = self.good(turns, stream, model="glm-4.6-anthropic")
        self.assertEqual(a.text, "You said: and now?")
        self.assertEqual(self.sent().side(), "O")
        self.assertEqual(self.sent().body_json()["model"], "glm-4.6v")


class OpenaiClientAnthropicUpstream(Pair, Case):
    client, upstream = "O", "A"
    config = {"text_endpoint_preference": "anthropic"}

    @both_modes
    def test_clamps_and_notices(self, stream):
        a = self.good(user("x"), stream, temperature=1.5, seed=7,
                      max_tokens=500000)
        notice = a.get("x-glmproxy-notice").split(",")
        self.assertIn("dropped:seed", notice)
        self.assertIn("clamped:temperature", notice)
        body = self.sent().body_json()
        self.assertEqual(body["temperature"], 1)
        self.assertEqual(body["max_tokens"], 131072)
        self.assertNotIn("seed", body)

    def test_default_max_tokens(self):
        self.good(user("x"), False)
        self.assertEqual(self.sent().body_json()["max_tokens"], 32768)

    def test_worked_example(self):
        """Worked example 14.1, byte for byte."""
        body = (
            '{"model":"glm-4.6","stream":true,"stream_options":'
            '{"include_usage":true},"seed":7,"temperature":1.5,"messages":['
            '{"role":"system","content":"Be brief."},'
            '{"role":"user","content":"weather in Oslo and Rome?"},'
            '{"role":"assistant","content":null,"tool_calls":['
            '{"id":"c1","type":"function","function":{"name":"w",'
            '"arguments":"{\\"q\\":\\"Oslo\\",\\"n\\":1e400}"}},'
            '{"id":"c2","type":"function","function":{"name":"w",'
            '"arguments":""}}]},'
            '{"role":"tool","tool_call_id":"c1","content":"3C"},'
            '{"role":"tool","tool_call_id":"c2","content":"18C"},'
            '{"role":"user","content":"go on"}],"tools":[{"type":"function",'
            '"function":{"name":"w"}}],"tool_choice":"auto"}')
        r = self.proxy.post("/v1/chat/completions", body.encode())
        self.assertEqual(r.status, 200)
        self.assertEqual(self.sent()["body"], (
            '{"model":"glm-4.6","max_tokens":32768,"stream":true,'
            '"temperature":1,"system":[{"type":"text","text":"Be brief."}],'
            '"messages":[{"role":"user","content":[{"type":"text",'
            '"text":"weather in Oslo and Rome?"}]},{"role":"assistant",'
            '"content":[{"type":"tool_use","id":"c1","name":"w","input":'
            '{"q":"Oslo","n":1e400}},{"type":"tool_use","id":"c2",'
            '"name":"w","input":{}}]},{"role":"user","content":['
            '{"type":"tool_result","tool_use_id":"c1","content":"3C"},'
            '{"type":"tool_result","tool_use_id":"c2","content":"18C"},'
            '{"type":"text","text":"go on"}]}],"tools":[{"name":"w",'
            '"input_schema":{"type":"object","properties":{}}}],'
            '"tool_choice":{"type":"auto"}}'))

    @both_modes
    def test_response_format(self, stream):
        a = self.good(user("[[fenced]]"), stream,
                      response_format={"type": "json_object"})
        self.assertEqual(a.text, '{"ok":true,"n":1}')
        self.assertIn("emulated:response_format",
                      a.get("x-glmproxy-notice"))

    def test_usage_only_where_asked(self):
        a = self.good(user("x"), True, stream_options={"include_usage": False})
        self.assertIsNone(a.usage)
        body = self.d.body(user("x"), stream=True)
        del body["stream_options"]
        a = ask(self.proxy.address, "O", body)
        self.assertIsNone(a.usage)
        self.assertTrue(a.ended)

    def test_functions(self):
        """The deprecated shape, both ways."""
        body = {"model": "glm-4.6", "messages": [
            {"role": "user", "content": "[[tool]]"}],
            "functions": [{"name": "look", "parameters": LOOK.schema}]}
        c = self.proxy.post("/v1/chat/completions", body).json()["choices"][0]
        self.assertEqual(c["finish_reason"], "function_call")
        self.assertEqual(c["message"]["function_call"],
                         {"name": "look", "arguments": '{"path":"a path"}'})

    @both_modes
    def test_single_tool_enforced(self, stream):
        a = self.good(user("[[tools2]]"), stream, tools=[LOOK, FIND],
                      parallel_tool_calls=False)
        self.assertEqual([c.name for c in a.calls], ["look"])
        self.assertEqual(a.finish, "tools")


class OpenaiClientOpenaiUpstream(Pair, Case):
    client, upstream = "O", "O"
    config = {"text_endpoint_preference": "openai"}

    def test_usage_is_asked_for(self):
        self.good(user("x"), True, stream_options={"include_usage": False})
        self.assertEqual(self.sent().body_json()["stream_options"],
                         {"include_usage": True})

    def test_unknown_fields_are_carried(self):
        self.good(user("[[text open=1]]"), False, future_field={"a": 1e2})
        self.assertIn('"future_field":{"a": 100.0}', self.sent()["body"])

    @both_modes
    def test_single_tool_enforced(self, stream):
        a = self.good(user("[[tools2]]"), stream, tools=[LOOK, FIND],
                      parallel_tool_calls=False)
        self.assertEqual(len(a.calls), 1)


class AnthropicClientAnthropicUpstream(Pair, Case):
    client, upstream = "A", "A"
    passes = True
    config = {"text_endpoint_preference": "anthropic"}

    def test_unknown_fields_pass(self):
        self.good(user("x"), False, future_field={"a": 1})
        self.assertIn('"future_field": {"a": 1}', self.sent()["body"])

    def test_beta_header_passes(self):
        body = self.d.body(user("x"))
        ask(self.proxy.address, "A", body, [("anthropic-beta", "one,two")])
        self.assertEqual(self.sent().header("anthropic-beta"), "one,two")

    def test_role_system_is_folded(self):
        body = self.d.body(user("one"))
        body["messages"] += [{"role": "system", "content": "mind this"}]
        a = ask(self.proxy.address, "A", body)
        self.assertEqual(a.status, 200)
        sent = self.sent().body_json()
        self.assertEqual({m["role"] for m in sent["messages"]}, {"user"})
        self.assertIn("<system-reminder>", self.sent()["body"])

    # row_018
    def test_query_is_ignored(self):
        a = ask(self.proxy.address, "A", self.d.body(user("x")),
                path="/v1/messages?beta=true&x=1")
        self.assertEqual(a.text, "You said: x")


class AnthropicClientOpenaiUpstream(Pair, Case):
    client, upstream = "A", "O"
    config = {"text_endpoint_preference": "openai"}

    def test_worked_image_example(self):
        """Worked example 14.4."""
        pic = image()
        turns = [("user", "look"), ("assistant", None, [Call("t1", "shot")]),
                 ("results", [("t1", [("text", "shot"), pic])]),
                 ("user", "what is it?")]
        self.good(turns, False, tools=[Tool("shot")])
        messages = self.sent().body_json()["messages"]
        self.assertEqual(messages[2], {
            "role": "tool", "tool_call_id": "t1",
            "content": "shot [image 1 follows]"})
        self.assertEqual(messages[3], {"role": "user", "content": [
            {"type": "text", "text": "[image 1 from tool result t1]"},
            {"type": "image_url", "image_url": {
                "url": "data:image/png;base64," + pic[2]}},
            {"type": "text", "text": "what is it?"}]})

    @both_modes
    def test_long_tool_names(self, stream):
        name = "mcp__" + "x" * 85
        turns = [("user", "[[tool]]")]
        a = self.good(turns, stream, tools=[Tool(name)])
        self.assertEqual(a.calls[0].name, name)
        wire_name = self.sent().body_json()["tools"][0]["function"]["name"]
        self.assertEqual(len(wire_name), 64)
        turns += [("assistant", None, a.calls),
                  ("results", [(a.calls[0].id, "r")])]
        self.good(turns, stream, tools=[Tool(name)])
        self.assertIn(wire_name,
                      json.dumps(self.sent().body_json()["messages"]))

    def test_billing_block_is_dropped(self):
        body = self.d.body(user("x"))
        body["system"] = [
            {"type": "text", "text": "x-anthropic-billing-header: cc=1"},
            {"type": "text", "text": "Be brief."}]
        a = ask(self.proxy.address, "A", body)
        self.assertEqual(a.status, 200)
        self.assertEqual(self.sent().body_json()["messages"][0]["content"],
                         "Be brief.")


class OpenaiClientAnthropicUpstreamTls(OpenaiClientAnthropicUpstream):
    tls = True


class OpenaiClientOpenaiUpstreamTls(OpenaiClientOpenaiUpstream):
    tls = True


class AnthropicClientAnthropicUpstreamTls(AnthropicClientAnthropicUpstream):
    tls = True


class AnthropicClientOpenaiUpstreamTls(AnthropicClientOpenaiUpstream):
    tls = True


if __name__ == "__main__":
    unittest.main()

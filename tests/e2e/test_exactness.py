# SPDX-License-Identifier: MIT
"""What models and upstreams garble: tool arguments, markup, boxes, frames."""

import json
import unittest

from tests.e2e.chat import Tool, user
from tests.e2e.harness import Case, wait_until
from tests.e2e.test_pairs import Pair, both_modes

LOOK, FIND = Tool("look"), Tool("find")
RAW = {"__raw_arguments": '{"a":'}
MARKUP = ("<tool_call>look\n<arg_key>path</arg_key>\n"
          "<arg_value>a.txt</arg_value>\n</tool_call>")


class _Asker:
    """test_pairs' way to ask, without its tests."""

    client = upstream = None
    d = Pair.d
    ask = Pair.ask
    good = Pair.good

    def notices(self, a):
        return (a.get("x-glmproxy-notice") or "").split(",")


class _Off(_Asker):
    """Everything as it is built in."""

    @both_modes
    def test_bad_arguments_are_told_of(self, stream):
        if self.upstream == "A" and not stream:
            self.skipTest("cannot be played")
        before = self.proxy.sum("glmproxy_notices_total")
        a = self.good(user("[[tool_bad_json]]"), stream, tools=[LOOK])
        self.assertEqual(a.finish, "tools")
        if self.client == "A" and not stream:
            self.assertEqual(json.loads(a.calls[0].args), RAW)
        else:
            self.assertEqual(a.calls[0].args, '{"a":')
        # Where the head was sent before, the figure alone tells of it.
        wait_until(lambda: self.proxy.sum("glmproxy_notices_total")
                   > before, "a notice in the figures")
        if not stream:
            self.assertIn("invalid:tool_arguments", self.notices(a))

    @both_modes
    def test_markup_stays(self, stream):
        a = self.good(user("[[markup]]"), stream, tools=[LOOK])
        self.assertEqual((a.text, a.calls, a.finish), (MARKUP, [], "stop"))

    @both_modes
    def test_boxes_of_other_models_stay(self, stream):
        a = self.good(user("[[box]]"), stream)
        self.assertIn("<|begin_of_box|>42", a.text)

    @both_modes
    def test_boxes(self, stream):
        a = self.good(user("[[box]]"), stream, model="glm-4.5v", think=True)
        self.assertEqual((a.text, a.reasoning), ("42", "hm"))

    def test_torn_frames(self):
        for at in (1, 2, 3):
            with self.subTest(at=at):
                a = self.good(user("[[glued at=%d words=20]]" % at), True)
                self.assertEqual(a.text, " ".join(
                    "word%d" % i for i in range(1, 21)))

    def test_torn_frames_without_a_whole_one(self):
        self.expect_log(r"upstream: ")
        a = self.ask(user("[[torn at=3]]"), True)
        self.assertIsNotNone(a.error)
        self.assertFalse(a.ended)


class _Buffer(_Asker):
    """Arguments are held; markup becomes calls."""

    @both_modes
    def test_bad_arguments_are_replaced(self, stream):
        if self.upstream == "A" and not stream:
            self.skipTest("cannot be played")
        a = self.good(user("[[tool_bad_json]]"), stream, tools=[LOOK])
        self.assertEqual([(c.name, json.loads(c.args)) for c in a.calls],
                         [("look", RAW)])

    @both_modes
    def test_cut_arguments_are_replaced(self, stream):
        a = self.good(user("[[tool_cut]]"), stream, tools=[LOOK])
        self.assertEqual(a.finish, "length")
        json.loads(a.calls[0].args)

    @both_modes
    def test_good_arguments_are_kept(self, stream):
        args = '{"n":1e400,"f":1.0,"s":"\\u00e9"}'
        a = self.good(user("[[tools2 args=%s]]" % args), stream,
                      tools=[LOOK, FIND])
        if self.client == "A" and not stream:
            self.assertIn("1e400", a.response.body.decode())
        else:
            self.assertEqual([c.args for c in a.calls], [args] * 2)

    @both_modes
    def test_markup_becomes_a_call(self, stream):
        turns = [("user", "[[markup]]")]
        a = self.good(turns, stream, tools=[LOOK])
        self.assertEqual((a.text, a.finish), ("", "tools"))
        self.assertEqual([(c.name, json.loads(c.args)) for c in a.calls],
                         [("look", {"path": "a.txt"})])
        self.assertTrue(a.calls[0].id)
        if not stream:
            self.assertIn("recovered:tool_markup", self.notices(a))
        turns += [("assistant", None, a.calls),
                  ("results", [(a.calls[0].id, "found"), ]),
                  ("user", "and? [[text]]")]
        self.good(turns, stream, tools=[LOOK])

    @both_modes
    def test_markup_of_other_tools_stays(self, stream):
        a = self.good(user("[[markup]]"), stream, tools=[FIND])
        self.assertEqual((a.text, a.calls), (MARKUP, []))

    @both_modes
    def test_text_is_not_touched(self, stream):
        a = self.good(user("[[say text=a%3Cb%3C/tool_call%3Ec piece=2]]"),
                      stream, tools=[LOOK])
        self.assertEqual(a.text, "a<b</tool_call>c")


class _Strip(_Asker):
    @both_modes
    def test_markup_goes(self, stream):
        a = self.good(user("[[markup]]"), stream, tools=[LOOK])
        self.assertEqual((a.text, a.calls, a.finish), ("", [], "stop"))
        if not stream:
            self.assertIn("stripped:tool_markup", self.notices(a))


def _classes():
    """Each of the above for each pair."""
    kinds = ((_Off, {}), (_Buffer, {"validate_tool_json": "buffer",
                                    "tool_markup": "recover"}),
             (_Strip, {"tool_markup": "strip"}))
    names = {"O": "openai", "A": "anthropic"}
    for kind, config in kinds:
        for client in "OA":
            for upstream in "OA":
                name = kind.__name__[1:] + client + upstream
                yield name, type(name, (kind, Case), {
                    "__module__": __name__, "client": client,
                    "upstream": upstream, "config": dict(
                        config, text_endpoint_preference=names[upstream])})


globals().update(_classes())

if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: MIT
"""The stand-in upstream refuses what z.ai refuses, and remembers what it saw."""

import glob
import json
import os
import re
import socket
import tempfile
import time
import unittest

from tests.e2e import standin_cases as cases
from tests.e2e.upstream import (
    CHAT,
    COUNT,
    MESSAGES,
    MODELS,
    ROOT,
    TOKENIZER,
    Standin,
    head_for,
    is_a,
    receive_all,
    wait_for,
)

STATUS = {1: 400, 2: 422, 1000: 401, 1001: 401, 1113: 429, 1309: 429}


def error_of(answer, code, path):
    """Code (as a number) and message out of the shape that belongs to them."""
    body = answer.json
    if code == 2:
        return 2, ".".join(map(str, body["detail"][0]["loc"])) + ": " + body["detail"][0]["msg"]
    error = body["error"]
    if is_a(path) and code in (1000, 1001):
        return {"1000": 1000, "401": 1001}[error["type"]], error["message"]
    if is_a(path):
        trace = re.fullmatch(r"\[(\d+)\]\[(.*)\]\[([0-9a-f]+)\]", error["message"], re.DOTALL)
        assert trace, error
        assert trace[1] == error["code"] and trace[3] == body["request_id"], body
        assert body["type"] == "error" and error["type"], body
        return int(error["code"]), trace[2]
    assert "type" not in error and "type" not in body, body
    return int(error["code"]), error["message"]


class Refusals(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.up = Standin("--keep", "10000", quiet=False)

    @classmethod
    def tearDownClass(cls):
        cls.up.stop()

    def check(self, path, answer, code, part):
        self.assertEqual(answer.status, STATUS.get(code, 400), answer.body)
        got, message = error_of(answer, code, path)
        self.assertEqual(got, {1: 1210}.get(code, code), answer.body)
        why = message if code != 2 else "body." + part.replace("[", ".").replace("]", "")
        self.assertIn(part if code != 2 else why, message)
        verdict = self.up.last()["verdict"]
        prefix = {1: "", 2: "422: "}.get(code, "%d: " % code)
        self.assertTrue(verdict.startswith(prefix), verdict)
        self.assertIn(part, verdict)

    def test_1_bodies(self):
        for name, path, body, code, part in cases.CASES:
            with self.subTest(name):
                self.check(path, self.up.post(path, body), code, part)

    def test_1_heads(self):
        for path, change, code, part in cases.CASES_HEAD:
            head = head_for(path)
            for k, v in change.items():
                if v is None:
                    head.pop(k, None)
                else:
                    head[k] = v
            body = cases.GOOD_A if is_a(path) else cases.GOOD_O
            with self.subTest(part, path=path, change=change):
                self.check(path, self.up.post(path, body, head), code, part)

    def test_1_fields_that_only_raw_bytes_show(self):
        body = b"%d\r\n\r\n" % len(json.dumps(cases.GOOD_O)) + json.dumps(cases.GOOD_O).encode()
        start = b"POST " + CHAT.encode() + b" HTTP/1.1\r\nhost: a\r\nconnection: close\r\n"
        start += b"authorization: Bearer k.s\r\ncontent-type: application/json\r\n"
        for extra, part in (
            (b"accept: */*\r\naccept: */*\r\ncontent-length: ", b"standin: header accept twice"),
            (b"x: 1\r\ncontent-length: ", b"standin: header x must not"),
        ):
            with self.subTest(part):
                self.assertIn(part, self.up.raw(start + extra + body))
        self.assertIn(b"content-length: not received", self.up.raw(start + b"\r\n"))
        stream = json.dumps({**cases.GOOD_O, "stream": True}).encode()
        fields = b"accept: application/json\r\ncontent-length: %d\r\n\r\n" % len(stream)
        self.assertIn(b"standin: accept: application/json", self.up.raw(start + fields + stream))

    def test_2_every_refusal_is_tested(self):
        """Each text in check*.c was seen in a verdict of the tests above."""
        seen = [r["verdict"] for r in self.up.requests()]
        self.assertGreater(len(seen), 250, "run the whole class")
        missing = []
        for path in glob.glob(os.path.join(ROOT, "tests", "upstream", "check*.c")):
            with open(path, encoding="utf-8") as f:
                source = f.read()
            for call in re.finditer(r'refuse\(\s*[a-z>-]+,\s*[^"]+?,\s*((?:"[^"\\]*(?:\\.[^"\\]*)*"\s*)+)', source):
                fmt = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', call[1])).replace('\\"', '"')
                rx = re.sub(r"%(\\\.\\\*s|zu|s|d|u|g|lld|llu)", ".*", re.escape(fmt).replace("%%", "%"))
                if not any(re.search(rx, v) for v in seen):
                    missing.append(os.path.basename(path) + ": " + fmt)
        missing.remove("check_head.c: standin: host %.*s, but TLS said %.*s")  # TLS tests
        self.assertEqual(missing, [])

    def test_broken_http(self):
        for data, status in (
            (b"GET / HTTP/1.1\r\n\r\n", b"400"),  # no host
            (b"nonsense\r\n\r\n", b"400"),
            (b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n", b"400"),
            (b"GET / HTTP/1.1\r\nhost: a\r\nx: " + b"y" * 70000 + b"\r\n\r\n", b"431"),
            (b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999\r\n\r\n", b"413"),
        ):
            with self.subTest(data[:60]):
                self.assertEqual(self.up.raw(data).split(b" ")[1], status)


class Accepted(unittest.TestCase):
    """What is legal must pass, or the refusals would prove nothing."""

    @classmethod
    def setUpClass(cls):
        cls.up = Standin()

    @classmethod
    def tearDownClass(cls):
        cls.up.stop()

    def ok(self, path, body, head=None):
        answer = self.up.post(path, body, head)
        self.assertEqual((answer.status, self.up.last()["verdict"]), (200, "ok"), answer.body)
        return answer

    def test_messages(self):
        a, user, use, result = cases.a, cases.user, cases.use, cases.result
        assistant, text = cases.assistant, cases.text
        for body in (
            a(),
            a(model="claude-sonnet-4-5"),
            a(model="glm-5.2", max_tokens=131072),
            a(unknown_field={"x": 1}, top_k=0, temperature=0, top_p=1, metadata={"user_id": None}),
            a(system=""),
            a(system=[text("x")], stop_sequences=["x"]),
            a(user("x"), user("y"), assistant("z")),
            a(user([text("x"), text(" ")])),
            a(user("x"), assistant([]), user("y"), assistant(""), user("z")),
            a(user("x"), assistant([{"type": "thinking", "thinking": "t", "signature": ""}, text("y")])),
            a(user([{"type": "foo"}])),
            a(
                user("q"),
                assistant([text("x"), use("t"), use("u")]),
                user([result("u", ""), result("t", [text("r")], is_error=True), text("more")]),
            ),
            a(user("q"), assistant([use("t")]), user([result("t")]), user("more")),
            a(tools=[cases.TOOL_A, {"type": "bash_20250124", "name": "bash"}]),
            a(tools=[cases.TOOL_A], tool_choice={"type": "tool", "name": "w"}),
            a(tools=[cases.TOOL_A], tool_choice={"type": "auto", "disable_parallel_tool_use": True}),
            a(thinking={"type": "enabled", "budget_tokens": 1024}),
            a(thinking={"type": "adaptive", "display": "omitted"}),
        ):
            with self.subTest(body=body):
                self.ok(MESSAGES, body)

    def test_chat(self):
        o, user, call, tool = cases.o, cases.user, cases.call, cases.tool
        assistant, text, image = cases.assistant, cases.text, cases.image
        for body in (
            o(),
            o(stream=True, stream_options={"include_usage": True}, tool_stream=True),
            o(temperature=0, top_p=0.01, max_tokens=131072, stop=["x"], do_sample=False),
            o(response_format={"type": "json_object"}, request_id="123456", user_id="x" * 128),
            o(thinking={"type": "disabled", "clear_thinking": False}),
            o(model="glm-5.3", reasoning_effort="max", thinking={"type": "enabled"}),
            o(model="glm-5.2", reasoning_effort="xhigh"),
            o(user("x"), {"role": "system", "content": "s"}, user("y")),
            o(user("x"), assistant("y", reasoning_content="r"), user("z"), assistant("prefill")),
            o(user([text("a"), text("b")])),
            o(
                user("x"),
                assistant("", tool_calls=[call("a", arguments='{"n":1e400,"b":12345678901234567890}'), call("b")]),
                tool("b"),
                tool("a"),
                assistant("", tool_calls=[call("a")]),
                tool("a"),
            ),
            o(tools=[cases.TOOL_O] * 128, tool_choice="auto"),
            o(tools=[{"type": "web_search", "web_search": {"enable": True}}]),
            cases.vision(image(cases.PNG)),
            cases.vision(image("https://example.com/a.png"), tools=[cases.TOOL_O]),
            o(user("[[text open=1]]"), seed=1),
        ):
            with self.subTest(body=body):
                self.ok(CHAT, body)

    def test_json_that_libjansson_does_not_like(self):
        template = '{"model":"glm-4.6","max_tokens":5,"messages":[{"role":"user","content":"%s"}],"x":%s}'
        for content, x in (
            ("a", '{"n":1e400,"b":12345678901234567890,"b":2,"-":-0}'),
            ("lone \\ud83d end", "1"),
            ("\\u0000", "1"),
            ("\\ud83d\\ude00 \\udc00", '"]}{["'),
        ):
            with self.subTest(content=content, x=x):
                self.ok(MESSAGES, template % (content, x))

    def test_heads(self):
        for change in (
            {"x-api-key": "k.s"},
            {"anthropic-beta": "a,b", "accept-language": "en-US,en", "user-agent": "x"},
            {"accept": "application/json", "accept-encoding": "identity"},
            {"content-type": "application/json; charset=utf-8", "connection": "keep-alive"},
        ):
            with self.subTest(change):
                self.ok(MESSAGES, cases.GOOD_A, {**head_for(MESSAGES), **change})
        head = head_for(MESSAGES)
        del head["authorization"]
        self.ok(MESSAGES, cases.GOOD_A, {**head, "x-api-key": "k.s"})

    def test_chunked_body_and_expect(self):
        data = json.dumps(cases.GOOD_O).encode()
        head = b"POST " + CHAT.encode() + b" HTTP/1.1\r\nhost: a\r\nconnection: close\r\n"
        head += b"authorization: Bearer k.s\r\ncontent-type: application/json\r\n"
        chunks = b"".join(b"1\r\n%c\r\n" % c for c in data) + b"0\r\n\r\n"
        self.assertIn(b"You said: hi", self.up.raw(head + b"transfer-encoding: chunked\r\n\r\n" + chunks))
        with self.up.raw(head + b"expect: 100-continue\r\ncontent-length: %d\r\n\r\n" % len(data), False) as s:
            self.assertEqual(s.recv(100), b"HTTP/1.1 100 Continue\r\n\r\n")
            s.sendall(data)
            self.assertIn(b"You said: hi", receive_all(s))

    def test_small_routes(self):
        count = self.ok(COUNT, {"model": "glm-4.6v", "messages": [cases.user("x" * 397)]})
        self.assertEqual(count.json, {"input_tokens": 101})
        tokens = self.ok(TOKENIZER, cases.vision(cases.image(cases.PNG))).json["usage"]
        self.assertEqual(tokens["prompt_tokens"], tokens["total_tokens"])
        self.assertGreater(tokens["prompt_tokens"], 1000)
        models = self.up.get(MODELS).json
        self.assertEqual(models["object"], "list")
        names = [m["id"] for m in models["data"]]
        self.assertIn("glm-4.6", names)
        self.assertNotIn("glm-4.6v", names)

    def test_places_where_nothing_is(self):
        a = self.up.post("/api/anthropic/v1/nothing", {})
        self.assertEqual((a.status, a.json), (200, {"code": 500, "msg": "404 NOT_FOUND", "success": False}))
        o = self.up.post("/api/paas/v4/nothing", {})
        self.assertEqual((o.status, o.json["error"], o.json["path"]), (404, "Not Found", "/api/paas/v4/nothing"))
        self.assertEqual(self.up.post("/api/paas/v4/nothing", {}, {"host": "a"}).status, 401)
        self.assertEqual(self.up.get(MESSAGES).status, 200)


class Options(unittest.TestCase):
    def test_model_and_max_body_and_idle(self):
        up = Standin("--model", "my-model", "--max-body", "300", "--idle-ms", "50")
        try:
            self.assertEqual(up.post(MESSAGES, cases.a(model="my-model")).status, 200)
            self.assertIn("my-model", up.get(MODELS).body.decode())
            self.assertEqual(up.post(MESSAGES, cases.a(cases.user("x" * 400))).status, 413)
            c = up.connect()
            up.post(MESSAGES, cases.GOOD_A, connection=c)
            c.sock.settimeout(20)
            self.assertEqual(c.sock.recv(1), b"")
            c.close()
            self.assertGreaterEqual(up.stats()["idle_closed"], 1)
        finally:
            up.stop()

    def test_lax_headers_and_no_validate(self):
        up = Standin("--lax-headers")
        try:
            head = {**head_for(CHAT), "cookie": "x"}
            self.assertEqual(up.post(CHAT, cases.GOOD_O, head).status, 200)
            self.assertEqual(up.post(CHAT, cases.o(seed=1), head).status, 400)
        finally:
            up.stop()
        up = Standin("--no-validate")
        try:
            body = '{"model":"glm-4.6","stream":true,"seed":1,"messages":"[[text words=2]]"}'
            answer = up.post(CHAT, body, {})
            self.assertEqual(answer.chunks()[0]["choices"][0]["delta"]["content"], "word1 word2")
            self.assertEqual(up.get(MODELS, {}).json["object"], "list")
            self.assertEqual(up.post(COUNT, "x" * 85, {}).json["input_tokens"], 22)
        finally:
            up.stop()

    def test_bad_command_lines(self):
        for arguments in (
            ("--nonsense",),
            ("--keep", "x"),
            ("--default-scenario", "nonsense"),
            ("--tls-cert", "x"),
            ("--processes", "0"),
        ):
            with self.subTest(arguments), self.assertRaises(AssertionError):
                Standin(*arguments)

    def test_processes_share_the_work(self):
        up = Standin("--processes", "2")
        try:
            pids = set()

            def both():
                pids.add(up.stats()["pid"])
                return len(pids) == 2

            wait_for("two processes", both)
        finally:
            up.stop()


class Records(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory()
        self.up = Standin("--record", self.dir.name, "--keep", "3", "--default-scenario", "text")

    def tearDown(self):
        self.up.stop()
        self.dir.cleanup()

    def test_what_is_recorded(self):
        c = self.up.connect()
        self.up.post(CHAT + "?beta=true", cases.GOOD_O, connection=c)
        self.up.post(CHAT, cases.o(seed=1), connection=c)
        c.close()
        first, second = self.up.requests()
        self.assertEqual((first["n"], second["n"]), (1, 2))
        self.assertEqual(first["connection"], second["connection"])
        self.assertEqual((first["requests_on_connection"], second["requests_on_connection"]), (1, 2))
        self.assertEqual((first["path"], first["query"], first["method"]), (CHAT, "beta=true", "POST"))
        self.assertIn(["authorization", "Bearer k.s"], first["headers"])
        self.assertEqual(json.loads(first["body"]), cases.GOOD_O)
        self.assertIsNone(first["tls"])
        self.assertEqual((first["verdict"], first["status"], first["end"]), ("ok", 200, "done"))
        self.assertEqual((second["verdict"], second["status"]), ("1210: seed: unknown field", 400))
        self.assertLessEqual(first["arrived_ms"], first["done_ms"])
        with open(os.path.join(self.dir.name, "00002.json"), encoding="utf-8") as f:
            on_disk = json.load(f)
        self.assertEqual(on_disk["body"], second["body"])

    def test_list(self):
        for i in range(5):
            self.up.post(MESSAGES, cases.a(cases.user("m%d" % i)))
        self.assertEqual([r["n"] for r in self.up.requests()], [3, 4, 5])
        self.assertEqual([r["n"] for r in self.up.requests(since=4)], [5])
        self.assertEqual([r["n"] for r in self.up.requests(last=2)], [4, 5])
        self.assertEqual(self.up.stats()["requests"], 5)
        self.up.reset()
        self.assertEqual(self.up.requests(), [])
        self.assertEqual(self.up.stats()["requests"], 0)

    def test_bytes_that_are_no_text(self):
        self.up.post(CHAT, b"\xff\x00")
        self.assertEqual(self.up.last()["body_hex"], "ff00")

    def test_abort_is_seen(self):
        body = cases.o(cases.user("[[many n=400 delay=50]]"), stream=True)
        s = self.up.raw_post(CHAT, body, read=False)
        s.recv(1000)
        self.assertEqual(self.up.stats()["in_flight"], 1)
        before = time.clock_gettime(time.CLOCK_MONOTONIC) * 1000
        s.close()
        record = wait_for("the abort", lambda: self.up.last()["closed_by_peer_ms"] and self.up.last())
        self.assertEqual(record["end"], "aborted")
        self.assertLess(record["closed_by_peer_ms"] - before, 3000)
        stats = self.up.stats()
        self.assertEqual((stats["in_flight"], stats["aborted"]), (0, 1))
        self.assertEqual(stats["last_abort_ms"], record["closed_by_peer_ms"])

    def test_default_and_next(self):
        self.up.set_default("say text=always")
        self.up.push_next("say text=once", "error code=1302")
        texts = []
        for _ in range(4):
            a = self.up.post(MESSAGES, cases.GOOD_A)
            texts.append(a.json["content"][0]["text"] if a.status == 200 else a.status)
        self.assertEqual(texts, ["once", 429, "always", "always"])
        self.up.push_next("error code=1234")
        self.assertEqual(self.up.get(MODELS).status, 500)
        self.up.push_next("say text=forgotten")
        self.up.reset()
        self.assertIn("You said: hi", self.up.post(MESSAGES, cases.GOOD_A).body.decode())
        with self.assertRaises(AssertionError):
            self.up.set_default("nonsense")

    def test_pipelined_requests_keep_their_order(self):
        one = b"POST " + CHAT.encode() + b" HTTP/1.1\r\nhost: a\r\nauthorization: Bearer k.s\r\n"
        one += b"content-type: application/json\r\n"
        data = b""
        for i in range(20):
            body = json.dumps(cases.o(cases.user("n%d" % i))).encode()
            close = b"connection: close\r\n" if i == 19 else b""
            data += one + close + b"content-length: %d\r\n\r\n" % len(body) + body
        answers = self.up.raw(data)
        found = [int(n) for n in re.findall(rb"You said: n(\d+)", answers)]
        self.assertEqual(found, list(range(20)))

    def test_request_cut_at_every_byte(self):
        body = json.dumps(cases.GOOD_O).encode()
        data = b"POST " + CHAT.encode() + b" HTTP/1.1\r\nhost: a\r\nauthorization: Bearer k.s\r\n"
        data += b"content-type: application/json\r\nconnection: close\r\n"
        data += b"content-length: %d\r\n\r\n" % len(body) + body
        s = socket.create_connection(("127.0.0.1", self.up.port), 20)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with s:
            for i in range(len(data)):
                s.sendall(data[i : i + 1])
            self.assertIn(b"You said: hi", receive_all(s))


if __name__ == "__main__":
    unittest.main()

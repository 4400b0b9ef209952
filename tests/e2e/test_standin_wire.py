# SPDX-License-Identifier: MIT
"""What goes wrong, and in which bytes, in the stand-in's scenarios."""

import json
import re
import time
import unittest
import zlib

from tests.e2e.standin_play import Play, fold_a, read_source
from tests.e2e.upstream import CHAT, MESSAGES, receive_all, wait_for


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
        data = self.o_stream("glued at=1").body
        self.assertRegex(data, rb'\n\ndata: \{"id":"[^\n]*data: \{"id":"[^\n]*\n\n')
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

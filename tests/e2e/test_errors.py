# SPDX-License-Identifier: MIT
"""What clients are told when something goes wrong."""

import gzip
import json
import re
import unittest

from tests.e2e import wire
from tests.e2e.chat import DIALECTS, ask, user
from tests.e2e.harness import Case, post_fields

# Code: status and type for A; status, type and code for O; whether a retry is
# of use ("no": x-should-retry false; a number: retry-after; None: unsaid).
AUTH = (401, "authentication_error", 401, "invalid_request_error",
        "invalid_api_key", "no")
DEACTIVATED = (403, "permission_error", 403, None, "account_deactivated", "no")
BILLING = (402, "billing_error", 429, "insufficient_quota",
           "insufficient_quota", "no")
SERVER = (500, "api_error", 500, "server_error", None, None)
BAD = (400, "invalid_request_error", 400, "invalid_request_error", ..., "no")
GONE = (404, "not_found_error", 404, "invalid_request_error", ..., "no")
POLICY = (400, "invalid_request_error", 400, ..., "content_policy_violation",
          "no")
RATE = (429, "rate_limit_error", 429, "rate_limit_error",
        "rate_limit_exceeded", "5")
QUOTA = (429, "rate_limit_error", 429, "insufficient_quota",
         "insufficient_quota", "no")
OVERLOADED = (529, "overloaded_error", 429, "rate_limit_error",
              "server_overloaded", "5")
CODES = {
    1000: AUTH, 1001: AUTH, 1002: AUTH, 1003: AUTH, 1004: AUTH, 1005: AUTH,
    1110: DEACTIVATED, 1111: DEACTIVATED, 1112: DEACTIVATED,
    1120: DEACTIVATED, 1121: DEACTIVATED,
    1113: BILLING, 1309: BILLING, 1314: BILLING,
    1200: SERVER, 1230: SERVER, 1234: SERVER,
    1210: BAD, 1212: BAD, 1213: BAD, 1214: BAD, 1215: BAD,
    1211: GONE, 1221: GONE, 1222: GONE,
    1220: (403, "permission_error", 403, "invalid_request_error",
           "permission_denied", "no"),
    1231: (409, "conflict_error", 409, ..., "conflict", "no"),
    1300: POLICY, 1301: POLICY,
    1302: RATE, 1303: RATE,
    1304: QUOTA, 1308: QUOTA, 1310: QUOTA, 1316: QUOTA, 1317: QUOTA,
    1318: QUOTA, 1319: QUOTA, 1320: QUOTA, 1321: QUOTA,
    1305: OVERLOADED,
    1311: (403, "permission_error", 403, ..., "model_not_available", "no"),
    1313: (429, "rate_limit_error", 429, ..., ..., "no"),
    1315: (403, "permission_error", 403, ..., ..., "no"),
    434: (403, "permission_error", 403, ..., ..., "no"),
    435: (413, "request_too_large", 413, "invalid_request_error",
          "request_too_large", "no"),
}
PAIRS = [(c, u, s) for c in "OA" for u in "OA" for s in (False, True)]
SUFFIX = {"O": "-openai", "A": "-anthropic"}


class ErrorCase(Case):
    """Helpers; no tests."""

    expected = (r"req=\S+ ?.*upstream: ",)

    def play(self, scenario, client="O", upstream="A", stream=False, **more):
        body = DIALECTS[client].body(
            user("[[%s]]" % scenario), stream=stream,
            model="glm-4.6" + SUFFIX[upstream], **more)
        return ask(self.proxy.address, client, body)

    def check_error(self, a, client, status, kind=..., code=..., retry=...):
        """A whole error answer of the client's dialect."""
        self.assertEqual(a.status, status, a.response)
        self.assertEqual(a.get("content-type"), "application/json")
        self.assertIsNotNone(a.error)
        if kind is not ...:
            self.assertEqual(a.error["type"], kind, a.error)
        request_id = a.get(DIALECTS[client].request_id)
        self.assertRegex(request_id, "^req_[A-Za-z0-9]{24}$")
        if client == "A":
            self.assertEqual(a.response.json()["request_id"], request_id)
        elif code is not ...:
            self.assertEqual(a.error["code"], code, a.error)
        if retry is not ...:
            self.assertEqual(a.get("x-should-retry"),
                             "false" if retry == "no" else None)
            self.assertEqual(a.get("retry-after"),
                             retry if retry != "no" else None)

    def check_broken(self, a, client):
        """A stream that said so when it broke."""
        self.assertEqual(a.status, 200, a.response)
        self.assertFalse(a.ended)
        self.assertIsNotNone(a.error, "no error in the stream")
        if client == "A":
            self.assertIn(a.error["type"], (
                "overloaded_error", "api_error", "rate_limit_error",
                "timeout_error"))


class FromUpstream(ErrorCase):

    def check_code(self, client, code, row, a):
        status, kind, o_status, o_kind, o_code, retry = row
        if client == "A":
            self.check_error(a, "A", status, kind, retry=retry)
        else:
            self.check_error(a, "O", o_status,
                             ... if o_kind is None else o_kind, o_code, retry)
        if code != 1001:  # which the A endpoint does not name
            self.assertIn("(z.ai code %d)" % code, a.error["message"])

    def test_business_codes(self):
        for client, upstream, stream in PAIRS:
            for code, row in CODES.items():
                with self.subTest(client=client, upstream=upstream,
                                  stream=stream, code=code):
                    a = self.play("error code=%d" % code, client, upstream,
                                  stream)
                    self.check_code(client, code, row, a)

    def test_unknown_codes_keep_their_status(self):
        for client in "OA":
            for status in (400, 403, 404, 409, 418, 429, 500, 502, 504):
                with self.subTest(client=client, status=status):
                    a = self.play("error code=1999 status=%d" % status,
                                  client)
                    self.assertEqual(a.status, status)
                    self.assertIsNotNone(a.error)

    def test_shapes(self):
        for client in "OA":
            for shape in ("F1", "F2", "F2b", "F8"):
                for code in (1302, 1113, 1211):
                    with self.subTest(client=client, shape=shape, code=code):
                        a = self.play("error code=%d shape=%s"
                                      % (code, shape), client)
                        self.check_code(client, code, CODES[code], a)

    def test_shapes_without_code(self):
        rows = (("F3 code=1000", 401), ("F5 code=1214", 400),
                ("F5b code=1214", 400), ("F6", 404), ("F7", 502),
                ("F7b", 502), ("F7c", 502))
        for client, upstream, stream in PAIRS:
            for shape, status in rows:
                with self.subTest(client=client, upstream=upstream,
                                  stream=stream, shape=shape):
                    a = self.play("error shape=" + shape, client, upstream,
                                  stream)
                    self.check_error(a, client, status)
                    self.assertNotIn("<html", a.error["message"])
                    self.assertLess(len(a.error["message"]), 400)

    def test_success_that_is_an_error(self):
        for client, upstream, stream in PAIRS:
            with self.subTest(client=client, upstream=upstream,
                              stream=stream):
                a = self.play("error_200", client, upstream, stream)
                self.assertIn(a.status, (404, 500, 502))
                self.assertIsNotNone(a.error)

    def test_error_as_first_event(self):
        for client, upstream, stream in PAIRS:
            with self.subTest(client=client, upstream=upstream,
                              stream=stream):
                a = self.play("error_first", client, upstream, stream)
                self.check_code(client, 1305, OVERLOADED, a)

    def test_gateways(self):
        for client, upstream, stream in PAIRS:
            for scenario, status in (("html502", 502), ("empty502", 502),
                                     ("html429", 429)):
                with self.subTest(client=client, upstream=upstream,
                                  stream=stream, scenario=scenario):
                    a = self.play(scenario, client, upstream, stream)
                    self.check_error(a, client, status)
                    self.assertNotIn("<html", a.error["message"])

    def test_reset_time(self):
        for client in "OA":
            a = self.play("error429 code=1308 reset=2026-09-21%2023:07:07",
                          client)
            self.check_code(client, 1308, QUOTA, a)
            self.assertEqual(a.get("x-glmproxy-reset"),
                             "2026-09-21T23:07:07+08:00")
            self.assertIn("2026-09-21 23:07:07", a.error["message"])

    def test_retry_after(self):
        for client in "OA":
            for scenario, expected in (
                    ("error429 retry_after=30", "30"),
                    ("error429 retry_after=7200", "60"),
                    ("error429", "5"),
                    ("error429 code=1308 retry_after=30", None)):
                with self.subTest(client=client, scenario=scenario):
                    a = self.play(scenario, client)
                    self.assertEqual(a.get("retry-after"), expected)

    def test_key_refused(self):
        for client in "OA":
            a = ask(self.proxy.address, client,
                    DIALECTS[client].body(user("x")), key="bad.key")
            self.allow_refusals()
            self.check_error(a, client, 401, retry="no")

    def test_overflow(self):
        """Worked example 14.5."""
        a = self.play("overflow", "A", max_tokens=32768)
        self.check_error(a, "A", 400, "invalid_request_error", retry="no")
        self.assertEqual(a.error["message"], (
            "input length and `max_tokens` exceed context limit: 182387 + "
            "32768 > 202750, decrease input length or `max_tokens` and try "
            "again"))
        a = self.play("overflow", "O", max_tokens=32768)
        self.check_error(a, "O", 400, "invalid_request_error",
                         "context_length_exceeded", "no")
        self.assertEqual(a.error["param"], "messages")
        self.assertEqual(a.error["message"], (
            "This model's maximum context length is 202750 tokens. However, "
            "you requested 215155 tokens (182387 in the messages, 32768 in "
            "the completion). Please reduce the length of the messages or "
            "completion."))

    def test_overflow_of_the_input_alone(self):
        for upstream in "OA":
            for stream in (False, True):
                a = self.play("overflow n=300000", "A", upstream, stream)
                self.assertEqual(
                    a.error["message"],
                    "prompt is too long: 300000 tokens > 202750 maximum")
                a = self.play("overflow n=300000", "O", upstream, stream)
                self.assertEqual(a.error["message"], (
                    "This model's maximum context length is 202750 tokens. "
                    "However, your messages resulted in 300000 tokens. "
                    "Please reduce the length of the messages."))
                self.assertEqual(a.error["code"], "context_length_exceeded")

    def test_overflow_without_numbers(self):
        for client, pattern in (
                ("A", r"^prompt is too long: (\d+) tokens > (\d+) maximum$"),
                ("O", r"^This model's maximum context length is (\d+) tokens. "
                      r"However, your messages resulted in (\d+) tokens")):
            a = self.play("overflow form=1210", client)
            self.assertEqual(a.status, 400)
            found = re.match(pattern, a.error["message"])
            self.assertIsNotNone(found, a.error)
            numbers = sorted(int(n) for n in found.groups())
            self.assertLess(numbers[0], numbers[1])

    def test_window_filled_before_any_output(self):
        for client, upstream, stream in PAIRS:
            with self.subTest(client=client, upstream=upstream,
                              stream=stream):
                a = self.play("window words=0", client, upstream, stream)
                self.check_error(a, client, 400)
                a = self.play("window words=3", client, upstream, stream)
                self.assertEqual(a.status, 200)
                self.assertEqual(a.finish,
                                 "length" if client == "O" else "window")


class BrokenAnswers(ErrorCase):

    FAULTS = ("cut", "torn", "reset", "ends_early", "error_mid", "bad_json",
              "network_error")

    def test_streams_never_end_cleanly(self):
        for client, upstream in ("OO", "OA", "AO", "AA"):
            for fault in self.FAULTS:
                with self.subTest(client=client, upstream=upstream,
                                  fault=fault):
                    a = self.play(fault + " words=40 per=1", client, upstream,
                                  True)
                    self.check_broken(a, client)
                    self.assertTrue(a.text.startswith("word1"), a.text)

    def test_every_place(self):
        for client, upstream in ("OO", "OA", "AO", "AA"):
            for at in range(1, 9):
                with self.subTest(client=client, upstream=upstream, at=at):
                    a = self.play("cut at=%d words=20 per=1" % at, client,
                                  upstream, True)
                    if a.status == 200:
                        self.check_broken(a, client)
                    else:
                        self.check_error(a, client, 502)

    def test_bodies(self):
        for client, upstream in ("OO", "OA", "AO", "AA"):
            for fault in ("cut", "reset", "bad_json", "torn"):
                with self.subTest(client=client, upstream=upstream,
                                  fault=fault):
                    a = self.play(fault + " words=40", client, upstream)
                    self.check_error(a, client, 502)

    def test_no_answer(self):
        for client, upstream, stream in PAIRS:
            for fault in ("close_early", "reset_early", "garbage", "big_head",
                          "two_lengths", "brotli", "redirect"):
                with self.subTest(client=client, upstream=upstream,
                                  stream=stream, fault=fault):
                    a = self.play(fault, client, upstream, stream)
                    self.check_error(a, client, 502, retry=None)

    def test_damaged_compression(self):
        for client in "OA":
            a = self.play("bad_gzip words=40", client, "A", False)
            self.check_error(a, client, 502)
            a = self.play("bad_gzip words=400 per=1", client, "A", True)
            self.assertIsNotNone(a.error)
            self.assertFalse(a.status == 200 and a.ended)

    def test_the_proxy_lives_on(self):
        for fault in self.FAULTS + ("garbage", "big_head"):
            self.play(fault, stream=True)
        a = self.play("say text=fine")
        self.assertEqual(a.text, "fine")
        self.assertEqual(len(self.proxy.children("worker")), 1)


class Silence(ErrorCase):
    # Far above the 50 ms of what is only slow, for machines that are busy.
    config = {"request_timeout_s": "0.7", "stream_timeout_s": "0.7",
              "model.glm-4.7.stall_s": "5"}

    def test_no_head(self):
        for client in "OA":
            for stream in (False, True):
                a = self.play("no_head", client, "A", stream)
                self.check_error(a, client, 504, retry=None)
                self.assertEqual(a.error["type"],
                                 {"A": "timeout_error",
                                  "O": "server_error"}[client])

    def test_silent_body(self):
        a = self.play("silent", "A", "O", False)
        self.check_error(a, "A", 504)

    def test_silent_stream(self):
        for client, upstream in ("OO", "OA", "AO", "AA"):
            with self.subTest(client=client, upstream=upstream):
                a = self.play("silent at=4 words=50 per=1", client, upstream,
                              True)
                self.check_broken(a, client)
                if client == "A":
                    self.assertEqual(a.error["type"], "timeout_error")

    def test_slow_is_not_silent(self):
        a = self.play("slow head=50 first=50 delay=50 words=3 per=1",
                      "O", "A", True)
        self.assertTrue(a.ended)

    def test_limit_of_a_model(self):
        body = DIALECTS["O"].body(
            user("[[slow head=10 first=1000 delay=1000 words=1]]"),
            stream=True, model="glm-4.7-anthropic")
        a = ask(self.proxy.address, "O", body)
        self.assertTrue(a.ended, a.error)

    def test_no_connection(self):
        proxy = self.own_proxy({
            "upstream_base": "http://127.0.0.1:1/a",
            "openai_upstream_base": "http://127.0.0.1:1/b"})
        for client in "OA":
            for stream in (False, True):
                a = ask(proxy.address, client,
                        DIALECTS[client].body(user("x"), stream=stream))
                self.check_error(a, client, 502, retry=None)


class FromTheProxy(ErrorCase):
    config = {"max_body_mb": "1"}
    ROUTES = (("O", "/v1/chat/completions"), ("A", "/v1/messages"),
              ("A", "/v1/messages/count_tokens"))

    def refused(self, client, r, status, kind=..., code=...):
        d = DIALECTS[client]
        a = d.read_body(r)
        self.check_error(a, client, status, kind, code,
                         "no" if status != 408 else None)
        self.assertEqual(self.standin.count(), self.since,
                         "it reached upstream")
        return a

    def test_bad_bodies(self):
        bodies = (
            b"", b"{", b"[]", b'""', b"null", b"{} x", b'{"model":"a"}{',
            b'{"model":}', b"\xff\xfe", b'{"a":"\xc3"}', b"{'a':1}",
            b'{"a":01}', b'{"a":1,}', b'{"a":"\x01"}', b'{"a":NaN}',
            b'{"messages":[],"messages":[]}', b'{"model":"a","model":"b"}',
            b'{"model":"glm-4.6"}', b'{"model":"glm-4.6","messages":[]}',
            b'{"model":"glm-4.6","messages":"x"}',
            b'{"model":1,"messages":[{"role":"user","content":"x"}]}',
            b"[" * 100000, b'{"a":' * 100000,
            b'{"a":' + b"[" * 513 + b"]" * 513 + b"}",
        )
        for client, path in self.ROUTES:
            for body in bodies:
                with self.subTest(path=path, body=body[:40]):
                    r = self.proxy.post(path, body)
                    self.refused(client, r, 400, "invalid_request_error")

    def test_depth_allowed(self):
        deep = b"[" * 500 + b"]" * 500
        body = (b'{"model":"glm-4.6","max_tokens":9,"messages":[{"role":'
                b'"user","content":"x"}],"metadata":{},"x":' + deep + b"}")
        r = self.proxy.post("/v1/messages", body)
        self.assertEqual(r.status, 200, r)

    def test_param_is_named(self):
        rows = (({"max_tokens": 0}, "max_tokens"),
                ({"temperature": 3}, "temperature"),
                ({"n": 2}, "n"), ({"stop": list("abcde")}, "stop"),
                ({"max_tokens": "100"}, "max_tokens"),
                ({"max_tokens": 100.5}, "max_tokens"))
        for more, param in rows:
            body = DIALECTS["O"].body(user("x"), **more)
            a = self.refused("O", self.proxy.post(
                "/v1/chat/completions", body), 400, "invalid_request_error")
            self.assertEqual(a.error["param"], param)

    def test_messages_ranges(self):
        for more in ({"temperature": 1.7}, {"max_tokens": "1"},
                     {"thinking": 3}, {"system": 5}):
            body = DIALECTS["A"].body(user("x"), **more)
            self.refused("A", self.proxy.post("/v1/messages", body), 400,
                         "invalid_request_error")

    def test_missing_key(self):
        for client, path in self.ROUTES:
            for fields in ((), [("Authorization", "Bearer")],
                           [("Authorization", "Bearer ")],
                           [("x-api-key", "")]):
                with self.subTest(path=path, fields=fields):
                    r = self.proxy.post(path, {"model": "x"}, fields, None)
                    self.refused(client, r, 401, code="invalid_api_key")

    def test_unknown_routes(self):
        for path in ("/v1/completions", "/v1/embeddings", "/v2/x", "/x",
                     "/v1/messages/batches", "/v1/chat/completions/x",
                     "/v1/chat/completions/", "/V1/messages"):
            with self.subTest(path=path):
                self.refused("O", self.proxy.post(path, {}), 404,
                             "invalid_request_error", "unknown_url")
                self.refused("A", self.proxy.post(
                    path, {}, [("anthropic-version", "2023-06-01")]), 404,
                    "not_found_error")
                self.refused("A", self.proxy.post(
                    path, {}, [("x-api-key", "k")]), 404, "not_found_error")

    def test_methods(self):
        for client, path in self.ROUTES:
            for method in ("GET", "PUT", "DELETE", "PATCH"):
                with self.subTest(path=path, method=method):
                    r = self.proxy.get(path, method=method)
                    self.refused(client, r, 405, "invalid_request_error",
                                 "method_not_allowed")
                    self.assertEqual(r.get("allow"), "POST")
        for path in ("/v1/models", "/health", "/"):
            r = self.proxy.post(path, {})
            self.refused("O", r, 405)
            self.assertEqual(r.get("allow"), "GET, HEAD")

    def test_media_types(self):
        body = json.dumps(DIALECTS["O"].body(user("x"))).encode()
        for kind in ("application/json", "Application/JSON",
                     "application/json; charset=utf-8",
                     "application/json;x=y"):
            r = self.proxy.post("/v1/chat/completions", body,
                                [("Content-Type", kind)])
            self.assertEqual(r.status, 200, kind)
        with self.proxy.connect() as c:
            c.request("POST", "/v1/chat/completions",
                      [("Authorization", "Bearer k")], body)
            self.assertEqual(c.response().status, 200)

    def test_wrong_media_types(self):
        for client, path in self.ROUTES:
            for kind in ("text/plain", "application/x-www-form-urlencoded",
                         "application/jsonx", "multipart/form-data"):
                r = self.proxy.post(path, b"{}", [("Content-Type", kind)])
                self.refused(client, r, 400)
            for coding in ("br", "zstd", "gzip, gzip", "x"):
                r = self.proxy.post(path, b"{}",
                                    [("Content-Encoding", coding)])
                self.refused(client, r, 415)

    def test_compressed_bodies(self):
        body = json.dumps(DIALECTS["O"].body(user("packed"))).encode()
        for coding in ("gzip", "x-gzip"):
            r = self.proxy.post("/v1/chat/completions", gzip.compress(body),
                                [("Content-Encoding", coding)])
            self.assertEqual(r.status, 200, r)
            self.assertIn(b"You said: packed", r.body)

    def test_damaged_compressed_bodies(self):
        body = gzip.compress(json.dumps(
            DIALECTS["O"].body(user("x" * 1000))).encode())
        for bad in (body[:40], body[:-3], b"no gzip", body + b"more",
                    body[:30] + b"\0\0\0\0" + body[34:]):
            r = self.proxy.post("/v1/chat/completions", bad,
                                [("Content-Encoding", "gzip")])
            self.refused("O", r, 400)

    def test_compression_bomb(self):
        bomb = gzip.compress(b" " * (64 << 20))
        r = self.proxy.post("/v1/chat/completions", bomb,
                            [("Content-Encoding", "gzip")])
        self.refused("O", r, 413, code="request_too_large")

    def test_too_large(self):
        for client, path in self.ROUTES:
            with self.proxy.connect() as c:
                c.send(b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                       b"application/json\r\nAuthorization: Bearer k\r\n"
                       b"Content-Length: 1048577\r\n\r\n" % path.encode())
                r = c.response()
                self.assertEqual(r.get("connection"), "close")
                self.refused(client, r, 413)

    def test_too_large_by_chunks(self):
        with self.proxy.connect() as c:
            c.request("POST", "/v1/messages", post_fields(
                [("Transfer-Encoding", "chunked")]))
            try:
                for _ in range(300):
                    c.send(b"1000\r\n" + b" " * 4096 + b"\r\n")
            except OSError:
                pass  # the refusal came first
            self.refused("A", c.response(), 413)

    def test_largest_allowed(self):
        body = DIALECTS["A"].body(user("x"))
        raw = json.dumps(body).encode()
        raw = raw[:-1] + b" " * ((1 << 20) - len(raw)) + b"}"
        self.assertEqual(len(raw), 1 << 20)
        r = self.proxy.post("/v1/messages", raw)
        self.assertEqual(r.status, 200, r)

    def test_large_head(self):
        for fields in ([("X-Big", "x" * 70000)],
                       [("X-%d" % i, "y" * 600) for i in range(120)],
                       [("X-%d" % i, "") for i in range(200)]):
            r = self.proxy.get("/v1/models", fields)
            self.assertEqual(r.status, 431)
            self.assertEqual(r.get("connection"), "close")
            DIALECTS["O"].read_body(r)


class SlowClients(ErrorCase):
    config = {"client_header_timeout_s": "3", "client_body_timeout_s": "3",
              "keepalive_timeout_s": "3"}

    # row_016
    def test_slow_requests(self):
        """All at once, to wait once: a head and a body that never end, an
        idle connection, one that never speaks."""
        head = (b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\n"
                b"Content-Type: application/json\r\nx-api-key: k\r\n")
        conns = [self.proxy.connect() for _ in range(4)]
        for c in conns:
            self.addCleanup(c.close)
        slow_head, slow_body, idle, silent = conns
        slow_head.send(head)
        slow_body.send(head + b"Content-Length: 100\r\n\r\n{")
        idle.request("GET", "/health")
        self.assertEqual(idle.response().status, 200)
        for c, client in ((slow_head, None), (slow_body, "A")):
            r = c.response()
            self.assertEqual(r.status, 408)
            self.assertIsNone(r.get("x-should-retry"))
            self.assertEqual(r.get("connection"), "close")
            self.assertEqual(c.ends(), b"")
            if client is not None:
                a = DIALECTS[client].read_body(r)
                self.assertEqual(a.error["type"], "timeout_error")
        self.assertEqual(idle.ends(), b"")
        self.assertEqual(silent.ends(), b"")

    def test_silent_reader_of_a_stream(self):
        """client_write_timeout_s is at its least and still long: only that
        a slow reader is served in the end."""
        with self.proxy.connect(rcvbuf=4096) as c:
            body = DIALECTS["O"].body(user("[[big bytes=2000000]]"),
                                      stream=True)
            c.request("POST", "/v1/chat/completions", post_fields(),
                      json.dumps(body).encode())
            head = c.read_head()
            total = sum(len(e.data) for e in wire.sse(c.pieces(head)))
            self.assertGreater(total, 2000000)


if __name__ == "__main__":
    unittest.main()

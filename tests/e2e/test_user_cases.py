# SPDX-License-Identifier: MIT
"""What users of other proxies suffer from and no other test proves: a name
holds the number of its case."""

import json
import threading
import unittest

from tests.e2e import wire
from tests.e2e.chat import DIALECTS, ask, user
from tests.e2e.harness import DEADLINE_S, Case, as_bytes, post_fields

COUNT = "/v1/messages/count_tokens?beta=true"


class UserCases(Case):
    def body(self, text="hello", **more):
        return dict({"model": "glm-4.6", "messages": [
            {"role": "user", "content": text}]}, **more)

    def test_t09_count_that_fails_harms_nothing_else(self):
        """The estimate is told, and the model is asked as before."""
        self.expect_log(r"upstream: ")
        for _ in range(5):
            self.standin.play_next("error shape=F6 status=404")
            r = self.proxy.post(COUNT, self.body("word " * 400))
            self.assertEqual(r.status, 200)
            self.assertGreater(r.json()["input_tokens"], 300)
            a = ask(self.proxy.address, "A", DIALECTS["A"].body(user("x")))
            self.assertEqual((a.status, a.text), (200, "You said: x"))
        self.assertEqual(self.proxy.get("/health").status, 200)

    def test_t10_fifty_counts_at_once(self):
        """From many connections, and none reaches upstream when told so."""
        proxy = self.own_proxy({"forward_count_to_upstream": "false"})
        body = as_bytes(self.body("x" * 4000))
        counts, start = [], threading.Barrier(50)

        def count():
            with wire.Conn(proxy.address) as c:
                start.wait(DEADLINE_S)
                c.request("POST", COUNT, post_fields(), body)
                counts.append(c.response().json()["input_tokens"])

        threads = [threading.Thread(target=count) for _ in range(50)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(len(counts), 50)
        self.assertEqual(len(set(counts)), 1)
        self.assertEqual(self.standin.count(), self.since)

    def test_t11_limits_are_published_for_both(self):
        """A list for one dialect has the other's members too, and what is
        published is the window that overflow errors speak of."""
        models = {m["id"]: m for m in
                  self.proxy.get("/v1/models").json()["data"]}
        m = models["glm-4.6"]
        self.assertEqual((m["object"], m["type"]), ("model", "model"))
        self.assertEqual(m["max_input_tokens"], 202752)
        self.assertEqual(m["max_tokens"], 131072)
        self.expect_log(r"upstream: ")
        self.allow_refusals()
        self.standin.play_next("error code=1261 message=too%20long")
        a = ask(self.proxy.address, "O", DIALECTS["O"].body(user("x")))
        self.assertEqual(a.error["code"], "context_length_exceeded")
        self.assertIn(str(m["max_input_tokens"]), a.error["message"])

    def test_t15_the_cause_is_told(self):
        """Upstream's own text and code stand in the client's envelope."""
        self.expect_log(r"upstream: ")
        for client in "OA":
            for status, code in ((400, 1214), (500, 1234)):
                self.standin.play_next(
                    "error status=%d code=%d message=the%%20cause"
                    % (status, code))
                a = ask(self.proxy.address, client,
                        DIALECTS[client].body(user("x")))
                self.assertEqual(a.status, status)
                self.assertIn("the cause", a.error["message"])
                self.assertIn(str(code), a.error["message"])

    def test_t19_a_bare_parameter_error(self):
        """The log names what was sent and what was dropped, no values."""
        self.expect_log(r"upstream: refused, fields sent: ")
        self.allow_refusals()
        before = len(self.proxy.process.log())
        self.standin.play_next("error code=1210 message=Parameter%20error")
        a = ask(self.proxy.address, "O", DIALECTS["O"].body(
            user("a secret"), temperature=0.25, seed=7))
        self.assertEqual(a.status, 400)
        self.assertIn("1210", a.error["message"])
        line = self.proxy.process.wait_log(
            r"upstream: refused, fields sent: (.*)",
            after=before).group(1)
        self.assertIn("temperature,", line)
        self.assertIn("messages", line)
        self.assertIn("dropped:seed", line)
        self.assertNotIn("secret", line)
        self.assertNotIn("0.25", line)

    def test_t21_bodies_arrive_whole(self):
        """Whether their length was told or they came in chunks."""
        body = as_bytes(self.body("long \u4f60 " * 60000, max_tokens=10))
        for chunked in (False, True):
            fields = post_fields()
            data = body
            if chunked:
                fields.append(("Transfer-Encoding", "chunked"))
                data = b"".join(
                    b"%x\r\n%s\r\n" % (len(p), p) for p in
                    (body[i:i + 7001] for i in range(0, len(body), 7001)))
                data += b"0\r\n\r\n"
            with self.proxy.connect() as c:
                self.post(c, fields, data, chunked)
                self.assertEqual(c.response().status, 200)
            r = self.sent()
            self.assertEqual(r["body"].encode(), body)
            self.assertEqual(int(r.header("content-length")), len(body))

    @staticmethod
    def post(c, fields, data, chunked):
        head = ["POST /v1/messages HTTP/1.1", "Host: localhost"]
        head += ["%s: %s" % f for f in fields]
        if not chunked:
            head.append("Content-Length: %d" % len(data))
        c.send("\r\n".join(head).encode() + b"\r\n\r\n" + data)

    def test_t56_cut_streams_are_not_complete(self):
        """In every pair, wherever it is cut."""
        self.expect_log(r"upstream: ")
        for client in "OA":
            for suffix in ("-openai", "-anthropic"):
                a = ask(self.proxy.address, client, DIALECTS[client].body(
                    user("[[cut at=3 words=50 per=1]]"), stream=True,
                    model="glm-4.6" + suffix))
                self.assertIsNotNone(a.error)
                self.assertFalse(a.ended)

    def test_t61_streams_are_never_compressed(self):
        """Neither asked for nor sent, whatever the client takes."""
        for client in "OA":
            a = ask(self.proxy.address, client, DIALECTS[client].body(
                user("x"), stream=True),
                [("Accept-Encoding", "gzip, br, zstd")])
            self.assertEqual(a.status, 200)
            self.assertIsNone(a.get("content-encoding"))
            self.assertIn("no-transform", a.get("cache-control"))
            self.assertEqual(self.sent().header("accept-encoding"),
                             "identity")

    def test_t64_what_agents_ask_beside(self):
        """Reports and probes are answered here, without a word in the log."""
        events = {"events": [{"event_data": {"x": "y" * 2000}}]}
        for path in ("/api/event_logging/batch",
                     "/api/event_logging/v2/batch"):
            r = self.proxy.post(path, events)
            self.assertEqual((r.status, r.body), (204, b""))
        self.assertEqual(self.proxy.get("/api/hello", method="HEAD").status,
                         200)
        r = self.proxy.get("/v1/models?limit=1000")
        self.assertEqual(r.status, 200)
        self.assertFalse(r.json()["has_more"])
        self.assertEqual(self.standin.count(), self.since)

    def test_t64_reports_leave_the_connection_good(self):
        with self.proxy.connect() as c:
            for _ in range(3):
                c.request("POST", "/api/event_logging/batch", post_fields(),
                          as_bytes({"events": []}))
                self.assertEqual(c.response().status, 204)
                c.request("POST", "/v1/messages", post_fields(), as_bytes(
                    DIALECTS["A"].body(user("x"))))
                self.assertEqual(
                    json.loads(c.response().body)["content"][0]["text"],
                    "You said: x")


if __name__ == "__main__":
    unittest.main()

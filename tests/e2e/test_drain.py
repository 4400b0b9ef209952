# SPDX-License-Identifier: MIT
"""Live requests when a worker leaves: in time they end as ever, afterwards with
an error that says so, and every one of them is counted."""

import contextlib
import json
import os
import signal
import unittest

from tests.e2e.chat import DIALECTS, user
from tests.e2e.harness import Case, as_bytes, post_fields, wait_until

# All have begun before the first has ended, and those end well in time, on
# a busy machine, too.
LIMIT_S = "8"
IN_TIME = "text words=30 per=1 delay=100"
TOO_LONG = "text words=400 per=1 delay=100"
PAIRS = [(c, u) for c in "OA" for u in ("-openai", "-anthropic")]


class Drain(Case):
    expected = (r"time is up: \d+ connections are cut",
                # After that it has a second to leave.
                r"worker \d \(pid \d+\) has not left in time")

    def begin(self, stack, service, client, upstream, scenario, stream):
        d = DIALECTS[client]
        body = d.body(user("[[%s]]" % scenario), stream=stream,
                      model="glm-4.6" + upstream)
        conn = stack.enter_context(service.connect())
        conn.request("POST", d.path, post_fields(), as_bytes(body))
        return conn

    def check_error(self, client, error):
        text = error["error"]
        self.assertIn("the proxy ends", text["message"])
        self.assertEqual(text["type"], "server_error" if client == "O" else
                         "overloaded_error")

    def check_whole(self, conn, client):
        head = conn.read_head()
        self.assertEqual(head.status, 200)
        last = list(conn.events(head))[-1]
        if client == "A":
            self.assertEqual(last.name, "message_stop")
        else:
            self.assertEqual(last.data, "[DONE]")

    def check_cut(self, conn, client):
        head = conn.read_head()
        self.assertEqual(head.status, 200)
        events = list(conn.events(head))
        self.assertGreater(len(events), 3)
        if client == "A":
            self.assertEqual(events[-1].name, "error")
        self.check_error(client, events[-1].json())

    def check_refused(self, conn, client):
        head = conn.read_head()
        self.assertEqual(head.status, 503 if client == "O" else 529)
        self.assertEqual(head.get("retry-after"), "1")
        raw = b"".join(conn.pieces(head))
        self.check_error(client, json.loads(raw))

    def check_leaving(self, service, sign):
        """What becomes of requests of each kind at this signal."""
        before = self.standin.count()
        with contextlib.ExitStack() as stack:
            # The short ones last: all are looked for while they run.
            cut, refused, whole = ([
                (self.begin(stack, service, c, u, scenario, stream), c)
                for c, u in PAIRS]
                for scenario, stream in ((TOO_LONG, True), ("no_head", False),
                                         (IN_TIME, True)))
            wait_until(lambda: service.sum("glmproxy_streams") == 8 and
                       self.standin.count() == before + 12,
                       "eight streams, and all requests upstream")
            os.kill(service.pid, sign)
            for check, conns in ((self.check_whole, whole),
                                 (self.check_cut, cut),
                                 (self.check_refused, refused)):
                for conn, client in conns:
                    with self.subTest(client=client, check=check.__name__):
                        check(conn, client)

    def test_reload(self):
        service = self.own_proxy({"workers": "1", "retries": "3",
                                  "drain_timeout_s": LIMIT_S})
        self.check_leaving(service, signal.SIGHUP)

        def figures():
            m = service.metrics()
            return (m.get("glmproxy_streams_broken_total"),
                    m.get("glmproxy_cancelled_total"),
                    service.sum("glmproxy_history_records_stored_total"))

        wait_until(lambda: figures()[2] == 12, "records of all")
        self.assertEqual(figures(), (4, 0, 12))

    def test_stop(self):
        service = self.own_proxy({"workers": "1",
                                  "stop_timeout_s": LIMIT_S})
        self.check_leaving(service, signal.SIGTERM)
        service.process.popen.wait(30)


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: MIT
"""Signs of life for waiting clients: one wait of a heartbeat for all."""

import threading
import time
import unittest

from tests.e2e.chat import DIALECTS, user
from tests.e2e.harness import Case, as_bytes, post_fields

HEARTBEAT_S = 15.0  # SESSION_HEARTBEAT_MS
LIMIT_S = HEARTBEAT_S + 4
LATE_S = 3  # on a busy machine


class Heartbeats(Case):
    # Silence ends soon after the first sign of life: it resets no limit.
    config = {"request_timeout_s": str(LIMIT_S),
              "stream_timeout_s": str(LIMIT_S)}
    expected = (r"upstream: .*",)

    def wait_for(self, client, upstream, scenario, stream=True):
        """Everything that comes: (seconds, what) each, and the status."""
        d = DIALECTS[client]
        body = d.body(user("[[%s]]" % scenario), stream=stream,
                      model="glm-4.6" + upstream)
        got = []
        with self.proxy.connect(timeout=LIMIT_S + 10) as c:
            begin = time.monotonic()
            c.request("POST", d.path, post_fields(), as_bytes(body))
            head = c.read_head()
            got.append((time.monotonic() - begin, head.status))
            if stream and head.status == 200:
                for e in c.events(head):
                    got.append((e.at - begin, e))
            else:
                got.append((time.monotonic() - begin,
                            b"".join(c.pieces(head))))
        return got

    def check_at(self, at, expected):
        self.assertGreater(at, expected - 0.5)
        self.assertLess(at, expected + LATE_S)

    def check_silent_from_the_start(self, client, upstream):
        """Committed by the first sign of life, then told of the time-out."""
        got = self.wait_for(client, upstream, "no_head")
        at, status = got[0]
        self.assertEqual(status, 200)
        self.check_at(at, HEARTBEAT_S)
        self.assertEqual([e.name for _, e in got[1:-1]], [":"])
        self.check_time_out(client, got)

    def check_silent_inside(self, client, upstream):
        got = self.wait_for(client, upstream, "silent at=4 words=50 per=1")
        beats = [(t, e) for t, e in got[1:] if t > HEARTBEAT_S - 1]
        self.assertEqual(len(beats), 2, beats)
        at, e = beats[0]
        self.check_at(at, HEARTBEAT_S)
        self.assertEqual(e.name, "ping" if client == "A" else ":")
        self.check_time_out(client, got)

    def check_time_out(self, client, got):
        at, last = got[-1]
        self.check_at(at, LIMIT_S)
        error = last.json()["error"]
        if client == "A":
            self.assertEqual(last.name, "error")
            self.assertEqual(error["type"], "timeout_error")
        else:
            self.assertEqual(error["code"], "upstream_timeout")

    def check_unstreamed(self, client):
        got = self.wait_for(client, "-anthropic", "no_head", False)
        self.assertEqual(got[0][1], 504)
        self.check_at(got[0][0], LIMIT_S)

    def test_all(self):
        jobs = [(self.check_unstreamed, (c,)) for c in "OA"]
        for client in "OA":
            for upstream in ("-openai", "-anthropic"):
                jobs += [(self.check_silent_from_the_start,
                          (client, upstream)),
                         (self.check_silent_inside, (client, upstream))]
        failures = []

        def run(job, args):
            try:
                job(*args)
            except BaseException as err:  # noqa: B902
                failures.append((job.__name__, args, err))

        threads = [threading.Thread(target=run, args=j) for j in jobs]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(failures, [])
        self.assertGreaterEqual(
            self.proxy.metrics()["glmproxy_heartbeats_total"], 8)


if __name__ == "__main__":
    unittest.main()

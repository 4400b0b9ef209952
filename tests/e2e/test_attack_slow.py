# SPDX-License-Identifier: MIT
"""Clients that take no bytes for a while, over plain upstreams and TLS."""

import socket
import unittest

from tests.e2e import wire
from tests.e2e.attack import AttackCase
from tests.e2e.harness import wait_until


class SlowCase(AttackCase):
    """Helpers; no tests."""

    def held_back(self, scenario):
        """A stream that upstream was stopped in."""
        conn = self.begin(text="[[%s]]" % scenario, rcvbuf=4096)
        head = conn.read_head()
        seen = []

        def still():
            seen.append(self.metric(
                'bytes_total{leg="upstream",direction="in"}'))
            return len(seen) > 20 and seen[-20] == seen[-1]

        wait_until(still, "upstream to be held back")
        return conn, head

    def rest(self, conn, head):
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        return [e.data for e in wire.sse(conn.pieces(head))]


class SlowReaders(SlowCase):
    """Clients that take no bytes for a while, then go on: TLS below."""

    def test_reads_on(self):
        conn, head = self.held_back("many n=60000")
        self.check_idle()
        got = self.rest(conn, head)
        self.assertEqual(sum(d.count('"content"') for d in got), 60001)
        self.assertEqual(got[-1], "[DONE]")
        conn.close()
        self.check_clean()

    def test_upstream_ends_meanwhile(self):
        """Its end is seen when the client reads on, not before."""
        self.expect_log(r"upstream: ")
        for fault in ("cut", "reset", "no_done"):
            with self.subTest(fault=fault):
                conn, head = self.held_back(
                    "many n=60000 fault=%s at=59990" % fault
                    if fault != "no_done" else "many n=20000 fault=no_done")
                self.check_idle()
                got = self.rest(conn, head)
                self.assertEqual(fault == "no_done", got[-1] == "[DONE]")
                conn.close()
        self.check_clean()


class SlowReadersTls(SlowReaders):
    tls = True


class StuckReaders(SlowCase):
    """Clients that never go on: the others need more time than these."""

    config = {"client_write_timeout_s": "4"}

    def test_stops_for_good(self):
        before = self.metric("cancelled_total")
        drops = self.metric('client_drops_total{reason="write"}')
        conn, _ = self.held_back("many n=60000")
        self.wait_metric("streams", 0)
        self.wait_metric("cancelled_total", before + 1)
        self.wait_metric('client_drops_total{reason="write"}', drops + 1)
        conn.close()
        self.check_clean()


class StuckReadersTls(StuckReaders):
    tls = True


if __name__ == "__main__":
    unittest.main()

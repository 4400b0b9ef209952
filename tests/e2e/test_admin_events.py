# SPDX-License-Identifier: MIT
"""/api/events: what those get who listen, how many they may be, and that a slow
one among them is dropped and holds nobody up."""

import json
import socket
import unittest

from tests.e2e import wire
from tests.e2e.harness import Proxy, wait_until
from tests.e2e.test_process import NOWHERE

ASK = b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Listener:
    """A connection that has asked for the events."""

    def __init__(self, address, **more):
        self.conn = wire.Conn(address, **more)
        self.conn.send(ASK)
        self.got = b""

    def read_until(self, what):
        while what not in self.got:
            more = self.conn.sock.recv(65536)
            if not more:
                raise AssertionError("the end behind %r" % self.got[-500:])
            self.got += more

    def head(self):
        self.read_until(b"\r\n\r\n")
        return self.got.partition(b"\r\n\r\n")[0]

    def events(self, n):
        """The first n events: (name, value)."""
        while self.got.count(b"\n\n") < n + 1:
            more = self.conn.sock.recv(65536)
            if not more:
                raise AssertionError("the end behind %r" % self.got[-500:])
            self.got += more
        found = []
        for block in self.got.partition(b"\r\n\r\n")[2].split(b"\n\n"):
            fields = dict(line.split(": ", 1)
                          for line in block.decode().split("\n") if line)
            if "event" in fields:
                found.append((fields["event"], json.loads(fields["data"])
                              if len(found) < n else None))
        return found[:n]

    def close(self):
        self.conn.close()


class Events(unittest.TestCase):
    config = {"client_write_timeout_s": "1"}

    @classmethod
    def setUpClass(cls):
        cls.proxy = Proxy(dict(NOWHERE, **cls.config))
        cls.addClassCleanup(cls.proxy.stop)

    def setUp(self):
        self.listeners = []
        self.addCleanup(self.proxy.check_log)
        self.addCleanup(lambda: [x.close() for x in self.listeners])

    def listen(self, **more):
        self.listeners.append(Listener(self.proxy.admin, **more))
        return self.listeners[-1]

    def admin_fds(self):
        """Connections that the admin process has: as the kernel sees it, also
        those that the other end has closed (08)."""
        port = int(self.proxy.admin.rpartition(":")[2])
        with open("/proc/net/tcp", encoding="ascii") as f:
            rows = [line.split() for line in f.readlines()[1:]]
        return sum(1 for r in rows if int(r[1].rpartition(":")[2], 16) == port
                   and r[3] in ("01", "08"))

    def test_overview_and_live_each_second(self):
        one = self.listen()
        head = one.head().decode().lower()
        self.assertIn("content-type: text/event-stream", head)
        self.assertIn("cache-control: no-store", head)
        self.assertIn("x-content-type-options: nosniff", head)
        self.assertNotIn("content-length", head)
        events = one.events(8)
        self.assertEqual([n for n, _ in events], ["overview", "live"] * 4)
        # The first comes at once, the second when it is due for everybody.
        times = [v["now_us"] for n, v in events if n == "overview"][1:]
        for a, b in zip(times, times[1:]):
            self.assertGreater(b - a, 500000)
            self.assertLess(b - a, 5000000)
        whole = wire.fetch(self.proxy.admin, "GET", "/api/overview").json()
        self.assertEqual(list(events[0][1]), list(whole))

    def test_all_get_the_same(self):
        some = [self.listen() for _ in range(3)]
        for one in some:
            one.events(2)
        # From here on all are there.
        starts = [len(one.got) for one in some]
        for one, start in zip(some, starts):
            one.got = one.got[start:]
            one.read_until(b"event: overview")
            one.read_until(b"event: live")

    def test_at_most_sixteen(self):
        def has_room():
            one = self.listen()
            if b" 200 " in one.head().split(b"\r\n")[0]:
                return True
            self.listeners.pop().close()
            return False

        # Those of the test before may not be forgotten yet.
        for _ in range(16):
            wait_until(has_room, "a place")
            self.listeners[-1].events(1)
        r = wire.fetch(self.proxy.admin, "GET", "/api/events")
        self.assertEqual(r.status, 503)
        self.assertIn("too many streams", r.json()["error"])
        # Others are served meanwhile.
        self.assertEqual(wire.fetch(
            self.proxy.admin, "GET", "/health").status, 200)
        self.listeners.pop().close()
        wait_until(has_room, "the place of the one that left")

    def test_who_leaves_is_forgotten(self):
        for reset in (False, True):
            one = self.listen()
            one.events(1)
            if reset:
                one.conn.reset()
            else:
                one.close()
        wait_until(lambda: self.admin_fds() == 0, "no connection")

    def test_half_closed_is_gone(self):
        one = self.listen()
        one.events(1)
        one.conn.fin()
        one.conn.sock.settimeout(10)
        while one.conn.sock.recv(65536):
            pass

    def test_slow_reader_is_dropped(self):
        slow = [self.listen(rcvbuf=1024) for _ in range(4)]
        quick = self.listen()
        quick.events(2)
        port = {x.conn.sock.getsockname()[1] for x in slow}

        def dropped():
            # It reads all the time, and gets every event.
            quick.conn.sock.settimeout(10)
            quick.got += quick.conn.sock.recv(65536)
            with open("/proc/net/tcp", encoding="ascii") as f:
                rows = [line.split() for line in f.readlines()[1:]]
            return not any(int(r[2].rpartition(":")[2], 16) in port and
                           r[3] == "01" for r in rows)
        wait_until(dropped, "the end of those that do not read", 120)
        n = quick.got.count(b"event: overview")
        self.assertGreater(n, 3)

    def test_no_query_below_and_bytes_behind(self):
        one = self.listen()
        one.events(1)
        one.conn.send(ASK)  # nobody looks at it
        one.events(3)

    def test_ends_with_the_service(self):
        proxy = Proxy(dict(NOWHERE))
        one = Listener(proxy.admin)
        one.events(1)
        proxy.stop()
        one.conn.sock.settimeout(10)
        try:
            while one.conn.sock.recv(65536):
                pass
        except ConnectionResetError:
            pass
        except socket.timeout:
            self.fail("the stream goes on")
        one.close()


if __name__ == "__main__":
    unittest.main()

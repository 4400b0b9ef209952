# SPDX-License-Identifier: MIT
"""cluster_load.py - clients of a cluster: many keys, both dialects, streamed
and not, new connections and kept ones; every request is written down."""

import json
import random
import threading
import time

from tests.e2e import wire

KEYS = 24
THREADS = 16
TIMEOUT_S = 20.0


class Request:
    """begin and end are monotonic seconds; node is the name that the answer's
    head gave, None if no head came; why is None for a complete answer."""

    def __init__(self, key):
        self.key = key
        self.begin = time.monotonic()
        self.end = None
        self.node = None
        self.why = None

    def __repr__(self):
        return "<%s node=%s %.2f-%.2f %s>" % (
            self.key, self.node, self.begin, self.end or 0, self.why)


def chat_body(dialect, streamed):
    text = "[[many n=15 delay=40]]" if streamed else "[[text words=5]]"
    body = {"model": "glm-4.6", "stream": streamed,
            "messages": [{"role": "user", "content": text}]}
    if dialect == "A":
        body["max_tokens"] = 500
    return json.dumps(body).encode()


class Load:
    def __init__(self, address):
        self.address = address
        self.done = []
        self.live = set()
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(i,))
                        for i in range(THREADS)]

    def start(self):
        for t in self.threads:
            t.start()

    def stop(self):
        self.stopping.set()
        for t in self.threads:
            t.join()

    def since(self, begin, end=None):
        """The requests that began in this time."""
        with self.lock:
            return [r for r in self.done if r.begin >= begin
                    and (end is None or r.begin < end)]

    def flying_on(self, node):
        """How many streams of this node are under way."""
        with self.lock:
            return sum(r.node == node for r in self.live)

    def has_ended(self, begin, end):
        """Whether all that began in this time is over."""
        with self.lock:
            return not any(begin <= r.begin < end for r in self.live)

    def _run(self, number):
        chance = random.Random(number)
        keeps = number % 2 == 0
        conn = None
        while not self.stopping.is_set():
            key = "key-%d.1" % chance.randrange(KEYS)
            dialect = chance.choice("OA")
            streamed = chance.random() < 0.7
            r = Request(key)
            with self.lock:
                self.live.add(r)
            try:
                if conn is None:
                    conn = wire.Conn(self.address, TIMEOUT_S)
                if not self._ask(conn, r, dialect, streamed, keeps):
                    conn.close()
                    conn = None
            except (OSError, ValueError, wire.WireError) as err:
                r.why = "%s: %s" % (type(err).__name__, str(err)[:100])
                if conn is not None:
                    conn.close()
                conn = None
            r.end = time.monotonic()
            with self.lock:
                self.live.remove(r)
                self.done.append(r)
        if conn is not None:
            conn.close()

    def _ask(self, conn, r, dialect, streamed, keeps):
        """True if the connection can be used again."""
        path = "/v1/messages" if dialect == "A" else "/v1/chat/completions"
        fields = [("Content-Type", "application/json"),
                  ("x-api-key", r.key) if dialect == "A"
                  else ("Authorization", "Bearer " + r.key)]
        if not keeps:
            fields.append(("Connection", "close"))
        conn.request("POST", path, fields, chat_body(dialect, streamed))
        head = conn.read_head()
        r.node = head.get("x-glmproxy-node")
        body = b"".join(conn.pieces(head))
        if head.status != 200:
            r.why = "status %d: %r" % (head.status, body[:200])
        elif streamed:
            end = b"event: message_stop" if dialect == "A" else b"data: [DONE]"
            if end not in body:
                r.why = "no end of the stream in %d bytes" % len(body)
        else:
            json.loads(body)
            if b"word5" not in body:
                r.why = "no answer in %r" % body[:200]
        return keeps and head.get("connection", "") != "close"

# SPDX-License-Identifier: MIT
"""wire.py - HTTP and Server-Sent Events as bytes on a socket.

Strict on purpose: what a lenient client would forgive is a failed test. Every
read has a deadline.
"""

import json
import socket
import struct
import time

TIMEOUT_S = 30.0


class WireError(Exception):
    """The peer broke the rules of HTTP or of an event stream."""


class Cut(WireError):
    """The connection ended before the message did; .got is what came."""

    def __init__(self, what, got=b""):
        super().__init__("%s after %d bytes" % (what, len(got)))
        self.got = got


class Head:
    """The first line and the fields of an answer."""

    def __init__(self, raw):
        lines = raw.decode("latin-1").split("\r\n")
        parts = lines[0].split(" ", 2)
        if len(parts) < 2 or not parts[0].startswith("HTTP/1."):
            raise WireError("status line %r" % lines[0])
        if any("\n" in line or "\r" in line for line in lines):
            raise WireError("a bare CR or LF in the head")
        self.raw = raw
        self.version = parts[0]
        self.status = int(parts[1])
        self.fields = []
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if not colon or not name or name != name.strip():
                raise WireError("field %r" % line)
            self.fields.append((name.lower(), value.strip()))

    def get(self, name, default=None):
        values = [v for n, v in self.fields if n == name.lower()]
        if len(values) > 1:
            raise WireError("field %s came %d times" % (name, len(values)))
        return values[0] if values else default


class Response:
    """A whole answer."""

    def __init__(self, head, body, interim=()):
        self.head = head
        self.status = head.status
        self.body = body
        self.interim = list(interim)

    def get(self, name, default=None):
        return self.head.get(name, default)

    def json(self):
        return json.loads(self.body.decode("utf-8"))

    def __repr__(self):
        return "<%d %r>" % (self.status, self.body[:400])


class Event:
    """One Server-Sent Event: its name (None if unsaid), data, and when its
    last byte was read (monotonic seconds)."""

    def __init__(self, name, data, at):
        self.name = name
        self.data = data
        self.at = at

    def json(self):
        return json.loads(self.data)

    def __repr__(self):
        return "<%s %s>" % (self.name, self.data[:200])


def address_of(text):
    """("127.0.0.1", 80) of "127.0.0.1:80"; a path for unix sockets."""
    if text.startswith("/") or text.startswith("unix:"):
        return text.replace("unix:", "", 1)
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


class Conn:
    """One client connection."""

    def __init__(self, address, timeout=TIMEOUT_S, rcvbuf=None):
        address = address_of(address) if isinstance(address, str) else address
        is_unix = isinstance(address, str)
        family = socket.AF_UNIX if is_unix else (
            socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
        self.address = address
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        if rcvbuf is not None:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.sock.settimeout(timeout)
        try:
            self.sock.connect(address)
        except OSError:
            self.sock.close()
            raise
        if not is_unix:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buf = b""
        self.is_eof = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def reset(self):
        """Leave by RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                             struct.pack("ii", 1, 0))
        self.sock.close()

    def fin(self):
        """Close our direction only."""
        self.sock.shutdown(socket.SHUT_WR)

    # --- sending -----------------------------------------------------------

    def send(self, data):
        self.sock.sendall(data)

    def host(self):
        if isinstance(self.address, str):
            return "localhost"
        host, port = self.address[:2]
        return "[%s]:%d" % (host, port) if ":" in host else (
            "%s:%d" % (host, port))

    def request(self, method, path, fields=(), body=None):
        """Send a request; fields is a list of pairs. Host and content-length
        are added unless they are there."""
        fields = list(fields)
        names = {n.lower() for n, _ in fields}
        if "host" not in names:
            fields.insert(0, ("Host", self.host()))
        if (body is not None and "content-length" not in names
                and "transfer-encoding" not in names):
            fields.append(("Content-Length", str(len(body))))
        head = "%s %s HTTP/1.1\r\n" % (method, path)
        head += "".join("%s: %s\r\n" % pair for pair in fields) + "\r\n"
        self.send(head.encode("latin-1") + (body or b""))

    # --- receiving ---------------------------------------------------------

    def more(self, n=65536):
        """Read what is there into buf; False at the end."""
        if self.is_eof:
            return False
        try:
            data = self.sock.recv(n)
        except socket.timeout:
            raise TimeoutError("nothing came; so far %r" % self.buf[-500:])
        except ConnectionError as err:
            raise Cut("%s" % err, self.buf)
        self.buf += data
        self.is_eof = not data
        return bool(data)

    def read_until(self, mark):
        while mark not in self.buf:
            if not self.more():
                raise Cut("end of connection before %r" % mark, self.buf)
        before, _, self.buf = self.buf.partition(mark)
        return before

    def read_exactly(self, n):
        while len(self.buf) < n:
            if not self.more():
                raise Cut("end of connection, %d bytes wanted" % n, self.buf)
        data, self.buf = self.buf[:n], self.buf[n:]
        return data

    def read_head(self):
        return Head(self.read_until(b"\r\n\r\n"))

    def pieces(self, head, method="POST"):
        """The parts of the body as they come."""
        length = head.get("content-length")
        coding = head.get("transfer-encoding")
        if length is not None and coding is not None:
            raise WireError("content-length and transfer-encoding")
        if method == "HEAD" or head.status in (204, 304):
            return
        if coding is not None:
            if coding != "chunked":
                raise WireError("transfer-encoding %s" % coding)
            yield from self._chunks()
        elif length is not None:
            left = int(length)
            while left > 0:
                if not self.buf and not self.more():
                    raise Cut("body cut, %d bytes missing" % left)
                data, self.buf = self.buf[:left], self.buf[left:]
                left -= len(data)
                yield data
        else:
            while self.buf or self.more():
                data, self.buf = self.buf, b""
                yield data

    def _chunks(self):
        while True:
            line = self.read_until(b"\r\n")
            size = int(line, 16)
            if size == 0:
                if self.read_until(b"\r\n") != b"":
                    raise WireError("trailers")
                return
            data = self.read_exactly(size)
            if self.read_exactly(2) != b"\r\n":
                raise WireError("chunk without CRLF")
            yield data

    def response(self, method="POST"):
        """The next whole answer; interim ones are kept beside it."""
        interim = []
        head = self.read_head()
        while head.status // 100 == 1:
            interim.append(head)
            head = self.read_head()
        got = b""
        try:
            for piece in self.pieces(head, method):
                got += piece
        except Cut as err:
            err.got = got
            raise
        return Response(head, got, interim)

    def events(self, head):
        """The events of an answer whose head has been read."""
        if not head.get("content-type", "").startswith("text/event-stream"):
            raise WireError("no event stream but %s" % head.fields)
        return sse(self.pieces(head))

    def ends(self):
        """Wait for the end of the connection; the bytes before it."""
        try:
            while self.more():
                pass
        except Cut:
            pass
        rest, self.buf = self.buf, b""
        return rest


def sse(pieces):
    """Events out of parts of a body. Comments are events named ":"."""
    buf = b""
    for piece in pieces:
        buf += piece
        at = time.monotonic()
        while b"\n\n" in buf:
            block, _, buf = buf.partition(b"\n\n")
            yield _event(block, at)
    if buf:
        raise WireError("the stream ends inside an event: %r" % buf)


def _event(block, at):
    name, data = None, []
    for line in block.decode("utf-8").split("\n"):
        if line.startswith(":"):
            return Event(":", line[1:].strip(), at)
        field, _, value = line.partition(": ")
        if field == "event" and name is None:
            name = value
        elif field == "data":
            data.append(value)
        else:
            raise WireError("line %r in a stream" % line)
    if len(data) != 1:
        raise WireError("an event of %d data lines" % len(data))
    return Event(name, data[0], at)


def fetch(address, method, path, fields=(), body=None, timeout=TIMEOUT_S):
    """One request on a connection of its own."""
    with Conn(address, timeout) as conn:
        conn.request(method, path, fields, body)
        return conn.response(method)

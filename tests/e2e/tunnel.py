# SPDX-License-Identifier: MIT
"""tunnel.py - small servers between the proxy and the stand-in."""

import socket
import threading


class Server:
    """Accepts connections on a port of its own, one thread each."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.connections = []
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(sock)
            threading.Thread(target=self._serve, args=(sock,),
                             daemon=True).start()

    def _serve(self, sock):
        try:
            self.serve(sock)
        except OSError:
            pass
        finally:
            sock.close()

    def serve(self, sock):
        raise NotImplementedError

    def close(self):
        for sock in [self.listener] + self.connections:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()


def read_head(sock):
    data = b""
    while b"\r\n\r\n" not in data:
        more = sock.recv(1)
        if not more:
            return data
        data += more
    return data


def read_request(sock):
    """A head and the body that its content-length announces."""
    head = read_head(sock)
    left = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            left = int(line.partition(b":")[2])
    while left > 0:
        more = sock.recv(left)
        if not more:
            break
        left -= len(more)
    return head


def relay(one, other):
    """Both directions until one ends."""
    def copy(source, sink):
        try:
            while True:
                data = source.recv(65536)
                if not data:
                    break
                sink.sendall(data)
        except OSError:
            pass
        for s in (source, sink):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    thread = threading.Thread(target=copy, args=(other, one), daemon=True)
    thread.start()
    copy(one, other)
    thread.join()


class ConnectProxy(Server):
    """An HTTP proxy that knows CONNECT. answer: what it says instead of
    connecting, for faults."""

    def __init__(self, answer=None):
        self.heads = []
        self.answer = answer
        super().__init__()

    def serve(self, sock):
        head = read_head(sock).decode("latin-1")
        self.heads.append(head)
        if self.answer is not None:
            sock.sendall(self.answer)
            return
        port = head.split(" ")[1].rpartition(":")[2]
        with socket.create_connection(("127.0.0.1", int(port))) as upstream:
            sock.sendall(b"HTTP/1.1 200 Connection established\r\n"
                         b"via: test\r\n\r\n")
            relay(sock, upstream)


class Says(Server):
    """Reads a request and answers fixed bytes; None: says nothing."""

    def __init__(self, answer):
        self.answer = answer
        self.heads = []
        super().__init__()

    def serve(self, sock):
        self.heads.append(read_request(sock))
        if self.answer is not None:
            sock.sendall(self.answer)
            return
        while sock.recv(65536):
            pass

"""A relay before a server that looks at each message of the server's and spoils some: it drops, doubles, changes or
delays them, ends connections, and forgets CancelRequests. Plaintext only."""

from __future__ import annotations

import select
import socket
import struct
import threading
import time

from harness.fakeserver import read_exactly, reset

_CANCEL = 80877102


class Link:
    """One connection through the relay, as a spoiler sees it. One thread serves both directions: while a spoiler
    sleeps, nothing passes."""

    def __init__(self, client: socket.socket, server: socket.socket, spoil):
        self.client, self.server = client, server
        self.seen = 0  # messages of the type that the spoiler looks for
        self._spoil = spoil
        self._answers = b""  # a message that is not complete yet

    def cut(self) -> None:
        """FIN to the client, in the middle of whatever it was told."""
        raise EOFError

    def reset(self) -> None:
        reset(self.client)
        raise EOFError

    def serve(self) -> None:
        while True:
            ready, _, _ = select.select([self.client, self.server], [], [])
            if self.client in ready:
                data = self.client.recv(65536)
                if not data:
                    return
                self.server.sendall(data)
            if self.server in ready:
                data = self.server.recv(65536)
                if not data:
                    return
                self._answer(data)

    def _answer(self, data: bytes) -> None:
        self._answers += data
        whole, at = [], 0
        while len(self._answers) >= at + 5:
            size = 1 + struct.unpack("!i", self._answers[at + 1:at + 5])[0]
            if len(self._answers) < at + size:
                break
            whole.append(self._answers[at:at + size])
            at += size
        self._answers = self._answers[at:]
        for message in whole:
            self.client.sendall(self._spoil(chr(message[0]), message, self))


class FaultyRelay:
    """`spoil(type, message, link)` answers what the client gets in place of a message of the server's: bytes."""

    def __init__(self, server_port: int, spoil=None, *, cancels: bool = True):
        self._server_port = server_port
        self._spoil = spoil or (lambda _type, message, _link: message)
        self._cancels = cancels
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> "FaultyRelay":
        return self

    def __exit__(self, *_):
        self.die()

    def die(self) -> None:
        """As a process that is killed: every connection ends, and nobody listens any more."""
        for each in [self._listener, *self._sockets]:
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        self._sockets.append(client)
        with client:
            try:
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                head = read_exactly(client, 8)
                size, code = struct.unpack("!ii", head)
                first = head + read_exactly(client, size - 8)
                if code == _CANCEL and not self._cancels:
                    return
                with socket.create_connection(("127.0.0.1", self._server_port)) as server:
                    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    server.sendall(first)
                    Link(client, server, self._spoil).serve()
            except (EOFError, OSError, ValueError):  # ValueError: select on what has been closed
                pass


# ---- spoilers ----


def every(count: int, of: str, spoil):
    """Spoils one message in `count` of that type on each connection."""
    def judge(kind: str, message: bytes, link: Link) -> bytes:
        if kind != of:
            return message
        link.seen += 1
        return spoil(message, link) if link.seen % count == 0 else message
    return judge


def drop(_message: bytes, _link: Link) -> bytes:
    return b""


def double(message: bytes, _link: Link) -> bytes:
    return message * 2


def cut(message: bytes, link: Link) -> bytes:
    link.client.sendall(message[:3])
    return link.cut()


def kill(_message: bytes, link: Link) -> bytes:
    return link.reset()


def delay(seconds: float):
    def wait(message: bytes, _link: Link) -> bytes:
        time.sleep(seconds)
        return message
    return wait


def change(old: bytes, new: bytes):
    """Of the same length, or the message is broken."""
    return lambda message, _link: message.replace(old, new, 1)


def other_client(message: bytes, _link: Link) -> bytes:
    """The row says that it is somebody else's: the first digit behind the run becomes another one."""
    at = message.index(b".", message.index(b"storm")) + 1
    return message[:at] + (b"9" if message[at:at + 1] != b"9" else b"8") + message[at + 1:]

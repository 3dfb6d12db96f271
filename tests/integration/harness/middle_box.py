"""A TCP relay before a server that does one thing wrong, as the middle boxes of docs/doctor.md do."""

from __future__ import annotations

import contextlib
import itertools
import select
import socket
import ssl
import struct
import threading
import time
from dataclasses import dataclass, field

SSL_REQUEST = struct.pack("!ii", 8, 80877103)
GSSENC_REQUEST = struct.pack("!ii", 8, 80877104)
CANCEL_CODE = struct.pack("!i", 80877102)
CLIENT_HELLO = b"\x16"  # of a TLS record
DELAYED_ACK = 0.04


@dataclass(frozen=True)
class Fault:
    """Nothing of it: a healthy relay."""
    ssl_answer: bytes | None = None          # what SSLRequest is answered with; b"" closes
    gssenc_answer: bytes | None = None       # the same for GSSENCRequest
    terminate: ssl.SSLContext | None = None  # expects a ClientHello as first bytes; the server's leg is plaintext
    end_tls: ssl.SSLContext | None = None    # answers SSLRequest itself; the server's leg is plaintext
    direct_tls: ssl.SSLContext | None = None  # ends TLS where a ClientHello comes first; passes SSLRequest on
    sniff: float = 0.0                       # seconds that a client which is silent at first has to wait
    delay: float = 0.0                       # seconds before anything is passed on
    slow_start: float = 0.0                  # seconds before the first bytes are passed on
    coalesce: bool = False                   # Nagle's algorithm against delayed acknowledgement, client to server
    swallow: int = 0                         # chunks of more bytes vanish, and all that follows in that direction
    drop_cancels: bool = False               # CancelRequests go nowhere
    send_proxy: bytes = b""                  # stands before the client's bytes
    expect_proxy: bool = False               # closes where no PROXY header comes first
    idle_cut: float = 0.0                    # seconds without bytes after which ...
    idle_how: str = "fin"                    # ... "fin", "rst" or "silence" follows
    keep_server: bool = False                # the server's leg stays open when the client is gone ...
    keep_busy: bool = False                  # ... or only until the server has said something more
    one_at_a_time: float = 0.0               # seconds that each new connection is worked on, while the others wait
    most: int = 0                            # connections at once; one more is closed without a word


@dataclass
class Pair:
    client: socket.socket
    server: socket.socket
    last: float = field(default_factory=time.monotonic)
    silent: bool = False
    dead: bool = False   # both ends are reset
    asked: bool = False  # the server has something to answer


def _reset(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


class MiddleBox:
    """`with MiddleBox([port, ...], Fault(...)) as relay:` and connect to `relay.port`. With several servers each
    connection goes to the next one."""

    def __init__(self, ports, fault: Fault = Fault(), *, host: str = "127.0.0.1", near: str = "127.0.0.1"):
        self._ports = itertools.cycle([ports] if isinstance(ports, int) else list(ports))
        self._host = host
        self.fault = fault
        self._listener = socket.create_server((near, 0), backlog=512)
        self.port = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._only_one = threading.Lock()
        self._open: set[socket.socket] = set()
        self._closing = False
        self._clients = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> "MiddleBox":
        return self

    def __exit__(self, *_):
        self._closing = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for each in self._open:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def lead_to(self, port: int) -> None:
        """New connections go there from now on; those that are open stay."""
        self._ports = itertools.cycle([port])

    def _accept(self) -> None:
        while not self._closing:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with self._lock:
            self._clients += 1
            over = self.fault.most and self._clients > self.fault.most
            self._open.add(client)
        try:
            if not over:
                self._relay(client)
        except (OSError, ssl.SSLError):
            pass
        finally:
            client.close()
            with self._lock:
                self._clients -= 1
                self._open.discard(client)

    def _relay(self, client: socket.socket) -> None:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        opened = self._open_client(client)
        if opened is None:
            return
        client, first = opened
        server = socket.create_connection((self._host, next(self._ports)), timeout=10)
        server.settimeout(None)
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._open.add(server)
        if self.fault.send_proxy + first:
            time.sleep(self.fault.slow_start)
            server.sendall(self.fault.send_proxy + first)
        pair = Pair(client, server)
        back = threading.Thread(target=self._pump, args=(pair, server, client, False), daemon=True)
        back.start()
        if self.fault.idle_cut:
            threading.Thread(target=self._watch_idle, args=(pair,), daemon=True).start()
        self._pump(pair, client, server, True)
        if self.fault.keep_busy and pair.asked:
            select.select([server], [], [])
        if not self.fault.keep_server:
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
        back.join()
        with self._lock:
            self._open.discard(server)
        server.close()

    def _open_client(self, client: socket.socket) -> tuple[socket.socket, bytes] | None:
        """The first words, where this relay has its own opinion of them: what to pass on, or nothing to close."""
        fault = self.fault
        if fault.sniff:
            client.settimeout(1.0)
            try:
                client.recv(1, socket.MSG_PEEK)
            except TimeoutError:
                time.sleep(fault.sniff)
            client.settimeout(None)
        if fault.one_at_a_time:
            with self._only_one:
                time.sleep(fault.one_at_a_time)
        if fault.direct_tls and client.recv(1, socket.MSG_PEEK) == CLIENT_HELLO:
            return fault.direct_tls.wrap_socket(client, server_side=True), b""
        if fault.terminate:
            return fault.terminate.wrap_socket(client, server_side=True), b""
        if fault.expect_proxy:
            return self._after_proxy_header(client)
        while True:
            if not self._reads_first_words():
                return client, b""
            first = client.recv(8)
            if first == GSSENC_REQUEST and fault.gssenc_answer is not None:
                if not fault.gssenc_answer:
                    return None
                client.sendall(fault.gssenc_answer)
                continue
            if first == SSL_REQUEST and fault.ssl_answer is not None:
                if not fault.ssl_answer:
                    return None
                client.sendall(fault.ssl_answer)
                continue
            if first == SSL_REQUEST and fault.end_tls:
                client.sendall(b"S")
                client = fault.end_tls.wrap_socket(client, server_side=True)
                first = client.recv(8)
            if fault.drop_cancels and first[4:8] == CANCEL_CODE:
                client.recv(4096)
                return None
            return client, first

    def _reads_first_words(self) -> bool:
        fault = self.fault
        return (fault.ssl_answer is not None or fault.gssenc_answer is not None or fault.drop_cancels or
                fault.end_tls is not None or fault.slow_start > 0)

    @staticmethod
    def _after_proxy_header(client: socket.socket) -> tuple[socket.socket, bytes] | None:
        data = b""
        while b"\r\n" not in data:
            part = client.recv(256)
            if not part or not (data + part).startswith(b"PROXY"[:len(data + part)]):
                return None
            data += part
        return client, data.split(b"\r\n", 1)[1]

    def _pump(self, pair: Pair, source: socket.socket, sink: socket.socket, from_client: bool) -> None:
        fault = self.fault
        held_until = 0.0
        try:
            while data := self._receive(pair, source):
                pair.last = time.monotonic()
                if fault.swallow and len(data) > fault.swallow or pair.silent:
                    pair.silent = True
                    continue
                if fault.delay:
                    time.sleep(fault.delay)
                if fault.coalesce and from_client:
                    # The small segment before this one is not acknowledged yet.
                    time.sleep(max(0.0, held_until - time.monotonic()))
                    held_until = time.monotonic() + DELAYED_ACK
                pair.asked = from_client
                sink.sendall(data)
        except OSError:
            pass
        if pair.dead:
            _reset(source)
        if pair.silent or pair.dead:
            return
        with contextlib.suppress(OSError):
            if from_client and (fault.keep_server or fault.keep_busy and pair.asked):
                return
            sink.shutdown(socket.SHUT_WR)

    @staticmethod
    def _receive(pair: Pair, source: socket.socket) -> bytes:
        """A socket that a thread waits in cannot be reset by another one."""
        while not (getattr(source, "pending", int)() or select.select([source], [], [], 0.1)[0]):
            if pair.dead:
                raise OSError
        return source.recv(65536)

    def _watch_idle(self, pair: Pair) -> None:
        while not self._closing:
            left = self.fault.idle_cut - (time.monotonic() - pair.last)
            if left > 0:
                time.sleep(min(left, 0.1))
                continue
            if self.fault.idle_how == "silence":
                pair.silent = True
            elif self.fault.idle_how == "rst":
                pair.dead = True
            else:
                for each in (pair.client, pair.server):
                    with contextlib.suppress(OSError):
                        each.shutdown(socket.SHUT_RDWR)
            return

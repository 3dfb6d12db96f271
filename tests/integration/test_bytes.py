"""G1, byte-exact: a recording client and a recording server around the gateway, and random traffic between them."""

from __future__ import annotations

import hashlib
import random
import select
import ssl
import struct
import threading
import time

import pytest

from harness.fakeserver import FakeServer
from harness.wire import RawClient, message, trusting

CLIENT_KINDS = "QPBDECSHFdcfp" + "\x01az~\xff"  # and some that PostgreSQL does not know
SERVER_KINDS = "RSKZTDCIEn123stNAGHWdcVvu" + "\x01bq\xfe"


def traffic(seed: int, kinds: str, total: int, largest: int = 200_000) -> bytes:
    """Well-framed messages of random types and sizes, at least `total` bytes of them."""
    dice = random.Random(seed)
    made = bytearray()
    while len(made) < total:
        size = dice.choice((0, 1, 3, dice.randrange(64), dice.randrange(4096), dice.randrange(largest)))
        made += dice.choice(kinds).encode("latin-1") + struct.pack("!i", size + 4) + dice.randbytes(size)
    return bytes(made)


def send_in_pieces(connection, data: bytes, seed: int, largest: int) -> None:
    dice = random.Random(seed)
    at = 0
    while at < len(data):
        size = dice.choice((1, 2, 5, dice.randrange(1, 64), dice.randrange(1, largest)))
        connection.sendall(data[at:at + size])
        at += size
        if dice.random() < 0.01:
            time.sleep(0.001)


def read_digest(receive, total: int, size: int = 65536, pause: float = 0.0) -> str:
    digest, seen = hashlib.sha256(), 0
    while seen < total:
        part = receive(min(size, total - seen))
        if not part:
            raise AssertionError(f"the stream ended after {seen} of {total} bytes")
        digest.update(part)
        seen += len(part)
        if pause:
            time.sleep(pause)
    return digest.hexdigest()


class Shared:
    """A TLS socket that one thread reads while another writes: OpenSSL's sessions are not made for both at once."""

    def __init__(self, connection, timeout: float = 60):
        self.connection, self.timeout, self.lock = connection, timeout, threading.Lock()
        connection.setblocking(False)

    def _until(self, step, reading: bool):
        limit = time.monotonic() + self.timeout
        while time.monotonic() < limit:
            with self.lock:
                try:
                    return step()
                except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    pass
            select.select([self.connection] if reading else [], [] if reading else [self.connection], [], 0.05)
        raise TimeoutError("timed out")

    def recv(self, size: int) -> bytes:
        return self._until(lambda: self.connection.recv(size), True)

    def sendall(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[self._until(lambda: self.connection.send(rest), False):]


class Recorder:
    """A fake server that sends `data`, expects `expected` bytes, and keeps their digest."""

    def __init__(self, data: bytes, expected: int, *, size: int = 65536, pause: float = 0.0, largest: int = 100_000,
                 seed: int = 1, **server):
        self.digest = ""
        self.done = threading.Event()

        def serve(connection, _server):
            if isinstance(connection, ssl.SSLSocket):
                connection = Shared(connection)
            sender = threading.Thread(target=send_in_pieces, args=(connection, data, seed, largest), daemon=True)
            sender.start()
            self.digest = read_digest(connection.recv, expected, size, pause)
            sender.join(60)
            self.done.set()
            while connection.recv(65536):
                pass

        self.server = FakeServer(serve, **server)


def exchange(port: int, up: bytes, recorder: Recorder, down: bytes, *, tls=None, size: int = 65536,
             pause: float = 0.0, largest: int = 100_000, receive_buffer: int = 0) -> None:
    """Both directions at once; afterwards the digests must be those of what was sent."""
    with RawClient(port, timeout=60, receive_buffer=receive_buffer) as client:
        if tls:
            assert client.ssl_request() == b"S"
            client.tls(tls)
        client.login()
        connection = Shared(client.socket) if tls else client.socket
        sender = threading.Thread(target=send_in_pieces, args=(connection, up, 7, largest), daemon=True)
        sender.start()
        # What came with the login waits in the client.
        receive = (lambda n: client.receive_some(n) if client.has_unread() else connection.recv(n)) if tls else \
            client.receive_some
        seen = read_digest(receive, len(down), size, pause)
        sender.join(60)
        assert recorder.done.wait(60), f"the server did not get everything: {recorder.server.failures}"
    assert seen == hashlib.sha256(down).hexdigest(), "the client received other bytes than the server sent"
    assert recorder.digest == hashlib.sha256(up).hexdigest(), "the server received other bytes than the client sent"


@pytest.fixture
def server_tls(authority) -> ssl.SSLContext:
    certificate = authority.issue("server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.cert, certificate.key)
    return context


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_random_traffic(reach, authority, server_tls, seed, tls, quick):
    total = (1 << 20) if quick else (8 << 20)
    up, down = traffic(seed, CLIENT_KINDS, total), traffic(seed + 100, SERVER_KINDS, total)
    recorder = Recorder(down, len(up), seed=seed, tls=server_tls if tls else None)
    with recorder.server as server:
        port = reach(server.endpoint, tls=tls)
        exchange(port, up, recorder, down, tls=trusting(authority.cert) if tls else None)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_one_byte_reads(reach, authority, server_tls, tls):
    up, down = traffic(5, CLIENT_KINDS, 100_000, 5_000), traffic(6, SERVER_KINDS, 100_000, 5_000)
    recorder = Recorder(down, len(up), size=1, largest=500, tls=server_tls if tls else None)
    with recorder.server as server:
        exchange(reach(server.endpoint, tls=tls), up, recorder, down, size=1, largest=500,
                 tls=trusting(authority.cert) if tls else None)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("slow", ["client", "server"])
def test_slow_reader(reach, authority, server_tls, slow, tls):
    """The slow side reads 16 KiB every 2 ms from a small socket buffer; the other sends as fast as it can."""
    up, down = traffic(8, CLIENT_KINDS, 4 << 20), traffic(9, SERVER_KINDS, 4 << 20)
    slowness = {"size": 16384, "pause": 0.002}
    recorder = Recorder(down, len(up), tls=server_tls if tls else None, receive_buffer=16384 if slow == "server" else 0,
                        **(slowness if slow == "server" else {}))
    with recorder.server as server:
        exchange(reach(server.endpoint, tls=tls), up, recorder, down, tls=trusting(authority.cert) if tls else None,
                 receive_buffer=16384 if slow == "client" else 0, **(slowness if slow == "client" else {}))


@pytest.mark.long
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("direction", ["up", "down"])
def test_message_of_256_mib(reach, authority, server_tls, direction, tls):
    _big_message(reach, authority, server_tls, direction, tls, 256 << 20)


@pytest.mark.long
def test_message_of_1_gib(reach, authority, server_tls):
    """The largest that PostgreSQL knows: the body of a CopyData of 1 GiB - 1."""
    _big_message(reach, authority, server_tls, "down", False, (1 << 30) - 1)


def _big_message(reach, authority, server_tls, direction, tls, size):
    block = random.Random(3).randbytes(1 << 20)
    header = b"d" + struct.pack("!i", size + 4)
    after = message("C", b"COPY 1\0") + message("Z", b"I")
    total = len(header) + size + len(after)
    digests, done = {}, threading.Event()

    def send(connection):
        connection.sendall(header)
        left = size
        while left:
            part = block[:min(left, len(block))]
            connection.sendall(part)
            left -= len(part)
        connection.sendall(after)

    def serve(connection, _server):
        if direction == "down":
            send(connection)
        else:
            digests["seen"] = read_digest(connection.recv, total, 1 << 18)
        done.set()
        connection.recv(1)

    wanted = hashlib.sha256(header)
    for at in range(0, size, len(block)):
        wanted.update(block[:min(len(block), size - at)])
    wanted.update(after)
    with FakeServer(serve, tls=server_tls if tls else None) as server:
        with RawClient(reach(server.endpoint, tls=tls), timeout=60) as client:
            if tls:
                assert client.ssl_request() == b"S"
                client.tls(trusting(authority.cert))
            client.login()
            if direction == "up":
                send(client.socket)
            else:
                digests["seen"] = read_digest(client.receive_some, total, 1 << 18)
            assert done.wait(60), server.failures
    assert digests["seen"] == wanted.hexdigest()

"""Bad input: that one connection ends, nothing else notices, and memory stays flat."""

from __future__ import annotations

import random
import socket
import struct
import threading
import time

import pytest

from harness.fakeserver import FakeServer, authentication_ok
from harness.gateway import settle
from harness.postgres import PASSWORD, USER
from harness.system import wait_until
from harness.wire import (GSSENC_REQUEST, SSL_REQUEST, Closed, RawClient, Refused, cancel_request, message, query,
                          startup)

pytestmark = pytest.mark.needs_gateway

_LOGIN = startup({"user": "trustuser", "database": "app"})

BAD = {
    "nothing": b"",
    "zeros": b"\0" * 64,
    "ones": b"\xff" * 64,
    "http": b"GET / HTTP/1.0\r\n\r\n",
    "tls alert": b"\x15\x03\x01\x00\x02\x02\x28",
    "tls nonsense": b"\x16\x03\x01\x00\x10" + b"\xee" * 16,
    "length 0": struct.pack("!ii", 0, 196608),
    "length 3": struct.pack("!i", 3) + b"abc",
    "length 4": struct.pack("!i", 4),
    "length 7": struct.pack("!i", 7) + b"abc",
    "negative length": struct.pack("!ii", -5, 196608),
    "oversized": struct.pack("!ii", 10_001, 196608) + b"x" * 9_993,
    "huge": struct.pack("!ii", 0x7fffffff, 196608),
    "unknown version": startup({"user": "u"}, (77, 7)),
    "version 2": struct.pack("!ii", 296, 2 << 16) + b"\0" * 288,
    "no terminator": struct.pack("!ii", 13, 196608) + b"user\0",
    "odd strings": struct.pack("!ii", 14, 196608) + b"user\0\0",
    "half a startup": _LOGIN[:15],
    "ssl with a tail": SSL_REQUEST + b"tail",
    "gssenc with a tail": GSSENC_REQUEST + b"tail",
    "cancel short": struct.pack("!iii", 12, 80877102, 1),
    "cancel wrong": cancel_request(1, b"abcd"),
    "cancel long": cancel_request(1, b"x" * 300),
    "startup then garbage": _LOGIN + b"\0" * 100,
    "startup then lying length": _LOGIN + b"Q\0\0\0\2",
    "startup then password of 2 GiB": startup({"user": USER, "database": "app"}) + b"p\x7f\xff\xff\xff",
    "startup then query": startup({"user": USER, "database": "app"}) + query("select 1"),
}


def try_it(port: int, data: bytes, how: str = "fin") -> bytes:
    """Sends, closes this side, reads to the end; a gateway that hangs on it makes this fail."""
    with RawClient(port, timeout=15) as client:
        try:
            client.send(data)
            if how == "fin":
                client.finish()
            return client.receive_to_end()[0]
        except (BrokenPipeError, ConnectionResetError):
            return b""


@pytest.mark.parametrize("name", BAD)
def test_each_kind(before, server, name):
    gateway, port = before(server)
    with RawClient(port) as witness:
        witness.login()
        answer = try_it(port, BAD[name])
        assert answer[:1] in (b"", b"E", b"N", b"R"), answer
        assert witness.simple("select 'undisturbed'") == [["undisturbed"]]
    gateway.check_alive()


def test_truncation_at_every_byte(before, server):
    """A whole login and query, cut off after each byte, by FIN and by RST."""
    gateway, port = before(server)
    whole = _LOGIN + query("select 1") + message("P", b"\0select 2\0\0\0") + message("S")
    for i in range(len(whole)):
        with RawClient(port) as client:
            client.send(whole[:i])
            client.reset() if i % 2 else client.close()
    with RawClient(port) as client:
        client.login()
        assert client.simple("select 1") == [["1"]]
        assert server.query("select count(*) < 50 from pg_stat_activity") == [(True,)]
    gateway.check_alive()


def test_truncation_of_a_scram_exchange(before, server, tmp_path):
    verifiers = tmp_path / "verifiers"
    verifiers.write_text("".join(f'"{role}" "{verifier}"\n' for role, verifier in server.verifiers()))
    gateway, port = before(server, auth={"method": "scram", "verifierFile": str(verifiers)})
    dice = random.Random(5)
    first = message("p", b"SCRAM-SHA-256\0" + struct.pack("!i", 24) + b"n,,n=,r=abcdefghijklmnop")
    for i in range(0, len(first) + 30, 3):
        with RawClient(port) as client:
            client.send(startup({"user": USER, "database": "app"}))
            client.read()
            client.send((first + dice.randbytes(40))[:i])
            if i % 2:
                client.finish()
                client.receive_to_end()
    for junk in (message("p", b""), message("p", b"X"), message("p", b"SCRAM-SHA-256\0" + struct.pack("!i", 0x7fffffff)),
                 message("p", b"SCRAM-SHA-256\0" + struct.pack("!i", 4) + b"\xff\xff\xff\xff"), message("p", b"\0" * 60_000),
                 message("p", b"x" * 70_000), message("Q", b"select 1\0"), b"p\0\0\0\0"):
        with RawClient(port) as client:
            client.send(startup({"user": USER, "database": "app"}))
            client.read()
            try:
                client.send(junk)
                client.finish()
            except OSError:
                pass
            data, _ = client.receive_to_end()
            assert data[:1] in (b"E", b""), data
    from harness.wire import Scram
    with RawClient(port) as client:
        client.login(USER, scram=Scram(PASSWORD))
    gateway.check_alive()


def test_random_bytes_in_a_session(before, server):
    """After the login, noise: the server or the gateway ends that session, and no other."""
    gateway, port = before(server)
    dice = random.Random(11)
    with RawClient(port) as witness:
        witness.login()
        for _ in range(60):
            with RawClient(port) as client:
                client.login()
                try:
                    client.send(dice.randbytes(dice.randrange(1, 3000)))
                    client.finish()
                except OSError:
                    pass
                client.receive_to_end()
        assert witness.simple("select 1") == [["1"]]
    gateway.check_alive()


def test_a_server_that_talks_nonsense(before):
    """Random bytes at each step of the login and after it."""
    dice = random.Random(13)

    def serve(connection, _server):
        connection.recv(1000)
        step = dice.randrange(4)
        if step == 1:
            connection.sendall(message("R", struct.pack("!i", 10) + b"SCRAM-SHA-256\0\0"))
        if step == 2:
            connection.sendall(authentication_ok()[:dice.randrange(60)])
        if step == 3:
            connection.sendall(authentication_ok())
        connection.sendall(dice.randbytes(dice.randrange(1, 2000)))
        connection.close()
    with FakeServer(serve, login=False) as fake:
        gateway, port = before(fake.endpoint)
        for _ in range(150):
            with RawClient(port) as client:
                client.send(_LOGIN)
                client.receive_to_end()
        gateway.check_alive()
        gateway.wait_end(count=140)
        causes = {line["cause"].split(":")[0] for line in gateway.ends()}
        assert causes <= {"protocol_server", "server_eof", "login_failed", "server_fatal", "server_reset",
                          "client_eof", "client_reset"}, causes


def test_a_server_cut_off_at_every_byte_of_its_greeting(before):
    greeting = authentication_ok()
    cut = {"at": 0}

    def serve(connection, _server):
        connection.recv(1000)
        connection.sendall(greeting[:cut["at"]])
        connection.close()
    with FakeServer(serve, login=False) as fake:
        gateway, port = before(fake.endpoint)
        for cut["at"] in range(len(greeting)):
            with RawClient(port) as client:
                client.send(_LOGIN)
                data, how = client.receive_to_end()
                assert how == "fin" and b"FATAL" in data, (cut, data, how)
        gateway.wait_end(count=len(greeting))


@pytest.mark.alone
def test_memory_stays_flat(not_sanitized, before, server, long, quick):
    """Over many bad connections of every kind (100,000 with --long)."""
    gateway, port = before(server)
    count = 100_000 if long else 1_000 if quick else 5_000
    kinds = [data for name, data in BAD.items() if not name.startswith("startup")]

    def storm(total: int, seed: int) -> None:
        dice = random.Random(seed)
        for _ in range(total):
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
                    data = dice.choice(kinds)
                    connection.sendall(data[:dice.randrange(len(data) + 1)] if dice.random() < 0.3 else data)
                    if dice.random() < 0.5:
                        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    elif dice.random() < 0.5:
                        connection.shutdown(socket.SHUT_WR)
                        connection.recv(1000)
            except OSError:
                pass

    def round_of(total: int) -> int:
        threads = [threading.Thread(target=storm, args=(total // 4, seed)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        settle(0.3)
        return gateway.memory_kib()

    warm = round_of(max(count // 5, 800))
    settle(2.5)
    files = gateway.open_files()
    after = round_of(count)
    assert after - warm < 1_500, f"{warm} KiB after the warm-up, {after} KiB after {count} connections"
    wait_until(lambda: gateway.open_files() <= files + 5, 5, "all their sockets are closed")
    with RawClient(port) as client:
        client.login()


@pytest.mark.alone
def test_an_idle_session_is_small(not_sanitized, before):
    """At most 2 KiB of process memory for each plain idle session; a burst of traffic beforehand does not stay."""
    def serve(connection, _server):
        connection.recv(100)
        connection.sendall(message("D", b"x" * 50_000) + message("Z", b"I"))
        connection.recv(1)
    with FakeServer(serve) as fake:
        gateway, port = before(fake.endpoint)
        def open_and_talk(count):
            made = []
            for _ in range(count):
                client = RawClient(port)
                client.login()
                client.send(query("x"))
                client.receive(50_005 + 6)
                made.append(client)
            return made
        kept = open_and_talk(20)
        settle(0.3)
        start = gateway.memory_kib()
        kept += open_and_talk(400)
        settle(0.5)
        per_session = (gateway.memory_kib() - start) / 400
        for client in kept:
            client.close()
        assert per_session <= 2.5, f"{per_session:.2f} KiB for each session"


@pytest.mark.alone
def test_idle_sessions_cost_no_cpu(not_sanitized, before):
    with FakeServer(lambda connection, _: connection.recv(1)) as fake:
        gateway, port = before(fake.endpoint)
        clients = [RawClient(port).login() for _ in range(200)]
        settle(0.5)
        started = gateway.cpu_seconds()
        time.sleep(3)
        used = gateway.cpu_seconds() - started
        for client in clients:
            client.close()
        assert used <= 0.06, f"{used:.2f} s of CPU in 3 s"


def test_pending_refusals_are_readable(before, server):
    """A refused client that has already sent its password message still reads why."""
    _gateway, port = before(server, route={"match": {"user": "nobody-else"}})
    for _ in range(30):
        with RawClient(port) as client:
            client.send(_LOGIN + message("p", b"secret\0") + query("select 1"))
            try:
                assert client.read_error()["C"] == "28000"
            except Closed as closed:
                raise AssertionError(f"no word, only {closed.how}") from None
    with pytest.raises(Refused), RawClient(port) as client:
        client.login()

"""G5, cancel: it reaches the right statement, from stock psql, plain and over TLS, protocol 3.0 and 3.2."""

from __future__ import annotations

import struct
import threading
import time

import pytest

from harness.fakeserver import FakeServer, authentication_ok, discard
from harness.postgres import PASSWORD, USER
from harness.system import wait_until
from harness.wire import GSSENC_REQUEST, RawClient, Refused, cancel_request, query, trusting

pytestmark = pytest.mark.needs_gateway


def run_and_cancel(client: RawClient, send_cancel) -> None:
    client.send(query("select pg_sleep(30)"))
    time.sleep(0.2)
    started = time.monotonic()
    send_cancel()
    with pytest.raises(Refused) as refused:
        client.result()
    assert refused.value.code == "57014" and time.monotonic() - started < 10
    assert client.simple("select 'alive'") == [["alive"]]


def send_cancel(port: int, pid: int, key: bytes, *, tls=None, before: bytes = b"") -> None:
    """The canceller gets no answer, and an orderly end once the server has taken the request."""
    with RawClient(port) as canceller:
        if before:
            canceller.send(before)
            assert canceller.receive(1) == b"N"
        if tls:
            assert canceller.ssl_request() == b"S"
            canceller.tls(tls)
        canceller.send(cancel_request(pid, key))
        data, how = canceller.receive_to_end()
        assert data == b"" and how == "fin", (data, how)


@pytest.fixture
def tls_gateway(before, server, authority):
    certificate = authority.issue("gateway")
    return before(server, tls={"mode": "allow", "certificates": [
        {"certFile": str(certificate.cert), "keyFile": str(certificate.key)}]})


@pytest.mark.parametrize("session_tls", [False, True], ids=["plain session", "TLS session"])
@pytest.mark.parametrize("cancel_tls", [False, True], ids=["plain cancel", "TLS cancel"])
def test_cancel_of_3_0(tls_gateway, authority, session_tls, cancel_tls):
    _gateway, port = tls_gateway
    tls = trusting(authority.cert)
    with RawClient(port) as client:
        if session_tls:
            client.ssl_request()
            client.tls(tls)
        client.login(USER, PASSWORD)
        assert len(client.key) == 4
        run_and_cancel(client, lambda: send_cancel(port, client.pid, client.key, tls=tls if cancel_tls else None))


def test_cancel_after_gssenc_request(tls_gateway):
    _gateway, port = tls_gateway
    with RawClient(port) as client:
        client.login()
        run_and_cancel(client, lambda: send_cancel(port, client.pid, client.key, before=GSSENC_REQUEST))


def test_cancel_of_3_2(before, servers):
    """A 3.2 client of a server that speaks 3.2 has a longer key."""
    if 18 not in servers.versions:
        pytest.skip("needs PostgreSQL 18")
    _gateway, port = before(servers[18])
    with RawClient(port) as client:
        client.login(version=(3, 2))
        assert client.negotiated is None
        assert 4 < len(client.key) <= 256
        run_and_cancel(client, lambda: send_cancel(port, client.pid, client.key))


@pytest.mark.parametrize("version", [(3, 0), (3, 2)])
@pytest.mark.parametrize("size", [4, 32, 256])
def test_server_keys_of_all_lengths(before, size, version):
    """The server's key, whatever its length, is what the server gets back; the client's is the gateway's own."""
    key = bytes(i % 251 for i in range(size))
    with FakeServer(discard, greeting=authentication_ok(77, key)) as fake:
        _gateway, port = before(fake.endpoint)
        with RawClient(port) as client:
            client.login(version=version)
            assert len(client.key) == 4 if version == (3, 0) else 4 <= len(client.key) <= 256
            send_cancel(port, client.pid, client.key)
        wait_until(lambda: fake.cancels, 5, "the cancel arrives")
        assert fake.cancels == [cancel_request(77, key)]


def test_wrong_keys_cancel_nothing(before, server):
    _gateway, port = before(server)
    with RawClient(port) as client:
        client.login()
        client.send(query("select pg_sleep(1.5), 'undisturbed'"))
        time.sleep(0.1)
        wrong = bytes(byte ^ 1 for byte in client.key)
        for pid, key in ((client.pid, wrong), (client.pid + 1, client.key), (0, b"\0\0\0\0"),
                         (client.pid, client.key + b"x"), (client.pid, b"k" * 256)):
            send_cancel(port, pid, key)
        assert client.result() == [["", "undisturbed"]]


@pytest.mark.parametrize("size", [0, 3, 257, 5000])
def test_malformed_cancels_are_refused(before, server, size):
    gateway, port = before(server)
    with RawClient(port) as canceller:
        canceller.send(cancel_request(1, b"k" * size))
        canceller.receive_to_end()
    with RawClient(port) as client:
        client.login()


def test_cancel_hits_only_its_own_session(before, server):
    """Sixteen sessions run; every second one is cancelled, all at the same time."""
    _gateway, port = before(server)
    clients = [RawClient(port).login(USER, PASSWORD) for _ in range(16)]
    for i, client in enumerate(clients):
        client.send(query(f"select pg_sleep(2), {i}"))
    time.sleep(0.3)
    threads = [threading.Thread(target=send_cancel, args=(port, client.pid, client.key)) for client in clients[::2]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    for i, client in enumerate(clients):
        if i % 2:
            assert client.result() == [["", str(i)]]
        else:
            with pytest.raises(Refused) as refused:
                client.result()
            assert refused.value.code == "57014"
        client.close()


def test_a_key_dies_with_its_session(before):
    with FakeServer(discard) as fake:
        gateway, port = before(fake.endpoint)
        with RawClient(port) as client:
            client.login()
            pid, key = client.pid, client.key
        gateway.wait_end()
        send_cancel(port, pid, key)
        time.sleep(0.3)
        assert fake.cancels == []


def test_canceller_is_closed_only_when_the_server_closed(before):
    """wire.md 1: libpq takes the end of the connection as the sign that the request was processed."""
    closed_at = []

    def serve(connection, server):
        packet = connection.recv(1000)
        if struct.unpack("!i", packet[4:8])[0] == 80877102:
            time.sleep(0.5)
            closed_at.append(time.monotonic())
            connection.close()
            return
        connection.sendall(authentication_ok())
        discard(connection, server)
    with FakeServer(serve, login=False) as fake:
        _gateway, port = before(fake.endpoint)
        with RawClient(port) as client:
            client.login()
            send_cancel(port, client.pid, client.key)
            assert closed_at and time.monotonic() >= closed_at[0]


def test_the_cancel_travels_as_its_session_did(before, authority, servers):
    """A session with TLS on the server leg is cancelled over TLS too (the server allows nothing else here)."""
    server = servers[servers.versions[-1]]
    _gateway, port = before(f"localhost:{server.port}",
                            upstream_tls={"mode": "verify-full", "caFile": str(authority.cert)})
    mark = len(server.log_text())
    with RawClient(port) as client:
        client.login()
        run_and_cancel(client, lambda: send_cancel(port, client.pid, client.key))
    assert "canceling statement due to user request" in server.log_text()[mark:]

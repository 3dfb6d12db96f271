"""G3: 200 stuck peers do not delay the logins and queries of others. Prints both p99 side by side."""

from __future__ import annotations

import socket
import ssl
import time

import pytest

from harness.postgres import PASSWORD, USER
from harness.wire import RawClient, query, startup, trusting

pytestmark = [pytest.mark.needs_gateway, pytest.mark.alone]

STUCK = 200
LOGINS, QUERIES = 60, 600


def measure(port: int) -> dict[str, float]:
    """p99 and median of login and of query, in milliseconds."""
    logins, queries = [], []
    for _ in range(LOGINS):
        started = time.perf_counter()
        with RawClient(port) as client:
            client.login()
            logins.append(time.perf_counter() - started)
    with RawClient(port) as client:
        client.login()
        for _ in range(QUERIES):
            started = time.perf_counter()
            client.simple("select 1")
            queries.append(time.perf_counter() - started)
    return {f"{name} {label}": sorted(values)[int(len(values) * part)] * 1000
            for name, values in (("login", logins), ("query", queries)) for label, part in (("p50", 0.5), ("p99", 0.99))}


def half_a_startup(port):
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(startup({"user": "trustuser", "database": "app"})[:20])
    return connection


def half_a_hello(port):
    """After SSLRequest and S, the first half of a ClientHello."""
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(b"\0\0\0\x08\x04\xd2\x16\x2f")
    assert connection.recv(1) == b"S"
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    hello = outgoing.read()
    connection.sendall(hello[:len(hello) // 2])
    return connection


def stopped_reader(port):
    """Asked for 1 GiB and reads none of it."""
    client = RawClient(port, receive_buffer=4096)
    client.login()
    client.send(query("select repeat('x', 1048576) from generate_series(1, 1024)"))
    return client


def half_a_password(port):
    client = RawClient(port)
    client.send(startup({"user": USER, "database": "app"}))
    client.read()
    client.send(b"p\0\0\0\x40SCRAM")
    assert PASSWORD
    return client


@pytest.mark.parametrize("stuck", [half_a_startup, half_a_hello, half_a_password, stopped_reader],
                         ids=lambda each: each.__name__)
def test_stuck_peers(before, server, authority, stuck, sanitized, record_property, capsys):
    certificate = authority.issue("gateway")
    gateway, port = before(server, workers=2, tls={"mode": "allow", "certificates": [
        {"certFile": str(certificate.cert), "keyFile": str(certificate.key)}]})
    count = 40 if stuck is stopped_reader else STUCK  # each of those holds a PostgreSQL process
    measure(port)
    without = measure(port)
    memory = gateway.memory_kib()
    peers = [stuck(port) for _ in range(count)]
    time.sleep(0.5)
    used = gateway.memory_kib() - memory
    along = measure(port)
    again = None
    for peer in peers:
        peer.close()
    with capsys.disabled():
        print(f"\n{count} x {stuck.__name__}, ms without | with: " + ", ".join(
            f"{key} {without[key]:.2f} | {along[key]:.2f}" for key in without) + f"; memory +{used} KiB")
    record_property("without", without)
    record_property("with", along)
    # On a shared machine a p99 is noisy; what must not happen is a wait for a peer, which lasts for ever or a timer.
    for key in without:
        if along[key] > 3 * without[key] + 15:
            again = again or measure(port)
            assert again is not None and along[key] < 3 * again[key] + 15, f"{key}: {without[key]:.2f} | {along[key]:.2f}"
    if not sanitized:  # a sanitizer keeps freed memory and makes everything larger
        assert used / count < 600, f"{used / count:.0f} KiB for each stuck peer"
    with RawClient(port) as client:
        client.tls(trusting(authority.cert, alpn=True)).login()

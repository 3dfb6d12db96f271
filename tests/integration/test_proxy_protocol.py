"""PROXY protocol v1 and v2: taken from trusted sources only, and sent to the server where asked for."""

from __future__ import annotations

import socket
import struct

import pytest

from harness.fakeserver import FakeServer, authentication_ok, discard, read_exactly
from harness.gateway import settle
from harness.wire import RawClient, cancel_request, startup, trusting

pytestmark = pytest.mark.needs_gateway

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def v2(source: str, port: int, *, command: int = 1, extra: bytes = b"") -> bytes:
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    address = socket.inet_pton(family, source)
    body = address + socket.inet_pton(family, "::1" if ":" in source else "127.0.0.1") + struct.pack("!HH", port, 6432)
    body += extra
    return SIGNATURE + bytes([0x20 | command, 0x21 if ":" in source else 0x11]) + struct.pack("!H", len(body)) + body


def v1(source: str, port: int) -> bytes:
    kind, here = ("TCP6", "::1") if ":" in source else ("TCP4", "127.0.0.1")
    return f"PROXY {kind} {source} {here} {port} 6432\r\n".encode()


def trusting_config(before, what, sources=("127.0.0.0/8",), **more):
    gateway, port = before(what, **more)
    gateway.stop()
    listeners = gateway.config["listeners"]
    listeners[0]["proxyProtocol"] = {"trustedSources": list(sources)}
    return before(what, listeners=listeners, **{key: value for key, value in more.items() if key != "tls"})


HEADERS = [
    pytest.param(v1("203.0.113.9", 4242), "203.0.113.9:4242", id="v1"),
    pytest.param(v1("2001:db8::9", 4242), "[2001:db8::9]:4242", id="v1-ipv6"),
    pytest.param(v2("203.0.113.9", 4242), "203.0.113.9:4242", id="v2"),
    pytest.param(v2("2001:db8::9", 4242), "[2001:db8::9]:4242", id="v2-ipv6"),
    pytest.param(v2("203.0.113.9", 4242, extra=b"\x04\0\x03abc"), "203.0.113.9:4242", id="v2-tlv"),
]


@pytest.mark.parametrize("header,client_address", HEADERS)
@pytest.mark.parametrize("split", [False, True], ids=["whole", "bytewise"])
def test_trusted_source(before, server, header, client_address, split):
    gateway, port = trusting_config(before, server)
    with RawClient(port) as client:
        for part in ([header[i:i + 1] for i in range(len(header))] if split else [header]):
            client.send(part)
        client.login()
        assert client.simple("select 1") == [["1"]]
    assert gateway.wait_end()[0]["client"] == client_address


def test_header_and_startup_in_one_segment(before, server):
    gateway, port = trusting_config(before, server)
    with RawClient(port) as client:
        client.send(v2("203.0.113.9", 1) + startup({"user": "trustuser", "database": "app"}))
        client.authenticate("trustuser", "")
    assert gateway.wait_end()[0]["client"] == "203.0.113.9:1"


def test_before_tls(before, server, authority):
    certificate = authority.issue("gateway")
    gateway, port = trusting_config(before, server, tls={"mode": "require", "certificates": [
        {"certFile": str(certificate.cert), "keyFile": str(certificate.key)}]})
    with RawClient(port) as client:
        client.send(v1("203.0.113.9", 5))
        assert client.ssl_request() == b"S"
        client.tls(trusting(authority.cert))
        client.login()
    assert gateway.wait_end()[0]["client"] == "203.0.113.9:5"


def test_local_command_keeps_the_real_address(before, server):
    gateway, port = trusting_config(before, server)
    with RawClient(port) as client:
        client.send(v2("203.0.113.9", 4242, command=0))
        client.login()
    assert gateway.wait_end()[0]["client"].startswith("127.0.0.1:")


@pytest.mark.parametrize("header", [each.values[0] for each in HEADERS], ids=[each.id for each in HEADERS])
def test_untrusted_source(before, server, header):
    """From anyone else the header is no header, and so the connection is not Postgres."""
    gateway, port = trusting_config(before, server, sources=["10.9.8.0/24"])
    with RawClient(port) as client:
        client.send(header + startup({"user": "trustuser", "database": "app"}))
        assert b"R\0\0\0" not in client.receive_to_end()[0]
    settle()
    assert not [line for line in gateway.ends() if line.get("loggedIn") or "203.0.113" in line["client"]]
    with RawClient(port) as client:  # without a header it is a client like any other
        client.login()


def test_untrusted_where_the_listener_does_not_speak_it(before, server):
    gateway, port = before(server)
    with RawClient(port) as client:
        client.send(v1("203.0.113.9", 4242) + startup({"user": "trustuser", "database": "app"}))
        assert b"R\0\0\0" not in client.receive_to_end()[0]
    assert not [line for line in gateway.ends() if line["client"].startswith("203")]


@pytest.mark.parametrize("bad", [
    b"PROXY TCP4 203.0.113.9\r\n", b"PROXY TCP4 1.2.3.4 5.6.7.8 99999 1\r\n", b"PROXY " + b"x" * 200,
    b"PROXY TCP4 nonsense 5.6.7.8 1 1\r\n", SIGNATURE + b"\x21\x11\0\x02ab", SIGNATURE + b"\x91\x11\0\x0c" + b"\0" * 12,
    SIGNATURE + b"\x21\x11\xff\xff" + b"\0" * 3000, startup({"user": "trustuser", "database": "app"}),
], ids=["short", "port", "long", "address", "v2 short", "v2 version", "v2 long", "no header"])
def test_bad_headers(before, server, bad):
    gateway, port = trusting_config(before, server)
    with RawClient(port) as client:
        client.send(bad)
        assert b"R\0\0\0\x08\0\0\0\0" not in client.receive_to_end()[0]
    line = gateway.wait_end()[0]
    assert line["cause"] == "protocol_client" and not line["loggedIn"]


def test_route_by_the_source_in_the_header(before, server):
    gateway, port = trusting_config(before, server, route={"match": {"source": ["203.0.113.0/24"]}})
    with RawClient(port) as client:
        client.send(v1("203.0.113.200", 1))
        client.login()
    with RawClient(port) as client:
        client.send(v1("198.51.100.1", 1) + startup({"user": "trustuser", "database": "app"}))
        assert client.read_error()["C"] == "28000"


# ---- sent to the server ----


class HeaderServer:
    """Takes a PROXY header, then logs in by trust; keeps the headers."""

    def __init__(self):
        self.headers: list[bytes] = []
        self.packets: list[bytes] = []
        self.fake = FakeServer(self._serve, login=False)

    def _serve(self, connection, server):
        start = read_exactly(connection, 6)
        if start == b"PROXY ":
            header = start
            while not header.endswith(b"\r\n"):
                header += read_exactly(connection, 1)
        else:
            header = start + read_exactly(connection, 10)
            header += read_exactly(connection, struct.unpack("!H", header[14:16])[0])
        size = read_exactly(connection, 4)
        packet = size + read_exactly(connection, struct.unpack("!i", size)[0] - 4)
        self.headers.append(header)
        self.packets.append(packet)
        if struct.unpack("!i", packet[4:8])[0] == 80877102:
            connection.close()
            return
        connection.sendall(authentication_ok())
        discard(connection, server)


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_sent_to_the_server(before, version):
    recorder = HeaderServer()
    with recorder.fake as fake:
        _gateway, port = before(fake.endpoint, upstream={"proxyProtocol": version})
        with RawClient(port) as client:
            client.login()
            host, mine = client.socket.getsockname()
        if version == "v1":
            assert recorder.headers == [f"PROXY TCP4 {host} 127.0.0.1 {mine} {port}\r\n".encode()]
        else:
            assert recorder.headers == [SIGNATURE + b"\x21\x11\0\x0c" + socket.inet_aton(host) +
                                        socket.inet_aton("127.0.0.1") + struct.pack("!HH", mine, port)]


def test_what_came_in_is_passed_on(before):
    recorder = HeaderServer()
    with recorder.fake as fake:
        _gateway, port = trusting_config(before, fake.endpoint, upstream={"proxyProtocol": "v2"})
        with RawClient(port) as client:
            client.send(v1("2001:db8::9", 4242))
            client.login()
        header = recorder.headers[0]
        assert header[13] == 0x21 and header[16:32] == socket.inet_pton(socket.AF_INET6, "2001:db8::9")
        assert struct.unpack("!H", header[48:50])[0] == 4242


def test_cancels_carry_a_header_too(before):
    """A server that expects the header expects it of every connection."""
    recorder = HeaderServer()
    with recorder.fake as fake:
        _gateway, port = before(fake.endpoint, upstream={"proxyProtocol": "v2"})
        with RawClient(port) as client:
            client.login()
            with RawClient(port) as canceller:
                canceller.send(cancel_request(client.pid, client.key))
                canceller.receive_to_end()
        assert len(recorder.headers) == 2 and recorder.headers[1].startswith(SIGNATURE)
        assert recorder.packets[1] == cancel_request(4711, b"key!")

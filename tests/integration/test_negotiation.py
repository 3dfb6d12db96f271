"""G4: the table of first bytes, on the client leg and on the server leg."""

from __future__ import annotations

import select
import socket
import ssl
import struct
import time

import pytest

from harness.fakeserver import FakeServer, authentication_ok, discard, read_startup
from harness.gateway import port_of, settle, simple_config
from harness.postgres import PASSWORD, USER
from harness.system import wait_until
from harness.wire import GSSENC_REQUEST, SSL_REQUEST, Closed, RawClient, Refused, message, startup, trusting

pytestmark = pytest.mark.needs_gateway


def listener_tls(authority, mode: str) -> dict:
    certificate = authority.issue("gateway")
    return {"mode": mode, "certificates": [{"certFile": str(certificate.cert), "keyFile": str(certificate.key)}]}


@pytest.fixture(params=["disable", "allow", "require"])
def any_listener(request, before, server, authority):
    """(mode, port) of a listener in each TLS mode."""
    tls = {"mode": "disable"} if request.param == "disable" else listener_tls(authority, request.param)
    gateway, port = before(server, tls=tls)
    return request.param, port, gateway


# ---- SSLRequest, GSSENCRequest ----


def test_ssl_request(any_listener, authority):
    mode, port, _ = any_listener
    with RawClient(port) as client:
        answer = client.ssl_request()
        assert answer == (b"N" if mode == "disable" else b"S")
        if answer == b"S":
            client.tls(trusting(authority.cert))
        client.login()
        assert client.simple("select 1") == [["1"]]


def test_gssenc_request_then_the_rest(any_listener, authority):
    """The first packet of everybody with a Kerberos ticket: N, and the same connection goes on."""
    mode, port, _ = any_listener
    with RawClient(port) as client:
        client.send(GSSENC_REQUEST)
        assert client.receive(1) == b"N"
        if mode != "disable":
            assert client.ssl_request() == b"S"
            client.tls(trusting(authority.cert))
        client.login()


def test_ssl_request_refused_then_gssenc_then_startup(before, server):
    _gateway, port = before(server)
    with RawClient(port) as client:
        assert client.ssl_request() == b"N"
        client.send(GSSENC_REQUEST)
        assert client.receive(1) == b"N"
        client.login()


def test_endless_negotiation(before, server):
    """Requests are answered, but not for ever."""
    _gateway, port = before(server)
    with RawClient(port) as client:
        for _ in range(50):
            try:
                client.send(GSSENC_REQUEST)
                if client.receive(1) != b"N":
                    break
            except Exception:
                break
        else:
            raise AssertionError("fifty requests, fifty answers")


def test_require_refuses_plaintext(any_listener):
    mode, port, _ = any_listener
    with RawClient(port) as client:
        if mode == "require":
            with pytest.raises(Refused) as refused:
                client.login()
            assert refused.value.code.startswith("28") and refused.value.fields["H"]
        else:
            client.login()


@pytest.mark.parametrize("behind", [startup({"user": "trustuser", "database": "app"}), b"\x16\x03\x01\x00", b"x"])
def test_bytes_behind_ssl_request(before, server, authority, behind):
    """They were sent before the handshake, so anybody on the path may have written them: FATAL, close."""
    gateway, port = before(server, tls=listener_tls(authority, "allow"))
    with RawClient(port) as client:
        client.send(SSL_REQUEST + behind)
        data, _how = client.receive_to_end()
        assert data[:1] == b"E" and b"FATAL" in data and b"08P01" in data, data
    assert gateway.wait_end()[0]["cause"] == "protocol_client"


def test_ssl_request_in_pieces(before, server, authority):
    _gateway, port = before(server, tls=listener_tls(authority, "require"))
    with RawClient(port) as client:
        for i in range(8):
            client.send(SSL_REQUEST[i:i + 1])
            time.sleep(0.005)
        assert client.receive(1) == b"S"
        client.tls(trusting(authority.cert)).login()


# ---- direct TLS ----


def test_direct_tls(any_listener, authority):
    mode, port, _ = any_listener
    with RawClient(port) as client:
        if mode == "disable":
            with pytest.raises((ssl.SSLError, OSError)):
                client.tls(trusting(authority.cert, alpn=True))
            return
        client.tls(trusting(authority.cert, alpn=True))
        assert client.socket.selected_alpn_protocol() == "postgresql"
        client.login()


def test_direct_tls_without_alpn(before, server, authority):
    """ALPN is mandatory, so that no other protocol's client can be led here: an alert."""
    gateway, port = before(server, tls=listener_tls(authority, "require"))
    with RawClient(port) as client:
        with pytest.raises(ssl.SSLError) as alert:
            client.tls(trusting(authority.cert))
            client.receive(1)
        assert "no application protocol" in str(alert.value).lower().replace("_", " ")
    assert gateway.wait_end()[0]["cause"] == "tls_client"


def test_direct_tls_with_another_protocol(before, server, authority):
    gateway, port = before(server, tls=listener_tls(authority, "require"))
    context = trusting(authority.cert)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with RawClient(port) as client, pytest.raises(ssl.SSLError):
        client.tls(context)
        client.receive(1)
    assert gateway.wait_end()[0]["cause"] == "tls_client"


def test_alpn_after_ssl_request_is_optional(before, server, authority):
    _gateway, port = before(server, tls=listener_tls(authority, "require"))
    for alpn in (False, True):
        with RawClient(port) as client:
            client.ssl_request()
            client.tls(trusting(authority.cert, alpn=alpn)).login()
            assert client.socket.selected_alpn_protocol() == ("postgresql" if alpn else None)


def test_startup_in_tls_arrives_in_pieces(before, server, authority):
    _gateway, port = before(server, tls=listener_tls(authority, "require"))
    with RawClient(port) as client:
        client.tls(trusting(authority.cert, alpn=True))
        packet = startup({"user": "trustuser", "database": "app"})
        for i in range(len(packet)):
            client.send(packet[i:i + 1])
        client.authenticate("trustuser", "")


def test_no_tls_in_tls(before, server, authority):
    """SSLRequest inside TLS is answered as PostgreSQL does: N."""
    _gateway, port = before(server, tls=listener_tls(authority, "require"))
    with RawClient(port) as client:
        client.tls(trusting(authority.cert, alpn=True))
        client.send(SSL_REQUEST)
        assert client.receive(1) == b"N"
        client.login()


# ---- StartupMessage ----


def test_startup_at_every_split(before):
    """Passed through untouched where the server authenticates, however it came."""
    packet = startup({"user": "müller", "database": "d", "application_name": "x" * 30, "options": "-c geqo=off"})
    with FakeServer(discard) as fake:
        _gateway, port = before(fake.endpoint)
        for i in range(0, len(packet), 3):
            with RawClient(port) as client:
                client.send(packet[:i])
                time.sleep(0.002)
                client.send(packet[i:])
                client.authenticate("müller", "")
        assert set(fake.startups) == {packet}


@pytest.mark.parametrize("version", [(3, 0), (3, 1), (3, 2), (3, 3), (3, 9999)])
def test_versions(before, servers, version):
    """What the server says about the version reaches the client: 18 speaks 3.2, older ones 3.0."""
    for major in servers.versions:
        _gateway, port = before(servers[major])
        with RawClient(port) as client, RawClient(servers[major].port) as direct:
            parameters = {"_pq_.unknown": "1"} if version[1] == 9999 else {}
            client.login(version=version, **parameters)
            direct.login(version=version, **parameters)
            assert client.negotiated == direct.negotiated
            if version[1] == 9999:
                assert client.negotiated is not None and client.negotiated[1] == ["_pq_.unknown"]
            assert client.simple("select 1") == [["1"]]


@pytest.mark.parametrize("version", [(3, 2), (3, 9999)])
def test_versions_where_the_gateway_authenticates(before, servers, tmp_path, version):
    from harness.postgres import PASSWORD, USER
    from harness.wire import Scram
    for major in servers.versions:
        verifiers = tmp_path / f"verifiers-{major}"
        verifiers.write_text("".join(f'"{role}" "{verifier}"\n' for role, verifier in servers[major].verifiers()))
        _gateway, port = before(servers[major], auth={"method": "scram", "verifierFile": str(verifiers)})
        with RawClient(port) as client:
            client.login(USER, version=version, scram=Scram(PASSWORD), **{"_pq_.unknown": "1"})
            assert client.negotiated is not None and client.negotiated[1] == ["_pq_.unknown"]
            assert client.simple("select 1") == [["1"]]


def test_version_2(before, server):
    """Not spoken since PostgreSQL 14; a FATAL that says so."""
    gateway, port = before(server)
    with RawClient(port) as client:
        client.send(struct.pack("!ii", 296, 2 << 16) + b"\0" * 288)
        data, _ = client.receive_to_end()
        assert data[:1] == b"E" and (b"0A000" in data or b"08P01" in data), data
    assert gateway.wait_end()[0]["cause"] == "protocol_client"


@pytest.mark.parametrize("version", [(4, 0), (1, 0), (2, 7)])
def test_other_versions(before, server, version):
    _gateway, port = before(server)
    with RawClient(port) as client:
        client.send(startup({"user": "u"}, version))
        data, _ = client.receive_to_end()
        assert data == b"" or data[:1] == b"E", data


def test_no_user(before, server):
    gateway, port = before(server)
    with RawClient(port) as client:
        client.send(startup({"database": "app"}))
        told = client.read_error()
        assert (told["C"], told["V"]) == ("28000", "FATAL")


@pytest.mark.parametrize("size", [10_004, 10_005, 1 << 20, 0xffffff])
def test_size_of_the_startup_packet(before, size):
    with FakeServer(discard) as fake:
        gateway, port = before(fake.endpoint)
        with RawClient(port) as client:
            value = "x" * (size - 30)
            packet = startup({"user": "u", "options": ""})
            if size <= 10_005:
                packet = startup({"user": "u", "options": "x" * (size - len(packet))})
                assert len(packet) == size
                client.send(packet)
            else:
                client.send(struct.pack("!ii", size, 196608) + b"user\0u\0")
            if size == 10_004:
                client.authenticate("u", "")
                return
            assert value
            data, _ = client.receive_to_end()
            assert data[:1] == b"E" or data == b"", data
        assert gateway.wait_end()[0]["cause"] in ("protocol_client", "not_postgres")


# ---- caps and the deadline ----


def capped(before, what, **caps):
    gateway, port = before(what)
    gateway.stop()
    listeners = gateway.config["listeners"]
    listeners[0] |= caps
    return before(what, listeners=listeners)


def logs_in(port):
    with RawClient(port) as client:
        try:
            return client.login()
        except (Refused, Closed, OSError):
            return None


@pytest.mark.parametrize("cap", ["maxHalfOpenLogins", "maxHalfOpenLoginsPerSource"])
def test_half_open_logins_are_capped(before, server, cap):
    gateway, port = capped(before, server, **{cap: 5})
    with RawClient(port) as settled:
        settled.login()
        settled.simple("select 1")  # its login no longer counts
        silent = [RawClient(port) for _ in range(6)]
        # Workers accept side by side: which of the six comes last is theirs to say.
        refused = wait_until(lambda: select.select([each.socket for each in silent], [], [], 0)[0], 20, "one is refused")
        told = next(each for each in silent if each.socket in refused).read_error()
        assert (told["C"], told["V"]) == ("53300", "FATAL")
        assert len(refused) == 1, "five of them fit"
        assert settled.simple("select 1") == [["1"]], "who is logged in does not notice"
        for each in silent:
            each.close()
        wait_until(lambda: logs_in(port), 20, "there is room again")
    assert [line for line in gateway.log() if line["event"] == "login.refused"]


def test_one_source_does_not_use_up_the_others_share(before, server):
    gateway, port = capped(before, server, maxHalfOpenLoginsPerSource=5)
    gateway.stop()
    listeners = gateway.config["listeners"]
    listeners[0]["address"] = f"0.0.0.0:{port}"
    _gateway, port = before(server, listeners=listeners)
    silent = [socket.create_connection(("127.0.0.1", port), source_address=("127.0.0.7", 0)) for _ in range(5)]
    settle(0.3)
    with RawClient(port) as client:
        client.login()
    for each in silent:
        each.close()


def test_a_slow_login_does_not_block_another(before, server):
    _gateway, port = before(server, workers=1)
    slow = [RawClient(port) for _ in range(20)]
    for client in slow:
        client.send(startup({"user": "trustuser", "database": "app"})[:-3])
    with RawClient(port) as quick:
        started = time.monotonic()
        quick.login()
        assert time.monotonic() - started < 2
    for client in slow:
        client.send(startup({"user": "trustuser", "database": "app"})[-3:])
        client.authenticate("trustuser", "")
        client.close()


# ---- addresses ----


def test_unix_socket_and_ipv6_listeners(before, server, tmp_path, start_gateway):
    config = simple_config(f"unix:{server.socket_folder}/.s.PGSQL.{server.port}")
    config["listeners"] = [
        {"name": "unix", "address": f"unix:{tmp_path}/.s.PGSQL.6432"},
        {"name": "six", "address": f"[::1]:{port_of(config, 'main')}", "tls": {"mode": "disable"}}]
    gateway = start_gateway(config)
    with RawClient(port_of(config, "six"), host="::1") as client:
        client.login("postgres")  # trusted at the server's unix socket
        assert client.simple("select 1") == [["1"]]
    unix = socket.socket(socket.AF_UNIX)
    unix.settimeout(5)
    unix.connect(f"{tmp_path}/.s.PGSQL.6432")
    unix.sendall(startup({"user": "postgres", "database": "app"}))
    assert unix.recv(9) == message("R", b"\0\0\0\0")
    unix.close()
    ends = gateway.wait_end(count=2)
    assert {line["listener"] for line in ends} == {"unix", "six"}
    assert ends[0]["endpoint"].endswith(f".s.PGSQL.{server.port}")


def test_next_endpoint_when_the_first_refuses(before, server):
    from harness.system import free_port
    gateway, port = before(server, upstream={"endpoints": [f"127.0.0.1:{free_port()}", f"127.0.0.1:{server.port}"]})
    with RawClient(port) as client:
        client.login()
    assert gateway.wait_end()[0]["endpoint"].endswith(str(server.port))


# ---- the server leg ----


def test_server_leg_prefers_tls_and_does_without(before, server, authority):
    gateway, port = before(server, upstream_tls={"mode": "prefer"})
    with RawClient(port) as client:
        client.login()
        assert client.simple("select ssl from pg_stat_ssl where pid = pg_backend_pid()") == [["t"]]
    with FakeServer(discard) as fake:  # answers N
        _gateway, port = before(fake.endpoint, upstream_tls={"mode": "prefer"})
        with RawClient(port) as client:
            client.login()


def test_server_leg_direct_tls(before, servers, authority):
    """PostgreSQL 17 and later; ALPN is sent, else the server would refuse."""
    for major in [version for version in servers.versions if version >= 17]:
        gateway, port = before(f"localhost:{servers[major].port}", upstream_tls={
            "mode": "verify-full", "caFile": str(authority.cert), "direct": True})
        with RawClient(port) as client:
            client.login()
            assert client.simple("select ssl from pg_stat_ssl where pid = pg_backend_pid()") == [["t"]]
        assert gateway.wait_end()[0]["serverTls"].startswith("TLSv1.3")


def test_bytes_behind_the_servers_s(before, authority):
    """The mirror of the attack: bytes that came with the S, before the handshake, are not the server's."""
    def serve(connection, _server):
        connection.recv(8)
        connection.sendall(b"S" + authentication_ok())
        time.sleep(1)
    with FakeServer(serve, login=False) as fake:
        gateway, port = before(fake.endpoint, upstream_tls={"mode": "require"})
        with RawClient(port) as client, pytest.raises(Refused):
            client.login()
        assert gateway.wait_end()[0]["cause"] in ("tls_server", "protocol_server")


def test_error_instead_of_an_answer_to_ssl_request(before):
    """A server that is out of processes answers with an ErrorResponse; it is not authenticated, so it is not passed on."""
    def serve(connection, _server):
        connection.recv(8)
        connection.sendall(message("E", b"SFATAL\0C53300\0Mtoo many clients already\0\0"))
        connection.close()
    with FakeServer(serve, login=False) as fake:
        gateway, port = before(fake.endpoint, upstream_tls={"mode": "require"})
        with RawClient(port) as client, pytest.raises(Refused) as refused:
            client.login()
        assert refused.value.code in ("08001", "08006")


def test_settings_of_the_route(before):
    with FakeServer(discard) as fake:
        _gateway, port = before(fake.endpoint, route={"settings": {"statement_timeout": "30s"}})
        with RawClient(port) as client:
            client.login(application_name="a")
        assert b"statement_timeout\x0030s\0" in fake.startups[0]
        assert b"application_name\0a\0" in fake.startups[0]


def test_no_route(before, server):
    gateway, port = before(server, route={"match": {"database": "other", "user": ["a*", "b"]}})
    with RawClient(port) as client, pytest.raises(Refused) as refused:
        client.login()
    assert refused.value.code == "28000" and "trustuser" in refused.value.fields["M"]
    with RawClient(port) as client, pytest.raises(Refused) as refused:
        client.login("app", database="other")
    assert refused.value.code != "28000" or "no route" not in refused.value.fields["M"]


def test_read_startup_helper_is_right(server):
    """The fake server's reading of packets, against nobody: guards the tests above."""
    ours, theirs = socket.socketpair()
    ours.sendall(SSL_REQUEST)
    ours.sendall(startup({"user": "u"}))
    _, packet = read_startup(theirs)
    assert packet == startup({"user": "u"}) and ours.recv(1) == b"N"


@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_a_pool_negotiates_the_version_before_anything_else(pooled, mode):
    """As PostgreSQL does; libpq 19 announces 3.9999 and an option that nobody knows."""
    _gateway, port = pooled(mode, size=1)
    with RawClient(port, timeout=10) as client:
        client.send(startup({"user": USER, "database": "app", "_pq_.future": "1"}, (3, 9999)))
        kind, body = client.read()
        assert kind == "v" and body == struct.pack("!ii", (3 << 16) + 2, 1) + b"_pq_.future\0"
        client.authenticate(USER, PASSWORD)
        assert client.negotiated is None, "it is told once"
        assert client.simple("select 1") == [["1"]]

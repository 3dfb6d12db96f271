"""TLS on both legs: certificates by SNI, client certificates, resumption, versions, and how the server is verified."""

from __future__ import annotations

import socket
import ssl
import subprocess

import pytest

from harness.certs import Authority
from harness.fakeserver import FakeServer, authentication_ok, discard
from harness.gateway import port_of, settle, simple_config
from harness.postgres import PASSWORD, USER
from harness.wire import RawClient, Refused, message, startup, trusting

pytestmark = pytest.mark.needs_gateway


def files(certificate) -> dict:
    return {"certFile": str(certificate.cert), "keyFile": str(certificate.key)}


def tls_of(*certificates, **more) -> dict:
    return {"mode": "require", "certificates": [files(each) for each in certificates]} | more


def session(port: int, context: ssl.SSLContext, name: str = "localhost") -> RawClient:
    client = RawClient(port)
    assert client.ssl_request() == b"S"
    return client.tls(context, name)


# ---- certificates by SNI ----


@pytest.fixture
def by_name(before, server, authority):
    first = authority.issue("first", ("DNS:localhost",))
    exact = authority.issue("exact", ("DNS:app.db.example.org",))
    wild = authority.issue("wild", ("DNS:*.wild.example.org",))
    return before(server, tls=tls_of(first, exact, wild))


@pytest.mark.parametrize("name,common_name", [
    ("app.db.example.org", "exact"), ("APP.db.example.org", "exact"), ("one.wild.example.org", "wild"),
    ("localhost", "first"), ("unknown.example.org", "first"), ("a.b.wild.example.org", "first"),
])
def test_certificate_by_server_name(by_name, authority, name, common_name):
    gateway, port = by_name
    context = trusting(authority.cert)
    context.check_hostname = False
    with session(port, context, name) as client:
        assert _common_name(client) == common_name
        client.login()
    assert gateway.wait_end()[0]["serverName"].lower() == name.lower()


def _common_name(client: RawClient) -> str:
    return dict(part[0] for part in client.socket.getpeercert()["subject"])["commonName"]


def test_without_a_server_name(by_name, authority):
    gateway, port = by_name
    context = trusting(authority.cert)
    context.check_hostname = False
    client = RawClient(port)
    client.ssl_request()
    client.socket = context.wrap_socket(client.socket)
    with client:
        assert _common_name(client) == "first"
        client.login()
    assert "serverName" not in gateway.wait_end()[0]


def test_route_by_server_name(before, server, authority):
    certificate = authority.issue("gateway")
    _gateway, port = before(server, tls=tls_of(certificate), route={"match": {"serverName": "app.*"}})
    context = trusting(authority.cert, verify=False)
    with session(port, context, "app.example.org") as client:
        client.login()
    with session(port, context, "other.example.org") as client, pytest.raises(Refused) as refused:
        client.login()
    assert refused.value.code == "28000"


# ---- passthrough ----


def test_passthrough_routes_by_name(start_gateway, servers, authority):
    """The gateway reads the ClientHello and hands everything on unopened; so the certificate is the server's."""
    majors = sorted({servers.versions[0], servers.versions[-1]})
    config = simple_config("127.0.0.1:1", tls={"mode": "passthrough"})
    config["routes"] = [{"name": f"r{major}", "match": {"serverName": f"pg{major}.example.org"}, "upstream": f"u{major}"}
                        for major in majors]
    config["upstreams"] = [{"name": f"u{major}", "endpoints": [f"127.0.0.1:{servers[major].port}"],
                            "tls": {"mode": "require"}} for major in majors]
    gateway = start_gateway(config)
    context = trusting(authority.cert, alpn=True)
    context.check_hostname = False
    for major in majors:
        with session(port_of(config, "main"), context, f"pg{major}.example.org") as client:
            assert _common_name(client) == "server"
            client.login(USER, PASSWORD)
            assert client.parameters["server_version"].split(".")[0] == str(major)
        if major >= 17:
            with RawClient(port_of(config, "main")) as client:
                client.tls(context, f"pg{major}.example.org").login(USER, PASSWORD)
    lines = gateway.wait_end(count=len(majors))
    assert lines[0]["serverName"] == f"pg{majors[0]}.example.org"


def test_passthrough_refuses_plaintext_and_unknown_names(before, server, authority):
    gateway, port = before(server, tls={"mode": "passthrough"}, upstream_tls={"mode": "require"},
                           route={"match": {"serverName": "known.example.org"}})
    with RawClient(port) as client, pytest.raises(Refused) as refused:
        client.login()
    assert refused.value.code.startswith("28")
    context = trusting(authority.cert, verify=False)
    with RawClient(port) as client:
        assert client.ssl_request() == b"S"
        with pytest.raises((ssl.SSLError, OSError)):
            client.tls(context, "unknown.example.org")
    gateway.wait_end(count=2)


def test_passthrough_of_a_client_hello_in_pieces(before, server, authority):
    """Written byte by byte, as a slow path may deliver it."""
    _gateway, port = before(server, tls={"mode": "passthrough"}, upstream_tls={"mode": "require"})
    client = RawClient(port)
    client.ssl_request()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = trusting(authority.cert).wrap_bio(incoming, outgoing, server_hostname="localhost")
    for _ in range(10):
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            for byte in outgoing.read():
                client.send(bytes([byte]))
            incoming.write(client.receive_some())
    for byte in outgoing.read():
        client.send(bytes([byte]))
    assert tls.version() in ("TLSv1.2", "TLSv1.3")
    client.close()


# ---- client certificates ----


@pytest.mark.parametrize("wanted", ["none", "request", "require"])
@pytest.mark.parametrize("shown", [None, "ours", "strangers"])
def test_client_certificate(before, server, authority, tmp_path, wanted, shown):
    listener = tls_of(authority.issue("gateway"), clientCaFile=str(authority.cert), clientCertificate=wanted)
    gateway, port = before(server, tls=listener)
    context = trusting(authority.cert)
    if shown:
        signer = authority if shown == "ours" else Authority(tmp_path / "strangers", "strangers")
        certificate = signer.issue("a-client", ())
        context.load_cert_chain(certificate.cert, certificate.key)
    refused = (wanted == "require" and shown != "ours") or (wanted == "request" and shown == "strangers")
    try:
        with session(port, context) as client:
            client.login()
        assert not refused, "it should have been refused"
    except (ssl.SSLError, OSError):
        assert refused, "it should have been accepted"
    except Exception as failure:
        assert refused and type(failure).__name__ == "Closed", failure
    if refused:
        assert gateway.wait_end()[0]["cause"] == "tls_client"


def test_certificate_for_the_server(before, server, authority):
    """The gateway's own certificate logs `certuser` in."""
    mine = authority.issue("certuser", (), common_name="certuser")
    upstream = {"mode": "verify-full", "caFile": str(authority.cert)}
    _gateway, port = before(f"localhost:{server.port}", upstream_tls=upstream | files(mine))
    with RawClient(port) as client:
        client.login("certuser")
        assert client.simple("select current_user") == [["certuser"]]
    _gateway, port = before(f"localhost:{server.port}", upstream_tls=upstream)
    with RawClient(port) as client, pytest.raises(Refused):
        client.login("certuser")


# ---- resumption, versions ----


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("workers", [1, 4])
def test_resumption(before, server, authority, version, workers):
    """On any worker: tickets are sealed with a key that all share."""
    _gateway, port = before(server, tls=tls_of(authority.issue("gateway")), workers=workers)
    context = trusting(authority.cert)
    context.minimum_version = context.maximum_version = version
    with session(port, context) as client:
        client.login()
        client.simple("select 1")
        ticket = client.socket.session
        assert not client.socket.session_reused
    reused = 0
    for _ in range(8):
        client = RawClient(port)
        client.ssl_request()
        client.socket = context.wrap_socket(client.socket, server_hostname="localhost", session=ticket)
        with client:
            client.login()
            assert client.simple("select 1") == [["1"]]
            reused += client.socket.session_reused
            ticket = client.socket.session
    assert reused == 8


@pytest.mark.parametrize("least,offered,good", [
    ("1.2", ssl.TLSVersion.TLSv1_2, True), ("1.2", ssl.TLSVersion.TLSv1_3, True),
    ("1.3", ssl.TLSVersion.TLSv1_2, False), ("1.3", ssl.TLSVersion.TLSv1_3, True)])
def test_minimum_version(before, server, authority, least, offered, good):
    gateway, port = before(server, tls=tls_of(authority.issue("gateway"), minVersion=least))
    context = trusting(authority.cert)
    context.minimum_version = context.maximum_version = offered
    try:
        with session(port, context) as client:
            client.login()
        assert good
        assert gateway.wait_end()[0]["tls"].startswith("TLSv1.2" if offered == ssl.TLSVersion.TLSv1_2 else "TLSv1.3")
    except (ssl.SSLError, OSError):
        assert not good
        assert gateway.wait_end()[0]["cause"] == "tls_client"


@pytest.mark.parametrize("key", ["ec", "rsa"])
def test_kinds_of_keys(before, server, authority, key):
    _gateway, port = before(server, tls=tls_of(authority.issue(f"kind-{key}", key=key)))
    with session(port, trusting(authority.cert)) as client:
        client.login()


def test_key_update_and_renegotiation_by_openssl(before, authority):
    """A TLS 1.3 client may ask for new keys in the middle of a session (openssl's K command)."""
    with FakeServer(discard) as fake:
        certificate = authority.issue("server")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.cert, certificate.key)
        _gateway, port = before(fake.endpoint, tls=tls_of(authority.issue("gateway")))
        process = subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-starttls", "postgres",
                                    "-CAfile", str(authority.cert), "-tls1_3"],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        settle(0.5)
        process.stdin.write(b"K\n")
        process.stdin.flush()
        settle(0.3)
        assert process.poll() is None
        process.stdin.write(b"k\n")
        process.stdin.flush()
        settle(0.3)
        assert process.poll() is None
        out, _ = process.communicate(b"Q\n", timeout=10)
        assert b"KEYUPDATE" in out and b"Verify return code: 0" in out, out[-500:]


def test_close_notify_and_its_absence(before, server, authority):
    """A client that says close_notify left in order; one that does not is treated as PostgreSQL does: an end of file."""
    gateway, port = before(server, tls=tls_of(authority.issue("gateway")))
    with session(port, trusting(authority.cert)) as client:
        client.login()
    assert gateway.wait_end()[0]["cause"] == "client_eof"
    client = session(port, trusting(authority.cert))
    client.login()
    client.socket.setblocking(True)
    try:
        client.socket.settimeout(3)
        client.socket.unwrap()
    except (ssl.SSLError, OSError):
        pass
    client.close()
    assert gateway.wait_end(count=2)[1]["cause"] == "client_eof"


# ---- how the server is verified ----


@pytest.mark.parametrize("mode,host,names,good", [
    ("verify-full", "localhost", ("DNS:localhost",), True),
    ("verify-full", "localhost", ("DNS:other.example.org",), False),
    ("verify-full", "localhost", (), False),
    ("verify-full", "127.0.0.1", ("IP:127.0.0.1",), True),
    ("verify-full", "127.0.0.1", ("DNS:localhost", "IP:127.0.0.2"), False),
    ("verify-full", "127.0.0.1", ("DNS:127.0.0.1",), None),
    ("verify-full", "localhost", ("IP:127.0.0.1",), False),
    ("verify-ca", "127.0.0.1", ("DNS:other.example.org",), True),
    ("require", "127.0.0.1", ("DNS:other.example.org",), True),
])
def test_verification_of_the_server(before, authority, mode, host, names, good):
    certificate = authority.issue(f"upstream-{abs(hash(names))}", names, common_name="localhost.invalid")
    _verify(before, certificate, upstream_tls(mode, authority), host, good)


@pytest.mark.parametrize("mode,good", [("verify-full", False), ("verify-ca", False), ("require", True), ("prefer", True)])
def test_server_of_another_authority(before, authority, tmp_path, mode, good):
    certificate = Authority(tmp_path / "strangers", "strangers").issue("localhost")
    _verify(before, certificate, upstream_tls(mode, authority), "localhost", good)


def upstream_tls(mode: str, authority) -> dict:
    """A caFile that would not be looked at is refused by the configuration."""
    return {"mode": mode} | ({"caFile": str(authority.cert)} if mode.startswith("verify") else {})


def _verify(before, certificate, tls: dict, host: str, good: bool | None) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.cert, certificate.key)
    with FakeServer(discard, tls=context) as fake:
        gateway, port = before(f"{host}:{fake.port}", upstream_tls=tls)
        try:
            with RawClient(port) as client:
                client.login()
            assert good is not False, "the server should have been refused"
            assert gateway.wait_end()[0]["serverTls"].startswith("TLSv1.")
        except Refused as refused:
            assert good is not True, f"the server should have been accepted: {refused}"
            assert refused.code in ("08001", "08006")
            assert gateway.wait_end()[0]["cause"] == "tls_server"


def test_server_name_is_sent_to_the_server(before, authority):
    names = []
    certificate = authority.issue("server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.cert, certificate.key)
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    with FakeServer(discard, tls=context) as fake:
        for host in ("localhost", "127.0.0.1"):
            _gateway, port = before(f"{host}:{fake.port}", upstream_tls={"mode": "require"})
            with RawClient(port) as client:
                client.login()
    assert names == ["localhost", None], "a name, but never an address"


def test_same_certificate_is_checked(before, server, authority):
    """The operator promised one certificate on both legs; the promise is looked at."""
    gateway, port = before(f"localhost:{server.port}", tls=tls_of(authority.issue("gateway")), upstream_tls={
        "mode": "verify-full", "caFile": str(authority.cert), "sameCertificate": True})
    with session(port, trusting(authority.cert)) as client, pytest.raises(Refused) as refused:
        client.login(USER, PASSWORD)
    assert "certificate" in refused.value.fields["M"]
    gateway.wait_end()


def test_errors_travel_inside_tls(before, authority):
    from harness.system import free_port
    _gateway, port = before(f"127.0.0.1:{free_port()}", tls=tls_of(authority.issue("gateway")))
    with session(port, trusting(authority.cert)) as client, pytest.raises(Refused) as refused:
        client.login()
    assert refused.value.fields["V"] == "FATAL"


def test_records_to_clients_are_small(before, authority):
    """libpq's non-blocking interface loses sight of what is beyond 8 KiB of a record; PostgreSQL never sends more."""
    def serve(connection, server):
        connection.recv(1)
        connection.sendall(message("D", b"x" * 300_000))
        discard(connection, server)
    with FakeServer(serve) as fake:
        _gateway, port = before(fake.endpoint, tls=tls_of(authority.issue("gateway")))
        client = RawClient(port)
        assert client.ssl_request() == b"S"
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = trusting(authority.cert).wrap_bio(incoming, outgoing, server_hostname="localhost")
        plain, sizes = b"", []

        def turn(work):
            nonlocal plain
            while True:
                try:
                    done = work()
                    client.send(outgoing.read())
                    return done
                except ssl.SSLWantReadError:
                    client.send(outgoing.read())
                    header = client.receive(5)
                    sizes.append(int.from_bytes(header[3:5], "big"))
                    incoming.write(header + client.receive(sizes[-1]))
        turn(tls.do_handshake)
        turn(lambda: tls.write(startup({"user": "u"})))
        while len(plain) < len(authentication_ok()):
            plain += turn(lambda: tls.read(65536))
        turn(lambda: tls.write(b"x"))
        while len(plain) < len(authentication_ok()) + 300_005:
            plain += turn(lambda: tls.read(65536))
        client.close()
        assert 4_000 < max(sizes) <= 8192 + 64, max(sizes)


def test_many_handshakes_at_once(before, server, authority):
    _gateway, port = before(server, tls=tls_of(authority.issue("gateway")))
    context = trusting(authority.cert)
    raw = [socket.create_connection(("127.0.0.1", port)) for _ in range(50)]
    for each in raw:
        each.close()
    clients = [session(port, context) for _ in range(30)]
    for client in clients:
        client.login()
    for client in clients:
        assert client.simple("select 1") == [["1"]]
        client.close()

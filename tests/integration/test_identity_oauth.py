"""OAUTHBEARER (RFC 7628) as PostgreSQL 18's libpq speaks it, and as a client that speaks it wrongly does."""

from __future__ import annotations

import json
import os
import struct
import subprocess

import pytest

from harness.gateway import port_of, simple_config
from harness.system import DEPENDENCIES
from harness.wire import RawClient, error_fields, message, startup, trusting

pytestmark = pytest.mark.needs_gateway

LIBRARY = (DEPENDENCIES / "postgres" / "18" / "lib").resolve()

# PQsetAuthDataHook with a hook that has a token at once: PGoauthBearerRequest is {openid_configuration, scope, async,
# cleanup, token, user}. psycopg has no such hook, so it is libpq itself.
HOOKED = """
import ctypes, sys
lib = ctypes.CDLL(sys.argv[1] + "/libpq.so.5")
lib.PQconnectdb.restype = lib.PQexec.restype = ctypes.c_void_p
lib.PQerrorMessage.restype = lib.PQgetvalue.restype = ctypes.c_char_p
class Request(ctypes.Structure):
    _fields_ = [("openid_configuration", ctypes.c_char_p), ("scope", ctypes.c_char_p), ("run", ctypes.c_void_p),
                ("cleanup", ctypes.c_void_p), ("token", ctypes.c_char_p), ("user", ctypes.c_void_p)]
@ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
def hook(kind, _connection, data):
    if kind != 1:  # PQAUTHDATA_OAUTH_BEARER_TOKEN
        return 0
    request = ctypes.cast(data, ctypes.POINTER(Request)).contents
    print("asked", request.openid_configuration.decode(), (request.scope or b"").decode())
    request.token = sys.argv[3].encode()
    return 1
lib.PQsetAuthDataHook(hook)
connection = ctypes.c_void_p(lib.PQconnectdb(sys.argv[2].encode()))
if lib.PQstatus(connection) != 0:
    print("failed", lib.PQerrorMessage(connection).decode())
    sys.exit()
result = ctypes.c_void_p(lib.PQexec(connection, b"select current_user"))
print("user", lib.PQgetvalue(result, 0, 0).decode())
"""


@pytest.fixture
def oauth_port(start_gateway, server, authority, issuer):
    certificate = authority.issue("gateway")
    gateway = start_gateway(simple_config(
        server.endpoint, tls={"mode": "require", "certificates": [
            {"certFile": str(certificate.cert), "keyFile": str(certificate.key)}]},
        route={"credentials": {"user": "trustuser"}, "auth": {"method": "jwt", "jwt": {
            "issuer": issuer.url, "audience": "db", "caFile": str(authority.cert), "offer": "oauthbearer",
            "scope": "openid db"}}}))
    return port_of(gateway.config, "main")


def connect(port: int, authority) -> RawClient:
    client = RawClient(port, timeout=30)
    assert client.ssl_request() == b"S"
    return client.tls(trusting(authority.cert))


def begin(client: RawClient, user: str = "alice") -> list[str]:
    """The start-up, and the mechanisms that are offered."""
    client.send(startup({"user": user, "database": "app"}))
    kind, body = client.read()
    assert kind == "R" and struct.unpack("!i", body[:4]) == (10,)
    return [word.decode() for word in body[4:].split(b"\0") if word]


def say(client: RawClient, text: bytes, mechanism: bytes = b"OAUTHBEARER") -> tuple[str, bytes]:
    client.send(message("p", mechanism + b"\0" + struct.pack("!i", len(text)) + text))
    return client.read()


def bearer(token: str) -> bytes:
    return b"n,,\1auth=Bearer " + token.encode() + b"\1\1"


def test_a_token_lets_in(oauth_port, issuer, authority):
    with connect(oauth_port, authority) as client:
        assert begin(client) == ["OAUTHBEARER"]
        kind, body = say(client, bearer(issuer.token("alice")))
        assert kind == "R" and struct.unpack("!i", body[:4]) == (0,), "no message of the mechanism's comes before"
        client.authenticate("alice", "")
        assert client.simple("select current_user") == [["trustuser"]]


@pytest.mark.parametrize("text", [b"n,,\1auth=\1\1", bearer("not.a.token")])
def test_who_has_no_token_is_told_where_to_get_one(oauth_port, issuer, authority, text):
    with connect(oauth_port, authority) as client:
        begin(client)
        kind, body = say(client, text)
        assert kind == "R" and struct.unpack("!i", body[:4]) == (11,)
        assert json.loads(body[4:]) == {"status": "invalid_token", "scope": "openid db",
                                        "openid-configuration": issuer.url + "/.well-known/openid-configuration"}
        client.send(message("p", b"\1"))
        kind, body = client.read()
        fields = error_fields(body)
        assert kind == "E" and fields["C"] == "28000"
        assert fields["M"] == 'OAuth bearer authentication failed for user "alice"'


@pytest.mark.parametrize("text,mechanism", [
    (b"n,,\1auth=Bearer x\1", b"OAUTHBEARER"), (b"p=tls-exporter,,\1auth=Bearer x\1\1", b"OAUTHBEARER"),
    (b"n,a=root,\1auth=Bearer x\1\1", b"OAUTHBEARER"), (b"", b"OAUTHBEARER"), (b"n,,n=,r=abc", b"SCRAM-SHA-256"),
    (b"\0" * 5000, b"OAUTHBEARER")])
def test_who_speaks_it_wrongly(oauth_port, authority, text, mechanism):
    with connect(oauth_port, authority) as client:
        begin(client)
        kind, body = say(client, text, mechanism)
        assert kind == "E" and error_fields(body)["C"] == "08P01"


def test_what_follows_the_failure_must_be_its_acknowledgement(oauth_port, authority):
    with connect(oauth_port, authority) as client:
        begin(client)
        assert say(client, b"n,,\1auth=\1\1")[0] == "R"
        client.send(message("p", b"let me in"))
        assert error_fields(client.read()[1])["C"] == "08P01"


@pytest.fixture
def hooked(servers, oauth_port, issuer, authority, tmp_path):
    """`hooked(token, **conninfo)` -> what libpq 18 with a token hook says."""
    if 18 not in servers.versions or not (LIBRARY / "libpq.so.5").exists():
        pytest.skip("needs PostgreSQL 18 from npm")
    script = tmp_path / "hooked.py"
    script.write_text(HOOKED)

    def run(token: str, **more) -> list[str]:
        words = {"host": "localhost", "hostaddr": "127.0.0.1", "port": oauth_port, "user": "alice", "dbname": "app",
                 "sslmode": "verify-full", "sslrootcert": authority.cert, "oauth_issuer": issuer.url,
                 "oauth_client_id": "psql"} | more
        conninfo = " ".join(f"{key}='{value}'" for key, value in words.items())
        done = subprocess.run(["/usr/bin/python3", str(script), str(LIBRARY), conninfo, token], text=True, timeout=60,
                              capture_output=True, env=os.environ | {"LD_LIBRARY_PATH": str(LIBRARY)})
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.splitlines()
    return run


def test_libpq_18_with_a_token_hook(hooked, issuer):
    """It asks where to get a token, hears it from the gateway, gets one from its hook, and is let in."""
    said = hooked(issuer.token("alice"))
    assert said == [f"asked {issuer.url}/.well-known/openid-configuration openid db", "user trustuser"], said


def test_libpq_18_with_a_token_that_will_not_do(hooked, issuer):
    said = hooked(issuer.token("alice", lasts=-60))
    assert any("OAuth bearer authentication failed" in line or "token" in line for line in said), said
    assert not any(line.startswith("user") for line in said)


def test_libpq_18_of_another_issuer(hooked, issuer):
    """The client does not believe a gateway that names an issuer other than its own."""
    said = hooked(issuer.token("alice"), oauth_issuer="https://127.0.0.1:1/other")
    assert said[0].startswith("failed") and "issuer" in said[0], said

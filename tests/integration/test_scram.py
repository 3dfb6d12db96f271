"""SCRAM: the gateway as its server and as its client, with verifiers only, and the combinations that cannot work."""

from __future__ import annotations

import base64
import hashlib
import hmac
import subprocess

import psycopg
import pytest

from harness.gateway import simple_config
from harness.postgres import PASSWORD, SUPERUSER, SUPERUSER_PASSWORD, USER
from harness.wire import RawClient, Refused, Scram, trusting

pytestmark = pytest.mark.needs_gateway


@pytest.fixture
def verifier_file(server, tmp_path):
    file = tmp_path / "verifiers"
    file.write_text("".join(f'"{role}" "{verifier}"\n' for role, verifier in server.verifiers()))
    return file


def tls_of(certificate) -> dict:
    return {"mode": "require",
            "certificates": [{"certFile": str(certificate.cert), "keyFile": str(certificate.key)}]}


def both_legs(authority, key="ec") -> dict:
    return {"tls": tls_of(authority.issue(f"scram-{key}", key=key)),
            "upstream_tls": {"mode": "verify-full", "caFile": str(authority.cert)}}


def psycopg_connect(port, authority=None, **more):
    words = {"host": "localhost" if authority else "127.0.0.1", "port": port, "user": USER, "password": PASSWORD,
             "dbname": "app", "connect_timeout": 10, "sslmode": "disable"}
    if authority:
        words |= {"sslmode": "verify-full", "sslrootcert": str(authority.cert)}
    return psycopg.connect(**(words | more))


def local(server) -> str:
    return f"localhost:{server.port}"


# ---- where the keys come from ----


@pytest.fixture(params=["verifier file", "auth_query", "credentials", "passwordless verifiers and credentials"])
def source(request, server, verifier_file, tmp_path, monkeypatch):
    """The route's auth, for each way in which the gateway can know a user."""
    monkeypatch.setenv("INTEGRATION_PASSWORD", SUPERUSER_PASSWORD)
    secret = tmp_path / "password"
    secret.write_text(PASSWORD + "\n")
    if request.param == "verifier file":
        return {"auth": {"method": "scram", "verifierFile": str(verifier_file)}}
    if request.param == "auth_query":
        return {"auth": {"method": "scram", "query": {"user": SUPERUSER, "password": "${INTEGRATION_PASSWORD}",
                                                      "database": "postgres"}}}
    if request.param == "credentials":
        return {"auth": {"method": "scram"}, "route": {"credentials": {"user": USER, "passwordFile": str(secret)}}}
    return {"auth": {"method": "scram", "verifierFile": str(verifier_file)},
            "route": {"credentials": {"user": USER, "passwordFile": str(secret)}}}


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_login(before, server, authority, source, tls):
    source = dict(source)
    auth, route = source["auth"], {"auth": source["auth"]} | source.get("route", {})
    gateway, port = before(local(server), auth=auth, route=route, **(both_legs(authority) if tls else {}))
    for _ in range(3):
        with psycopg_connect(port, authority if tls else None) as session:
            assert session.execute("select current_user::text").fetchone() == (USER,)
            (ssl,) = session.execute("select ssl from pg_stat_ssl where pid = pg_backend_pid()").fetchone()
            assert ssl == tls
    for words in ({"password": "wrong"}, {"user": "unknown-user"}, {"password": ""}):
        with pytest.raises(psycopg.OperationalError) as refused:
            psycopg_connect(port, authority if tls else None, **words)
        if words != {"password": ""}:
            assert "password authentication failed" in str(refused.value)
    assert PASSWORD not in gateway.stderr_text()


@pytest.mark.parametrize("key", ["ec", "rsa"])
def test_channel_binding_can_be_required(before, server, authority, verifier_file, key):
    """-PLUS with the gateway's own certificate."""
    _gateway, port = before(local(server), auth={"method": "scram", "verifierFile": str(verifier_file)},
                            **both_legs(authority, key))
    with psycopg_connect(port, authority, channel_binding="require") as session:
        assert session.execute("select 1").fetchone() == (1,)
    with psycopg_connect(port, authority, channel_binding="disable") as session:
        assert session.execute("select 1").fetchone() == (1,)


def test_the_gateway_binds_its_own_channel_to_the_server(before, server, authority, verifier_file):
    """Where the server offers -PLUS, it is used: the server's log tells the method (PostgreSQL 14 and later)."""
    mark = len(server.log_text())
    _gateway, port = before(local(server), auth={"method": "scram", "verifierFile": str(verifier_file)},
                            **both_legs(authority))
    with psycopg_connect(port, authority, application_name="bound"):
        pass
    assert "method=scram-sha-256" in server.log_text()[mark:]


def test_channel_binding_without_tls_is_impossible(before, server, verifier_file):
    _gateway, port = before(server, auth={"method": "scram", "verifierFile": str(verifier_file)})
    with pytest.raises(psycopg.OperationalError):
        psycopg_connect(port, channel_binding="require")
    with RawClient(port) as client:
        scram = Scram(PASSWORD)
        client.login(USER, scram=scram)
        assert scram.offered == ["SCRAM-SHA-256"]


# ---- raw exchanges ----


def tls_client(port, authority) -> RawClient:
    client = RawClient(port)
    assert client.ssl_request() == b"S"
    return client.tls(trusting(authority.cert))


def fingerprint(client: RawClient) -> bytes:
    """tls-server-end-point (RFC 5929): SHA-256 of the certificate, for certificates signed with SHA-256."""
    return hashlib.sha256(client.socket.getpeercert(binary_form=True)).digest()


@pytest.fixture
def gateway_scram(before, server, authority, verifier_file):
    return before(local(server), auth={"method": "scram", "verifierFile": str(verifier_file)}, **both_legs(authority))


def test_plus_by_hand(gateway_scram, authority):
    _gateway, port = gateway_scram
    with tls_client(port, authority) as client:
        scram = Scram(PASSWORD, flag="p", binding=fingerprint(client))
        client.login(USER, scram=scram)
        assert scram.offered == ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"], "the stronger one first"
        assert client.simple("select 1") == [["1"]]


def test_wrong_binding_is_refused(gateway_scram, authority):
    """What a man in the middle would produce: a client that saw another certificate."""
    gateway, port = gateway_scram
    with tls_client(port, authority) as client, pytest.raises(Refused) as refused:
        client.login(USER, scram=Scram(PASSWORD, flag="p", binding=b"\1" * 32))
    assert refused.value.fields["V"] == "FATAL" and refused.value.code in ("28000", "08P01", "28P01")
    assert gateway.wait_end()[0]["cause"].startswith("login_failed:")


def test_downgrade_is_refused(gateway_scram, authority):
    """Flag y says: I could bind, but you did not offer it. We did, so somebody took it out of the list."""
    gateway, port = gateway_scram
    with tls_client(port, authority) as client, pytest.raises(Refused) as refused:
        client.login(USER, scram=Scram(PASSWORD, flag="y"))
    assert refused.value.fields["V"] == "FATAL" and refused.value.code.startswith(("28", "08"))
    gateway.wait_end()


def test_flag_y_without_tls_is_good(before, server, verifier_file):
    _gateway, port = before(server, auth={"method": "scram", "verifierFile": str(verifier_file)})
    with RawClient(port) as client:
        client.login(USER, scram=Scram(PASSWORD, flag="y"))


def test_wrong_proof(gateway_scram, authority):
    gateway, port = gateway_scram
    with tls_client(port, authority) as client, pytest.raises(Refused) as refused:
        client.login(USER, scram=Scram(PASSWORD, corrupt=True))
    assert refused.value.code == "28P01"
    assert gateway.wait_end()[0]["cause"] == "login_failed:28P01"


def test_unknown_mechanism(gateway_scram, authority):
    gateway, port = gateway_scram
    with tls_client(port, authority) as client, pytest.raises(Refused):
        client.login(USER, scram=Scram(PASSWORD, mechanism="SCRAM-SHA-1"))
    gateway.wait_end()


def test_an_unknown_user_is_not_told_apart(gateway_scram, authority):
    """The same exchange, and a salt that stays the same from login to login, different for each name."""
    _gateway, port = gateway_scram
    salts = []
    for name in ("ghost", "ghost", "another ghost"):
        with tls_client(port, authority) as client, pytest.raises(Refused) as refused:
            scram = Scram("whatever")
            client.login(name, scram=scram)
        assert refused.value.code == "28P01"
        assert name in refused.value.fields["M"]
        salts.append(scram.salt)
    assert salts[0] == salts[1] != salts[2] and len(salts[0]) == 16


def test_stale_verifier(before, server, tmp_path):
    """The gateway's copy fits the client's password, but the server has another verifier: it says what to do."""
    salt = b"0123456789abcdef"
    salted = hashlib.pbkdf2_hmac("sha256", b"old password", salt, 4096)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    key = hmac.digest(salted, b"Server Key", "sha256")
    text = "SCRAM-SHA-256$4096:%s$%s:%s" % tuple(base64.b64encode(part).decode() for part in (salt, stored, key))
    file = tmp_path / "stale"
    file.write_text(f'"{USER}" "{text}"\n')
    gateway, port = before(server, auth={"method": "scram", "verifierFile": str(file)})
    with RawClient(port) as client, pytest.raises(Refused) as refused:
        client.login(USER, scram=Scram("old password"))
    assert refused.value.code.startswith("28"), refused.value
    assert gateway.wait_end()[0]["cause"].startswith("login_failed:28")


# ---- auth: server ----


@pytest.mark.parametrize("user,password", [("md5user", "digest"), ("clearuser", "in the clear"), (USER, PASSWORD),
                                           ("trustuser", "")])
def test_every_method_of_the_server_passes_through(before, server, user, password):
    _gateway, port = before(server)
    with RawClient(port) as client:
        client.login(user, password)
        assert client.simple("select current_user") == [[user]]


def test_the_gateway_answers_every_method_of_the_server(before, server, tmp_path, monkeypatch):
    """trust (no password asked of the client; loopback) with credentials of each kind on the server leg."""
    for user, password in (("md5user", "digest"), ("clearuser", "in the clear"), (USER, PASSWORD)):
        secret = tmp_path / user
        secret.write_text(password)
        _gateway, port = before(server, auth={"method": "trust"}, route={
            "auth": {"method": "trust"}, "credentials": {"user": user, "passwordFile": str(secret)}})
        with RawClient(port) as client:
            client.login("anybody")
            assert client.simple("select current_user") == [[user]]


def test_plain_client_with_tls_server(before, server, authority):
    """-PLUS is taken out of the list, since libpq refuses it on plaintext; the rest works."""
    _gateway, port = before(local(server), upstream_tls={"mode": "verify-full", "caFile": str(authority.cert)})
    with RawClient(port) as client:
        scram = Scram(PASSWORD)
        client.login(USER, scram=scram)
        assert scram.offered == ["SCRAM-SHA-256"]
    with psycopg_connect(port) as session:
        assert session.execute("select 1").fetchone() == (1,)


def test_tls_client_with_plain_server(before, server, authority):
    """libpq sends flag y; the server, whose own leg is plain, accepts it."""
    _gateway, port = before(server, tls=tls_of(authority.issue("gateway")))
    with psycopg_connect(port, authority) as session:
        assert session.execute("select 1").fetchone() == (1,)
    with pytest.raises(psycopg.OperationalError):
        psycopg_connect(port, authority, channel_binding="require")


# ---- what cannot work is refused when the configuration is loaded ----


@pytest.mark.parametrize("client_mode", ["allow", "require"])
def test_the_failing_combination(start_gateway, server, authority, client_mode):
    """TLS on both legs, two certificates, the server authenticates: SCRAM cannot work, so it is refused, with a way out."""
    config = simple_config(local(server), tls=tls_of(authority.issue("gateway")) | {"mode": client_mode},
                           upstream_tls={"mode": "verify-full", "caFile": str(authority.cert)})
    gateway = start_gateway(config, begin=False)
    done = gateway.check()
    said = done.stdout + done.stderr
    assert done.returncode == 2
    assert "scram" in said and "sameCertificate" in said and "routes[0].auth" in said, said
    gateway.start(wait=False)
    assert gateway.wait(10) == 2
    gateway._checked = True


def test_check_shows_no_secret(start_gateway, server, monkeypatch, tmp_path):
    monkeypatch.setenv("INTEGRATION_PASSWORD", "very secret")
    config = simple_config(local(server), auth={"method": "scram"}, route={
        "auth": {"method": "scram"}, "credentials": {"user": USER, "password": "${INTEGRATION_PASSWORD}"}})
    gateway = start_gateway(config, begin=False)
    done = gateway.check()
    assert done.returncode == 0, done.stderr
    assert "very secret" not in done.stdout + done.stderr and "redacted" in done.stdout


def test_version_command(pytestconfig):
    done = subprocess.run([pytestconfig.getoption("--bin"), "version"], capture_output=True, text=True, timeout=10)
    assert done.returncode == 0 and "openssl" in done.stdout

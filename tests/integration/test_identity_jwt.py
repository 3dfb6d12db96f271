"""auth: jwt. A token of an OpenID Connect issuer in the place of a password; every way to forge one is refused."""

from __future__ import annotations

import threading
import time

import psycopg
import pytest

from harness import audit
from harness.access import ended
from harness.console import console, dsn as console_dsn
from harness.gateway import listener, port_of, simple_config
from harness.issuer import Issuer, Key
from harness.system import wait_until
from harness.token_login import connect, login, refusal
from harness.wire import RawClient, Refused, message, query, startup

pytestmark = pytest.mark.needs_gateway

ISSUER_PATHS = ("/.well-known/openid-configuration", "/keys")


def files(certificate) -> dict:
    return {"certFile": str(certificate.cert), "keyFile": str(certificate.key)}


@pytest.fixture
def jwt_route(start_gateway, server, authority, issuer, tmp_path):
    """`jwt_route(jwt={...}, userMap=[...])` -> (gateway, port, audit folder): TLS, one route with tokens."""
    def of(jwt: dict | None = None, route: dict | None = None, **auth):
        folder = tmp_path / ("audit-2" if (tmp_path / "audit").exists() else "audit")
        auth = {"method": "jwt", "jwt": {"issuer": issuer.url, "audience": "db", "caFile": str(authority.cert),
                                         "groupsClaim": "groups"} | (jwt or {})} | auth
        if "jwksFile" in auth["jwt"]:
            del auth["jwt"]["caFile"]
        gateway = start_gateway(simple_config(
            server.endpoint, tls={"mode": "require", "certificates": [files(authority.issue("gateway"))]},
            route={"auth": auth, "credentials": {"user": "trustuser"}} | (route or {}), audit=audit.to_folder(folder)))
        return gateway, port_of(gateway.config, "main"), folder
    return of


# ---- tokens that count ----


@pytest.mark.parametrize("pooling", ["off", "transaction"])
@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256"])
def test_a_token_is_the_password(jwt_route, issuer, authority, algorithm, pooling):
    issuer.keys = [Key(algorithm)]
    gateway, port, folder = jwt_route(route={"pooling": pooling})
    token = issuer.token("alice", groups=["dba", "app"])
    for _ in range(3):
        login(port, authority, "alice", token)
    # At the start, and once more where the first login comes before the answer.
    assert issuer.asked("/keys") <= 2, "its keys are read once"
    good = audit.wait_for(folder, "session.login", lambda line: line["outcome"] == "ok", count=3)[0]
    assert good["method"] == "jwt" and good["principal"] == "alice" and good["groups"] == ["app", "dba"]
    assert token not in gateway.stderr_text() and token.split(".")[2] not in str(audit.lines(folder))


def test_a_driver_needs_nothing_new(jwt_route, issuer, authority):
    _gateway, port, _folder = jwt_route()
    with psycopg.connect(host="localhost", hostaddr="127.0.0.1", port=port, user="alice", password=issuer.token("alice"),
                         dbname="app", sslmode="verify-full", sslrootcert=str(authority.cert)) as session:
        assert session.execute("select current_user").fetchone() == ("trustuser",)


def test_claims_say_who_and_the_map_says_which_user(jwt_route, issuer, authority, tmp_path):
    gateway, port, folder = jwt_route(jwt={"principalClaim": "email", "groupsClaim": "realm.roles"}, userMap=[
        {"principal": "*@example.org", "user": "$1"}, {"group": "dba", "user": "admin_*"}])
    token = issuer.token("7f1c", email="alice@example.org", realm={"roles": ["dba"]})
    login(port, authority, "alice", token)
    login(port, authority, "admin_x", token)
    assert refusal(port, authority, "bob", token).code == "28P01"
    assert refusal(port, authority, "admin_x", issuer.token("7f", email="bob@example.org")).code == "28P01"
    exchange = audit.wait_for(folder, "exchange")[0]
    assert exchange["principal"] == "alice@example.org"


def test_the_console_shows_who_it_is(start_gateway, server, issuer, authority, tmp_path):
    gateway = start_gateway(simple_config(
        server.endpoint, admin=console(tmp_path), route={"credentials": {"user": "trustuser"}, "auth": {
            "method": "jwt", "userMap": [{"user": "*"}],
            "jwt": {"issuer": issuer.url, "audience": "db", "caFile": str(authority.cert)}}}))
    port = port_of(gateway.config, "main")
    with RawClient(port) as client:  # loopback: a token may come without TLS
        client.login("app", issuer.token("alice@example.org"))
        with psycopg.connect(console_dsn(port), autocommit=True) as ops:
            rows = ops.execute("show sessions")
            names = [column.name for column in rows.description]
            shown = [dict(zip(names, row)) for row in rows.fetchall()]
    assert "alice@example.org" in [each["principal"] for each in shown if each["user"] == "app"]


# ---- tokens that do not ----


def test_every_forgery_is_refused_with_one_answer(jwt_route, issuer, authority):
    gateway, port, folder = jwt_route(jwt={"clockSkew": "1s"})
    stranger = Key()
    stranger.id = issuer.keys[0].id
    good = issuer.token("alice")
    head, body, signature = good.split(".")
    other_body = issuer.token("root").split(".")[1]
    forged = {
        issuer.unsigned("alice"): "signature is `none`",
        issuer.confused("alice"): "signature is `HS256`",
        issuer.token("alice", key=stranger): "signature is wrong",
        f"{head}.{other_body}.{signature}": "signature is wrong",
        issuer.token("alice", aud="other"): "another audience",
        issuer.token("alice", iss="https://evil.example.org"): "issuer `https://evil.example.org`",
        issuer.token("alice", lasts=-60): "has expired",
        issuer.token("alice", nbf=int(time.time()) + 600): "not yet valid",
        issuer.token("alice", header={"crit": ["exp"]}): "does not know",
        "a password": "not a token",
        "x" * 62000: "too long",
    }
    said = set()
    for number, token in enumerate(forged):
        with connect(port, authority) as client, pytest.raises(Refused) as refused:
            client.login("alice", token, application_name=f"try {number}")
        said.add((refused.value.code, refused.value.fields["M"], refused.value.fields.get("H")))
    assert said == {("28P01", 'password authentication failed for user "alice"', None)}
    reasons = [line["reason"] for line in audit.wait_for(
        folder, "session.login", lambda line: line["outcome"] == "refused", count=len(forged))]
    for reason in forged.values():
        assert any(reason in each for each in reasons), (reason, reasons)
    assert len(gateway.wait_end(count=len(forged), cause="login_failed:28P01")) == len(forged)


def test_a_token_for_one_gateway_is_nothing_at_another(jwt_route, issuer, authority):
    """Whoever runs one gateway, and sees what is shown to it, cannot use it at the other."""
    _one, first, _folder = jwt_route(jwt={"audience": "db-one"})
    _two, second, folder = jwt_route(jwt={"audience": "db-two"})
    for_first, for_second = issuer.token("alice", aud="db-one"), issuer.token("alice", aud="db-two")
    login(first, authority, "alice", for_first), login(second, authority, "alice", for_second)
    assert refusal(second, authority, "alice", for_first).code == "28P01"
    assert refusal(first, authority, "alice", for_second).code == "28P01"
    login(first, authority, "alice", issuer.token("alice", aud=["db-one", "db-two"]))


def test_a_token_of_100_kib(jwt_route, issuer, authority):
    gateway, port, _folder = jwt_route()
    assert refusal(port, authority, "alice", "x" * 100_000).code == "08P01"
    login(port, authority, "alice", issuer.token("alice"))


def test_guessing_is_slowed(jwt_route, issuer, authority):
    gateway, port, folder = jwt_route()
    good, other = issuer.token("alice"), issuer.token("bob")
    login(port, authority, "alice", good)
    began, codes = time.monotonic(), []
    for _ in range(14):
        codes.append(refusal(port, authority, "alice", "no token").code)
    assert time.monotonic() - began > 2.5, "after ten failures each one costs a second more"
    assert codes == ["28P01"] * 14
    # A token that is known to be good needs no patience, and others from the same place are not held up.
    assert login(port, authority, "alice", good) < 2
    assert login(port, authority, "bob", other) < 2


# ---- issuers ----


def test_keys_are_rotated(jwt_route, issuer, authority):
    gateway, port, _folder = jwt_route()
    first = issuer.token("alice")
    login(port, authority, "alice", first)
    issuer.keys = [Key(), issuer.keys[0]]  # the new one signs, tokens of the old one still count
    login(port, authority, "alice", issuer.token("alice"))
    assert issuer.asked("/keys") == 2
    login(port, authority, "alice", first)
    issuer.keys = [Key("ES256")]
    login(port, authority, "alice", issuer.token("alice"))
    # The first key is gone, and so is what was known of its tokens.
    assert refusal(port, authority, "alice", first).code == "28P01"


def test_unknown_keys_do_not_flood_the_issuer(jwt_route, issuer, authority):
    gateway, port, _folder = jwt_route(userMap=[{"user": "*"}])
    login(port, authority, "alice", issuer.token("alice"))
    for number in range(20):
        assert refusal(port, authority, f"user{number}", issuer.token("alice", key=Key("ES256"))).code == "28P01"
    assert issuer.asked("/keys") <= 8  # a handful at once, then one in ten seconds


def test_a_hanging_issuer_holds_up_nobody(jwt_route, issuer, authority, start_gateway, server):
    gateway, port, _folder = jwt_route()
    known, fresh = issuer.token("alice"), issuer.token("alice", jti="2")
    login(port, authority, "alice", known)
    issuer.hanging.set()
    results = {}

    def with_new_key():
        began = time.monotonic()
        try:
            login(port, authority, "alice", issuer.token("alice", key=Key()))
        except Refused as why:
            results["new"] = why.code, time.monotonic() - began

    waiting = threading.Thread(target=with_new_key)
    waiting.start()
    wait_until(lambda: len(issuer.requests) > 2, 10, "the issuer is asked")
    assert login(port, authority, "alice", known) < 3
    assert login(port, authority, "alice", fresh) < 3, "its key is known"
    waiting.join(30)
    code, took = results["new"]
    assert code == "28P01" and took < 15, results
    issuer.hanging.clear()
    login(port, authority, "alice", issuer.token("alice", jti="3"))


def test_an_issuer_that_was_never_there(jwt_route, issuer, authority):
    issuer.hanging.set()
    gateway, port, folder = jwt_route()
    began = time.monotonic()
    refused = refusal(port, authority, "alice", issuer.token("alice"))
    assert refused.code == "57P03" and time.monotonic() - began < 20
    reason = audit.wait_for(folder, "session.login")[0]["reason"]
    assert "keys are not known" in reason and "/.well-known/openid-configuration" in reason
    issuer.hanging.clear()

    def works():
        try:
            return login(port, authority, "alice", issuer.token("alice"))
        except Refused:
            return False
    wait_until(works, 30, "the issuer is back", 0.5)
    assert [line for line in gateway.log() if line["event"] == "issuer"]


@pytest.mark.parametrize("fault", ["redirect", "html", "no keys", "oct", "huge", "another issuer"])
def test_an_issuer_that_misbehaves(jwt_route, issuer, authority, fault):
    elsewhere = Issuer(authority.issue("gateway"))
    try:
        elsewhere.keys = issuer.keys
        if fault == "redirect":
            issuer.redirect = elsewhere.url
        issuer.jwks_answer = {"html": b"<html>", "no keys": b"{}", "huge": b" " * (2 << 20),
                              "oct": b'{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}'}.get(fault)
        if fault == "another issuer":
            real = issuer.answer
            issuer.answer = lambda path, headers, body: (200, {}, b'{"issuer":"https://evil","jwks_uri":"%s/keys"}' %
                                                         issuer.url.encode()) if "well-known" in path else real(path, headers, body)
        gateway, port, folder = jwt_route()
        assert refusal(port, authority, "alice", issuer.token("alice")).code == "57P03"
        assert not elsewhere.requests, "a redirect is not followed"
        words = {"redirect": "redirect", "html": "not JSON", "no keys": "no list", "oct": "none of 1",
                 "huge": "longer than", "another issuer": "another issuer"}[fault]
        told = wait_until(lambda: [line for line in gateway.log() if line["event"] == "issuer"], 10, "a line")
        assert words in told[0]["message"], told
    finally:
        elsewhere.stop()


def test_keys_from_a_file_change_with_it(jwt_route, issuer, authority, tmp_path):
    file = tmp_path / "jwks.json"
    file.write_bytes(issuer.jwks())
    gateway, port, _folder = jwt_route(jwt={"jwksFile": str(file)})
    login(port, authority, "alice", issuer.token("alice"))
    old = issuer.token("alice")
    issuer.keys = [Key()]
    assert refusal(port, authority, "alice", issuer.token("alice")).code == "28P01"
    new = tmp_path / "new.json"
    new.write_bytes(issuer.jwks())
    new.rename(file)

    def works():
        try:
            return login(port, authority, "alice", issuer.token("alice"))
        except Refused:
            return False
    wait_until(works, 30, "the new keys are in force", 0.5)
    assert refusal(port, authority, "alice", old).code == "28P01"
    assert not issuer.requests


# ---- roads ----


def test_no_token_without_tls(start_gateway, server, issuer, authority, tmp_path):
    """A listener that takes both: whoever comes without TLS is refused before it could send a token."""
    config = simple_config(server.endpoint, route={"credentials": {"user": "trustuser"}, "auth": {
        "method": "jwt", "jwt": {"issuer": issuer.url, "audience": "db", "caFile": str(authority.cert)}}})
    config["listeners"] = [listener("main", tls={"mode": "allow", "certificates": [files(authority.issue("gateway"))]})]
    config["listeners"][0]["address"] = config["listeners"][0]["address"].replace("127.0.0.1", "0.0.0.0")
    gateway = start_gateway(config)
    port = port_of(config, "main")
    with RawClient(port) as client:
        client.send(startup({"user": "alice", "database": "app"}))
        kind, body = client.read()
        assert kind == "E" and b"TLS only" in body
    login(port, authority, "alice", issuer.token("alice"))
    config["listeners"][0]["tls"] = {"mode": "disable"}
    done = gateway.check()
    assert done.returncode == 2 and "takes tokens over TLS only" in done.stderr


def test_check_refuses_a_file_that_holds_no_keys(start_gateway, server, tmp_path):
    file = tmp_path / "jwks.json"
    file.write_text('{"keys": []}')
    gateway = start_gateway(simple_config(server.endpoint, auth={
        "method": "jwt", "jwt": {"issuer": "https://i", "audience": "db", "jwksFile": str(file)}}), begin=False)
    done = gateway.check()
    assert done.returncode == 2 and "none of 0 can be used" in done.stderr, done.stderr


def test_an_abrupt_end_while_the_issuer_is_asked(jwt_route, issuer, authority):
    issuer.hanging.set()
    gateway, port, _folder = jwt_route()
    with connect(port, authority) as client:
        client.send(startup({"user": "alice", "database": "app"}))
        assert client.read()[0] == "R"
        client.send(message("p", issuer.token("alice").encode() + b"\0"))
        wait_until(lambda: issuer.requests, 10, "the issuer is asked")
    assert gateway.wait_end(timeout=10)[0]["cause"] in ("client_eof", "client_reset", "tls_client")


# ---- sessions that end with their token ----


@pytest.mark.parametrize("pooling", ["off", "transaction"])
def test_a_session_ends_with_its_token_where_the_route_says_so(jwt_route, issuer, authority, pooling):
    gateway, port, _folder = jwt_route(route={"pooling": pooling}, disconnectExpired=True)
    with connect(port, authority) as stays, connect(port, authority) as goes:
        stays.login("alice", issuer.token("alice", lasts=300))
        goes.login("alice", issuer.token("alice", lasts=4))
        began = time.monotonic()
        wait_until(lambda: goes.simple("select 1") and any("access ends in" in each["M"] for each in goes.notices), 3, "a warning")
        goes.send(query("select pg_sleep(20)"))
        fields = ended(goes)
        assert 2 < time.monotonic() - began < 6
        assert fields["C"] == "57P01" and "access expired" in fields["M"]
        gateway.wait_end(cause="access_expired")
        assert stays.simple("select 1") == [["1"]]


def test_a_session_outlives_its_token_where_nothing_is_said(jwt_route, issuer, authority):
    _gateway, port, _folder = jwt_route()
    with connect(port, authority) as session:
        session.login("alice", issuer.token("alice", lasts=2))
        time.sleep(3)
        assert session.simple("select 1") == [["1"]]

"""auth: cert. The client's certificate says who it is; the gateway logs in to the server itself."""

from __future__ import annotations

import ssl
import time

import pytest

from harness import audit
from harness.certs import Authority
from harness.gateway import port_of, simple_config
from harness.wire import Closed, RawClient, Refused, trusting

pytestmark = pytest.mark.needs_gateway


def files(certificate) -> dict:
    return {"certFile": str(certificate.cert), "keyFile": str(certificate.key)}


def asking(authority, wanted: str = "require") -> dict:
    return {"mode": "require", "certificates": [files(authority.issue("gateway"))],
            "clientCaFile": str(authority.cert), "clientCertificate": wanted}


def showing(authority, certificate=None) -> ssl.SSLContext:
    context = trusting(authority.cert)
    if certificate:
        context.load_cert_chain(certificate.cert, certificate.key)
    return context


def connect(port: int, context: ssl.SSLContext) -> RawClient:
    client = RawClient(port)
    assert client.ssl_request() == b"S"
    return client.tls(context)


@pytest.fixture
def cert_route(start_gateway, server, authority, tmp_path):
    """`cert_route(wanted="require", **auth)` -> (gateway, port, audit folder)."""
    def of(wanted: str = "require", route: dict | None = None, **auth):
        folder = tmp_path / "audit"
        gateway = start_gateway(simple_config(
            server.endpoint, tls=asking(authority, wanted), auth={"method": "cert"} | auth,
            route={"auth": {"method": "cert"} | auth, "credentials": {"user": "trustuser"}} | (route or {}),
            audit=audit.to_folder(folder)))
        return gateway, port_of(gateway.config, "main"), folder
    return of


def refusal(port: int, context: ssl.SSLContext, user: str) -> Refused:
    with connect(port, context) as client, pytest.raises(Refused) as refused:
        client.login(user)
    return refused.value


@pytest.mark.parametrize("pooling", ["off", "session", "transaction"])
def test_the_common_name_is_the_user(cert_route, authority, pooling):
    gateway, port, folder = cert_route(route={"pooling": pooling})
    alice = authority.issue("alice", ())
    with connect(port, showing(authority, alice)) as client:
        client.login("alice")
        assert client.simple("select current_user") == [["trustuser"]]
    # The same certificate does not make anybody else of her.
    refused = refusal(port, showing(authority, alice), "postgres")
    assert refused.code == "28000"
    assert refused.fields["M"] == 'certificate authentication failed for user "postgres"'
    login = audit.wait_for(folder, "session.login", lambda line: line["outcome"] == "refused")[0]
    assert login["method"] == "cert" and login["principal"] == "alice"
    assert login["reason"] == 'principal "alice" may not be this user'


def test_a_certificate_without_an_end_ends_no_session(cert_route, authority):
    """What certificates call no end is the year 9999, beyond a clock of nanoseconds."""
    for_ever = authority.issue("forever", (), days=2_912_000)
    _gateway, port, _folder = cert_route(disconnectExpired=True)
    with connect(port, showing(authority, for_ever)) as client:
        client.login("forever")
        time.sleep(1.5)
        assert client.simple("select 1") == [["1"]]


def test_rules_make_a_principal_of_a_spiffe_identity(cert_route, authority):
    workload = authority.issue("workload", ("DNS:app.prod.example.org", "URI:spiffe://example.org/ns/prod/sa/app"))
    strange = authority.issue("strange", ("URI:spiffe://example.org/ns/evil/sa/x/ns/prod/sa/app",))
    gateway, port, folder = cert_route(
        certificate={"map": [{"from": "uri", "match": "spiffe://example.org/ns/*/sa/*", "principal": "$1/$2"},
                             {"from": "dns", "match": "*.unused.example.org"}]},
        userMap=[{"principal": "prod/*", "user": ["$1", "$1_*"]}])
    for user in ("app", "app_ro"):
        with connect(port, showing(authority, workload)) as client:
            client.login(user)
            client.simple("select 1")
    assert refusal(port, showing(authority, workload), "postgres").code == "28000"
    assert refusal(port, showing(authority, strange), "app").code == "28000"
    line = audit.wait_for(folder, "exchange")[0]
    assert line["principal"] == "prod/app"
    reasons = [line["reason"] for line in audit.wait_for(
        folder, "session.login", lambda line: line["outcome"] == "refused", count=2)]
    assert "no rule fits the certificate of CN=strange" in reasons


def test_a_wildcard_in_a_certificate_is_none(cert_route, authority):
    """What a certificate says is a name, never a pattern for users."""
    star = authority.issue("star", (), common_name="*")
    _gateway, port, _folder = cert_route(userMap=[{"principal": "*", "user": "$1"}])
    assert refusal(port, showing(authority, star), "postgres").code == "28000"


def test_without_a_certificate(cert_route, authority):
    gateway, port, folder = cert_route("request")
    assert refusal(port, showing(authority), "alice").code == "28000"
    login = audit.wait_for(folder, "session.login")[0]
    assert login["reason"] == "the client has shown no certificate" and login["sqlstate"] == "28000"
    assert gateway.wait_end()[0]["message"] == "the client has shown no certificate"


def test_an_authority_that_is_not_ours(cert_route, authority, tmp_path):
    foreign = Authority(tmp_path / "foreign").issue("alice", ())
    _gateway, port, _folder = cert_route("request")
    with pytest.raises((ssl.SSLError, OSError, Closed)):
        with connect(port, showing(authority, foreign)) as client:
            client.login("alice")

"""`trunkline doctor` behind a relay that does one thing wrong: the right check tells of it, and a healthy relay
makes none of them speak."""

from __future__ import annotations

import datetime
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from harness.doctor import Doctor, dsn
from harness.middle_box import Fault, MiddleBox

# Nothing here goes through a gateway.
pytestmark = pytest.mark.any_build


@pytest.fixture(scope="module")
def doctor(pytestconfig) -> Doctor:
    return Doctor(pytestconfig.getoption("--bin"))


@pytest.fixture(scope="module")
def relay_tls(authority) -> ssl.SSLContext:
    certificate = authority.issue("relay")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.cert, certificate.key)
    return context


def test_a_healthy_relay_has_no_finding(doctor, servers):
    for server in servers.all():
        with MiddleBox(server.port) as relay:
            diagnosis = doctor.examine(dsn(relay.port))
        # What a relay cannot hide: its address. The server's keepalive begins after two hours.
        assert diagnosis.finding_ids() <= {"keepalive"}, diagnosis.report["findings"]
        assert diagnosis.facts()["between"] == ["addresses"]


def examine(doctor, server, fault: Fault, check: str, **more):
    with MiddleBox(server.port, fault) as relay:
        return doctor.examine(dsn(relay.port, **more), "--only", check)


def test_keepalive_is_told_of_where_something_stands_between(doctor, server):
    found = examine(doctor, server, Fault(), "keepalive").finding("keepalive")
    assert "tcp_keepalives_idle = 60" in found["fix"] and found["pathologies"] == ["P09", "P10", "P11"]
    assert found["where"].startswith("between this host and")


@pytest.mark.parametrize("answer, pathology", [(b"", "P37"), (b"H", "P13"), (b"\x15\x03\x01\x00\x02\x02\x46", "P38")])
def test_a_wrong_answer_to_ssl_request(doctor, servers, answer, pathology):
    """Before a server that does not know direct TLS, so that nothing else explains it."""
    diagnosis = examine(doctor, servers[servers.versions[0]], Fault(ssl_answer=answer), "ssl-request")
    assert diagnosis.finding("ssl-request")["pathologies"] == [pathology]
    assert diagnosis.code == 1


def test_plaintext_behind_the_answer(doctor, server):
    found = examine(doctor, server, Fault(ssl_answer=b"Sand more"), "ssl-request").finding("ssl-request")
    assert "plaintext" in found["summary"]


def test_a_tls_listener_that_does_not_know_ssl_request(doctor, server, relay_tls):
    found = examine(doctor, server, Fault(terminate=relay_tls), "ssl-request").finding("ssl-request")
    assert found["pathologies"] == ["P38"] and "sslnegotiation=direct" in found["fix"]
    assert any("handshake is complete" in each for each in found["evidence"])


def test_direct_tls_without_alpn(doctor, server, relay_tls):
    """The relay's certificate and TLS are as good as the server's own, which names the protocol."""
    found = examine(doctor, server, Fault(direct_tls=relay_tls), "tls").finding("tls")
    assert found["pathologies"] == ["P39"] and found["where"].startswith("whoever ends TLS at 127.0.0.1:")
    assert 'announce the ALPN protocol "postgresql"' in found["fix"]
    assert examine(doctor, server, Fault(), "tls").verdict("tls") == "ok"


def test_a_listener_that_expects_the_proxy_protocol(doctor, server):
    found = examine(doctor, server, Fault(expect_proxy=True), "ssl-request").finding("ssl-request")
    assert found["pathologies"] == ["P37"] and "expects the PROXY protocol" in found["summary"]


def test_a_proxy_header_that_the_server_does_not_know(doctor, server):
    header = b"PROXY TCP4 10.0.0.1 10.0.0.2 40000 5432\r\n"
    found = examine(doctor, server, Fault(send_proxy=header), "ssl-request").finding("ssl-request")
    assert found["pathologies"] == ["P37"] and "proxy_protocol_v2.enabled=false" in found["fix"]


def test_gssenc_request_that_is_mishandled(doctor, server):
    found = examine(doctor, server, Fault(gssenc_answer=b""), "gssenc").finding("gssenc")
    assert found["pathologies"] == ["P41"]
    assert examine(doctor, server, Fault(), "gssenc").verdict("gssenc") == "ok"


def test_a_relay_that_waits_to_guess_the_protocol(doctor, server):
    found = examine(doctor, server, Fault(sniff=4.0), "silence").finding("silence")
    assert found["pathologies"] == ["P13"] and "opaque-ports" in found["fix"]
    assert examine(doctor, server, Fault(), "silence").verdict("silence") == "ok"


def test_tls_that_ends_before_the_server(doctor, server, relay_tls):
    diagnosis = examine(doctor, server, Fault(end_tls=relay_tls), "tls,scram")
    assert "TLS ends before the server" in diagnosis.finding("tls")["summary"]
    assert "tls" in diagnosis.facts()["between"]
    scram = diagnosis.finding("scram")
    assert scram["pathologies"] == ["P40"] and scram["confidence"] == "likely"
    assert scram["where"].startswith("the proxy at ")


def test_an_expired_certificate(doctor, server, workplace):
    made = expired_certificate(workplace)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made)
    diagnosis = examine(doctor, server, Fault(end_tls=context), "tls")
    found = [each for each in diagnosis.check("tls")["judgements"] if "expired" in each["summary"]]
    assert found and found[0]["severity"] == "broken" and found[0]["pathologies"] == ["P48"]


def expired_certificate(folder):
    """Key and certificate in one file; openssl's command makes none that has ended."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(4711).not_valid_before(now - datetime.timedelta(days=90))
            .not_valid_after(now - datetime.timedelta(days=1)).sign(key, hashes.SHA256()))
    file = folder / "expired.pem"
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return file


def test_a_certificate_for_another_name(doctor, server, authority):
    other = authority.issue("elsewhere", ("DNS:db.elsewhere.example",))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(other.cert, other.key)
    diagnosis = examine(doctor, server, Fault(end_tls=context), "tls", host="localhost", sslmode="verify-full",
                        sslrootcert=str(authority.cert))
    found = diagnosis.finding("tls")
    assert found["pathologies"] == ["P48"] and any("db.elsewhere.example" in each for each in found["evidence"])


def test_cancel_requests_that_are_dropped(doctor, server):
    found = examine(doctor, server, Fault(drop_cancels=True), "cancel", sslmode="disable").finding("cancel")
    assert found["severity"] == "broken" and found["pathologies"] == ["P43"]
    assert examine(doctor, server, Fault(), "cancel", sslmode="disable").verdict("cancel") == "ok"


def test_cancel_requests_that_reach_another_server(doctor, servers):
    one, other = servers[servers.versions[0]], servers[servers.versions[-1]]
    if one is other:
        pytest.skip("needs two servers")
    with MiddleBox([one.port, other.port]) as relay:
        diagnosis = doctor.examine(dsn(relay.port, sslmode="disable"), "--only", "cancel,role")
    assert diagnosis.check("cancel")["verdict"] == "finding"
    role = diagnosis.finding("role")
    assert role["pathologies"] == ["P14"] and "different database systems" in role["summary"]


def test_a_session_that_the_relay_keeps(doctor, server):
    found = examine(doctor, server, Fault(keep_server=True), "abandoned").finding("abandoned")
    assert found["pathologies"] == ["P11"]
    assert examine(doctor, server, Fault(), "abandoned").verdict("abandoned") == "ok"


@pytest.fixture
def looker(server):
    """Its server processes look every 200 ms whether their client is still there."""
    with server.admin() as admin:
        admin.execute("create role looker login password 'x';"
                      "alter role looker set client_connection_check_interval = '200ms'")
    yield "looker"
    with server.admin() as admin:
        admin.execute("drop role looker")


def test_a_statement_that_runs_on_behind_a_relay(doctor, server, looker):
    """The server would look, and sees a relay that is still there."""
    with MiddleBox(server.port, Fault(keep_busy=True)) as relay:
        found = doctor.examine(dsn(relay.port, user=looker), "--only", "abandoned", password="x").finding("abandoned")
    assert found["pathologies"] == ["P12"] and found["severity"] == "risk"
    assert found["where"].startswith("between this host and the server behind 127.0.0.1:")
    with MiddleBox(server.port) as relay:
        diagnosis = doctor.examine(dsn(relay.port, user=looker), "--only", "abandoned", password="x")
    assert diagnosis.check("abandoned")["judgements"][0]["summary"] == "a session ends with its client"


def test_a_statement_that_runs_on_by_default_is_told(doctor, server):
    (said,) = doctor.examine(dsn(server.port), "--only", "abandoned").check("abandoned")["judgements"]
    assert said["verdict"] == "ok" and "client_connection_check_interval = 0" in said["summary"]
    assert said["evidence"][1] == "a session within a statement, reset: still there"


def test_large_messages_that_get_lost(doctor, server):
    found = examine(doctor, server, Fault(swallow=8000), "sizes", sslmode="disable").finding("sizes")
    assert found["pathologies"] == ["P49"] and "8900 bytes and more" in found["summary"]
    assert examine(doctor, server, Fault(), "sizes", sslmode="disable").verdict("sizes") == "ok"


@pytest.mark.alone
def test_small_writes_that_wait(doctor, server):
    found = examine(doctor, server, Fault(coalesce=True), "small-writes").finding("small-writes")
    assert found["pathologies"] == ["P50"] and found["severity"] == "slow"
    assert examine(doctor, server, Fault(), "small-writes").verdict("small-writes") == "ok"


@pytest.mark.alone
def test_logins_that_wait_for_one_another(doctor, server):
    """As before a process that authenticates, or forks, for everybody."""
    found = examine(doctor, server, Fault(one_at_a_time=0.06), "logins").finding("logins")
    assert found["pathologies"] == ["P26", "P20"] and found["severity"] == "slow" and found["confidence"] == "hint"
    assert found["where"].startswith("between this host and the server behind 127.0.0.1:")
    assert any(each.startswith("connect: ") for each in found["evidence"])
    assert examine(doctor, server, Fault(), "logins").verdict("logins") == "ok"


def test_a_cap_on_connections(doctor, server):
    found = examine(doctor, server, Fault(most=20), "logins").finding("logins")
    assert found["pathologies"] == ["P47", "P56"] and "connectionPool.tcp.maxConnections" in found["fix"]


@pytest.mark.parametrize("how", ["fin", "rst", "silence"])
def test_an_idle_connection_that_is_cut(doctor, server, how):
    with MiddleBox(server.port, Fault(idle_cut=5.0, idle_how=how)) as relay:
        diagnosis = doctor.examine(dsn(relay.port), "--only", "dns", "--idle", "9s")
    found = diagnosis.finding("idle")
    assert "P08" in found["pathologies"], found
    assert "Keepalive does not help" in found["explanation"]
    if how == "silence":
        assert "packets vanish" in found["explanation"]
    else:
        assert "is silent for 5 s" in found["summary"] or "is silent for 6 s" in found["summary"]


def test_an_idle_connection_may_stay(doctor, server):
    with MiddleBox(server.port) as relay:
        diagnosis = doctor.examine(dsn(relay.port), "--only", "dns", "--idle", "4s")
    assert diagnosis.verdict("idle") == "ok"


def test_two_paths_isolate_the_fault(doctor, server):
    with MiddleBox(server.port, Fault(drop_cancels=True)) as relay:
        diagnosis = doctor.examine(dsn(relay.port, sslmode="disable"), "--direct", dsn(server.port, sslmode="disable"),
                                   "--only", "cancel")
    found = diagnosis.finding("cancel", "A")
    assert found["where"] == "what path A has and B has not" and found["confidence"] == "certain"
    assert diagnosis.verdict("cancel", "B") == "ok"
    assert any("found on A, not on B" in each["summary"] for each in diagnosis.report["compared"])


def test_paths_to_different_databases(doctor, servers):
    one, other = servers[servers.versions[0]], servers[servers.versions[-1]]
    if one is other:
        pytest.skip("needs two servers")
    diagnosis = doctor.examine(dsn(one.port), "--matrix", dsn(other.port), "--only", "dns")
    (found,) = diagnosis.report["findings"]
    assert found["check"] is None and found["pathologies"] == ["P14"]

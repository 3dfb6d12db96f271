"""`trunkline doctor` before the poolers and proxies that people have: what a specialist would say of them. The texts
are in expected/doctor; see harness/recorded.py."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness import proxies
from harness.doctor import Diagnosis, Doctor, dsn
from harness.middle_box import MiddleBox
from harness.pooled import PgBouncer
from harness.recorded import assert_as_recorded
from harness.system import free_port

# Nothing here goes through a gateway.
pytestmark = pytest.mark.any_build


@pytest.fixture(scope="module")
def doctor(pytestconfig) -> Doctor:
    return Doctor(pytestconfig.getoption("--bin"))


@pytest.fixture
def folder(workplace) -> Path:
    made = Path(tempfile.mkdtemp(prefix="doctor-", dir=workplace))
    made.chmod(0o755)
    return made


@pytest.fixture
def bouncer(server, folder):
    """(mode) -> the port of a PgBouncer with many server connections."""
    started: list[PgBouncer] = []

    def start(mode: str) -> int:
        started.append(PgBouncer(folder / mode, server, mode, 60).start())
        return started[-1].port

    yield start
    for each in started:
        each.stop()


@pytest.fixture
def proxy(server, folder):
    """(which of proxies.py, ...) -> that Proxy before the server, until the test ends."""
    started: list[proxies.Proxy] = []

    def start(which, *words, **more) -> proxies.Proxy:
        started.append(which(server, folder, *words, **more))
        return started[-1]

    yield start
    for each in started:
        each.stop()


def test_pgbouncer_in_transaction_mode(doctor, bouncer):
    diagnosis = doctor.examine(dsn(bouncer("transaction")))
    assert_as_recorded("pgbouncer-transaction", diagnosis)
    facts = diagnosis.facts()
    assert facts["pooling"] == "transaction" and facts["loginMethod"] == "SCRAM-SHA-256"
    assert {"key", "addresses", "backends", "errors"} <= set(facts["between"])
    assert diagnosis.check("pooler")["judgements"][0]["summary"] == "a pooler in transaction mode"
    assert diagnosis.finding("prepared")["pathologies"] == ["P44"]
    assert diagnosis.finding("session-state")["pathologies"] == ["P45"]
    # Debian's PgBouncer knows neither a newer protocol nor replication.
    assert diagnosis.finding("protocol-version")["pathologies"] == ["P42"]
    assert diagnosis.finding("replication")["pathologies"] == ["P58"]


def test_pgbouncer_in_session_mode(doctor, bouncer):
    diagnosis = doctor.examine(dsn(bouncer("session")))
    assert_as_recorded("pgbouncer-session", diagnosis)
    assert diagnosis.facts()["pooling"] == "session"
    for quiet in ("prepared", "session-state", "cancel", "copy", "abandoned", "role"):
        assert diagnosis.verdict(quiet) == "ok", diagnosis.check(quiet)


def test_pgbouncer_whose_server_is_gone(doctor, server, folder):
    """It remembers that for a while, and answers by itself."""
    gone = SimpleNamespace(port=free_port(), verifiers=server.verifiers)
    pooler = PgBouncer(folder / "gone", gone, "session", 60).start()
    try:
        diagnosis = doctor.examine(dsn(pooler.port), "--only", "dns")
    finally:
        pooler.stop()
    assert_as_recorded("pgbouncer-without-server", diagnosis)
    assert diagnosis.finding("login")["pathologies"] == ["P31"]


def test_two_pgbouncers_behind_one_address_lose_cancels(doctor, bouncer):
    with MiddleBox([bouncer("session"), bouncer("transaction")]) as balancer:
        diagnosis = doctor.examine(dsn(balancer.port), "--only", "cancel")
    found = diagnosis.finding("cancel")
    assert found["pathologies"] == ["P43"] and "peer_id" in found["fix"]


def test_pgbouncer_beside_the_server(doctor, bouncer, server):
    diagnosis = doctor.examine(dsn(bouncer("transaction")), "--direct", dsn(server.port), "--only", "prepared,pooler")
    assert diagnosis.finding("prepared", "A")["where"] == "what path A has and B has not"
    assert diagnosis.verdict("prepared", "B") == "ok"
    assert (diagnosis.facts("A")["pooling"], diagnosis.facts("B")["pooling"]) == ("transaction", "none")


def test_pgpool(doctor, proxy):
    """All that does not depend on how busy the machine is: pgpool asks the server a lot in each first login."""
    wanted = ("ssl-request,gssenc,protocol-version,scram,tls,keepalive,prepared,session-state,cancel,abandoned,role,"
              "sizes,copy,replication")
    diagnosis = doctor.examine(dsn(proxy(proxies.pgpool).port), "--only", wanted)
    assert_as_recorded("pgpool", diagnosis)


def test_haproxy_has_no_finding_but_keepalive(doctor, proxy):
    diagnosis = doctor.examine(dsn(proxy(proxies.haproxy).port))
    assert_as_recorded("haproxy", diagnosis)
    assert diagnosis.finding_ids() == {"keepalive"}


def test_haproxy_with_a_short_timeout(doctor, proxy):
    port = proxy(proxies.haproxy, "5s").port
    diagnosis = doctor.examine(dsn(port), "--only", "dns", "--idle", "9s")
    assert_as_recorded("haproxy-short", diagnosis)
    assert "P08" in diagnosis.finding("idle")["pathologies"]


def test_nginx_has_no_finding_but_keepalive(doctor, proxy):
    diagnosis = doctor.examine(dsn(proxy(proxies.nginx).port))
    assert_as_recorded("nginx", diagnosis)
    assert diagnosis.finding_ids() == {"keepalive"}


def test_nginx_with_a_short_timeout(doctor, proxy):
    diagnosis = doctor.examine(dsn(proxy(proxies.nginx, "5s").port), "--only", "dns", "--idle", "9s")
    assert_as_recorded("nginx-short", diagnosis)
    assert "P08" in diagnosis.finding("idle")["pathologies"]


def test_stunnel_that_ends_tls(doctor, proxy, authority):
    """TLS ends before the server: its channel binding does not survive."""
    port = proxy(proxies.stunnel_before_server, authority.issue("server")).port
    verifying = {"sslmode": "verify-full", "sslrootcert": str(authority.cert)}
    diagnosis = doctor.examine(dsn(port, "localhost", **verifying), "--only", "tls,scram")
    assert_as_recorded("stunnel-before-server", diagnosis)
    assert diagnosis.finding("tls")["pathologies"] == diagnosis.finding("scram")["pathologies"] == ["P40"]


def test_stunnel_that_begins_tls(doctor, proxy):
    """The server offers channel binding over a connection that is plaintext for its client."""
    diagnosis = doctor.examine(dsn(proxy(proxies.stunnel_beside_client).port, sslmode="disable"), "--only", "tls,scram")
    assert_as_recorded("stunnel-beside-client", diagnosis)
    found = diagnosis.finding("scram")
    assert found["pathologies"] == ["P40"] and "over a plaintext connection" in found["summary"]


def test_a_proxy_that_restarts_is_seen_by_the_canary(doctor, proxy):
    through = proxy(proxies.haproxy)
    process = doctor.start(dsn(through.port), "--only", "dns", "--watch", "8s", "--output", "json")
    time.sleep(4)
    through.stop()
    out, errors = process.communicate(timeout=60)
    diagnosis = Diagnosis(process.returncode, json.loads(out), errors)
    found = diagnosis.finding("watch")
    assert found["pathologies"] == ["P32", "P30", "P33"] and any("new sessions" in each for each in found["evidence"])
    assert diagnosis.finding("still-there")["summary"] == "the path stopped working in the middle of the examination"

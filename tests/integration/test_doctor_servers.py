"""`trunkline doctor` and the servers themselves: roles, failovers, limits, clocks."""

from __future__ import annotations

import json
import re
import time

import pytest

from harness.doctor import Diagnosis, Doctor, dsn
from harness.fakeserver import FakeServer
from harness.middle_box import Fault, MiddleBox
from harness.wire import message

# Nothing here goes through a gateway.
pytestmark = pytest.mark.any_build


@pytest.fixture(scope="module")
def doctor(pytestconfig) -> Doctor:
    return Doctor(pytestconfig.getoption("--bin"))


def test_new_sessions_reach_a_primary_or_a_replica_by_chance(doctor, make_cluster):
    cluster = make_cluster(replicas=1)
    with MiddleBox([member.port for member in cluster.members]) as balancer:
        found = doctor.examine(dsn(balancer.port), "--only", "role").finding("role")
    assert found["pathologies"] == ["P28", "P27"] and found["severity"] == "broken"


def test_a_replica_alone_is_no_finding(doctor, make_cluster):
    cluster = make_cluster(replicas=1)
    (replica,) = cluster.replicas
    diagnosis = doctor.examine(dsn(replica.port))
    assert diagnosis.report["findings"] == [], diagnosis.report["findings"]
    assert diagnosis.facts()["inRecovery"] is True


def test_an_old_session_that_is_left_behind(doctor, make_cluster):
    """As after a failover: new connections go to the other server, established ones stay where they are."""
    cluster = make_cluster(replicas=1)
    primary, replica = cluster.members
    with MiddleBox(primary.port) as service:
        process = doctor.start(dsn(service.port), "--only", "dns", "--watch", "9s", "--output", "json")
        time.sleep(5)
        service.lead_to(replica.port)
        out, errors = process.communicate(timeout=90)
    found = Diagnosis(process.returncode, json.loads(out), errors).finding("watch")
    assert found["pathologies"] == ["P27", "P29"] and "old session" in found["summary"]


def test_a_quiet_time_is_no_finding(doctor, server):
    diagnosis = doctor.examine(dsn(server.port), "--only", "dns", "--watch", "2s")
    assert diagnosis.verdict("watch") == "ok" and diagnosis.code == 0


def test_a_servers_idle_timer(doctor, server):
    if server.version < 14:
        pytest.skip("idle_session_timeout is of PostgreSQL 14")
    with server.admin() as admin:
        admin.execute("create role hasty login password 'x'; alter role hasty set idle_session_timeout = '5s'")
    try:
        diagnosis = doctor.examine(dsn(server.port, user="hasty"), "--only", "dns", "--idle", "9s", password="x")
        assert diagnosis.finding("server")["pathologies"] == ["P57"]
        idle = diagnosis.finding("idle")
        assert "P57" in idle["pathologies"] and idle["where"] == "the server"
    finally:
        with server.admin() as admin:
            admin.execute("drop role hasty")


def row(*values: str) -> bytes:
    fields = b"".join(b"c\0" + b"\0" * 6 + b"\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0" for _ in values)
    body = b"".join(len(each).to_bytes(4, "big") + each.encode() for each in values)
    count = len(values).to_bytes(2, "big")
    return message("T", count + fields) + message("D", count + body)


def fake(answers: dict[str, list[tuple[str, ...]]]) -> FakeServer:
    """Queries that hold one of the words are answered with those rows, all others with none."""
    def serve(connection, _server):
        while data := connection.recv(65536):
            if data[:1] != b"Q":
                return
            rows = next((each for word, each in answers.items() if re.search(word, data.decode("latin-1"))), [])
            rows = rows() if callable(rows) else rows
            connection.sendall(b"".join(row(*each) for each in rows) + message("C", b"SELECT 1\0") + message("Z", b"I"))

    return FakeServer(serve)


def examine_fake(doctor, answers, check):
    with fake(answers) as server:
        port = int(server.endpoint.rsplit(":", 1)[1])
        return doctor.examine(dsn(port, sslmode="disable"), "--only", check)


@pytest.mark.parametrize("offset, verdict", [(-3600, "finding"), (30, "finding"), (0, "ok")])
def test_clocks(doctor, offset, verdict):
    diagnosis = examine_fake(doctor, {"clock_timestamp": lambda: [(f"{time.time() + offset:.6f}",)]}, "clock")
    assert diagnosis.verdict("clock") == verdict
    if verdict == "finding":
        assert diagnosis.finding("clock")["where"] == "this host or the server"


@pytest.mark.parametrize("used, verdict", [("95", "finding"), ("20", "ok")])
def test_slots_that_are_nearly_taken(doctor, used, verdict):
    settings = [("max_connections", "100"), ("superuser_reserved_connections", "3")]
    diagnosis = examine_fake(doctor, {"pg_settings": settings, "count": [(used,)]}, "server")
    assert diagnosis.verdict("server") == verdict
    if verdict == "finding":
        assert diagnosis.finding("server")["pathologies"] == ["P56"]


def test_copy_that_does_not_come_whole(doctor, server):
    with MiddleBox(server.port, Fault(swallow=30_000)) as relay:
        found = doctor.examine(dsn(relay.port, sslmode="disable"), "--only", "copy").finding("copy")
    assert found["severity"] == "broken" and "COPY from the server" in found["summary"]


def test_replication_needs_a_right(doctor, server):
    with server.admin() as admin:
        admin.execute("create role reader login password 'x'")
    try:
        diagnosis = doctor.examine(dsn(server.port, user="reader"), "--only", "replication", password="x")
        assert diagnosis.verdict("replication") == "unknown" and diagnosis.code == 0
        assert doctor.examine(dsn(server.port), "--only", "replication").verdict("replication") == "ok"
    finally:
        with server.admin() as admin:
            admin.execute("drop role reader")

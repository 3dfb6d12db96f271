"""`trunkline doctor` where there is little to examine: it says what could not be tested, and why."""

from __future__ import annotations

import json
import socket
import time

import pytest

from harness.doctor import Diagnosis, Doctor, dsn
from harness.fakeserver import FakeServer
from harness.middle_box import SSL_REQUEST, MiddleBox
from harness.system import free_port
from harness.wire import message

# Nothing here goes through a gateway.
pytestmark = pytest.mark.any_build


@pytest.fixture(scope="module")
def doctor(pytestconfig) -> Doctor:
    return Doctor(pytestconfig.getoption("--bin"))


def untested(diagnosis) -> set[str]:
    return {each["id"] for each in diagnosis.report["paths"][0]["checks"] if each["verdict"] == "unknown"}


def test_no_server(doctor):
    diagnosis = doctor.examine(dsn(free_port()))
    found = diagnosis.finding("reach")
    assert found["severity"] == "broken" and "RST" in found["explanation"]
    assert diagnosis.code == 1 and {"login", "cancel", "tls"} <= untested(diagnosis)


def test_a_name_that_nobody_knows(doctor):
    found = doctor.examine(dsn(5432, "no-such-host.invalid")).finding("reach")
    assert found["summary"] == "the host's name has no address"


def test_a_server_that_does_not_accept(doctor):
    """A full accept queue: SYNs vanish, as behind a firewall that drops."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        fillers = []
        for _ in range(3):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
            fillers.append(filler)
        time.sleep(0.2)
        found = doctor.examine(dsn(port)).finding("reach")
        for each in fillers:
            each.close()
    assert found["pathologies"] == ["P24", "P25"]


def test_a_silent_address_before_the_right_one(doctor, server):
    """192.0.2.0/24 is nobody's (RFC 5737); where there is no route at all it is refused at once."""
    diagnosis = doctor.examine(dsn("1,%d" % server.port, "192.0.2.1,127.0.0.1"), "--only", "dns")
    reach = diagnosis.check("reach")
    assert diagnosis.facts()["address"] == f"127.0.0.1:{server.port}"
    if any("did not come in time" in each for each in reach["judgements"][0]["evidence"]):
        assert diagnosis.finding("reach")["pathologies"] == ["P25"]


def test_a_wrong_password(doctor, server):
    diagnosis = doctor.examine(dsn(server.port), password="not this one")
    found = diagnosis.finding("login")
    assert "28P01" in found["summary"] and found["where"].startswith("the server")
    assert {"prepared", "cancel", "pooler"} <= untested(diagnosis)
    # What needs no login is tested.
    assert diagnosis.verdict("tls") == diagnosis.verdict("scram") == diagnosis.verdict("protocol-version") == "ok"
    assert "not this one" not in str(diagnosis.report) + diagnosis.errors


def test_no_password(doctor, server):
    found = doctor.examine(dsn(server.port), password="").finding("login")
    assert "there is none" in found["summary"]


def test_no_such_database(doctor, server):
    found = doctor.examine(dsn(server.port, dbname="nowhere")).finding("login")
    assert "3D000" in found["summary"] and found["pathologies"] == ["P14"]


def test_few_rights(doctor, server):
    """Nothing but to connect: what needs more is passed over, and is no finding."""
    with server.admin() as admin:
        admin.execute("create role nobody_much login password 'x' ; revoke temporary on database app from public")
    try:
        diagnosis = doctor.examine(dsn(server.port, user="nobody_much"), password="x")
        assert diagnosis.report["findings"] == []
        assert diagnosis.code == 0
    finally:
        with server.admin() as admin:
            admin.execute("drop role nobody_much; grant temporary on database app to public")


@pytest.mark.parametrize("greeting", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n", b"", b"\0" * 4000],
                         ids=["http", "ssh", "silent", "zeros"])
def test_a_server_that_is_not_postgres(doctor, greeting):
    def serve(connection, _server):
        connection.settimeout(5)
        try:
            connection.recv(4096)
            connection.sendall(greeting)
        except OSError:
            pass

    with FakeServer(serve, login=False) as server:
        port = int(server.endpoint.rsplit(":", 1)[1])
        diagnosis = doctor.examine(dsn(port), timeout=180)
    assert diagnosis.code == 1 and diagnosis.verdict("ssl-request") == "finding"
    assert "cancel" in untested(diagnosis)


def test_a_path_that_dies_meanwhile(doctor, server):
    relay = MiddleBox(server.port)
    with relay:
        process = doctor.start(dsn(relay.port), "--output", "json")
        time.sleep(4)
    out, errors = process.communicate(timeout=120)
    diagnosis = Diagnosis(process.returncode, json.loads(out), errors)
    assert diagnosis.verdict("login") == "ok" and {"logins", "clock"} <= untested(diagnosis)
    assert diagnosis.finding_ids() - {"keepalive"} == {"still-there"} and diagnosis.code == 1
    found = diagnosis.finding("still-there")
    assert found["where"] == f"between this host and the server behind 127.0.0.1:{relay.port}"


def test_an_ancient_server(doctor):
    """It knows nothing that came later: every query is an error, and the answer to SSLRequest is E."""
    def serve(connection, _server):
        while data := connection.recv(65536):
            if data[:1] == b"X":
                return
            error = b"SERROR\0C42883\0Mno such thing\0\0"
            connection.sendall(message("E", error) + message("Z", b"I"))

    with FakeServer(serve) as server:
        port = int(server.endpoint.rsplit(":", 1)[1])
        diagnosis = doctor.examine(dsn(port, sslmode="disable"), timeout=180)
    assert diagnosis.facts()["serverVersion"].startswith("15")
    assert {"server", "role"} <= untested(diagnosis)


def test_a_server_of_the_protocol_before(doctor):
    """PostgreSQL 7.3 and older: no message has a length."""
    def serve(connection, _server):
        while connection.recv(4096)[4:8] == SSL_REQUEST[4:8]:
            connection.sendall(b"N")
        connection.sendall(b"EFATAL:  unsupported frontend protocol\n\0")

    with FakeServer(serve, login=False) as server:
        diagnosis = doctor.examine(dsn(server.port), timeout=180)
    assert "no message of PostgreSQL's protocol" in diagnosis.finding("login")["summary"]
    assert diagnosis.verdict("ssl-request") == "ok" and "cancel" in untested(diagnosis)


def test_a_cap_told_by_the_server(doctor, server):
    with server.admin() as admin:
        admin.execute("create role few login password 'x' connection limit 3")
    try:
        diagnosis = doctor.examine(dsn(server.port, user="few"), "--only", "logins", password="x")
        found = diagnosis.finding("logins")
        assert found["where"] == "the server" and any("53300" in each for each in found["evidence"])
    finally:
        with server.admin() as admin:
            admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'few'")
            time.sleep(0.3)
            admin.execute("drop role few")

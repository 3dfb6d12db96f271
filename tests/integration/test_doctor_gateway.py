"""`trunkline doctor` through a trunkline: what a gateway promises, seen from the outside, and what it tells."""

from __future__ import annotations

import http.server
import socket
import threading
import time

import pytest

from harness import pooled as pools
from harness.admin import Admin
from harness.doctor import Doctor, dsn
from harness.middle_box import Fault, MiddleBox
from harness.system import free_port
from harness.wire import RawClient

pytestmark = pytest.mark.needs_gateway


@pytest.fixture(scope="module")
def doctor(pytestconfig) -> Doctor:
    return Doctor(pytestconfig.getoption("--bin"))


@pytest.fixture
def asked(before, server):
    """(port, options that let doctor ask the gateway there, its Admin)"""
    admin = free_port()
    _, port = before(server, admin={"address": f"127.0.0.1:{admin}"})
    return port, ("--gateway", f"http://127.0.0.1:{admin}/"), Admin(admin)


def test_a_session_through_a_gateway(doctor, asked):
    port, options, _ = asked
    diagnosis = doctor.examine(dsn(port, sslmode="disable"), *options)
    # The server's own keepalive begins after two hours; that this gateway asks cannot be seen from outside.
    assert diagnosis.finding_ids() <= {"keepalive"}, diagnosis.report["findings"]
    assert diagnosis.facts()["pooling"] == "session" and {"key", "addresses"} <= set(diagnosis.facts()["between"])
    assert diagnosis.verdict("gateway") == "ok", diagnosis.check("gateway")


def test_a_gateway_tells_which_way_it_sends_us(doctor, asked, server):
    port, options, _ = asked
    diagnosis = doctor.examine(dsn(port, sslmode="disable"), "--only", "keepalive", *options)
    own = diagnosis.facts()["gateway"]
    assert (own["route"], own["upstream"], own["endpoint"]) == ("all", "db", f"127.0.0.1:{server.port}")
    assert own["client"] == own["clientIs"] and own["local"] == own["seenAs"], "nobody stands between"
    assert own["tls"] == own["serverTls"] == "" and 0 < own["serverTripSeconds"] < 1
    hops = diagnosis.report["paths"][0]["hops"]
    assert hops[2] == f"trunkline, route all, 127.0.0.1:{port}" and hops[3].startswith("| plaintext, round trip"), hops
    assert diagnosis.finding("keepalive")["where"].startswith("the trunkline at"), "it is named with certainty"
    assert diagnosis.facts()["hints"] == []


def test_a_proxy_before_the_gateway_shows(doctor, asked):
    port, options, _ = asked
    with MiddleBox(port) as relay:
        diagnosis = doctor.examine(dsn(relay.port, sslmode="disable"), "--only", "dns", *options)
    own = diagnosis.facts()["gateway"]
    assert own["client"] != own["clientIs"]
    assert f"arrives as {own['client']}" in diagnosis.report["paths"][0]["hops"][1]


def test_deaths_in_production_are_merged(doctor, before, server):
    admin = free_port()
    with MiddleBox(server.port, Fault(idle_cut=1.2, idle_how="rst")) as relay:
        _, port = before(f"127.0.0.1:{relay.port}", admin={"address": f"127.0.0.1:{admin}"})
        with RawClient(port) as client:
            client.login()
            client.receive_to_end()
        diagnosis = doctor.examine(dsn(port, sslmode="disable"), "--only", "dns", "--gateway", f"http://127.0.0.1:{admin}")
    found = diagnosis.finding("gateway")
    assert found["where"] == "between the gateway and the server" and found["confidence"] == "certain"
    assert any("the server leg died 1 times after a silence of 1 to 9 s" in each for each in found["evidence"]), found


def test_a_gateway_is_recognised_without_being_asked(doctor, asked, server):
    port, _, _ = asked
    facts = doctor.examine(dsn(port, sslmode="disable"), "--only", "dns").facts()
    assert facts["trunkline"] and "--gateway http://HOST:9630" in facts["hints"][0]
    assert "--gateway http://HOST:9630" in " ".join(doctor.run(dsn(port), "--only", "dns").stdout.split())
    facts = doctor.examine(dsn(server.port, sslmode="disable"), "--only", "dns").facts()
    assert not facts["trunkline"] and facts["hints"] == []


def test_a_gateways_pool(doctor, pooled, server):
    if pooled.kind != pools.TRUNKLINE:
        pytest.skip("trunkline's own pool")
    port = pooled("transaction", size=60).port
    diagnosis = doctor.examine(dsn(port, sslmode="disable"))
    for quiet in ("prepared", "session-state", "cancel", "copy", "sizes", "role", "protocol-version"):
        assert diagnosis.verdict(quiet) == "ok", diagnosis.check(quiet)


def test_a_gateway_that_is_not_there(doctor, server):
    diagnosis = doctor.examine(dsn(server.port), "--only", "dns", "--gateway", f"http://127.0.0.1:{free_port()}")
    assert diagnosis.verdict("gateway") == "unknown" and diagnosis.code == 0


def test_a_gateway_that_is_not_on_the_path(doctor, asked, server):
    _, options, _ = asked
    diagnosis = doctor.examine(dsn(server.port), "--only", "dns", *options)
    assert diagnosis.verdict("gateway") == "unknown" and diagnosis.code == 0
    assert "does not have our session" in str(diagnosis.check("gateway")) and diagnosis.facts()["gateway"] is None


@pytest.mark.parametrize("status, body, said", [
    (200, b"{}", "is no trunkline"), (404, b"<html>", "has no /api/v1/path"),
    (403, b'{"error": {"message": "a token is needed"}}', "status 403, a token is needed")])
def test_whoever_answers_at_the_address(doctor, server, status, body, said):
    with answering(status, body) as port:
        diagnosis = doctor.examine(dsn(server.port), "--only", "dns", "--gateway", f"http://127.0.0.1:{port}")
    assert diagnosis.verdict("gateway") == "unknown" and said in str(diagnosis.check("gateway"))


def test_ctrl_c_while_a_gateway_does_not_answer(doctor, server):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        process = doctor.start(dsn(server.port), "--only", "dns", "--output", "json",
                               "--gateway", f"http://127.0.0.1:{silent.getsockname()[1]}")
        connection, _ = silent.accept()
        with connection:
            began = time.monotonic()
            process.send_signal(2)
            out, _ = process.communicate(timeout=20)
    assert process.returncode == 1 and '"interrupted": true' in out
    assert time.monotonic() - began < 2, "it waits for nobody"


class answering:
    """An HTTP server that says one thing."""

    def __init__(self, status: int, body: bytes):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self) -> int:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self._server.server_address[1]

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

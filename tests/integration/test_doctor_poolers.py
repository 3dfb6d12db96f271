"""`trunkline doctor` before the poolers and proxies that people have: what a specialist would say of them."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from harness.doctor import Diagnosis, Doctor, dsn
from harness.middle_box import MiddleBox
from harness.pooled import PgBouncer
from harness.system import as_unprivileged, free_port, give_to_unprivileged, port_answers, wait_until

# Nothing here goes through a gateway.
pytestmark = pytest.mark.any_build


@pytest.fixture(scope="module")
def doctor(pytestconfig) -> Doctor:
    return Doctor(pytestconfig.getoption("--bin"))


@pytest.fixture
def bouncer(server, workplace):
    """(mode) -> the port of a PgBouncer with two server connections."""
    folder = Path(tempfile.mkdtemp(prefix="doctor-", dir=workplace))
    folder.chmod(0o755)
    started: list[PgBouncer] = []

    def start(mode: str) -> int:
        started.append(PgBouncer(folder / mode, server, mode, 60).start())
        return started[-1].port

    yield start
    for each in started:
        each.stop()


@pytest.fixture
def program(workplace):
    """(words, folder, port) -> starts a proxy in the foreground, until the test ends or calls what it answers."""
    started: list[subprocess.Popen] = []

    def start(words: list, folder: Path, port: int):
        give_to_unprivileged(folder)
        with open(folder / "said.log", "wb") as said:
            started.append(subprocess.Popen(as_unprivileged(words), stdin=subprocess.DEVNULL, stdout=said, stderr=said))
        wait_until(lambda: port_answers(port), 15, f"{words[0]} listens (see {folder})")
        return started[-1].terminate

    yield start
    for each in started:
        each.terminate()
        each.wait(10)


def haproxy(program, server, folder: Path, timeout: str = "1m") -> int:
    return stoppable_haproxy(program, server, folder, timeout)[0]


def stoppable_haproxy(program, server, folder: Path, timeout: str = "1m"):
    """Its port, and what ends it."""
    port = free_port()
    (folder / "haproxy.cfg").write_text(f"""
defaults
  mode tcp
  timeout connect 5s
  timeout client {timeout}
  timeout server {timeout}
frontend db
  bind 127.0.0.1:{port}
  default_backend servers
backend servers
  server one 127.0.0.1:{server.port}
""")
    return port, program(["haproxy", "-db", "-f", folder / "haproxy.cfg"], folder, port)


def nginx(program, server, folder: Path, timeout: str = "10m") -> int:
    port = free_port()
    (folder / "nginx.conf").write_text(f"""
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 512; }}
stream {{ server {{ listen 127.0.0.1:{port}; proxy_pass 127.0.0.1:{server.port}; proxy_timeout {timeout}; }} }}
""")
    program(["nginx", "-c", folder / "nginx.conf", "-p", folder, "-e", folder / "error.log"], folder, port)
    return port


@pytest.fixture
def folder(workplace) -> Path:
    made = Path(tempfile.mkdtemp(prefix="doctor-", dir=workplace))
    made.chmod(0o755)
    return made


def test_pgbouncer_in_transaction_mode(doctor, bouncer):
    diagnosis = doctor.examine(dsn(bouncer("transaction")))
    facts = diagnosis.facts()
    assert facts["pooling"] == "transaction" and facts["loginMethod"] == "SCRAM-SHA-256"
    assert {"key", "addresses", "backends", "errors"} <= set(facts["between"])
    prepared = diagnosis.finding("prepared")
    assert prepared["pathologies"] == ["P44"] and "max_prepared_statements" in prepared["fix"]
    assert prepared["where"].startswith("the pooler at 127.0.0.1:") and prepared["confidence"] == "certain"
    state = diagnosis.finding("session-state")
    assert state["pathologies"] == ["P45"] and state["severity"] == "broken"
    # Debian's PgBouncer knows neither a newer protocol nor replication.
    assert diagnosis.finding("protocol-version")["pathologies"] == ["P42"]
    assert diagnosis.verdict("cancel") == "ok"
    assert diagnosis.verdict("copy") == "ok" and diagnosis.verdict("sizes") == "ok"
    assert diagnosis.verdict("abandoned") == "unknown"
    assert diagnosis.report["findings"][0]["severity"] == "broken"


def test_pgbouncer_in_session_mode(doctor, bouncer):
    diagnosis = doctor.examine(dsn(bouncer("session")))
    assert diagnosis.facts()["pooling"] == "session"
    for quiet in ("prepared", "session-state", "cancel", "copy", "abandoned", "role"):
        assert diagnosis.verdict(quiet) == "ok", diagnosis.check(quiet)


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


def test_haproxy_has_no_finding_but_keepalive(doctor, program, server, folder):
    diagnosis = doctor.examine(dsn(haproxy(program, server, folder)))
    assert diagnosis.finding_ids() == {"keepalive"}, diagnosis.report["findings"]


def test_haproxy_with_a_short_timeout(doctor, program, server, folder):
    port = haproxy(program, server, folder, "5s")
    found = doctor.examine(dsn(port), "--only", "dns", "--idle", "9s").finding("idle")
    assert "P08" in found["pathologies"] and "Keepalive does not help" in found["explanation"]
    assert any(each.startswith("a silent statement") for each in found["evidence"])


def test_nginx_has_no_finding_but_keepalive(doctor, program, server, folder):
    diagnosis = doctor.examine(dsn(nginx(program, server, folder)))
    assert diagnosis.finding_ids() == {"keepalive"}, diagnosis.report["findings"]


def test_nginx_with_a_short_timeout(doctor, program, server, folder):
    port = nginx(program, server, folder, "5s")
    assert doctor.examine(dsn(port), "--only", "dns", "--idle", "9s").verdict("idle") == "finding"


def test_a_proxy_that_restarts_is_seen_by_the_canary(doctor, program, server, folder):
    port, stop = stoppable_haproxy(program, server, folder)
    process = doctor.start(dsn(port), "--only", "dns", "--watch", "8s", "--output", "json")
    time.sleep(4)
    stop()
    out, errors = process.communicate(timeout=60)
    found = Diagnosis(process.returncode, json.loads(out), errors).finding("watch")
    assert "P32" in found["pathologies"] and any("new sessions" in each for each in found["evidence"])

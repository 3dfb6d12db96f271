"""`trunkline doctor` before a healthy server: no finding, whatever the output, and nothing left behind."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import time

import pytest

from harness.doctor import Doctor, dsn
from harness.postgres import PASSWORD
from harness.system import wait_until

# Nothing here goes through a gateway.
pytestmark = pytest.mark.any_build


@pytest.fixture(scope="module")
def doctor(pytestconfig) -> Doctor:
    return Doctor(pytestconfig.getoption("--bin"))


def roads(server, authority) -> dict[str, str]:
    verifying = {"sslmode": "verify-full", "sslrootcert": str(authority.cert)}
    return {"tls": dsn(server.port, "localhost", **verifying), "plain": dsn(server.port, sslmode="disable"),
            "unix": dsn(server.port, str(server.socket_folder)), "usual": dsn(server.port)}


def assert_clean(diagnosis) -> None:
    assert diagnosis.report["findings"] == []
    unknown = [each for each in diagnosis.report["paths"][0]["checks"] if each["verdict"] != "ok"]
    assert unknown == []
    assert diagnosis.code == 0 and diagnosis.report["clean"]


@pytest.mark.alone
@pytest.mark.parametrize("way", ["tls", "plain", "unix", "usual"])
def test_a_direct_path_has_no_finding(doctor, servers, authority, way):
    for server in servers.all():
        assert_clean(doctor.examine(roads(server, authority)[way]))


@pytest.mark.alone
def test_a_direct_path_has_no_finding_in_many_runs(doctor, servers, authority, long):
    """A hundred runs, which take a quarter of an hour."""
    if not long:
        pytest.skip("only with --long")
    for _ in range(100 // (4 * len(servers.versions)) + 1):
        for server in servers.all():
            for way in roads(server, authority).values():
                assert_clean(doctor.examine(way))


def test_it_leaves_nothing_behind_and_writes_nothing(doctor, server):
    before = server.query("select relname from pg_class where relpersistence <> 't' order by 1")
    doctor.examine(dsn(server.port))
    wait_until(lambda: not server.query("select 1 from pg_stat_activity where application_name like 'trunkline doctor%'"),
               5, "its sessions end")
    assert server.query("select relname from pg_class where relpersistence <> 't' order by 1") == before
    assert server.query("select 1 from pg_locks where locktype = 'advisory'") == []
    assert PASSWORD not in server.log_text()


def test_what_it_reads_of_a_server(doctor, server):
    facts = doctor.examine(dsn(server.port), "--only", "pooler,round-trips").facts()
    assert facts["serverVersion"].startswith(str(server.version))
    assert facts["pooling"] == "none" and facts["between"] == []
    assert facts["serverSeenAs"] == f"127.0.0.1:{server.port}"
    assert facts["clientIs"] == facts["clientSeenAs"]
    assert facts["tls"]["version"].startswith("TLS") and facts["serverLegTls"] is True
    assert 0 < facts["synSeconds"] < facts["querySeconds"] < 1
    assert facts["settings"]["max_connections"] == "600"


def in_a_terminal(doctor, columns: int, *words: str) -> str:
    """What is seen in a terminal so wide, with its colours."""
    primary, secondary = pty.openpty()
    fcntl.ioctl(secondary, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen([doctor.binary, "doctor", *words], stdin=subprocess.DEVNULL, stdout=secondary,
                               stderr=subprocess.DEVNULL, env=os.environ | {"PGPASSWORD": "wrong"})
    os.close(secondary)
    seen = b""
    while True:
        try:
            part = os.read(primary, 65536)
        except OSError:
            break
        if not part:
            break
        seen += part
    process.wait(30)
    os.close(primary)
    return seen.decode()


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_terminal_of_any_width_is_readable(doctor, server, columns):
    seen = in_a_terminal(doctor, columns, dsn(server.port))
    assert "\x1b[31;1mbroken" in seen
    plain = re.sub(r"\x1b\[[\d;]*m", "", seen).replace("\r", "")
    lines = plain.splitlines()
    assert all(len(line) <= columns for line in lines), [line for line in lines if len(line) > columns]
    assert lines[0].startswith("broken  nobody can log in"), plain
    assert "not tested: cancel" in " ".join(plain.split())


def test_the_page_stands_alone(doctor, server, tmp_path):
    page = tmp_path / "page.html"
    done = doctor.run(dsn(server.port), "--only", "pooler", "--page", str(page))
    assert done.returncode == 0, done.stdout + done.stderr
    text = page.read_text()
    assert text.startswith("<!doctype html>") and "<svg" in text and "this host" in text
    assert not re.search(r"(?:src|href)=", text)


def test_ctrl_c_tells_what_is_known(doctor, server):
    process = doctor.start(dsn(server.port), "--output", "json")
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=10)
    report = json.loads(out)
    assert process.returncode == 1 and report["interrupted"] and not report["clean"]
    checks = report["paths"][0]["checks"]
    assert checks[0]["verdict"] == "ok" and checks[-1]["verdict"] == "unknown"
    wait_until(lambda: not server.query("select 1 from pg_stat_activity where application_name like 'trunkline doctor%'"),
               10, "its sessions end")


def test_usage(doctor, server):
    for words in (["host=127.0.0.1 colour=red"], [dsn(server.port), "--only", "luck"], [dsn(server.port), "--idle", "soon"],
                  [], [dsn(server.port), "--output", "xml"]):
        done = doctor.run(*words)
        assert done.returncode == 2 and done.stdout == "", words
        assert done.stderr

"""`trunkline doctor` and a name that is being looked up: the C library would wait for time-outs that nobody can shorten."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import time

import pytest

from harness.doctor import Doctor, dsn
from harness.system import run

HOST = "db.prod.svc.test"
RESOLVER = "127.53.53.53"

# One resolver at a time has that address.
pytestmark = [pytest.mark.any_build, pytest.mark.xdist_group("silent-resolver"), pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("unshare") or run(["unshare", "-m", "true"], check=False).returncode != 0,
    reason="needs root and a mount namespace")]


@pytest.fixture
def hanging(pytestconfig, tmp_path):
    """Doctor, started with a resolver that says nothing, as soon as that was asked."""
    file = tmp_path / "resolv.conf"
    file.write_text(f"nameserver {RESOLVER}\noptions timeout:30 attempts:5\n")
    prefix = ["unshare", "-m", "sh", "-c", f'mount --bind {file} /etc/resolv.conf && exec "$@"', "sh"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind((RESOLVER, 53))
        silent.settimeout(20)
        process = Doctor(pytestconfig.getoption("--bin")).start(dsn(5432, HOST), "--only", "dns", "--output", "json",
                                                                prefix=prefix)
        try:
            silent.recv(512)
            yield process
        finally:
            process.kill()
            process.communicate()


def test_ctrl_c_ends_it_at_once(hanging):
    began = time.monotonic()
    hanging.send_signal(signal.SIGINT)
    out, _ = hanging.communicate(timeout=60)
    report = json.loads(out)
    assert hanging.returncode == 1 and report["interrupted"] and report["findings"] == []
    assert {each["verdict"] for each in report["paths"][0]["checks"]} == {"unknown"}
    assert time.monotonic() - began < 3


def test_without_it_there_is_a_deadline(hanging):
    began = time.monotonic()
    out, _ = hanging.communicate(timeout=60)
    (found,) = json.loads(out)["findings"]
    assert hanging.returncode == 1 and found["where"] == "name resolution on this host"
    assert "did not come in time" in found["evidence"][0] and time.monotonic() - began < 15

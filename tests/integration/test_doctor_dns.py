"""`trunkline doctor` and the resolver: a fake name server at port 53, and a resolv.conf of its own for the doctor."""

from __future__ import annotations

import os
import random
import shutil
import socket
import time

import pytest

from harness.dns import FakeDns, read_question
from harness.doctor import Doctor, dsn
from harness.system import run

HOST = "db.prod.svc.test"
SEARCH = "prod.svc.test svc.test test"

pytestmark = [pytest.mark.any_build, pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("unshare") or run(["unshare", "-m", "true"], check=False).returncode != 0,
    reason="needs root and a mount namespace")]


class SlowDns(FakeDns):
    """At port 53, where the system's resolver looks; some names take their time."""

    def __init__(self):
        self.slow: dict[str, float] = {}  # by the end of the name
        super().__init__()
        self.set(HOST, a=["127.0.0.1"], ttl=0)

    def _open(self, _host: str, _port: int) -> None:
        while True:
            host = f"127.53.{random.randrange(1, 255)}.{random.randrange(1, 255)}"
            try:
                self._tcp = socket.create_server((host, 53))
            except OSError:
                continue
            self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._udp.bind((host, 53))
            self.address = host
            return

    def _answer(self, query, *more):
        name = read_question(query)[0]
        time.sleep(max((each for end, each in self.slow.items() if name.endswith(end)), default=0))
        return super()._answer(query, *more)


@pytest.fixture
def resolver():
    with SlowDns() as server:
        yield server


@pytest.fixture
def look(pytestconfig, resolver, tmp_path):
    """(host, options) -> what doctor says of its name, with this resolver."""
    doctor = Doctor(pytestconfig.getoption("--bin"))

    def at(port: int, host: str, options: str):
        file = tmp_path / "resolv.conf"
        file.write_text(f"nameserver {resolver.address}\nsearch {SEARCH}\noptions {options}\n")
        prefix = ["unshare", "-m", "sh", "-c", f'mount --bind {file} /etc/resolv.conf && exec "$@"', "sh"]
        return doctor.examine(dsn(port, host), "--only", "dns", prefix=prefix)

    return at


def test_a_quick_name(look, server):
    diagnosis = look(server.port, HOST, "ndots:1")
    assert diagnosis.verdict("dns") == "ok" and diagnosis.facts()["lookUpSeconds"] > 0


def test_the_search_list_comes_first(look, resolver, server):
    resolver.slow = {f"{HOST}.prod.svc.test": 0.01, f"{HOST}.svc.test": 0.01}
    found = look(server.port, HOST, "ndots:5").finding("dns")
    assert found["pathologies"] == ["P21"] and f"{HOST}." in found["fix"]
    assert any("ndots:5" in each for each in found["evidence"])


def test_the_search_list_does_not_matter_for_an_absolute_name(look, resolver, server):
    resolver.slow = {f"{HOST}.prod.svc.test": 0.01, f"{HOST}.svc.test": 0.01}
    assert look(server.port, HOST + ".", "ndots:5").verdict("dns") == "ok"


def test_a_resolver_that_stalls(look, resolver, server):
    resolver.slow = {HOST: 1.2}
    found = look(server.port, HOST, "ndots:1").finding("dns")
    assert found["pathologies"] == ["P21"] and "stalls" in found["summary"]


def test_a_resolver_that_does_not_answer(look, resolver, server):
    resolver.silence()
    found = look(server.port, HOST, "ndots:1 timeout:1 attempts:1").finding("reach")
    assert found["where"] == "name resolution on this host"

"""`trunkline doctor` and what only its clock can see: a CPU quota on the path, a window that shrinks in a pause; and
what it draws of the times."""

from __future__ import annotations

import re
import socket
import time

import pytest

from harness import slow_path
from harness.doctor import Doctor, dsn
from harness.middle_box import MiddleBox

# Nothing here goes through a gateway.
pytestmark = pytest.mark.any_build

PERIOD, HELD = 0.1, 0.06
ONE_WAY = 0.015


@pytest.fixture(scope="module")
def doctor(pytestconfig) -> Doctor:
    return Doctor(pytestconfig.getoption("--bin"))


class Throttled(MiddleBox):
    """Does not run for 60 of each 100 ms, as a process whose CPU quota is used up."""

    @staticmethod
    def _receive(pair, source):
        data = MiddleBox._receive(pair, source)
        place = time.monotonic() % PERIOD
        if place < HELD:
            time.sleep(HELD - place)
        return data


class Reno(slow_path.Forwarder):
    """With the congestion control that every kernel has; BBR's window does not shrink."""

    def __init__(self, host: str, port: int):
        super().__init__(host, port)
        self._listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")


class Busy(MiddleBox):
    """Stalls as often and as long, but at no regular time."""

    @staticmethod
    def _receive(pair, source):
        data = MiddleBox._receive(pair, source)
        place = time.monotonic() % (PERIOD * 1.37)
        if place < HELD:
            time.sleep(HELD - place)
        return data


def test_a_relay_that_is_throttled(doctor, server):
    with Throttled(server.port) as relay:
        diagnosis = doctor.examine(dsn(relay.port, sslmode="disable"), "--only", "throttling")
    found = diagnosis.finding("throttling")
    assert found["pathologies"] == ["P52"] and found["severity"] == "slow" and found["confidence"] == "likely"
    assert any("fall together" in each for each in found["evidence"])


@pytest.mark.parametrize("kind", [MiddleBox, Busy])
def test_a_relay_that_stalls_at_any_time_is_not_throttled(doctor, server, kind):
    with kind(server.port) as relay:
        diagnosis = doctor.examine(dsn(relay.port, sslmode="disable"), "--only", "throttling")
    assert diagnosis.verdict("throttling") == "ok", diagnosis.check("throttling")


def test_a_direct_path_is_neither(doctor, server):
    diagnosis = doctor.examine(dsn(server.port, sslmode="disable"), "--only", "throttling,slow-start,round-trips")
    for quiet in ("throttling", "slow-start"):
        assert diagnosis.verdict(quiet) == "ok", diagnosis.check(quiet)


@pytest.mark.skipif(not slow_path.available(), reason="needs root and a TUN device")
@pytest.mark.xdist_group("slow_start_after_idle")  # the host has one
@pytest.mark.parametrize("shrinks", [True, False])
def test_a_window_that_shrinks_in_a_pause(doctor, server, shrinks, slow_start_after_idle):
    """TCP itself, over a network of 30 ms."""
    slow_start_after_idle(shrinks)
    with slow_path.SlowPath(ONE_WAY) as path, Reno(path.near, server.port) as behind:
        diagnosis = doctor.examine(dsn(behind.port, path.far, sslmode="disable"), "--only", "slow-start,round-trips")
    assert diagnosis.facts()["querySeconds"] >= 2 * ONE_WAY
    if not shrinks:
        assert diagnosis.verdict("slow-start") == "ok", diagnosis.check("slow-start")
        return
    found = diagnosis.finding("slow-start")
    assert found["pathologies"] == ["P53"] and "tcp_slow_start_after_idle = 0" in found["fix"]


@pytest.fixture
def slow_start_after_idle():
    """Sets the kernel's habit, of this network namespace; puts it back."""
    file = "/proc/sys/net/ipv4/tcp_slow_start_after_idle"
    before = open(file).read()

    def write(text: str) -> None:
        with open(file, "w") as out:
            out.write(text)

    yield lambda shrinks: write("1" if shrinks else "0")
    write(before)


def test_the_page_draws_what_was_measured(doctor, server, tmp_path):
    page = tmp_path / "page.html"
    done = doctor.run(dsn(server.port), "--only", "round-trips,sizes,logins,throttling", "--idle", "1s", "--page", str(page))
    assert done.returncode == 0, done.stdout + done.stderr
    text = page.read_text()
    for drawn in ("Round trips", "A login, stage by stage", "Small queries one after another", "A message of each size",
                  "Silences that were tried"):
        assert drawn in text, drawn
    assert "<script" not in text and not re.search(r"(?:src|href)=", text) and "nan" not in re.sub(r"[a-z]nan|nan[a-z]", "", text)

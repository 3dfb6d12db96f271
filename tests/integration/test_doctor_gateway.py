"""`trunkline doctor` through a trunkline: what a gateway promises, seen from the outside."""

from __future__ import annotations

import pytest

from harness import pooled as pools
from harness.doctor import Doctor, dsn
from harness.system import free_port

pytestmark = pytest.mark.needs_gateway


@pytest.fixture(scope="module")
def doctor(pytestconfig) -> Doctor:
    return Doctor(pytestconfig.getoption("--bin"))


def test_a_session_through_a_gateway(doctor, before, server):
    admin = f"127.0.0.1:{free_port()}"
    _, port = before(server, admin={"address": admin})
    diagnosis = doctor.examine(dsn(port, sslmode="disable"), "--gateway", f"http://{admin}")
    # The server's own keepalive begins after two hours; that this gateway asks cannot be seen from outside.
    assert diagnosis.finding_ids() <= {"keepalive"}, diagnosis.report["findings"]
    assert diagnosis.facts()["pooling"] == "session" and {"key", "addresses"} <= set(diagnosis.facts()["between"])
    assert diagnosis.verdict("gateway") == "ok", diagnosis.check("gateway")


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

"""The stress program on pools of both kinds (see stress/): hundreds of clients, each with a model of its session."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.pooled import PGBOUNCER, TRUNKLINE, TRUSTED, admin_dsn, stop_backends

pytestmark = pytest.mark.needs_gateway

HERE = Path(__file__).parent
# In session mode a client keeps its server connection, so that more clients only wait longer.
SIZES = {"session": 20, "transaction": 10}
CLIENTS = {"session": 40, "transaction": 150}
# PgBouncer's RESET does not go back to what the start-up message has said.
STARTUP = {PGBOUNCER: "none"}


def stress(server, port: int, mode: str, *more) -> subprocess.CompletedProcess:
    words = [sys.executable, "-m", "stress", "--port", port, "--server", admin_dsn(server), "--mode", mode,
             "--user", TRUSTED, *more]
    done = subprocess.run([str(word) for word in words], cwd=HERE, capture_output=True, text=True, timeout=1200)
    print(done.stdout, done.stderr)
    return done


def found(done: subprocess.CompletedProcess) -> dict[str, int]:
    """Violations by action."""
    return {name: int(count) for count, name in re.findall(r"^violations: +(\d+) (\w+)$", done.stdout, re.M)}


def pytest_generate_tests(metafunc):
    if "version" in metafunc.fixturenames:
        known = metafunc.config.trunkline_versions
        metafunc.parametrize("version", sorted({known[0], known[-1]}))


@pytest.mark.random
@pytest.mark.parametrize("mode,allow", [("session", "pin"), ("transaction", "pin"), ("transaction", "refuse")])
def test_every_session_is_its_own(pooled, servers, version, mode, allow, quick, long):
    server = servers[version]
    stop_backends(server)
    gateway, port = pooled(mode, size=SIZES[mode], server=server, on_unsafe=allow, maxWait="10m")
    done = stress(server, port, mode if pooled.limited else "direct", "--size", SIZES[mode],
                  "--clients", CLIENTS[mode], "--seconds", 600 if long else 8 if quick else 45, "--allow", allow,
                  "--startup", STARTUP.get(pooled.kind, "any"))
    assert done.returncode == 0 and not found(done), (done.stdout + done.stderr)[-6000:]
    if gateway is not None:
        gateway.check_alive()


# What leaks, and the actions that can see it.
LEAKS = {
    "settings": {"settings_are_as_set"},
    "prepared statements": {"bind_named", "parse_named"},
    "temporary tables": {"create_temp", "use_temp", "no_temp"},
    "advisory locks": {"try_lock", "unlock", "unlock_what_it_has_not"},
    "notifications": {"notifications"},
    "sequences": {"currval", "lastval_of_nobody"},
    "roles": {"who_it_is"},
}


@pytest.mark.any_build
def test_it_finds_what_leaks(pooled, servers):
    """PgBouncer in transaction mode gives one client's state to another: a stress that sees nothing there is blind."""
    server = servers[servers.versions[-1]]
    seen: dict[str, int] = {}
    missing = list(LEAKS)
    for _ in range(4):  # on a busy machine there is not time enough for each of them to come up; and it may end under this
        stop_backends(server)
        _bouncer, port = pooled("transaction", size=5, server=server, kind=PGBOUNCER)
        done = stress(server, port, "transaction", "--size", 5, "--clients", 60, "--seconds", 12, "--startup", "none",
                      "--unsafe", 0.7)
        seen |= found(done)
        missing = [what for what, actions in LEAKS.items() if not actions & set(seen)]
        if len(missing) <= 2:
            break
    assert len(missing) <= 2, f"{missing} were not found:\n{done.stdout[-6000:]}"

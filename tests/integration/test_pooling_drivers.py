"""The drivers' usual programs on a pool, unchanged and with the drivers' defaults: the whole client matrix, and in it the
scenario `shared`, in which several sessions of one program meet on two server connections.

What a program does with names that its driver makes up, with prepared statements after the fifth execution, with caches
and resets of its own pool, is the driver's: it must not notice that there is a pool.
"""

from __future__ import annotations

import pytest

from harness import clients
from harness.pooled import DIRECT, MODES
from harness.postgres import DATABASE, PASSWORD, USER
from harness.roads import Target

# In sanitized builds the matrix sends the same programs through a pool.
pytestmark = [pytest.mark.needs_gateway, pytest.mark.any_build]

PROGRAM_SECONDS = 240
# In session mode a session keeps its server connection, and the programs have up to four of their own at once.
SIZES = {"session": 8, "transaction": 2}

# What says nothing in transaction mode.
SENSELESS = {
    (None, "failures"): "ends a server connection by its pid, and expects that the session ends",
    ("psycopg", "prepared"): "counts the prepared statements of its server connection, where others' are too",
}
SENSIBLE = {("sqlalchemy", "failures"), ("odbc", "failures")}


def pytest_generate_tests(metafunc):
    programs = clients.MATRIX + clients.SMOKE
    metafunc.parametrize("mode,client,scenario", [
        pytest.param(mode, client, scenario, id=f"{mode}-{client.name}-{scenario}")
        for mode in MODES for client in programs for scenario in client.scenarios])


@pytest.fixture(scope="module")
def results():
    """(mode, client) -> its results; each program runs once."""
    return {}


@pytest.fixture
def result(results, pooled, servers, workplace):
    """Of one scenario of a program: nothing where it went well."""
    def of(mode: str, client, scenario: str) -> str:
        if (mode, client.name) not in results:
            server = servers[servers.versions[-1]]
            schema = f"{client.name}_pooled_{mode}".replace("-", "_")
            server.query(f'create schema if not exists "{schema}" authorization {USER}')
            _gateway, port = pooled(mode, size=SIZES[mode], server=server, maxWait="30s")
            target = Target(name=str(server.version), mode=f"pooled-{mode}", version=server.version, host="127.0.0.1",
                            port=port, user=USER, password=PASSWORD, database=DATABASE, tls=False, binding=False, ca="",
                            schema=schema)
            results[mode, client.name] = target.name, clients.run(client, [target], workplace / f"pooled-{mode}",
                                                                  PROGRAM_SECONDS)
        name, known = results[mode, client.name]
        return known[name, scenario]
    return of


def test_a_driver_notices_nothing(result, pooled, mode, client, scenario):
    if missing := client.missing():
        pytest.skip(f"{client.name} needs {', '.join(missing)}")
    why = SENSELESS.get((client.name, scenario)) or SENSELESS.get((None, scenario))
    if why and mode == "transaction" and pooled.kind != DIRECT and (client.name, scenario) not in SENSIBLE:
        pytest.skip(why)
    failure = result(mode, client, scenario)
    assert not failure, failure

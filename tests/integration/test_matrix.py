"""Server versions x modes x clients x scenarios; one client process per mode and client.

The clients report each scenario by itself (clients/report.py), and each is a test here. A client's run happens
when the first of its scenarios is asked for.
"""

from __future__ import annotations

import pytest

from harness import clients

ONE_TARGET_SECONDS = 90
WHOLE_MODE = "tls-scram"  # every version
# It ends its own server process, by a number that was asked for earlier: the client is on another one by then, and
# lives on.
SENSELESS = {("pooled", "failures")}


def pytest_generate_tests(metafunc):
    config = metafunc.config
    members = clients.MATRIX if metafunc.function.__name__ == "test_matrix" else clients.SMOKE
    cases = [pytest.param(mode, client, version, scenario, id=f"{mode}-{client.name}-{version}-{scenario}")
             for mode in config.trunkline_modes for client in members for version in _versions(config, mode, members)
             for scenario in client.scenarios if (mode, scenario) not in SENSELESS]
    metafunc.parametrize("mode,client,version,scenario", cases)


def _versions(config, mode, members) -> list[int]:
    """What lies between the oldest and the newest is tried in one mode, unless --long asks for all: what a mode does is
    the same before each of them."""
    known = config.trunkline_versions
    if members is clients.SMOKE:
        return known[-1:]
    if config.getoption("--long") or mode == WHOLE_MODE:
        return known
    return sorted({known[0], known[-1]})


@pytest.fixture(scope="session")
def suite_results(road, servers, workplace, pytestconfig):
    """(mode, client) -> its results; each program runs once."""
    known: dict = {}

    def of(mode, client, versions):
        if (mode, client.name) not in known:
            schema = f"{client.name}_{mode}".replace("-", "_")
            for version in versions:
                servers[version].query(f'create schema if not exists "{schema}" authorization app')
            targets = [road(mode, version, schema) for version in versions]
            known[mode, client.name] = clients.run(client, targets, workplace / f"clients-{mode}",
                                                   ONE_TARGET_SECONDS * len(targets))
        return known[mode, client.name]
    return of


def _check(suite_results, mode, client, version, scenario, versions):
    if missing := client.missing():
        pytest.skip(f"{client.name} needs {', '.join(missing)}")
    failure = suite_results(mode, client, versions)[str(version), scenario]
    assert not failure, failure


def test_matrix(suite_results, pytestconfig, mode, client, version, scenario):
    _check(suite_results, mode, client, version, scenario, _versions(pytestconfig, mode, clients.MATRIX))


def test_smoke(suite_results, pytestconfig, mode, client, version, scenario):
    """Lighter: other languages' drivers, on the newest server only."""
    _check(suite_results, mode, client, version, scenario, _versions(pytestconfig, mode, clients.SMOKE))

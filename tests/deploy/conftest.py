"""The tests of deploy/: what the chart makes, checked without a cluster, and the image and the Debian package, run."""

from __future__ import annotations

import base64
import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

import tools  # noqa: E402
from harness.certs import Authority  # noqa: E402


def pytest_addoption(parser):
    group = parser.getgroup("trunkline")
    group.addoption("--bin", default=os.environ.get("TRUNKLINE_BIN", str(tools.REPOSITORY / "build/release/trunkline")),
                    help="the gateway (default: $TRUNKLINE_BIN or build/release/trunkline)")
    group.addoption("--update", action="store_true", help="write the golden files and deploy/kustomize anew")


@pytest.fixture(scope="session")
def binary(pytestconfig) -> Path:
    found = Path(pytestconfig.getoption("--bin"))
    assert os.access(found, os.X_OK), f"no gateway at {found}: ./dev build"
    return found


@pytest.fixture(scope="session")
def update(pytestconfig) -> bool:
    return pytestconfig.getoption("--update")


@pytest.fixture(scope="session")
def with_helm():
    if not tools.installed():
        pytest.skip("no helm: scripts/setup-kubernetes could not fetch it")


@pytest.fixture(scope="session")
def rendered(with_helm) -> dict[str, str]:
    """What each case becomes, as text."""
    return {case: tools.render(case).stdout for case in tools.CASES}


@pytest.fixture(scope="session")
def secrets(tmp_path_factory) -> dict[str, dict[str, bytes]]:
    """The Secrets that the cases expect to be there."""
    authority = Authority(tmp_path_factory.mktemp("ca"))
    pair = authority.issue("gateway")
    tls = {"tls.crt": Path(pair.cert).read_bytes(), "tls.key": Path(pair.key).read_bytes()}
    ca = {"ca.crt": Path(authority.cert).read_bytes()}
    password = {"password": b"correct horse"}
    key = base64.b64encode(bytes(32))
    users = b'"app" "SCRAM-SHA-256$4096:c2FsdHNhbHRzYWx0c2FsdA==$' + key + b":" + key + b'"\n'
    shared = {"replicas.key": os.urandom(32)}
    return {"gateway-trunkline-tls": tls, "db-example-org": tls, "trunkline-tls": tls,
            "gateway-replicas": shared, "trunkline-replicas": shared,
            "app-db": {"users.txt": users, **password}, "app-db-app": password, "app-db-ca": ca, "watch": password}

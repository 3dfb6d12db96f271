"""Options and session-wide fixtures of the integration tests; see README.md."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from harness import island as islands
from harness import partition as network
from harness import pooled as pools
from harness import roads
from harness.certs import Authority
from harness.cluster import Cluster, Template
from harness.console import console
from harness.failed_list import FailedList
from harness.front import Front, front_config
from harness.gateway import Gateway, port_of, simple_config
from harness.issuer import Issuer
from harness.postgres import USER, Server, installed
from harness.system import IS_ROOT, REPOSITORY, free_port
from harness.watched import Watched

VERSIONS = (15, 16, 17, 18)
QUICK_VERSIONS = (15, 18)


def pytest_addoption(parser):
    group = parser.getgroup("trunkline")
    group.addoption("--bin", default=os.environ.get("TRUNKLINE_BIN", str(REPOSITORY / "build/release/trunkline")),
                    help="the gateway (default: $TRUNKLINE_BIN or build/release/trunkline)")
    group.addoption("--modes", default=",".join(roads.GATEWAY_MODES),
                    help="comma-separated; 'direct' means: straight at the server, which tests the tests")
    group.addoption("--servers", default="", help="major versions, comma-separated; default 15,16,17,18")
    group.addoption("--pooler", default=pools.TRUNKLINE, choices=pools.POOLERS,
                    help="what the tests of pooling try; 'direct' tests the tests, 'pgbouncer' shows what they find")
    group.addoption("--quick", action="store_true", help="15 and 18 only, without what is marked long: for sanitizers")
    group.addoption("--long", action="store_true", help="the full length of what is cut short otherwise")
    group.addoption("--failed-list", type=Path, help="file for the ids of tests that failed, but for random ones")


def pytest_configure(config):
    if config.getoption("--failed-list") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(FailedList(config.getoption("--failed-list").absolute(), config.rootpath))
    config.trunkline_modes = [mode for mode in config.getoption("--modes").split(",") if mode]
    unknown = set(config.trunkline_modes) - set(roads.MODES)
    if unknown:
        raise pytest.UsageError(f"unknown modes {sorted(unknown)}; there are {', '.join(roads.MODES)}")
    asked = config.getoption("--servers")
    wanted = [int(word) for word in asked.split(",")] if asked else (
        QUICK_VERSIONS if config.getoption("--quick") else VERSIONS)
    config.trunkline_versions = [version for version in wanted if installed(version)]
    config.trunkline_missing = [version for version in wanted if not installed(version)]
    if not config.trunkline_versions:
        raise pytest.UsageError("no PostgreSQL to test with: run scripts/setup-postgres")
    needs_binary = set(config.trunkline_modes) - {roads.DIRECT}
    if needs_binary and not os.access(config.getoption("--bin"), os.X_OK) and not config.option.collectonly:
        raise pytest.UsageError(f"no gateway at {config.getoption('--bin')}: ./dev build, or --modes direct")


def pytest_report_header(config):
    missing = f"; missing: {config.trunkline_missing}" if config.trunkline_missing else ""
    return f"servers: {config.trunkline_versions}{missing}; modes: {', '.join(config.trunkline_modes)}"


@pytest.hookimpl(tryfirst=True)  # before the groups are read
def pytest_collection_modifyitems(config, items):
    only_direct = config.trunkline_modes == [roads.DIRECT]
    for item in items:
        if client := getattr(item, "callspec", None) and item.callspec.params.get("client"):
            # A client program is built once and started once for each mode: its scenarios stay together.
            item.add_marker(pytest.mark.xdist_group(client.name))
        if config.getoption("--quick") and item.get_closest_marker("long"):
            item.add_marker(pytest.mark.skip(reason="--quick"))
        if only_direct and item.get_closest_marker("needs_gateway"):
            item.add_marker(pytest.mark.skip(reason="only the mode 'direct' is asked for"))


@pytest.fixture(scope="session")
def quick(pytestconfig) -> bool:
    return pytestconfig.getoption("--quick")


@pytest.fixture(scope="session")
def long(pytestconfig) -> bool:
    return pytestconfig.getoption("--long")


@pytest.fixture(scope="session")
def sanitized(pytestconfig) -> bool:
    return b"__sanitizer_" in Path(pytestconfig.getoption("--bin")).read_bytes()


@pytest.fixture(scope="session")
def not_sanitized(sanitized) -> None:
    """For tests of figures: a sanitizer keeps freed memory and makes everything larger."""
    if sanitized:
        pytest.skip("built with a sanitizer")


@pytest.fixture(scope="session")
def workplace():
    """A folder for this run that the user who runs PostgreSQL can enter; kept when TRUNKLINE_KEEP is set."""
    folder = Path(tempfile.mkdtemp(prefix="trunkline-"))
    folder.chmod(0o755)
    yield folder
    if not os.environ.get("TRUNKLINE_KEEP"):
        shutil.rmtree(folder, ignore_errors=IS_ROOT)


@pytest.fixture(scope="session")
def authority(workplace) -> Authority:
    """Signs the certificates of servers, gateways and clients."""
    return Authority(workplace / "ca")


class Servers:
    """PostgreSQL by major version, started when first asked for."""

    def __init__(self, folder: Path, authority: Authority, versions: list[int]):
        self.versions = versions
        self._folder = folder
        self._authority = authority
        self._running: dict[int, Server] = {}

    def __getitem__(self, version: int) -> Server:
        if version not in self._running:
            server = Server(version, self._folder / f"pg{version}", self._authority.issue("server"),
                            self._authority.cert)
            self._running[version] = server
            server.create()
        return self._running[version]

    def all(self) -> list[Server]:
        return [self[version] for version in self.versions]

    def stop(self) -> None:
        for server in self._running.values():
            server.stop()


@pytest.fixture(scope="session")
def servers(workplace, authority, pytestconfig):
    running = Servers(workplace, authority, pytestconfig.trunkline_versions)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def server(servers) -> Server:
    """One server, the newest, for what does not depend on the version."""
    return servers[servers.versions[-1]]


@pytest.fixture(scope="session")
def cluster_place(workplace):
    """Where clusters live: in memory where there is room, since each of them is made of thousands of files."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or shutil.disk_usage(memory).free < 4 << 30:
        yield workplace
        return
    folder = Path(tempfile.mkdtemp(prefix="trunkline-", dir=memory))
    folder.chmod(0o755)
    yield folder
    if not os.environ.get("TRUNKLINE_KEEP"):
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def templates(cluster_place, authority):
    """(version, number) -> the Template that clusters are copied from; another number is another system."""
    known: dict[tuple[int, int], Template] = {}

    def of(version: int, number: int = 0) -> Template:
        if (version, number) not in known:
            known[version, number] = Template(version, cluster_place / f"template{version}-{number}",
                                              authority.issue("server"), authority.cert).create()
        return known[version, number]

    return of


@pytest.fixture(scope="module")
def module_clusters(templates, cluster_place, pytestconfig):
    """As `make_cluster`, for clusters that the tests of a file share: they leave them as they found them."""
    with _making_clusters(templates, cluster_place, pytestconfig) as make:
        yield make


@pytest.fixture
def make_cluster(templates, cluster_place, pytestconfig):
    """Starts clusters for one test: `make_cluster(version=18, replicas=2, system=0, ...)`; see harness/cluster.py."""
    with _making_clusters(templates, cluster_place, pytestconfig) as make:
        yield make


@pytest.fixture
def cluster(make_cluster) -> Cluster:
    """A primary and two replicas of the newest version."""
    return make_cluster()


@contextlib.contextmanager
def _making_clusters(templates, place, pytestconfig):
    started: list[Cluster] = []

    def make(version: int | None = None, *, system: int = 0, **more) -> Cluster:
        folder = Path(tempfile.mkdtemp(prefix="c", dir=place))  # short: sockets are in it
        folder.chmod(0o755)
        cluster = Cluster(templates(version or pytestconfig.trunkline_versions[-1], system), folder, **more)
        started.append(cluster)
        return cluster.start()

    yield make
    for cluster in started:
        cluster.close()
        if not os.environ.get("TRUNKLINE_KEEP"):
            shutil.rmtree(cluster.folder, ignore_errors=True)


@pytest.fixture
def island():
    """A network of its own for one server; see harness/island.py."""
    if not islands.available():
        pytest.skip("needs root, ip and iptables")
    with islands.Island() as island:
        yield island


@pytest.fixture
def partition():
    """`partition.cut(server)`: its packets get lost until the test ends."""
    if not network.available():
        pytest.skip("needs root and iptables")
    with network.Partition() as partition:
        yield partition


@pytest.fixture(scope="session")
def mode_gateways(servers, authority, workplace, pytestconfig):
    """mode -> its gateway before all servers, started when first asked for, and checked at the end."""
    running: dict[str, Gateway] = {}

    def of(mode: str) -> Gateway:
        if mode not in running:
            folder = workplace / f"gateway-{mode}"
            config = roads.gateway_config(mode, servers.all(), authority, folder)
            running[mode] = Gateway(Path(pytestconfig.getoption("--bin")), folder, config).start()
        running[mode].check_alive()
        return running[mode]

    yield of
    failures = []
    for gateway in running.values():
        try:
            gateway.stop()
        except AssertionError as failure:
            failures.append(str(failure))
    assert not failures, "\n".join(failures)


@pytest.fixture(scope="session")
def road(servers, authority, mode_gateways):
    """(mode, version, schema) -> the Target that a client connects to."""
    def of(mode: str, version: int, schema: str = "public") -> roads.Target:
        server = servers[version]
        port = server.port if mode == roads.DIRECT else roads.gateway_port(mode_gateways(mode), server)
        return roads.target(mode, server, authority, port, schema)
    return of


@pytest.fixture
def start_gateway(pytestconfig, tmp_path_factory):
    """Starts gateways for one test: `start_gateway(config)`. They are stopped and checked when it ends."""
    started: list[Gateway] = []

    def start(config: dict, *, begin: bool = True, wait: bool = True, **more) -> Gateway:
        folder = tmp_path_factory.mktemp("gateway")
        gateway = Gateway(Path(pytestconfig.getoption("--bin")), folder, config, **more)
        started.append(gateway)
        return gateway.start(wait=wait) if begin else gateway

    yield start
    for gateway in started:
        gateway.stop()


@pytest.fixture
def reach(start_gateway, pytestconfig, authority):
    """(endpoint, tls=...) -> the port to connect to, before a gateway in session mode; or the endpoint's own port
    where only the mode 'direct' is asked for. `tls` puts TLS on both legs, with one certificate."""
    def of(endpoint: str, *, tls: bool = False, **config) -> int:
        if pytestconfig.trunkline_modes == [roads.DIRECT]:
            return int(endpoint.rsplit(":", 1)[1])
        if tls:
            certificate = authority.issue("server")
            config |= {"tls": {"mode": "require", "certificates": [
                           {"certFile": str(certificate.cert), "keyFile": str(certificate.key)}]},
                       "upstream_tls": {"mode": "verify-full", "caFile": str(authority.cert), "sameCertificate": True}}
        return port_of(start_gateway(simple_config(endpoint, **config)).config, "main")
    return of


@pytest.fixture
def before(start_gateway):
    """A gateway in session mode before an endpoint or a Server: `before(server, ...)` -> (gateway, port)."""
    def of(what, **config):
        endpoint = what if isinstance(what, str) else f"127.0.0.1:{what.port}"
        gateway = start_gateway(simple_config(endpoint, **config))
        return gateway, port_of(gateway.config, "main")
    return of


@pytest.fixture
def pooled(start_gateway, servers, workplace, pytestconfig):
    """A pool before a server: `pooled("transaction", size=2, ...)` -> (gateway, port); see harness/pooled.py."""
    folder = Path(tempfile.mkdtemp(prefix="pooled-", dir=workplace))
    folder.chmod(0o755)
    pooler = pools.Pooler(pytestconfig.getoption("--pooler"), start_gateway, servers, folder)
    yield pooler
    pooler.close()


@pytest.fixture
def issuer(authority):
    """An OpenID Connect issuer over https; see harness/issuer.py."""
    made = Issuer(authority.issue("gateway"))
    yield made
    made.stop()


@pytest.fixture
def watched_pool(start_gateway, servers, workplace, tmp_path):
    """`watched_pool(mode="transaction", size=2, ...)` -> Watched; the newest server."""
    server = servers[servers.versions[-1]]
    pools.stop_backends(server)
    pools.stop_backends(server, USER)

    def start(mode: str = "transaction", *, size: int = 2, routes=None, tls=None, **pool) -> Watched:
        verifiers = workplace / f"watched-{server.version}.txt"
        roads.write_verifiers(verifiers, server.verifiers())
        config = pools.pooled_config(mode, server, verifiers, size, "pin", pool)
        admin_port = free_port()
        config["admin"] = console(tmp_path) | {"address": f"127.0.0.1:{admin_port}"}
        if tls is not None:
            config["listeners"][0]["tls"] = tls
        if routes is not None:
            config["routes"] = routes
        return Watched(start_gateway(config), admin_port)

    start.server = server
    return start


@pytest.fixture
def front(start_gateway, tmp_path):
    """A gateway before several servers: `front(cluster, ...)`; see harness/front.py."""
    def of(where, **more) -> Front:
        return Front(start_gateway(front_config(where, tmp_path, **more)))
    return of

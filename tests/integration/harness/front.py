"""A gateway before several servers: what it knows of them, and where its sessions go."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.rows import dict_row

from harness.admin import Admin
from harness.cluster import MONITOR, MONITOR_PASSWORD, Cluster
from harness.console import console, dsn
from harness.gateway import Gateway, listener, port_of
from harness.postgres import Server
from harness.system import free_port, wait_until
from harness.wire import Closed, RawClient, Refused

UPSTREAM = "db"
TARGETS = ("primary", "replica", "preferReplica", "any")
HEALTH = {"interval": "200ms", "timeout": "1s", "user": MONITOR, "password": MONITOR_PASSWORD, "slowStart": "0s"}

_WHERE = "select host(inet_server_addr()) || ':' || inet_server_port(), pg_is_in_recovery()"


def front_config(where, folder: Path, *, health: dict | None = HEALTH, hold: str = "", upstream: dict | None = None,
                 listeners: dict | None = None, **more) -> dict:
    """One upstream, with a listener and a route called after each target, an admin address and a console.
    `where` is a cluster, a list of endpoints, or an upstream's `discovery`."""
    made = {"name": UPSTREAM, "tls": {"mode": "disable"}, "connectTimeout": "3s"}
    made |= {"discovery": where} if isinstance(where, dict) else {
        "endpoints": where.endpoints if isinstance(where, Cluster) else list(where)}
    made |= {"health": _with_file(health, folder)} if health else {}
    made |= {"failover": {"hold": hold}} if hold else {}
    return {
        "listeners": [listener(target, **(listeners or {})) for target in TARGETS],
        "routes": [{"name": target, "match": {"listener": target}, "upstream": UPSTREAM, "target": target,
                    "auth": {"method": "server"}} for target in TARGETS],
        "upstreams": [made | (upstream or {})],
        "admin": console(folder) | {"address": f"127.0.0.1:{free_port()}"},
    } | more


def _with_file(health: dict, folder: Path) -> dict:
    """No password stands in a configuration."""
    if "password" not in health:
        return health
    file = folder / "health.password"
    file.write_text(health["password"])
    return {key: value for key, value in health.items() if key != "password"} | {"passwordFile": str(file)}


class Front:
    def __init__(self, gateway: Gateway):
        self.gateway = gateway
        self.admin = Admin(int(gateway.config["admin"]["address"].rsplit(":", 1)[1]))

    # ---- sessions ----

    def port(self, target: str = "primary") -> int:
        return port_of(self.gateway.config, target)

    def login(self, target: str = "primary", *, timeout: float = 15, **words) -> RawClient:
        client = RawClient(self.port(target), timeout=timeout)
        try:
            return client.login(**words)
        except BaseException:
            client.close()
            raise

    def served_by(self, target: str = "primary", **more) -> str:
        """The endpoint that a new session is on."""
        with self.login(target, **more) as client:
            return endpoint_of(client)

    def served_at_last(self, target: str) -> str:
        """The same while roles are only learned from logins: whoever meets the wrong kind of server is refused, since
        the client's own login cannot be taken elsewhere, and nobody meets it twice."""
        for _ in self.gateway.config["upstreams"][0]["endpoints"]:
            try:
                return self.served_by(target)
            except Refused as refused:
                assert refused.code == "57P03", refused
        return self.served_by(target)

    def spread(self, target: str, count: int) -> Counter:
        """How many of `count` sessions that are open together are on which endpoint."""
        with contextlib.ExitStack() as opened:
            return Counter(endpoint_of(opened.enter_context(self.login(target))) for _ in range(count))

    def console(self) -> psycopg.Connection:
        return psycopg.connect(dsn(self.port()), autocommit=True, row_factory=dict_row)

    # ---- what it knows ----

    def upstream(self) -> dict:
        said = self.admin.json("/api/v1/upstreams")
        return next(each for each in said["upstreams"] if each["name"] == UPSTREAM)

    def endpoints(self) -> dict[str, dict]:
        return {each["name"]: each for each in self.upstream()["endpoints"]}

    def endpoint(self, which) -> dict:
        """Nothing where it knows no such endpoint."""
        return self.endpoints().get(_name(which), {})

    def wait_endpoint(self, which, timeout: float = 15, **facts) -> dict:
        def found():
            known = self.endpoint(which)
            return known if known and all(known.get(key) == value for key, value in facts.items()) else None
        try:
            return wait_until(found, timeout, f"{_name(which)} is {facts}")
        except AssertionError as late:
            raise AssertionError(f"{late}; there are: {self.endpoints()}") from None

    def wait_roles(self, cluster: Cluster) -> "Front":
        """Until every member is known to be what it is."""
        for member in cluster.members:
            self.wait_endpoint(member, state="up", role="primary" if member is cluster.primary else "replica")
        return self

    def events(self, name: str, since: int = 0, **facts) -> list[dict]:
        return [line for line in self.gateway.log()[since:]
                if line["event"] == name and all(line.get(key) == value for key, value in facts.items())]

    def wait_event(self, name: str, since: int = 0, timeout: float = 15, **facts) -> dict:
        return wait_until(lambda: self.events(name, since, **facts), timeout, f"{name} with {facts} in the log")[0]

    def metric(self, name: str, **labels) -> float | None:
        """One sample; None where there is none."""
        for line in self.admin.metrics().splitlines():
            found = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', line))
            if re.match(rf"trunkline_{name}[{{ ]", line) and labels.items() <= found.items():
                return float(line.rsplit(" ", 1)[1])
        return None


def endpoint_of(client: RawClient) -> str:
    return client.simple(_WHERE)[0][0]


def _name(which) -> str:
    return which.endpoint if isinstance(which, Server) else which


@dataclass
class Visit:
    began: float
    seconds: float
    endpoint: str = ""          # nothing: it failed
    in_recovery: bool | None = None
    code: str = ""              # SQLSTATE, or what ended it
    message: str = ""


class Visitors:
    """While the block lasts, log in, look where they are and leave, again and again, `count` at a time."""

    def __init__(self, front: Front, target: str = "primary", *, count: int = 4, timeout: float = 30, pause: float = 0):
        self._front, self._target, self._timeout, self._pause = front, target, timeout, pause
        self._over = threading.Event()
        self.visits: list[Visit] = []
        self._threads = [threading.Thread(target=self._go_on, daemon=True) for _ in range(count)]

    def __enter__(self) -> "Visitors":
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        for each in self._threads:
            each.join(self._timeout + 5)

    def _go_on(self) -> None:
        while not self._over.wait(self._pause):
            visit = Visit(time.monotonic(), 0)
            try:
                with self._front.login(self._target, timeout=self._timeout) as client:
                    where, recovery = client.simple(_WHERE)[0]
                    visit.endpoint, visit.in_recovery = where, recovery == "t"
            except Refused as refused:
                visit.code, visit.message = refused.code, str(refused)
            except (OSError, Closed) as lost:
                visit.code, visit.message = type(lost).__name__, str(lost)
            visit.seconds = time.monotonic() - visit.began
            self.visits.append(visit)
            if visit.code:
                self._over.wait(0.02)

    def since(self, began: float) -> list[Visit]:
        return [visit for visit in list(self.visits) if visit.began >= began]

    def wait(self, count: int = 1, since: float = 0, timeout: float = 20, **facts) -> list[Visit]:
        """Visits that began after that time, with these facts."""
        def found():
            visits = [visit for visit in self.since(since)
                      if all(getattr(visit, key) == value for key, value in facts.items())]
            return visits if len(visits) >= count else None
        try:
            return wait_until(found, timeout, f"{count} visits with {facts}")
        except AssertionError as late:
            raise AssertionError(f"{late}; the last were: {self.visits[-5:]}") from None

    @property
    def failed(self) -> list[Visit]:
        return [visit for visit in list(self.visits) if visit.code]

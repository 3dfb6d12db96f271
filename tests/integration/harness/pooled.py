"""A server behind a pool: the gateway in a pooled mode, a real PgBouncer in the same one, or the server itself.

The tests of pooling are written once. Straight at the server they must pass, which shows that they are right; before a
PgBouncer they show what they find.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple

import psycopg

from harness.gateway import listener, port_of
from harness.postgres import DATABASE, Server
from harness.roads import write_verifiers
from harness.system import as_unprivileged, free_port, give_to_unprivileged, port_answers, stop, wait_until

TRUNKLINE, PGBOUNCER, DIRECT = "trunkline", "pgbouncer", "direct"
POOLERS = (TRUNKLINE, PGBOUNCER, DIRECT)
MODES = ("session", "transaction")
TRUSTED = "trustuser"  # who logs in without a password, on both legs


class Pooled(NamedTuple):
    gateway: object  # a Gateway, a PgBouncer, or None
    port: int


class Pooler:
    """`pooled(mode, size=2, ...)` starts one of its kind before a server; it ends with the test."""

    def __init__(self, kind: str, start_gateway, servers, folder: Path):
        self.kind = kind
        self._start_gateway, self._servers, self._folder = start_gateway, servers, folder
        self._bouncers: list[PgBouncer] = []

    @property
    def limited(self) -> bool:
        """Whether it has a pool at all, so that the number of server connections has a bound."""
        return self.kind != DIRECT

    def __call__(self, mode: str, *, size: int = 2, server: Server | None = None, on_unsafe: str = "pin",
                 kind: str = "", **pool_options) -> Pooled:
        server = server or self._servers[self._servers.versions[-1]]
        kind = kind or self.kind
        if kind == DIRECT:
            return Pooled(None, server.port)
        if kind == PGBOUNCER:
            self._bouncers.append(PgBouncer(self._folder / f"bouncer{len(self._bouncers)}", server, mode, size))
            return Pooled(self._bouncers[-1], self._bouncers[-1].start().port)
        verifiers = self._folder / f"verifiers-{server.version}.txt"
        write_verifiers(verifiers, server.verifiers())
        gateway = self._start_gateway(pooled_config(mode, server, verifiers, size, on_unsafe, pool_options))
        return Pooled(gateway, port_of(gateway.config, "main"))

    def close(self) -> None:
        for bouncer in self._bouncers:
            bouncer.stop()


def pooled_config(mode: str, server: Server, verifiers: Path, size: int, on_unsafe: str, pool_options: dict) -> dict:
    """One listener; a route for who needs no password, and one for everybody else. A pool is for one database and
    user, so that `size` bounds the server connections of each user."""
    # onUnsafe says something about transaction mode only.
    common = {"upstream": "db", "pooling": mode} | ({"onUnsafe": on_unsafe} if mode == "transaction" else {})
    return {
        "workers": 2,
        "drain": {"grace": "5s"},
        "listeners": [listener("main")],
        "routes": [{"name": "trusted", "match": {"user": TRUSTED}, "auth": {"method": "trust"}} | common,
                   {"name": "known", "match": {}, "auth": {"method": "scram", "verifierFile": str(verifiers)}} | common],
        "upstreams": [{"name": "db", "endpoints": [f"127.0.0.1:{server.port}"], "tls": {"mode": "disable"},
                       "pool": {"size": size} | pool_options}],
    }


class PgBouncer:
    """Debian's, with its defaults but for what makes it the same pool."""

    def __init__(self, folder: Path, server: Server, mode: str, size: int):
        self._folder, self._server, self._mode, self._size = folder, server, mode, size
        self.port = free_port()
        self._process: subprocess.Popen | None = None

    def start(self) -> "PgBouncer":
        self._folder.mkdir(parents=True)
        users, hba = self._folder / "users.txt", self._folder / "hba.conf"
        write_verifiers(users, self._server.verifiers() + [(TRUSTED, "")])
        hba.write_text(f"host all {TRUSTED} 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
        (self._folder / "pgbouncer.ini").write_text(f"""
[databases]
* = host=127.0.0.1 port={self._server.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {self.port}
unix_socket_dir =
auth_type = hba
auth_file = {users}
auth_hba_file = {hba}
pool_mode = {self._mode}
default_pool_size = {self._size}
max_client_conn = 5000
ignore_startup_parameters = extra_float_digits, options
logfile = {self._folder / "pgbouncer.log"}
""")
        give_to_unprivileged(self._folder)
        with open(self._folder / "stderr.log", "wb") as said:
            self._process = subprocess.Popen(as_unprivileged(["pgbouncer", self._folder / "pgbouncer.ini"]),
                                             stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        wait_until(lambda: port_answers(self.port), 15, f"pgbouncer listens (see {self._folder})")
        return self

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def check_alive(self) -> None:
        assert self.running, (self._folder / "stderr.log").read_text()[-2000:]

    def stop(self) -> None:
        if self._process is not None:
            stop(self._process)


# ---- what the server says of a pool ----

_BACKENDS = "from pg_stat_activity where backend_type = 'client backend' and usename = %s"


def backends(server: Server, user: str = TRUSTED) -> list[tuple]:
    """(pid, state, what it waits for or runs) of each server connection of a user."""
    return server.query(f"select pid, state, left(query, 80) {_BACKENDS} order by pid", (user,))


def wait_quiet(server: Server, size: int | None, user: str = TRUSTED, timeout: float = 15) -> None:
    """Once all clients are gone: no server connection works, is in a transaction or has a lock, and there are at most
    `size` of them. A moment passes before a server knows that a client has gone."""
    def quiet() -> bool:
        now = backends(server, user)
        return all(state == "idle" for _, state, _ in now) and (size is None or len(now) <= size)
    try:
        wait_until(quiet, timeout, "the pool is quiet")
    except AssertionError as late:
        raise AssertionError(f"{late}: size {size}, but there are {backends(server, user)}") from None
    wait_until(lambda: not advisory_locks(server), timeout, f"no advisory lock is left: {advisory_locks(server)}")


def advisory_locks(server: Server) -> list[tuple]:
    return server.query("select pid, objid::bigint from pg_locks where locktype = 'advisory' order by 1, 2")


def stop_backends(server: Server, user: str = TRUSTED) -> None:
    """What the tests before have left, where no pooler was told to end them."""
    with server.admin() as admin:
        admin.execute(f"select pg_terminate_backend(pid) {_BACKENDS}", (user,))
    wait_until(lambda: not backends(server, user), 15, "the server connections of earlier tests are gone")


def admin_dsn(server: Server) -> str:
    """For a program of its own that looks past every gateway."""
    return psycopg.conninfo.make_conninfo(host=str(server.socket_folder), port=server.port, user="postgres",
                                          dbname=DATABASE)

"""Real PostgreSQL servers: one cluster in a temporary folder, reachable over TCP, TLS and a unix socket."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import psycopg

from harness.certs import Certificate
from harness.system import (DEPENDENCIES, IS_ROOT, as_unprivileged, free_port, give_to_unprivileged, run, wait_until)

SUPERUSER, SUPERUSER_PASSWORD = "postgres", "the keys of the house"
USER, PASSWORD = "app", "sécret pass'word 7"
DATABASE = "app"

_SETTINGS = {
    "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "64MB",
    "max_connections": "600", "max_wal_senders": "20", "max_replication_slots": "20", "wal_level": "logical",
    "max_wal_size": "4GB", "autovacuum": "off", "password_encryption": "scram-sha-256", "ssl": "on",
    "log_connections": "on", "log_disconnections": "on", "log_line_prefix": "%m [%p] %a ",
    "max_logical_replication_workers": "8", "max_worker_processes": "16",
}

_HBA = """
local   all          postgres               trust
local   all          all                    scram-sha-256
local   replication  all                    scram-sha-256
host    all          md5user      all       md5
host    all          clearuser    all       password
hostssl all          certuser     all       cert
host    all          trustuser    all       trust
host    all          all          all       scram-sha-256
host    replication  all          all       scram-sha-256
"""


def programs(version: int) -> Path:
    return DEPENDENCIES / "postgres" / str(version) / "bin"


def installed(version: int) -> bool:
    return os.access(programs(version) / "postgres", os.X_OK)


def client_program(name: str) -> str:
    """psql, pgbench, pg_basebackup and so on come from Debian."""
    debian = Path("/usr/lib/postgresql/15/bin") / name
    return str(debian) if debian.exists() else (shutil.which(name) or name)


class Server:
    """A running server. `dsn()` is how a test logs in past every gateway."""

    def __init__(self, version: int, folder: Path, certificate: Certificate, client_ca: Path,
                 settings: dict | None = None):
        self.version = version
        self.folder = folder
        self.data = folder / "data"
        self.port = free_port()
        self.host = "127.0.0.1"
        self.socket_folder = folder
        self.log = folder / "server.log"
        self.bin = programs(version).resolve()
        self._certificate = certificate
        self._client_ca = client_ca
        self._settings = _SETTINGS | (settings or {})
        self._process: subprocess.Popen | None = None
        self._prefix: list[str] = []  # what starts it somewhere else

    def create(self) -> "Server":
        """initdb, the settings, the roles. Ends with the server running."""
        self._create_cluster()
        self.start()
        with self.admin("postgres") as admin:
            admin.execute(f"alter role {SUPERUSER} password '{SUPERUSER_PASSWORD}'")
            quoted = PASSWORD.replace("'", "''")
            admin.execute(f"create role {USER} login replication password '{quoted}'")
            admin.execute("create role trustuser login")
            admin.execute("create role certuser login")
            admin.execute("create role clearuser login password 'in the clear'")
            admin.execute("set password_encryption = 'md5'; create role md5user login password 'digest'")
            admin.execute(f"create database {DATABASE} owner {USER}")
        return self

    def _create_cluster(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        give_to_unprivileged(self.folder)
        run(as_unprivileged([self.bin / "initdb", "-D", self.data, "-U", SUPERUSER, "--auth=trust", "--no-sync",
                             "--encoding=UTF8", "--locale=C"]), cwd="/")
        for source, name in ((self._certificate.cert, "server.crt"), (self._certificate.key, "server.key"),
                             (self._client_ca, "clients.crt")):
            shutil.copy(source, self.data / name)
            (self.data / name).chmod(0o600)
        (self.data / "pg_hba.conf").write_text(_HBA)
        lines = [f"{key} = '{value}'" for key, value in self._settings.items()]
        lines += ["ssl_ca_file = 'clients.crt'", "listen_addresses = '127.0.0.1, ::1'"]
        with open(self.data / "postgresql.conf", "a", encoding="utf-8") as configuration:
            configuration.write("\n".join(lines) + "\n")
        give_to_unprivileged(self.data)

    def start(self) -> None:
        self.begin()
        self.wait_started()

    def begin(self) -> None:
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                self._prefix + as_unprivileged([self.bin / "postgres", "-D", self.data, "-p", self.port,
                                                "-k", self.socket_folder]),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", start_new_session=True)

    def wait_started(self) -> None:
        wait_until(self._accepts, 60, f"PostgreSQL {self.version} starts (see {self.log})", 0.05)

    def _accepts(self) -> bool:
        if self._process.poll() is not None:
            raise AssertionError(f"PostgreSQL {self.version} did not start:\n{self.log.read_text()[-2000:]}")
        try:
            self.admin("postgres").close()
            return True
        except psycopg.OperationalError:
            return False

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def endpoint(self) -> str:
        return f"{self.host}:{self.port}"

    def send(self, number: int) -> None:
        self._process.send_signal(number)

    def stop(self, how: int = signal.SIGINT) -> None:
        """SIGTERM is smart, SIGINT fast, SIGQUIT immediate."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(10)

    def admin(self, database: str = DATABASE, **more) -> psycopg.Connection:
        """A superuser's session over the unix socket, in autocommit."""
        return psycopg.connect(host=str(self.socket_folder), port=self.port, user=SUPERUSER, dbname=database,
                               autocommit=True, connect_timeout=10, **more)

    def query(self, text: str, parameters=None, database: str = DATABASE) -> list[tuple]:
        with self.admin(database) as session:
            cursor = session.execute(text, parameters)
            return cursor.fetchall() if cursor.description else []

    def verifiers(self) -> list[tuple[str, str]]:
        """(role, verifier) of every role that has one, as in pg_authid."""
        return self.query("select rolname, rolpassword from pg_authid where rolpassword like 'SCRAM%'")

    def sessions(self, application: str) -> list[tuple]:
        """(pid, state, query) of the sessions that call themselves `application`."""
        return self.query("select pid, state, query from pg_stat_activity where application_name = %s", (application,))

    def log_text(self) -> str:
        return self.log.read_text(errors="replace")

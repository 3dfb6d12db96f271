"""A gateway that runs from a pgbouncer.ini, and the ini's that the tests use."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

from psycopg.conninfo import make_conninfo

from harness import postgres
from harness.console import verifier
from harness.system import REPOSITORY, free_port, port_answers, wait_until

POOL_MODE = "transaction"
ADMIN, ADMIN_PASSWORD = "boss", "pgbouncer's admin"
READER = "stats"


def documented_settings() -> list[str]:
    """Those of [pgbouncer], by the table of docs/pgbouncer.md."""
    text = (REPOSITORY / "docs" / "pgbouncer.md").read_text(encoding="utf-8")
    table = text.split("## Settings of [pgbouncer]")[1].split("## Settings of a database")[0]
    return re.findall(r"(?m)^\| `(\w+)` \|", table)


def userlist(folder: Path) -> Path:
    file = folder / "userlist.txt"
    password = postgres.PASSWORD.replace('"', '""')
    file.write_text(f'"{postgres.USER}" "{password}"\n"{ADMIN}" "{verifier(ADMIN_PASSWORD)}"\n'
                    f'"{READER}" "{ADMIN_PASSWORD}"\n', encoding="utf-8")
    file.chmod(0o600)
    return file


def write_ini(folder: Path, server, port: int, *, more: str = "", databases: str = "", users: str = "") -> Path:
    """A pgbouncer.ini as people have it, with the server behind it."""
    userlist(folder)
    host, server_port = server.endpoint.rsplit(":", 1)
    file = folder / "pgbouncer.ini"
    file.write_text(f"""
;; what a distribution's file looks like
[databases]
app = host={host} port={server_port} dbname=app
other = host={host} port={server_port} dbname=app application_name='it''s other'
{databases}
[users]
{users}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir = {folder}
auth_type = scram-sha-256
auth_file = {folder}/userlist.txt
admin_users = {ADMIN}
stats_users = {READER}
pool_mode = {POOL_MODE}
max_client_conn = 200
default_pool_size = 20
server_tls_sslmode = disable
logfile = {folder}/pgbouncer.log
pidfile = {folder}/pgbouncer.pid
ignore_startup_parameters = extra_float_digits
{more}
""", encoding="utf-8")
    return file


class Bouncer:
    """One `trunkline pgbouncer` in the foreground, or with -d in the background."""

    def __init__(self, binary: str, folder: Path, server, **words):
        self.binary, self.folder, self.server = binary, folder, server
        self.port = free_port()
        self.words = words
        self.file = write_ini(folder, server, self.port, **words)
        self.process: subprocess.Popen | None = None
        self.log_file = folder / "pgbouncer.log"
        self.pid_file = folder / "pgbouncer.pid"

    def rewrite(self, **words) -> None:
        self.words |= words
        write_ini(self.folder, self.server, self.port, **self.words)

    def start(self, *options: str) -> "Bouncer":
        self.process = subprocess.Popen([self.binary, "pgbouncer", *options, str(self.file)],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True, start_new_session=True)
        if "-d" in options:
            assert self.process.wait(20) == 0, self.process.stderr.read()
        wait_until(self.answers, 20, f"the gateway listens (see {self.log_file})")
        return self

    def answers(self) -> bool:
        if self.process.poll() not in (None, 0):
            raise AssertionError(f"it ended with {self.process.returncode}: {self.process.stderr.read()}")
        return port_answers(self.port)

    @property
    def pid(self) -> int:
        return int(self.pid_file.read_text())

    def send(self, number: int) -> None:
        os.kill(self.pid, number)

    def lives(self) -> bool:
        """Also when it is nobody's child."""
        if self.process is not None and self.process.poll() is None:
            return True
        return self.pid_file.exists()

    def wait_ended(self, timeout: float = 15) -> None:
        wait_until(lambda: not self.lives(), timeout, "it ends")

    def log_text(self) -> str:
        return self.log_file.read_text(encoding="utf-8") if self.log_file.exists() else ""

    def dsn(self, database: str = "app", **more) -> str:
        words = {"host": "127.0.0.1", "port": self.port, "user": postgres.USER, "password": postgres.PASSWORD,
                 "dbname": database, "sslmode": "disable", "connect_timeout": 15}
        return make_conninfo(**(words | more))

    def console_dsn(self, **more) -> str:
        return self.dsn("pgbouncer", **({"user": ADMIN, "password": ADMIN_PASSWORD} | more))

    def stop(self) -> None:
        try:
            os.kill(self.pid, signal.SIGQUIT)
        except (OSError, ValueError):
            pass
        if self.process is not None and self.process.poll() is None:
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(5)
        self.wait_ended()

"""The servers behind the proxies: one throwaway PostgreSQL 15, and the fake one for sessions by the thousand."""

import os
import subprocess

from benchlib import machine

USER = PASSWORD = DATABASE = "bench"

SETTINGS = """
listen_addresses = '127.0.0.1'
max_connections = 250
shared_buffers = 512MB
fsync = off
synchronous_commit = off
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
max_wal_size = 8GB
checkpoint_timeout = 1h
autovacuum = off
jit = off
password_encryption = 'scram-sha-256'
ssl = on
logging_collector = off
log_min_messages = error
"""


class Postgres:
    """A cluster of its own in the scratch directory, pgbench tables at scale 10, rows for COPY."""

    def __init__(self, scratch, copy_rows):
        self.scratch = scratch
        self.copy_rows = copy_rows
        self.port = machine.free_port()
        self.bin = os.environ.get("TRUNKLINE_BENCH_PGBIN", "/usr/lib/postgresql/15/bin")
        self.child = None

    def start(self):
        for needed in ("initdb", "postgres", "psql", "pgbench"):
            if not os.access(f"{self.bin}/{needed}", os.X_OK):
                raise machine.Unavailable(f"{self.bin}/{needed} is missing (TRUNKLINE_BENCH_PGBIN names another place)")
        data = self.scratch.path / "data"
        cert, key = machine.certificate(self.scratch)
        self.scratch.run([f"{self.bin}/initdb", "-D", data, "-U", "postgres", "--auth=trust", "--no-sync", "--locale=C.UTF-8", "-E", "UTF8"])
        with open(data / "postgresql.conf", "a", encoding="utf-8") as conf:
            conf.write(SETTINGS)
            conf.write(f"port = {self.port}\nunix_socket_directories = '{self.scratch.path}'\n")
            conf.write(f"ssl_cert_file = '{cert}'\nssl_key_file = '{key}'\n")
        (data / "pg_hba.conf").write_text("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
        self.child = self.scratch.spawn("postgres", [f"{self.bin}/postgres", "-D", data], self.port, self._is_up)
        self.sql(f"CREATE ROLE {USER} LOGIN SUPERUSER PASSWORD '{PASSWORD}'", "postgres")
        self.sql(f"CREATE DATABASE {DATABASE} OWNER {USER}", "postgres")
        self.scratch.run([f"{self.bin}/pgbench", "-h", self.scratch.path, "-p", self.port, "-U", USER, "-q", "-i", "-s", "10", DATABASE])
        return self

    def _is_up(self):
        """Its port is open before it is."""
        command = [f"{self.bin}/pg_isready", "-q", "-h", str(self.scratch.path), "-p", str(self.port)]
        return subprocess.run(command, check=False).returncode == 0

    def prepare_copy(self):
        """A table of 1,000-byte rows (1,001 bytes each on the wire of COPY, without the message header)."""
        if self.sql("SELECT to_regclass('bulk')", DATABASE).strip():
            return
        self.sql("CREATE UNLOGGED TABLE bulk(line text)", DATABASE)
        self.sql(f"INSERT INTO bulk SELECT repeat('x', 1000) FROM generate_series(1, {self.copy_rows})", DATABASE)
        self.sql("VACUUM (FREEZE) bulk", DATABASE)

    def sql(self, text, database):
        return self.scratch.run([f"{self.bin}/psql", "-XAtq", "-h", self.scratch.path, "-p", self.port, "-U",
                                 "postgres" if database == "postgres" else USER, "-d", database, "-c", text])

    def verifier(self):
        """The user's line for pgbouncer's userlist, as pg_authid keeps it."""
        secret = self.sql(f"SELECT rolpassword FROM pg_authid WHERE rolname = '{USER}'", DATABASE).strip()
        return f'"{USER}" "{secret}"\n'

    def version(self):
        return subprocess.run([f"{self.bin}/postgres", "--version"], capture_output=True, text=True, check=True).stdout.strip()


class FakePostgres:
    """Lets everybody in and answers at once; see fake_postgres.cc."""

    def __init__(self, scratch, tools):
        self.port = machine.free_port()
        scratch.spawn("fake_postgres", [tools["fake_postgres"], "--listen", self.port], self.port)

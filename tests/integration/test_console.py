"""The console over Postgres: who may log in, what drivers read, what it shows, how it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import urllib.request

import asyncpg
import psycopg
import pytest
from psycopg.rows import dict_row

from harness import audit, clients
from harness.console import PASSWORD, STRANGER, USER, console, dsn, rows_of
from harness.gateway import port_of
from harness.postgres import PASSWORD as APP_PASSWORD
from harness.postgres import USER as APP_USER
from harness.postgres import client_program
from harness.system import as_unprivileged, free_port, give_to_unprivileged, port_answers, wait_until
from harness.wire import Closed, RawClient, Refused, Scram, cancel_request, message, query

pytestmark = pytest.mark.needs_gateway


@pytest.fixture
def consoled(before, server, tmp_path):
    """A gateway with a console: (gateway, port)."""
    return before(server, admin=console(tmp_path))


def connect(port: int, database: str = "trunkline", **more) -> psycopg.Connection:
    return psycopg.connect(dsn(port, database, **more), autocommit=True, row_factory=dict_row)


def use(port: int, statements=("select 1",), **more) -> None:
    with psycopg.connect(host="127.0.0.1", port=port, user=APP_USER, password=APP_PASSWORD, dbname="app",
                         sslmode="disable", autocommit=True, **more) as session:
        for statement in statements:
            session.execute(statement)


# ---- who may ----


@pytest.mark.parametrize("database", ["trunkline", "pgbouncer"])
def test_login(consoled, database):
    gateway, port = consoled
    with connect(port, database) as session:
        assert session.execute("show version").fetchone()["version"].startswith("Trunkline ")
        assert session.info.parameter_status("client_encoding") == "UTF8"
    assert gateway.wait_end(database=database, user=USER)[0]["cause"] == "client_terminate"
    for words in ({"password": "wrong"}, {"user": STRANGER}, {"user": "nobody"}, {"user": "metrics"}):
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            connect(port, database, **words)
    assert PASSWORD not in gateway.stderr_text()


def test_nobody_learns_who_may(consoled):
    """The challenge of a stranger looks like that of a user, and stays the same."""
    _gateway, port = consoled
    challenges = {}
    for user in (USER, STRANGER, "nobody") * 2:
        scram = Scram("wrong")
        with RawClient(port) as client, pytest.raises(Refused) as refused:
            client.login(user, "wrong", "trunkline", scram=scram)
        assert refused.value.fields["C"] == "28P01"
        assert challenges.setdefault(user, scram.salt) == scram.salt and len(scram.salt) == 16


def test_without_a_console_it_is_a_database_like_any_other(before, server):
    gateway, port = before(server)
    with pytest.raises(psycopg.OperationalError, match="does not exist|authentication failed|no pg_hba.conf entry"):
        connect(port, user=APP_USER, password=APP_PASSWORD)
    assert gateway.wait_end(database="trunkline")[0]["route"] == "all"


def test_tls_and_channel_binding(before, server, authority, tmp_path):
    certificate = authority.issue("server")
    tls = {"mode": "require", "certificates": [{"certFile": str(certificate.cert), "keyFile": str(certificate.key)}]}
    _gateway, port = before(server, admin=console(tmp_path), tls=tls, auth={"method": "scram", "query": {
        "user": "postgres", "database": "postgres"}})
    words = {"host": "localhost", "sslmode": "verify-full", "sslrootcert": str(authority.cert)}
    with connect(port, channel_binding="require", **words) as session:
        (mine,) = session.execute("show sessions").fetchall()
        assert mine["state"] == "console" and mine["tls"].startswith("TLSv1.3")
    with pytest.raises(psycopg.OperationalError, match="SSL|TLS"):
        connect(port)


def test_protocol_versions(consoled):
    _gateway, port = consoled
    for asked, told in (((3, 0), None), ((3, 2), None), ((3, 9999), (3 << 16) + 2)):
        with RawClient(port) as client:
            client.login(USER, PASSWORD, "trunkline", version=asked)
            assert (client.negotiated or [None])[0] == told
            assert len(client.key) == (4 if asked == (3, 0) else 31) and client.pid > 0


# ---- drivers ----


def test_psql(consoled):
    _gateway, port = consoled
    done = subprocess.run([client_program("psql"), dsn(port), "-XAt", "-c", "show version; show lists", "-c", "bogus"],
                          capture_output=True, text=True, timeout=30)
    assert "routes|1" in done.stdout and done.stdout.startswith("Trunkline ")
    assert 'unknown command "BOGUS"' in done.stderr and "HINT:" in done.stderr and "SHOW HELP" in done.stderr


def test_psycopg_both_protocols(consoled):
    _gateway, port = consoled
    with connect(port) as session:
        for words in ({}, {"prepare": True}, {"binary": True}, {"prepare": True, "binary": True}):
            lists = {row["list"]: row["items"] for row in session.execute("show lists", **words)}
            assert lists["routes"] == 1 and lists["used_clients"] == 1
            for row in session.execute("show sessions", **words):
                assert row["session"] >= 1 and row["seconds"] > 0
        with session.pipeline():
            several = [session.execute("show version") for _ in range(20)]
            assert {each.fetchone()["version"] for each in several} != set()
    with psycopg.connect(dsn(port)) as session:  # not autocommit: BEGIN and COMMIT
        session.execute("show stats")
        with pytest.raises(psycopg.errors.FeatureNotSupported):
            session.execute("suspend")
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            session.execute("show stats")
        session.rollback()
        assert session.execute("show stats").fetchall()


def test_asyncpg(consoled):
    _gateway, port = consoled

    async def read():
        session = await asyncpg.connect(host="127.0.0.1", port=port, user=USER, password=PASSWORD,
                                        database="trunkline", ssl=False)
        try:
            assert (await session.fetchval("show version")).startswith("Trunkline ")
            stats = await session.fetch("show stats")
            assert [row["database"] for row in stats] == ["all"]
            lists = dict((row["list"], row["items"]) for row in await session.fetch("show lists"))
            assert lists["routes"] == 1
            with pytest.raises(asyncpg.PostgresSyntaxError):
                await session.fetch("show nonsense")
        finally:
            await session.close()
    asyncio.run(asyncio.wait_for(read(), 30))


@pytest.mark.skipif(not (clients.NODE_MODULES / "pg").exists(), reason="node-postgres is not there: scripts/setup-postgres")
def test_node(consoled):
    _gateway, port = consoled
    program = """
      const { Client } = require(process.env.NODE_MODULES + '/pg')
      const run = async () => {
        const c = new Client(JSON.parse(process.argv[1])); await c.connect()
        const simple = await c.query('show lists')
        const prepared = await c.query({ name: 'a', text: 'show lists', values: [] })
        console.log(JSON.stringify([simple.rows, prepared.rows])); await c.end()
      }
      run().catch((e) => { console.error(e); process.exit(1) })"""
    words = f'{{"host":"127.0.0.1","port":{port},"user":"{USER}","password":"{PASSWORD}","database":"trunkline"}}'
    done = subprocess.run(["node", "-e", program, words], capture_output=True, text=True, timeout=30,
                          env=os.environ | {"NODE_MODULES": str(clients.NODE_MODULES)})
    assert done.returncode == 0, done.stderr
    for rows in rows_of(done.stdout):
        assert {"list": "routes", "items": 1} in rows


def test_jdbc(consoled):
    _gateway, port = consoled
    source = clients.CLIENTS / "jdbc" / "Console.java"
    done = subprocess.run(["java", "-XX:TieredStopAtLevel=1", "-cp", "/usr/share/java/*", str(source),
                           f"jdbc:postgresql://127.0.0.1:{port}/trunkline?sslmode=disable", USER, PASSWORD],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("version Trunkline ") and "routes 1" in lines and "queries 0" in lines
    assert lines[-2:] == ["refused 0A000", "valid true"]


def test_pgx(consoled):
    _gateway, port = consoled
    use(port, ["select 1"] * 3)
    program = str(clients._go("pgx-console"))
    (stats,) = rows_of(subprocess.run([program, dsn(port), "show stats"], capture_output=True, text=True, timeout=60,
                                      check=True).stdout)
    assert stats["database"] == "all" and float(stats["total_query_count"]) >= 3
    sessions = rows_of(subprocess.run([program, dsn(port), "show sessions"], capture_output=True, text=True,
                                      timeout=60, check=True).stdout)
    assert [each["state"] for each in sessions] == ["console"] and sessions[0]["seconds"] > 0


# ---- PgBouncer's columns ----


@pytest.fixture(scope="module")
def pgbouncer(workplace):
    folder = workplace / "pgbouncer"
    folder.mkdir()
    port = free_port()
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\napp = host=127.0.0.1 port=1\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n"
        f"auth_type = any\nadmin_users = {USER}\nunix_socket_dir =\n")
    give_to_unprivileged(folder)
    program = "/usr/sbin/pgbouncer"
    running = subprocess.Popen(as_unprivileged([program, "-q", folder / "pgbouncer.ini"]),
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: port_answers(port, "127.0.0.1"), 10, "pgbouncer answers")
    yield port
    running.terminate()
    running.wait(10)


SHOWN = ("ACTIVE_SOCKETS CLIENTS CONFIG DATABASES DNS_HOSTS DNS_ZONES LISTS MEM POOLS SERVERS SOCKETS STATS "
         "STATS_AVERAGES STATS_TOTALS TOTALS USERS VERSION").split()


def test_pgbouncers_columns_come_first(consoled, pgbouncer):
    _gateway, port = consoled
    with connect(port, "pgbouncer") as ours, connect(pgbouncer, "pgbouncer") as theirs:
        for command in SHOWN:
            wanted = [(each.name, each.type_code) for each in theirs.execute(f"SHOW {command}").description]
            found = [(each.name, each.type_code) for each in ours.execute(f"SHOW {command}").description]
            assert found[:len(wanted)] == wanted, command
            assert len({name for name, _ in found}) == len(found), command
        for command, key in (("LISTS", "list"), ("TOTALS", "name"), ("CONFIG", None)):
            names = [row[key] for row in theirs.execute(f"SHOW {command}")] if key else []
            mine = [row[key] for row in ours.execute(f"SHOW {command}")] if key else []
            assert mine[:len(names)] == names, command


def test_every_table_answers(consoled):
    _gateway, port = consoled
    use(port)
    with connect(port) as session:
        commands = [row["command"] for row in session.execute("show help")]
        assert len(commands) > 25 and commands == sorted(commands)
        for command in commands:
            shown = session.execute(command)
            assert shown.statusmessage == "SHOW" and shown.description
            shown.fetchall()
        for command in ("DRAIN", "SUSPEND", "SHOW FDS", "set max_client_conn = 5"):
            with pytest.raises(psycopg.errors.FeatureNotSupported) as refused:
                session.execute(command)
            assert refused.value.diag.message_hint


# ---- what it shows ----


def test_sessions_and_figures(consoled, server):
    _gateway, port = consoled
    with psycopg.connect(host="127.0.0.1", port=port, user=APP_USER, password=APP_PASSWORD, dbname="app",
                         sslmode="disable", application_name="seen") as session, connect(port, "pgbouncer") as look:
        pid = session.execute("select pg_backend_pid()").fetchone()[0]
        (seen,) = [row for row in look.execute("show sessions") if row["application_name"] == "seen"]
        assert seen["state"] == "idle in transaction" and seen["tx_state"] == "T" and seen["exchanges"] >= 2
        assert (seen["user"], seen["database"], seen["route"], seen["upstream"]) == (APP_USER, "app", "all", "db")
        assert seen["server_pid"] == pid and seen["endpoint"] == f"127.0.0.1:{server.port}"
        (client,) = [row for row in look.execute("show clients") if row["application_name"] == "seen"]
        assert (client["type"], client["state"], client["addr"]) == ("C", "active", "127.0.0.1")
        assert client["local_port"] == port and client["port"] > 0
        (behind,) = [row for row in look.execute("show servers") if row["application_name"] == "seen"]
        assert (behind["type"], behind["port"], behind["remote_pid"]) == ("S", server.port, pid)
        assert client["link"] == behind["ptr"] and behind["link"] == client["ptr"]
        pools = {(row["database"], row["user"]): row for row in look.execute("show pools")}
        assert pools["app", APP_USER]["cl_active"] == 1 and pools["app", APP_USER]["sv_active"] == 1
        assert ("pgbouncer", USER) in pools
        (database,) = look.execute("show databases").fetchall()
        assert database["name"] == "all" and database["current_connections"] == 1
        session.execute("select 1")
        session.commit()
        (stats,) = look.execute("show stats").fetchall()
        # begin, two selects and commit are one transaction of four queries.
        assert stats["total_query_count"] == 4 and stats["total_xact_count"] == 1
        assert stats["total_server_assignment_count"] == 1, "without a pool one for each session"
        assert stats["total_received"] > 0 and stats["total_query_time"] > 0
        assert stats["total_xact_time"] >= stats["total_query_time"]


def test_slow_and_failed(consoled):
    _gateway, port = consoled
    use(port, ["select pg_sleep(0.3), 'a secret'"], application_name="slow")
    with pytest.raises(psycopg.errors.DivisionByZero):
        use(port, ["select 1 / 0, 'another secret'"])
    with connect(port) as look:
        slow = look.execute("show slow").fetchall()
        first = slow[0]
        assert first["seconds"] >= 0.3 and first["server"] >= 0.3 * 0.9
        assert first["dominant"].startswith("server, ") and first["application_name"] == "slow"
        assert (first["user"], first["database"], first["route"]) == (APP_USER, "app", "all")
        assert first["statement"] is None or "pg_sleep" in first["statement"]
        failed = look.execute("show failed").fetchall()
        assert failed[0]["sqlstate"] == "22012" and failed[0]["outcome"] == "error"
        assert "secret" not in str(slow) + str(failed)


def test_debians_exporter(consoled):
    """prometheus-pgbouncer-exporter, as its manual page starts it."""
    _gateway, port = consoled
    use(port, ["select 1"] * 5)
    mine = free_port()
    running = subprocess.Popen(
        ["/usr/bin/prometheus-pgbouncer-exporter", "--host", "127.0.0.1", "--port", str(mine), "--pgbouncer-port",
         str(port), "--pgbouncer-user", USER, "--pgbouncer-host", "127.0.0.1"],
        env=os.environ | {"PGPASSWORD": PASSWORD, "PGSSLMODE": "disable"}, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: port_answers(mine, "127.0.0.1") or running.poll() is not None, 20, "the exporter answers")
        with urllib.request.urlopen(f"http://127.0.0.1:{mine}/metrics", timeout=10) as answer:
            text = answer.read().decode()
    finally:
        running.terminate()
        running.wait(10)
    figures = dict(line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("pgbouncer_"))
    assert float(figures['pgbouncer_requests_total{database="all"}']) >= 5
    assert float(figures['pgbouncer_received_bytes_total{database="all"}']) > 0
    assert float(figures["pgbouncer_used_clients"]) == 1
    assert float(figures[f'pgbouncer_active_clients{{database="pgbouncer",user="{USER}"}}']) == 1


# ---- ends, limits, bad input ----


def test_drain(before, server, tmp_path):
    gateway, port = before(server, admin=console(tmp_path), drain={"grace": "10s"})
    with RawClient(port) as client:
        client.login(USER, PASSWORD, "trunkline")
        gateway.send(signal.SIGTERM)
        told = client.read_error()
        assert (told["C"], told["V"]) == ("57P01", "FATAL")
        assert client.receive_to_end() == (b"", "fin")
    assert gateway.wait(10) == 0
    assert gateway.ends()[-1]["cause"] == "drain"


def test_a_cancel_request_does_nothing(consoled):
    gateway, port = consoled
    with RawClient(port) as client:
        client.login(USER, PASSWORD, "trunkline")
        with RawClient(port) as other:
            other.send(cancel_request(client.pid, client.key))
            assert other.receive_to_end()[0] == b""
        assert client.simple("show version")
    gateway.check_alive()


def test_ends_are_told(consoled):
    gateway, port = consoled
    mark = gateway.mark()
    for how, cause in (("fin", "client_eof"), ("reset", "client_reset")):
        client = RawClient(port).login(USER, PASSWORD, "trunkline")
        client.simple("show version")
        client.reset() if how == "reset" else client.close()
        (end,) = gateway.wait_end(mark, cause=cause)
        assert end["loggedIn"] and end["bytesIn"] > 0 and end["bytesOut"] > 0


def test_bad_input(consoled):
    gateway, port = consoled
    with RawClient(port) as client:
        client.login(USER, PASSWORD, "trunkline")
        client.send(query(""))
        assert client.result() == []
        for text in ("show \xff\xfe", "show version extra", "'", '"', "/* no end", "show 'stats", ";;;", "show show"):
            client.send(message("Q", text.encode("latin-1") + b"\0"))
            try:
                client.result()
            except Refused as refused:
                assert refused.fields["C"] == "42601", text
        assert client.simple("show version; -- a comment\n /* a /* nested */ one */ SHOW version;;")
    mark = gateway.mark()
    for bytes_ in (message("Q", b"x" * 70_000), message("Q", b"no end"), message("P", b"x"), message("B", b"\0\0\0"),
                   message("d", b"copy"), message("\x7f", b""), b"Q\0\0\0\1", message("E", b""), message("D", b"Xa\0")):
        with RawClient(port) as client:
            client.login(USER, PASSWORD, "trunkline")
            client.send(bytes_)
            told = client.read_error()
            assert told["V"] == "FATAL" and told["C"] in ("08P01", "54000"), (bytes_[:20], told)
            client.receive_to_end()
    gateway.wait_end(mark, count=9, cause="protocol_client")
    gateway.check_alive()


def test_a_client_that_reads_nothing_makes_nothing_pile_up(consoled, not_sanitized):
    gateway, port = consoled
    with RawClient(port) as client:
        client.login(USER, PASSWORD, "trunkline")
        before = gateway.memory_kib()
        client.socket.settimeout(2)
        with pytest.raises((TimeoutError, socket.timeout)):
            for _ in range(2_000):
                client.send(query("show config") * 1_000)
        assert gateway.memory_kib() - before < 20_000
    gateway.check_alive()


def test_there_are_only_so_many(consoled):
    _gateway, port = consoled
    with RawClient(port) as first:
        first.login(USER, PASSWORD, "trunkline")
        others = [RawClient(port).login(USER, PASSWORD, "trunkline") for _ in range(31)]
        with RawClient(port) as one_more, pytest.raises((Refused, Closed)) as refused:
            one_more.login(USER, PASSWORD, "trunkline")
        assert refused.value.fields["C"] == "53300"
        for each in others:
            each.send(query("show sessions"))
        # They are answered one after another: who left early would be missing from a later answer.
        # The one that was refused may still be on its way out.
        assert {len(each.result()) for each in others} <= {32, 33}
        for each in others:
            each.close()


def test_what_it_does_is_on_record(before, server, tmp_path):
    folder = tmp_path / "audit"
    admin = console(tmp_path)
    admin["console"]["readers"] = [STRANGER]
    gateway, port = before(server, admin=admin, audit=audit.to_folder(folder))
    with connect(port) as session:
        session.execute("PAUSE")
        session.execute("show version")
        session.execute("RESUME")
        with pytest.raises(psycopg.Error):
            session.execute("PAUSE nowhere")
    with connect(port, user=STRANGER) as session, pytest.raises(psycopg.Error, match="admin access needed"):
        session.execute("KILL app")
    # The workers' lines are merged in rounds: what two sessions did comes in order of `time`, not of lines.
    told = sorted(audit.wait_for(folder, "console.command", count=4), key=lambda line: line["time"])
    assert [(line["by"], line["command"], line["outcome"]) for line in told] == [
        (USER, "PAUSE", "ok"), (USER, "RESUME", "ok"), (USER, "PAUSE nowhere", "refused"),
        (STRANGER, "KILL app", "refused")]
    assert told[3]["problem"] == "admin access needed" and told[0]["session"] != told[3]["session"]
    assert [line["command"] for line in gateway.log() if line["event"] == "console.command"] == [
        "PAUSE", "RESUME", "PAUSE nowhere", "KILL app"]

"""Real replication through the gateway: physical, logical, and Debian's tools for both."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time

import psycopg
import pytest

from harness.postgres import DATABASE, PASSWORD, USER, Server, client_program
from harness.roads import Target
from harness.system import as_unprivileged, free_port, give_to_unprivileged, run, wait_until

TOOLS_VERSION = 15  # Debian's pg_basebackup and its like refuse newer servers


def pytest_generate_tests(metafunc):
    if "mode" in metafunc.fixturenames:
        metafunc.parametrize("mode", metafunc.config.trunkline_modes)


def environment(target: Target) -> dict:
    words = {"PGHOST": target.host, "PGPORT": str(target.port), "PGUSER": target.user, "PGPASSWORD": target.password,
             "PGCONNECT_TIMEOUT": "10", "PATH": "/usr/bin:/bin", "PGSSLMODE": "disable", "LC_ALL": "C.UTF-8"}
    return words | ({"PGSSLMODE": "verify-full", "PGSSLROOTCERT": target.ca} if target.tls else {})


def tool(name: str, *words, target: Target, **more):
    return run([client_program(name), *words], env=environment(target), timeout=60, **more)


def conninfo(target: Target, **more) -> str:
    words = target.libpq(**more)
    words.pop("dbname", None) if "dbname" not in more else None
    return " ".join("{}='{}'".format(key, value.replace("\\", "\\\\").replace("'", "\\'"))
                    for key, value in words.items())


def write_rows(server: Server, table: str, count: int) -> None:
    server.query(f"insert into {table} select g, repeat(md5(g::text), 10) from generate_series(1, {count}) g")


@pytest.fixture
def table(server, servers, request):
    """A table of its own on every server, dropped afterwards."""
    name = f"t{free_port()}"
    for each in servers.all():
        each.query(f"create table {name} (id int primary key, line text)")
    yield name
    for each in servers.all():
        each.query(f"drop table {name}")


def digest(server: Server, table: str) -> tuple:
    return server.query(f"select count(*), md5(string_agg(id || line, '' order by id)) from {table}")[0]


def test_pg_basebackup_and_a_streaming_replica(road, servers, mode, table, workplace):
    """pg_basebackup through the gateway makes a replica, which then streams through the gateway too."""
    if TOOLS_VERSION not in servers.versions:
        pytest.skip(f"needs PostgreSQL {TOOLS_VERSION}")
    primary, target = servers[TOOLS_VERSION], road(mode, TOOLS_VERSION)
    write_rows(primary, table, 20_000)
    folder = workplace / f"replica-{free_port()}"
    folder.mkdir()
    slot = f"slot_{free_port()}"
    tool("pg_basebackup", "-D", folder / "data", "--wal-method=stream", "--checkpoint=fast", "--write-recovery-conf",
         "--create-slot", "--slot", slot, "--no-sync", target=target)
    _stream_from(primary, folder, target, table, slot)


def test_a_streaming_replica_of_the_newest(road, servers, mode, table, workplace):
    """The newest server's own walreceiver and libpq; the copy is made by hand between pg_backup_start and _stop."""
    version = servers.versions[-1]
    primary, target = servers[version], road(mode, version)
    write_rows(primary, table, 1_000)
    folder = workplace / f"replica-{free_port()}"
    folder.mkdir()
    slot = f"slot_{free_port()}"
    primary.query("select pg_create_physical_replication_slot(%s, true)", (slot,))
    with primary.admin() as session:
        session.execute("select pg_backup_start('copy', true)")
        shutil.copytree(primary.data, folder / "data", ignore=shutil.ignore_patterns("postmaster.pid", "pg_replslot"))
        (label,) = session.execute("select labelfile from pg_backup_stop(false)").fetchone()
    (folder / "data" / "backup_label").write_text(label)
    (folder / "data" / "pg_replslot").mkdir(exist_ok=True)
    (folder / "data" / "standby.signal").touch()
    with open(folder / "data" / "postgresql.auto.conf", "a", encoding="utf-8") as file:
        file.write("primary_conninfo = '{}'\nprimary_slot_name = '{}'\n".format(
            conninfo(target, application_name="replica").replace("\\", "\\\\").replace("'", "\\'"), slot))
    _stream_from(primary, folder, target, table, slot)


def _stream_from(primary: Server, folder, target: Target, table: str, slot: str) -> None:
    """Starts the copy as a replica and checks that what is written afterwards arrives."""
    (folder / "data").chmod(0o700)
    give_to_unprivileged(folder)
    port = free_port()
    log = open(folder / "server.log", "wb")
    process = subprocess.Popen(as_unprivileged([
        primary.bin / "postgres", "-D", folder / "data", "-p", port, "-k", folder, "-c", "hot_standby=on",
        "-c", "wal_retrieve_retry_interval=200ms"]), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/")
    try:
        def replica(text):
            with psycopg.connect(host=str(folder), port=port, user="postgres", dbname=DATABASE, autocommit=True) as s:
                return s.execute(text).fetchall()

        def caught_up():
            try:
                return replica(f"select count(*) from {table}")[0][0] == wanted
            except psycopg.Error:
                assert process.poll() is None, (folder / "server.log").read_text()[-2000:]
                return False
        wanted = primary.query(f"select count(*) from {table}")[0][0]
        wait_until(caught_up, 30, f"the replica starts: {folder}/server.log", 0.1)
        primary.query(f"insert into {table} select g, repeat('later', 100) from generate_series(50001, 70000) g")
        wanted += 20_000
        wait_until(caught_up, 20, f"the replica streams: {folder}/server.log", 0.1)
        assert replica(f"select count(*), md5(string_agg(id || line, '' order by id)) from {table}")[0] == digest(
            primary, table)
        assert primary.query("select count(*) from pg_stat_replication where state = 'streaming'")[0][0] >= 1
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
        log.close()
        wait_until(lambda: primary.query("select not active from pg_replication_slots where slot_name = %s", (slot,))[0][0],
                   10, "the slot is left")
        primary.query("select pg_drop_replication_slot(%s)", (slot,))
        shutil.rmtree(folder)


def test_pg_receivewal(road, servers, mode, table, tmp_path):
    if TOOLS_VERSION not in servers.versions:
        pytest.skip(f"needs PostgreSQL {TOOLS_VERSION}")
    primary, target = servers[TOOLS_VERSION], road(mode, TOOLS_VERSION)
    slot = f"slot_{free_port()}"
    tool("pg_receivewal", "--create-slot", "--slot", slot, target=target)
    process = subprocess.Popen([client_program("pg_receivewal"), "-D", str(tmp_path), "--slot", slot, "--no-loop",
                                "--status-interval=1"], env=environment(target), stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        write_rows(primary, table, 30_000)
        (segment,) = primary.query("select pg_walfile_name(pg_switch_wal())")[0]
        wait_until(lambda: (tmp_path / segment).exists(), 20, f"segment {segment} arrives", 0.1)
        assert (tmp_path / segment).read_bytes() == (primary.data / "pg_wal" / segment).read_bytes()
    finally:
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=15)
    assert process.returncode == 0, out
    tool("pg_receivewal", "--drop-slot", "--slot", slot, target=target)


def test_pg_recvlogical(road, servers, mode, table, tmp_path):
    if TOOLS_VERSION not in servers.versions:
        pytest.skip(f"needs PostgreSQL {TOOLS_VERSION}")
    primary, target = servers[TOOLS_VERSION], road(mode, TOOLS_VERSION)
    slot, file = f"slot_{free_port()}", tmp_path / "changes"
    common = ["-d", DATABASE, "--slot", slot]
    tool("pg_recvlogical", *common, "--create-slot", "--plugin=test_decoding", target=target)
    process = subprocess.Popen([client_program("pg_recvlogical"), *common, "--start", "-f", str(file), "--no-loop",
                                "--status-interval=1", "--fsync-interval=0"], env=environment(target),
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        write_rows(primary, table, 2_000)
        wait_until(lambda: file.exists() and file.read_text().count("INSERT") >= 2_000, 20, "the changes arrive", 0.1)
    finally:
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=15)
    assert process.returncode == 0, out
    assert file.read_text().count(f"table public.{table}: INSERT") == 2_000
    tool("pg_recvlogical", *common, "--drop-slot", target=target)


def test_logical_subscription(road, servers, mode, table):
    """The newest server subscribes to the oldest through the gateway: initial copy, then changes."""
    publisher, subscriber = servers[servers.versions[0]], servers[servers.versions[-1]]
    if publisher is subscriber:
        pytest.skip("needs two servers")
    target = road(mode, publisher.version)
    name = f"sub_{free_port()}"
    write_rows(publisher, table, 5_000)
    publisher.query(f"create publication {name} for table {table}")
    publisher.query(f"grant select on {table} to {USER}")
    with subscriber.admin() as session:
        session.execute("create subscription {} connection '{}' publication {}".format(
            name, conninfo(target, dbname=DATABASE, application_name=name).replace("'", "''"), name))
    try:
        wait_until(lambda: digest(subscriber, table)[0] == 5_000, 30, "the initial copy", 0.1)
        publisher.query(f"update {table} set line = 'changed' where id % 2 = 0")
        publisher.query(f"delete from {table} where id % 5 = 0")
        wait_until(lambda: digest(subscriber, table) == digest(publisher, table), 20, "the changes", 0.1)
        wait_until(lambda: publisher.query(
            "select count(*) from pg_stat_replication where application_name = %s", (name,))[0][0] >= 1, 10, "it streams")
    finally:
        subscriber.query(f"drop subscription {name}")
        publisher.query(f"drop publication {name}")


def test_the_protocol_by_hand(road, servers, mode):
    """IDENTIFY_SYSTEM, CopyBoth, standby status updates, CopyDone from the client, and back to normal."""
    from harness.wire import Scram, RawClient, message, query, trusting
    target = road(mode, servers.versions[-1])
    with RawClient(target.port) as client:
        if target.tls:
            client.ssl_request()
            client.tls(trusting(target.ca))
        client.login(USER, PASSWORD, DATABASE, scram=Scram(PASSWORD), replication="database")
        (system,) = client.simple("IDENTIFY_SYSTEM")
        client.send(query(f"START_REPLICATION {system[2]} TIMELINE {system[1]}"))
        kind, _ = client.read()
        assert kind == "W"
        servers[servers.versions[-1]].query("select pg_logical_emit_message(true, 'by hand', repeat('x', 1000))")
        kind, body = client.read()
        assert kind == "d" and body[:1] in b"wk"
        now = int((time.time() - 946684800) * 1e6)
        client.send(message("d", b"r" + b"\0" * 24 + now.to_bytes(8, "big") + b"\1"))
        while body[:1] != b"k":
            kind, body = client.read()
        client.send(message("c"))
        kinds = []
        while not kinds or kinds[-1] != "Z":
            kinds.append(client.read()[0])
        assert "c" in kinds and kinds[-2:] == ["C", "Z"], kinds
        assert client.simple("select 1") == [["1"]]

"""`trunkline pgbouncer`: it starts, serves, takes signals and ends as PgBouncer does."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time

import psycopg
import pytest

from harness.bouncer import ADMIN_PASSWORD, READER, Bouncer
from harness.postgres import PASSWORD, USER, client_program
from harness.system import port_answers, run, wait_until

pytestmark = pytest.mark.needs_gateway


@pytest.fixture
def make(pytestconfig, server, tmp_path):
    """make(**words) -> a Bouncer, not started; ended after the test."""
    made: list[Bouncer] = []

    def of(**words) -> Bouncer:
        folder = tmp_path / f"b{len(made)}"
        folder.mkdir()
        made.append(Bouncer(pytestconfig.getoption("--bin"), folder, server, **words))
        return made[-1]

    yield of
    for each in made:
        each.stop()


def connect(bouncer: Bouncer, database: str = "app", **more) -> psycopg.Connection:
    return psycopg.connect(bouncer.dsn(database, **more), autocommit=True)


def console(bouncer: Bouncer, **more) -> psycopg.Connection:
    return psycopg.connect(bouncer.console_dsn(**more), autocommit=True)


def test_serves_with_psql_and_psycopg(make):
    bouncer = make().start("-q")
    done = run([client_program("psql"), bouncer.dsn(), "-XAtc", "select current_database(), current_user"],
               env=os.environ | {"PGPASSWORD": PASSWORD})
    assert done.stdout.strip() == f"app|{USER}"
    with connect(bouncer, "other") as session:
        assert session.execute("show application_name").fetchone()[0] in ("it's other", "")
        assert session.execute("select current_database()").fetchone()[0] == "app"
    over_socket = psycopg.connect(bouncer.dsn(host=str(bouncer.folder)))
    assert over_socket.execute("select 1").fetchone() == (1,)
    over_socket.close()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        connect(bouncer, password="wrong")
    with pytest.raises(psycopg.OperationalError, match="no route for database"):
        connect(bouncer, "nowhere")
    log = bouncer.log_text()
    assert PASSWORD not in log and ADMIN_PASSWORD not in log


def test_forced_user(make, server):
    host, port = server.endpoint.rsplit(":", 1)
    quoted = PASSWORD.replace("'", "''")
    bouncer = make(databases=f"forced = host={host} port={port} dbname=app user={USER} password='{quoted}'").start("-q")
    with connect(bouncer, "forced", user=READER, password=ADMIN_PASSWORD) as session:
        assert session.execute("select current_user").fetchone() == (USER,)
    assert quoted not in bouncer.log_text() and PASSWORD not in bouncer.log_text()


def test_daemon(make):
    bouncer = make().start("-d")
    pid = bouncer.pid
    wait_until(lambda: "listening" in bouncer.log_text(), 10, "the log's file has lines")
    assert os.getsid(pid) != os.getsid(0) and pid != bouncer.process.pid
    with connect(bouncer) as session:
        session.execute("select 1")
    again = subprocess.run([bouncer.binary, "pgbouncer", "-d", str(bouncer.file)], capture_output=True, text=True,
                           timeout=20)
    assert again.returncode != 0 and "another instance running?" in again.stderr
    bouncer.send(signal.SIGQUIT)
    bouncer.wait_ended()
    assert not bouncer.pid_file.exists() and not (bouncer.folder / f".s.PGSQL.{bouncer.port}").exists()


def test_a_pidfile_of_nobody_is_no_obstacle(make):
    bouncer = make()
    ended = subprocess.Popen(["true"])
    ended.wait()
    bouncer.pid_file.write_text(f"{ended.pid}\n")
    bouncer.start("-q")
    assert bouncer.pid == bouncer.process.pid


def test_logs_beside_standard_error_unless_quiet(make):
    loud = make().start()
    wait_until(lambda: "listening" in loud.log_text(), 10, "the file has lines")
    loud.send(signal.SIGQUIT)
    assert loud.process.wait(15) == 0
    assert "listening" in loud.process.stderr.read()
    quiet = make().start("-q")
    wait_until(lambda: "listening" in quiet.log_text(), 10, "the file has lines")
    quiet.send(signal.SIGQUIT)
    assert quiet.process.wait(15) == 0 and quiet.process.stderr.read() == ""


def test_options(make):
    bouncer = make()
    binary = bouncer.binary
    version = run([binary, "pgbouncer", "-V"])
    assert version.stdout.startswith("trunkline ")
    link = bouncer.folder / "pgbouncer"
    link.symlink_to(binary)
    assert run([link, "--version"]).stdout == version.stdout
    for words in (["-R", bouncer.file], [], ["-u", "nobody-of-that-name", bouncer.file]):
        refused = run([binary, "pgbouncer", *words], check=False)
        assert refused.returncode == 2 and refused.stderr
    wrong = bouncer.folder / "wrong.ini"
    wrong.write_text("[pgbouncer]\nnonsense = 1\n")
    refused = run([binary, "pgbouncer", wrong], check=False)
    assert refused.returncode == 2 and f"{wrong}:2:1: nonsense: unknown setting" in refused.stderr
    no_pid = bouncer.folder / "nopid.ini"
    no_pid.write_text(bouncer.file.read_text().replace("pidfile", ";pidfile"))
    assert "daemon needs pidfile configured" in run([binary, "pgbouncer", "-d", no_pid], check=False).stderr


def test_hangup_reads_the_files_anew_and_opens_the_log(make, server):
    host, port = server.endpoint.rsplit(":", 1)
    bouncer = make().start("-q")
    bouncer.rewrite(databases=f"later = host={host} port={port} dbname=app")
    time.sleep(1.5)
    with pytest.raises(psycopg.OperationalError, match="no route"):
        connect(bouncer, "later")  # not before it is told
    bouncer.log_file.rename(bouncer.folder / "old.log")
    bouncer.send(signal.SIGHUP)

    def is_there():
        try:
            return connect(bouncer, "later").close() or True
        except psycopg.OperationalError:
            return False

    wait_until(is_there, 10, "the new database is there")
    wait_until(lambda: "a new configuration is in force" in bouncer.log_text(), 10, "the new log's file has it")
    good = bouncer.file.read_text()
    bouncer.file.write_text(good + "nonsense = 1\n")
    with console(bouncer) as session:
        with pytest.raises(psycopg.Error, match="RELOAD failed, see logs for additional details"):
            session.execute("reload")
        wait_until(lambda: "nonsense: unknown setting" in bouncer.log_text(), 10, "the log says what is wrong")
        assert f"{bouncer.file}" in bouncer.log_text()
        bouncer.file.write_text(good)
        assert session.execute("reload").statusmessage == "RELOAD"
    assert is_there()


def test_usr1_pauses_and_usr2_resumes(make):
    bouncer = make().start("-q")
    with console(bouncer) as session:
        state = lambda: dict(session.execute("show state").fetchall())["paused"]  # noqa: E731
        bouncer.send(signal.SIGUSR1)
        wait_until(lambda: state() == "yes", 10, "it is paused")
        came = []
        visitor = threading.Thread(target=lambda: came.append(connect(bouncer)))
        visitor.start()
        time.sleep(0.5)
        assert came == []
        bouncer.send(signal.SIGUSR2)
        visitor.join(15)
        assert came[0].execute("select 1").fetchone() == (1,)
        came[0].close()
        assert state() == "no"


def test_int_waits_for_transactions(make):
    bouncer = make().start("-q")
    idle, busy = connect(bouncer), connect(bouncer)
    with busy.transaction():
        busy.execute("select 1")
        bouncer.send(signal.SIGINT)
        with pytest.raises(psycopg.OperationalError):
            wait_until(lambda: idle.execute("select 1") is None, 5, "the one at rest is ended")
        assert not port_answers(bouncer.port) and bouncer.lives()
        assert busy.execute("select 2").fetchone() == (2,)
    bouncer.wait_ended()
    assert not bouncer.pid_file.exists()


def test_term_waits_for_clients(make):
    bouncer = make().start("-q")
    with connect(bouncer) as session:
        bouncer.send(signal.SIGTERM)
        wait_until(lambda: not port_answers(bouncer.port), 5, "it listens no more")
        time.sleep(0.5)
        assert session.execute("select 1").fetchone() == (1,) and bouncer.lives()
    bouncer.wait_ended()


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_waits_for_nothing(make, first):
    bouncer = make().start("-q")
    session = connect(bouncer)
    session.execute("begin")
    bouncer.send(first)
    wait_until(lambda: not port_answers(bouncer.port), 5, "it listens no more")
    bouncer.send(first)
    bouncer.wait_ended()
    with pytest.raises(psycopg.OperationalError):
        session.execute("select 1")


@pytest.mark.parametrize("how", ["", " WAIT_FOR_SERVERS", " WAIT_FOR_CLIENTS"])
def test_shutdown(make, how):
    bouncer = make().start("-q")
    session = connect(bouncer)
    session.execute("begin")
    with console(bouncer) as admin:
        if not how:  # as with PgBouncer the connection ends with the process, with an answer or without
            with contextlib.suppress(psycopg.OperationalError):
                admin.execute("SHUTDOWN")
        else:
            assert admin.execute("SHUTDOWN" + how).statusmessage == "SHUTDOWN"
            wait_until(lambda: not port_answers(bouncer.port), 5, "it listens no more")
            time.sleep(0.3)
            assert bouncer.lives()
            assert session.execute("commit").statusmessage == "COMMIT"
    session.close()
    bouncer.wait_ended()


def test_set_changes_what_has_an_equal_until_a_reload(make):
    bouncer = make().start("-q")
    with console(bouncer) as session:
        found = lambda: [row[1] for row in session.execute("show config") if row[0] == "listeners[0].maxSessions"]  # noqa: E731
        assert found() == ["200"]
        assert session.execute("set max_client_conn = 300").statusmessage == "SET"
        assert found() == ["300"]
        with pytest.raises(psycopg.Error, match="RELOAD failed"):
            session.execute("set auth_type = 'kerberos'")
        with pytest.raises(psycopg.errors.FeatureNotSupported, match="disable_pqexec cannot be set here"):
            session.execute("set disable_pqexec = 1")
        with pytest.raises(psycopg.Error, match="unknown parameter: nonsense"):
            session.execute("set nonsense = 1")
        assert found() == ["300"]
        session.execute("reload")
        assert found() == ["200"]


def test_stats_users_only_look(make):
    bouncer = make().start("-q")
    with console(bouncer, user=READER) as session:
        assert session.execute("show pools").description
        for command in ("pause", "kill app", "reload", "shutdown", "set max_client_conn = 5", "disable app"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="admin access needed"):
                session.execute(command)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        console(bouncer, user=USER, password=PASSWORD)

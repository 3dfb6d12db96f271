"""The console's commands, and the real PgBouncer's beside them: the same tags, effects and errors."""

from __future__ import annotations

import subprocess
import tempfile
import threading
import time
from pathlib import Path

import psycopg
import pytest

from harness.bouncer import ADMIN, ADMIN_PASSWORD, Bouncer, documented_settings, write_ini
from harness.postgres import PASSWORD, USER
from harness.system import as_unprivileged, free_port, give_to_unprivileged, port_answers, stop, wait_until

pytestmark = pytest.mark.needs_gateway


class Theirs:
    """Debian's pgbouncer with the same ini; its admins need no password of ours."""

    def __init__(self, folder, server):
        self.port = free_port()
        file = write_ini(folder, server, self.port, more="auth_type = plain\n")
        (folder / "userlist.txt").write_text(
            f'"{USER}" "{PASSWORD}"\n"{ADMIN}" "{ADMIN_PASSWORD}"\n', encoding="utf-8")
        give_to_unprivileged(folder)
        self.process = subprocess.Popen(as_unprivileged(["/usr/sbin/pgbouncer", "-q", file]),
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: port_answers(self.port), 10, "pgbouncer answers")

    dsn, console_dsn = Bouncer.dsn, Bouncer.console_dsn

    def stop(self):
        stop(self.process)


@pytest.fixture
def folder(workplace) -> Path:
    """One that the user who runs PgBouncer can enter, of a short name: sockets are in it."""
    made = Path(tempfile.mkdtemp(prefix="b", dir=workplace))
    made.chmod(0o755)
    return made


@pytest.fixture(params=["ours", "theirs"])
def one(request, pytestconfig, server, folder):
    """Each test runs against both, so that it is PgBouncer's behaviour that is tested."""
    if request.param == "ours":
        made = Bouncer(pytestconfig.getoption("--bin"), folder, server).start("-q")
    else:
        made = Theirs(folder, server)
    yield made
    made.stop()


def connect(to, database: str = "app", **more) -> psycopg.Connection:
    return psycopg.connect(to.dsn(database, **more), autocommit=True)


def console(to) -> psycopg.Connection:
    return psycopg.connect(to.console_dsn(), autocommit=True)


def column(session, command: str, key: str, value: str, wanted: str):
    shown = session.execute(command)
    names = [each.name for each in shown.description]
    for row in shown.fetchall():
        found = dict(zip(names, row))
        if found[key] == value:
            return found[wanted]
    raise AssertionError(f"{command} has no {key} {value}")


def test_disable_and_enable(one):
    there = connect(one)
    with console(one) as session:
        assert session.execute("DISABLE app").statusmessage == "DISABLE"
        assert column(session, "show databases", "name", "app", "disabled") == 1
        with pytest.raises(psycopg.OperationalError, match='database "app" is disabled'):
            connect(one)
        connect(one, "other").close()
        assert there.execute("select 1").fetchone() == (1,)  # who is in stays in
        assert session.execute("ENABLE app").statusmessage == "ENABLE"
        assert column(session, "show databases", "name", "app", "disabled") == 0
        connect(one).close()
    there.close()


@pytest.mark.parametrize("command", ["PAUSE", "RESUME", "RECONNECT", "KILL", "DISABLE", "ENABLE", "WAIT_CLOSE"])
def test_no_such_database(one, command):
    with console(one) as session:
        with pytest.raises(psycopg.Error, match="no such database: nowhere"):
            session.execute(f"{command} nowhere")


def test_resume_without_pause(one):
    with console(one) as session:
        with pytest.raises(psycopg.Error, match="pooler is not paused/suspended"):
            session.execute("RESUME")
        with pytest.raises(psycopg.Error, match="database app is not paused"):
            session.execute("RESUME app")
        assert session.execute("PAUSE app").statusmessage == "PAUSE"
        assert column(session, "show databases", "name", "app", "paused") == 1
        assert session.execute("RESUME app").statusmessage == "RESUME"
        assert column(session, "show databases", "name", "app", "paused") == 0
        assert session.execute("PAUSE").statusmessage == "PAUSE"
        if isinstance(one, Bouncer):  # since 1.19
            assert dict(session.execute("show state").fetchall())["paused"] == "yes"
        assert session.execute("RESUME").statusmessage == "RESUME"


def test_kill(one):
    there, other = connect(one), connect(one, "other")
    there.execute("select 1")
    other.execute("select 1")
    with console(one) as session:
        assert session.execute("KILL app").statusmessage == "KILL"
        with pytest.raises(psycopg.OperationalError):
            there.execute("select 1")
        assert other.execute("select 1").fetchone() == (1,)
        assert column(session, "show databases", "name", "app", "paused") == 1
        came = []
        visitor = threading.Thread(target=lambda: came.append(
            connect(one, connect_timeout=40).execute("select 1").fetchone()))
        visitor.start()
        time.sleep(0.5)
        assert came == []
        session.execute("RESUME app")
        visitor.join(40)
        assert came == [(1,)]
    other.close()


def test_reconnect_and_wait_close(one):
    with connect(one) as session:
        session.execute("select 1")
    with console(one) as session:
        for command in ("RECONNECT", "RECONNECT app", "WAIT_CLOSE", "WAIT_CLOSE app"):
            assert session.execute(command).statusmessage == command.split()[0]


def test_bad_commands(one):
    with console(one) as session:
        for command in ("DISABLE", "ENABLE", "RELOAD now", "SHUTDOWN slowly", "FROBNICATE"):
            with pytest.raises(psycopg.Error):
                session.execute(command)
        assert session.execute("RELOAD").statusmessage == "RELOAD"
        assert session.execute("SET max_client_conn = 150").statusmessage.startswith("SET")  # theirs says which too
        assert session.execute("SET max_client_conn = '151'").statusmessage.startswith("SET")  # theirs says which too
        with pytest.raises(psycopg.Error):
            session.execute("SET nonsense = 1")


@pytest.mark.parametrize("command", ["SUSPEND", "SHOW FDS"])
def test_what_it_takes_for_a_take_over_is_not_there(ours, command):
    """PgBouncer has these for its -R; who asks is told what to use."""
    with connect(ours) as there, console(ours) as session:
        with pytest.raises(psycopg.errors.FeatureNotSupported, match=f"there is no {command}") as refused:
            session.execute(command)
        assert "SIGUSR2" in refused.value.diag.message_hint
        assert there.execute("select 1").fetchone() == (1,), "nothing has stopped"


def test_server_assignments(one):
    """Each connection that a client got of the pool counts, not the clients."""
    def count(session) -> int:
        return int(column(session, "show stats", "database", "app", "total_server_assignment_count"))

    with console(one) as session:
        if isinstance(one, Theirs):
            names = [each.name for each in session.execute("show stats").description]
            if "total_server_assignment_count" not in names:
                pytest.skip("it has the column since 1.23")
        before = count(session)
        with connect(one) as first, connect(one) as second:
            for client in (first, second):
                for _ in range(5):
                    client.execute("select 1")
                with client.transaction():
                    for _ in range(5):
                        client.execute("select 1")
        assert count(session) - before == 12
        totals = dict(session.execute("show totals").fetchall())
        assert totals["total_server_assignment_count"] >= 12
        if isinstance(one, Bouncer):
            assert column(session, "show stats", "database", "app", "total_client_connect_count") >= 2


def test_server_assignments_in_session_mode(ours):
    """One for each session, whatever it does."""
    ours.stop()
    ours.rewrite(users=f"{USER} = pool_mode=session")
    ours.start("-q")
    with console(ours) as session:
        for _ in range(3):
            with connect(ours) as client:
                for _ in range(5):
                    client.execute("select 1")
        rows = session.execute("show stats")
        names = [each.name for each in rows.description]
        assert sum(dict(zip(names, row))["total_server_assignment_count"] for row in rows) == 3


def test_every_setting_of_the_real_one_has_its_line(server, folder):
    """What Debian's pgbouncer knows is in the table of docs/pgbouncer.md."""
    theirs = Theirs(folder, server)
    try:
        with console(theirs) as session:
            known = {row[0] for row in session.execute("show config").fetchall()}
    finally:
        theirs.stop()
    assert known - set(documented_settings()) == set()


@pytest.fixture
def ours(pytestconfig, server, folder):
    made = Bouncer(pytestconfig.getoption("--bin"), folder, server).start("-q")
    yield made
    made.stop()


def test_kill_client(ours):
    """Not in Debian's version: as 1.24 documents it."""
    first, second = connect(ours, application_name="first"), connect(ours, application_name="second")
    with console(ours) as session:
        number = column(session, "show clients", "application_name", "first", "id")
        assert session.execute(f"KILL_CLIENT {number}").statusmessage == "KILL_CLIENT"
        with pytest.raises(psycopg.OperationalError, match="administrator command"):
            first.execute("select 1")
        assert second.execute("select 1").fetchone() == (1,)
        with pytest.raises(psycopg.Error, match="client not found"):
            session.execute(f"KILL_CLIENT {number}")
        with pytest.raises(psycopg.Error, match="invalid client pointer supplied"):
            session.execute("KILL_CLIENT x")
    second.close()
    wait_until(lambda: "killed" in ours.log_text(), 10, "the log says so")


def test_wait_close_waits(ours):
    """A session in a transaction stays until it is over, and WAIT_CLOSE with it."""
    busy = connect(ours)
    busy.execute("begin")
    with console(ours) as session:
        session.execute("RECONNECT app")
        answered = []

        def wait():
            with console(ours) as other:
                answered.append(other.execute("WAIT_CLOSE app").statusmessage)

        waiter = threading.Thread(target=wait)
        waiter.start()
        time.sleep(0.7)
        assert answered == []
        busy.execute("commit")
        waiter.join(15)
        assert answered == ["WAIT_CLOSE"]
    busy.close()


def test_kill_all_ends_every_session_but_the_consoles(ours):
    sessions = [connect(ours), connect(ours, "other")]
    sessions[0].execute("begin")
    with console(ours) as session:
        session.execute("KILL")
        for each in sessions:
            with pytest.raises(psycopg.OperationalError):
                each.execute("select 1")
        session.execute("RESUME")
    connect(ours).close()

"""Clients that vanish at every point of the protocol: whoever comes next on the pool finds a clean session, and no
server connection is left behind, in a transaction or besides the pool's size."""

from __future__ import annotations

import os
import random
import signal
import threading
import time

import pytest

from harness.pooled import MODES, TRUSTED, advisory_locks, stop_backends, wait_quiet
from harness.system import wait_until
from harness.wire import TERMINATE, Closed, RawClient, Refused, query, startup
from harness.wire_parts import FLUSH, SYNC, bind, copy_data, describe, execute, parse

pytestmark = pytest.mark.needs_gateway

SETTINGS = ("work_mem", "timezone", "datestyle", "application_name", "search_path", "statement_timeout")
MARK = "killed"  # what a killed client leaves on all that it touches
LONG_SLEEP = 60


# ---- the points: each takes a client there, and leaves it ----


def half_a_start(client):
    client.send(startup({"user": TRUSTED, "database": "app"})[:-5])


def after_startup(client):
    client.login()


def after_a_query(client):
    client.login()
    client.simple("select 1")


def half_a_message(client):
    client.login()
    client.simple("select 1")
    client.send(query("insert into kills values ('killed')")[:-6])


def half_a_header(client):
    client.login()
    client.send(b"Q\0\0")


def after_parse(client):
    client.login()
    client.send(parse("s1", "select 1"))


def after_parse_and_flush(client):
    client.login()
    client.send(parse("s1", "select 1") + FLUSH)
    assert client.read()[0] == "1"


def after_bind(client):
    client.login()
    client.send(parse("s1", "insert into kills values ($1)") + bind("", "s1", (MARK,)) + describe("P", ""))


def executed_without_sync(client):
    client.login()
    client.send(parse("s1", "insert into kills values ($1)") + bind("", "s1", (MARK,)) + execute() + FLUSH)
    assert [client.read()[0] for _ in range(3)] == ["1", "2", "C"]


def failed_without_sync(client):
    client.login()
    client.send(parse("s1", "select 1/0") + bind("", "s1") + execute() + FLUSH)
    assert client.read_error()["C"] == "22012"


def synced_and_unread(client):
    client.login()
    client.send(parse("s1", "select repeat('killed', 10), g from generate_series(1, 1000) g") + bind("", "s1") +
                execute() + SYNC)


def suspended_portal(client):
    client.login()
    client.simple("begin")
    client.send(parse("", "select g from generate_series(1, 1000) g") + bind("p1", "") + execute("p1", 3) + SYNC)
    client.result()


def pipeline_in_the_middle(client):
    client.login()
    client.send((parse("", "select pg_sleep(0.002)") + bind("", "") + execute() + SYNC) * 20)
    client.read()


def statement_runs(client):
    client.login()
    client.send(query(f"select pg_sleep({LONG_SLEEP})"))
    time.sleep(0.1)


def in_a_transaction(client):
    client.login()
    client.simple("begin")
    client.simple("insert into kills values ('killed')")
    client.simple("set local work_mem = '7MB'")
    client.simple("select pg_advisory_xact_lock(7)")


def in_a_failed_transaction(client):
    client.login()
    client.simple("begin")
    client.simple("insert into kills values ('killed')")
    with pytest.raises(Refused):
        client.simple("select 1/0")


def in_a_savepoint(client):
    client.login()
    client.simple("begin; savepoint a; insert into kills values ('killed'); savepoint b")


def copy_in(client):
    client.login()
    client.send(query("copy kills from stdin"))
    assert client.read()[0] == "G"
    client.send(copy_data(b"killed\n") * 10)


def copy_in_half_a_message(client):
    copy_in(client)
    client.send(copy_data(b"killed\n" * 100)[:50])


def copy_in_inside_a_transaction(client):
    client.login()
    client.simple("begin")
    client.send(query("copy kills from stdin"))
    assert client.read()[0] == "G"
    client.send(copy_data(b"killed\n"))


def copy_out_unread(client):
    client.login()
    client.send(query("copy (select repeat('killed', 100) from generate_series(1, 300000)) to stdout"))
    assert client.read()[0] == "H"


def rows_unread(client):
    client.login()
    client.send(query("select repeat('killed', 100) from generate_series(1, 300000)"))
    assert client.read()[0] == "T"


def with_settings(client):
    client.login(application_name=MARK, TimeZone="Asia/Tokyo", DateStyle="German, DMY")
    client.simple("set work_mem = '7MB'; set timezone = 'Europe/Berlin'; set search_path = 'pg_catalog'")
    client.simple("set statement_timeout = '61s'; select set_config('app.user_id', 'killed', false)")


def with_prepared_statements(client):
    client.login()
    client.send(parse("s1", "select 'killed'") + SYNC)
    client.result()
    client.simple("prepare p1 as select 'killed'")


def with_a_held_cursor(client):
    client.login()
    client.simple("declare h1 cursor with hold for select g from generate_series(1, 100) g")
    assert client.simple("fetch 2 from h1") == [["1"], ["2"]]


def with_a_temp_table(client):
    client.login()
    client.simple("create temp table t1 as select 'killed' as who")


def with_an_advisory_lock(client):
    client.login()
    client.simple("select pg_advisory_lock(7)")


def listening(client):
    client.login()
    client.simple("listen kills")


def with_a_role(client):
    client.login()
    client.simple("set role kills_role")


def after_nextval(client):
    client.login()
    client.simple("select nextval('kills_sequence')")


def pinned_in_a_transaction(client):
    with_a_temp_table(client)
    client.simple("begin; insert into kills values ('killed'); declare c1 cursor for select 1")


POINTS = (half_a_start, after_startup, after_a_query, half_a_message, half_a_header, after_parse,
          after_parse_and_flush, after_bind, executed_without_sync, failed_without_sync, synced_and_unread,
          suspended_portal, pipeline_in_the_middle, statement_runs, in_a_transaction, in_a_failed_transaction,
          in_a_savepoint, copy_in, copy_in_half_a_message, copy_in_inside_a_transaction, copy_out_unread, rows_unread,
          with_settings, with_prepared_statements, with_a_held_cursor, with_a_temp_table, with_an_advisory_lock,
          listening, with_a_role, after_nextval, pinned_in_a_transaction)


# ---- the ways to go ----


def with_fin(client):
    client.close()


def with_rst(client):
    client.reset()


def with_terminate(client):
    client.send(TERMINATE)
    client.close()


WAYS = (with_fin, with_rst, with_terminate)


# ---- what must be true afterwards ----


@pytest.fixture
def place(pooled, servers):
    """(mode, size) -> (server, port, how many server connections there may be), on a server that nobody uses."""
    def of(mode: str, size: int, **more):
        server = servers[servers.versions[-1]]
        with server.admin() as admin:
            admin.execute(f"""drop table if exists kills; create table kills (who text);
                grant all on kills to {TRUSTED}; create sequence if not exists kills_sequence;
                grant all on sequence kills_sequence to {TRUSTED}; grant create on schema public to {TRUSTED};
                do $$ begin create role kills_role; exception when duplicate_object then null; end $$;
                grant kills_role to {TRUSTED}""")
        stop_backends(server)
        _gateway, port = pooled(mode, size=size, server=server, **more)
        return server, port, size if pooled.limited else None
    return of


def clean_values(server) -> list[str]:
    """What a session finds that has asked for nothing."""
    with RawClient(server.port) as client:
        client.login()
        return _values(client)


def _values(client) -> list[str]:
    words = ", ".join(f"current_setting('{name}')" for name in SETTINGS)
    return client.simple(f"select {words}, current_user, coalesce(current_setting('app.user_id', true), '')")[0]


def check_clean(client, values: list[str]) -> None:
    """That this session shows nothing of what another one did."""
    assert _values(client) == values
    for what, text in (("temporary tables", "from pg_class where relnamespace = pg_my_temp_schema()"),
                       ("channels", "from pg_listening_channels()"),
                       ("cursors", "from pg_cursors where name <> ''"),
                       ("rows of one who did not commit", "from kills")):
        assert client.simple(f"select count(*) {text}") == [["0"]], what
    for text, code in (("execute p1", "26000"), ("fetch 1 from h1", "34000"), ("select lastval()", "55000"),
                       ("select * from t1", "42P01")):
        with pytest.raises(Refused) as refused:
            client.simple(text)
        assert refused.value.code == code, text
    client.send(bind("", "s1") + execute() + SYNC)
    with pytest.raises(Refused) as refused:
        client.result()
    assert refused.value.code == "26000"
    assert client.parameters["TimeZone"] == values[SETTINGS.index("timezone")]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.__name__)
def test_the_next_one_finds_a_clean_session(place, mode, point):
    """One server connection: the next client has the very one that the killed client had, or a new one."""
    server, port, size = place(mode, 1)
    values = clean_values(server)
    stop_backends(server)
    for way in WAYS:
        killed = RawClient(port, receive_buffer=4096 if "unread" in point.__name__ else 0)
        point(killed)
        way(killed)
        if size is None and point is statement_runs:
            stop_backends(server)  # the server itself sees to it only when the statement ends
        if size is None:
            wait_quiet(server, 0)  # nobody waits for a session that the server has not ended yet
        with RawClient(port, timeout=15) as client:
            client.login()
            check_clean(client, values)
        wait_quiet(server, size)


@pytest.mark.parametrize("mode", MODES)
def test_many_at_all_points_at_once(place, mode, long):
    """Clients on two server connections, each of which goes somewhere and vanishes; others work all the while."""
    server, port, size = place(mode, 2, maxWait="2m")
    values = clean_values(server)
    stop_backends(server)
    rounds, seed = (40 if long else 4), random.randrange(1 << 30)
    points = [point for point in POINTS if point is not statement_runs or size is not None]
    problems: list[str] = []

    def kill(number: int) -> None:
        choice = random.Random(f"{seed}/{number}")
        for _ in range(rounds):
            point, way = choice.choice(points), choice.choice(WAYS)
            try:
                client = RawClient(port, timeout=90)
                point(client)
                way(client)
            except (OSError, Closed, Refused, AssertionError, pytest.fail.Exception) as failure:
                problems.append(f"seed {seed}, client {number}, {point.__name__}: {failure!r}")

    def work(number: int) -> None:
        try:
            for turn in range(rounds * 3):
                with RawClient(port, timeout=90) as client:
                    client.login()
                    assert client.simple(f"select '{number}/{turn}'") == [[f"{number}/{turn}"]]
                    assert _values(client) == values
                    client.send(TERMINATE)
        except (OSError, Closed, Refused, AssertionError) as failure:
            problems.append(f"seed {seed}, worker {number}: {failure!r}")

    threads = [threading.Thread(target=kill, args=(number,)) for number in range(16)]
    threads += [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert not problems, "\n".join(problems[:20])
    wait_quiet(server, size)
    assert not advisory_locks(server)
    with RawClient(port) as client:
        client.login()
        check_clean(client, values)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("mode", MODES)
def test_a_statement_that_had_not_begun_when_it_was_cancelled(place, mode, way):
    """A server process that is slow to read takes no notice of a cancel that comes before the statement."""
    server, port, size = place(mode, 1)
    if size is None:
        pytest.skip("a direct connection: PostgreSQL itself cancels nothing")
    client = RawClient(port)
    client.login()
    ((process,),) = client.simple("select pg_backend_pid()")
    os.kill(int(process), signal.SIGSTOP)
    try:
        client.send(query(f"select pg_sleep({LONG_SLEEP})"))
        time.sleep(0.1)
        way(client)
        time.sleep(0.2)
    finally:
        os.kill(int(process), signal.SIGCONT)
    running = f"select 1 from pg_stat_activity where pid = {int(process)} and state = 'active'"
    wait_until(lambda: not server.query(running), 10, "nobody's statement runs on")

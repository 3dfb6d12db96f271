"""Pooled clients that do nothing for a while: hardly anything is kept of them, and they notice nothing."""

from __future__ import annotations

import signal
import time

import psycopg
import pytest

from harness.pooled import TRUSTED
from harness.system import wait_until
from harness.wire import RawClient, Refused, cancel_request, query
from harness.wire_parts import bind, describe, execute, parse

pytestmark = pytest.mark.needs_gateway

SYNC = b"S\x00\x00\x00\x04"
BACKEND = "select pg_backend_pid()"
TIRED = 8  # seconds in which a client that does nothing is asleep for sure (limits::awake_time is 2)


def asleep(gateway) -> int:
    sessions = gateway.admin.json("/api/v1/sessions?limit=1000")["sessions"]
    return sum(1 for each in sessions if each["pooled"] and each["pooled"]["asleep"])


def await_sleep(gateway, count: int) -> None:
    wait_until(lambda: asleep(gateway) == count, TIRED, f"{count} clients sleep")


def stays_awake(gateway) -> bool:
    time.sleep(4.5)
    return asleep(gateway) == 0


# ---- what a client has is there when it wakes ----


def test_settings_and_statements_are_kept(watched_pool):
    gateway = watched_pool(size=1)
    with RawClient(gateway.port).login(application_name="sleeper", search_path="pg_catalog") as one:
        one.simple("set work_mem = '7MB'")
        one.send(parse("mine", "select $1::int + 1") + parse("", "select $1::int + 2") + SYNC)
        one.result()
        await_sleep(gateway, 1)
        for _ in range(2):
            one.send(bind("", "mine", ("1",)) + execute() + bind("", "", ("1",)) + execute() + SYNC)
            assert one.result() == [["2"], ["3"]]
            await_sleep(gateway, 1)
        assert one.simple("show work_mem") == [["7MB"]]
        await_sleep(gateway, 1)
        assert one.simple("show search_path") == [["pg_catalog"]]
        with pytest.raises(Refused) as refused:  # as at a server: a simple query ends it
            one.send(bind("", "", ("1",)) + execute() + SYNC)
            one.result()
        assert refused.value.fields["C"] == "26000"
        one.send(describe("S", "mine") + SYNC)
        assert one.result() == []
        await_sleep(gateway, 1)
        assert gateway.one("clients", user=TRUSTED)["application_name"] == "sleeper"
        one.simple("reset work_mem")
        assert one.simple("show work_mem") != [["7MB"]]


def hold(server_pid: list, some: list[RawClient]) -> RawClient:
    """One of them, as many as the pool has connections, within a transaction on that connection. The pool chooses: who
    got another one lets go of it."""
    begun = []
    for each in some:
        each.simple("begin")
        begun.append(each)
        if each.simple(BACKEND) == server_pid:
            break
    else:
        raise AssertionError(f"nobody has {server_pid}")
    for each in begun[:-1]:
        each.simple("commit")
    return begun[-1]


def test_its_former_unnamed_statement_is_not_taken_for_its_new_one(watched_pool):
    """One that had ended before the client slept is still there on another connection."""
    gateway = watched_pool(size=2)
    with RawClient(gateway.port).login() as one, RawClient(gateway.port).login() as other, \
            RawClient(gateway.port).login() as third:
        first = one.simple(BACKEND)
        one.send(parse("", "select 'former'") + SYNC)
        one.result()
        holder = hold(first, [other, third])
        second = one.simple(BACKEND)
        assert second != first  # and its statement has ended
        holder.simple("commit")
        await_sleep(gateway, 3)
        holder = hold(first, [other, third])
        one.send(parse("", "select 'newest'") + SYNC)
        one.result()
        holder.simple("commit")
        hold(second, [other, third])
        one.send(bind("", "") + execute() + SYNC)  # on the first connection, which has the former one
        assert one.result() == [["newest"]]


def test_each_has_its_own_when_all_sleep(watched_pool):
    """Settings and statements of many, on two connections, through many nights."""
    gateway = watched_pool(size=2)
    clients = [RawClient(gateway.port).login(application_name=f"sleeper {i}") for i in range(40)]
    for i, each in enumerate(clients):
        each.simple(f"set work_mem = '{100 + i}kB'")
        each.send(parse("mine", f"select {i}, $1::text") + parse("", f"select {-i}, $1::text") + SYNC)
        each.result()
    for night in range(3):
        await_sleep(gateway, len(clients))
        for i, each in enumerate(clients):
            each.send(bind("", "mine", ("a",)) + execute() + bind("", "", ("b",)) + execute() + SYNC)
            assert each.result() == [[str(i), "a"], [str(-i), "b"]], night
            assert each.simple("show work_mem") == [[f"{100 + i}kB"]], night
            assert each.simple("show application_name") == [[f"sleeper {i}"]], night
            each.send(parse("", f"select {-i}, $1::text") + SYNC)
            each.result()
    for each in clients:
        each.close()


def test_through_tls(watched_pool, authority):
    cert = authority.issue("server")
    gateway = watched_pool(size=1, tls={"mode": "require", "certificates": [
        {"certFile": str(cert.cert), "keyFile": str(cert.key)}]})
    with psycopg.connect(host="127.0.0.1", port=gateway.port, user=TRUSTED, dbname="app", sslmode="require",
                         autocommit=True) as one:
        for i in range(2):
            assert one.execute("select %s::int", (i,)).fetchone() == (i,)
            await_sleep(gateway, 1)
        assert one.execute("select repeat('x', 100000)").fetchone() == ("x" * 100000,)


def test_half_a_message_wakes_too(watched_pool):
    gateway = watched_pool(size=1)
    with RawClient(gateway.port).login() as one:
        await_sleep(gateway, 1)
        whole = query("select 42")
        one.send(whole[:3])
        assert stays_awake(gateway), "a message is under way"
        one.send(whole[3:])
        assert one.result() == [["42"]]
        await_sleep(gateway, 1)


# ---- who must not sleep ----


@pytest.mark.parametrize("before", ["begin", "create temp table t ()", "listen news", "select pg_advisory_lock(1)"])
def test_who_has_something_to_lose_stays_awake(watched_pool, before):
    gateway = watched_pool(size=1)
    with RawClient(gateway.port).login() as one:
        one.simple(before)
        assert stays_awake(gateway)
        assert one.simple("select 1") == [["1"]]


def test_a_session_that_keeps_its_connection_stays_awake(watched_pool):
    gateway = watched_pool("session", size=1)
    with RawClient(gateway.port).login() as one:
        one.simple("select 1")
        assert stays_awake(gateway)


# ---- what happens meanwhile ----


def test_its_end_is_seen(watched_pool):
    gateway = watched_pool(size=1)
    one, two, three = (RawClient(gateway.port).login() for _ in range(3))
    await_sleep(gateway, 3)
    one.send(b"X\x00\x00\x00\x04")
    two.finish()
    three.reset()
    wait_until(lambda: not gateway.admin.json("/api/v1/sessions")["sessions"], 5, "all have gone")
    pools = gateway.admin.json("/api/v1/pools?user=" + TRUSTED)["pools"]
    assert all(each["clients"] == {"active": 0, "waiting": 0} for each in pools)
    causes = [each["cause"] for each in gateway.gateway.wait_end(count=3, user=TRUSTED)]
    assert sorted(causes) == ["client_eof", "client_reset", "client_terminate"]


def test_a_cancel_finds_it_awake_or_not(watched_pool):
    gateway = watched_pool(size=1)
    with RawClient(gateway.port).login() as one:
        await_sleep(gateway, 1)
        with RawClient(gateway.port) as cancel:
            cancel.send(cancel_request(one.pid, one.key))
            assert cancel.receive_to_end()[0] == b""
        assert one.simple("select 1") == [["1"]]
        await_sleep(gateway, 1)
        one.send(query("select pg_sleep(60)"))
        wait_until(lambda: gateway.one("pools", user=TRUSTED)["sv_active"] == 1, 5, "it runs")
        with RawClient(gateway.port) as cancel:
            cancel.send(cancel_request(one.pid, one.key))
            cancel.receive_to_end()
        with pytest.raises(Refused) as refused:
            one.result()
        assert refused.value.fields["C"] == "57014"


def test_an_operator_ends_it(watched_pool):
    gateway = watched_pool(size=1)
    with RawClient(gateway.port).login() as one:
        await_sleep(gateway, 1)
        (mine,) = gateway.admin.json("/api/v1/sessions")["sessions"]
        gateway.tell(f"kill_client {mine['id']}")
        assert one.read_error()["C"] == "57P01"


def test_a_drain_ends_it(watched_pool):
    gateway = watched_pool(size=1)
    with RawClient(gateway.port).login() as one:
        await_sleep(gateway, 1)
        gateway.gateway.send(signal.SIGTERM)
        assert one.read_error()["C"] == "57P01"


def test_the_limits_of_its_route_end_it(watched_pool):
    gateway = watched_pool(size=1, routes=[
        {"name": "short", "match": {}, "upstream": "db", "auth": {"method": "trust"}, "pooling": "transaction",
         "limits": {"idleTimeout": "5s", "transactionTimeout": "1s"}}])
    with RawClient(gateway.port, timeout=20).login() as one:
        await_sleep(gateway, 1)
        slept = time.monotonic()
        assert one.read_error()["C"] == "57P05"
        assert time.monotonic() - slept < 4
    with RawClient(gateway.port, timeout=20).login() as one:
        await_sleep(gateway, 1)
        one.simple("begin")
        assert one.read_error()["C"] == "25P04"


# ---- what it is for ----


@pytest.mark.alone
def test_sleepers_take_little(watched_pool, not_sanitized):
    gateway = watched_pool(size=2)
    crowd = [RawClient(gateway.port).login() for _ in range(200)]
    time.sleep(TIRED)  # whoever looks at sessions takes memory for what it shows
    before = gateway.gateway.memory_kib()
    crowd += [RawClient(gateway.port).login() for _ in range(800)]
    time.sleep(TIRED)
    each = (gateway.gateway.memory_kib() - before) / 800
    assert asleep(gateway) == 1000
    for one in crowd:
        one.close()
    assert each < 1.2, f"{each:.2f} KiB each"
